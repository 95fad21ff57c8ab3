"""Files that were made to harm: no hang, no memory without end, one message each."""

from __future__ import annotations

import gzip
import json
import os
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from harness import limits
from harness.errors import UserError
from harness.files import Document, load_jsonl, load_yaml, read_csv
from harness.importers.sources import records
from harness.raw import parse_json, read_parquet, read_text
from harness.records import read
from harness.runs.manifest import Prompts
from harness.tasks import people, prompts, template
from harness.tasks.catalog import INCLUDE
from harness.tasks.target import resolve
from harness.tasks.target_file import PeopleSpec
from harness.tasks.task import load_task
from tests import helpers

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def laughs(first: str, row: str, levels: int = 9) -> str:
    """YAML in which each alias stands for nine of the one before."""
    lines = [f"a0: &a0 {first}"]
    for i in range(1, levels):
        lines.append(f"a{i}: &a{i} " + row.format(", ".join([f"*a{i - 1}"] * 9)))
    return "\n".join(lines) + "\n"


YAML = {
    "aliases of lists": (laughs("[x]", "[{}]"), "more than 200,000 keys"),
    "aliases merged": (laughs("{x: 1}", "{{<<: [{}]}}"), "more than 200,000 keys"),
    "an alias as a key": (laughs("[x]", "[{}]", 5) + "? *a4\n: b\n", "a key that is no text"),
    "an alias of itself": ("&a [*a]\n", "not valid YAML"),
    "depth": ("[" * 100_000, "not valid YAML"),
    "a long number": ("a: 0x" + "f" * 10_000, "a number of 10,002 characters"),
    "a number of base 60": ("a: " + ":".join(["1"] * 100_000), "a number of 199,999 characters"),
    "no date": ("a: !!timestamp foo", "not valid YAML"),
    "no truth": ("a: !!bool foo", "not valid YAML"),
    "no number": ("a: !!int ''", "not valid YAML"),
    "code": ("a: !!python/object/apply:os.system [ls]", "could not determine a constructor"),
    "half a pair": ('a: "\\ud83d"', "half of a surrogate pair"),
}


@pytest.mark.parametrize("name", YAML)
def test_yaml(name: str, tmp_path: Path) -> None:
    text, problem = YAML[name]
    file = tmp_path / "a.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(UserError) as err:
        load_yaml(file)
    assert problem in str(err.value)
    assert len(str(err.value)) < 1_000


@pytest.mark.slow
def test_yaml_without_end_is_given_up(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text("[" + "x," * 5_000_000, encoding="utf-8")
    with pytest.raises(UserError, match="more than 200,000 keys"):
        load_yaml(file)


def test_an_emoji_as_json_writes_it_is_one_character(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    file.write_text(json.dumps({"tea 🍵": ["🙂", "é"]}), encoding="utf-8")
    assert load_yaml(file).data == {"tea 🍵": ["🙂", "é"]}


def test_json_lines(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    for line in ("[" * 100_000, "9" * 5_000, '"\\ud83d"', "{"):
        file.write_text(f'"🙂"\n{line}\n', encoding="utf-8")
        with pytest.raises(UserError, match=r"a\.jsonl:2: not valid JSON"):
            load_jsonl(file)


def test_a_header_without_end(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    for header in (",".join(f"c{i}" for i in range(100_000)), "id," + "x" * 1_000_000):
        file.write_text(header + "\n", encoding="utf-8")
        with pytest.raises(UserError) as err:
            read_csv(file, required=["id"])
        assert len(str(err.value)) < 1_000


def test_only_files_that_end_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fifo, large = tmp_path / "fifo", tmp_path / "large"
    os.mkfifo(fifo)
    for path in (fifo, fifo.with_name("null\0byte"), tmp_path):
        with pytest.raises(UserError):
            read_text(path)
    if os.path.exists("/dev/zero"):  # noqa: PTH110  # a device is no Path of ours
        with pytest.raises(UserError, match="not a regular file"):
            load_yaml(tmp_path / "/dev/zero")
    large.write_text("12345", encoding="utf-8")
    assert read_text(large, 5) == "12345"
    with pytest.raises(UserError, match="too large"):
        read_text(large, 4)
    with pytest.raises(UserError, match="not a regular file"):
        load_task(helpers.write_task(tmp_path, helpers.TASK.replace("contexts.csv", "fifo")))


def test_parquet_that_unpacks_to_too_much(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "a.parquet"
    pq.write_table(pa.table({"x": [1, 2, 3], "y": ["a", "b", "a"]}), file)
    assert read_parquet(file).to_pydict() == {"x": [1, 2, 3], "y": ["a", "b", "a"]}
    monkeypatch.setattr(limits, "PARQUET_CELLS", 5)
    with pytest.raises(UserError, match="too large"):
        read_parquet(file)
    pq.write_table(pa.table({"x": [[1] * 1_000_000]}), tmp_path / "lists.parquet")
    with pytest.raises(UserError, match="lists in a table"):
        read_parquet(tmp_path / "lists.parquet")
    file.write_bytes(file.read_bytes()[:40])
    with pytest.raises(UserError, match="damaged"):
        read_parquet(file)


def test_a_text_that_stands_once_and_is_meant_a_million_times(tmp_path: Path) -> None:
    file = tmp_path / "a.parquet"
    texts = pa.DictionaryArray.from_arrays(
        pa.array([0, 1, None] * 1_000_000, pa.int32()), ["", "x" * 100_000]
    )
    pq.write_table(pa.table({"text": texts}), file)
    assert file.stat().st_size < 1_000_000
    with pytest.raises(UserError, match="100,000,000,000 bytes of text"):
        read_parquet(file)
    few = pa.DictionaryArray.from_arrays(pa.array([0, 1, None, 1], pa.int32()), ["", "é"])
    pq.write_table(pa.table({"text": few}), file)
    assert read_parquet(file) == pa.table({"text": pa.array(["", "é", None, "é"])})


def test_json_of_values_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "JSON_VALUES", 20)
    quoted = json.dumps({"a": '[{,:"\\' * 50, "b": ["[\\", ","]})
    assert parse_json(quoted, "here") == json.loads(quoted)
    file = tmp_path / "a.jsonl"
    for text in ("[" + "[]," * 20 + "0]", '[""' + ',""' * 20 + "]", '{"a":0}\n' * 11):
        file.write_text(text, encoding="utf-8")
        with pytest.raises(UserError, match="too many values"):
            load_jsonl(file)
        with pytest.raises(UserError, match="too many values"):
            read(file, Prompts, hint="")


def test_cells_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "CELLS", 6)
    file = tmp_path / "a.csv"
    file.write_text("a,b\n" + "1,2\n" * 3, encoding="utf-8")
    assert len(read_csv(file)[1]) == 3
    file.write_text("a,b\n" + "1,2\n" * 4, encoding="utf-8")
    with pytest.raises(UserError, match="too many cells"):
        read_csv(file)


def test_a_packed_corpus_of_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "a.jsonl.gz"
    file.write_bytes(gzip.compress(b'{"a": 1}\n{"a": "' + b"x" * 50_000_000 + b'"}\n'))
    assert file.stat().st_size < 100_000
    found = records(str(file))
    assert next(found).values == {"a": 1}
    with pytest.raises(UserError, match="a line that is too long") as err:
        next(found)
    assert err.value.where == "a.jsonl.gz:2"
    file.write_bytes(gzip.compress(b'{"a": 1}\n')[:-4])
    with pytest.raises(UserError, match="cannot be read"):
        list(records(str(file)))


VECTORS: Mapping[str, list[float | str | None]] = {
    "context": ["c", "c"],
    "length": ["", ""],
    "conversation": [0, 1],
    "f": [0.5, 1.0],
}
PEOPLE: Mapping[str, tuple[str, Mapping[str, list[float | str | None]], str]] = {
    "a scale that is no number": ("many", VECTORS, "q.csv:2:scale: not a number"),
    "no contexts": ("1", {k: v for k, v in VECTORS.items() if k != "context"}, "context: a text"),
    "a feature that is a text": ("1", {**VECTORS, "f": ["a", "b"]}, "f: a number"),
    "a conversation that is a text": ("1", {**VECTORS, "conversation": ["a", "b"]}, "a whole number"),
    "a value that is missing": ("1", {**VECTORS, "f": [0.5, None]}, "f: a number"),
    "no feature": ("1", {k: v for k, v in VECTORS.items() if k != "f"}, "features, a column each"),
}


@pytest.mark.parametrize("name", PEOPLE)
def test_figures_of_people_that_are_none(name: str, tmp_path: Path) -> None:
    scale, columns, told = PEOPLE[name]
    (tmp_path / "q.csv").write_text(f"context,length,feature,scale\nc,,f,{scale}\n", encoding="utf-8")
    pq.write_table(pa.table(dict(columns)), tmp_path / "v.parquet")
    spec = PeopleSpec(quantiles="q.csv", vectors="v.parquet", split="all", seed=0, corpus="")
    with pytest.raises(UserError) as err:
        people.load(spec, Document(tmp_path / "target.yaml", {}, {}))
    assert told in str(err.value)


def test_contexts_without_end(tmp_path: Path) -> None:
    rows = "".join(f"c{i},x,test\n" for i in range(limits.CONTEXTS + 1))
    with pytest.raises(UserError, match="too many contexts"):
        load_task(helpers.write_task(tmp_path, contexts="id,place,split\n" + rows))


TEMPLATES = {
    "loops": "{% for i in range(99999) %}{% for j in range(99999) %}x{% endfor %}{% endfor %}",
    "a loop over a text": "{% for i in context.place %}x{% endfor %}",
    "a wide number": "{{ '%1000000000d' % 1 }}",
    "a wide format": "{{ '{:1000000000d}'.format(1) }}",
    "a text many times": "{{ 'a' * 10**10 }}",
    "a power": "{{ 10**10**10 }}",
    "a macro": "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    "a wide centre": "{{ 'a'|center(1000000000) }}",
    "a file": "{% include '/etc/passwd' %}",
    "joined to itself": "{% set a = 'aaaaaaaa' %}" + "{% set a = a ~ a %}" * 40 + "{{ a }}",
    "replaced by longer": "{{ context.place" + "|replace('o', 'oooooooooo')" * 40 + " }}",
    "depth": "{% if 1 %}" * 500 + "x" + "{% endif %}" * 500,
    "brackets": "{{ " + "(" * 5_000 + "1" + ")" * 5_000 + " }}",
    "a long number": "{{ " + "9" * 5_000 + " }}",
    "a method": "{{ context.items }}",
    "an attribute": "{{ context|attr('__class__') }}",
    "a class": "{{ ''.__class__ }}",
}


@pytest.mark.parametrize("name", TEMPLATES)
def test_templates(name: str, tmp_path: Path) -> None:
    asks = json.dumps(TEMPLATES[name])
    text = helpers.TASK.replace('"What do people in {{ context.place }} drink?"', asks)
    task = load_task(helpers.write_task(tmp_path, text))
    with pytest.raises(UserError, match="cannot be rendered") as err:
        prompts.render(task, task.contexts, task.prompts)
    assert len(str(err.value)) < 2_000


def test_a_prompt_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(template, "RENDERED", 10)
    assert template.fill("{{ a }}{{ a }}", {"a": "12345"}) == "1234512345"
    with pytest.raises(ValueError, match="more than 10 characters"):
        template.fill("{{ a }}{{ a }}.", {"a": "12345"})
    with pytest.raises(ValueError, match="more than 10 characters"):
        template.fill("{{ a|replace('', '123') }}", {"a": "12345"})


def test_what_a_template_may_hold(tmp_path: Path) -> None:
    asks = (
        "{# of the place #}{% if context.split == 'test' and context.items is defined %}"
        "{{ context.items|replace('_', ' ')|title }}{% else %}{{ context['place']|upper }}{% endif %}"
        "{{ ' yes' if context.place in ['Porto', 'Rome'] else ' no' }}{% raw %} {{ {% endraw %}"
    )
    text = helpers.TASK.replace('"What do people in {{ context.place }} drink?"', json.dumps(asks))
    contexts = "id,place,split,items\nleeds,Leeds,train,a_b\noporto,Porto,test,port_wine\n"
    task = load_task(helpers.write_task(tmp_path, text, contexts=contexts))
    found = prompts.render(task, task.contexts, [task.prompts[0]])
    assert [r.messages[0].content for r in found] == ["LEEDS no {{ ", "Port Wine yes {{ "]


@pytest.mark.parametrize("key", ["contexts", "examples", "prompts", "file", "target"])
def test_a_task_reads_no_file_elsewhere(key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home, away = tmp_path / "a" / "tasks" / "tea", tmp_path / "elsewhere"
    helpers.write_task(away)
    (away / "list.yaml").write_text("- {id: ask, text: A drink}\n", encoding="utf-8")
    (away / "labelled.yaml").write_text("- {text: Tea., label: tea}\n", encoding="utf-8")
    task, target = helpers.TASK, helpers.TARGET
    head, _, tail = task.partition("prompts:")
    for path in (str(away) + "/", "../../../elsewhere/", "link/"):
        changed = {
            "contexts": task.replace("contexts.csv", path + "contexts.csv"),
            "examples": task.partition("examples:")[0] + f"examples: {path}labelled.yaml\n",
            "prompts": f"{head}prompts: {path}list.yaml\ntargets:{tail.partition('targets:')[2]}",
            "target": task.replace("./survey", path + "survey"),
        }.get(key, task)
        table = target.replace("table.csv", (path if path[0] == "/" else "../" + path) + "survey/table.csv")
        made = helpers.write_task(home, changed, target=table if key == "file" else target)
        if not (home / "link").exists():
            (home / "link").symlink_to(away)
        monkeypatch.delenv(INCLUDE, raising=False)
        with pytest.raises(UserError, match="outside the task's folder"):
            read_whole(made)
        monkeypatch.setenv(INCLUDE, str(away))
        read_whole(made)


def read_whole(path: Path) -> None:
    task = load_task(path)
    resolve(task, task.attributes["drink"], "survey")
