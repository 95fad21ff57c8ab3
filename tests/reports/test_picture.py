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
    assert len(set(re.findall(r"ckpt/\w+-Example", words))) >= 4
    assert re.search(r"(is|are) nearest to US labour force 2025", words)
    for failure in ("do not follow", "No row fits", "undefined", "NaN"):
        assert failure not in words
    assert (tmp_path / "picture.png").stat().st_size > 20_000
