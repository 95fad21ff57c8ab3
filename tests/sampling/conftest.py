"""The tiny model, made once and kept in pytest's cache."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

import pytest

from tests.sampling import tiny, tiny_letters


@pytest.fixture(scope="session")
def tiny_model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint folder; the cache key is the code that makes it."""
    key = hashlib.sha256(Path(tiny.__file__).read_bytes()).hexdigest()[:16]
    cache = request.config.cache
    assert cache is not None
    kept = Path(cache.mkdir("distalign-tiny")) / key
    if not (kept / "config.json").is_file():
        fresh = tiny.make_tiny(tmp_path_factory.mktemp("tiny") / "model")
        beside = kept.with_name(f"{key}-{os.getpid()}")
        shutil.copytree(fresh, beside)
        try:
            beside.rename(kept)  # whole or not at all: another process may be reading it
        except OSError:
            shutil.rmtree(beside)  # that process was faster
    return kept


@pytest.fixture(scope="session")
def letters_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random model of six letters: few enough outputs to write them all down."""
    return tiny_letters.make_letters(tmp_path_factory.mktemp("letters"))
