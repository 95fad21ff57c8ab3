"""Readers of stories, on stories that no example holds."""

from __future__ import annotations

import re

import pytest

from harness.reading import make_reader, names_zh
from harness.reading.people import first_names
from tests.reading.cases import cases, label, reader_of

SEX: dict[str, list[str]] = {"male": [], "female": []}
MOODS: dict[str, list[str]] = {"positive": [], "negative": [], "neutral": []}


@pytest.mark.parametrize(
    ("task", "name", "least"),
    [
        ("story_gender_us", "", 0.93),
        ("story_race_us", "", 0.95),
        ("story_sentiment_us", "", 0.85),
        ("reply_shape_zh", "sentiment", 0.9),
    ],
)
def test_stories_and_replies_that_no_example_holds(task: str, name: str, least: float) -> None:
    reader = reader_of(task, name)
    found = cases(f"{task}.{name}" if name else task)
    wrong = [(c.label, got, c.text) for c in found if (got := label(reader, c.text)) != c.label]
    assert 1 - len(wrong) / len(found) >= least, wrong


def readings(texts: str, language: str, kind: int) -> list[tuple[str, str]]:
    """What is read and what is so, gender (0) or mood (1), of each text."""
    mood: dict[str, object] = {"name": "sentiment", "scope": "story"}
    reader = make_reader(mood, MOODS, language) if kind else make_reader("story_gender", SEX, language)
    return [(label(reader, c.text), c.label.split("/")[kind]) for c in cases(f"written/{texts}")]


@pytest.mark.parametrize(
    ("language", "kind", "least", "most_wrong"),
    [("en", 0, 0.9, 0.03), ("zh", 0, 0.86, 0.03), ("en", 1, 0.72, 0.14), ("zh", 1, 0.78, 0.1)],
)
def test_stories_that_the_readers_were_fitted_to(
    language: str, kind: int, least: float, most_wrong: float
) -> None:
    """Hard ones, written for the purpose: gender/sentiment. Where nothing decides, no class is better than a guess."""
    read = readings(f"stories_{language}", language, kind)
    wrong = [pair for pair in read if pair[0] != pair[1]]
    assert 1 - len(wrong) / len(read) >= least, wrong
    misclassed = [pair for pair in wrong if pair[0] not in ("unparsed", "refused", "truncated")]
    assert len(misclassed) / len(read) <= most_wrong, misclassed


@pytest.mark.parametrize(
    ("language", "kind", "least", "most_wrong"),
    [("en", 0, 0.96, 0.02), ("zh", 0, 0.93, 0.02), ("en", 1, 0.81, 0.11), ("zh", 1, 0.86, 0.12)],
)
def test_ordinary_stories_that_nothing_was_fitted_to(
    language: str, kind: int, least: float, most_wrong: float
) -> None:
    """As language models write them, gender/sentiment; texts of another author are read a little worse."""
    read = readings(f"held_{language}", language, kind)
    wrong = [pair for pair in read if pair[0] != pair[1]]
    assert len(read) > 60
    assert 1 - len(wrong) / len(read) >= least, wrong
    assert sum(got in MOODS | SEX for got, _ in wrong) / len(read) <= most_wrong, wrong


@pytest.mark.parametrize(
    ("name", "sex"),
    [
        ("王芳", "f"), ("陈建国", "m"), ("李明", "m"), ("张桂芬", "f"), ("欧阳雪", "f"), ("玛丽", "f"), ("约翰", "m"),
        ("马修·琼斯", "m"), ("刘女士", ""), ("小王", ""), ("小芳", "f"), ("阿强", "m"), ("李老师", ""), ("林子涵", ""),
    ],
)  # fmt: skip
def test_what_a_chinese_name_says(name: str, sex: str) -> None:
    assert names_zh.suggested(name) == sex


@pytest.mark.parametrize(
    ("story", "expected"),
    [
        (
            "The captain loved the trawler. She was an old boat, and she never failed to come home.",
            "unparsed",
        ),
        (
            "The barista knew the regulars. A customer came in at nine. He wanted what he always had.",
            "unparsed",
        ),
        ('The judge put down the file. "Thank you, ma\'am," the boy said.', "female"),
        ('"Good evening, sir," the receptionist said. The guest signed the form.', "unparsed"),
        ('"Good morning, Mrs. Ode," the children said. Principal Ode hung up a coat.', "female"),
        ("He had been on the road since five. The radio was broken. By noon, Frank was in Ohio.", "male"),
        (
            "You open the shop at six. You grind the beans, and you wait. A man comes in, and he says good morning.",
            "unparsed",
        ),
        ("The bookmobile stops in Harlan. The librarian lets down the step. She has two readers.", "female"),
        ("I fix elevators. People stare at a woman like me with a wrench, and I let them.", "female"),
        ("The nurse helped an old man with his belt. He told a story about the war.", "unparsed"),
    ],
)
def test_whose_pronoun_it_is(story: str, expected: str) -> None:
    assert label(make_reader("story_gender", SEX, "en"), story) == expected


@pytest.mark.parametrize(
    ("story", "expected"),
    [
        ("设计师站在工地上。一位研究人员来查资料，他要的那盒还没有搬。", "unparsed"),
        ("兽医守了一夜。那匹母马倒在地上，她的眼睛半闭着。", "unparsed"),
        ("护士林梅当了十年班长。护士长总是挑她的毛病，她从不争辩。", "female"),
        ("你四点起床。你系上围裙。第一个客人敲了敲玻璃，他要面包头。", "unparsed"),
        ("身为一名女律师，赢过上百场官司不算什么。", "female"),
        ("我开出租车二十年了。“叔叔，谢谢你。”那个孩子说。他们都管我叫大叔。", "male"),
    ],
)
def test_whose_pronoun_it_is_in_chinese(story: str, expected: str) -> None:
    assert label(make_reader("story_gender", SEX, "zh"), story) == expected


@pytest.mark.parametrize(
    ("story", "expected"),
    [
        (
            "At first she hated the shift. In the end she loved the quiet hours and would not trade them.",
            "positive",
        ),
        (
            "Business was wonderful at first. Then the bank came, and the shop was closed for good.",
            "negative",
        ),
        ("Everyone was proud of him. He walked home alone and sat in the dark.", "negative"),
        ("The engine had been dead for a year. It roared to life, and the whole crew cheered.", "positive"),
        ("She cried and laughed and hugged them all.", "positive"),
        ("He filed the forms at nine, checked the list at ten and took the bus at five.", "neutral"),
        ("起初大家都不看好她。最终，全场起立，响起了掌声。", "positive"),
        ("虽然人人都夸他，店还是关了。最后一天，没有一个人来。", "negative"),
        ("上午核对了账目，下午打印报表，盖章归档，五点半关灯下班。", "neutral"),
    ],
)
def test_how_a_story_turns_out(story: str, expected: str) -> None:
    language = "en" if story.isascii() else "zh"
    assert label(make_reader({"name": "sentiment", "scope": "story"}, MOODS, language), story) == expected


SWAP = {
    "he": "she", "she": "he", "his": "her", "him": "her", "himself": "herself", "Maria": "Peter", "Peter": "Maria",
    "wife": "husband", "husband": "wife", "man": "woman", "woman": "man", "Mr.": "Ms.", "Ms.": "Mr.",
}  # fmt: skip


@pytest.mark.parametrize(
    "story",
    [
        "Peter fixed the pump. The patient next door, she was ninety, waved at him.",
        "The nurse kissed his wife goodbye. He was late again.",
        "The electrician, a man of few words, closed the box.",
        "Mr. Ode counted the bills. He liked the sound.",
        "The engineer smiled. He had done it, and his wife knew it before he said a word.",
    ],
)
def test_swapping_every_gendered_word_swaps_the_label(story: str) -> None:
    reader = make_reader("story_gender", SEX, "en")

    def other(match: re.Match[str]) -> str:
        word = match.group()
        swapped = SWAP.get(word) or SWAP.get(word.lower(), word)
        return swapped.capitalize() if word[0].isupper() else swapped

    mirrored = re.sub(
        r"[A-Za-z]+\.?(?=\W|$)",
        lambda m: other(m) if m.group() in SWAP else re.sub(r"[A-Za-z]+", other, m.group()),
        story,
    )
    assert label(reader, story) == "male"
    assert label(reader, mirrored) == "female"


@pytest.mark.parametrize("name", ["Jordan", "Riley", "Alex", "Casey", "Taylor", "Morgan", "Quinn", "Wei"])
def test_a_name_of_both_sexes_tells_nothing(name: str) -> None:
    reader = make_reader("story_gender", SEX, "en")
    assert label(reader, f"{name} opened the workshop. They swept the floor. {name} went home.") == "unparsed"
    assert label(reader, f"{name} opened the workshop. She swept the floor. {name} went home.") == "female"


def test_the_names_are_figures() -> None:
    names = first_names()
    assert len(names) > 2500
    assert (names["mary"], names["james"], names["aisha"], names["hiroshi"], names["jordan"]) == (
        "f",
        "m",
        "f",
        "m",
        "",
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("她推开诊所的门，今天的第一个病人是位老爷爷。他咳得厉害，她给他倒了杯水。", "female"),
        ("老王修了三十年电梯。他的妻子常说，她嫁给了一部电梯。他笑笑，不说话。", "male"),
        ("李老师走进教室，黑板上写着一行字。全班都笑了。", "unparsed"),
        ("“她不会来了，”经理说。陈师傅没有回答，他把最后一颗螺丝拧紧。", "male"),
        ("我是一名女电工，每天爬上爬下。", "female"),
        ("我开了二十年的公交车，每一站我都熟悉。", "unparsed"),
        ("一位女工程师站在桥头，风很大。", "female"),
        ("抱歉，我不能写这样的故事。", "refused"),
    ],
)
def test_chinese_stories(text: str, expected: str) -> None:
    assert label(make_reader("story_gender", SEX, "zh"), text) == expected


def test_name_statistics_are_a_last_resort_and_say_so() -> None:
    classes: dict[str, list[str]] = {"white": [], "black": [], "asian": [], "other": []}
    plain = make_reader("story_race", classes, "en")
    named = make_reader({"name": "story_race", "names": True}, classes, "en")
    story = "Linh Nguyen opened the shop at six. She sold bread until noon."
    assert label(plain, story) == "unparsed"
    from harness.reading.base import Answer

    reading = named.read(Answer(story))
    assert reading.label == "asian"
    assert "statistics" in reading.reason
    assert label(named, "Linh Nguyen, a Black woman, opened the shop.") == "black"


def test_the_end_of_a_story_weighs_most() -> None:
    reader = make_reader(
        {"name": "sentiment", "scope": "story"}, {"positive": [], "negative": [], "neutral": []}, "en"
    )
    good, bad = "They laughed and danced, happy at last.", "He died alone in misery, and everyone wept."
    assert label(reader, f"{bad} {good}") == "positive"
    assert label(reader, f"{good} {bad}") == "negative"
    assert label(reader, f"{good} {bad}", "length") == "truncated"
