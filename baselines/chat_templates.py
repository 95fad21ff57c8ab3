"""Chat templates that change the question and then call the model's own template."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from transformers import PreTrainedTokenizerBase

_REWRITE = """\
{%- set rewritten = namespace(turns=[], last=-1, said='') -%}
{%- for turn in messages -%}
{%- if turn['role'] == 'user' -%}{%- set rewritten.last = loop.index0 -%}{%- endif -%}
{%- endfor -%}
{%- for turn in messages -%}
{%- if loop.index0 == rewritten.last -%}
{%- for phrase, statement in STATEMENTS -%}
{%- if not rewritten.said and phrase in turn['content'] -%}{%- set rewritten.said = statement -%}{%- endif -%}
{%- endfor -%}
{%- set rewritten.turns = rewritten.turns + [{'role': 'user', 'content': BEFORE ~ turn['content'] ~ rewritten.said ~ AFTER}] -%}
{%- else -%}
{%- set rewritten.turns = rewritten.turns + [turn] -%}
{%- endif -%}
{%- endfor -%}
{%- set messages = rewritten.turns %}{{- '' }}"""
# The empty output ends the preamble, so that nothing strips blanks from the beginning of the model's template.


def wrap(template: str, before: str = "", after: str = "", statements: Sequence[tuple[str, str]] = ()) -> str:
    """A template that changes the last user turn and hands over to ``template``.

    Args:
        template: the model's own chat template.
        before: put in front of the turn.
        after: put behind it.
        statements: (phrase, statement); the statement of the first phrase that the turn contains is put
            behind the turn, ahead of ``after``. A turn without any of the phrases gets none.
    """
    pairs = ", ".join(f"[{_literal(p)}, {_literal(s)}]" for p, s in statements)
    parts = {"STATEMENTS": f"[{pairs}]", "BEFORE": _literal(before), "AFTER": _literal(after)}
    text = _REWRITE
    for name, value in parts.items():
        head, _, tail = text.partition(name)
        text = head + value + tail
    return text + template


def _literal(text: str) -> str:
    """A Jinja string literal in plain ASCII."""
    escaped = text.encode("unicode_escape").decode("ascii").replace('"', '\\"')
    return f'"{escaped}"'


def own_template(tokenizer: PreTrainedTokenizerBase, model: str) -> str:
    """The model's chat template; one without any cannot be wrapped."""
    found = tokenizer.chat_template
    if isinstance(found, dict):
        found = found.get("default")
    if not found:
        raise UserError(
            "the model has no chat template to wrap",
            where=model,
            expected="an instruction-tuned model, or a tokenizer with a chat_template",
        )
    return str(found)
