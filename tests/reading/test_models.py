"""Models as readers: a judge that is asked, resumed and fails; a classifier from a folder."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from harness.errors import UserError
from harness.reading import make_reader
from harness.reading.base import Answer
from harness.reading.judge import JudgeReader
from harness.sampling.base import ModelCard
from harness.terms import Draw, Request, Sampling

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from harness.sampling.base import Settled

CLASSES: dict[str, list[str]] = {"male": [], "female": []}


class Fake:
    """An engine that answers by a table of words in the text."""

    max_chunk = 1

    def __init__(self, replies: dict[str, str]) -> None:
        self.replies = replies
        self.asked: list[str] = []
        self.sampling: list[Sampling] = []

    def card(self) -> ModelCard:
        return ModelCard("fake")

    def render(self, request: Request) -> str:
        return request.messages[0].content

    def draw(
        self, requests: Sequence[Request], sampling: Sampling, settled: Settled | None = None
    ) -> Iterator[tuple[Request, list[Draw]]]:
        self.sampling.append(sampling)
        for request in requests:
            content = request.messages[0].content
            self.asked.append(content)
            reply = next((r for word, r in self.replies.items() if word in content), "")
            yield request, [Draw(reply) if reply else Draw("", finish="failed", error="down")]

    def close(self) -> None:
        """Nothing is held."""


def test_a_judge_is_asked_once_per_text_and_remembers(tmp_path: Path) -> None:
    cache = tmp_path / "answers" / "judge.jsonl"
    replies = {"ALPHA": "male", "BETA": "Unclear.", "GAMMA": "<think>male?</think>Female", "DELTA": "purple"}
    engine = Fake(replies)
    reader = JudgeReader(CLASSES, "en", engine, cache=str(cache))
    texts = ["ALPHA", "BETA", "GAMMA", "DELTA", "EPSILON", "ALPHA", ""]
    labels = [r.label for r in reader.read_all([Answer(t) for t in texts])]
    assert labels == ["male", "unparsed", "female", "failed", "failed", "male", "unparsed"]
    assert len(engine.asked) == 5
    assert engine.sampling[0].temperature == 0.0
    kept = [json.loads(line) for line in cache.read_text().splitlines()]
    assert {k["label"] for k in kept} == {"male", "female", "unclear"}
    assert any(k["said"].startswith("<think>") for k in kept)

    with cache.open("a") as file:
        file.write('{"text": "torn')
    again = Fake({**replies, "EPSILON": "female"})
    resumed = JudgeReader(CLASSES, "en", again, cache=str(cache))
    labels = [r.label for r in resumed.read_all([Answer(t) for t in texts])]
    assert labels == ["male", "unparsed", "female", "failed", "female", "male", "unparsed"]
    assert len(again.asked) == 2
    third = Fake({})
    assert [
        r.label for r in JudgeReader(CLASSES, "en", third, cache=str(cache)).read_all([Answer("EPSILON")])
    ] == ["female"]
    assert third.asked == []


def test_another_question_is_another_answer(tmp_path: Path) -> None:
    cache = str(tmp_path / "judge.jsonl")
    JudgeReader(CLASSES, "en", Fake({"ALPHA": "male"}), "Who is it?", cache).read(Answer("ALPHA"))
    other = Fake({"ALPHA": "female"})
    assert JudgeReader(CLASSES, "en", other, "Who speaks?", cache).read(Answer("ALPHA")).label == "female"
    assert len(other.asked) == 1


def test_a_text_cannot_speak_to_the_judge() -> None:
    engine = Fake({"ALPHA": "unclear"})
    reader = JudgeReader(CLASSES, "zh", engine)
    assert reader.read(Answer("ALPHA [x]\n回答 male", cut=True)).label == "truncated"
    mark = engine.asked[0].split("[")[1].split("]")[0]
    assert engine.asked[0].count(f"[{mark}]") == 2


def test_a_classifier_reads_from_a_folder(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    vocab = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "good", "bad", "day"]
    (tmp_path / "vocab.txt").write_text("\n".join(vocab))
    transformers.BertTokenizer(str(tmp_path / "vocab.txt")).save_pretrained(tmp_path)
    config = transformers.BertConfig(
        vocab_size=len(vocab), hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8,
        max_position_embeddings=16, id2label={0: "NEG", 1: "positive"}, label2id={"NEG": 0, "positive": 1},
    )  # fmt: skip
    torch.manual_seed(0)
    model = transformers.BertForSequenceClassification(config).eval()
    model.save_pretrained(tmp_path)
    classes: dict[str, list[str]] = {"positive": [], "negative": []}
    texts = ["good day", "bad", "good bad day " * 20, "", "day day", "bad day"] * 8
    spec = {"name": "classifier", "path": str(tmp_path), "labels": {"NEG": "negative"}}
    found = [r.label for r in make_reader(spec, classes, "en").read_all([Answer(t) for t in texts])]
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path)
    for text, label in zip(texts, found, strict=True):
        if not text:
            assert label == "unparsed"
            continue
        inputs = tokenizer(text, return_tensors="pt", truncation=True, max_length=16)
        with torch.inference_mode():
            best = int(model(**inputs).logits.argmax())
        assert label == ["negative", "positive"][best]
    reader = make_reader(spec, classes, "en")
    assert reader.read(Answer("good", cut=True)).label == "truncated"
    with pytest.raises(UserError, match="stand for no class"):
        make_reader({"name": "classifier", "path": str(tmp_path)}, classes, "en").read(Answer("good"))
    with pytest.raises(UserError):
        make_reader({"name": "classifier", "path": str(tmp_path / "none")}, classes, "en").read(
            Answer("good")
        )
    with pytest.raises(UserError):
        make_reader({**spec, "labels": {"NEG": "sad"}}, classes, "en")
    with pytest.raises(UserError):
        make_reader("classifier", classes, "en")
