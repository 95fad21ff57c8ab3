"""Do floors of people hold, and do bad replies miss them? ``python -m tests.benchmarks.people [--splits 100]``.

On the generated corpus of people, whose law is stated. Printed per metric: in how many splits the other half of
people lies inside the 95% floor of the first (95% is what is stated, 93% what is asked for), and then the value,
interval and floor of replies to the held-out prompts: the people's own, the same shuffled among the prompts, new
ones by the stated law, and one central reply repeated.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from baselines.seed.people import answer, corpus, kinds, subject
from harness.importers.corpus import read_replies
from harness.importers.gathered import context_of
from harness.importers.reference import ReferenceOptions, import_reference
from harness.likeness import compared
from harness.metrics.base import About, OfPeople, Said, Texts
from harness.metrics.catalog import of
from harness.natural.features import controlled
from harness.reading.style import OUTCOMES
from harness.scoring.measured import of_texts
from harness.scoring.people import ReplySample, of_people, sample
from harness.tasks.target import load_target
from harness.tasks.target_file import Provenance
from harness.tasks.task import load_task

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.tasks.people import People

ABOUT = About("people", "length", ("short",), "en", "draws")
UTILITY = ("exact_match", "f1", "rouge_l")


def held(people: People, language: str, splits: int) -> None:
    """Prints how often one half of the people lies inside the floor of the other."""
    inside: dict[str, list[bool]] = {}
    known = controlled(language)
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
    print(f"\n| metric ({language}, {splits} splits) | inside |\n|---|---|")
    for key, times in inside.items():
        print(f"| {key} | {np.mean(times):.2f} |", flush=True)


def answered(folder: Path, language: str) -> None:
    """Prints what replies of four kinds score."""
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
    print(f"\n| replies ({language}) | metric | value | interval | floor |\n|---|---|---|---|---|")
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
        found |= {k: one for k, one in of_texts(texts, ABOUT).items() if k in UTILITY}
        for key, one in found.items():
            print(
                f"| {name} | {key} | {one.value:.3f} | {one.low:.3f} to {one.high:.3f} | {one.floor:.3f} |",
                flush=True,
            )


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
    parser.add_argument("--splits", type=int, default=100)
    parser.add_argument("--language", choices=["en", "zh"], action="append")
    asked = parser.parse_args()
    source = Provenance(publisher="-", table="-", year=2000, license="-", link="https://example.org")
    for language in asked.language or ["en", "zh"]:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            lines = [json.dumps(record, ensure_ascii=False) for record in corpus(language)]
            (folder / f"people_{language}.jsonl").write_text("\n".join(lines), encoding="utf-8")
            options = ReferenceOptions(language, source, split="train", task=folder / "asked")
            import_reference([str(folder / f"people_{language}.jsonl")], folder / "target", options)
            people = load_target(str(folder / "target")).people
            assert people is not None
            answered(folder, language)
            held(people, language, asked.splits)


if __name__ == "__main__":
    main()
