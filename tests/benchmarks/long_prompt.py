"""What it saves to keep a prompt once for its draws: ``python -m tests.benchmarks.long_prompt OUT.json --model MODEL``.

Two prompts of over a thousand tokens are drawn from on a CPU, with the prompt's keys and values kept once for all its
draws, and with a copy for each, in turn and then again. What counts is processor time, in one thread.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Literal

import torch

from harness.records import Record, write
from harness.sampling.hf import cache
from harness.sampling.hf.collapsed import CollapsedEngine
from harness.terms import Message, Request, Sampling

Way = Literal["once", "copied"]
WAYS: dict[Way, int] = {"once": cache.ON_PROMPTS, "copied": cache.NEVER}
SENTENCE = "In the year {} the town of number {} had a market and a small school."


class LongPrompt(Record):
    """What was asked, and the processor seconds of each way, in turn."""

    model: str
    prompt_tokens: int
    draws: int
    tokens: int
    """Of a draw, at most."""
    seconds: dict[Way, tuple[float, ...]]
    rows: dict[Way, int]
    """Texts that a batch may have."""


def main() -> None:
    """Draw both ways, twice."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--model", required=True)
    parser.add_argument("-n", type=int, default=48)
    parser.add_argument("--tokens", type=int, default=24)
    given = parser.parse_args()
    torch.set_num_threads(1)
    story = " ".join(SENTENCE.format(1900 + i, i) for i in range(50))
    asked = [
        Request("c", f"p{i}", 0, given.n, i, (Message("user", f"{story} {question}"),))
        for i, question in enumerate(("Tell me a story.", "What do you think?"))
    ]
    engines: dict[Way, CollapsedEngine] = {}
    for way, least in WAYS.items():
        cache.ON_PROMPTS = least
        engines[way] = CollapsedEngine(given.model, device="cpu", dtype="float32")
        _ = engines[way].checkpoint
    seconds: dict[Way, list[float]] = {way: [] for way in WAYS}
    for _ in range(2):
        for way, engine in engines.items():
            begin = time.process_time()
            list(engine.draw(asked, Sampling(max_tokens=given.tokens)))
            seconds[way].append(round(time.process_time() - begin, 1))
    record = LongPrompt(
        model=Path(given.model).name,
        prompt_tokens=len(engines["once"].chat.encode(asked)[0]),
        draws=len(asked) * given.n,
        tokens=given.tokens,
        seconds={way: tuple(found) for way, found in seconds.items()},
        rows={way: engine.budget.rows for way, engine in engines.items()},
    )
    write(given.out, record)
    print(record.model_dump_json(indent=1))


if __name__ == "__main__":
    main()
