"""Training replies in small talk, service and instruction, with planned length, last act, sentiment and list."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from baselines.seed.distributions import replies as shares_of
from baselines.seed.documents import SeedText
from baselines.seed.grammar import Rules, expand, lexicon, pick, rules, spread
from harness.tasks.prompts import render
from harness.tasks.task import load_task
from harness.terms import Message

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import numpy as np

_TOKEN = re.compile(r"[A-Za-z]+(?:['’-][A-Za-z]+)*|\d+|[^\s\w]|[\u3400-\u9fff]")
_RANGES = {"short": (4, 38), "medium": (44, 104), "long": (126, 205), "xlong": (246, 275)}
"""Tokens aimed at, a little inside the bins 40 / 120 / 240, so that one way of counting or another agrees."""
_LIST_AT_LEAST = 18


def replies(name: str, per_prompt: int, rng: np.random.Generator) -> Iterator[SeedText]:
    """Replies to every prompt of a reply_shape task, and to requests of our own."""
    task = load_task(name)
    for context in task.contexts:
        style = context.fields["style"]
        asked = [(q.prompt, q.messages) for q in render(task, [context], task.prompts)]
        own = lexicon(f"replies_{task.language}")["requests"]
        assert isinstance(own, dict)  # noqa: S101  # our own file
        asked += [("", (Message("user", text),)) for text in own[style]]
        n = per_prompt * len(asked)
        shares = shares_of(task.language)[context.id]
        plans = zip(*(spread(s, n, rng) for s in shares.values()), strict=True)
        for i, plan in enumerate(plans):
            labels = dict(zip(shares, plan, strict=True))
            prompt, messages = asked[i % len(asked)]
            yield SeedText(
                name, reply(labels, task.language, style, rng), messages, context.id, prompt, labels
            )


def count(text: str) -> int:
    """Tokens as readers of length count them: words, runs of digits, Han characters, punctuation marks."""
    return len(_TOKEN.findall(text))


def reply(
    labels: Mapping[str, str],
    language: str,
    kind: str,
    rng: np.random.Generator,
    about: Mapping[str, str] | None = None,
) -> str:
    """One reply of the shape planned; ``about`` fixes the text of symbols, such as its topic."""
    known = rules(f"replies_{language}", kind) | {k: [v] for k, v in (about or {}).items()}
    low, high = _RANGES[labels["length"]]
    if labels["list"] == "list" and labels["length"] == "short":
        low = _LIST_AT_LEAST
    while True:
        text = _attempt(labels, known, language, int(rng.integers(low, high + 1)), rng)
        if low <= count(text) <= high:
            return text


def _attempt(
    labels: Mapping[str, str], known: Rules, language: str, aim: int, rng: np.random.Generator
) -> str:
    mood, gap = labels["sentiment"], "" if language == "zh" else " "
    closing = _closing(labels["act"], mood, known, rng)
    listed = _list(known, rng, aim // 3) if labels["list"] == "list" else ""
    body: list[str] = []
    left = aim - count(closing) - count(listed)
    while left > 0:
        # The first sentence carries the mood; later ones mix it with neutral ones.
        key = mood if not body or rng.random() < 0.4 else "neutral"
        body.append(expand(pick(known[f"say_{key}"], rng), known, rng))
        left -= count(body[-1])
    if left < 0 and body:
        body.pop()
    if not body and not _feels(closing, mood, known):
        body = [expand(pick(known[f"say_{mood}"], rng), known, rng)]
    if not listed:
        return gap.join([*body, closing])
    return "\n".join(part for part in (gap.join(body), listed, closing) if part)


def _feels(closing: str, mood: str, known: Rules) -> bool:
    """Whether a closing sentence carries the mood by itself."""
    return mood == "neutral" or any(
        closing.startswith(s.split("{")[0]) and s.split("{")[0]
        for act in ("say", "ask", "shout")
        for s in known[f"{act}_{mood}"]
    )


def _closing(act: str, mood: str, known: Rules, rng: np.random.Generator) -> str:
    key = mood if rng.random() < 0.6 else "neutral"
    name = {"question": "ask", "exclamation": "shout"}.get(act, "say")
    text = expand(pick(known[f"{name}_{key}"], rng), known, rng)
    return text.rstrip(".。") if act == "other" else text


def _list(known: Rules, rng: np.random.Generator, aim: int) -> str:
    numbered = rng.random() < 0.5
    lines = [expand(pick(known["note_neutral"], rng), known, rng)]
    items: list[str] = []
    while len(items) < 2 or (count(" ".join(items)) < aim and len(items) < 6):
        items.append(expand(pick(known["item_neutral"], rng), known, rng))
    lines += [f"{i}. {item}" if numbered else f"- {item}" for i, item in enumerate(items, 1)]
    return "\n".join(lines)
