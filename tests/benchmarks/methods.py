"""Every remedy on one model, one task and one target: how near it comes, and what it costs.

python -m tests.benchmarks.methods --out FOLDER [--task gender_us] [--target labor] [--seeds 5] [--arms sft,klkto]

Rows are trained with the recipes for the tiny model (``recipe_tiny.yaml``) and evaluated on test paraphrases:
on the occupations that were trained on, and on occupations that never were. The same command goes on where it
stopped. Results are printed as a table and kept in FOLDER/TASK-TARGET.json.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from baselines.driver import Options, share_first_stage, train
from baselines.methods import named
from baselines.prompting.verbalised import stated_by_run
from baselines.recipe import TINY
from baselines.seed import causal_path, held_out_path
from harness.evaluation import evaluate
from harness.retained.perplexity import load_text, perplexity
from harness.retained.utility import of_draws
from harness.sampling.hf.checkpoint import load
from harness.sampling.hf.source import find
from harness.scores import scores_of
from harness.settings import Settings
from harness.tasks.target import resolve
from harness.tasks.task import load_task

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.runs.folder import Run

LONG = 256
"""Token cap of arms that reason before they answer."""
EPSILON = 0.005
"""Mass that enumeration may leave undecided: remedies leave a little spread over very many texts."""


@dataclass(frozen=True, slots=True)
class Arm:
    """One row of the table."""

    name: str
    method: str = ""
    """'' is the model as it is."""
    settings: tuple[str, ...] = ()
    after: str = ""
    """The arm whose first stage it begins with, trained once for both."""
    long: bool = False
    """Writes more than the task's token cap allows, so that its outputs cannot be enumerated either."""


def _prompting(arm: str, long: bool = False, *settings: str) -> Arm:
    name = arm + ("+target" if settings else "")
    return Arm(f"prompting: {name}", "prompting", (f"arm={arm}", *settings), long=long)


ARMS = (
    Arm("untuned"),
    _prompting("target"),
    _prompting("persona"),
    _prompting("simulated_draw", True),
    _prompting("seed_string", True),
    _prompting("seed_string", True, "state_target=true"),
    _prompting("verbalised", True),
    Arm("sft", "sft"),
    Arm("dpo", "dpo", after="sft"),
    Arm("klkto", "klkto"),
    Arm("kl_only", "klkto", ("ablation=kl_only",), "klkto"),
    Arm("kto_only", "klkto", ("ablation=kto_only",), "klkto"),
)


@dataclass(frozen=True, slots=True)
class Plan:
    """What is compared."""

    model: Path
    task: str
    target: str
    out: Path
    n: int
    paraphrases: str
    exact: bool
    completions: Path | None = None


def tiny_options(method: str, settings: Sequence[str], completions: Path | None = None) -> Options:
    """The tiny model's recipe of a method, and settings over it."""
    tiny = named(method).folder / TINY
    return Options(recipe=tiny if tiny.is_file() else None, settings=settings, completions=completions)


def checkpoint(plan: Plan, arm: Arm, seed: int) -> tuple[Path, float]:
    """The arm's folder, trained where it is not there yet, and the seconds of its last stage."""
    if not arm.method:
        return plan.model, 0.0
    folder = plan.out / "checkpoints" / f"{plan.task}-{plan.target}"
    out = folder / arm.name.replace(": ", "-") / str(seed)
    clock = out / "seconds"
    if not clock.is_file():
        if arm.after:
            share_first_stage(checkpoint(plan, next(a for a in ARMS if a.name == arm.after), seed)[0], out)
        start = time.monotonic()
        completions = plan.completions if arm.method != "prompting" else None
        options = tiny_options(arm.method, (*arm.settings, f"seed={seed}"), completions)
        train(arm.method, str(plan.model), plan.task, plan.target, out, options)
        clock.write_text(f"{time.monotonic() - start:.1f}", encoding="utf-8")
    return out, float(clock.read_text(encoding="utf-8"))


def headline(run: Run) -> dict[str, float]:
    """Bias-corrected TV with its interval, and the share of valid answers."""
    mean = scores_of(run).results[0].table.aggregate
    tv = mean.scores["tv"]
    return {"estimate": tv.estimate, "low": tv.low, "high": tv.high, "valid": mean.valid.value}


def assess(plan: Plan, arm: Arm, seed: int) -> dict[str, object]:
    """One arm, trained with one seed."""
    folder, seconds = checkpoint(plan, arm, seed)
    task = load_task(plan.task)
    sampling = {"max_tokens": max(LONG, task.sampling.max_tokens)} if arm.long else {}
    row: dict[str, object] = {"seed": seed, "seconds": seconds, "n": plan.n}
    for split in ("train", "test"):
        for measure in ("draws", "exact"):
            if measure == "exact" and (arm.long or not plan.exact):
                continue
            settings = Settings(
                n=plan.n,
                seed=seed,
                split=split,
                paraphrases=plan.paraphrases,
                measure=measure,
                epsilon=EPSILON,
                sampling=sampling,
                out=plan.out / "runs",
            )
            run = evaluate(str(folder), task, plan.target, settings)
            row[f"{split}/{measure}"] = headline(run)
            if (split, measure) == ("train", "draws"):
                agreed = of_draws(run, task)
                row["consistent"] = agreed.get("consistent")
                row["distinct_2"] = agreed["distinct_2"]
            if arm.name.endswith("verbalised") and measure == "draws":
                row[f"{split}/stated"] = stated(run, plan)
    row["perplexity"] = cost(folder, plan.task)
    return row


def cost(folder: Path, task: str, paragraphs: int | None = None) -> float:
    """Perplexity on plain text in the task's language that nothing was trained on."""
    lines = load_text(str(held_out_path(load_task(task).language))).splitlines()
    return perplexity(load(find(str(folder)), device="cpu"), "\n".join(lines[:paragraphs])).perplexity


def stated(run: Run, plan: Plan) -> dict[str, float]:
    """Mean TV of the percentages that a model states, over contexts where it states any."""
    task = load_task(plan.task)
    attribute = next(iter(task.attributes.values()))
    goal = resolve(task, attribute, plan.target)
    found = stated_by_run(run, task, attribute)
    gaps = []
    for context, (shares, _) in found.items():
        wanted = goal.row(task, attribute, context)
        if shares:
            gaps.append(sum(abs(shares[k] - wanted[k]) for k in wanted) / 2)
    silent = statistics.mean(lost for _, lost in found.values())
    return {"tv": statistics.mean(gaps) if gaps else float("nan"), "silent": silent}


def line(name: str, rows: list[dict[str, object]], base: float) -> list[str]:
    """One row of the table: means over seeds, with the standard deviation of the headline."""

    def mean(*path: str) -> float | None:
        values = []
        for row in rows:
            value: object = row
            for key in path:
                value = cast("dict[str, object]", value).get(key) if value is not None else None
            if value is not None:
                values.append(float(cast("float", value)))
        return statistics.mean(values) if values else None

    def shown(value: float | None, digits: int = 3) -> str:
        return "–" if value is None else f"{value:.{digits}f}"

    draws = [cast("dict[str, float]", row["train/draws"])["estimate"] for row in rows]
    spread = f" ± {statistics.stdev(draws):.3f}" if len(draws) > 1 else ""
    interval = f"[{shown(mean('train/draws', 'low'))}, {shown(mean('train/draws', 'high'))}]"
    utility = mean("perplexity")
    return [
        name,
        str(len(rows)),
        ", ".join(sorted({str(row["n"]) for row in rows})),
        shown(mean("train/exact", "estimate")),
        f"{statistics.mean(draws):.3f}{spread}",
        interval,
        shown(mean("train/draws", "valid")),
        shown(mean("test/exact", "estimate")),
        shown(mean("test/draws", "estimate")),
        "–" if utility is None else f"{utility:.2f} ({100 * (utility / base - 1):+.1f}%)",
        shown(mean("consistent")),
        shown(mean("distinct_2")),
        shown(mean("seconds"), 0),
    ]


HEADER = [
    "arm", "seeds", "n", "TV exact", "TV draws", "95%", "valid",
    "held-out TV exact", "held-out TV draws", "perplexity", "consistent", "distinct-2", "train s",
]  # fmt: skip


def main() -> None:
    """Compare and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, default=causal_path())
    parser.add_argument("--task", default="gender_us")
    parser.add_argument("--target", default="labor")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("-n", type=int, default=1000)
    parser.add_argument("--paraphrases", default="test")
    parser.add_argument("--arms", default="")
    parser.add_argument("--no-exact", action="store_true", help="for tasks with long answers")
    parser.add_argument("--completions", type=Path)
    given = parser.parse_args()
    plan = Plan(
        given.model,
        given.task,
        given.target,
        given.out,
        given.n,
        given.paraphrases,
        not given.no_exact,
        given.completions,
    )
    wanted = given.arms.split(",") if given.arms else [a.name for a in ARMS]
    results = plan.out / f"{plan.task}-{plan.target}.json"
    found: dict[str, list[dict[str, object]]] = json.loads(results.read_text()) if results.is_file() else {}
    for arm in ARMS:
        seeds = range(given.seeds if arm.method not in ("", "prompting") else 1)
        have = {row["seed"] for row in found.get(arm.name, [])}
        for seed in seeds if arm.name in wanted else ():
            if seed not in have:
                found.setdefault(arm.name, []).append(assess(plan, arm, seed))
                results.parent.mkdir(parents=True, exist_ok=True)
                results.write_text(json.dumps(found, indent=1))
    base = float(cast("float", found["untuned"][0]["perplexity"])) if "untuned" in found else float("nan")
    print("| " + " | ".join(HEADER) + " |\n|" + " --- |" * len(HEADER))
    for arm in ARMS:
        if arm.name in found:
            print("| " + " | ".join(line(arm.name, found[arm.name], base)) + " |")
    for row in found.get("prompting: verbalised", []):
        print(
            f"\nverbalised, as stated (not sampled): train {row['train/stated']}, held out {row['test/stated']}"
        )


if __name__ == "__main__":
    main()
