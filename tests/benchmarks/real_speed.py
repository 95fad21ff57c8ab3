"""Draws per second from real models, by every way to draw: ``python -m tests.benchmarks.real_models --speed OUT.json``.

A small instruct model as it is, whose texts are nearly all distinct; the same after SFT, which answers in a word; and a
base model with a large vocabulary. Each way runs in a process of its own, all ways in turn and then all again. What the
file holds already is not measured again.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np
from pydantic import Field

from harness.progress import say
from harness.records import Record, read, write
from tests.benchmarks.real_speed_arm import ROWS, requests

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from transformers import PreTrainedModel

    from harness.sampling.hf.source import Source

ROOT = Path(__file__).parents[2]
RECORD, PAGE = ROOT / "docs" / "results" / "real_speed.json", ROOT / "docs" / "results" / "real_speed.md"
AGAIN = "python -m tests.benchmarks.real_models --speed OUT.json, with another OUT.json"
TASK, TARGET, HALFWIDTH = "gender_us", "labor", 0.03
WAYS = {
    "generate": "transformers `generate`",
    "vllm": "vLLM `n=`",
    "llamacpp": "llama.cpp's server, 32 slots",
    "ours": "distalign",
}
MODELS = {
    "smollm2": "SmolLM2-135M-Instruct, untuned",
    "sft": "the same after SFT",
    "gemma": "Gemma 3 270M, base",
}
DTYPES = ("float32", "bfloat16")
STORED = "4 bits"
"""Arithmetic of llama.cpp: the weights as they are stored."""
MEASURES = {100: 2, 1000: 1}
"""n -> prompts."""
ROUNDS = 2
SEQUENCES = 256
SECONDS = {"generate": 30, "vllm": 60, "llamacpp": 40, "ours": 60}
"""A process of each way takes so long, about, loading included."""
QUICK = 0.5
"""Share of that for a model that answers in a word."""


class SpeedRow(Record):
    """One way on one model, timed once."""

    model: str
    way: str
    dtype: str
    n: int
    round: int
    prompts: int
    draws: int
    """That were timed; of a way whose speed does not depend on n, as many as fit into some seconds."""
    seconds: float
    distinct: int | None = None
    """Texts, of ours."""
    outcomes: dict[str, int] = Field(default_factory=dict)
    """What the draws were read as, of ours."""


class SpeedRecord(Record):
    """All that was timed."""

    schema_version: int = Field(1, alias="schema")
    machine: str = ""
    rows: tuple[SpeedRow, ...] = ()
    needed: dict[str, int] = Field(default_factory=dict)
    """Model -> draws of a context until its TV is known to within ``HALFWIDTH`` to both sides."""
    profile: dict[str, dict[str, dict[str, float]]] = Field(default_factory=dict)
    """Model -> arithmetic -> part of a step -> milliseconds of processor time."""


class Arm(NamedTuple):
    """A process to be run."""

    model: str
    way: str
    dtype: str
    round: int

    @property
    def seconds(self) -> float:
        """About how long it takes."""
        return SECONDS[self.way] * (QUICK if self.model == "sft" else 1.0) * (1.0 if self.round == 1 else 0.5)

    @property
    def measures(self) -> dict[int, int]:
        """n -> prompts; the longer n once, for it is what takes the time."""
        long = self.way != "generate" and self.dtype != DTYPES[1] and (self.round == 1 or self.model == "sft")
        return {n: prompts for n, prompts in MEASURES.items() if long or n == min(MEASURES)}


def arms(models: Sequence[str]) -> Iterator[Arm]:
    """Every process, each model's ways in turn and then again; the shorter arithmetic at last, once, on one model."""
    exact, short = DTYPES
    for model in models:
        for turn in range(1, ROUNDS + 1):
            for way in WAYS:
                if way != "llamacpp":
                    yield Arm(model, way, exact, turn)
                elif model != "sft":  # which has no file of llama.cpp's
                    yield Arm(model, way, STORED, turn)
    for model in models[:1]:
        for way in WAYS:
            if way != "llamacpp":
                yield Arm(model, way, short, 1)


class Prepared(NamedTuple):
    """A model as the ways need it."""

    folder: Path
    file: str
    """The GGUF file; '' where there is none."""
    ids: list[list[int]]
    ends: list[int]


def prepare(model: str, scratch: Path) -> Prepared:
    """Unpack a GGUF file, or merge an adapter into its base; the prompts' tokens and the tokens that end an output."""
    from transformers import AutoConfig, AutoTokenizer, GenerationConfig

    from harness.sampling.hf.chat import Chat
    from harness.sampling.hf.source import find

    source = find(model)
    folder = merged(source, scratch)
    chat = Chat(AutoTokenizer.from_pretrained(folder))
    declared = (
        GenerationConfig.from_pretrained(folder) if (folder / "generation_config.json").is_file() else None
    )
    told = SimpleNamespace(config=AutoConfig.from_pretrained(folder), generation_config=declared)
    _, asked = requests({"task": TASK}, list(range(max(MEASURES.values()))), 1)
    return Prepared(
        folder,
        str(source.file or ""),
        [list(ids) for ids in chat.encode(asked)],
        sorted(chat.ends(cast("PreTrainedModel", told))),
    )


def merged(source: Source, scratch: Path) -> Path:
    """The folder of a checkpoint, an adapter merged into its base."""
    if source.base is None:
        return source.folder
    folder = scratch / "merged"
    if not (folder / "tokenizer_config.json").is_file():
        from peft import PeftModel
        from transformers import AutoModelForCausalLM, AutoTokenizer

        base: Any = AutoModelForCausalLM.from_pretrained(source.base.folder)
        PeftModel.from_pretrained(base, source.folder).merge_and_unload().save_pretrained(folder)
        AutoTokenizer.from_pretrained(source.folder).save_pretrained(folder)
    return folder


class Timed(NamedTuple):
    """What one process measured."""

    rows: list[dict[str, Any]]
    profile: dict[str, float]


def timed(arm: Arm, model: Prepared, measures: dict[int, int], engines: Path) -> Timed:
    """Run a process; it measured nothing where it cannot run."""
    plan = {
        "model": str(model.folder),
        "file": model.file,
        "way": arm.way,
        "task": TASK,
        "ids": model.ids,
        "ends": model.ends,
        "max_tokens": 24,
        "device": "cpu",
        "dtype": arm.dtype,
        "sequences": SEQUENCES,
        "measures": sorted(measures.items()),
        "profile": arm.way == "ours" and arm.round == 1 and arm.model != "sft",
    }
    python = str(engines) if arm.way == "vllm" else sys.executable
    # vLLM's scheduler would spin on a core of its own: here both cores compute, which took half the time.
    vllm = {"KVCACHE_SPACE": "2", "OMP_THREADS_BIND": "nobind"}
    environment = {
        **{f"VLLM_CPU_{name}": value for name, value in vllm.items()},
        "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
        "VLLM_LOGGING_LEVEL": "ERROR",
        "HF_HUB_OFFLINE": "1",
    }
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "plan.json"
        path.write_text(json.dumps(plan), encoding="utf-8")
        done = subprocess.run(
            [python, "-m", "tests.benchmarks.real_speed_arm", str(path)],
            cwd=ROOT,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        say(f"{arm.way} on {arm.model} in {arm.dtype} failed: {done.stderr[-800:]}")
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith(('{"n"', '{"profile"'))]
    rows = [line for line in lines if "n" in line]
    return Timed(rows, next((line["profile"] for line in lines if "profile" in line), {}))


def draws_needed(outcomes: dict[str, int]) -> int:
    """Draws of a context until both limits of its TV lie within the half-width, at the shares that were found."""
    from harness.scoring.interval import limits
    from harness.tasks.target import targets_of
    from harness.tasks.task import load_task

    task = load_task(TASK)
    ((name, (target, *_)),) = targets_of(task, [TARGET]).items()
    attribute = task.attributes[name]
    classes = np.array([outcomes.get(label, 0) for label in attribute.classes])
    # What is no class is one more, off the target, where there is any.
    invalid = sum(outcomes.values()) - classes.sum()
    shares = np.append(classes, [invalid] if invalid else []) / sum(outcomes.values())
    matrix = np.zeros((1, len(shares)))
    matrix[:, : len(classes)] = target.matrix(task, attribute, [task.contexts[0].id])

    def near(n: int) -> bool:
        tv, _ = limits(np.rint(shares * n)[None].astype(np.int64), matrix, ("tv",))["tv"]
        return max(float((tv.high - tv.estimate)[0]), float((tv.estimate - tv.low)[0])) <= HALFWIDTH

    low, high = 25, 50
    while not near(high):
        low, high = high, 2 * high
    while high > 1.02 * low:
        middle = (low + high) // 2
        low, high = (low, middle) if near(middle) else (middle, high)
    return high


def machine() -> str:
    """Processors, of which kind, and whether they compute in bfloat16."""
    info = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    names = [line.partition(":")[2].strip() for line in info.splitlines() if line.startswith("model name")]
    able = "with" if re.search(r"\b(avx512|amx)_bf16\b", info) else "without"
    return f"{len(os.sched_getaffinity(0))} processors ({', '.join(dict.fromkeys(names))}, {able} instructions for bfloat16)"


def run(out: Path, models: dict[str, str], engines: Path) -> SpeedRecord:
    """Measure what the file lacks, and write it after each process."""
    record = read(out, SpeedRecord, hint=AGAIN) if out.is_file() else SpeedRecord()
    there = {(r.model, r.way, r.dtype, r.n, r.round) for r in record.rows}
    left = [
        (arm, wanted)
        for arm in arms(list(models))
        if (
            wanted := {
                n: p
                for n, p in arm.measures.items()
                if (arm.model, arm.way, arm.dtype, n, arm.round) not in there
            }
        )
    ]
    say(f"{len(left)} processes, about {sum(arm.seconds for arm, _ in left) / 60:.0f} minutes on two cores")
    record = record.model_copy(update={"machine": machine()})
    prepared: dict[str, Prepared] = {}
    for number, (arm, wanted) in enumerate(left):
        if arm.model not in prepared:
            prepared[arm.model] = prepare(models[arm.model], out.with_suffix(""))
        begin = time.monotonic()
        found = timed(arm, prepared[arm.model], wanted, engines)
        rows = [
            SpeedRow(model=arm.model, way=arm.way, dtype=arm.dtype, round=arm.round, **one)
            for one in found.rows
        ]
        profile = {m: dict(each) for m, each in record.profile.items()}
        if found.profile:
            profile.setdefault(arm.model, {})[arm.dtype] = found.profile
        needed = dict(record.needed)
        for row in rows:
            if row.outcomes and row.n == max(MEASURES) and row.dtype == DTYPES[0]:
                needed[row.model] = draws_needed(row.outcomes)
        record = record.model_copy(
            update={"rows": (*record.rows, *rows), "needed": needed, "profile": profile}
        )
        write(out, record)
        still = sum(arm.seconds for arm, _ in left[number + 1 :]) / 60
        told = "; ".join(f"n = {r.n}: {r.draws / r.seconds:,.1f} draws/s" for r in rows) or "nothing"
        say(
            f"{number + 1}/{len(left)} {arm.model} {arm.dtype} {arm.way}: {told}; {time.monotonic() - begin:.0f} s, "
            f"about {still:.0f} minutes left"
        )
    return record


def rate(record: SpeedRecord, model: str, way: str, dtype: str, n: int) -> float | None:
    """Draws per second: of the rounds together; of ``generate`` the smaller n's, as its speed does not depend on n."""
    n = min(MEASURES) if way == "generate" else n
    rows = [r for r in record.rows if (r.model, r.way, r.dtype, r.n) == (model, way, dtype, n)]
    return sum(r.draws for r in rows) / sum(r.seconds for r in rows) if rows else None


HEAD = """\
# The speed of drawing from real models

Made by `python -m tests.benchmarks.real_models --speed` from [real_speed.json](real_speed.json). Do not edit.

Draws per second on {machine}, without a GPU.
Task `{task}`: n = 100 of two prompts, n = 1000 of one. All ways ran in turn, and then again (n = 1000 once where it takes long){once}. vLLM computes on both cores, in the process that asks, and
gets all of a call at once, up to {sequences} sequences at a time (64 and 1,024 were no faster). `generate` draws 100 at a
time. These two and llama.cpp compute every draw by itself: they are timed on as many draws as take some 12 seconds.
distalign draws all n. llama.cpp computes with the weights as they are stored, in 4 bits.

*Seconds to {halfwidth}* is the time to know one context's TV to within {halfwidth} to either side: the draws that this
takes at the shares that were found, at the speed of n = 1000. (distalign is faster than that where n is larger still.)
"""


def page(record: SpeedRecord) -> str:
    """The page of a record."""
    once = "; bfloat16 once" if any(r.dtype == DTYPES[1] for r in record.rows) else ""
    told = {
        "machine": record.machine,
        "task": TASK,
        "sequences": SEQUENCES,
        "halfwidth": HALFWIDTH,
        "once": once,
    }
    parts = [HEAD.format(**told)]
    for model, title in MODELS.items():
        if any(r.model == model for r in record.rows):
            parts += [f"## {title}\n", *_table(record, model)]
    return "\n".join(parts) + "\n"


def _table(record: SpeedRecord, model: str) -> Iterator[str]:
    needed = record.needed.get(model)
    seen = [r for r in record.rows if r.model == model and r.distinct]
    for n in MEASURES:
        texts = [f"{r.distinct:,} of {r.draws:,}" for r in seen if r.n == n][:1]
        if texts:
            yield f"Distinct texts at n = {n}: {texts[0]}."
    if needed:
        yield f"Draws of the context for a half-width of {HALFWIDTH}: {needed:,}."
    yield ""
    yield f"| way | arithmetic | {' | '.join(f'n = {n}' for n in MEASURES)} | seconds to {HALFWIDTH} |"
    yield "|---|---|--:|--:|--:|"
    for dtype in (*DTYPES, STORED):
        for way, title in WAYS.items():
            rates = [rate(record, model, way, dtype, n) for n in MEASURES]
            if any(rates):
                long = needed / rates[-1] if needed and rates[-1] else None
                cells = [*(_shown(r) for r in rates), _shown(long)]
                yield f"| {title} | {dtype} | {' | '.join(cells)} |"
    yield ""
    for dtype, parts in record.profile.get(model, {}).items():
        whole = sum(parts.values())
        told = ", ".join(
            f"{part} {ms / whole:.0%}" for part, ms in sorted(parts.items(), key=lambda p: -p[1])
        )
        yield f"A step of distalign at {ROWS} prefixes in {dtype}, {whole:,.0f} ms of processor time: {told}.\n"


def _shown(value: float | None) -> str:
    return "–" if value is None else f"{value:,.0f}" if value >= 100 else f"{value:.1f}"
