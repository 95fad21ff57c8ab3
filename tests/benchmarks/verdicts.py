"""Verdicts of boards whose truth is known: ``python -m tests.benchmarks.verdicts [--boards 20] [--drawn 500] [--out FILE]``.

Each board has models with a stated law: some equal, some a little apart, some far, some that do not always answer. Their
runs are drawn, scored and ranked as any others, and what the board says of each pair is held against the laws. Of further
boards (``--drawn``) only the counts are drawn, which is quick: their ranks and verdicts are made by the same code. Writes
JSON: of all pairs how many were told apart, in how many of all it was right or said that it cannot tell, and in how many
sentences the limits held every gap that the sentence is of.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from harness.metrics.tv import tv
from harness.scoring.compare import distances
from harness.scoring.outcomes import with_none
from harness.tasks.target import resolve
from harness.tasks.task import load_task
from reports.board import build
from reports.load import entries
from reports.ranks import rank
from reports.verdict import Nearest, verdict
from tests.reports.runs import Law, Made, law_of, make

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

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


class Truth(NamedTuple):
    """A made-up model's law: contexts x (classes, no class)."""

    shares: NDArray[np.float64]
    target: NDArray[np.float64]

    @property
    def distance(self) -> float:
        """The true mean TV, what is no class counted as outside the target."""
        return float(tv(self.shares, self.target).mean())


def truth(made: Made) -> Truth:
    """The law of a made-up model."""
    task = load_task(made.task)
    attribute = next(iter(task.attributes.values()))
    contexts = [c.id for c in task.contexts]
    target = resolve(task, attribute, made.target).matrix(task, attribute, contexts)
    laws, classes = law_of(made, task), target.shape[1]
    shares = [[*laws[c][:classes], laws[c][classes:].sum()] for c in contexts]
    return Truth(np.array(shares), with_none(target))


def judge(said: Nearest, truth: list[float]) -> dict[str, int]:
    """What a verdict says of pairs, and how much of it is so."""
    first, *others = said.leaders
    told = {m for m in range(len(truth)) if m not in said.leaders}
    right = sum(truth[first] < truth[m] for m in told)
    found = {
        "pairs": len(truth) - 1,
        "told": len(told),
        "wrong": len(told) - right,
        **dict.fromkeys(("gaps", "gaps_missed", "sentences", "sentences_missed", "alone", "alone_missed"), 0),
    }
    if said.beaten is not None:
        beating = [first, *others] if said.all_beat else [first]
        gaps = [truth[said.beaten] - truth[m] for m in beating]
        missed = sum(not said.low <= gap <= said.high for gap in gaps)
        found |= {
            "gaps": len(gaps),
            "gaps_missed": missed,
            "sentences": 1,
            "sentences_missed": int(missed > 0),
        }
        if len(gaps) == 1:
            found |= {"alone": 1, "alone_missed": missed}
    return found


def models(seed: int) -> list[Made]:
    """The models of one board."""
    rng = np.random.default_rng(seed)
    task, n = str(rng.choice(TASKS)), int(rng.choice([25, 50, 100, 200]))
    target = "uniform" if task == "sentiment_us" else "labor"
    return [Made(f"law/m{i}", task, target, law, n=n, seed=seed) for i, law in enumerate(laws(rng))]


def board(seed: int, out: Path) -> dict[str, int]:
    """One board, made and judged."""
    every = models(seed)
    for one in every:
        make(out, one)
    found = build(entries([str(out)])[0])
    ((col, ranking),) = found.rankings.items()
    known = {one.model: truth(one).distance for one in every}
    return judge(verdict(ranking), [known[found.rows[cell.row].model] for cell in found.ranked(col)])


def drawn(seed: int) -> dict[str, int]:
    """One board of which nothing but the counts is made, of two prompts a context."""
    every = models(seed)
    known, rng = [truth(one) for one in every], np.random.default_rng([seed, 1])
    each = [
        distances(rng.multinomial(2 * one.n, law.shares / law.shares.sum(axis=1, keepdims=True)), law.target)
        for one, law in zip(every, known, strict=True)
    ]
    ranking = rank([each], np.array([found.value.mean() for found in each]))
    return judge(verdict(ranking), [law.distance for law in known])


def main() -> None:
    """Make the boards and write what their verdicts were worth."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--boards", type=int, default=20)
    parser.add_argument("--drawn", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    seeds = range(given.seed, given.seed + given.boards)
    more = range(given.seed, given.seed + given.drawn)
    with tempfile.TemporaryDirectory() as folder:
        whole = summed(board(seed, Path(folder) / str(seed)) for seed in seeds)
    told = {"whole": whole, "drawn": summed(drawn(seed) for seed in more), "goal": GOAL}
    text = json.dumps(told, indent=1)
    if given.out:
        given.out.write_text(text + "\n", encoding="utf-8")
    print(text)


def summed(found: Iterable[Mapping[str, int]]) -> dict[str, float]:
    """Over boards, with the share of pairs that were right or untold, and of sentences whose limits held every gap."""
    total: Counter[str] = Counter()
    for one in found:
        total.update({"boards": 1, **one})
    held = {
        key: 1 - total[missed] / max(total[of], 1)
        for key, missed, of in (
            ("right_or_untold", "wrong", "pairs"),
            ("sentences_held", "sentences_missed", "sentences"),
            ("alone_held", "alone_missed", "alone"),
        )
    }
    return {**total, **held}


if __name__ == "__main__":
    main()
