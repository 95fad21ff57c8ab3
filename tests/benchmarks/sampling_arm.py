"""One way to draw, timed in a process of its own: ``python -m tests.benchmarks.sampling_arm WAY PLAN.json``.

The plan holds the checkpoint, the prompts as token ids, n and the token cap. What is timed is drawing alone, after
loading and a warm-up of the same kind; memory is the process's peak over what it held once the model was loaded.
"""

from __future__ import annotations

import json
import math
import resource
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.sampling.hf.collapsed import CollapsedEngine
    from harness.terms import Draw, Request, Sampling

    Drawing = Callable[[list[int], int], int]
    """Prompt numbers and n in, draws made out."""

ROUNDS, LONG_ENOUGH = 40, 8.0
"""The best of so many rounds counts; no further round begins after so many seconds."""
SHORT = ("female", "male")
EPSILON = 1e-3
MANY = 1_000_000
"""Draws of each prompt that exact bounds are held against."""


class Forwards:
    """Counts a model's forward passes."""

    def __init__(self, model: Any) -> None:
        self.count = 0
        model.register_forward_pre_hook(self._more)

    def _more(self, *_: object) -> None:
        self.count += 1


def by_generate(plan: dict[str, Any]) -> tuple[Drawing, Callable[[], int]]:
    """transformers' generate with num_return_sequences=n, prompt by prompt."""
    import torch
    import transformers

    auto: Any = transformers.AutoModelForCausalLM
    model = auto.from_pretrained(plan["model"], dtype=plan["dtype"]).to(plan["device"])
    forwards = Forwards(model)

    def draw(prompts: list[int], n: int) -> int:
        made = 0
        for i in prompts:
            ids = torch.tensor([plan["ids"][i]], device=plan["device"])
            out = model.generate(
                input_ids=ids,
                attention_mask=torch.ones_like(ids),
                do_sample=True,
                top_k=0,
                top_p=1.0,
                num_return_sequences=n,
                max_new_tokens=plan["max_tokens"],
                **({"eos_token_id": plan["ends"]} if plan["ends"] else {}),
            )
            made += len(out)
        return made

    return draw, lambda: forwards.count


def by_lm_eval(plan: dict[str, Any]) -> tuple[Drawing, Callable[[], int]]:
    """lm-eval's hf model over a task with ``repeats: n``."""
    import datasets
    import lm_eval
    from lm_eval.models.huggingface import HFLM

    model = HFLM(pretrained=plan["model"], batch_size=128, device=plan["device"], add_bos_token=False)
    forwards = Forwards(model.model)

    def task(prompts: list[int], n: int) -> dict[str, object]:
        rows = datasets.Dataset.from_dict({"text": [plan["texts"][i] for i in prompts]})
        kwargs = {"do_sample": True, "temperature": 1.0, "top_k": 0, "top_p": 1.0, "until": ["\u0001"]}
        return {
            "task": "draws",
            "custom_dataset": lambda **_: {"test": rows},
            "test_split": "test",
            "output_type": "generate_until",
            "doc_to_text": "{{text}}",
            "doc_to_target": "x",
            "repeats": n,
            "generation_kwargs": {**kwargs, "max_gen_toks": plan["max_tokens"]},
            "metric_list": [{"metric": "exact_match", "aggregation": "mean", "higher_is_better": True}],
        }

    def draw(prompts: list[int], n: int) -> int:
        found = lm_eval.simple_evaluate(model, tasks=[task(prompts, n)], bootstrap_iters=0)
        return sum(len(sample["resps"][0]) for sample in found["samples"]["draws"])

    return draw, lambda: forwards.count


def by_vllm(plan: dict[str, Any]) -> tuple[Drawing, Callable[[], int]]:
    """vLLM's own ``n=``, all prompts in one call, at the settings that were fastest here.

    On two cores 1,024 sequences at once beat vLLM's own 256 and all 2,400; seeds per request, text made by vLLM
    and compiled graphs gain nothing or cost time. Its blocks on a CPU are of 128 tokens, longer than these prompts, so
    that it would compute the prompt anew for each draw: with blocks of 32 it drew three times as fast.
    """
    import vllm
    from vllm.sampling_params import RequestOutputKind

    engine = vllm.LLM(
        plan["model"],
        dtype=plan["dtype"],
        enforce_eager=True,
        max_model_len=256,
        max_num_seqs=plan["sequences"],
        block_size=32,
        disable_log_stats=True,
    )

    def draw(prompts: list[int], n: int) -> int:
        settings = vllm.SamplingParams(
            n=n,
            max_tokens=plan["max_tokens"],
            temperature=1.0,
            stop_token_ids=plan["ends"],
            detokenize=False,
            output_kind=RequestOutputKind.FINAL_ONLY,
        )
        out = engine.generate(
            [{"prompt_token_ids": plan["ids"][i]} for i in prompts], settings, use_tqdm=False
        )
        return sum(len(o.outputs) for o in out)

    return draw, lambda: -1


def settled(text: str) -> bool:
    """Whether a word is there that decides."""
    return text.startswith(SHORT)


def outcome(draw: Draw) -> str:
    """What an output says."""
    return draw.text[:4]


def ours(plan: dict[str, Any]) -> tuple[CollapsedEngine, Sampling]:
    """The engine with its model loaded, and the plan's sampling parameters."""
    from harness.sampling.hf.collapsed import CollapsedEngine
    from harness.terms import Sampling

    engine = CollapsedEngine(plan["model"], device=plan["device"], dtype="float32")
    _ = engine.checkpoint
    return engine, Sampling(max_tokens=plan["max_tokens"])


def asked(plan: dict[str, Any], prompts: list[int], n: int) -> list[Request]:
    """Some of the plan's prompts, for ``n`` draws each."""
    from harness.terms import Message, Request

    return [Request(str(i), "p", 0, n, 7919 * i, (Message("user", plan["questions"][i]),)) for i in prompts]


def by_ours(plan: dict[str, Any], way: str) -> tuple[Drawing, Callable[[], int]]:
    """Collapsed sampling, with and without early settling, and the exact measure."""
    engine, sampling = ours(plan)

    def draw(prompts: list[int], n: int) -> int:
        requests = asked(plan, prompts, n)
        if way == "exact":
            found = list(engine.exact(requests, sampling, outcome, settled, EPSILON))
            return len(found) * n
        drawn = engine.draw(requests, sampling, settled if way == "settled" else None)
        return sum(d.count for _, draws in drawn for d in draws)

    return draw, lambda: engine.forwards


def against_draws(plan: dict[str, Any]) -> dict[str, float]:
    """How wide the exact bounds are, and how many standard errors the shares in many draws lie outside them."""
    engine, sampling = ours(plan)
    widest = outside = 0.0
    for i in range(len(plan["questions"])):
        (request,) = asked(plan, [i], MANY)
        ((_, shares),) = engine.exact([request], sampling, outcome, settled, EPSILON)
        widest = max(widest, shares.undecided)
        seen = Counter[str]()
        for _, draws in engine.draw([request], sampling):
            for draw in draws:
                seen[outcome(draw)] += draw.count
        for name in {*seen, *shares.lower}:
            share, low = seen[name] / MANY, shares.lower.get(name, 0.0)
            beyond = max(low - share, share - low - shares.undecided, 0.0)
            error = math.sqrt(max(low, 1 / MANY) * (1 - min(low, share)) / MANY)
            outside = max(outside, beyond / error)
    return {"widest": widest, "outside": outside}


def open_way(way: str, plan: dict[str, Any]) -> tuple[Drawing, Callable[[], int]]:
    """The way to draw, its model loaded, and its count of forward passes (-1: not known)."""
    if way == "generate":
        return by_generate(plan)
    if way == "lm-eval":
        return by_lm_eval(plan)
    if way == "vllm":
        return by_vllm(plan)
    return by_ours(plan, way)


def held() -> int:
    """Bytes of the process now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def main(way: str, path: str) -> None:
    """Time one way and print its figures as JSON on the last line."""
    plan = json.loads(Path(path).read_text(encoding="utf-8"))
    draw, forwards = open_way(way, plan)
    before = held()
    everyone = list(range(len(plan["ids"])))
    draw(everyone[:1], 4)
    made, seconds, passes, spent, rounds = 0, 0.0, 0, 0.0, 0
    while rounds < ROUNDS and spent < LONG_ENOUGH:
        count, start = forwards(), time.perf_counter()
        made = draw(everyone, plan["n"])
        taken = time.perf_counter() - start
        spent, rounds = spent + taken, rounds + 1
        if not seconds or taken < seconds:
            seconds, passes = taken, forwards() - count
    assert made == len(everyone) * plan["n"]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before
    figures = {
        "draws": made,
        "seconds": seconds,
        "forwards": passes if forwards() >= 0 else None,
        "peak": peak,
        **(against_draws(plan) if way == "exact" else {}),
    }
    sys.stdout.write("\n" + json.dumps(figures) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
