"""YAML text as nodes that know their lines: without surprises, of bounded size, and in C where that is safe."""

from __future__ import annotations

import re

import yaml

from harness import limits


class _Loader(yaml.SafeLoader):
    """SafeLoader without YAML 1.1's surprises: ``yes``, ``no``, ``on`` and dates are plain text."""

    composed = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """The next node; of a file without end, only so many."""
        self.composed += 1
        node: yaml.Node | None = super().compose_node(parent, index)
        if self.composed > limits.YAML_NODES:
            raise too_many(node)
        return node


_Loader.yaml_implicit_resolvers = {
    first: [(tag, rx) for tag, rx in pairs if not tag.endswith((":bool", ":timestamp"))]
    for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(?:true|false)$"), ["t", "f"])


class _Quick(yaml.CSafeLoader):
    """The same in C, ten times as fast."""

    yaml_implicit_resolvers = _Loader.yaml_implicit_resolvers


FLAT = 50
"""Levels of a document that are read in C, where nesting ends with the stack, and then the process ends too."""


def composed(text: str) -> yaml.Node | None:
    """The document's nodes. What C would not read alike is read by ``_Loader``, which also words what is wrong."""
    if "\ufeff" in text[1:]:  # C takes a byte order mark inside a text for nothing
        return _Loader(text).get_single_node()
    depth = nodes = 0
    try:
        for event in yaml.parse(text, Loader=_Quick):
            nodes += isinstance(event, yaml.NodeEvent)
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            tagged = getattr(event, "tag", None) is not None
            if tagged or depth > FLAT or nodes > limits.YAML_NODES:
                return _Loader(text).get_single_node()
        return _Quick(text).get_single_node()
    except (yaml.YAMLError, ValueError):
        return _Loader(text).get_single_node()


_MEANT = {
    "found character '\\t'": "blanks at the beginning of a line, no tab",
    "cannot start any token": "quotes around a text that begins with such a character",
    "could not find expected ':'": "KEY: VALUE, with a plain colon and a blank after it",
    "mapping values are not allowed": "a plain colon after a key, and quotes around a text with a colon and a blank in it",
    "expected ',' or": "quotes around a text that holds a comma, a colon or brackets",
    "but found '<scalar>'": "quotes around a text that begins with a bracket or a quote",
    "expected <block end>": "keys of one level, and items of one list, that begin in the same column",
}
"""What PyYAML says -> what whoever wrote the file may have had in mind."""


def meant(problem: str) -> str:
    """What is expected where YAML is broken in a usual way; '' where no such way is known."""
    return next((words for said, words in _MEANT.items() if said in problem), "")


def data(node: yaml.Node) -> object:
    """What a document says."""
    return _Loader("").construct_document(node)


def too_many(node: yaml.Node | None) -> yaml.YAMLError:
    """The error of a file that holds too much."""
    most = f"more than {limits.YAML_NODES:,} keys and values"
    return yaml.composer.ComposerError(None, None, most, node.start_mark if node else None)
