"""Each mistake in a task or target is one message with its place."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness.errors import UserError
from harness.tasks.target import resolve
from harness.tasks.task import load_task
from tests import helpers

if TYPE_CHECKING:
    from pathlib import Path

INLINE = helpers.TASK.replace(
    "targets: {survey: ./survey, even: uniform}\n",
    """targets:
  survey:
    provenance: {publisher: B, table: D, year: 2020, license: CC0-1.0, link: "https://example.org"}
    rows: {leeds: {tea: 0.1, coffee: 0.9}, oporto: {tea: 0.5, coffee: 0.5}}
""",
)
SPOILED = {
    "unknown key": ({"task": helpers.TASK + "promts: []\n"}, "task.yaml:15:promts", "unknown key 'promts'"),
    "unknown key in a prompt": (
        {"task": helpers.TASK.replace("{id: ask, text:", "{id: ask, txt: x, text:")},
        "task.yaml:9:prompts.0.txt",
        "unknown key",
    ),
    "duplicate key": ({"task": helpers.TASK + "version: 2\n"}, "task.yaml:15", "duplicate key"),
    "broken YAML": (
        {"task": helpers.TASK.replace("[espresso]", "[espresso")},
        "task.yaml:",
        "not valid YAML",
    ),
    "a tab": (
        {"task": helpers.TASK.replace("  coffee:", "\tcoffee:")},
        "task.yaml:6",
        "no tab",
    ),
    "a colon of full width": (
        {"task": "language：en\n" + helpers.TASK},
        "task.yaml:2",
        "a plain colon",
    ),
    "a text with a colon, without quotes": (
        {"task": helpers.TASK.replace("name: tea", "title: Tea: hot")},
        "task.yaml:1",
        "and quotes around a text with a colon",
    ),
    "a comma of full width": (
        {
            "task": helpers.TASK.replace(
                "classes:\n  tea: [a cup of tea]\n  coffee: [espresso]\n", "classes: [tea，coffee]\n"
            )
        },
        "task.yaml:4:classes",
        "this one has 'tea，coffee'",
    ),
    "unknown language": (
        {"task": "language: english\n" + helpers.TASK},
        "task.yaml:1:language",
        "expected: 'en' or 'zh'",
    ),
    "an inline share of full-width digits": (
        {"task": INLINE.replace("tea: 0.1", "tea: ０.１")},
        "task.yaml:14:targets.survey.rows.leeds.tea",
        "not a number",
    ),
    "percent in place of shares": (
        {"task": INLINE.replace("tea: 0.1, coffee: 0.9", "tea: 10, coffee: 90")},
        "task.yaml:14:targets.survey.rows.leeds",
        "0.25 where 25 percent are meant",
    ),
    "no classes": (
        {"task": helpers.TASK.replace("classes:\n  tea: [a cup of tea]\n  coffee: [espresso]\n", "")},
        "task.yaml",
        "missing key 'classes'",
    ),
    "one class": (
        {"task": helpers.TASK.replace("  coffee: [espresso]\n", "")},
        "classes",
        "at least two classes",
    ),
    "reserved class": (
        {"task": helpers.TASK.replace("coffee: [espresso]", "refused: [espresso]")},
        "classes",
        "'refused'",
    ),
    "wording of two classes": (
        {"task": helpers.TASK.replace("[espresso]", "[A cup of tea]")},
        "classes",
        "two classes",
    ),
    "version zero": (
        {"task": helpers.TASK.replace("version: 1", "version: 0")},
        "task.yaml:2:version",
        "greater than or equal to 1",
    ),
    "no version": ({"task": helpers.TASK.replace("version: 1\n", "")}, "task.yaml", "missing key 'version'"),
    "unknown split": (
        {"contexts": helpers.CONTEXTS.replace("train", "trian")},
        "contexts.csv:2",
        "unknown split",
    ),
    "two contexts of one id": (
        {"contexts": helpers.CONTEXTS.replace("oporto", "leeds")},
        "contexts.csv:3",
        "stands twice",
    ),
    "ragged contexts": ({"contexts": helpers.CONTEXTS + "york\n"}, "contexts.csv:4", "a row of 1 cells"),
    "contexts without id": (
        {"contexts": helpers.CONTEXTS.replace("id,", "key,")},
        "contexts.csv:1",
        "no column 'id'",
    ),
    "an id with a space before it": (
        {"task": helpers.TASK.replace("contexts.csv", "[leeds, ' oporto']")},
        "task.yaml:7:contexts.1",
        "neither begins nor ends with a space",
    ),
    "no contexts": ({"contexts": "id,place\n"}, "task.yaml:7", "no context"),
    "prompt of two forms": (
        {"task": helpers.TASK.replace("{id: ask,", "{id: ask, completion: x,")},
        "prompts.0",
        "one of text, messages, completion",
    ),
    "two prompts of one id": (
        {"task": helpers.TASK.replace("id: again", "id: ask")},
        "task.yaml:10",
        "stands twice",
    ),
    "prompt of an unknown context": (
        {"task": helpers.TASK.replace("{id: ask,", "{id: ask, contexts: [leads],")},
        "task.yaml",
        "unknown context",
    ),
    "example of an unknown label": (
        {"task": helpers.TASK.replace("label: coffee", "label: cofee")},
        "task.yaml:14",
        "unknown label",
    ),
    "negative temperature": (
        {"task": helpers.TASK + "sampling: {temperature: -1}\n"},
        "sampling.temperature",
        "greater than or equal to 0",
    ),
    "shares off 1": ({"table": helpers.TABLE.replace("0.2", "0.3")}, "table.csv:2", "do not sum to 1"),
    "negative share": (
        {"table": helpers.TABLE.replace("0.8,0.2", "1.2,-0.2")},
        "table.csv:2:coffee",
        "negative",
    ),
    "share that is no number": (
        {"table": helpers.TABLE.replace("0.8", "many")},
        "table.csv:2:tea",
        "not a number",
    ),
    "share that is not finite": (
        {"table": helpers.TABLE.replace("0.8", "nan")},
        "table.csv:2:tea",
        "infinite",
    ),
    "target row twice": ({"table": helpers.TABLE.replace("oporto", "leeds")}, "table.csv:3", "stands twice"),
    "target row missing": (
        {"table": "context,tea,coffee\nleeds,0.8,0.2\n"},
        "table.csv",
        "no row for a context",
    ),
    "target row too many": ({"table": helpers.TABLE + "york,0.5,0.5\n"}, "table.csv:4", "does not have"),
    "target column missing": (
        {"table": "context,tea,water\nleeds,0.8,0.2\noporto,0.1,0.9\n"},
        "table.csv",
        "column",
    ),
    "target without provenance": (
        {"target": helpers.TARGET.split("provenance")[0]},
        "target.yaml",
        "provenance is required",
    ),
    "provenance without licence": (
        {"target": helpers.TARGET.replace("license: CC0-1.0, ", "")},
        "target.yaml:4:provenance",
        "missing key 'license'",
    ),
    "a link that is none": (
        {"target": helpers.TARGET.replace("https://example.org/drinks", "javascript:alert(1)")},
        "provenance.link",
        "not of this form",
    ),
    "target without its table": (
        {"target": helpers.TARGET.replace("table.csv", "figures.csv")},
        "figures.csv",
        "no such file",
    ),
    "null byte": ({"contexts": helpers.CONTEXTS.replace("Porto", "Po\0rto")}, "contexts.csv:3", "null byte"),
}


def load_all(path: str) -> None:
    task = load_task(path)
    drink = task.attributes["drink"]
    resolve(task, drink, "survey").matrix(task, drink, [c.id for c in task.contexts])


@pytest.mark.parametrize("name", sorted(SPOILED))
def test_every_mistake_names_its_place(name: str, tmp_path: Path) -> None:
    files, place, problem = SPOILED[name]
    path = helpers.write_task(tmp_path, **files)
    before = {p: p.read_bytes() for p in sorted(tmp_path.rglob("*")) if p.is_file()}
    with pytest.raises(UserError) as err:
        load_all(str(path))
    assert place in err.value.where
    assert problem in str(err.value)
    assert {p: p.read_bytes() for p in sorted(tmp_path.rglob("*")) if p.is_file()} == before
