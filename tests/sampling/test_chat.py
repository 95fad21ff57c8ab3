"""Prompts as transformers writes them, ends of a turn, and text that loses nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tokenizers import AddedToken
from transformers import AutoTokenizer

from harness.errors import UserError
from harness.sampling.hf.chat import Chat
from harness.terms import Message, Request
from tests.sampling.reference import loaded

if TYPE_CHECKING:
    from pathlib import Path

    from transformers import PreTrainedModel, PreTrainedTokenizerBase

CHATML = (
    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
TRIMMING = (
    "{% for m in messages %}{{ '[' + m.role + '] ' + m.content | trim + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '[assistant]' }}{% endif %}"
)


@pytest.fixture
def tokenizer(tiny_model: Path) -> PreTrainedTokenizerBase:
    made: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(tiny_model)
    return made


@pytest.fixture(scope="module")
def model(tiny_model: Path) -> PreTrainedModel:
    return loaded(tiny_model)


def asked(*turns: tuple[str, str], text: str = "") -> Request:
    return Request("c", "p", 0, 1, 0, tuple(Message(r, t) for r, t in turns), text)


@pytest.mark.parametrize("begun", [None, "The answer is", "Answer: ", "she\n"])
@pytest.mark.parametrize("template", [None, CHATML, TRIMMING])
def test_tokens_are_those_of_apply_chat_template(
    tokenizer: PreTrainedTokenizerBase, template: str | None, begun: str | None
) -> None:
    if template:
        tokenizer.chat_template = template
    turns = [("user", "Is the cook male?"), ("assistant", "No."), ("user", "Sure?")]
    turns += [("assistant", begun)] if begun else []
    expected = tokenizer.apply_chat_template(
        [{"role": r, "content": t} for r, t in turns],
        add_generation_prompt=not begun,
        continue_final_message=bool(begun),
        return_dict=False,
    )
    assert Chat(tokenizer).encode([asked(*turns)]) == [expected]


def test_begin_of_text_stands_once(tokenizer: PreTrainedTokenizerBase) -> None:
    chat = Chat(tokenizer)
    assert tokenizer.bos_token_id is not None
    for request in (asked(("user", "Hello")), asked(text="Hello"), asked(text="")):
        (ids,) = chat.encode([request])
        assert ids[0] == tokenizer.bos_token_id
        assert ids.count(tokenizer.bos_token_id) == 1


def test_without_a_template_messages_are_plain_text(tokenizer: PreTrainedTokenizerBase) -> None:
    chat = Chat(tokenizer, "none")
    request = asked(("system", "Be short."), ("user", "Is the cook male?"))
    assert chat.render(request) == "Be short.\n\nIs the cook male?"
    assert chat.digest == ""
    assert chat.encode([request]) == [tokenizer(chat.render(request))["input_ids"]]


def test_a_template_file_overrides(tokenizer: PreTrainedTokenizerBase, tmp_path: Path) -> None:
    path = tmp_path / "own.jinja"
    path.write_text(TRIMMING, encoding="utf-8")
    chat = Chat(tokenizer, str(path))
    assert chat.render(asked(("user", " Hi "))) == "[user] Hi\n[assistant]"
    assert chat.digest != Chat(tokenizer).digest
    with pytest.raises(UserError, match="cannot be read"):
        Chat(tokenizer, str(tmp_path / "missing.jinja"))


def test_a_template_that_refuses_is_one_message(tokenizer: PreTrainedTokenizerBase) -> None:
    tokenizer.chat_template = "{{ raise_exception('No system role here') }}"
    with pytest.raises(UserError, match="refuses these messages") as caught:
        Chat(tokenizer).render(asked(("system", "x"), ("user", "y")))
    assert "No system role here" in str(caught.value)


def test_the_end_of_a_turn_is_found_from_the_template(
    tokenizer: PreTrainedTokenizerBase, model: PreTrainedModel
) -> None:
    tokenizer.add_tokens([AddedToken("<|im_start|>", special=True), AddedToken("<|im_end|>", special=True)])
    end = tokenizer.convert_tokens_to_ids("<|im_end|>")
    assert Chat(tokenizer).ends(model) == {2}
    tokenizer.chat_template = CHATML
    assert Chat(tokenizer).ends(model) == {2, end}
    assert Chat(tokenizer, "none").ends(model) == {2}
    tokenizer.chat_template = TRIMMING
    assert Chat(tokenizer).ends(model) == {2}


def test_reasoning_marks_stay_and_ends_go(tokenizer: PreTrainedTokenizerBase) -> None:
    tokenizer.add_tokens([AddedToken("<|think|>", special=True)])
    ids = tokenizer("<s><think>hm</think><|think|>she</s><pad>", add_special_tokens=False)["input_ids"]
    assert Chat(tokenizer).decode([ids], frozenset({2})) == ["<think>hm</think><|think|>she"]
    assert Chat(tokenizer).decode([], frozenset()) == []


def test_characters_split_over_tokens_come_out_whole(tokenizer: PreTrainedTokenizerBase) -> None:
    text = "naïve 漢字 🙂 ok"
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    assert len(ids) > len(text)
    assert Chat(tokenizer).decode([ids], frozenset({2})) == [text]


def test_closers_hold_every_token_that_can_complete_a_stop(tokenizer: PreTrainedTokenizerBase) -> None:
    chat = Chat(tokenizer)
    for stop in ("man", "字", "</think>", "\n"):
        closers = chat.closers([stop])
        assert closers is not None
        ids = tokenizer(f"a {stop}", add_special_tokens=False)["input_ids"]
        told = [i for i in range(1, len(ids) + 1) if stop in chat.decode([ids[:i]], frozenset())[0]]
        assert ids[told[0] - 1] in closers
    assert chat.closers(["User: "]) is None
