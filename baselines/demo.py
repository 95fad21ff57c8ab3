"""``demo``: trains every method on the shipped tiny models, evaluates them all, writes the leaderboard."""

from __future__ import annotations

import os
import shutil
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from baselines.driver import Options, share_first_stage, train
from baselines.methods import named
from baselines.recipe import TINY
from baselines.seed import causal_path, held_out_path, masked_path
from harness.errors import UserError
from harness.evaluation import evaluate
from harness.progress import phase, say
from harness.retained.record import FILE
from harness.retained.utility import Wanted, measure
from harness.sampling.open import Engines
from harness.settings import Settings
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
    say("The tiny models show the path; they are no evidence about real models.")
    with _one_thread():
        return _whole_path(out)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Threads wait for one another more than they work in models as small as these; the caller keeps its own number."""
    import torch

    before = torch.get_num_threads()
    if "OMP_NUM_THREADS" not in os.environ:
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
    for folder in (
        _copied(masked, out / "masked"),
        _trained("walf", out / "walf", masked, task=ASSOCIATIONS),
    ):
        evaluate(str(folder), ASSOCIATIONS, (), Settings(out=out / "runs"))
    with phase("writing the leaderboard"):
        return leaderboard([str(out / "runs")], out / "site")


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
