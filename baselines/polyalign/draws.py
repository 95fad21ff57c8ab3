"""Replies that a fine-tuned model draws to the training prompts: what people's replies are preferred to."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

import yaml

from baselines.output import DRAWN
from baselines.polyalign.pairs import ReplyPair
from baselines.processes import processes
from harness.errors import UserError
from harness.files import make_folder, write_atomic
from harness.importers.prompts import literal
from harness.progress import say
from harness.reading.style import OUTCOMES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from baselines.method import Job
    from baselines.needs import Replies
    from baselines.polyalign.data import PeopleRow
    from baselines.polyalign.recipe import Recipe

AS_PUBLISHED = {"temperature": 0.2, "top_p": 0.95}
"""Of the paper's decoding, without its penalties for repetition."""


class OwnReply(NamedTuple):
    """The model's reply to a prompt."""

    text: str
    cut: bool
    """Whether the token cap ended it."""


def drawn(job: Job[Recipe, Replies], model: Path, rows: Sequence[PeopleRow]) -> list[OwnReply]:
    """One reply to the prompt of each row; what an earlier run drew is not drawn again.

    Args:
        job: how, and into which folder.
        model: folder of the fine-tuned model.
        rows: whose prompts are asked, as the model sees them.
    """
    from harness.evaluation import evaluate
    from harness.runs.folder import find_runs
    from harness.settings import Settings

    folder, state, recipe = job.stage(DRAWN), processes(), job.recipe
    names = [f"r{number}" for number, _ in enumerate(rows)]
    found: dict[str, OwnReply] = {}
    for language in dict.fromkeys(r.language for r in rows):
        part = folder / language
        if state.is_main_process:
            say(f"drawing a reply of the fine-tuned model to each training prompt ({language})")
            asked = [(name, row) for name, row in zip(names, rows, strict=True) if row.language == language]
            task = _write_task(part / "task", language, asked, recipe.draw_tokens)
            sampling = AS_PUBLISHED if recipe.as_published else {}
            settings = Settings(n=1, seed=recipe.seed, sampling=sampling, paraphrases="all", out=part)
            evaluate(str(model), str(task), settings=settings)
        state.wait_for_everyone()
        for run in find_runs([str(part)]):
            for chunk in run.chunks():
                draw = chunk.draws[0]
                found[chunk.prompt] = OwnReply(draw.text, draw.finish == "length")
    return [found[name] for name in names]


def _write_task(folder: Path, language: str, asked: Sequence[tuple[str, PeopleRow]], max_tokens: int) -> Path:
    """The training prompts as a task of the checkpoint's own."""
    prompts = [
        {
            "id": name,
            "contexts": [row.context],
            "messages": [{"role": m.role, "content": literal(m.content)} for m in row.prompt],
        }
        for name, row in asked
    ]
    task = {
        "name": f"training_prompts_{language}",
        "version": 1,
        "title": "The training prompts",
        "language": language,
        "attributes": {
            "length": {
                "classes": list(OUTCOMES["length"]),
                "reader": {"name": "style", "feature": "length"},
                "targets": {"alike": "uniform"},  # the draws are trained on, and their scores of no interest
            }
        },
        "contexts": sorted({row.context for _, row in asked}),
        "prompts": "prompts.jsonl",
        "sampling": {"temperature": 1.0, "max_tokens": max_tokens},
    }
    make_folder(folder)
    lines = [json.dumps(p, ensure_ascii=False) for p in prompts]
    write_atomic(folder / "prompts.jsonl", "\n".join(lines) + "\n")
    write_atomic(folder / "task.yaml", yaml.safe_dump(task, sort_keys=False, allow_unicode=True))
    return folder / "task.yaml"


def preferences(rows: Sequence[PeopleRow], replies: Sequence[OwnReply]) -> list[ReplyPair]:
    """People's replies over the model's.

    A reply that the token cap ended has no end to learn from. Where both replies are the same there is nothing to
    prefer: their loss has no gradient.
    """
    pairs = [
        ReplyPair(row.prompt, row.text, reply.text, row.context, row.bin, row.language)
        for row, reply in zip(rows, replies, strict=True)
        if not reply.cut and reply.text.strip() != row.text
    ]
    cut = sum(r.cut for r in replies)
    same = len(rows) - cut - len(pairs)
    if cut or same:
        say(
            f"{len(pairs)} pairs; without one: {cut} replies that the token cap ended, {same} like the person's"
        )
    if not pairs:
        raise UserError(
            "no pair is left",
            found=f"{cut} of {len(rows)} replies of the model ended by the token cap, {same} the same as the person's",
            hint="--set draw_tokens=800" if cut else "--set arm=bucket_sft: the model says what people say",
        )
    return pairs
