"""Do floors of people hold, and do bad replies miss them? ``python -m tests.benchmarks.people OUT [--splits 100]``.

On the generated corpus of people, whose law is stated. Per metric: in how many splits the other half of people lies
inside the 95% floor of the first, and the value, interval and floor of replies to the held-out prompts: the people's
own, the same shuffled among the prompts, new ones by the stated law, and one central reply repeated. OUT gets
people.json and people.md.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field

from baselines.seed.people import answer, corpus, kinds, subject
from harness.importers.corpus import read_replies
from harness.importers.gathered import context_of
from harness.importers.reference import ReferenceOptions, import_reference
from harness.likeness import compared
from harness.metrics.base import About, OfPeople, Said, Texts
from harness.metrics.catalog import of
from harness.natural.features import controlled
from harness.progress import Steps
from harness.reading.style import OUTCOMES
from harness.records import Number, Record, write
from harness.scoring.measured import of_texts
from harness.scoring.people import ReplySample, of_people, sample
from harness.tasks.target import load_target
from harness.tasks.target_file import Provenance
from harness.tasks.task import load_task

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.scoring.measured import Measured
    from harness.tasks.people import People

ABOUT = About("people", "length", ("short",), "en", "draws")
UTILITY = ("exact_match", "f1", "rouge_l")


HEAD = """\
# Do the measures of people hold?

Made by `python -m tests.benchmarks.people OUT` from [people.json](people.json). Do not edit.

The people are generated (`baselines.seed.people`), so their law is known.

**Half against half.** The people of the training split are cut into two halves at random, by conversation, {splits} times.
The table says in which share of the cuts one half lies inside the 95% floor that is computed from the other. It should be
0.95; where it is less than {least}, the floor is too strict, and is set in bold: a model as good as people may miss it that often.
"""
LEAST = 0.93
ANSWERS = """\
**Four kinds of replies** to the held-out prompts. *People's own* are what the held-out people said. *Shuffled* are the same replies,
each to another prompt of its context. *By the law* are new replies, drawn by the stated law. *One repeated* is the reply of
middle length to every prompt. A value that misses its floor is set in bold.
"""
NAMES = {"en": "English", "zh": "Chinese"}


class Answered(Record):
    """What one metric made of one kind of replies."""

    replies: str
    metric: str
    value: Number
    low: Number
    high: Number
    floor: Number
    better: Literal["lower", "higher", "neither"]

    @property
    def inside(self) -> bool:
        """Not on the bad side of the floor."""
        if np.isnan(self.floor):
            return True
        return self.value <= self.floor if self.better == "lower" else self.value >= self.floor


class PeopleRecord(Record):
    """Both parts, by language."""

    splits: int
    inside: dict[str, dict[str, float]] = Field(default_factory=dict)
    """Language -> metric -> share of the splits in which a half lies inside the other's floor."""
    answered: dict[str, tuple[Answered, ...]] = Field(default_factory=dict)


def held(people: People, language: str, splits: int) -> dict[str, float]:
    """How often one half of the people lies inside the floor of the other, by metric."""
    inside: dict[str, list[bool]] = {}
    known = controlled(language)
    steps = Steps(f"splits of people ({language})", splits, "splits")
    for seed in range(splits):
        halves: tuple[dict[str, ReplySample], dict[str, ReplySample]] = ({}, {})
        for context, replies in people.contexts.items():
            rng = np.random.default_rng([seed, len(context)])
            names, of_row = np.unique(replies.conversations, return_inverse=True)
            first = (rng.permutation(len(names)) < len(names) / 2)[of_row]
            lengths = np.array([OUTCOMES["length"].index(n) for n in replies.lengths])
            for half, rows in zip(halves, (first, ~first), strict=True):
                half[context] = sample(
                    replies.vectors[rows], replies.scale, lengths[rows], known, replies.conversations[rows]
                )
        found, _ = of_people(halves[1], halves[0], ABOUT, seed)
        for key, one in found.items():
            lower = of(OfPeople)[key].better == "lower"
            inside.setdefault(key, []).append(one.value <= one.floor if lower else one.value >= one.floor)
        steps.reach(seed + 1)
    return {key: float(np.mean(times)) for key, times in inside.items()}


def answered(folder: Path, language: str) -> tuple[Answered, ...]:
    """What replies of four kinds score."""
    task = load_task(str(folder / "asked/task.yaml"))
    target = load_target(str(folder / "target"))
    assert target.people is not None
    own = {(c, p.id): p.reference or "" for p in task.prompts for c in p.contexts or ()}
    talks = {(c, p.id): p.conversation for p in task.prompts for c in p.contexts or ()}
    rng = random.Random(0)
    shuffled: dict[tuple[str, str], str] = {}
    for context in dict.fromkeys(c for c, _ in own):
        keys = [key for key in own if key[0] == context]
        shuffled |= dict(zip(keys, rng.sample([own[k] for k in keys], len(keys)), strict=True))
    central = sorted(own.values(), key=len)[len(own) // 2]
    by_law = _by_law(folder / f"people_{language}.jsonl", own, language)
    rows = []
    for name, replies in (
        ("people's own", own),
        ("shuffled", shuffled),
        ("by the law", by_law),
        ("one repeated", dict.fromkeys(own, central)),
    ):
        said = {key: [Said(text, "", 1)] for key, text in replies.items()}
        references = {key: (text,) for key, text in own.items()}
        texts = Texts(language, (), said, (), references, talks)
        found = compared(texts, target.people, ABOUT).mean
        for key, one in found.items():
            better = of(OfPeople)[key].better
            rows.append(_answered(name, key, one, better))
        useful = of_texts(texts, ABOUT)
        rows += [_answered(name, key, useful[key], "higher") for key in UTILITY]
    return tuple(rows)


def _answered(
    replies: str, metric: str, one: Measured, better: Literal["lower", "higher", "neither"]
) -> Answered:
    return Answered(
        replies=replies,
        metric=metric,
        value=one.value,
        low=one.low,
        high=one.high,
        floor=one.floor,
        better=better,
    )


def page(record: PeopleRecord) -> str:
    """The page of a record."""
    languages = list(record.inside)
    lines = [HEAD.format(splits=record.splits, least=LEAST)]
    lines += [
        "| metric | " + " | ".join(NAMES[x] for x in languages) + " |",
        "|---" + "|--:" * len(languages) + "|",
    ]
    for metric in dict.fromkeys(m for of_one in record.inside.values() for m in of_one):
        found = [record.inside[x].get(metric) for x in languages]
        cells = ["–" if x is None else f"{x:.2f}" if x >= LEAST else f"**{x:.2f}**" for x in found]
        lines.append(f"| {metric} | " + " | ".join(cells) + " |")
    lines += ["", ANSWERS]
    for language in languages:
        rows = record.answered[language]
        kinds_of = list(dict.fromkeys(r.replies for r in rows))
        lines += [f"{NAMES[language]}:", "", "| metric | floor | " + " | ".join(kinds_of) + " |"]
        lines.append("|---|--:" + "|--:" * len(kinds_of) + "|")
        for metric in dict.fromkeys(r.metric for r in rows):
            of_metric = {r.replies: r for r in rows if r.metric == metric}
            floor = next(iter(of_metric.values())).floor
            cells = [f"{r.value:.3f}" if r.inside else f"**{r.value:.3f}**" for r in of_metric.values()]
            shown = "–" if np.isnan(floor) else f"{floor:.3f}"
            lines.append(f"| {metric} | {shown} | " + " | ".join(cells) + " |")
        lines.append("")
    return "\n".join(lines)


def _by_law(source: Path, own: Mapping[tuple[str, str], str], language: str) -> dict[tuple[str, str], str]:
    """A new reply for each prompt, by the law of its context; about any subject."""
    law = dict(
        zip(dict.fromkeys(context_of(r) for r in read_replies(str(source), {})), kinds(language), strict=True)
    )
    rng = np.random.default_rng(1)
    return {key: answer(law[key[0]], language, subject(law[key[0]], language, rng), rng) for key in own}


def main() -> None:
    """Both parts, in both languages."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("--splits", type=int, default=100)
    parser.add_argument("--language", choices=["en", "zh"], action="append")
    asked = parser.parse_args()
    source = Provenance(publisher="-", table="-", year=2000, license="-", link="https://example.org")
    record = PeopleRecord(splits=asked.splits)
    for language in asked.language or ["en", "zh"]:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            lines = [json.dumps(record, ensure_ascii=False) for record in corpus(language)]
            (folder / f"people_{language}.jsonl").write_text("\n".join(lines), encoding="utf-8")
            options = ReferenceOptions(language, source, split="train", task=folder / "asked")
            import_reference([str(folder / f"people_{language}.jsonl")], folder / "target", options)
            people = load_target(str(folder / "target")).people
            assert people is not None
            record.answered[language] = answered(folder, language)
            record.inside[language] = held(people, language, asked.splits)
    asked.out.mkdir(parents=True, exist_ok=True)
    write(asked.out / "people.json", record)
    (asked.out / "people.md").write_text(page(record), encoding="utf-8")
    print(page(record))


if __name__ == "__main__":
    main()
