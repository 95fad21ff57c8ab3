"""The templates of prompts: the part of Jinja that can be filled in a moment, whoever wrote the template."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from jinja2 import Environment, StrictUndefined, TemplateError, TemplateSyntaxError, nodes

from harness.limits import RENDERED, TEMPLATE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jinja2 import Template

ALLOWED = (
    nodes.And,
    nodes.Compare,
    nodes.CondExpr,
    nodes.Const,
    nodes.Filter,
    nodes.Getattr,
    nodes.Getitem,
    nodes.If,
    nodes.List,
    nodes.Name,
    nodes.Not,
    nodes.Operand,
    nodes.Or,
    nodes.Output,
    nodes.TemplateData,
    nodes.Test,
    nodes.Tuple,
)
"""No loop, macro, assignment, call or arithmetic: each part is filled once, with no more than its field holds."""
FILTERS = ("capitalize", "default", "first", "last", "length", "lower", "replace", "title", "trim", "upper")
TESTS = ("defined", "undefined", "in", "lower", "upper")
LANGUAGE = f"{{{{ context.COLUMN }}}}, {{% if %}} and the filters {', '.join(FILTERS)}"
"""What a template may hold, in words."""
REFUSED = (
    TemplateError,
    ArithmeticError,
    AttributeError,
    LookupError,
    MemoryError,
    RecursionError,
    SyntaxError,
    TypeError,
    ValueError,
)
"""What a template that cannot be filled raises; some of it comes from the compiler of Python."""


class _Environment(Environment):
    """Names are columns and nothing else: no attribute of a value can be reached."""

    def __init__(self) -> None:
        super().__init__(undefined=StrictUndefined, autoescape=False, keep_trailing_newline=True)
        self.globals = {}
        self.filters = {name: self.filters[name] for name in FILTERS} | {"replace": _replace}
        self.tests = {name: self.tests[name] for name in TESTS}

    def getitem(self, obj: object, argument: object) -> object:
        """A column of a mapping."""
        found: object = obj[argument] if isinstance(obj, dict) and argument in obj else None
        return self.undefined(obj=obj, name=str(argument)) if found is None else found

    def getattr(self, obj: object, attribute: str) -> object:
        """Likewise, as ``context.COLUMN``."""
        return self.getitem(obj, attribute)


def _replace(text: str, old: str, new: str) -> str:
    """``text`` with every ``old`` as ``new``, where that is not too long."""
    _bounded(len(text) + (text.count(old) if old else len(text) + 1) * len(new))
    return text.replace(old, new)


def _bounded(characters: int) -> None:
    if characters > RENDERED:
        raise ValueError(f"more than {RENDERED:,} characters")


_ENVIRONMENT = _Environment()


def fill(source: str, variables: Mapping[str, object]) -> str:
    """The text of a template.

    Raises:
        REFUSED: one of these exceptions.
    """
    pieces, length = [], 0
    for piece in _compiled(source).generate(variables):
        length += len(piece)
        _bounded(length)
        pieces.append(piece)
    return "".join(pieces)


@lru_cache(maxsize=4096)
def _compiled(source: str) -> Template:
    _parsed(source)
    return _ENVIRONMENT.from_string(source)


def _parsed(source: str) -> nodes.Template:
    if len(source) > TEMPLATE:
        raise ValueError(f"a template of {len(source):,} characters; at most {TEMPLATE:,}")
    tree = _ENVIRONMENT.parse(source)
    for node in tree.find_all(nodes.Node):
        if not isinstance(node, ALLOWED):
            raise TemplateSyntaxError(f"no {type(node).__name__.lower()} in a prompt's template", node.lineno)
    return tree
