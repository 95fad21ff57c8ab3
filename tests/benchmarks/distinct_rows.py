"""Training on each distinct row once, with its weight, against training on all rows: quality, model time, seconds.

python -m tests.benchmarks.distinct_rows OUT [--methods sft,dpo,klkto] [--task gender_us] [--seeds 5] [--model MODEL]

Each method is trained with its recipe for the tiny model, on all rows as it is and on distinct ones with ``DISTINCT``, in
turn, and measured exactly on test paraphrases: on the occupations it was trained on, and on others. With ``--model`` the
recipe is that of real models, which has distinct rows, against all rows in as many steps; 200 draws are measured. The
same command goes on where it stopped. Results are printed as a table and kept in OUT/distinct_rows.json.

Model time is counted in token positions that go through the model, padding included: one for a forward pass alone, three
for a forward and a backward pass. The passes of the reference and of the retention term count too.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import torch
from pydantic import TypeAdapter

from baselines.driver import Options, train
from baselines.methods import named
from baselines.recipe import REAL, TINY
from baselines.seed import causal_path
from harness.evaluation import evaluate
from harness.settings import Settings
from harness.tasks.task import load_task
from tests.benchmarks.methods import EPSILON, cost, headline

if TYPE_CHECKING:
    from collections.abc import Sequence

DISTINCT = {
    "sft": ("batch_size=4", "learning_rate=0.001", "retention_rows=4", "epochs=10"),
    "dpo": ("sft_batch_size=4", "sft_learning_rate=0.001", "retention_rows=4", "sft_epochs=10"),
    "klkto": (
        "sft_batch_size=4",
        "sft_learning_rate=0.0003",
        "retention_rows=4",
        "sft_epochs=10",
        "batch_size=8",
    ),
}
"""What is set for distinct rows: smaller batches over more epochs, so that there are as many steps. Only sft's are searched."""
ALL_REAL = {"sft": ("batch_size=67",)}
"""What is set for all rows of a real model: batches of as many rows as make as many steps as distinct ones."""
DRAWS = 200
BACKWARD = 2
"""Passes forward that one backward is worth."""


@dataclass
class Counter:
    """Token positions that went through any model of a process, by whether gradients were kept."""

    kept: int = 0
    plain: int = 0

    def see(self, module: torch.nn.Module, inputs: object) -> None:
        """A hook on the embedding of tokens."""
        if isinstance(module, torch.nn.Embedding) and isinstance(inputs, tuple):
            if torch.is_grad_enabled():
                self.kept += inputs[0].numel()
            else:
                self.plain += inputs[0].numel()

    @property
    def passes(self) -> int:
        """Positions times passes."""
        return (1 + BACKWARD) * self.kept + self.plain


class Row(NamedTuple):
    """One training, measured."""

    method: str
    pooling: str
    task: str
    seed: int
    passes: int
    seconds: float
    trained: float
    """TV on the training occupations."""
    held_out: float
    valid: float
    perplexity: float


class Plan(NamedTuple):
    """What is compared on what."""

    out: Path
    task: str
    paraphrases: str
    settings: tuple[str, ...]
    model: str
    """'' is the tiny one."""


def assess(plan: Plan, method: str, pooling: str, seed: int) -> Row:
    """Train and measure."""
    name = "-".join((method, pooling, plan.task, *plan.settings)).replace("/", "_")
    out = plan.out / "checkpoints" / name / str(seed)
    counter = Counter()
    hook = torch.nn.modules.module.register_module_forward_pre_hook(counter.see)
    start = time.monotonic()
    try:
        own, wanted = (ALL_REAL, "all") if plan.model else (DISTINCT, "distinct")
        chosen = (f"pooling={pooling}", *(own[method] if pooling == wanted else ()))
        recipe = named(method).folder / (REAL if plan.model else TINY)
        options = Options(recipe=recipe, settings=(f"seed={seed}", *chosen, *plan.settings))
        train(method, plan.model or str(causal_path()), plan.task, "labor", out, options)
    finally:
        hook.remove()
    seconds = time.monotonic() - start
    tv, valid = {}, {}
    for split in ("train", "test"):
        settings = Settings(split=split, paraphrases=plan.paraphrases, out=plan.out / "runs")
        if plan.model:
            settings = replace(settings, n=DRAWS)
        else:
            settings = replace(settings, measure="exact", epsilon=EPSILON)
        found = headline(evaluate(str(out), load_task(plan.task), "labor", settings))
        tv[split], valid[split] = found["estimate"], found["valid"]
    return Row(
        method,
        pooling,
        plan.task,
        seed,
        counter.passes,
        seconds,
        tv["train"],
        tv["test"],
        valid["train"],
        cost(out, plan.task),
    )


def table(rows: Sequence[Row]) -> str:
    """Means over seeds, and of distinct rows the difference from all rows, seed by seed."""
    head = (
        "task",
        "method",
        "rows",
        "seeds",
        "TV",
        "held-out TV",
        "valid",
        "perplexity",
        "passes (thousand)",
        "s",
    )
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    for task, method, pooling in dict.fromkeys((r.task, r.method, r.pooling) for r in rows):
        own = [r for r in rows if (r.task, r.method, r.pooling) == (task, method, pooling)]

        def shown(values: Sequence[float], digits: int) -> str:
            spread = f" ± {statistics.stdev(values):.{digits}f}" if len(values) > 1 else ""
            return f"{statistics.mean(values):.{digits}f}{spread}"

        cells = (
            task,
            method,
            pooling,
            str(len(own)),
            shown([r.trained for r in own], 3),
            shown([r.held_out for r in own], 3),
            shown([r.valid for r in own], 3),
            shown([r.perplexity for r in own], 2),
            f"{statistics.mean(r.passes for r in own) / 1000:,.0f}",
            f"{statistics.mean(r.seconds for r in own):.1f}",
        )
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    """Train both in turn and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("--methods", default="sft,dpo,klkto")
    parser.add_argument("--poolings", default="all,distinct")
    parser.add_argument("--task", default="gender_us")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--paraphrases", default="test")
    parser.add_argument("--model", default="")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    given = parser.parse_args()
    if given.model and not set(given.methods.split(",")) <= ALL_REAL.keys():
        parser.error(f"--model goes with --methods {','.join(ALL_REAL)}")
    plan = Plan(given.out, given.task, given.paraphrases, tuple(given.set), given.model)
    file, kept = given.out / "distinct_rows.json", TypeAdapter(list[Row])
    rows = kept.validate_json(file.read_bytes()) if file.is_file() else []
    for method in given.methods.split(","):
        for seed in range(given.seeds):
            for pooling in given.poolings.split(","):
                if (method, pooling, given.task, seed) in {
                    (r.method, r.pooling, r.task, r.seed) for r in rows
                }:
                    continue
                rows.append(assess(plan, method, pooling, seed))
                given.out.mkdir(parents=True, exist_ok=True)
                file.write_text(json.dumps([r._asdict() for r in rows], indent=1) + "\n", encoding="utf-8")
    print(table(rows))


if __name__ == "__main__":
    main()
