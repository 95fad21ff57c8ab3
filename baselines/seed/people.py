"""A generated corpus of people's replies whose law is stated: ``python -m baselines.seed.people -o DIR``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click
import numpy as np
import yaml

from baselines.seed.distributions import FOLDER
from baselines.seed.grammar import expand, lexicon, pick, rules, spread
from baselines.seed.replies import reply
from harness.files import make_folder, write_atomic

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

LAW = FOLDER / "people.yaml"
TRAIN = 3000
"""Training records of a language."""
TEST = 200
"""Test prompts of a context."""
_TURNS = 4
_FLAVOURS = ("act", "sentiment", "list")


class Kind(NamedTuple):
    """One context, with the law of its replies."""

    track: str
    family: str
    style: str
    kind: str
    share: float
    lengths: Mapping[str, float]
    """Shares of the lengths."""
    shapes: Mapping[str, Mapping[str, Mapping[str, float]]]
    """Length -> attribute -> shares of its classes."""


def kinds(language: str) -> list[Kind]:
    """The contexts of a language."""
    law = yaml.safe_load(LAW.read_text(encoding="utf-8"))
    found = []
    for given in law[language]:
        shapes = dict(law["shapes"][given["shapes"]])
        found.append(Kind(**{**given, "lengths": shapes.pop("length"), "shapes": shapes}))
    return found


def corpus(language: str, seed: int = 0) -> Iterator[dict[str, object]]:
    """Records of a train and a test split: whole conversations, single questions where the track is single."""
    for number, kind in enumerate(kinds(language)):
        for split, count in (("train", round(TRAIN * kind.share)), ("test", TEST)):
            rng = np.random.default_rng([seed, len(language), number, split == "test", language == "zh"])
            plans = _plans(kind, count, rng)
            while plans:
                turns = min(len(plans), int(rng.integers(1, _TURNS + 1)) if kind.track == "multi" else 1)
                name = f"{language}-{number}-{split}-{len(plans)}"
                taken, plans = plans[:turns], plans[turns:]
                for turn, record in enumerate(_conversation(kind, language, taken, rng)):
                    at = 2 * turn + 1
                    where = {"id": f"{name}-{at}", "conversation": name, "turn": at, "split": split}
                    named = {
                        "language": language,
                        "track": kind.track,
                        "family": kind.family,
                        "style": kind.style,
                    }
                    yield {**where, **named, **record}


def generate(file: Path, language: str, seed: int = 0) -> Path:
    """Write the corpus of a language, and return its file."""
    make_folder(file.parent)
    lines = [json.dumps(record, ensure_ascii=False) for record in corpus(language, seed)]
    write_atomic(file, "\n".join(lines) + "\n")
    return file


def shorten(prompts: Path, most: int) -> None:
    """Keep the first so many prompts of each context, of those that the test people were asked."""
    kept: dict[str, list[str]] = {}
    for line in prompts.read_text(encoding="utf-8").splitlines():
        kept.setdefault(json.loads(line)["contexts"][0], []).append(line)
    lines = [line for own in kept.values() for line in own[:most]]
    write_atomic(prompts, "\n".join(lines) + "\n")


def subject(kind: Kind, language: str, rng: np.random.Generator) -> dict[str, str]:
    """What a conversation keeps to: the text of each symbol that it fixes."""
    known = rules(f"replies_{language}", kind.kind)
    asked = lexicon(f"people_{language}")[kind.kind]
    assert isinstance(asked, dict)  # noqa: S101  # our own file
    return {symbol: expand(pick(known[symbol], rng), known, rng) for symbol in asked["about"]}


def answer(kind: Kind, language: str, about: Mapping[str, str], rng: np.random.Generator) -> str:
    """One reply by the law, drawn independently of all others."""
    return reply(_plans(kind, 1, rng)[0], language, kind.kind, rng, about)


def _plans(kind: Kind, count: int, rng: np.random.Generator) -> list[dict[str, str]]:
    """Shapes of replies in the law's shares, in random order."""
    found = []
    lengths = spread(_shares(kind.lengths), count, rng)
    for length in dict.fromkeys(lengths):
        size = lengths.count(length)
        columns = [spread(_shares(kind.shapes[length][name]), size, rng) for name in _FLAVOURS]
        found += [
            {"length": length, **dict(zip(_FLAVOURS, row, strict=True))} for row in zip(*columns, strict=True)
        ]
    return [found[i] for i in rng.permutation(len(found))]


def _shares(given: Mapping[str, float]) -> dict[str, float]:
    """Without the classes that never come."""
    return {name: share for name, share in given.items() if share > 0}


def _conversation(
    kind: Kind, language: str, plans: Sequence[Mapping[str, str]], rng: np.random.Generator
) -> Iterator[dict[str, str]]:
    """Questions and replies that keep to one subject."""
    asked = lexicon(f"people_{language}")[kind.kind]
    known = rules(f"replies_{language}", kind.kind)
    assert isinstance(asked, dict)  # noqa: S101  # our own file
    about = subject(kind, language, rng)
    for plan in plans:
        question = expand(pick(asked["asks"], rng), known, rng, about)
        yield {"question": question, "reply": reply(plan, language, kind.kind, rng, about)}


@click.command()
@click.option("-o", "--out", type=click.Path(file_okay=False, path_type=Path), required=True)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
def main(out: Path, seed: int) -> None:
    """Write people_en.jsonl, people_zh.jsonl and the law that they keep to, law.yaml."""
    for language in ("en", "zh"):
        click.echo(f"wrote {generate(out / f'people_{language}.jsonl', language, seed)}")
    write_atomic(out / "law.yaml", LAW.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
