"""The command that draws the README's picture shows a board with ranked rows and no word of failure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.reports.picture import draw

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.browser
def test_the_picture_shows_ranked_rows_and_no_failure(tmp_path: Path) -> None:
    words = draw(tmp_path / "picture.png", models=1)
    shown = re.search(r"(\d+) of (\d+) rows", words)
    assert shown
    assert int(shown[1]) == int(shown[2]) > 5
    for failure in ("do not follow", "No row fits", "undefined", "NaN"):
        assert failure not in words
    assert (tmp_path / "picture.png").stat().st_size > 20_000
