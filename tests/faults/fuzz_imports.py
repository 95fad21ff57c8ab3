"""Mutated tables, surveys, corpora and prompts, as they are imported: what an import writes can be read again."""

from __future__ import annotations

import csv
import json
import shutil
from functools import partial
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from harness.errors import UserError
from harness.importers.bls import import_bls
from harness.importers.corpus import Splits
from harness.importers.ons import import_ons
from harness.importers.prompts import import_prompts
from harness.importers.reference import ReferenceOptions, import_reference
from harness.importers.survey import SurveyOptions, import_survey
from harness.importers.table import TableOptions, import_table
from harness.tasks import prompts
from harness.tasks.target import load_target, resolve
from harness.tasks.target_file import Provenance
from harness.tasks.task import load_task
from tests import helpers
from tests.faults.fuzzing import Entry
from tests.importers.workbooks import bls_rows, bls_workbook, ons_workbook, save

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

SOURCE = Provenance(publisher="P", table="T", year=2022, license="CC0-1.0", link="https://example.org")
BLS_HEAD = "Occupation,Total employed,Women,White,Black or African American,Asian,Hispanic or Latino"


def again(folder: Path, write: Callable[[Path], object], read: Callable[[Path], object]) -> None:
    """Import into an empty folder, and read what was written."""
    out = folder / "out"
    shutil.rmtree(out, ignore_errors=True)
    write(out)
    try:
        read(out)
    except UserError as err:
        raise AssertionError(f"what was written cannot be read: {err}") from err


def target(out: Path) -> None:
    """Read a target."""
    load_target(str(out / "target.yaml"))


def tasks(out: Path) -> None:
    """Read all tasks in a folder, their prompts and targets."""
    for file in out.glob("**/task.yaml"):
        task = load_task(file)
        prompts.render(task, task.contexts, task.prompts)
        for attribute in task.attributes.values():
            for alias in attribute.targets:
                resolve(task, attribute, alias)


def replies(file: Path, out: Path) -> None:
    """Import people's replies, the test split as a task."""
    options = ReferenceOptions("en", SOURCE, split="train", splits=Splits(0.5, 0.0), task=out / "task")
    import_reference([str(file)], out / "target", options)


def read_replies(out: Path) -> None:
    """Read the target and the task of people's replies."""
    target(out / "target")
    tasks(out)


def write_all(folder: Path) -> None:
    """A file of each kind."""
    helpers.write_task(folder / "tea")
    save(bls_workbook(2022), folder, "bls.xlsx")
    save(ons_workbook(2024), folder, "ons.xlsx")
    with (folder / "bls.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(BLS_HEAD.split(","))
        writer.writerows(bls_rows())
    (folder / "table.csv").write_text("job,women,men\nRoofers,4.1,95.9\nNurses,87.3,12.7\n", encoding="utf-8")
    trust = ["A great deal", "Some, but not much", "None at all", "Refused"]
    asked = {"question": "How much do you trust {banks}?", "references": str(trust), "key": "TRUST_W1"}
    shares = {"All adults": "[0.2, 0.5, 0.2, 0.1]", "Age 65+": "[0.4, 0.4, 0.2, 0.0]"}
    with (folder / "survey.csv").open("w", encoding="utf-8", newline="") as file:
        keyed = csv.DictWriter(file, [*asked, "option_ordinal", *shares])
        keyed.writeheader()
        keyed.writerow({**asked, "option_ordinal": "[3.0, 2.0, 1.0]", **shares})
        keyed.writerow({**asked, "question": "And courts?", "key": "TRUST_W2", **shares})
    wide = {
        "question": "Own a boat?",
        "options": ["Yes", "No"],
        "selections": {"A": [0.1, 0.9], "B": [0.2, 0.8]},
    }
    (folder / "survey.jsonl").write_text(json.dumps(wide) + "\n", encoding="utf-8")
    said = [
        {
            "id": f"c{n // 4}-{n % 4}",
            "turn": n % 4,
            "response": f"Is it {n} or not?",
            "prompt": f"Question {n}.",
        }
        for n in range(80)
    ]
    (folder / "replies.jsonl").write_text("\n".join(map(json.dumps, said)) + "\n", encoding="utf-8")
    told = [[{"role": "user", "content": "Hello."}, {"role": "assistant", "content": "Yes?"}]] * len(said)
    pq.write_table(
        pa.table({key: [row[key] for row in said] for key in said[0]} | {"history": told}),
        folder / "replies.parquet",
    )
    messages = [{"role": "user", "content": "A drink of Leeds?"}, {"role": "assistant", "content": "Tea"}]
    prompts_ = [{"messages": messages}, {"prompt": "What is drunk {there}?", "context": "oporto"}]
    (folder / "prompts.json").write_text(json.dumps(prompts_), encoding="utf-8")


def entries(folder: Path) -> Mapping[str, Entry]:
    """Every file with its import."""
    tea = load_task(folder / "tea" / "task.yaml")
    table = TableOptions("gender", {"female": "women", "male": "men"}, SOURCE, context="job", unit="percent")
    counts = TableOptions("gender", {"female": "women", "male": "men"}, SOURCE, context="job", unit="counts")
    survey = SurveyOptions("opinion", SOURCE)
    made: dict[str, tuple[Callable[[Path, Path], object], Callable[[Path], None]]] = {
        "bls.xlsx": (lambda file, out: import_bls(file, 2022, out), target),
        "bls.csv": (lambda file, out: import_bls(file, 2022, out), target),
        "ons.xlsx": (lambda file, out: import_ons(file, 2024, out, subtraction=True), target),
        "table.csv": (lambda file, out: import_table(file, out, table), target),
        "counts.csv": (lambda file, out: import_table(file, out, counts), target),
        "survey.csv": (lambda file, out: import_survey(file, out, survey), tasks),
        "survey.jsonl": (lambda file, out: import_survey(file, out, survey), tasks),
        "replies.jsonl": (replies, read_replies),
        "replies.parquet": (replies, read_replies),
        "prompts.json": (lambda file, out: import_prompts(file, tea, "asked", out), tasks),
    }
    shutil.copyfile(folder / "table.csv", folder / "counts.csv")
    return {
        name: Entry(folder / name, partial(again, folder, partial(write, folder / name), read))
        for name, (write, read) in made.items()
    }


NAMES = (
    *("bls.xlsx", "bls.csv", "ons.xlsx", "table.csv", "counts.csv", "survey.csv", "survey.jsonl"),
    *("replies.jsonl", "replies.parquet", "prompts.json"),
)
