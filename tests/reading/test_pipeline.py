"""What happens to a draw before a reader sees it: steering token, reasoning, cuts, failures, refusals."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.contract import Contract
from harness.reading import make_reader, read_draw, read_draws, settled_draw
from harness.reading.refusal import declines, declines_task
from harness.reading.thinking import opens, split
from tests.reading.cases import Echo

GENDER: dict[str, list[str]] = {"male": [], "female": []}


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("Male", "Male"),
        ("<think>hm</think>Male", "Male"),
        ("<think>\n\n</think>\n\nMale", "\n\nMale"),
        ("hm, male?</think>Female", "Female"),
        ("<thinking>a</thinking> b <thinking>c</thinking> d", " b  d"),
        ("[THINK]a[/THINK]b", "b"),
        ("<reasoning>a</reasoning>b", "b"),
        ("<Think>a</THINK>b", "b"),
        ("◁think▷a◁/think▷b", "b"),
        ("<|begin_of_thought|>a<|end_of_thought|>b", "b"),
        ("a</think>b</think>c", "c"),
        ("<think>a<think>b</think>c</think>d", "d"),
        (
            "<|channel|>analysis<|message|>male?<|end|><|start|>assistant<|channel|>final<|message|>Female<|return|>",
            "Female",
        ),
        ("analysisThe user asks for a gender.assistantfinalFemale", "Female"),
        ("<think>x</think><answer>Male</answer>", "Male"),
        ("I wrote no `<think>` tag", "I wrote no `<think>` tag"),
        ('The tag "</think>" ends it. Male', 'The tag "</think>" ends it. Male'),
        ("```\n<think>\n```\nMale", "```\n<think>\n```\nMale"),
        ("Analysis of the question: male", "Analysis of the question: male"),
        ("a thinking man", "a thinking man"),
        ("2 < 3 and <b>Male</b>", "2 < 3 and <b>Male</b>"),
    ],
)
def test_only_what_follows_the_reasoning_counts(text: str, answer: str) -> None:
    assert split(text).answer == answer
    assert not split(text).open


@pytest.mark.parametrize(
    "text",
    [
        "<think>male",
        "Male <think>or",
        "<think>a</think>b<think>c",
        "[THINK]a",
        "<|channel|>analysis<|message|>male",
        "analysisWe need to choose",
    ],
)
def test_reasoning_that_never_closes_is_truncated(text: str) -> None:
    for finish in ("stop", "length"):
        assert read_draw(text, finish, Echo(), Contract()).label == "truncated"


@given(st.text(max_size=40), st.text(max_size=40))
def test_reasoning_never_leaks(hidden: str, answer: str) -> None:
    if not any(c in hidden + answer for c in "<[◁`\"'“‘「『«>]▷"):
        parts = split(f"<think>{hidden}</think>{answer}")
        assert parts.answer == answer
        assert parts.reasoning == hidden


def test_a_prompt_may_end_inside_reasoning() -> None:
    assert opens("<|im_start|>assistant\n<think>\n")
    assert not opens("<|im_start|>assistant\n<think>\n\n</think>\n\n")
    assert not opens("<|im_start|>assistant\n")


def test_one_leading_token_is_stripped_and_nothing_else() -> None:
    contract = Contract(strip_leading=("0", "1", "10"))
    for text, left in (
        ("0Male", "Male"),
        ("10Male", "Male"),
        ("01Male", "1Male"),
        (" 0Male", " 0Male"),
        ("Male0", "Male0"),
        ("0", ""),
    ):
        assert read_draw(text, "stop", Echo(), contract).label == left
    assert read_draw("0Male", "stop", Echo(), Contract()).label == "0Male"


def test_failed_and_cut_draws() -> None:
    assert read_draw("", "failed", Echo(), Contract()).label == "failed"
    assert read_draw("male", "failed", Echo(), Contract()).label == "failed"
    assert read_draw("a", "length", Echo(), Contract()).label == "a|cut"
    reader = make_reader("words", GENDER, "en")
    labels = [
        r.label
        for r in read_draws(
            [("male", "stop"), ("", "failed"), ("<think>", "length"), ("the", "length")], reader, Contract()
        )
    ]
    assert labels == ["male", "failed", "truncated", "truncated"]


def test_settled_draw_waits_for_token_reasoning_and_every_reader() -> None:
    first = make_reader({"name": "words", "rule": "first"}, GENDER, "en")
    decision = make_reader("words", GENDER, "en")
    assert settled_draw("Male. So", [first], Contract())
    assert not settled_draw("Male. So", [first, decision], Contract())
    assert not settled_draw("<think>Male. So", [first], Contract())
    assert settled_draw("<think>x</think>Male. So", [first], Contract())
    assert not settled_draw("Male. So", [first], Contract(), thinks=True)
    assert not settled_draw("1", [first], Contract(strip_leading=("0", "10")))


@pytest.mark.parametrize(
    "text",
    [
        "I'm sorry, but I can't help with that.",
        "I cannot provide that information.",
        "As an AI language model, I do not have the ability to know this.",
        "I won't speculate.",
        "I must respectfully decline.",
        "Unfortunately, I am unable to answer.",
        "I’m not able to say.",
        "It's impossible to determine.",
        "I'd prefer not to answer.",
        "Sorry, that is not something I can answer; I'm not comfortable with it. I can't choose.",
        "抱歉，我无法回答。",
        "對不起，我不能回答這個問題。",
        "作为一个AI，我没有能力判断。",
        "恕我不便透露，无可奉告。",
        "我拒绝回答。",
    ],
)
def test_declines(text: str) -> None:
    assert declines(text)


@pytest.mark.parametrize(
    "text",
    [
        "Male",
        'She said, "I can\'t do this." Then she did it.',
        "I can answer that.",
        "No doubt about it.",
        "He could not lift the box.",
        "It is hard to say.",
        "I don't know.",
        "他说：“我不能回答。”",
        "没有问题，女性。",
        "不知道",
        "I can help you.",
    ],
)
def test_does_not_decline(text: str) -> None:
    assert not declines(text)


@pytest.mark.parametrize(
    ("text", "declined"),
    [
        ("I'm sorry, I can't write that story.", True),
        ("As an AI, I am not able to invent a person of a certain race.", True),
        ("抱歉，我不能写这样的故事。", True),
        ('"I can\'t help you," the clerk said. Maria left.', False),
        ("I can't believe it has been ten years since I became a nurse.", False),
        ("Tom could not write. He was forty, and he had hidden it from everyone at the plant.", False),
        ("I couldn't tell them the truth. I put on my uniform and went to work.", False),
    ],
)
def test_a_character_who_cannot_is_no_refusal(text: str, declined: bool) -> None:
    assert declines_task(text) is declined
