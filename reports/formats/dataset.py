"""Draws, prompts, counts and scores of runs as a folder that ``datasets.load_dataset`` reads, with a card."""

from __future__ import annotations

from typing import TYPE_CHECKING

import yaml

from harness.begun import refuse_others
from harness.errors import UserError
from harness.files import make_folder, replacing, write_atomic
from harness.plaintext import spelled
from harness.readings import readings
from harness.runs.source import task_of
from reports.board import build
from reports.export import markdown, parquet, scored
from reports.packing import public
from reports.standing import asked
from reports.tables import records
from reports.text import escaped

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pyarrow as pa

    from harness.runs.folder import Run
    from reports.load import Entry

PARTS = ("draws", "prompts", "counts", "scores")
CARD = """\
# What models said, and what was read from it

Made by distalign: each model was asked every prompt n times. `load_dataset(FOLDER, PART)` reads one part:

- `draws` (`run`, `model`, `task`, `context`, `prompt`, `text`, `count`, `finish`, `tokens`, `outcomes`): one row for each
  distinct text of a chunk of draws. `count` says how many draws gave it, so sum `count`, not rows. `outcomes` has, for
  each attribute, the class that was read, or `unparsed`, `refused`, `truncated` or `failed`.
- `prompts` (`run`, `context`, `prompt`, `messages`, `text`): what was asked.
- `counts` (`run`, `attribute`, `context`, `prompt`, `outcome`, `count`): every metric can be computed from these.
- `scores`: one row for each run, attribute and target, as in `leaderboard.csv`.

The texts are outputs of models, word for word. They may be false, biased or offensive. No licence is stated here: state
one before you publish this folder, and mind those of the models and of these targets:

"""


def write(runs: Sequence[str], out: Path) -> Path:
    """Write the folder: ``README.md`` and a folder of Parquet files for each part."""
    import pyarrow as pa

    found = scored(runs)
    drawn = {f"{e.run.manifest.run}-n{e.run.n}.parquet": e.run for e in found if not e.certain}
    if not drawn:
        raise UserError("none of these runs has draws", found=", ".join(runs), expected="a run with draws")
    ours = {"scores/scores.parquet", *(f"{part}/{name}" for part in PARTS for name in drawn)}
    refuse_others(out, ours, "a data set is written into a new folder")
    for name, run in drawn.items():
        for part, columns in (
            ("draws", _draws(run)),
            ("prompts", _prompts(run)),
            ("counts", _counts(found, run)),
        ):
            _save(pa.table(columns), out / part / name)
    rows = records(build(found), {})
    make_folder(out / "scores")
    parquet(rows, out / "scores" / "scores.parquet")
    about = {
        "pretty_name": "Draws of language models, by distalign",
        "language": sorted({e.run.identity.language for e in found}),
        "tags": ["distalign", "evaluation"],
        "configs": [
            {
                "config_name": part,
                "data_files": f"{part}/*.parquet",
                **({"default": True} if part == "draws" else {}),
            }
            for part in PARTS
        ],
    }
    front = yaml.safe_dump(about, sort_keys=False, allow_unicode=True)
    write_atomic(
        out / "README.md", f"---\n{front}---\n\n{CARD}{_targets(found)}\n\n## Results\n\n{markdown(rows)}"
    )
    return out


def _save(table: pa.Table, path: Path) -> None:
    import pyarrow.parquet as pq

    make_folder(path.parent)
    with replacing(path) as file:
        pq.write_table(table, file, compression="zstd")


def _draws(run: Run) -> dict[str, pa.Array]:
    import pyarrow as pa

    rows = list(readings(run, task_of(run)))
    outcomes = [[{"attribute": name, "outcome": r.label} for name, r in row.readings.items()] for row in rows]
    kind = pa.list_(pa.struct([("attribute", pa.string()), ("outcome", pa.string())]))
    return {
        **{key: pa.array([value] * len(rows), pa.string()) for key, value in _of(run).items()},
        "context": pa.array([row.context for row in rows], pa.string()),
        "prompt": pa.array([row.prompt for row in rows], pa.string()),
        "text": pa.array([row.draw.text for row in rows], pa.string()),
        "count": pa.array([row.draw.count for row in rows], pa.int64()),
        "finish": pa.array([row.draw.finish for row in rows], pa.string()),
        "tokens": pa.array([row.draw.tokens for row in rows], pa.int64()),
        "outcomes": pa.array(outcomes, kind),
    }


def _of(run: Run) -> dict[str, str]:
    return {"run": run.manifest.run, "model": public(asked(run)), "task": run.identity.task}


def _prompts(run: Run) -> dict[str, pa.Array]:
    import pyarrow as pa

    asked_ = run.prompts().prompts
    turns = [[{"role": m.role, "content": m.content} for m in p.messages] for p in asked_]
    kind = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))
    return {
        "run": pa.array([run.manifest.run] * len(asked_), pa.string()),
        "context": pa.array([p.context for p in asked_], pa.string()),
        "prompt": pa.array([p.prompt for p in asked_], pa.string()),
        "messages": pa.array(turns, kind),
        "text": pa.array([p.text for p in asked_], pa.string()),
    }


def _counts(found: Sequence[Entry], run: Run) -> dict[str, pa.Array]:
    import pyarrow as pa

    tables = {e.attribute: e.table for e in found if e.run is run or e.run.folder == run.folder}
    lines = [(name, *place, values[0]) for name, table in tables.items() for place, values in table.lines()]
    columns = dict(zip(("attribute", "context", "prompt", "outcome"), zip(*lines, strict=True), strict=False))
    return {
        "run": pa.array([run.manifest.run] * len(lines), pa.string()),
        **{key: pa.array(list(values), pa.string()) for key, values in columns.items()},
        "count": pa.array([line[-1] for line in lines], pa.int64()),
    }


def _targets(found: Sequence[Entry]) -> str:
    """Where each target's figures come from."""
    lines = {}
    for entry in found:
        source = entry.target.provenance
        told = (
            f"{source.publisher}: {source.table} ({source.year}), {source.license}, {source.link}"
            if source
            else ""
        )
        lines[entry.target.name] = (
            f"- {escaped(entry.target.name)}: {escaped(spelled(told)) or 'no source: every class equally often'}"
        )
    return "\n".join(lines[name] for name in sorted(lines))
