"""Hand labels: the sample, the sheet, and the scores that have the labels in them."""

from __future__ import annotations

import csv
import json
import re
from typing import TYPE_CHECKING

import pytest

from harness import evaluate
from harness.cli.main import run as command
from harness.errors import UserError
from harness.labels import LABELS, NONE, draw_sample, labels_of, read_sheet, sizes_of, take, text_id
from harness.rescore import score
from harness.settings import Settings
from harness.tasks.task import load_task
from harness.terms import Draw
from reports.leaderboard import leaderboard
from tests.test_show import Scripted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from harness.runs.folder import Run
    from harness.terms import Request

MISREAD = "Not a woman by any means, as it were, but the other one"
ANSWERS = [Draw("Male", 4), Draw("=female", 2), Draw(MISREAD, 3), Draw("I cannot say.", 1)]


class AlsoOwn(Scripted):
    """Gives the same ten answers to each prompt, and one of its own."""

    max_chunk = 11

    def draw(
        self, requests: Sequence[Request], sampling: object, settled: object = None
    ) -> Iterator[tuple[Request, list[Draw]]]:
        for request in requests:
            own = Draw(f"A woman, the {request.context} {request.prompt}")
            yield request, [*ANSWERS, own]


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setattr("harness.sampling.hf.collapsed.CollapsedEngine", AlsoOwn)
    return evaluate("scripted", "gender_us", "labor", Settings(n=11, split="test", out=tmp_path / "runs"))


@pytest.fixture
def sheet(made: Run, tmp_path: Path) -> Path:
    path = tmp_path / "labels.csv"
    assert command(["label", str(made.folder), "-n", "40", "-o", str(path)]) == 0
    return path


def by_hand(text: str) -> str:
    if text == MISREAD or "Male" in text:
        return "male"
    return "female" if "female" in text or "woman" in text else NONE


def fill(path: Path, label: str = "") -> None:
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows[1:]:
        row["label"] = label or by_hand(row["text"])
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ["id", "label", "text"])
        writer.writeheader()
        writer.writerows(rows)


def test_a_sheet_has_texts_once_without_what_the_reader_said(sheet: Path) -> None:
    rows = list(csv.DictReader(sheet.open(encoding="utf-8-sig", newline="")))
    assert list(rows[0]) == ["id", "label", "text"]
    assert "male, female; or none" in rows[0]["text"]
    texts = [row["text"] for row in rows[1:]]
    assert len(set(texts)) == len(texts)
    assert {"Male", "'=female", MISREAD, "I cannot say."} <= set(texts)
    assert not any(row["label"] for row in rows)


def test_scores_with_labels_hold_what_a_person_says_of_all_draws(
    made: Run, sheet: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(sheet)
    assert command(["score", str(made.folder), "--labels", str(sheet), "--target", "labor"]) == 0
    assert "checked by hand" in capsys.readouterr().out
    (result,) = score(made).results
    found = result.labelled
    assert found is not None
    male = [share[list(result.classes).index("male")] for share in result.target.shares]
    # 7 of 11 male, 3 female, 1 none in every context
    truth = sum(0.5 * (abs(7 / 11 - m) + abs(3 / 11 - (1 - m)) + 1 / 11) for m in male) / len(male)
    assert found.tv.low <= truth <= found.tv.high
    for share, true in zip(found.shares, (7 / 11, 3 / 11, 1 / 11), strict=True):
        assert share.low <= true <= share.high
    read_wrong = 3 / 11 if result.totals["male"] == result.table.aggregate.n * 4 // 11 else 0.0
    assert read_wrong, "the reader is expected to misread one of the texts"
    assert found.error.low <= read_wrong <= found.error.high
    assert found.known == pytest.approx(10 / 11)


def test_the_page_says_what_was_checked_by_hand(made: Run, sheet: Path, tmp_path: Path) -> None:
    def told() -> object:
        page = leaderboard([str(made.folder)], tmp_path / "site").read_text(encoding="utf-8")
        data = json.loads(page.split('id="data">')[1].split("</script>")[0])
        (run,) = data["runs"]
        return run["hand"]

    assert told() == {}
    fill(sheet)
    (result,) = score(made, labels=[str(sheet)]).results
    assert result.labelled is not None
    error, tv, texts = result.labelled.error, result.labelled.tv, result.labelled.texts
    shown = [error.value, error.low, error.high, tv.value, tv.low, tv.high, texts, 0]
    assert told() == {f"gender/{result.target.name}": pytest.approx(shown, rel=1e-4)}


def test_two_people_are_compared_and_the_first_counts(
    made: Run, sheet: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other.csv"
    other.write_bytes(sheet.read_bytes())
    fill(sheet)
    fill(other, "male")
    assert command(["score", str(made.folder), "--labels", str(sheet), "--labels", str(other)]) == 0
    assert "the two sheets agree on 2 of " in capsys.readouterr().out
    kept = labels_of(made).attributes["gender"]
    assert set(kept.labels.values()) == {"male", "female", NONE}
    assert set(kept.second.values()) == {"male"}


class Judge(Scripted):
    """Answers what it is asked about one text as ``by_hand`` would; of one text it says nothing that is allowed."""

    def draw(
        self, requests: Sequence[Request], sampling: object, settled: object = None
    ) -> Iterator[tuple[Request, list[Draw]]]:
        for request in requests:
            text = request.messages[0].content.split("]\n")[1].split("\n[")[0]
            told = "well" if "cannot say" in text else by_hand(text)
            yield request, [Draw("unclear" if told == NONE else told)]


def test_a_judges_labels_are_noted_as_its_own(
    made: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("harness.sampling.hf.collapsed.CollapsedEngine", Judge)
    path = tmp_path / "judged.csv"
    assert command(["label", str(made.folder), "-n", "40", "-o", str(path), "--judge", "judge-1"]) == 0
    told = capsys.readouterr().out
    assert ", 1 without a label" in told
    assert "labels are of a model" in told
    rows = list(csv.DictReader(path.open(encoding="utf-8-sig", newline="")))
    whose = {row["text"]: row["by"] for row in rows[1:]}
    assert whose.pop("I cannot say.") == ""
    assert len(set(whose.values())) == 1
    assert re.fullmatch(r"judge judge-1, prompt [0-9a-f]{16}", whose.popitem()[1])
    # A person gives the label that is missing, and corrects another, which is then theirs.
    for row in rows:
        if row["text"] in ("I cannot say.", "Male"):
            row["label"], row["by"] = by_hand(row["text"]), ""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    assert command(["score", str(made.folder), "--labels", str(path)]) == 0
    texts = len(rows) - 1
    assert f"checked by hand (2 texts) and by a judge model ({texts - 2} texts)" in capsys.readouterr().out
    kept = labels_of(made).attributes["gender"]
    assert set(kept.by.values()) == {rows[-1]["by"] or rows[-2]["by"]}
    (result,) = score(made).results
    assert result.labelled is not None
    assert (result.labelled.texts, result.labelled.judged) == (texts, texts - 2)


def test_labels_serve_where_a_text_recurs(made: Run, sheet: Path, tmp_path: Path) -> None:
    fill(sheet)
    (made.folder / LABELS).unlink()
    again = tmp_path / "again.csv"
    assert command(["label", str(made.folder), "-n", "40", "-o", str(again), "--from", str(sheet)]) == 0
    rows = list(csv.DictReader(again.open(encoding="utf-8-sig", newline="")))
    assert all(row["label"] for row in rows[1:])  # the same seed, so the same texts


def test_what_is_missing_or_unknown_is_one_message(made: Run, sheet: Path, tmp_path: Path) -> None:
    task = load_task("gender_us")
    gender = task.attributes["gender"]
    with pytest.raises(UserError, match="have no label"):
        take(made, gender, [sheet])
    fill(sheet, "femal")
    with pytest.raises(UserError, match="an unknown label") as caught:
        read_sheet(sheet, gender)
    assert caught.value.where == f"{sheet}:3:label"
    assert "female" in str(caught.value)
    fill(sheet)
    take(made, gender, [sheet])
    with pytest.raises(UserError, match="has labels already"):
        draw_sample(made, task, gender, 40, 0)
    (made.folder / LABELS).unlink()
    with pytest.raises(UserError, match="no sample of gender"):
        take(made, gender, [sheet])


def test_a_sample_has_the_size_that_was_asked_and_looks_at_every_outcome() -> None:
    assert sizes_of({"a": 0.98, "b": 0.02}, 100) == {"a": 93, "b": 7}
    assert sizes_of({"a": 0.98, "b": 0.02}, 3) == {"a": 5, "b": 5}
    assert text_id("a") != text_id("b")
