"""What each prompting arm adds to a question, in the languages of the tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from baselines.prompting.recipe import Arm


class Wording(NamedTuple):
    """Text in front of and behind the question."""

    before: str
    after: str


WORDINGS: dict[str, dict[Arm, Wording]] = {
    "en": {
        "zero_shot": Wording("", ""),
        "target": Wording("", ""),
        "persona": Wording(
            "You keep the register of a country's working people. Leaf through it, stop at some page you did "
            "not choose, and let the one person whose entry lies under your finger answer. The entry may be "
            "an ordinary or an uncommon one.\n\n",
            "",
        ),
        "simulated_draw": Wording(
            "",
            "\n\nDo this as a draw of lots. Between <think> and </think>, write down the percentage that each "
            "possible answer has in reality, lay the answers side by side on the numbers from 1 to 100 by "
            "these percentages, name a number from 1 to 100 that comes to you by chance, and see whose "
            "stretch it falls in. After </think>, give the answer that was drawn and nothing else.",
        ),
        "seed_string": Wording(
            "",
            "\n\nBetween <think> and </think>, first type a string of twelve random letters and digits. Then "
            "turn the string into a number from 0 to 99, for example by adding up its characters' codes and "
            "keeping the last two digits, and use that number to choose among the possible answers, each "
            "having as many of the numbers as its share in reality. After </think>, give that answer and "
            "nothing else.",
        ),
        "verbalised": Wording(
            "",
            "\n\nDo not choose. In place of one answer, write for each possible answer the percentage of times "
            "that it should come out if the question were put again and again, one on a line, as in "
            "'answer: 12%'. The percentages add up to 100. The possible answers are: {classes}.",
        ),
    },
    "zh": {
        "zero_shot": Wording("", ""),
        "target": Wording("", ""),
        "persona": Wording(
            "你保管着一本登记全国从业者的名册。随手翻开一页，不加挑选，由手指落到的那一个人来回答；"
            "这个人可能很常见，也可能不常见。\n\n",
            "",
        ),
        "simulated_draw": Wording(
            "",
            "\n\n请用抽签的方式回答。在 <think> 与 </think> 之间，先写出每个可能的答案在现实中所占的百分比，"
            "再按百分比把它们依次排在 1 到 100 的数字上，随意说出一个 1 到 100 之间的数字，看它落在谁的区间里。"
            "在 </think> 之后只写抽中的答案。",
        ),
        "seed_string": Wording(
            "",
            "\n\n在 <think> 与 </think> 之间，先随机打出十二个字母或数字，再把这串字符换算成 0 到 99 之间的一个数，"
            "例如把各字符的编码相加后取末两位；每个可能的答案按它在现实中的比例占有若干个数，用这个数选出答案。"
            "在 </think> 之后只写选出的答案。",
        ),
        "verbalised": Wording(
            "",
            "\n\n不要作出选择。请写出如果反复提出这个问题，每个可能的答案应当出现的百分比，每行一个，"
            "格式为“答案: 12%”，各百分比之和为 100。可能的答案有：{classes}。",
        ),
    },
}

STATEMENTS = {
    "en": (
        "\n\nOver many askings of this question the answers should come out as follows: {shares}.",
        "{name} {share}%",
        ", ",
    ),
    "zh": ("\n\n反复提出这个问题时，各答案出现的比例应为：{shares}。", "{name} {share}%", "，"),
}
"""Sentence, one class in it, and what stands between classes."""
