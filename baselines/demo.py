"""``demo``: trains every method on the shipped tiny models, evaluates them all, writes the leaderboard."""

from __future__ import annotations

import shutil
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from baselines.driver import Options, share_first_stage, train
from baselines.methods import named
from baselines.processes import processes
from baselines.recipe import TINY
from baselines.seed import causal_path, held_out_path, masked_path
from baselines.seed.people import generate, shorten
from harness.errors import UserError
from harness.evaluation import evaluate
from harness.importers.reference import ReferenceOptions, import_reference
from harness.progress import phase, say
from harness.retained.record import FILE
from harness.retained.utility import Wanted, measure
from harness.sampling.open import Engines
from harness.settings import Settings
from harness.tasks.target_file import Provenance
from harness.threads import STATED
from reports.leaderboard import leaderboard

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TASK, TARGET = "gender_us", "labor"
ALSO = ("race_us", "sentiment_us", "gender_zh")
"""Tasks that are evaluated too, to see what a remedy for one attribute does to others."""
ASSOCIATIONS = "profession_gender"
"""What WALF trains the masked model on."""
DRAWS = 100
TRAINED = ("sft", "dpo", "klkto")
SHORTER = "retention_rows=8"
"""Half the texts a step that the tiny recipes retain, to take less time."""
PROMPTED = ("target", "persona")
ALIGNED = ("bucket_sft", "hdpo")
"""Arms of PolyAlign, trained on replies of generated people."""
ASKED = 50
"""Prompts of each of their contexts."""
SMALLER = ("rows=250", "epochs=1", "draw_tokens=300")
"""What they are trained on, to take less time."""


def demo(out: Path) -> Path:
    """Train, evaluate, publish; what an earlier call finished is not done again.

    Args:
        out: folder for checkpoints, runs and the page.

    Returns:
        The page.
    """
    for path in (causal_path(), masked_path()):
        if not (path / "config.json").is_file():
            raise UserError("a tiny model is missing", where=str(path), hint="python -m baselines.seed.make")
    processes()  # names a package of the training that is not installed
    say("The tiny models show the path; they are no evidence about real models.")
    with _one_thread():
        return _whole_path(out)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Threads wait for one another more than they work in models as small as these; the caller keeps its own number."""
    import torch

    before = torch.get_num_threads()
    if not STATED:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _whole_path(out: Path) -> Path:
    model, masked = causal_path(), masked_path()
    checkpoints = [_copied(model, out / "untuned")]
    for arm in PROMPTED:
        checkpoints.append(_trained("prompting", out / f"prompting-{arm}", model, f"arm={arm}"))
    for method in TRAINED:
        if method == "dpo":
            share_first_stage(out / "sft", out / method)
        checkpoints.append(_trained(method, out / method, model, SHORTER))
    for folder in checkpoints:
        _evaluated(folder, out / "runs")
    _replies(model, out)
    for folder in (
        _copied(masked, out / "masked"),
        _trained("walf", out / "walf", masked, task=ASSOCIATIONS),
    ):
        evaluate(str(folder), ASSOCIATIONS, (), Settings(out=out / "runs"))
    with phase("writing the leaderboard"):
        return leaderboard([str(out / "runs")], out / "site")


def _replies(model: Path, out: Path) -> None:
    """PolyAlign on generated people, asked what held-out people were asked."""
    source = generate(out / "people" / "people_en.jsonl", "en")
    target, task = (out / "people" / kind / "people_en" for kind in ("targets", "tasks"))
    if not (target / "target.yaml").is_file():
        provenance = Provenance(
            publisher="distalign",
            table="generated people",
            year=2026,
            license="Apache-2.0",
            link="https://example.org",
            note="No person said any of it.",
        )
        import_reference([str(source)], target, ReferenceOptions("en", provenance, split="train", task=task))
        shorten(task / "prompts.jsonl", ASKED)
    checkpoints = [out / "untuned"]
    for arm in ALIGNED:
        folder = out / f"polyalign-{arm}"
        if arm == "hdpo":
            share_first_stage(out / "polyalign-bucket_sft", folder)
        settings = (f"arm={arm}", *SMALLER)
        options = Options(recipe=named("polyalign").folder / TINY, settings=settings, corpora=[source])
        with phase(f"training {folder.name}"):
            checkpoints.append(train("polyalign", str(model), "", str(target), folder, options))
    for folder in checkpoints:
        evaluate(str(folder), str(task), (), Settings(n=2, out=out / "runs"))


def _copied(model: Path, folder: Path) -> Path:
    """The model as it is, under a name that says so; what is measured of it is kept there."""
    shutil.copytree(model, folder, dirs_exist_ok=True)
    return folder


def _trained(method: str, folder: Path, model: Path, *settings: str, task: str = TASK) -> Path:
    tiny = named(method).folder / TINY
    options = Options(recipe=tiny if tiny.is_file() else None, settings=settings)
    with phase(f"training {folder.name}"):
        return train(method, str(model), task, TARGET, folder, options)


def _evaluated(folder: Path, runs: Path) -> None:
    """Every task with one loading of the model, and what the remedy cost it."""
    with closing(Engines()) as engines:
        made = [
            evaluate(str(folder), task, (), Settings(n=DRAWS, out=runs), engines).folder
            for task in (TASK, *ALSO)
        ]
    if not all((run / FILE).is_file() for run in made):
        with phase(f"perplexity of {folder.name}"):
            measure(str(folder), Wanted(text=str(held_out_path())), made)
