"""Reads the shape of a reply in English and Chinese: length, act of the last sentence, list or not, sentiment."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal, get_args

from harness.errors import UserError, nearest
from harness.natural.features import token_count
from harness.reading.base import Answer, Reader, Reading

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Feature = Literal["length", "act", "list", "sentiment"]
LENGTHS = {"short": 40, "medium": 120, "long": 240}
"""The last token count of each bin; what is longer is ``xlong``."""
OUTCOMES: dict[Feature, tuple[str, ...]] = {
    "length": (*LENGTHS, "xlong"),
    "act": ("question", "statement", "exclamation", "other"),
    "list": ("list", "plain"),
    "sentiment": ("positive", "negative", "neutral"),
}

_PICTURE = "\U0001f000-\U0001faff\u2600-\u27bf\u2b00-\u2bff\u200d\ufe0f\u20e3\U000e0020-\U000e007f"
_EMOTICON = re.compile(
    r"(?<=[\s.!?。！？…])(?:[:;=8xX][-'^o]?[)(DPpOo3|/\\*]+|<3+|\^[_.\-]?\^|[xX]D+|[（(][^\w\s（）()]{1,3}[\w.]?[^\w\s（）()]{1,4}[)）]|\(y\))$"
)
_AFTER_MARK = re.compile(rf"[\s\"'”’»」』）)\]】〉》}}*_~～`♪♥{_PICTURE}]+$")
_FOOTNOTE = re.compile(r"(?<=[.!?。！？])(?:\[\d+\]|[¹²³⁰-⁹]+)+$")
_STAGE = re.compile(
    r"(?<=[.!?。！？…~～])\s*(?:[(（](?:[^()（）.!?。！？]|(?<=\d)\.(?=\d)|(?<=\b[a-z])\.(?=[a-z])|(?<=\.[a-z])\.|"
    r"(?<=etc)\.)*[)）]|\[[^\[\]\s\d]{1,8}\]|</?[a-zA-Z]+>|\*[^*.!?。！？]+\*)$"
)
_ENDS = frozenset(".!?。！？…")
_MARKS = re.compile(r"[.!?。！？…‽؟⁉⁈｡।]+$")

_BULLET = (
    r"[-*+•·●○▪▫◦‣⁃–►▶▸▹➢➤→⇒✓✔✅☑❌✗✘★☆⭐◆◇❖■□]\ufe0f?\s*(?:\[[ xX]\]\s*)?"
    r"|[\U0001f534-\U0001f53b\U0001f7e0-\U0001f7eb\U0001f449\U0001f4cc\U0001f4cd\u27a1]\ufe0f?\s*"
)
_HAN_DIGIT = r"[一二三四五六七八九十]{1,3}"
_COUNTED = r"(?:step|day|week|month|option|tip|phase|stage|part|point|reason|rule|item|question|idea|method|example|number)"
_NUMBER = (
    r"[(（【\[]?\d{1,3}(?:[)）、】\]]|\\?[.．](?!\d))\s*|\d\ufe0f?\u20e3\s*|[①-⑳⑴-⒇❶-❿➀-➓]\s*|"
    r"\d{1,2}\s+[-–—]\s+(?=[^\W\d])|#?\d{1,2}(?:[:：]\s+|：)(?=[^\W\d])|#\d{1,2}\s+"
    rf"|[(（【]{_HAN_DIGIT}[)）】]\s*|{_HAN_DIGIT}[、.．)）]\s*|[甲乙丙丁戊己][、.．]\s*"
    rf"|第(?:{_HAN_DIGIT}|\d{{1,3}})(?:步|点|条|项|个|天|周|章|阶段|部分)?[、:：,，.]\s*|[(（]?[a-hA-H][)）]\s+|[A-Ha-h]\.\s+|[(（]?[ivxIVX]{{1,4}}[.)）]\s+"
    rf"|(?:方案|选项|步骤|建议|方法|理由|原因|问题)(?:{_HAN_DIGIT}|\d{{1,2}})[:：、.]\s*"
    rf"|(?i:{_COUNTED}\s+(?:\d+|one|two|three|four|five))\s*[:：.)–—-]\s*|[Qq]\d{{1,2}}[:.)]\s*"
)
# "-5 degrees" and "*emphasis*" begin with a bullet's sign; a bullet has a space or a Han character behind it.
_ITEM = re.compile(
    rf"^\s*(?:>\s*)?(?:(?:[-*+–]\s+|(?![-*+–])(?:{_BULLET})|[-*](?=[\u4e00-\u9fff]))|(?:#{{1,6}}\s+)?(?:\*\*|__)?(?:{_NUMBER}))(?=.*\w)"
)
# Any other picture is a bullet where what follows is no sentence.
_PICTURED = re.compile(rf"^\s*[{_PICTURE}]+\s*[^\s.!?。！？{_PICTURE}][^.!?。！？{_PICTURE}]*$")
_FENCE = re.compile(r"^\s*(?:```|~~~)")


def length_bin(tokens: int) -> str:
    """The bin of a token count: 40, 120 and 240 are the last of short, medium and long."""
    return next((name for name, last in LENGTHS.items() if tokens <= last), "xlong")


def sentence_act(text: str) -> str:
    """What the closing sentence does, by its mark; ``other`` where no sentence ends the text."""
    end = text.rstrip()
    lines = end.splitlines()
    if not lines or _FENCE.match(lines[-1]) or re.fullmatch(rf"\s*(?:{_NUMBER})", lines[-1]):
        return "other"
    # what may follow a sentence's mark ends in none itself
    for _ in range(0 if end[-1:] in _ENDS else 8):
        for tail in (_FOOTNOTE, _STAGE, _EMOTICON, _AFTER_MARK):
            shorter = tail.sub("", end)
            if shorter != end:
                end = shorter
                break
        else:
            break
    marks = _MARKS.search(end)
    if marks is None or not re.search(r"\w", end):
        return "other"
    if re.search(r"[?？‽؟⁉⁈]", marks.group()):
        return "question"
    return "exclamation" if re.search(r"[!！]", marks.group()) else "statement"


def is_list(text: str) -> bool:
    """True for two or more bulleted or numbered lines outside code blocks."""
    return _items(text.splitlines()) >= 2


def _items(lines: Iterable[str]) -> int:
    items, code = 0, False
    for line in lines:
        if _FENCE.match(line):
            code = not code
        elif not code and (_ITEM.match(line) or _PICTURED.match(line)):
            items += 1
    return items


def sentiment(text: str, language: str) -> str:
    """positive, negative or neutral: the tone of a whole reply."""
    from harness.reading.sentiment import tone

    return tone(text, language)


class StyleReader(Reader):
    """Reads one feature of a reply's shape."""

    version = "2"

    def __init__(self, classes: Mapping[str, Iterable[str]], language: str, feature: Feature) -> None:
        if feature not in get_args(Feature):
            raise UserError(
                "an unknown feature of the reader 'style'",
                where="reader",
                found=feature,
                expected=", ".join(get_args(Feature)),
                nearest=nearest(str(feature), get_args(Feature)),
            )
        unknown = [c for c in OUTCOMES[feature] if c not in classes]
        if unknown:
            raise UserError(
                f"the reader 'style' gives classes of {feature} that the task lacks",
                where="classes",
                found=", ".join(classes),
                expected=", ".join(OUTCOMES[feature]),
            )
        self.feature = feature
        self.language = language

    def read(self, answer: Answer) -> Reading:
        """The feature's value; a cut reply has one only where more text could not change it."""
        text = answer.text.strip()
        if answer.cut:
            return self._read_cut(text)
        if not text:
            return Reading("unparsed", "nothing")
        if self.feature == "length":
            tokens = token_count(text)
            return Reading(length_bin(tokens), f"{tokens} tokens")
        if self.feature == "act":
            return Reading(sentence_act(text))
        if self.feature == "list":
            return Reading("list" if is_list(text) else "plain")
        return Reading(sentiment(text, self.language))

    def _read_cut(self, text: str) -> Reading:
        """The token cap ended it, so its length is only known to be at least what is there."""
        if self.feature == "length" and token_count(text) > LENGTHS["long"]:
            return Reading("xlong", "cut, longer than the last bound already")
        if self.feature == "list" and is_list(text):
            return Reading("list")
        return Reading("truncated")

    def settled(self, text: str) -> bool:
        """An excess length and two list lines stay; the rest hangs on how the reply ends."""
        if self.feature == "length":
            # The last token may yet merge with what follows: "don'" + "t".
            return token_count(text) > LENGTHS["long"] + 2
        return self.feature == "list" and _items(text.rpartition("\n")[0].splitlines()) >= 2
