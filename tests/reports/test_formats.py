"""Exports for others: each is read back by the library of its own format, and no text from outside breaks it."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import huggingface_hub
import pyarrow.parquet as pq
import pytest
import yaml
from huggingface_hub import EvalResult, ModelCard, ModelCardData

from harness.cli.main import run as command
from harness.metrics.catalog import METRICS
from reports import export
from reports.formats import dataset, every_eval_ever, hub, inspect_log
from tests.reports.hostile import HOSTILE
from tests.reports.runs import Law, Made, make

if TYPE_CHECKING:
    from pathlib import Path

    from harness.runs.folder import Run
    from reports.tables import BoardRow

OF_ITS_OWN = "not beside the pins of the development environment: make test-formats"


def one(runs: Path, model: str = "Bad") -> str:
    return str(next(p.parent for p in sorted(runs.glob("*/*/*/counts.csv")) if model in str(p)))


def results(card: str) -> list[EvalResult]:
    """The results of a model card, as the Hub's library reads them."""
    found = ModelCard(card + "\ntext").data
    assert isinstance(found, ModelCardData)
    assert found.eval_results
    return found.eval_results


def hostile(row: BoardRow, text: str) -> BoardRow:
    return row.model_copy(
        update={"model": text, "method": text, "apart": text, "ranked": False, "revision": text}
    )


@pytest.fixture(scope="module")
def wild(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run that said hostile things, of which Unicode allows files to hold."""
    said = tuple(text for text in HOSTILE if "\0" not in text)
    law = Law(0.1, invalid={"unparsed": 0.2, "failed": 0.05, "truncated": 0.05})
    texts = {"unparsed": said, "male": tuple(f"Male. {t}" for t in said[:9])}
    return make(tmp_path_factory.mktemp("wild"), Made("acme/Wild-1B", law=law, n=60, texts=texts))


def test_the_model_card_has_every_metric_and_says_what_is_not_ranked(runs: Path) -> None:
    rows = export.load([str(runs)])
    bad = [row for row in rows if row.model == "acme/Bad-1.5B"]
    found = results(hub.model_card(bad))
    told = {each.metric_type: each.metric_value for each in found}
    wanted = [m.key for m in METRICS if m.place != "files" and math.isfinite(bad[0].number(m.key))]
    assert list(told) == wanted
    assert len(wanted) > 5
    assert told == {key: bad[0].number(key) for key in wanted}
    tv = next(each for each in found if each.metric_type == "tv")
    assert tv.metric_args
    assert tv.metric_args["low"] == bad[0].number("tv_low")
    cold = [row for row in rows if row.model == "acme/Cold-1.5B"]
    assert "(not ranked: sampling: temperature 0.7 (1.0))" in results(hub.model_card(cold))[0].dataset_name


def test_eval_results_are_what_the_hub_reads(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    parse = getattr(huggingface_hub, "parse_eval_result_entries", None)
    if parse is None:
        pytest.skip("this huggingface_hub does not know .eval_results")
    out = tmp_path / "distalign.yaml"
    assert (
        command(["export", "eval-results", one(runs, "Cold"), "--dataset", "acme/bench", "-o", str(out)]) == 0
    )
    (entry,) = parse(yaml.safe_load(out.read_text(encoding="utf-8")))
    row = export.load([one(runs, "Cold")])[0]
    assert (entry.dataset_id, entry.task_id, entry.value) == (
        "acme/bench",
        "gender_us_gender_labor_us_2025",
        row.number("tv"),
    )
    assert f"{row.number('tv_low'):.4f} to {row.number('tv_high'):.4f}" in entry.notes
    assert command(["export", "eval-results", one(runs), "--dataset", "bench"]) == 2
    assert "not a data set on the Hub" in capsys.readouterr().err


def test_hostile_names_stay_text_on_the_hub(runs: Path) -> None:
    row = export.load([one(runs)])[0]
    for text in HOSTILE[::5]:
        wicked = hostile(row, text)
        assert results(hub.model_card([wicked]))
        assert len(yaml.safe_load(hub.eval_results([wicked], "a/b"))) == 1


def test_every_eval_ever_reads_its_records(runs: Path, tmp_path: Path) -> None:
    types = pytest.importorskip("every_eval_ever.eval_types", reason=OF_ITS_OWN)
    validate = pytest.importorskip("every_eval_ever.validate", reason=OF_ITS_OWN).validate_file
    out = tmp_path / "store"
    assert command(["export", "every-eval-ever", str(runs), "--by", "Acme", "-o", str(out)]) == 0
    files = sorted(out.glob("data/distalign/*/*/*.json"))
    rows = export.load([str(runs)])
    assert len(files) == len({(row.run, row.n) for row in rows})
    scores: dict[str, Any] = {}
    for file in files:
        report = validate(file, repo_path=str(file.relative_to(out)), run_semantic_checks=True)
        assert (report.valid, report.errors) == (True, [])
        log = types.EvaluationLog.model_validate_json(file.read_text(encoding="utf-8"))
        assert file.parent.parent.name == log.model_info.developer
        scores |= {result.evaluation_result_id: result for result in log.evaluation_results}
    for row in rows:
        result = scores[f"{row.run}-n{row.n}/{row.attribute}/{row.target}/tv"]
        assert result.score_details.score == row.number("tv")
        assert result.metric_config.lower_is_better
        interval = result.score_details.uncertainty.confidence_interval
        assert (interval.lower, interval.upper, interval.confidence_level) == (
            row.number("tv_low"),
            row.number("tv_high"),
            0.95,
        )
        assert result.score_details.details["ranked"].startswith("yes" if row.ranked else "no: ")
    for i, text in enumerate(HOSTILE[::9]):
        (file,) = every_eval_ever.write([hostile(rows[0], text)], tmp_path / str(i), text, "other")
        assert validate(file, repo_path=str(file.relative_to(tmp_path / str(i)))).valid
        assert file.resolve().is_relative_to((tmp_path / str(i)).resolve())


def test_inspect_reads_a_log(wild: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    logs = pytest.importorskip("inspect_ai.log", reason=OF_ITS_OWN)
    out = tmp_path / "log.json"
    assert command(["export", "inspect", str(wild.folder), "-o", str(out)]) == 0
    log = logs.read_eval_log(str(out))
    assert (log.status, log.eval.model, log.eval.config.epochs) == ("success", "acme/Wild-1B", 60)
    assert len(log.samples) == 60 * len(wild.prompts().prompts)
    row = export.load([str(wild.folder)])[0]
    assert log.results.scores[0].metrics["tv"].value == row.number("tv")
    # A sample is a draw: their classes and their texts are those of the run, however often each came.
    read: dict[str, int] = {}
    for sample in log.samples:
        read[sample.scores["gender"].value] = read.get(sample.scores["gender"].value, 0) + 1
    counts = export.scored([str(wild.folder)])[0].table
    assert read == {
        name: n for name, n in zip(counts.outcomes, counts.by_context().sum(axis=0), strict=True) if n
    }
    said: dict[str, int] = {}
    for sample in log.samples:
        said[sample.output.completion] = said.get(sample.output.completion, 0) + 1
    drawn: dict[str, int] = {}
    for draw in (d for c in wild.chunks() for d in c.draws):
        drawn[draw.text] = drawn.get(draw.text, 0) + draw.count
    assert said == drawn
    monkeypatch.setattr(inspect_log, "MOST", 200)
    small = logs.read_eval_log(str(inspect_log.write(wild.folder, tmp_path / "small.json")))
    assert len(small.samples) == 200 // len(wild.prompts().prompts) * len(wild.prompts().prompts)
    assert small.results.scores[0].metrics["tv"].value == row.number("tv")


def test_datasets_reads_the_folder(wild: Run, tmp_path: Path) -> None:
    library = pytest.importorskip("datasets", reason="the package datasets is not installed")
    out = tmp_path / "set"
    assert command(["export", "datasets", str(wild.folder), "-o", str(out)]) == 0
    cache = str(tmp_path / "cache")
    parts = {
        part: library.load_dataset(str(out), part, cache_dir=cache, split="train") for part in dataset.PARTS
    }
    draws = [d for c in wild.chunks() for d in c.draws]
    assert parts["draws"]["text"][:] == [d.text for d in draws]
    assert sum(parts["draws"]["count"]) == sum(d.count for d in draws) == sum(parts["counts"]["count"])
    assert {tuple(sorted(o[0])) for o in parts["draws"]["outcomes"]} == {("attribute", "outcome")}
    assert len(parts["prompts"]) == len(wild.prompts().prompts)
    assert parts["scores"]["tv"][0] == export.load([str(wild.folder)])[0].number("tv")
    card = library.load_dataset_builder(str(out), cache_dir=cache)
    assert card.config.name == "draws"
    assert command(["export", "datasets", str(wild.folder), "-o", str(out)]) == 2


def test_a_run_without_draws_has_none_to_give(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    exact = str(next(p.parent for p in runs.glob("*/*/*/shares.csv")))
    assert command(["export", "inspect", exact, "-o", str(tmp_path / "x.json")]) == 2
    assert command(["export", "datasets", exact, "-o", str(tmp_path / "x")]) == 2
    assert "exact measure" in capsys.readouterr().err


def test_exports_hold_no_path_of_the_machine(tmp_path: Path) -> None:
    private = make(tmp_path / "runs", Made("/home/alice/ckpt/model", law=Law(0.1), n=10))
    where = [str(private.folder)]
    dataset.write(where, tmp_path / "set")
    inspect_log.write(where[0], tmp_path / "log.json")
    # The runs of these tests have their model's name for the hash of its weights.
    told = (tmp_path / "log.json").read_text(encoding="utf-8").replace("w/home/alice", "")
    assert json.loads(told)["eval"]["model"] == "model"
    assert "alice" not in told
    part = next((tmp_path / "set" / "draws").iterdir())
    assert set(pq.read_table(part)["model"].to_pylist()) == {"model"}
