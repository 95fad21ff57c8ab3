"""A task whose prompts tell how long the reply is to be: ``python -m baselines.polyalign.told TASK --target T -o OUT``.

For models of ``profile: drawn`` and ``profile: gold``. With ``drawn`` the length of a prompt is drawn from people's shares
in its context, so that nothing of the held-out reply is told. With ``gold`` it is that of the held-out reply itself.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click
import numpy as np
import yaml

from baselines.polyalign.profile import LENGTHS, line
from baselines.rows import apportion
from harness.errors import UserError
from harness.files import make_folder, write_atomic
from harness.natural.features import token_count
from harness.raw import read_text
from harness.reading.style import length_bin
from harness.tasks.catalog import beside
from harness.tasks.target import load_target
from harness.tasks.task import load_task

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.tasks.target import Target

Told = Literal["drawn", "gold"]


def write_told(task: str, target: Target, out: Path, profile: Told, seed: int = 0) -> Path:
    """Write the task and return its file.

    Args:
        task: name, folder or file of a task of people's replies.
        target: the people of the training split.
        out: a new folder.
        profile: which length is told.
        seed: of the drawing.
    """
    loaded = load_task(task)
    data = loaded.source.data
    assert isinstance(data, dict)  # noqa: S101  # a task that loads is a mapping
    if not all(p.reference for p in loaded.prompts):
        raise UserError("no task of people's replies", where=task, expected="prompts with a reference")
    if out.exists() and any(out.iterdir()):
        raise UserError("the folder holds something", where=str(out), expected="a new or empty folder")
    records = [
        json.loads(text) for text in read_text(beside(loaded.source, data["prompts"])).splitlines() if text
    ]
    lengths = _gold(records) if profile == "gold" else _drawn(records, target, seed)
    for record, length in zip(records, lengths, strict=True):
        told = line(length, loaded.language, profile)
        record["messages"] = [told.turn(), *record["messages"]]
    make_folder(out)
    written = {**data, "name": out.resolve().name, "prompts": "prompts.jsonl"}
    for spec in written["attributes"].values():
        spec["targets"] = {
            alias: os.path.relpath((loaded.folder / path).resolve(), out.resolve()) if "/" in path else path
            for alias, path in spec["targets"].items()
        }
    lines = [json.dumps(r, ensure_ascii=False) for r in records]
    write_atomic(out / "prompts.jsonl", "\n".join(lines) + "\n")
    write_atomic(out / "task.yaml", yaml.safe_dump(written, sort_keys=False, allow_unicode=True, width=110))
    return out / "task.yaml"


def _gold(records: list[dict[str, object]]) -> list[str]:
    return [length_bin(token_count(str(r["reference"]))) for r in records]


def _drawn(records: list[dict[str, object]], target: Target, seed: int) -> list[str]:
    """In each context as often as people, to within one prompt."""
    rng = np.random.default_rng(seed)
    rows: dict[str, list[int]] = {}
    for number, record in enumerate(records):
        contexts = record["contexts"]
        assert isinstance(contexts, list)  # noqa: S101  # the task loads
        rows.setdefault(str(contexts[0]), []).append(number)
    found = [""] * len(records)
    for context, numbers in rows.items():
        shares: Mapping[str, float] = target.tables["length"].rows[context]
        parts = apportion([shares[name] for name in LENGTHS], len(numbers))
        names = [name for name, part in zip(LENGTHS, parts, strict=True) for _ in range(part)]
        for number, place in zip(numbers, rng.permutation(len(numbers)), strict=True):
            found[number] = names[place]
    return found


@click.command()
@click.argument("task")
@click.option("--target", required=True, help="The people of the training split.")
@click.option("--profile", type=click.Choice(["drawn", "gold"]), default="drawn", show_default=True)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option("-o", "--out", type=click.Path(file_okay=False, path_type=Path), required=True)
def main(task: str, target: str, profile: Told, seed: int, out: Path) -> None:
    """Write TASK again with a system message that tells a length."""
    click.echo(f"wrote {write_told(task, load_target(target), out, profile, seed).parent}")


if __name__ == "__main__":
    main()
