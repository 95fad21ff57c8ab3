"""Draws per second of every way to draw: ``python -m tests.benchmarks.sampling``.

One checkpoint, two tasks: an answer of one word (24 prompts) and a story of 128 tokens (2 prompts). Each way runs
in a process of its own; the best of up to forty rounds within 8 seconds counts. vLLM runs with the Python of ``--engines``, where it is
installed; a way that is missing leaves a dash.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.benchmarks import sampling_model
from tests.benchmarks.sampling_arm import MANY

WAYS = {
    "generate": "transformers `generate(num_return_sequences=n)`",
    "lm-eval": "lm-eval `repeats: n`",
    "vllm": "vLLM `n=`",
    "collapsed": "distalign collapsed",
    "settled": "distalign collapsed, early settling",
    "exact": "distalign exact, epsilon 1e-3",
}
SHORT_ONLY = ("settled", "exact")
STORIES = 2
ROOT = Path(__file__).parents[2]


def plan(model: Path, task: str, n: int, device: str) -> dict[str, Any]:
    """What an arm needs to know."""
    people = sampling_model.PEOPLE if task == "short" else sampling_model.PEOPLE[:STORIES]
    ask = sampling_model.question if task == "short" else sampling_model.STORY.format
    words = sampling_model.tokenizer()
    questions = [ask(p) for p in people]
    texts = [
        words.apply_chat_template(
            [{"role": "user", "content": q}], tokenize=False, add_generation_prompt=True
        )
        for q in questions
    ]
    ids = [words(t, add_special_tokens=False)["input_ids"] for t in texts]
    cap = 16 if task == "short" else 128
    return {
        "model": str(model),
        "questions": questions,
        "texts": texts,
        "ids": ids,
        "n": n,
        "max_tokens": cap,
        "device": device,
        "dtype": "float32",
        "ends": [],
        "sequences": 1024,
    }


def run(way: str, path: Path, engines: Path) -> dict[str, Any] | None:
    """The figures of one way, None where it cannot run."""
    python = str(engines) if way == "vllm" else sys.executable
    if way == "vllm" and not engines.exists():
        return None
    environment = {"VLLM_CPU_KVCACHE_SPACE": "2", "VLLM_LOGGING_LEVEL": "ERROR", "HF_HUB_OFFLINE": "1"}
    found = subprocess.run(
        [python, "-m", "tests.benchmarks.sampling_arm", way, str(path)],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    if found.returncode:
        sys.stderr.write(f"{way}: {found.stderr[-800:]}\n")
        return None
    line = next(x for x in reversed(found.stdout.splitlines()) if x.startswith('{"draws"'))
    figures: dict[str, Any] = json.loads(line)
    return figures


def table(task: str, n: int, found: dict[str, dict[str, Any] | None]) -> str:
    """The figures in Markdown."""
    lines = [
        f"**{task}, n = {n}**",
        "",
        "| way | seconds | draws/s | over generate | over vLLM | forwards | peak over the model |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    for way, figures in found.items():
        if figures is None:
            lines.append(f"| {WAYS[way]} | – | – | – | – | – | – |")
            continue
        speeds = [
            f"{base['seconds'] / figures['seconds']:,.{1 if base['seconds'] < 10 * figures['seconds'] else 0}f}x"
            if (base := found.get(other))
            else "–"
            for other in ("generate", "vllm")
        ]
        passes = "–" if figures["forwards"] is None else f"{figures['forwards']:,}"
        rate = figures["draws"] / figures["seconds"]
        lines.append(
            f"| {WAYS[way]} | {figures['seconds']:.3f} | {rate:,.0f} | {speeds[0]} | {speeds[1]} | {passes} "
            f"| {figures['peak'] / 2**20:,.0f} MiB |"
        )
    exact, generate = found.get("exact"), found.get("generate")
    if exact:
        lines += [
            "",
            f"The exact bounds of every prompt's shares are at most {exact['widest']:.1e} wide. The shares in {MANY:,} "
            f"draws of each prompt lie outside them by {exact['outside']:.1f} standard errors at most. The bounds took "
            f"{exact['seconds']:.3f} s"
            + (f", {n} draws by generate {generate['seconds']:.3f} s." if generate else "."),
        ]
    return "\n".join(lines)


def main() -> None:
    """Run what was asked for and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, help="a checkpoint made by an earlier run; default: made anew")
    parser.add_argument("--engines", type=Path, default=ROOT / ".venv-engines/bin/python")
    parser.add_argument(
        "--results", type=Path, help="a file of figures; those it holds are not measured again"
    )
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    parser.add_argument("--tasks", nargs="+", choices=("short", "story"), default=["short", "story"])
    parser.add_argument("--device", default="cpu", help="of all ways but vLLM's; memory is the host's")
    parser.add_argument("-n", nargs="+", type=int, default=[100, 1000])
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        model = args.model or Path(scratch) / "model"
        if not (model / "config.json").exists():
            sampling_model.make(model)
        kept = json.loads(args.results.read_text()) if args.results and args.results.exists() else {}
        for task in args.tasks:
            for n in args.n:
                path = Path(scratch) / "plan.json"
                path.write_text(json.dumps(plan(model, task, n, args.device)), encoding="utf-8")
                known: dict[str, dict[str, Any] | None] = kept.setdefault(f"{task}/{n}", {})
                for way in args.ways:
                    if known.get(way) is None and (task == "short" or way not in SHORT_ONLY):
                        known[way] = run(way, path, args.engines)
                        if args.results:
                            args.results.write_text(json.dumps(kept, indent=1), encoding="utf-8")
                print(table(task, n, {way: known[way] for way in WAYS if way in known}), flush=True)
                print()


if __name__ == "__main__":
    main()
