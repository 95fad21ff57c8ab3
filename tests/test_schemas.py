"""The schemas of the files are those of the models, say what every key is, and hold of real files."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from tests.schemas import FILES, schemas

DOCS = Path(__file__).parent.parent / "docs" / "schemas"
BEFORE = Path(__file__).parent / "fixtures" / "before"


def test_the_written_schemas_are_those_of_the_models() -> None:
    written = {path.name: path.read_text(encoding="utf-8") for path in DOCS.glob("*.json")}
    assert written == schemas(), "python -m tests.schemas docs/schemas"


@pytest.mark.parametrize("name", FILES)
def test_every_key_has_a_description(name: str) -> None:
    tree = FILES[name].model_json_schema()
    parts = {name: tree, **tree.get("$defs", {})}
    bare = [
        f"{part}.{key}"
        for part, shape in parts.items()
        for key, field in shape.get("properties", {}).items()
        if not field.get("description")
    ]
    assert bare == []


@pytest.mark.parametrize("name", sorted(set(FILES) - {"labels"}))  # which did not exist then
def test_files_of_before_are_as_their_schema_says(name: str) -> None:
    check = jsonschema.Draft202012Validator(json.loads((DOCS / f"{name}.json").read_text(encoding="utf-8")))
    found = sorted(BEFORE.rglob(f"{name}.json"))
    assert found
    for path in found:
        data = json.loads(path.read_text(encoding="utf-8"))
        if name == "manifest":
            assert not check.is_valid(data)
            data["schema"] = 2
        assert [error.message for error in check.iter_errors(data)] == []
        assert not check.is_valid({**data, "unheard of": 1})
