"""What tests of training share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.baselines.tiny import tiny_task, write_tiny

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the random Llama."""
    return write_tiny(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="session")
def tea(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tea task."""
    return tiny_task(tmp_path_factory.mktemp("tea"))
