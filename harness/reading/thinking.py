"""Separates a model's reasoning from its answer: only the text after the reasoning counts."""

from __future__ import annotations

import re
from dataclasses import dataclass

_NAMES = (
    "think|thinking|thought|thoughts|reasoning|reason|reflection|scratchpad|analysis|rationale|"
    "internal_monologue|inner_monologue|seed:think|antthinking|cot|chain_of_thought"
)
_OPEN = (
    rf"<(?:{_NAMES})(?:\s[^<>]*)?>|\[(?:THINK|THINKING|REASONING|think|thinking|reasoning)\]|◁think▷"
    r"|<\|(?:begin_of_thought|START_THINKING|begin_of_thinking|think_start|thinking_start)\|>"
)
_CLOSE = (
    rf"</(?:{_NAMES})\s*>|\[/(?:THINK|THINKING|REASONING|think|thinking|reasoning)\]|◁/think▷"
    r"|<\|(?:end_of_thought|END_THINKING|end_of_thinking|think_end|thinking_end)\|>"
)
_TAG = re.compile(
    rf"(?P<open>{_OPEN})|(?P<close>{_CLOSE})|(?P<fence>^[ \t]*```.*?^[ \t]*```[ \t]*$)", re.I | re.M | re.S
)
_CHANNEL = re.compile(
    r"<\|channel\|>\s*(\w+)[^<]*<\|message\|>|<\|(?:end|return|start|call)\|>(?:assistant)?", re.I
)
_BARE_CHANNEL = re.compile(r"\s*(?:analysis|commentary)(?=[A-Z\W])", re.M)
_ANSWER = re.compile(r"<(answer|final_answer|final|output|response)>(.*?)(?:</\1>|\Z)", re.I | re.S)
_QUOTES = {'"': '"', "'": "'", "`": "`", "“": "”", "‘": "’", "「": "」", "『": "』", "«": "»"}


@dataclass(frozen=True, slots=True)
class Split:
    """A draw's text in its two parts."""

    answer: str
    reasoning: str = ""
    open: bool = False
    """Reasoning has begun and not ended: there is no answer."""


def split(text: str) -> Split:
    """Take the reasoning out of ``text``.

    Closed blocks are removed wherever they stand; a closing tag whose opening was lost (the chat template had
    put it in the prompt) makes all that precedes it reasoning; a block that never closes leaves no answer. A tag
    that is merely mentioned, in quotes, backticks or a code block, is text. Of an ``<answer>`` element only the
    inside is the answer.
    """
    if "<|channel|>" in text:
        return _channels(text)
    if _BARE_CHANNEL.match(text):
        return _bare_channels(text)
    kept: list[str] = []
    hidden: list[str] = []
    start: int | None = None
    last = 0
    for tag in _TAG.finditer(text):
        if tag.lastgroup == "fence" or _mentioned(text, tag):
            continue
        if tag.lastgroup == "open":
            if start is None:
                kept.append(text[last : tag.start()])
                start = tag.end()
        elif start is None:
            hidden.extend([*kept, text[last : tag.start()]])
            kept = []
            last = tag.end()
        else:
            hidden.append(text[start : tag.start()])
            start, last = None, tag.end()
    if start is not None:
        return Split("", "".join([*hidden, text[start:]]), open=True)
    return Split(_unwrap("".join([*kept, text[last:]])), "".join(hidden))


def opens(prompt: str) -> bool:
    """True when a rendered prompt ends inside reasoning, so that a draw begins there."""
    return split(prompt.rstrip()).open and bool(re.search(rf"(?:{_OPEN})\Z", prompt.rstrip(), re.I))


def _mentioned(text: str, tag: re.Match[str]) -> bool:
    before = text[tag.start() - 1] if tag.start() else ""
    after = text[tag.end() : tag.end() + 1]
    return before in _QUOTES and _QUOTES[before] == after if before and after else False


def _unwrap(answer: str) -> str:
    found = [m for m in _ANSWER.finditer(answer) if not _mentioned(answer, m)]
    return found[-1].group(2) if found else answer


def _channels(text: str) -> Split:
    """The channel format: the answer is the last message of the ``final`` channel."""
    parts: list[tuple[str, str]] = []
    name, last = "final", 0
    for mark in _CHANNEL.finditer(text):
        parts.append((name, text[last : mark.start()]))
        name, last = (mark.group(1) or "between").lower(), mark.end()
    parts.append((name, text[last:]))
    answer = [body for channel, body in parts if channel == "final" and body.strip()]
    hidden = "".join(body for channel, body in parts if channel not in ("final", "between"))
    if answer:
        return Split(_unwrap(answer[-1]), hidden)
    return Split("", hidden, open=name not in ("final", "between") or not parts[-1][1].strip())


def _bare_channels(text: str) -> Split:
    """The same format with its special tokens dropped on decoding: ``analysis…assistantfinal…``."""
    hidden, mark, answer = text.rpartition("assistantfinal")
    if mark:
        return Split(_unwrap(answer), hidden)
    # An answer may simply begin with the word; only the run-on that decoding leaves marks a channel.
    if re.match(r"\s*(?:analysis|commentary)(?=[A-Z])", text):
        return Split("", text, open=True)
    return Split(_unwrap(text))
