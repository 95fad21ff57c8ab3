"""Whether a model has the same law through llama.cpp's server as through our own engine.

python -m tests.benchmarks.servers OUT.json --model FILE.gguf [-n 500] [--seconds 240]

A real llama.cpp server is started on a free port and asked as anybody's server is (``server:``). Both ways draw the
first tokens of answers to the same questions of gender_us, n each, in pieces that are kept in OUT.json: the same command
goes on where it was stopped. It ends with what was said by each way, read as the task reads it, and the p-values of one
law for both, for outcomes and for first words (chi-square of homogeneity, each question a stratum).
"""

from __future__ import annotations

import argparse
import os
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from harness.contract import Contract
from harness.progress import Progress
from harness.reading.draws import DrawReader
from harness.records import Record, read, write
from harness.runs.seeds import chunk_seed
from harness.tasks import prompts
from harness.tasks.task import load_task
from harness.terms import Request
from tests.sampling.laws import homogeneity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.sampling.base import Draws

TASK, ATTRIBUTE = "gender_us", "gender"
QUESTIONS = 4
PIECE = 25
"""Draws of a question at once."""
SLOTS = 8
TOKENS = 12
"""Of an answer: the law of its beginning needs no more, and a processor can draw it."""
Way = Literal["server", "ours"]
WAYS: tuple[Way, Way] = ("server", "ours")
Counted = dict[str, dict[str, int]]


class Given(argparse.Namespace):
    """What the command was given."""

    out: Path
    model: str
    n: int
    seconds: float


class LawRecord(Record):
    """What was drawn so far."""

    model: str
    """Name of the file."""
    server: str = ""
    """Its software and version."""
    pieces: dict[Way, int] = Field(default_factory=dict)
    """Way -> pieces of ``PIECE`` draws of each question."""
    outcomes: dict[Way, Counted] = Field(default_factory=dict)
    """Way -> question -> outcome -> draws."""
    words: dict[Way, Counted] = Field(default_factory=dict)
    """Way -> question -> first word -> draws."""
    p: dict[str, float] = Field(default_factory=dict)
    """Outcomes or words -> p-value of one law for both; empty until both have drawn the same number."""


def opened(way: Way, model: str) -> Iterator[Draws]:
    """The engine of a way, while it is needed."""
    if way == "ours":
        from harness.sampling.hf.collapsed import CollapsedEngine

        yield CollapsedEngine(model)
        return
    import xllamacpp

    from harness.sampling.server.engine import ServerEngine

    params = xllamacpp.CommonParams()
    params.model.path = model
    params.n_parallel, params.n_ctx = SLOTS, SLOTS * 512
    params.warmup, params.verbosity, params.port = False, 0, 0
    params.cpuparams.n_threads = int(os.environ.get("OMP_NUM_THREADS", "1"))
    server = xllamacpp.Server(params)
    yield ServerEngine(f"model@{server.listening_address}/v1")
    del server


def questions(piece: int) -> list[Request]:
    """The questions, with the seeds of a piece."""
    task = load_task(TASK)
    contexts, wordings = prompts.select(task, "all", "test", ())
    asked = prompts.render(task, contexts[:QUESTIONS], wordings[:1], None)
    return [
        Request(
            r.context, r.prompt, piece, PIECE, chunk_seed(0, r.context, r.prompt, piece), r.messages, r.text
        )
        for r in asked
    ]


def draw(way: Way, given: Given, record: LawRecord, end: float) -> LawRecord:
    """The record with more pieces, until there are ``n`` draws a question or the time is over."""
    task = load_task(TASK)
    done = record.pieces.get(way, 0)
    if done * PIECE >= given.n:
        return record
    for engine in opened(way, given.model):
        first = questions(0)[0]
        reader = DrawReader.of(task, Contract(), engine.render(first))
        progress = Progress(way, (given.n - done * PIECE) * QUESTIONS)
        counted, words = record.outcomes.setdefault(way, {}), record.words.setdefault(way, {})
        short = replace(task.sampling, max_tokens=TOKENS)
        while done * PIECE < given.n and time.monotonic() < end:
            for request, draws in engine.draw(questions(done), short):
                found, said = (Counter(kept.get(request.context, {})) for kept in (counted, words))
                for one, reading in zip(draws, reader.read((d.text, d.finish) for d in draws), strict=True):
                    found[reading[ATTRIBUTE].label] += one.count
                    said[(one.text.split() or [""])[0]] += one.count
                counted[request.context] = dict(sorted(found.items()))
                words[request.context] = dict(sorted(said.items()))
                progress.advance(request.n, 0, sum(d.count * d.tokens for d in draws))
            done += 1
            record.pieces[way] = done
            write(given.out, record)
        progress.close()
        served = engine.card().server
        if served is not None:
            record = record.model_copy(update={"server": f"{served.kind} {served.version}"})
    return record


def alike(counted: dict[Way, Counted]) -> float:
    """p-value of one law for both ways."""
    one, other = (
        {q: Counter({(key, ""): k for key, k in found.items()}) for q, found in counted[way].items()}
        for way in WAYS
    )
    return homogeneity(one, other)


def main() -> None:
    """Draw what is missing, and write the file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("out", type=Path)
    parser.add_argument("--model", required=True)
    parser.add_argument("-n", type=int, default=500, help="draws a question, a multiple of 25")
    parser.add_argument("--seconds", type=float, default=240.0)
    given = parser.parse_args(namespace=Given())
    end = time.monotonic() + given.seconds
    record = LawRecord(model=Path(given.model).name)
    if given.out.is_file():
        record = read(given.out, LawRecord, hint="another OUT.json")
    for way in WAYS:
        record = draw(way, given, record, end)
        write(given.out, record)
    if record.pieces.get("server") == record.pieces.get("ours"):
        p = {"outcomes": alike(record.outcomes), "words": alike(record.words)}
        record = record.model_copy(update={"p": p})
        write(given.out, record)
    print(record.model_dump_json(indent=1))  # a benchmark's result


if __name__ == "__main__":
    main()
