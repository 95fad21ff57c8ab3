"""The whole path on the shipped tiny model: train every method, evaluate all alike, write the leaderboard."""

from __future__ import annotations

from typing import TYPE_CHECKING

from baselines.recipe import FOLDER
from baselines.seed import causal_path
from baselines.train import Options, train
from harness.errors import UserError
from harness.evaluation import evaluate
from harness.planning import Settings
from harness.progress import phase, say
from reports.leaderboard import leaderboard

if TYPE_CHECKING:
    from pathlib import Path

TASK, TARGET = "gender_us", "labor"
ALSO = ("race_us", "sentiment_us", "gender_zh")
"""Tasks that are evaluated too, to see what a remedy for one attribute does to others."""
DRAWS = 100
TRAINED = ("sft", "dpo", "klkto")
PROMPTED = ("target", "persona")


def demo(out: Path) -> Path:
    """Train, evaluate, publish; what an earlier call finished is not done again.

    Args:
        out: folder for checkpoints, runs and the page.

    Returns:
        The page.
    """
    model = causal_path()
    if not (model / "config.json").is_file():
        raise UserError("the tiny model is missing", where=str(model), hint="python -m baselines.seed.make")
    say("The tiny model shows the path; it is no evidence about real models.")
    checkpoints = {"untuned": model}
    for arm in PROMPTED:
        checkpoints[f"prompting-{arm}"] = _trained("prompting", out / f"prompting-{arm}", model, f"arm={arm}")
    for method in TRAINED:
        checkpoints[method] = _trained(method, out / method, model)
    for folder in checkpoints.values():
        for task in (TASK, *ALSO):
            evaluate(str(folder), task, (), Settings(n=DRAWS, out=out / "runs"))
    with phase("writing the leaderboard"):
        return leaderboard([str(out / "runs")], out / "site")


def _trained(method: str, folder: Path, model: Path, *settings: str) -> Path:
    tiny = FOLDER / method / "recipe_tiny.yaml"
    options = Options(recipe=tiny if tiny.is_file() else None, settings=settings)
    with phase(f"training {folder.name}"):
        return train(method, str(model), TASK, TARGET, folder, options)
