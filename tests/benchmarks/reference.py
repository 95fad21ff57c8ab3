"""A target that is a sample of people: do floors and intervals hold? ``python -m tests.benchmarks.reference [--quick]``.

Samples of people and of models are drawn from known laws. Printed per number of classes, of people (m), of draws (n)
and per true distance: how often the 95% interval holds that distance from the *people's law*, and how often a
perfect model lies inside its 95% floor; beside both, what they would be if the sample were taken for the law.

With corpora, people against people: ``python -m tests.benchmarks.reference --language en FILE.jsonl.gz…``. Half of the
conversations are the reference, n replies of the other half the model; and, where the law is known, all
conversations are the law, as many drawn with replacement the reference, and n independent replies the model.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from harness.importers.corpus import read_replies
from harness.importers.gathered import Gathered
from harness.importers.halves import independent
from harness.importers.reference import (
    Language,
    ReferenceOptions,
    shape_readers,
    wanted,
)
from harness.metrics.catalog import divergence
from harness.reading.style import OUTCOMES
from harness.scoring.divergence import plugin
from harness.scoring.floor import simulate
from harness.scoring.interval import limits
from harness.scoring.reference import sample_limits
from harness.tasks.target_file import Provenance
from tests.benchmarks.coverage import NAMES, model_of

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
PEOPLE = {2: (0.6, 0.4), 3: (0.45, 0.15, 0.4), 4: (0.56, 0.3, 0.1, 0.04)}
SIZES, DRAWS, SHIFTS = (100, 427, 5000), (100, 1000), (0.0, 0.05, 0.2)
AT_ONCE = 50
"""Floors simulated together: few enough for thousands of repetitions."""


def observed(counts: Ints) -> Floats:
    """Shares of a sample of people, as the importer writes them: nothing seen counts as half a reply."""
    filled = np.where(counts == 0, 0.5, counts)
    return np.asarray(filled / filled.sum(axis=-1, keepdims=True))


@dataclass(frozen=True, slots=True)
class Held:
    """How often the interval held the truth, its mean width, and the same with the sample taken for the law."""

    coverage: float
    width: float
    exact_coverage: float


def coverage(people: Floats, m: int, n: int, shift: float, samples: int) -> dict[str, Held]:
    """Coverage of each measure's interval by simulation."""
    rng = np.random.default_rng([len(people), m, n, int(shift * 1000)])
    model = model_of(people, shift, "pile", rng)
    assert model is not None
    drawn = rng.multinomial(n, model, size=samples)
    asked = observed(rng.multinomial(m, people, size=samples))
    both = sample_limits(drawn, asked, np.full(samples, float(m)), NAMES), limits(drawn, asked, NAMES)
    found = {}
    for name in NAMES:
        truth = float(divergence(name).value(model, people))
        held = [
            (each.low <= truth + 1e-12) & (truth - 1e-12 <= each.high) for each, _ in (b[name] for b in both)
        ]
        each = both[0][name][0]
        found[name] = Held(held[0].mean(), (each.high - each.low).mean(), held[1].mean())
    return found


def inside(people: Floats, m: int, n: int, samples: int, at_once: int = AT_ONCE) -> tuple[float, float]:
    """How often a perfect model's TV lies inside its floor; and if the sample were taken for the law."""
    rng = np.random.default_rng([len(people), m, n])
    drawn = rng.multinomial(n, people, size=samples)
    asked = observed(rng.multinomial(m, people, size=samples))
    value = plugin("tv", drawn, asked)

    def share(size: float) -> float:
        floors = [
            simulate(np.full(len(part), n), part, ("tv",), sizes=np.full(len(part), size)).floors["tv"][1]
            for part in np.array_split(asked, -(-samples // at_once))
        ]
        return float((value <= np.concatenate(floors) + 1e-12).mean())

    return share(m), share(np.inf)


@dataclass(frozen=True, slots=True)
class Tally:
    """Splits in which people lay inside the floor, by context and for the mean; and whose interval holds 0."""

    floor: Floats
    mean: float
    zero: float


def against_people(talks: list[Ints], n: int, splits: int, known: bool, seed: int) -> Tally:
    """People against people, ``talks`` being each context's counts, conversations x classes.

    Args:
        talks: per context.
        n: replies of the model; all of the other half where it has fewer.
        splits: how often.
        known: draw from the corpora as the law instead of splitting them.
        seed: of the splits.
    """
    rng = np.random.default_rng([seed, n, known])
    floor, mean, zero = [], [], []
    for _ in range(splits):
        drawn, shares, sizes = [], [], []
        for talk in talks:
            if known:
                reference = talk[rng.integers(len(talk), size=len(talk))]
                model = rng.multinomial(n, talk.sum(axis=0) / talk.sum())
            else:
                half = rng.permutation(len(talk)) < len(talk) / 2
                reference, rest = talk[half], talk[~half].sum(axis=0)
                model = rng.multivariate_hypergeometric(rest, min(n, int(rest.sum())))
            drawn.append(model)
            shares.append(observed(reference.sum(axis=0)))
            sizes.append(independent(reference.tolist()))
        counts, target, m = np.array(drawn), np.array(shares), np.array(sizes, dtype=float)
        value = plugin("tv", counts, target)
        null = simulate(counts.sum(axis=1), target, ("tv",), sizes=m).values["tv"]
        floor.append(value <= np.quantile(null, 0.95, axis=0) + 1e-12)
        mean.append(value.mean() <= np.quantile(null.mean(axis=1), 0.95) + 1e-12)
        zero.append(sample_limits(counts, target, m, ("tv",))["tv"][1].low <= 0)
    return Tally(np.mean(floor, axis=0), float(np.mean(mean)), float(np.mean(zero)))


def people(language: str, sources: list[str], splits: int) -> None:
    """Prints how often people lie inside the floor of people."""
    options = ReferenceOptions(
        cast("Language", language),
        Provenance(publisher="-", table="-", year=2000, license="-", link="https://example.org"),
    )
    replies = [r for source in sources for r in read_replies(source, {}) if wanted(r, options)]
    shapes = shape_readers(options.language)([r.text for r in replies])
    gathered = Gathered()
    for reply, shape in zip(replies, shapes, strict=True):
        gathered.add(reply, shape, stratified=False)
    contexts = sorted(gathered.contexts)
    print("| attribute | how | n | " + " | ".join(contexts) + " | mean | mean's interval holds 0 |")
    print("|" + "---|" * (len(contexts) + 5))
    for number, attribute in enumerate(OUTCOMES):
        groups = {
            g.context: g.counts.astype(np.int64) for g in gathered.groups(attribute) if g.level == "context"
        }
        styles, talks = list(groups), list(groups.values())
        for known in (False, True):
            for n in DRAWS:
                found = against_people(talks, n, splits, known, number)
                cells = [f"{found.floor[styles.index(c)]:.3f}" if c in styles else "" for c in contexts]
                how = "law known" if known else "halves"
                print(
                    f"| {attribute} | {how} | {n} | {' | '.join(cells)} | {found.mean:.3f} | {found.zero:.3f} |",
                    flush=True,
                )


def simulated(samples: int) -> None:
    """Prints coverage and floors of samples from known laws."""
    print(
        "| classes | m | n | distance | "
        + " | ".join(f"{name} held" for name in NAMES)
        + " | tv if exact | inside | if exact |"
    )
    print("|" + "---|" * (len(NAMES) + 7))
    for classes, shares in PEOPLE.items():
        law = np.array(shares)
        for m in SIZES:
            for n in DRAWS:
                for shift in SHIFTS:
                    held = coverage(law, m, n, shift, samples)
                    within = inside(law, m, n, samples) if not shift else None
                    print(
                        f"| {classes} | {m} | {n} | {shift} | "
                        + " | ".join(f"{held[name].coverage:.3f}" for name in NAMES)
                        + f" | {held['tv'].exact_coverage:.3f} | "
                        + (" | ".join(f"{w:.3f}" for w in within) if within else " | ")
                        + " |",
                        flush=True,
                    )


def main() -> None:
    """Simulated laws; or people, where corpora are given."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "corpora", nargs="*", help="corpora of replies, see distalign target import reference"
    )
    parser.add_argument("--language", choices=["en", "zh"], default="en")
    parser.add_argument("--quick", action="store_true", help="fewer samples")
    asked = parser.parse_args()
    begin = time.monotonic()
    if asked.corpora:
        people(asked.language, asked.corpora, 100 if asked.quick else 400)
    else:
        simulated(200 if asked.quick else 2000)
    print(f"{time.monotonic() - begin:.0f} s")


if __name__ == "__main__":
    main()
