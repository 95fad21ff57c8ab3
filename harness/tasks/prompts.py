"""Renders the prompts of a task: templates over the columns of a context."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from jinja2 import TemplateSyntaxError

from harness.errors import UserError, clip, nearest
from harness.files import digest
from harness.limits import PROMPTS
from harness.tasks.template import LANGUAGE, REFUSED, fill
from harness.terms import Message, gap

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.tasks.task import Context, Task
    from harness.tasks.task_file import PromptSpec


@dataclass(frozen=True, slots=True)
class Rendered:
    """One question, ready to send: chat turns, or plain text to continue."""

    context: str
    prompt: str
    messages: tuple[Message, ...] = ()
    text: str = ""


def select(
    task: Task, split: str = "all", paraphrases: str = "test", own: Sequence[PromptSpec] = ()
) -> tuple[list[Context], list[PromptSpec]]:
    """Contexts of a split and prompts of a paraphrase set; ``own`` replaces the task's prompts.

    ``all`` is every one, ``many`` is those of ``test`` and the further wordings beside them.
    """
    contexts = [c for c in task.contexts if split in ("all", c.split)]
    given = own or task.prompts
    wanted = ("test", "many") if paraphrases == "many" else (paraphrases,)
    prompts = [p for p in given if paraphrases == "all" or p.split in wanted]
    if paraphrases == "many" and not any(p.split == "many" for p in prompts):
        prompts = []
    for what, chosen, name, known in (
        ("contexts", contexts, split, sorted({c.split for c in task.contexts})),
        ("prompts", prompts, paraphrases, sorted({p.split for p in given})),
    ):
        if not chosen:
            raise UserError(
                f"task {task.name!r} has no {what} marked {name!r}",
                where=str(task.source.path),
                found=name,
                expected="all, or one of: " + ", ".join(known),
                nearest=nearest(name, known),
            )
    return contexts, prompts


def render(
    task: Task,
    contexts: Sequence[Context],
    prompts: Sequence[PromptSpec],
    extra: Mapping[str, str] | None = None,
) -> list[Rendered]:
    """Every prompt in every context it is asked in. ``extra`` adds template variables such as ``choice``."""
    rendered: list[Rendered] = []
    for context in contexts:
        for prompt in prompts:
            if prompt.contexts is not None and context.id not in prompt.contexts:
                continue
            if len(rendered) >= PROMPTS:
                raise UserError(
                    "too many prompts for one evaluation",
                    where=str(task.source.path),
                    expected=f"at most {PROMPTS:,}",
                    hint="--contexts or --split, for some of them",
                )
            texts = [_fill(task, prompt, source, context, extra or {}) for source in prompt.templates()]
            if prompt.completion is not None:
                rendered.append(Rendered(context.id, prompt.id, text=texts[0]))
            else:
                roles = [m.role for m in prompt.messages] if prompt.messages else ["user"]
                turns = tuple(Message(r, t) for r, t in zip(roles, texts, strict=True))
                rendered.append(Rendered(context.id, prompt.id, messages=turns))
    if not rendered:
        raise UserError("no prompt is asked in the chosen contexts", where=str(task.source.path))
    return rendered


def named(contexts: Sequence[Context], names: Sequence[str], where: str) -> list[Context]:
    """Those of the contexts that are named; a name that is no id may hold several, with commas.

    Args:
        contexts: the contexts of a split.
        names: what was given; nothing given is all of them.
        where: what is to blame, for the message.
    """
    ids = [c.id for c in contexts]
    wanted = [n for name in names for n in ([name] if name in ids else map(str.strip, name.split(",")))]
    for name in wanted:
        if name not in ids:
            raise UserError(
                "no such context in this split",
                where=where,
                found=name,
                expected=", ".join(ids[:8]) + (", …" if len(ids) > 8 else ""),
                nearest=nearest(name, ids),
                hint="distalign task show TASK lists them",
            )
    return [c for c in contexts if c.id in wanted] if names else list(contexts)


def framed(rendered: Sequence[Rendered], system: str = "", begun: str = "") -> list[Rendered]:
    """Every prompt with a system message before it and the beginning of the answer after it.

    A prompt's own system message follows the one given, as one turn; its own beginning of an answer precedes the
    one given. Plain text has both as text: a paragraph before it, and what the model goes on from.
    """
    return [_framed(one, system, begun) for one in rendered]


def _framed(one: Rendered, system: str, begun: str) -> Rendered:
    if not one.messages:
        head = f"{system}\n\n" if system else ""
        return replace(one, text=head + _joined(one.text, begun))
    turns = list(one.messages)
    if system and turns[0].role == "system":
        turns[0] = Message("system", f"{system}\n\n{turns[0].content}")
    elif system:
        turns.insert(0, Message("system", system))
    if begun and turns[-1].role == "assistant":
        turns[-1] = Message("assistant", _joined(turns[-1].content, begun))
    elif begun:
        turns.append(Message("assistant", begun))
    return replace(one, messages=tuple(turns))


def _joined(text: str, begun: str) -> str:
    return text + gap(text, begun) + begun


def fingerprint(rendered: Sequence[Rendered]) -> str:
    """sha256 over all rendered prompts."""
    return digest(
        [[r.context, r.prompt, [[m.role, m.content] for m in r.messages], r.text] for r in rendered]
    )


def _unrendered(err: BaseException, context: Context) -> tuple[str, str]:
    """What is wrong with a template, and the column that it may mean."""
    unknown = re.search(r"has no attribute '(.+)'$|^'(.+)' is undefined$", str(err))
    if unknown is None:
        return clip(str(err) or type(err).__name__), ""
    column = clip(unknown[1] or unknown[2])
    if unknown[1] in context.fields:
        return f"column {column!r} is empty", ""
    near = nearest(column, context.fields, 1)
    return f"no column {column!r}", f"context.{near}" if near else ""


def _fill(task: Task, prompt: PromptSpec, source: str, context: Context, extra: Mapping[str, str]) -> str:
    try:
        text = fill(source, {"context": context.fields, **extra})
    except REFUSED as err:
        line = f" (line {err.lineno} of the template)" if isinstance(err, TemplateSyntaxError) else ""
        problem, near = _unrendered(err, context)
        raise UserError(
            f"prompt {prompt.id!r} cannot be rendered in context {context.id!r}{line}: {problem}",
            where=task.source.where("prompts"),
            found=source,
            expected=f"{LANGUAGE}; COLUMN is one of: {', '.join(context.fields)}",
            nearest=near,
        ) from None
    if not text.strip():
        raise UserError(
            f"prompt {prompt.id!r} is empty in context {context.id!r}",
            where=task.source.where("prompts"),
            found=source,
        )
    return text
