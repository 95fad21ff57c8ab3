"""Bits of people's held-out replies: how well a model predicts what a person replied. No draw is used."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from harness.errors import UserError
from harness.progress import Progress, phase
from harness.retained.record import ContextBits, RepliesRecord, ReplyRecord, bits_and_bytes
from harness.scoring.ratio import ratio
from harness.tasks.prompts import fingerprint, render, select
from harness.tasks.task import load_task
from harness.terms import Request, gap

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import torch

    from harness.runs.folder import Run
    from harness.sampling.hf.chat import Chat
    from harness.sampling.hf.checkpoint import Checkpoint
    from harness.tasks.prompts import Rendered
    from harness.tasks.task import Task

BATCH = 64
"""Replies between two lines of progress."""


@dataclass(frozen=True, slots=True)
class HeldReplies:
    """A task's prompts, each with what a person replied."""

    task: Task
    asked: tuple[Rendered, ...]
    replies: Mapping[str, str]
    """Prompt -> reply."""

    @classmethod
    def of(cls, name: str) -> HeldReplies:
        """Those of a task."""
        task = load_task(name)
        replies = {p.id: p.reference for p in task.prompts if p.reference}
        if not replies:
            raise UserError(
                "this task has no replies of people to its prompts",
                where=str(task.source.path),
                expected="prompts with a reference",
                hint="distalign target import reference FILE --split train --task FOLDER -o TARGET",
            )
        return cls(task, tuple(render(task, *select(task))), replies)

    @property
    def prompts_hash(self) -> str:
        """Digest of the prompts, as in the identity of a run that asked them."""
        return fingerprint(self.asked)

    def check(self, run: Run) -> None:
        """Refuse a run that asked something else."""
        if run.identity.prompts_hash != self.prompts_hash:
            raise UserError(
                "the run asked other prompts than those that the replies are to",
                where=str(run.folder),
                found=f"{run.identity.task}: {run.manifest.asked_with() or 'its prompts'}",
                expected=f"every prompt of {self.task.name}, as the task asks it",
                hint="distalign utility MODEL --replies TASK without --run",
            )


class _Row(NamedTuple):
    """One reply after its prompt, as tokens."""

    asked: Rendered
    ids: list[int]
    prompt: int
    """How many of them are the prompt's."""
    size: int


def reply_bits(checkpoint: Checkpoint, held: HeldReplies) -> RepliesRecord:
    """Bits of every reply given its prompt, under the model's own distribution (temperature 1).

    The reply's usual tokens are scored. Other tokens may spell the same text, so that its probability is a little
    higher than stated, for every model. The end of the turn is any token that ends an output.
    """
    contract = checkpoint.source.contract
    if contract.strip_leading or not contract.sampled:
        raise UserError(
            "this checkpoint's answers are not drawn as they are read, so a reply has no bits under it",
            where=checkpoint.source.name,
            found="steering tokens" if contract.strip_leading else "shares that are stated in words",
        )
    chat = checkpoint.chat()
    rows = [_row(chat, one, held.replies[one.prompt]) for one in held.asked if one.prompt in held.replies]
    config = checkpoint.model.config.get_text_config()
    window = int(getattr(config, "max_position_embeddings", 0) or 2**31)
    fitting = [row for row in rows if len(row.ids) <= window]
    if not fitting:
        raise UserError("no reply fits into the model's window with its prompt", found=f"{window} tokens")
    each = _scored(checkpoint, chat, fitting)
    by_context: dict[str, list[ReplyRecord]] = {}
    for one in each:
        by_context.setdefault(one.context, []).append(one)
    return RepliesRecord(
        task=held.task.name,
        task_hash=held.task.hash,
        prompts_hash=held.prompts_hash,
        template=chat.digest,
        mean=_told(list(by_context.values())),
        contexts={name: _told([found]) for name, found in by_context.items()},
        left_out=len(rows) - len(fitting),
        each=tuple(each),
    )


def _told(parts: Sequence[Sequence[ReplyRecord]]) -> ContextBits:
    found = ratio([bits_and_bytes(part) for part in parts])
    return ContextBits(bits=found.value, low=found.low, high=found.high, replies=sum(map(len, parts)))


def _row(chat: Chat, asked: Rendered, reply: str) -> _Row:
    request = Request(asked.context, asked.prompt, 0, 1, 0, asked.messages, asked.text)
    templated = bool(asked.messages and chat.template)
    begun = not asked.messages or asked.messages[-1].role == "assistant"
    prompt = chat.render(request)
    said = (gap(prompt, reply) if begun or not templated else "") + reply
    (before,) = chat.encode([request])
    (together,) = chat.tokens([prompt + said], templated)
    if together[: len(before)] != before:
        # a token would span the end of the prompt: the model reads the prompt's own tokens
        together = [*before, *chat.tokenizer(said, add_special_tokens=False)["input_ids"]]
    return _Row(asked, together, len(before), len(reply.encode("utf-8")))


def _scored(checkpoint: Checkpoint, chat: Chat, rows: Sequence[_Row]) -> list[ReplyRecord]:
    """In batches of about equal length, then in the given order."""
    import torch

    from harness.sampling.hf.budget import Budget, survives

    budget = Budget(checkpoint.device, int(checkpoint.model.config.get_text_config().vocab_size))
    ends = torch.tensor(sorted(chat.ends(checkpoint.model)), device=checkpoint.device)
    pad = checkpoint.pad
    order = sorted(range(len(rows)), key=lambda i: -len(rows[i].ids))
    found: dict[int, tuple[float, float]] = {}
    progress = Progress("bits of people's replies", len(rows), "replies")
    with phase("predicting people's replies"):
        while len(found) < len(rows):
            left = order[len(found) :]
            positions = min(budget.prefill, budget.bytes // budget.logit_bytes)
            batch = left[: max(1, min(BATCH, budget.rows, positions // len(rows[left[0]].ids)))]

            def score(batch: Sequence[int] = batch) -> None:
                with torch.inference_mode():
                    each = _bits(checkpoint, [rows[i] for i in batch], ends, pad)
                found.update(zip(batch, each, strict=True))

            if survives(score):
                progress.advance(len(batch))
            else:
                budget.halve(len(batch))
    progress.close()
    return [
        ReplyRecord(context=r.asked.context, prompt=r.asked.prompt, bits=bits, end=end, size=r.size)
        for r, (bits, end) in ((row, found[i]) for i, row in enumerate(rows))
    ]


def _bits(
    checkpoint: Checkpoint, rows: Sequence[_Row], ends: torch.Tensor, pad: int
) -> list[tuple[float, float]]:
    """Bits of each reply and of the end after it."""
    import torch

    from harness.sampling.hf.cache import takes_keep
    from harness.sampling.hf.padding import padded

    inputs = {k: x.to(checkpoint.device) for k, x in padded([r.ids for r in rows], pad).items()}
    first, width = min(r.prompt for r in rows) - 1, inputs["input_ids"].shape[1]
    options: dict[str, int] = {}
    if takes_keep(checkpoint.model):
        options["logits_to_keep"] = width - first  # nobody asks what may follow inside a prompt
    else:
        first = 0
    logits = checkpoint.model(**inputs, **options).logits
    found = []
    for row, own in zip(rows, logits, strict=True):
        # from the last token of the prompt on: each predicts the one after it, the last one the end
        logs = own[row.prompt - 1 - first : len(row.ids) - first].float().log_softmax(-1)
        reply = torch.tensor(row.ids[row.prompt :], device=checkpoint.device)
        said = logs[:-1].gather(-1, reply[:, None]).double().sum()
        end = logs[-1, ends].double().logsumexp(0)
        found.append((-float(said) / math.log(2), -float(end) / math.log(2)))
    return found
