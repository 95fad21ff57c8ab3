"""``distalign target import``, as it is typed."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from harness.cli.main import run
from harness.tasks.target import load_target
from tests.importers.workbooks import bls_workbook, ons_workbook, save

if TYPE_CHECKING:
    from pathlib import Path

SOURCE = ["--publisher", "P", "--table", "T", "--year", "2020", "--license", "CC0"]
SOURCE += ["--link", "https://example.org"]


def typed(*arguments: object) -> int:
    return run([str(a) for a in ("target", "import", *arguments)])


def test_bls_and_ons(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    us = save(bls_workbook(2023), tmp_path, "us.xlsx")
    uk = save(ons_workbook(), tmp_path, "uk.xlsx")
    assert typed("bls", us, "--year", 2023, "-o", tmp_path / "us_2023") == 0
    assert typed("ons", uk, "--year", 2024, "--subtraction", "-o", tmp_path / "uk_2024") == 0
    assert "distalign target show" in capsys.readouterr().out
    assert load_target(str(tmp_path / "us_2023")).name == "us_2023"
    assert "nannies" in load_target(str(tmp_path / "uk_2024")).tables["gender"].rows
    assert typed("bls", us, "--year", 2024, "-o", tmp_path / "no") == 2
    assert "another year" in capsys.readouterr().err


def test_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "t.csv").write_text("job,women\nRoofers,4.1\nNurses,87.3\n", encoding="utf-8")
    command = ["table", tmp_path / "t.csv", "--attribute", "gender", "--context", "job", *SOURCE]
    classes = ["--class", "male=", "--class", "female=women"]
    out = tmp_path / "mine"
    assert typed(*command, *classes, "--unit", "percent", "--precision", "0.1", "-o", out) == 0
    rows = load_target(str(out)).tables["gender"].rows
    assert rows["roofers"] == pytest.approx({"male": 0.959, "female": 0.041}, abs=1e-12)
    assert typed(*command, "--class", "female", "-o", out) == 2
    assert "do not make a table" in capsys.readouterr().err
    assert typed(*command, "--link", "ftp://x", *classes, "-o", out) == 2
    assert re.search(r"--link.*ftp://x", capsys.readouterr().err, re.DOTALL)


def test_reference(tmp_path: Path) -> None:
    lines = [json.dumps({"said": f"Is it {n}?", "prompt": f"q{n}"}) for n in range(40)]
    (tmp_path / "c.jsonl").write_text("\n".join(lines), encoding="utf-8")
    out = tmp_path / "people"
    command = ["reference", tmp_path / "c.jsonl", "--language", "en", "--field", "reply=said", *SOURCE]
    assert typed(*command, "-o", out) == 0
    tables = load_target(str(out)).tables
    assert tables["length"].rows["single_assistant"]["short"] > 0.9
    assert tables["act"].rows["single_assistant"]["question"] > 0.9
