"""Errors that a user can act on: printed as one message, without a traceback."""

from __future__ import annotations

import difflib
import errno
import os
from pathlib import PurePath
from typing import TYPE_CHECKING

from harness.plaintext import LONGEST, line, show

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pydantic_core import ErrorDetails

LONGEST_PART = 2_000
"""Characters of one part of a message."""
MOST_NAMES = 2_000
"""Names among which the nearest is looked for."""
DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG)
"""Errors of a write that need not name a file."""
WORDS = (*map(os.strerror, DISK), "unexpected pos", "PytorchStreamWriter")
"""What safetensors, tokenizers and PyTorch say of them, whose errors are of kinds of their own."""
_FORMS: dict[str, str] = {}
"""Pattern -> what people are told that it asks for."""
_KINDS = {
    "string": ("not a text", "a text, in quotes where it looks like a number"),
    "float": ("not a number", "a number such as 0.25"),
    "int": ("not a whole number", "a whole number such as 3"),
    "bool": ("neither true nor false", "true or false"),
    "list": ("not a list", "a list such as [a, b]"),
    "dict": ("not a mapping", "KEY: VALUE, each on a line of its own"),
}
"""How pydantic begins the type of a mistake -> what is wrong and expected, in words of those who write YAML."""


class UserError(Exception):
    """Something the user can mend. Exit code 2.

    The message says where, what was found, what is expected, the nearest known name and the next command;
    every part but ``problem`` may be left out.
    """

    exit_code = 2

    def __init__(
        self,
        problem: str,
        *,
        where: str = "",
        found: object = None,
        expected: str = "",
        nearest: str = "",
        hint: str = "",
    ) -> None:
        self.problem = problem
        self.where = where
        self.found = found
        self.expected = expected
        self.nearest = nearest
        self.hint = hint
        super().__init__(problem)

    def __str__(self) -> str:
        lines = [f"{self.where}: {self.problem}" if self.where else self.problem]
        if self.found is not None:
            lines.append(f"  found:    {clip(self.found)}")
        if self.expected:
            lines.append(f"  expected: {self.expected}")
        if self.nearest:
            lines.append(f"  nearest:  {self.nearest}")
        if self.hint:
            lines.append(f"  next:     {self.hint}")
        return "\n".join(show(each, LONGEST_PART) for each in lines)


class IncompleteError(UserError):
    """The work is valid but unfinished, or two things cannot be compared. Exit code 3."""

    exit_code = 3


def nearest(name: str, known: Iterable[str], count: int = 3) -> str:
    """The known names closest to ``name``, joined for a message ('' when nothing is close)."""
    names = list(known)[:MOST_NAMES]
    if len(name) > LONGEST:
        return ""
    close = difflib.get_close_matches(name, names, n=count, cutoff=0.5)
    if not close:
        folded = {n.casefold(): n for n in names}
        close = [folded[c] for c in difflib.get_close_matches(name.casefold(), folded, n=count, cutoff=0.5)]
    return ", ".join(close)


def clip(value: object, limit: int = 200) -> str:
    """``value`` on one line, characters that act without being seen spelled out, cut at ``limit``."""
    return line(str(value) if isinstance(value, str | PurePath) else repr(value), limit)


def missing_package(feature: str, package: str, extra: str) -> UserError:
    """One line that says which feature needs which package and how to install it."""
    return UserError(
        f"{feature} needs the package {package!r}, which is not installed",
        hint=f"pip install 'distalign[{extra}]'",
    )


def of_disk(error: BaseException) -> bool:
    """Whether a write found no room, or a place that can only be read, whoever says so."""
    if isinstance(error, OSError) and error.errno in DISK:
        return True
    return any(words in str(error) for words in WORDS)


def form(pattern: str, words: str) -> str:
    """A pattern of a text, and how a mistake in such a text is told."""
    _FORMS[pattern] = words
    return pattern


def plainly(error: ErrorDetails) -> tuple[str, str]:
    """What is wrong, and what is expected where the message alone does not say it."""
    words = _FORMS.get(str(error.get("ctx", {}).get("pattern")))
    if words:
        return "not of this form", words
    if error["type"] == "literal_error":
        return "unknown value", str(error["ctx"]["expected"])
    kind, _, problem = error["type"].partition("_")
    if problem in ("type", "parsing", "from_float"):
        return _KINDS.get(kind, (error["msg"], ""))
    return error["msg"].removeprefix("Value error, "), ""
