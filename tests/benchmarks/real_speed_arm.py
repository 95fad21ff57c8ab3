"""One way to draw from a real model, timed in a process of its own: ``python -m tests.benchmarks.real_speed_arm PLAN.json``.

The plan names the model, the way, the arithmetic and what to measure. What is timed is drawing alone, after loading and
a warm-up. A way that computes every draw by itself has one speed whatever n is, so it draws whole batches only until
they took ``ENOUGH`` seconds.
"""

from __future__ import annotations

import json
import sys
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.benchmarks.sampling_arm import by_generate, by_vllm

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.tasks.task import Task
    from harness.terms import Draw, Request

    Drawing = Callable[[list[int], int], int]

ROWS, STEPS = 128, 3
"""Of the profile."""
ENOUGH = 12.0
BATCH = {"generate": 100, "vllm": 250, "llamacpp": 250}
"""Draws of a prompt in one call."""


def requests(plan: dict[str, Any], prompts: list[int], n: int) -> tuple[Task, list[Request]]:
    """The task, and ``n`` draws of some of its prompts."""
    from harness.runs.plan import missing
    from harness.tasks import prompts as asked
    from harness.tasks.task import load_task

    task = load_task(plan["task"])
    rendered = asked.render(task, task.contexts[:1], asked.select(task, "all", "test")[1], None)
    return task, missing([n], [rendered[i] for i in prompts], [], n)


def by_llamacpp(plan: dict[str, Any]) -> Drawing:
    """llama.cpp's own server, through this package's engine, which keeps its slots busy."""
    from harness.sampling.llamacpp import LlamaCppEngine

    engine = LlamaCppEngine(plan["file"])

    def draw(prompts: list[int], n: int) -> int:
        task, asked = requests(plan, prompts, n)
        return sum(d.count for _, draws in engine.draw(asked, task.sampling) for d in draws)

    return draw


def peer(plan: dict[str, Any]) -> Callable[[int, int], dict[str, Any]]:
    """A way that computes every draw by itself."""
    way = plan["way"]
    opened = {"generate": lambda: by_generate(plan)[0], "vllm": lambda: by_vllm(plan)[0]}
    draw = by_llamacpp(plan) if way == "llamacpp" else opened[way]()
    draw([0], 4)

    def measure(n: int, prompts: int) -> dict[str, Any]:
        numbers, batch = list(range(prompts)), min(n, BATCH[way])
        # generate takes one prompt at a time.
        calls = [[i] for i in numbers] if way == "generate" else [numbers]
        made, begin = 0, time.perf_counter()
        while made < n * prompts and time.perf_counter() - begin < ENOUGH:
            made += draw(calls[made // batch % len(calls)], batch)
        return {"draws": made, "seconds": time.perf_counter() - begin}

    return measure


def ours(plan: dict[str, Any]) -> Callable[[int, int], dict[str, Any]]:
    """Collapsed sampling, as ``distalign evaluate`` draws: all of n, for what it takes depends on n."""
    from harness.reading import DrawReader
    from harness.sampling.hf.collapsed import CollapsedEngine

    engine = CollapsedEngine(plan["model"], device=plan["device"], dtype=plan["dtype"])
    task, first = requests(plan, [0], 4)
    reader = DrawReader.of(task, engine.card().contract, engine.render(first[0]))
    list(engine.draw(first, task.sampling, reader.settled))
    ((attribute, _),) = task.attributes.items()

    def measure(n: int, prompts: int) -> dict[str, Any]:
        _, asked = requests(plan, list(range(prompts)), n)
        begin = time.perf_counter()
        found = [d for _, draws in engine.draw(asked, task.sampling, reader.settled) for d in draws]
        seconds = time.perf_counter() - begin
        return {
            "draws": sum(d.count for d in found),
            "seconds": seconds,
            "distinct": len(found),
            "outcomes": outcomes(found, reader, attribute),
        }

    def outcomes(found: list[Draw], reader: DrawReader, attribute: str) -> dict[str, int]:
        counted = Counter[str]()
        for draw, read in zip(found, reader.read((d.text, d.finish) for d in found), strict=True):
            counted[read[attribute].label] += draw.count
        return dict(sorted(counted.items()))

    return measure


def profile(plan: dict[str, Any]) -> dict[str, float]:
    """Milliseconds of processor time of a step at ``ROWS`` prefixes, by its parts."""
    import numpy as np

    from harness.sampling.hf.collapsed import CollapsedEngine
    from harness.sampling.hf.pick import draw_tokens, root_keys
    from harness.terms import Sampling

    engine = CollapsedEngine(plan["model"], device=plan["device"], dtype=plan["dtype"])
    model: Any = engine.checkpoint.model
    spent, begun = defaultdict[str, float](float), list[float]()

    def watch(part: str, module: Any) -> None:
        def ended(*_: object) -> None:
            spent[part] += time.process_time() - begun.pop()

        module.register_forward_pre_hook(lambda *_: begun.append(time.process_time()))
        module.register_forward_hook(ended)

    watch("output layer", model.get_output_embeddings())
    for layer in model.get_decoder().layers:
        watch("attention", layer.self_attn)
        watch("MLP", layer.mlp)
    forward, rows = engine.forward, np.arange(ROWS)
    logits = forward.begin([plan["ids"][0]] * ROWS, np.zeros((ROWS, 0), dtype=np.int64))
    spent.clear()
    begin = time.process_time()
    for _ in range(STEPS):
        start = time.process_time()
        _, tokens, _ = draw_tokens(logits, root_keys(rows.tolist()), np.ones_like(rows), Sampling())
        spent["drawing tokens"] += time.process_time() - start
        start = time.process_time()
        # A tenth of the prefixes end, others take their places.
        forward.branch(np.where(rows % 10 == 0, (rows + 1) % ROWS, rows))
        spent["branching"] += time.process_time() - start
        logits = forward.step(tokens)
    spent["other"] = time.process_time() - begin - sum(spent.values())
    return {part: round(1000 * seconds / STEPS, 1) for part, seconds in spent.items()}


def main(path: str) -> None:
    """Time what the plan asks for and print a line of JSON for each n."""
    plan = json.loads(Path(path).read_text(encoding="utf-8"))
    measure = ours(plan) if plan["way"] == "ours" else peer(plan)
    for n, prompts in plan["measures"]:
        sys.stdout.write("\n" + json.dumps({"n": n, "prompts": prompts, **measure(n, prompts)}) + "\n")
        sys.stdout.flush()
    if plan["profile"]:
        sys.stdout.write("\n" + json.dumps({"profile": profile(plan)}) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
