"""Loads the lists of words and patterns that readers use: data files in groups, each with a purpose and an example."""

from __future__ import annotations

import functools
import re
from importlib import resources

import yaml
from pydantic import BaseModel, ConfigDict, TypeAdapter


class WordGroup(BaseModel):
    """One named group of a list file: words, or the alternatives of a pattern."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    says: str
    """What the group is for, in one line."""
    example: str
    """A text that the pattern finds something in, or a few of the words."""
    words: str = ""
    """Words, separated by white space."""
    any: str = ""
    """Alternatives of a pattern, one a line; an indented line goes on with the one before."""
    needs: str = ""
    """Words, with ``_`` for a blank: what the pattern finds holds one of them. Texts without any need no search."""
    frame: str = "{any}"
    """What stands around the alternatives: ``{any}``."""


def _unwrapped(lines: str) -> str:
    """Indented lines joined to the line before."""
    return re.sub(r"\n[ ]+", "", lines.strip("\n"))


class Lists:
    """The groups of one file."""

    def __init__(self, groups: dict[str, WordGroup]) -> None:
        self.groups = groups

    def words(self, name: str) -> frozenset[str]:
        """The words of a group."""
        return frozenset(self.groups[name].words.split())

    def wordings(self, name: str) -> frozenset[str]:
        """The words of a group, with the blanks that ``_`` stands for."""
        return frozenset(word.replace("_", " ") for word in self.words(name))

    def needs(self, name: str) -> tuple[str, ...]:
        """What a text in lower case must hold one of before the pattern of a group can find anything."""
        return tuple(word.replace("_", " ") for word in self.groups[name].needs.split())

    def named(self, prefix: str) -> list[str]:
        """The names of groups that begin with ``prefix``, in their order."""
        return [name for name in self.groups if name.startswith(prefix)]

    def source(self, name: str, **parts: str) -> str:
        """The pattern of a group as text: ``{other}`` stands for the group *other*, or for one of ``parts``."""
        group = self.groups[name]
        whole = _unwrapped(group.frame).replace("{any}", _unwrapped(group.any).replace("\n", "|"))
        return re.sub(
            r"\{([a-z_]+)\}", lambda m: parts.get(m.group(1)) or self.source(m.group(1), **parts), whole
        )

    def pattern(self, *names: str, flags: int = 0, **parts: str) -> re.Pattern[str]:
        """The pattern of a group, or of several as alternatives."""
        return re.compile("|".join(self.source(name, **parts) for name in names), flags)


@functools.cache
def load(name: str) -> Lists:
    """The list file ``data/NAME.yaml``: ``en/cues``, ``zh/cues``."""
    text = resources.files("harness.reading").joinpath(f"data/{name}.yaml").read_text("utf-8")
    return Lists(TypeAdapter(dict[str, WordGroup]).validate_python(yaml.safe_load(text)))
