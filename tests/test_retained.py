from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from harness.cli.main import run as distalign
from harness.errors import UserError
from harness.metrics import writing
from harness.metrics.base import PerPrompt, Said, Texts
from harness.retained.lm_scores import lm_eval_scores
from harness.retained.perplexity import load_text, perplexity, windows
from harness.retained.record import BenchmarksRecord, Findings, PerplexityRecord
from harness.retained.utility import save
from harness.sampling.hf.checkpoint import Checkpoint, load
from harness.sampling.hf.source import find
from tests.baselines.tiny import TEXT, write_tiny

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def checkpoint(folder: Path) -> Checkpoint:
    return load(find(str(folder)), device="cpu")


@given(st.integers(2, 300), st.integers(2, 50), st.data())
def test_windows_score_every_token_but_the_first_once(length: int, window: int, data: st.DataObject) -> None:
    stride = data.draw(st.integers(1, window - 1))
    scored: list[int] = []
    for begin, end, first in windows(length, window, stride):
        assert begin < first <= end <= length
        assert end - begin <= window
        assert first - begin >= min(window - stride, first)
        scored += range(first, end)
    assert scored == list(range(1, length))


def surprises(checkpoint: Checkpoint, text: str) -> torch.Tensor:
    ids = torch.tensor([checkpoint.tokenizer(text, add_special_tokens=False)["input_ids"]])
    with torch.no_grad():
        logs = checkpoint.model(input_ids=ids).logits.double().log_softmax(-1)
    found: torch.Tensor = -logs[0, :-1].gather(-1, ids[0, 1:, None])[:, 0]
    return found


def test_a_text_within_one_window_is_scored_by_the_formula(checkpoint: Checkpoint) -> None:
    text = " ".join(TEXT)
    expected = surprises(checkpoint, text)
    found = perplexity(checkpoint, text, window=128)
    assert found.tokens == len(expected)
    assert found.perplexity == pytest.approx(float(expected.mean().exp()), rel=1e-5)
    assert found.bits_per_byte == pytest.approx(
        float(expected.sum()) / math.log(2) / len(text.encode()), rel=1e-5
    )


def test_a_longer_text_is_weighted_by_tokens(checkpoint: Checkpoint) -> None:
    text = " ".join(TEXT)
    ids = checkpoint.tokenizer(text, add_special_tokens=False)["input_ids"]
    window, stride = 20, 8
    total = 0.0
    for place in range(1, len(ids)):
        # The window that scores a token is the first that reaches it.
        begin = 0
        while begin + window <= place:
            begin += stride
        piece = torch.tensor([ids[begin : place + 1]])
        with torch.no_grad():
            logs = checkpoint.model(input_ids=piece).logits[0, -2].double().log_softmax(-1)
        total -= float(logs[ids[place]])
    found = perplexity(checkpoint, text, window, stride)
    assert found.perplexity == pytest.approx(math.exp(total / (len(ids) - 1)), rel=1e-5)


def test_what_cannot_be_scored_is_refused(checkpoint: Checkpoint) -> None:
    with pytest.raises(UserError, match="fewer than two tokens"):
        perplexity(checkpoint, "")
    with pytest.raises(UserError, match="fewer than two tokens"):
        perplexity(checkpoint, "\n\n")
    with pytest.raises(UserError, match="stride"):
        perplexity(checkpoint, "Tea or coffee", window=8, stride=8)


def test_texts_come_from_files_and_tables(tmp_path: Path) -> None:
    plain = tmp_path / "a.txt"
    plain.write_text("One.\n\nTwo.\n", encoding="utf-8")
    assert load_text(str(plain)) == "One.\n\nTwo.\n"
    table = tmp_path / "b.jsonl"
    table.write_text('{"text": "One."}\n{"text": " "}\n{"text": "Two."}\n', encoding="utf-8")
    assert load_text(str(table)) == "One.\n\nTwo."
    with pytest.raises(UserError, match="no such column"):
        load_text(str(table), "body")
    with pytest.raises(UserError, match="no such file"):
        load_text(str(tmp_path / "mistyped.txt"))


LOCAL = """\
task: drinks
dataset_path: json
dataset_kwargs: {{data_files: {{test: {data}}}}}
test_split: test
output_type: multiple_choice
doc_to_text: "{{{{question}}}}"
doc_to_choice: [" Tea", " Coffee"]
doc_to_target: answer
metric_list:
  - {{metric: acc, aggregation: mean, higher_is_better: true}}
"""


@pytest.fixture
def local(tmp_path: Path) -> Path:
    data = tmp_path / "drinks.jsonl"
    rows = [
        {"question": f"A drink of {p}, please.", "answer": i % 2}
        for i, p in enumerate(["Leeds", "Porto", "Bath"])
    ]
    data.write_text("".join(json.dumps(r) + "\n" for r in rows), encoding="utf-8")
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks" / "drinks.yaml").write_text(LOCAL.format(data=data), encoding="utf-8")
    return tmp_path / "tasks"


@pytest.mark.slow
def test_lm_eval_scores_a_local_task(checkpoint: Checkpoint, local: Path) -> None:
    right = 0
    for i, place in enumerate(["Leeds", "Porto", "Bath"]):
        question = f"A drink of {place}, please."
        start = len(checkpoint.tokenizer(question)["input_ids"])
        options = [
            -float(surprises(checkpoint, question + c)[start - 1 :].sum()) for c in (" Tea", " Coffee")
        ]
        right += (options[1] > options[0]) == bool(i % 2)
    scores = lm_eval_scores(checkpoint, ["drinks"], include=local)
    assert scores["drinks"]["acc,none"] == pytest.approx(right / 3)
    with pytest.raises(UserError, match="no such task"):
        lm_eval_scores(checkpoint, ["drink"], include=local)


def texts(*said: Said, language: str = "en", steering: tuple[str, ...] = ()) -> Texts:
    return Texts(language, ("tea", "coffee"), {("leeds", "ask"): said}, steering)


def value(found: PerPrompt) -> float:
    (number,), (weight,) = found
    return float(number) if weight else math.nan


def test_consistency_counts_draws_whose_text_follows_their_token() -> None:
    said = (
        Said("0Tea", "tea", 6),
        Said("1Coffee", "coffee", 3),
        Said("0Coffee", "coffee", 2),
        Said("1mumble", "unparsed", 1),
        Said("Tea", "tea", 8),
    )
    found = texts(*said, steering=("0", "1"))
    assert value(writing.steered(found)) == 12 / 20
    assert value(writing.consistent(found)) == 9 / 12
    without = texts(*said)
    assert math.isnan(value(writing.steered(without)))
    assert math.isnan(value(writing.consistent(without)))


def test_distinct_n_of_known_texts() -> None:
    found = texts(Said("a b c", "tea", 1), Said("a b d", "tea", 1))
    assert value(writing.distinct(found, 1)) == 4 / 6
    assert value(writing.distinct(found, 2)) == 3 / 4
    assert math.isnan(value(writing.distinct(found, 4)))
    assert value(writing.distinct(texts(Said("茶，咖啡", "tea", 1), language="zh"), 1)) == 1.0
    assert value(writing.distinct(texts(Said("a b", "tea", 50)), 1)) == 2 / 100


def test_distinct_n_does_not_fall_with_more_draws_of_the_same_kind() -> None:
    kinds = [Said(f"w{i} x{i}", "tea", 1) for i in range(400)]
    assert value(writing.distinct(texts(*kinds[:100]), 1)) == value(writing.distinct(texts(*kinds), 1)) == 1.0


def test_findings_on_the_same_weights_add_up_and_others_replace_them(tmp_path: Path) -> None:
    predicted = PerplexityRecord(perplexity=2.0, bits_per_byte=1.0, tokens=2, window=2, stride=1, text="")
    tasks = Findings(lm_eval=BenchmarksRecord(tasks={}))
    save(tmp_path, ("a", ""), Findings(perplexity=predicted))
    save(tmp_path, ("a", ""), tasks)
    assert set(json.loads((tmp_path / "utility.json").read_text())) == {
        "schema",
        "weights",
        "adapter_weights",
        "perplexity",
        "lm_eval",
    }
    save(tmp_path, ("b", ""), tasks)
    assert "perplexity" not in json.loads((tmp_path / "utility.json").read_text())


def test_the_command_keeps_what_it_prints(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = tmp_path / "a.txt"
    text.write_text(" ".join(TEXT), encoding="utf-8")
    assert distalign(["utility", str(folder), "--text", str(text)]) == 0
    printed = json.loads(capsys.readouterr().out)
    kept = json.loads((folder / "utility.json").read_text())
    assert printed["perplexity"] == kept["perplexity"]
    assert kept["perplexity"]["perplexity"] > 1
    assert distalign(["utility", str(folder)]) == 2
