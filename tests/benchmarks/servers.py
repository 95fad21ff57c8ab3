"""Whether a model has the same law through other software as through our own engine.

python -m tests.benchmarks.servers SETTING --model MODEL [-n 5000] [--seconds 240] [--engines PYTHON]

SETTING is ``plain`` (a chat as it is), ``begun`` (the answer is begun) or ``sft`` (MODEL is a checkpoint after SFT, an
adapter on a GGUF file). The ways are our own engine, a real llama.cpp server with the weights in float32, a real
``vllm serve``, vLLM in process and, of a GGUF file, llama.cpp's server with the file as it is stored. vLLM runs in the
environment whose Python is PYTHON. Each way draws the first tokens of answers to the same questions of gender_us, n each.

What was drawn is kept in ``build/servers``, and the same command goes on where it was stopped. At its end
``docs/results/servers.json`` has what is known of the setting, and ``servers.md`` beside it is made from that.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import time
from collections import Counter
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import numpy as np
from pydantic import Field

from harness.contract import Contract
from harness.files import make_folder, write_atomic
from harness.progress import Progress
from harness.reading.draws import DrawReader
from harness.records import Record, read, write
from harness.runs.seeds import chunk_seed
from harness.tasks import prompts
from harness.tasks.task import load_task
from harness.terms import Request
from tests.benchmarks.served import ENVIRONMENT, OURS, STORED, WAYS, Model, Way, opened, prepare
from tests.sampling.laws import Counts, homogeneity

ROOT = Path(__file__).parents[2]
KEPT = ROOT / "build" / "servers"
RECORD, PAGE = ROOT / "docs" / "results" / "servers.json", ROOT / "docs" / "results" / "servers.md"
TASK, ATTRIBUTE = "gender_us", "gender"
QUESTIONS = 4
REPEATS = 200
"""Pairs of samples from one law, to see how far they are apart by chance."""
AGAIN = "rm it, or another SETTING"


class Setting(NamedTuple):
    """What is asked for."""

    title: str
    begun: str = ""
    """The beginning of every answer."""
    tokens: int = 4
    """Of what is drawn: the law of a beginning needs no more, and a processor can draw it."""


SETTINGS = {
    "plain": Setting("untuned"),
    "begun": Setting("untuned, the answer begun", "The person is", 4),
    "sft": Setting("after SFT"),
}


class Drawn(Record):
    """What one setting has drawn so far."""

    model: str
    """Name of the GGUF file that the weights come from."""
    pieces: dict[Way, int] = Field(default_factory=dict)
    draws: dict[Way, dict[str, dict[str, int]]] = Field(default_factory=dict)
    """Way -> question -> how it ended and its text -> draws."""
    seconds: dict[Way, float] = Field(default_factory=dict)
    software: dict[Way, str] = Field(default_factory=dict)


class Held(Record):
    """One way's law beside our own engine's."""

    p: float
    """Of one law for both: chi-square of homogeneity, each question a stratum."""
    tv: float
    """Total variation between what both drew, in the mean over questions."""
    by_chance: float
    """The same of two such samples of one law, in the mean."""


class WayRecord(Record):
    """One way."""

    software: str
    draws: int
    seconds: float
    outcomes: dict[str, int]
    """Of all questions."""
    laws: dict[str, Held] = Field(default_factory=dict)
    """Outcomes, first words or whole texts -> beside our own; empty for our own."""


class SettingRecord(Record):
    """What is known of one setting."""

    title: str
    model: str
    begun: str
    tokens: int
    questions: int
    ways: dict[Way, WayRecord]


class ServersRecord(Record):
    """The whole file."""

    settings: dict[str, SettingRecord] = Field(default_factory=dict)


class Given(argparse.Namespace):
    """What the command was given."""

    setting: str
    model: str
    n: int
    seconds: float
    engines: Path
    ways: list[Way]
    part: bool


def questions(way: Way, begun: str, piece: int) -> list[Request]:
    """The questions, with the seeds of a piece; no two ways share random numbers."""
    task = load_task(TASK)
    contexts, wordings = prompts.select(task, "all", "test", ())
    asked = prompts.framed(prompts.render(task, contexts[:QUESTIONS], wordings[:1], None), begun=begun)
    number = piece + 1_000_000 * list(WAYS).index(way)
    return [
        Request(
            r.context,
            r.prompt,
            piece,
            WAYS[way],
            chunk_seed(0, r.context, r.prompt, number),
            r.messages,
            r.text,
        )
        for r in asked
    ]


def draw(way: Way, given: Given, model: Model, found: Drawn, end: float) -> None:
    """More pieces, until there are ``n`` draws a question or the time is over."""
    setting, path = SETTINGS[given.setting], KEPT / f"{given.setting}.json"
    done = found.pieces.get(way, 0)
    left = given.n - done * WAYS[way]
    if left <= 0 or time.monotonic() > end:
        return
    if way == "vllm" and find_spec("vllm") is None:
        again = ("-m", "tests.benchmarks.servers", given.setting, "--model", given.model, "--ways", way)
        limits = ("-n", str(given.n), "--seconds", str(end - time.monotonic()), "--part")
        subprocess.run(
            [str(given.engines), *again, *limits], check=True, cwd=ROOT, env=os.environ | ENVIRONMENT
        )
        return
    short = replace(load_task(TASK).sampling, max_tokens=setting.tokens)
    with opened(way, model, given.engines) as engine:
        progress = Progress(way, left * QUESTIONS)
        while done * WAYS[way] < given.n and time.monotonic() < end:
            start, kept = time.monotonic(), found.draws.setdefault(way, {})
            for request, draws in engine.draw(questions(way, setting.begun, done), short):
                texts = Counter(kept.get(request.context, {}))
                if lost := [one.error for one in draws if one.finish == "failed"]:
                    raise SystemExit(f"{way}: {lost[0]}; what was drawn before is kept in {path}")
                for one in draws:
                    texts[f"{one.finish}:{one.text}"] += one.count
                kept[request.context] = dict(texts)
                progress.advance(request.n, 0, sum(d.count * d.tokens for d in draws))
            done += 1
            found.pieces[way] = done
            found.seconds[way] = found.seconds.get(way, 0.0) + time.monotonic() - start
            card = engine.card()
            served = card.server
            found.software[way] = (
                f"{served.kind} {served.version}" if served else ", ".join(card.engine.values())
            )
            write(path, found)
        progress.close()


def laws(setting: Setting, draws: dict[str, dict[str, int]]) -> dict[str, Counts]:
    """Outcomes, first words and whole texts of what was drawn."""
    task = load_task(TASK)
    shown = questions(OURS, setting.begun, 0)[0].messages[0].content
    reader = DrawReader.of(task, Contract(), shown, begun=setting.begun)
    found: dict[str, Counts] = {"outcomes": {}, "first words": {}, "texts": {}}
    for question, texts in draws.items():
        one = {law: Counter[tuple[str, str]]() for law in found}
        ended = [(key, *key.split(":", 1)) for key in texts]
        readings = reader.read((text, finish) for _, finish, text in ended)
        for (key, _, text), reading in zip(ended, readings, strict=True):
            count = texts[key]
            one["outcomes"][reading[ATTRIBUTE].label, ""] += count
            one["first words"][(text.split() or [""])[0], ""] += count
            one["texts"][key, ""] += count
        for law, counter in one.items():
            found[law][question] = counter
    return found


def beside(theirs: Counts, ours: Counts) -> Held:
    """How far two samples are apart, and how far two of one law would be."""
    rng = np.random.default_rng(0)
    apart, chance = [], []
    for question, one in ours.items():
        keys = sorted(one.keys() | theirs[question].keys())
        rows = np.array([[counter[key] for key in keys] for counter in (one, theirs[question])])
        pooled, sizes = rows.sum(axis=0) / rows.sum(), rows.sum(axis=1)
        apart.append(np.abs(np.subtract(*(rows / sizes[:, None]))).sum() / 2)
        again = [rng.multinomial(size, pooled, REPEATS) / size for size in sizes]
        chance.append(np.abs(np.subtract(*again)).sum(axis=1).mean() / 2)
    return Held(p=homogeneity(theirs, ours), tv=float(np.mean(apart)), by_chance=float(np.mean(chance)))


def summary(name: str, found: Drawn) -> SettingRecord:
    """What is known of a setting."""
    setting = SETTINGS[name]
    each = {way: laws(setting, draws) for way, draws in found.draws.items()}
    ways = {}
    for way in WAYS:
        if way not in each:
            continue
        outcomes = sum(each[way]["outcomes"].values(), Counter[tuple[str, str]]())
        ways[way] = WayRecord(
            software=found.software[way],
            draws=outcomes.total(),
            seconds=round(found.seconds[way], 1),
            outcomes={label: k for (label, _), k in sorted(outcomes.items())},
            laws={}
            if way == OURS or OURS not in each
            else {law: beside(counts, each[OURS][law]) for law, counts in each[way].items()},
        )
    return SettingRecord(
        title=setting.title,
        model=found.model,
        begun=setting.begun,
        tokens=setting.tokens,
        questions=QUESTIONS,
        ways=ways,
    )


def main() -> None:
    """Draw what is missing, and write the files."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("setting", choices=list(SETTINGS))
    parser.add_argument("--model", required=True)
    parser.add_argument("-n", type=int, default=5000, help="draws a question, a multiple of 1,000")
    parser.add_argument("--seconds", type=float, default=240.0)
    parser.add_argument("--engines", type=Path, default=ROOT / ".venv-engines/bin/python")
    parser.add_argument("--ways", nargs="+", choices=list(WAYS), default=list(WAYS))
    parser.add_argument("--part", action="store_true", help="draw, and write no page")
    given = parser.parse_args(namespace=Given())
    end = time.monotonic() + given.seconds
    model = prepare(given.model, make_folder(KEPT / given.setting))
    path = KEPT / f"{given.setting}.json"
    found = Drawn(model=model.name)
    for way in given.ways:
        if way == STORED and model.stored is None:
            continue
        if path.is_file():
            found = read(path, Drawn, hint=AGAIN)
        draw(way, given, model, found, end)
    if not given.part:
        finish(given.setting, read(path, Drawn, hint=AGAIN))


def finish(name: str, found: Drawn) -> None:
    """Write the record with this setting, and its page."""
    known = read(RECORD, ServersRecord, hint=AGAIN).settings if RECORD.is_file() else {}
    known = {**known, name: summary(name, found)}
    record = ServersRecord(settings={key: known[key] for key in SETTINGS if key in known})
    write(RECORD, record)
    write_atomic(PAGE, page(record))


HEAD = """\
# One law through other software

Made by `python -m tests.benchmarks.servers` from [servers.json](servers.json). Do not edit.

The same weights were asked the same questions of `gender_us` through other software: `distalign` asks a server as it
asks anybody's, `server:NAME@URL`. Each row is held against our own engine. *p* is of one law for both (chi-square of
homogeneity, each question a stratum); a small one says that the laws differ. *TV* is how far the samples are apart,
in the mean over the questions, and in brackets how far two samples of one law are apart on average.

*Outcomes* are what the task reads: the classes, and why there is none. Few tokens were drawn of each answer, as many as a
processor can draw so often, so an answer that is not over is read as cut. *First words* and *texts* are what was
drawn itself. Rare ones are counted together.

llama.cpp has the weights in float32, as all other ways have them. *llama.cpp, stored* is the same server with the file as people
have it, in 4 bits: it rounds the other factor of its products too, so its law is a little another one.
"""
COLUMNS = (
    "way", "software", "draws", "male", "female", "no class",
    "outcomes: p", "TV", "first words: p", "TV", "texts: p", "TV",
)  # fmt: skip
LAWS = ("outcomes", "first words", "texts")


def page(record: ServersRecord) -> str:
    """The page of a record."""
    parts = [HEAD]
    held = []
    for one in record.settings.values():
        begun = f" Every answer begins with “{one.begun}”." if one.begun else ""
        lead = f"`{one.model}`, {one.questions} questions, {one.tokens} tokens of an answer at most.{begun}"
        lines = [COLUMNS, ("---", "---", *("--:",) * (len(COLUMNS) - 2))]
        lines += [cells(way, one.ways[way]) for way in WAYS if way in one.ways]
        written = "\n".join(f"| {' | '.join(line)} |" for line in lines)
        parts.append(f"## {one.title[0].upper()}{one.title[1:]}\n\n{lead}\n\n{written}\n")
        held += [law.p for way, found in one.ways.items() if way != STORED for law in found.laws.values()]
    if held:
        least = min(held)
        parts.append(
            f"Of the {len(held)} p-values of ways with the weights in float32 the least is {least:.3g}. The least of so "
            f"many is below {1 - 0.95 ** (1 / len(held)):.2g} in one of twenty such tables, if every law is the same and "
            "they were independent.\n"
        )
    return "\n".join(parts)


def cells(way: Way, found: WayRecord) -> tuple[str, ...]:
    """A row of a table."""
    shares = {label: k / found.draws for label, k in found.outcomes.items()}
    classes = [shares.get(label, 0.0) for label in ("male", "female")]
    held = [found.laws[law] for law in LAWS if law in found.laws]
    beside_ours = [text for law in held for text in (f"{law.p:.2g}", f"{law.tv:.3f} ({law.by_chance:.3f})")]
    beside_ours = beside_ours or [""] * (2 * len(LAWS))
    shown = [f"{100 * share:.1f}%" for share in (*classes, 1 - sum(classes))]
    return way, found.software, f"{found.draws:,}", *shown, *beside_ours


if __name__ == "__main__":
    main()
