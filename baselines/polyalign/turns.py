"""Chat templates and the room for a conversation: a template where a model has none, and histories cut by whole turns."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from baselines.policy import load_tokenizer
from harness.errors import UserError
from harness.progress import say
from harness.raw import at_home, read_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from transformers import PreTrainedTokenizerBase

    from baselines.polyalign.data import PeopleRow
    from harness.terms import Message

SHIPPED = Path(__file__).parent / "chat.jinja"
"""For models without a chat template."""


def tokenizer_with_template(folder: Path, template: str) -> PreTrainedTokenizerBase:
    """A model's tokenizer with a chat template.

    Args:
        folder: the model's.
        template: a file in place of its own; '' is its own, or the shipped one where it has none.
    """
    tokenizer = load_tokenizer(folder)
    if template:
        file = at_home(template)
        if not file.is_file():
            raise UserError("no such file", where="template", found=template, expected="a chat template")
        tokenizer.chat_template = read_text(file)
    elif not tokenizer.chat_template:
        say(f"{folder.name} has no chat template: it gets {SHIPPED.name}")
        tokenizer.chat_template = read_text(SHIPPED)
    return tokenizer


def fitted(rows: Sequence[PeopleRow], tokenizer: PreTrainedTokenizerBase, most: int) -> list[PeopleRow]:
    """Rows whose oldest turns are left out where the whole has more than ``most`` tokens."""
    tried = [_fitted(row, tokenizer, most) for row in rows]
    found, sizes = [row for row, _ in tried], [size for _, size in tried]
    longest = max(sizes)
    if longest > most:
        raise UserError(
            "a question and its reply are longer than max_length, and no history is left to cut",
            where="max_length",
            found=f"{sum(s > most for s in sizes)} of {len(rows)} replies, up to {longest} tokens: "
            f"{found[sizes.index(longest)].text[:80]}…",
            expected=f"at most {most}",
            hint=f"--set max_length={longest}, if the model reads that much",
        )
    cut = sum(len(a.prompt) < len(b.prompt) for a, b in zip(found, rows, strict=True))
    if cut:
        say(f"max_length: {cut} of {len(rows)} histories lost their oldest turns")
    return found


def _fitted(row: PeopleRow, tokenizer: PreTrainedTokenizerBase, most: int) -> tuple[PeopleRow, int]:
    """With as much of its history as fits, and its tokens then."""
    prompt = row.prompt
    while (size := _size(prompt, row.text, tokenizer)) > most:
        shorter = without_oldest(prompt)
        if shorter == prompt:
            break
        prompt = shorter
    return replace(row, prompt=prompt), size


def _size(prompt: Sequence[Message], text: str, tokenizer: PreTrainedTokenizerBase) -> int:
    turns = [*(m.turn() for m in prompt), {"role": "assistant", "content": text}]
    whole = str(tokenizer.apply_chat_template(turns, tokenize=False))
    return len(tokenizer(whole, add_special_tokens=False, verbose=False)["input_ids"])


def without_oldest(prompt: tuple[Message, ...]) -> tuple[Message, ...]:
    """A prompt without its oldest question and what answered it; its system message stays, and so does the question."""
    head = prompt[:1] if prompt[0].role == "system" else ()
    turns = prompt[len(head) :]
    later = next((i for i, m in enumerate(turns) if i and m.role == "user"), 0)
    return (*head, *turns[later:])
