"""The task of a run is found where the run says it is, or where the same one lies."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from harness.errors import UserError
from harness.runs.source import locate
from harness.tasks.task import load_task

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """A task of another installation, which reads a file of its neighbour."""
    for name in ("race_us", "gender_us"):
        shutil.copytree(load_task(name).source.path.parent, tmp_path / "tasks" / name)
    return tmp_path / "tasks" / "race_us" / "task.yaml"


def test_a_task_of_another_installation_is_the_one_that_is_here(elsewhere: Path) -> None:
    here = load_task("race_us")
    with pytest.raises(UserError, match="outside the task's folder"):
        load_task(elsewhere)
    assert locate(str(elsewhere), "race_us", here.hash).source.path == here.source.path


def test_but_not_another_task_of_its_name(elsewhere: Path) -> None:
    with pytest.raises(UserError, match="outside the task's folder"):
        locate(str(elsewhere), "race_us", "another")
    with pytest.raises(UserError, match="outside the task's folder"):
        locate(str(elsewhere), "nobody_has_it", "another")


def test_a_task_is_read_where_it_was_edited_or_not(elsewhere: Path) -> None:
    path = elsewhere.parents[1] / "gender_us" / "task.yaml"
    assert locate(str(path), "gender_us", "another").source.path == path
    path.unlink()
    with pytest.raises(UserError, match="is not the one that the run asked"):
        locate(str(path), "gender_us", "another")
    assert locate(str(path), "gender_us", load_task("gender_us").hash).name == "gender_us"
