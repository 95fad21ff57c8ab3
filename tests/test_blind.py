"""Texts kept blind: their error stands apart from the examples', and marks a reader that errs on many of them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

from harness import evaluate
from harness.checking import check_task
from harness.cli.main import run as command
from harness.scores import scores_of
from harness.scoring.correction import corrected_shares
from harness.settings import Settings
from harness.terms import Draw
from reports.leaderboard import leaderboard
from tests.test_labels import fill
from tests.test_show import Scripted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from harness.terms import Request

EXAMPLES = [("Male.", "male"), ("She.", "female"), ("Neither.", "unparsed")]
BLIND = [*EXAMPLES, ("Certainly the one with the big hat", "female"), ("A male, as they say", "female")]


class Answers(Scripted):
    """Says male three times of four."""

    max_chunk = 20

    def draw(
        self, requests: Sequence[Request], sampling: object, settled: object = None
    ) -> Iterator[tuple[Request, list[Draw]]]:
        for request in requests:
            yield request, [Draw("Male", 15), Draw("Female", 5)]


@pytest.fixture
def task(tmp_path: Path) -> Path:
    def listed(texts: list[tuple[str, str]]) -> str:
        return json.dumps([{"text": text, "label": label} for text, label in texts])

    path = tmp_path / "task.yaml"
    path.write_text(
        "name: asked\nversion: 1\nattribute: gender\nclasses: {male: [], female: []}\ncontexts: [all]\n"
        "prompts: [{id: one, text: Which one}]\ntargets: {even: uniform}\n"
        f"examples: {listed(EXAMPLES)}\nblind: {listed(BLIND)}\n",
        "utf-8",
    )
    return path


def test_the_check_shows_both_errors_apart_and_no_blind_text(task: Path) -> None:
    told = "\n".join(check_task(str(task)).lines)
    assert "gender: 3 of 3 examples read right (100.0%)" in told
    # Clopper and Pearson's limits of 2 of 5, from tables
    assert "2 of 5 misread (40.0%, 95% 5.3% to 85.3%), 1 of these as a wrong class" in told
    assert "more than 10%: check runs by hand" in told
    assert "big hat" not in told


def test_a_doubtful_reader_is_marked_until_texts_are_labelled(
    task: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.sampling.hf.collapsed.CollapsedEngine", Answers)
    asked = [
        "evaluate",
        "scripted",
        "--task",
        str(task),
        "--target",
        "even",
        "-n",
        "20",
        "-o",
        str(tmp_path / "runs"),
    ]
    assert command(asked) == 0
    mark = "the reader of gender misreads 40% [5%, 85%] of texts that it was not written on"
    assert mark in capsys.readouterr().out
    run = evaluate("scripted", str(task), "even", Settings(n=20, out=tmp_path / "runs"))
    (result,) = scores_of(run).results
    assert result.reader is not None
    assert result.blind is not None
    assert (result.reader.n, result.reader.accuracy, result.blind.n) == (3, 1.0, 5)
    # The errors that are taken out are those of the blind texts: 1 of 1 male, 1 of 2 female that were given a class.
    found = corrected_shares(np.array([[15, 5]]), np.array([[1, 0], [1, 1]]))
    assert found is not None
    assert result.corrected_shares is not None
    assert result.corrected_shares[0] == dict(zip(("male", "female"), found[0][0].tolist(), strict=True))

    def told() -> list[float]:
        page = leaderboard([str(run.folder)], tmp_path / "site").read_text(encoding="utf-8")
        (shown,) = json.loads(page.split('id="data">')[1].split("</script>")[0])["runs"]
        assert shown["readers"] == {"gender": [1.0, 3]}
        return list(shown["blind"]["gender"])

    assert told() == pytest.approx([0.4, 0.0527, 0.8534, 5, 1], abs=1e-4)
    sheet = tmp_path / "labels.csv"
    assert command(["label", str(run.folder), "-n", "20", "-o", str(sheet)]) == 0
    fill(sheet)
    assert command(["score", str(run.folder), "--labels", str(sheet)]) == 0
    assert mark not in capsys.readouterr().out
    assert told()[4] == 0
