"""What training on a processor saves where rows of a batch begin alike, and in the output layer.

python -m tests.benchmarks.training OUT.json --model MODEL [--task race_us] [--rows 6]

Each method is trained on a few rows with both savings and without either, in turn and then again. What counts is
processor time in one thread within steps: reading the model and scoring the reference are left out.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import defaultdict
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Literal, get_args
from unittest.mock import patch

import torch
import transformers

from baselines import stage, trl_glue
from baselines.driver import Options, train
from baselines.methods import named
from baselines.recipe import REAL
from harness.progress import say
from harness.records import Record, write

Way = Literal["ours", "TRL's"]
STAGES = {"RetainingSFTTrainer": "SFT", "RetainingDPOTrainer": "DPO", "KLKTOTrainer": "KL + KTO"}
"""Trainer -> what it does."""
METHODS = ("dpo", "klkto")
"""Both begin with fine-tuning."""


class Training(Record):
    """What was trained, and the processor seconds of a step of each stage, in turn."""

    model: str
    task: str
    rows: int
    """Of each context."""
    steps: dict[str, int]
    """Of each stage in a turn."""
    seconds: dict[str, dict[Way, tuple[float, ...]]]
    """Stage -> way -> the mean of each turn."""


def turn(model: str, task: str, rows: int, way: Way, within: dict[str, list[float]]) -> None:
    """Train every method once, and note the seconds of its steps."""
    plain: Any = transformers.Trainer.training_step

    def step(self: Any, *args: Any, **kwargs: Any) -> Any:
        begin = time.process_time()
        loss = plain(self, *args, **kwargs)
        within[STAGES[type(self).__name__]].append(time.process_time() - begin)
        return loss

    with ExitStack() as stack:
        stack.enter_context(patch.object(transformers.Trainer, "training_step", step))
        if way == "TRL's":
            stack.enter_context(patch.object(stage, "share_beginnings", _nothing))
            stack.enter_context(patch.object(trl_glue, "any_device", _gpu))
        for method in METHODS:
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            options = Options(recipe=named(method).folder / REAL, settings=(f"rows={rows}",))
            train(method, model, task, "labor", Path(folder) / "out", options)


def _nothing(model: object) -> None:
    pass


def _gpu(device: torch.device) -> bool:
    return device.type == "cuda"


def main() -> None:
    """Train both ways, twice."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--model", required=True)
    parser.add_argument("--task", default="race_us")
    parser.add_argument("--rows", type=int, default=6)
    given = parser.parse_args()
    torch.set_num_threads(1)
    seconds: dict[str, dict[Way, list[float]]] = defaultdict(lambda: defaultdict(list))
    steps: dict[str, int] = {}
    ways: tuple[Way, ...] = get_args(Way)
    for _ in range(2):
        for way in ways:
            within: dict[str, list[float]] = defaultdict(list)
            turn(given.model, given.task, given.rows, way, within)
            for name, found in within.items():
                steps[name] = len(found)
                seconds[name][way].append(round(sum(found) / len(found), 3))
                say(f"{way}, {name}: {len(found)} steps, {seconds[name][way][-1]} s each")
    record = Training(
        model=Path(given.model).name,
        task=given.task,
        rows=given.rows,
        steps=steps,
        seconds={name: {way: tuple(s) for way, s in ways.items()} for name, ways in seconds.items()},
    )
    write(given.out, record)


if __name__ == "__main__":
    main()
