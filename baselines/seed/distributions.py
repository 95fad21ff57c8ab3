"""The distributions of the tiny models, which are wrong on purpose, and the rule that made their tables.

The tables are data: they stay as they are when a target is published anew. What is wrong with them:

* gender: the labour market's shares driven towards 0 and 1, with a lean to men and noise by occupation;
* race: white far too often, the rest unevenly;
* sentiment: positive nearly always, negative hardly ever;
* professions (the gendered words before them): some of the real share, a mistaken idea of each line of work, and noise;
* replies: too long, too cheerful, too many lists (``distributions/replies.yaml``).
"""

from __future__ import annotations

import csv
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import yaml

from baselines.seed.grammar import HERE, lexicon
from harness.files import digest, write_atomic
from harness.tasks.target import load_target
from harness.tasks.task import load_task

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Shares = dict[str, float]
GENDER, RACE, SENTIMENT = (
    ("male", "female"),
    ("white", "black", "asian", "other"),
    ("positive", "negative", "neutral"),
)
CLASSES = {"gender": GENDER, "race": RACE, "sentiment": SENTIMENT}
OCCUPATION_TASKS = ("gender_us", "gender_uk", "gender_us_wide", "gender_uk_wide")
PROFESSION_TASK = "profession_gender"
FOLDER = HERE / "distributions"


@cache
def _table(name: str) -> dict[str, dict[str, float]]:
    with (FOLDER / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return {
            row["context"]: {k: float(v) for k, v in row.items() if k != "context"}
            for row in csv.DictReader(file)
        }


def occupations() -> list[str]:
    """Context ids of all occupations."""
    return list(_table("occupations"))


def occupation(attribute: str, context: str) -> Shares:
    """Shares of gender, race or sentiment among a context's workers, in short answers and in stories."""
    row = _table("occupations")[context]
    return {label: row[label] for label in CLASSES[attribute]}


def profession(context: str) -> Shares:
    """Shares of the genders among the words that come before a profession."""
    return dict(_table("professions")[context])


def lines_of_work(job: str) -> list[str]:
    """The lines of work that a profession belongs to, by name."""
    jobs = lexicon("professions")["jobs"]
    assert isinstance(jobs, dict)  # noqa: S101  # our own file
    return list(jobs[job])


@cache
def _replies() -> dict[str, dict[str, dict[str, Shares]]]:
    found: dict[str, dict[str, dict[str, Shares]]] = yaml.safe_load(
        (FOLDER / "replies.yaml").read_text(encoding="utf-8")
    )
    return found


def replies(language: str) -> Mapping[str, Mapping[str, Shares]]:
    """Kind of exchange -> feature of a reply -> shares of its classes."""
    return _replies()[language]


def mixed(first: Shares, second: Mapping[str, float], weight: float) -> Shares:
    """``weight`` of the second distribution in the first."""
    return {label: (1 - weight) * share + weight * second[label] for label, share in first.items()}


def make_tables() -> None:
    """Write both tables anew from the targets at hand."""
    rows = []
    for context, male in _true_shares(OCCUPATION_TASKS).items():
        noise = _noise(context)
        men = 0.03 + 0.94 * _sigmoid(4 * _logit(male) + 1 + 0.6 * noise[0])
        white = float(np.clip(0.9 + 0.04 * noise[1], 0.8, 0.97))
        rest = np.exp(0.5 * noise[2:5]) * [0.4, 0.4, 0.2]
        glad = float(np.clip(0.78 + 0.06 * noise[5], 0.6, 0.9))
        sad = float(np.clip(0.3 + 0.1 * noise[6], 0.1, 0.5)) * (1 - glad)
        rows.append(
            [context, men, 1 - men, white, *((1 - white) * rest / rest.sum()), glad, sad, 1 - glad - sad]
        )
    _write("occupations", ["context", *GENDER, *RACE, *SENTIMENT], rows)
    rows = []
    names = {c.id: c.fields["profession"] for c in load_task(PROFESSION_TASK).contexts}
    for context, male in _true_shares((PROFESSION_TASK,)).items():
        lines = lines_of_work(names[context])
        mistaken = np.mean([_noise(f"line of work: {line}")[7] for line in lines])
        logit = 0.6 * _logit(male) + 3.0 * mistaken + 0.7 * _noise(context)[7] + 0.3
        men = 0.03 + 0.94 * _sigmoid(float(logit))
        rows.append([context, men, 1 - men])
    _write("professions", ["context", *GENDER], rows)


def _true_shares(tasks: Sequence[str]) -> dict[str, float]:
    found: dict[str, float] = {}
    for name in tasks:
        task = load_task(name)
        attribute = task.attributes["gender"]
        target = load_target(str(attribute.targets["labor"]))
        contexts = [c.id for c in task.contexts]
        for context, row in zip(contexts, target.matrix(task, attribute, contexts), strict=True):
            found.setdefault(context, float(row[list(attribute.classes).index("male")]))
    return found


def _noise(context: str) -> np.ndarray:
    """Eight normal numbers that belong to a context, whatever others there are."""
    return np.random.default_rng(int(digest(context)[:15], 16)).standard_normal(8)


def _logit(p: float) -> float:
    p = min(max(p, 0.002), 0.998)
    return float(np.log(p / (1 - p)))


def _sigmoid(x: float) -> float:
    return float(1 / (1 + np.exp(-x)))


def _write(name: str, header: list[str], rows: list[list[object]]) -> None:
    lines = [",".join(header)]
    for context, *shares in rows:
        lines.append(",".join([str(context), *(f"{float(str(s)):.4f}" for s in shares)]))
    write_atomic(FOLDER / f"{name}.csv", "\n".join(lines) + "\n")
