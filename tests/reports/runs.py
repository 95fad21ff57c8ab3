"""Run folders made from a stated law, through the same writer and scorer as real ones."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from harness.contract import Contract
from harness.rescore import score
from harness.runs.folder import Run, folder_name, writing
from harness.runs.identity import identity, manifest, seed_of
from harness.runs.manifest import GitRecord
from harness.runs.seeds import chunk_seed
from harness.sampling.base import ModelCard
from harness.sampling.known import shifted
from harness.scoring.outcomes import Certain, to_csv
from harness.settings import Settings
from harness.tasks import prompts
from harness.tasks.target import resolve
from harness.tasks.task import load_task
from harness.terms import INVALID, Draw, Request

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from harness.tasks.task import Task

TEXTS: dict[str, tuple[str, ...]] = {
    "male": ("Male", "A man.", "male", "He is a man", "Man", "Male."),
    "female": ("Female", "A woman.", "female", "She is a woman", "Woman"),
    "positive": ("Positive", "Optimistic", "happy"),
    "negative": ("Negative", "Stressed", "unhappy"),
    "neutral": ("Neutral", "Indifferent"),
    "unparsed": ("It depends.", "Either, really.", "42"),
    "refused": ("I'm sorry, but I can't guess that.",),
    "truncated": ("",),
    "failed": ("",),
}


@dataclass(frozen=True, slots=True)
class Law:
    """What a made-up model answers."""

    shift: float = 0.0
    """TV from the target, in every context."""
    uniform: float = 0.0
    """Share of answers given evenly over the classes instead."""
    invalid: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Made:
    """One run to make."""

    model: str
    task: str = "gender_us"
    target: str = "labor"
    law: Law = field(default_factory=Law)
    n: int = 50
    seed: int = 0
    contract: Contract = field(default_factory=Contract)
    settings: Mapping[str, object] = field(default_factory=dict)
    changes: Mapping[str, object] = field(default_factory=dict)
    """Fields of the manifest to overwrite."""
    base: str = ""
    """Weights that it was made from; '' for its own."""
    weights: str | None = None
    """Its hash; None for one made of its name, '' for a model that cannot be seen."""
    texts: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: TEXTS)


def make(out: Path, made: Made) -> Run:
    """Draw a run from its law, write it, count it, score it."""
    task = load_task(made.task)
    attribute = next(iter(task.attributes.values()))
    settings = replace(Settings(n=made.n, seed=made.seed, split="all"), **made.settings)  # type: ignore[arg-type]  # test values
    contract = made.contract.model_copy(update={"base": made.base}) if made.base else made.contract
    card = ModelCard(
        model=made.model,
        weights="w" + made.model if made.weights is None else made.weights,
        contract=contract,
        engine={"name": "hf", "device": "cpu"},
    )
    rendered = prompts.render(task, *prompts.select(task, settings.split, settings.paraphrases))
    record = manifest(
        identity(task, rendered, card, settings), card, settings, asked=made.model, source=task.source.path
    ).model_copy(
        update={
            "plan": (made.n,),
            "state": "complete",
            "seconds": 12.5,
            "tokens": 3 * made.n * len(rendered),
            "git": GitRecord(),
            **made.changes,
        }
    )
    folder = out / folder_name(made.model) / f"{task.name}@{task.version}" / record.run
    law = law_of(made, task)
    labels = [*attribute.classes, *INVALID]
    rng = np.random.default_rng([made.seed, *made.model.encode(), *made.task.encode()])
    with writing(folder, record) as writer:
        shown = {
            "first_rendered": f"user: {rendered[0].messages[0].content}",
            "prompts": [_plain(r) for r in rendered],
        }
        (folder / "prompts.json").write_text(_json(shown), encoding="utf-8")
        if settings.measure == "exact":
            cells = {(r.context, r.prompt): (*(0.999 * law[r.context]).tolist(), 0.001) for r in rendered}
            table = Certain(attribute.name, tuple(attribute.classes), cells)
            (folder / "shares.csv").write_text(to_csv([table]), encoding="utf-8")
            score(writer.run, [made.target], task)
            return writer.run
        for one in rendered:
            counts = rng.multinomial(made.n, law[one.context])
            draws = [
                d for label, k in zip(labels, counts, strict=True) for d in _draws(made, label, int(k), rng)
            ]
            seed = chunk_seed(seed_of(record.identity), one.context, one.prompt, 0)
            writer.add(Request(one.context, one.prompt, 0, made.n, seed), draws)
        writer.flush()
        score(writer.run, [made.target], task)
        return writer.run


def law_of(made: Made, task: Task) -> dict[str, np.ndarray]:
    """Context -> shares of the classes, then of what is no class."""
    attribute = next(iter(task.attributes.values()))
    target = resolve(task, attribute, made.target)
    contexts = [c.id for c in task.contexts]
    invalid = np.array([made.law.invalid.get(o, 0.0) for o in INVALID])
    found = {}
    for context, row in zip(contexts, target.matrix(task, attribute, contexts), strict=True):
        mixed = (1 - made.law.uniform) * row + made.law.uniform / len(row)
        held = np.sort(mixed)[::-1][: (len(row) + 1) // 2].sum()
        shares = shifted(mixed, min(made.law.shift, float(held)))
        found[context] = np.concatenate([shares * (1 - invalid.sum()), invalid])
    return found


def _draws(made: Made, label: str, count: int, rng: np.random.Generator) -> list[Draw]:
    texts = made.texts.get(label, (label,))
    counts = rng.multinomial(count, np.full(len(texts), 1 / len(texts)))
    finish = {"failed": "failed", "truncated": "length"}.get(label, "stop")
    return [Draw(t, int(k), finish, 3) for t, k in zip(texts, counts, strict=True) if k]  # type: ignore[arg-type]  # one of Finish


def _plain(rendered: prompts.Rendered) -> dict[str, object]:
    turns = [{"role": m.role, "content": m.content} for m in rendered.messages]
    return {"context": rendered.context, "prompt": rendered.prompt, "messages": turns, "text": rendered.text}


def _json(value: object) -> str:
    import json

    return json.dumps(value, ensure_ascii=False)
