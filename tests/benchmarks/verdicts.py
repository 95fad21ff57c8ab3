"""Verdicts of boards whose truth is known: ``python -m tests.benchmarks.verdicts [--boards 20] [--out FILE]``.

Each board has models with a stated law: some equal, some a little apart, some far, some that do not always answer. Their
runs are drawn, scored and ranked as any others, and what the board says of each pair is held against the laws. Writes
JSON: of all pairs how many it told apart, and in how many of all it was right or said that it cannot tell.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np

from reports.board import build
from reports.load import entries
from reports.verdict import Nearest, verdict
from tests.reports.runs import Law, Made, make

TASKS = ("gender_us", "gender_uk", "race_us", "sentiment_us", "gender_zh")
GOAL = 0.95


def laws(rng: np.random.Generator) -> list[Law]:
    """Of four to eight models; about every third has a twin."""
    made: list[Law] = []
    for _ in range(int(rng.integers(4, 9))):
        if made and rng.random() < 0.35:
            made.append(made[int(rng.integers(len(made)))])
        else:
            invalid = {"refused": float(rng.choice([0.0, 0.0, 0.02, 0.1]))}
            made.append(
                Law(
                    float(rng.choice([0.0, 0.02, 0.05, 0.1, 0.2])),
                    float(rng.choice([0.0, 0.2, 0.5])),
                    invalid,
                )
            )
    return made


def distance(law: Law, made: Made) -> float:
    """The true mean TV of a law, what is no class counted as outside the target."""
    from harness.tasks.target import resolve
    from harness.tasks.task import load_task
    from tests.reports.runs import _shares

    task = load_task(made.task)
    attribute = next(iter(task.attributes.values()))
    contexts = [c.id for c in task.contexts]
    target = resolve(task, attribute, made.target).matrix(task, attribute, contexts)
    shares = _shares(made, task)
    each = [
        np.abs(shares[c][: len(row)] - row).sum() + shares[c][len(row) :].sum()
        for c, row in zip(contexts, target, strict=True)
    ]
    return float(np.mean(each)) / 2


def judge(said: Nearest, truth: list[float]) -> dict[str, int]:
    """What a verdict says of pairs, and how much of it is so."""
    first, *others = said.leaders
    told = {m for m in range(len(truth)) if m not in said.leaders}
    right = sum(truth[first] < truth[m] for m in told)
    found = {
        "pairs": len(truth) - 1,
        "told": len(told),
        "wrong": len(told) - right,
        "gaps": 0,
        "gaps_missed": 0,
    }
    if said.beaten is not None:
        beating = [first, *others] if said.all_beat else [first]
        gaps = [truth[said.beaten] - truth[m] for m in beating]
        found["gaps"] = len(gaps)
        found["gaps_missed"] = sum(not said.low <= gap <= said.high for gap in gaps)
    return found


def board(seed: int, out: Path) -> dict[str, int]:
    """One board, made and judged."""
    rng = np.random.default_rng(seed)
    task, n = str(rng.choice(TASKS)), int(rng.choice([25, 50, 100, 200]))
    target = "uniform" if task == "sentiment_us" else "labor"
    every = [Made(f"law/m{i}", task, target, law, n=n, seed=seed) for i, law in enumerate(laws(rng))]
    for one in every:
        make(out, one)
    found = build(entries([str(out)])[0])
    ((col, ranking),) = found.rankings.items()
    known = {one.model: distance(one.law, one) for one in every}
    return judge(verdict(ranking), [known[found.rows[cell.row].model] for cell in found.ranked(col)])


def main() -> None:
    """Make the boards and write what their verdicts were worth."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--boards", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    total: dict[str, int] = {}
    for i in range(given.boards):
        with tempfile.TemporaryDirectory() as folder:
            for key, value in board(given.seed + i, Path(folder)).items():
                total[key] = total.get(key, 0) + value
    right = 1 - total["wrong"] / total["pairs"]
    told = {"boards": given.boards, **total, "right_or_untold": right, "goal": GOAL, "met": right >= GOAL}
    text = json.dumps(told, indent=1)
    if given.out:
        given.out.write_text(text + "\n", encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
