"""The publishers' own files, where the person who runs the tests has them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness.importers.bls import import_bls
from harness.importers.ons import import_ons

SHIPPED = Path(__file__).parents[2] / "targets"
FILES = {
    "labor_us_2022": "DISTALIGN_BLS_2022_XLSX",
    "labor_us_2025": "DISTALIGN_BLS_2025_CSV",
    "labor_uk_2024": "DISTALIGN_ONS_2024_XLSX",
    "labor_uk_2024_subtraction": "DISTALIGN_ONS_2024_XLSX",
}


@pytest.mark.parametrize("name", FILES)
def test_the_shipped_target_is_reproduced_byte_for_byte(name: str, tmp_path: Path) -> None:
    variable = FILES[name]
    if variable not in os.environ:
        pytest.skip(f"the publisher's own file is not part of the project: set {variable} to where it is")
    source, year, out = Path(os.environ[variable]), int(variable.split("_")[2]), tmp_path / name
    if "_ONS_" in variable:
        import_ons(source, year, out, subtraction=name.endswith("subtraction"))
    else:
        import_bls(source, year, out)
    assert {p.name: p.read_bytes() for p in out.iterdir()} == {
        p.name: p.read_bytes() for p in (SHIPPED / name).iterdir()
    }
