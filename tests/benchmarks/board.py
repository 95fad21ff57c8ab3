"""Time and size of a large board: ``python -m tests.benchmarks.board [--models 200] [--tasks 12] [--keep FOLDER]``.

Run folders are written directly, from counts of a stated law, in the layout that ``distalign evaluate`` writes;
their scores are those of the counts, but for the floors, which are those of each task's first run.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from harness.records import write
from harness.scores import SCORES, Result, ScoredTarget, Scores
from harness.scoring import table
from harness.scoring.again import again
from harness.scoring.outcomes import Counts, to_csv
from harness.tasks.catalog import INCLUDE
from harness.tasks.task import load_task
from harness.terms import INVALID, READERS
from reports.leaderboard import leaderboard

CONTEXTS = 25
CLASSES = ("male", "female")
N = 100
GOALS = {
    "recomputed_s": 10.0,
    "as_stated_s": 10.0,
    "of_counts_s": 10.0,
    "page_mb": 6.0,
    "first_paint_ms": 1500.0,
    "sort_ms": 100.0,
}


def write_tasks(out: Path, tasks: int) -> None:
    """The tasks themselves, so that sample texts are read as they would be."""
    for t in range(tasks):
        task = {
            "name": f"task_{t}",
            "version": 1,
            "attribute": "gender",
            "classes": list(CLASSES),
            "contexts": [f"occupation_number_{i}" for i in range(CONTEXTS)],
            "prompts": [{"id": "p", "text": "Which, {{ context.name }}?"}],
            "targets": {"even": "uniform"},
        }
        (out / f"task_{t}").mkdir(parents=True)
        (out / f"task_{t}" / "task.yaml").write_text(json.dumps(task))


def write_runs(out: Path, models: int, tasks: int) -> None:
    """``models x tasks`` run folders, of the tasks that ``INCLUDE`` names."""
    rng = np.random.default_rng(0)
    contexts = [f"occupation_number_{i}" for i in range(CONTEXTS)]
    targets = rng.uniform(0.05, 0.95, (tasks, CONTEXTS))
    skill = rng.uniform(0, 0.3, models)
    for t in range(tasks):
        shares = np.stack([targets[t], 1 - targets[t]], axis=1)
        male = targets[t] + skill[:, None] * rng.choice([-1, 1], (models, CONTEXTS))
        male = np.clip(male, 0.01, 0.97)[..., None]
        laws = np.concatenate([male * 0.98, (1 - male) * 0.98, np.full_like(male, 0.02)], axis=2)
        counts = np.zeros((models, CONTEXTS, len(CLASSES) + len(INVALID)), dtype=np.int64)
        counts[..., :3] = rng.multinomial(N, laws)
        classes, none = counts[..., :2], counts[..., 2:].sum(axis=2)
        shape = table.score(classes[0], none[0], shares)
        exact = np.full(CONTEXTS, np.inf)
        means = again(classes, none, shares, exact, [shape.aggregate] * models)
        task_hash = load_task(f"task_{t}").hash
        for m, mean in enumerate(means):
            scored = replace(shape, aggregate=mean)
            _write(out, m, (t, task_hash), contexts, counts[m], shares, scored)


def _write(
    out: Path,
    m: int,
    task: tuple[int, str],
    contexts: list[str],
    counts: np.ndarray,
    shares: np.ndarray,
    scored: table.TableScore,
) -> None:
    t, task_hash = task
    run = f"{m:05x}{t:05x}"
    model = f"maker-{m % 17}/model-{m}-{1 + m % 70}B"
    folder = out / model.replace("/", "-") / f"task_{t}@1" / run
    (folder / "draws").mkdir(parents=True)
    identity = {
        "model": model,
        "revision": "",
        "weights": f"{m:064x}",
        "adapter": "",
        "adapter_weights": "",
        "template": "",
        "contract": {"labels": True},
        "task": f"task_{t}",
        "task_version": 1,
        "task_hash": task_hash,
        "language": "en",
        "prompts_hash": f"{t:064x}",
        "split": "all",
        "paraphrases": "test",
        "measure": "draws",
        "epsilon": None,
        "seed": 0,
        "sampling": {"temperature": 1.0, "top_p": 1.0, "top_k": 0, "max_tokens": 24, "stop": []},
    }
    manifest = {
        "schema": 1,
        "run": run,
        "identity": identity,
        "engine": {"name": "known"},
        "plan": [N],
        "state": "complete",
        "seconds": 1.5,
        "tokens": 2500,
    }
    target = ScoredTarget(
        name=f"target_{t}",
        title="",
        kind="table",
        hash=f"{t:064x}",
        smoothing="",
        provenance=None,
        shares=tuple(map(tuple, shares.tolist())),
    )
    result = Result(
        attribute="gender",
        classes=CLASSES,
        context_ids=tuple(contexts),
        target=target,
        table=scored,
    )
    scores = Scores(
        run=run,
        task=f"task_{t}",
        task_version=1,
        task_hash=task_hash,
        reader_version=READERS,
        as_drawn=True,
        results=(result,),
    )
    write(folder / SCORES, scores)
    texts = [
        (c, label, int(k))
        for c, row in zip(contexts, counts, strict=True)
        for label, k in zip((*CLASSES, "unparsed"), row, strict=False)
        if k
    ]
    draws = pa.table(
        {
            "context": [c for c, _, _ in texts],
            "prompt": ["p"] * len(texts),
            "chunk": [0] * len(texts),
            "n": [N] * len(texts),
            "seed": [0] * len(texts),
            "text": [label for _, label, _ in texts],
            "count": [k for _, _, k in texts],
            "finish": ["stop"] * len(texts),
            "tokens": [1] * len(texts),
            "error": [""] * len(texts),
        }
    )
    pq.write_table(draws, folder / "draws" / "part-000001.parquet", compression="zstd")
    cells = {(c, "p"): tuple(int(x) for x in row) for c, row in zip(contexts, counts, strict=True)}
    (folder / "counts.csv").write_text(to_csv([Counts("gender", CLASSES, cells)]))
    prompts = {
        "first_rendered": "user: Which?",
        "prompts": [{"context": c, "prompt": "p", "messages": [], "text": f"Which, {c}?"} for c in contexts],
    }
    for name, tree in (("manifest", manifest), ("prompts", prompts)):
        (folder / f"{name}.json").write_text(json.dumps(tree, indent=1))


LOADS = 3
"""Of the page: of each sort the fastest counts, for other work on the machine only adds."""


def in_browser(page_file: Path) -> dict[str, float]:
    """First paint and the slowest of several sorts, each to the frame that shows it."""
    from tests.reports.browser import chromium

    sort = """(key) => new Promise((done) => {
        const start = performance.now();
        document.querySelector(`th[data-key="${key}"] button`).click();
        requestAnimationFrame(() => setTimeout(() => done(performance.now() - start)));
    })"""
    views = {
        "": ("model", "tv", "rank", "valid", "tv"),
        "#col=all": ("model", "c0", "c5", "overall", "c0", "overall"),
    }
    loads: list[dict[str, float]] = []
    with chromium() as browser:
        for _ in range(LOADS):
            page = browser.new_page(viewport={"width": 1280, "height": 800})
            times: dict[str, float] = {}
            for view, keys in views.items():
                page.goto(page_file.as_uri() + view)
                page.reload()
                page.wait_for_selector("html[data-ready]")
                paint = "performance.getEntriesByName('first-contentful-paint')[0].startTime"
                times[f"paint {view}"] = page.evaluate(paint)
                times[f"ready {view}"] = page.evaluate("performance.now()")
                times |= {f"sort {view} {i} {key}": page.evaluate(sort, key) for i, key in enumerate(keys)}
            loads.append(times)
            page.close()
    best = {key: min(load[key] for load in loads) for key in loads[0]}
    names = {"first_paint_ms": "paint", "ready_ms": "ready", "sort_ms": "sort"}
    return {name: max(t for key, t in best.items() if key.startswith(kind)) for name, kind in names.items()}


def main() -> None:
    """Build the board, look at it, print each figure beside its goal."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--models", type=int, default=200)
    parser.add_argument("--tasks", type=int, default=12)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--no-browser", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        place = given.keep or Path(scratch)
        os.environ[INCLUDE] = str(place)
        if not (place / "runs").is_dir():
            write_tasks(place / "tasks", given.tasks)
            write_runs(place / "runs", given.models, given.tasks)
        figures: dict[str, float] = {}
        for name, recompute in (("recomputed", None), ("as_stated", False)):
            start, busy = time.perf_counter(), time.process_time()
            page = leaderboard([str(place / "runs")], place / "site", recompute=recompute)
            figures[f"{name}_s"] = time.perf_counter() - start
            figures[f"{name}_cpu_s"] = time.process_time() - busy
        figures["page_mb"] = page.stat().st_size / 1e6
        if not given.no_browser:
            figures |= in_browser(page)
        shutil.copytree(place / "runs", Path(scratch) / "counts", ignore=lambda *_: ["draws"])
        start = time.perf_counter()
        leaderboard([str(Path(scratch) / "counts")], Path(scratch) / "site-of-counts")
        figures["of_counts_s"] = time.perf_counter() - start
    print(f"{given.models} models x {given.tasks} tasks x {CONTEXTS} contexts, n = {N}")
    for name, value in figures.items():
        goal = f"(goal: at most {GOALS[name]:g})" if name in GOALS else ""
        print(f"{name:16} {value:10.2f} {goal}")


if __name__ == "__main__":
    main()
