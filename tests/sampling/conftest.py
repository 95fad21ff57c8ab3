"""The tiny model, made once and kept in pytest's cache."""

from __future__ import annotations

import hashlib
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
        shutil.rmtree(kept, ignore_errors=True)
        shutil.copytree(fresh, kept)
    return kept


@pytest.fixture(scope="session")
def letters_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random model of six letters: few enough outputs to write them all down."""
    return tiny_letters.make_letters(tmp_path_factory.mktemp("letters"))
