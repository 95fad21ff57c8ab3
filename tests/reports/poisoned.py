"""Copies of runs whose models, outputs, contexts, classes and citations are hostile strings."""

from __future__ import annotations

import csv
import json
import shutil
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from harness.records import read, write
from harness.runs.manifest import PROMPTS, Prompts
from tests.reports.hostile import HOSTILE, LONG

if TYPE_CHECKING:
    from pathlib import Path


def poison(runs: Path, out: Path) -> None:
    """Every run with draws, ``len(HOSTILE)`` strings spread over all of its texts, one of 100 kB among them."""
    texts = iter(list(HOSTILE) * 40)
    folders = [f for f in sorted(runs.glob("*/*/*/")) if (f / "counts.csv").is_file()]
    for i, source in enumerate(folders * 20):
        if i == len(HOSTILE):
            break
        folder = out / str(i)
        shutil.copytree(source, folder)
        names: dict[str, str] = {}
        for context in _contexts(folder):
            names.setdefault(context, f"{next(texts)} {len(names)}")
        _manifest(folder, i)
        _counts(folder, names)
        _prompts(folder, names)
        _scores(folder, names, i)
        _draws(folder, i)


def _contexts(folder: Path) -> list[str]:
    with (folder / "counts.csv").open(newline="", encoding="utf-8") as file:
        return list(dict.fromkeys(row["context"] for row in csv.DictReader(file)))


def _load(folder: Path, name: str) -> dict[str, dict[str, object]]:
    tree = json.loads((folder / name).read_text(encoding="utf-8"))
    assert isinstance(tree, dict)
    return tree


def _manifest(folder: Path, i: int) -> None:
    tree = _load(folder, "manifest.json")
    tree["identity"]["model"] = LONG if i == 3 else HOSTILE[i]
    tree["identity"]["revision"] = HOSTILE[-i]
    tree["engine"]["name"] = HOSTILE[(i * 7) % len(HOSTILE)]
    tree["run"] = f"{i:012x}"  # type: ignore[assignment]  # a text field
    (folder / "manifest.json").write_text(json.dumps(tree), encoding="utf-8")


def _counts(folder: Path, names: dict[str, str]) -> None:
    path = folder / "counts.csv"
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    clean = {k: v.replace("\x00", "").strip() for k, v in names.items()}
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([rows[0], *([r[0], clean[r[1]], *r[2:]] for r in rows[1:])])
    names.update(clean)


def _prompts(folder: Path, names: dict[str, str]) -> None:
    path = folder / PROMPTS
    asked = read(path, Prompts, hint="")
    renamed = tuple(p.model_copy(update={"context": names[p.context]}) for p in asked.prompts)
    write(path, asked.model_copy(update={"prompts": renamed}))


def _scores(folder: Path, names: dict[str, str], i: int) -> None:
    from harness.files import read_csv

    tree = json.loads((folder / "scores.json").read_text(encoding="utf-8"))
    read = list(dict.fromkeys(row.cells["context"] for row in read_csv(folder / "counts.csv")[1]))
    for result in tree["results"]:
        result["context_ids"] = read
        result["target"]["title"] = HOSTILE[i]
        result["target"]["name"] = "target" + HOSTILE[i % 5]
        link = ("javascript:window.pwned=1", "https://x.example/" + HOSTILE[i], "data:text/html,x")[i % 3]
        result["target"]["provenance"] = dict.fromkeys(
            ("publisher", "table", "license", "note"), HOSTILE[-i]
        ) | {"year": 2020, "link": link}
    (folder / "scores.json").write_text(json.dumps(tree), encoding="utf-8")


def _draws(folder: Path, i: int) -> None:
    for part in sorted((folder / "draws").glob("*.parquet")):
        table = pq.read_table(part)
        old = table.column("text").to_pylist()
        # Five strings for each run's texts: a board reads every text that differs.
        texts = [f"{text} {HOSTILE[(i + k % 5) % len(HOSTILE)]}" for k, text in enumerate(old)]
        if i % 20 == 3:
            texts[0] = LONG
        pq.write_table(table.set_column(table.column_names.index("text"), "text", pa.array(texts)), part)
