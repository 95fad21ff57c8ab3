"""Models of strangers: what their folders say is looked at before anything is followed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from harness.errors import UserError
from harness.sampling.hf.source import find

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("named", ["{there}", "../{name}"])
def test_adapters_that_name_each_other(named: str, tmp_path: Path) -> None:
    for name, other in (("a", "b"), ("b", "a"), ("c", "c")):
        (tmp_path / name).mkdir()
        base = named.format(there=tmp_path / other, name=other)
        text = json.dumps({"base_model_name_or_path": base})
        (tmp_path / name / "adapter_config.json").write_text(text, encoding="utf-8")
    for name in "abc":
        with pytest.raises(UserError, match="is itself an adapter"):
            find(str(tmp_path / name))


def test_a_deep_config(tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text('{"a":' * 100_000, encoding="utf-8")
    with pytest.raises(UserError):
        find(str(tmp_path))
