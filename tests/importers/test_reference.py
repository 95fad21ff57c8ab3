"""The importer of human references, on invented replies whose shapes are known."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from harness.errors import UserError
from harness.importers.corpus import read_replies
from harness.importers.halves import halves, independent
from harness.importers.reference import ReferenceOptions, import_reference
from harness.tasks.target import load_target
from harness.tasks.target_file import Provenance

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from harness.importers.reference import Shape

SOURCE = Provenance(publisher="People", table="Replies", year=2024, license="CC0", link="https://example.org")
OPTIONS = ReferenceOptions("en", SOURCE)


def shape(texts: Sequence[str]) -> list[Shape]:
    """Reads invented replies, which say their own shape: ``length act sentiment list``."""
    keys = ("length", "act", "sentiment", "list")
    return [{k: v for k, v in zip(keys, text.split(), strict=True) if v != "?"} for text in texts]


def corpus(path: Path, replies: Sequence[str], **fields: object) -> str:
    lines = [
        json.dumps({"id": f"c{n // 4}-{n % 4}", "turn": n % 4, "response": text, "prompt": f"p{n}"} | fields)
        for n, text in enumerate(replies)
    ]
    data = "\n".join(lines).encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return str(path)


def test_shares_per_context(tmp_path: Path) -> None:
    chat = ["short statement neutral plain"] * 60 + ["medium question positive plain"] * 40
    help_ = ["long statement neutral list"] * 30 + ["short other negative plain"] * 10
    sources = [
        corpus(tmp_path / "chat.jsonl.gz", chat, track="multi", family="dialogue", style="open_chat"),
        corpus(tmp_path / "help.jsonl", help_, track="single", family="assistant"),
    ]
    import_reference(sources, tmp_path / "human", OPTIONS, shape)
    tables = load_target(str(tmp_path / "human")).tables
    assert set(tables) == {"length", "act", "sentiment", "list"}
    length = tables["length"].rows
    assert set(length) == {"multi_dialogue_open_chat", "single_assistant"}
    # nobody of 100 wrote long or xlong: half a reply each, taken from the rest
    assert length["multi_dialogue_open_chat"] == pytest.approx(
        {"short": 0.6 * 0.99, "medium": 0.4 * 0.99, "long": 0.005, "xlong": 0.005}, abs=1e-9
    )
    assert length["single_assistant"]["long"] == pytest.approx(0.75 * (1 - 1 / 40), abs=1e-9)
    acts = tables["act"].rows
    assert "multi_dialogue_open_chat_medium" in acts
    assert acts["multi_dialogue_open_chat_medium"]["question"] == pytest.approx(1 - 3 * 0.5 / 40, abs=1e-9)
    assert "single_assistant_short" not in acts  # 10 replies are too few


def test_what_a_reader_cannot_read_counts_for_no_class(tmp_path: Path) -> None:
    replies = ["short statement ? plain"] * 30 + ["short statement positive plain"] * 30
    import_reference([corpus(tmp_path / "c.jsonl", replies)], tmp_path / "human", OPTIONS, shape)
    assert load_target(str(tmp_path / "human")).tables["sentiment"].samples["single_assistant"].replies == 30


def test_a_source_stratified_by_length_counts_within_a_length_only(tmp_path: Path) -> None:
    natural = corpus(tmp_path / "natural.jsonl", ["short statement neutral plain"] * 50)
    sample = corpus(tmp_path / "sample.jsonl", ["long question neutral list"] * 50)
    import_reference([natural, sample], tmp_path / "human", replace(OPTIONS, stratified=("sample",)), shape)
    tables = load_target(str(tmp_path / "human")).tables
    assert tables["length"].rows["single_assistant"]["short"] > 0.95
    assert tables["list"].rows["single_assistant"]["plain"] > 0.95
    assert tables["act"].rows["single_assistant_long"]["question"] > 0.95
    with pytest.raises(UserError, match="no corpus is called"):
        import_reference([natural], tmp_path / "human", replace(OPTIONS, stratified=("typo",)), shape)


def test_the_same_corpus_gives_the_same_bytes(tmp_path: Path) -> None:
    source = corpus(
        tmp_path / "c.jsonl", ["short statement neutral plain", "long question positive list"] * 40
    )
    for name in ("one", "two"):
        import_reference([source], tmp_path / name / "human", OPTIONS, shape)
    assert [p.read_bytes() for p in sorted((tmp_path / "one/human").iterdir())] == [
        p.read_bytes() for p in sorted((tmp_path / "two/human").iterdir())
    ]


def talk(rng: np.random.Generator, conversations: int, shares: Sequence[float]) -> list[list[int]]:
    """Conversations of 20 replies that resemble each other: each has shares of its own around ``shares``."""
    own = rng.dirichlet(np.asarray(shares) * 5, conversations)
    return [[int(x) for x in row] for row in rng.multinomial(20, own)]


def test_replies_that_resemble_each_other_count_as_fewer() -> None:
    rng = np.random.default_rng(7)
    assert independent([[int(x) for x in row] for row in np.eye(3)[rng.integers(3, size=500)]]) == 500
    assert independent([[7, 0], [0, 7], [7, 0], [0, 7]] * 50) == pytest.approx(200, abs=2)
    # conversations of 20 whose shares come from Dirichlet(5 shares) have a correlation of 1/6
    found = np.mean([independent(talk(rng, 400, [0.5, 0.3, 0.2])) for _ in range(10)])
    assert found == pytest.approx(8000 / (1 + 19 / 6), rel=0.05)
    assert independent([[40, 10]]) == 1
    assert independent([[5, 0], [3, 0], [2, 0]]) == 3


def test_a_reference_says_how_many_replies_it_counts(tmp_path: Path) -> None:
    replies = ["short statement neutral plain"] * 60 + ["medium question neutral plain"] * 60
    import_reference([corpus(tmp_path / "c.jsonl", replies)], tmp_path / "human", OPTIONS, shape)
    target = load_target(str(tmp_path / "human"))
    assert target.tables["length"].samples["single_assistant"] == pytest.approx((120, 30), abs=1)
    assert target.tables["list"].samples["single_assistant"] == (120, 30)


def test_halves_of_one_population_are_within_the_floor_as_often_as_stated() -> None:
    rng = np.random.default_rng(5)
    within = [
        halves(talk(rng, 60, [0.5, 0.3, 0.15, 0.05]), (rng.random(60) < 0.5).tolist(), 300).within
        for _ in range(400)
    ]
    assert 0.92 < np.mean(within) < 0.98


def test_halves_of_two_populations_are_not() -> None:
    rng = np.random.default_rng(6)
    both = talk(rng, 60, [0.6, 0.4]) + talk(rng, 60, [0.3, 0.7])
    assert not halves(both, [False] * 60 + [True] * 60).within
    assert halves([[3, 1]], [True]).within


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('{"id": "1"}', "no reply"),
        ("[1]", "no JSON object"),
        ("{", "not valid JSON"),
        ('{"response": {"content": "x"}}', "the reply is no text"),
        ('{"response": ["x"]}', "the reply is no text"),
        ('{"response": 3}', "the reply is no text"),
    ],
)
def test_lines_that_are_no_replies(tmp_path: Path, line: str, says: str) -> None:
    path = tmp_path / "c.jsonl"
    path.write_text(f'{{"response": "ok"}}\n\n{line}\n', encoding="utf-8")
    with pytest.raises(UserError, match=says) as caught:
        list(read_replies(str(path), {}))
    assert "c.jsonl:3" in str(caught.value)


def test_fields_by_other_names(tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl"
    path.write_text('{"said": "yes", "lang": "zh", "question": "q"}\n', encoding="utf-8")
    (reply,) = read_replies(str(path), {"reply": "said"})
    assert (reply.text, reply.language, reply.question, reply.track) == ("yes", "zh", "q", "single")
    with pytest.raises(UserError, match="no field"):
        list(read_replies(str(path), {"respnse": "said"}))
    with pytest.raises(UserError, match="no reply in 'en'"):
        import_reference([str(path)], tmp_path / "o", replace(OPTIONS, fields={"reply": "said"}), shape)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "c.jsonl.gz").write_bytes(b"\x1f\x8bnot gzip")
    with pytest.raises(UserError, match="cannot be read"):
        list(read_replies(str(tmp_path / "c.jsonl.gz"), {}))
    with pytest.raises(UserError, match="no such file"):
        list(read_replies(str(tmp_path / "none.jsonl"), {}))


def test_a_data_set_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("datasets")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    folder = tmp_path / "chat"
    folder.mkdir()
    corpus(folder / "train.jsonl", ["short statement neutral plain"] * 3)
    replies = list(read_replies(f"hf:{folder}", {}))
    assert len(replies) == 3
    assert replies[0].source == "chat"


def test_records_without_a_reply_or_in_another_language_are_counted_in_the_note(tmp_path: Path) -> None:
    source = tmp_path / "c.jsonl"
    records: list[dict[str, object]] = [
        {"response": "short statement neutral plain", "language": tag}
        for tag in ("en-US", "EN", "English", "en_GB") * 10
    ]
    records += [{"response": None}, {"response": " "}, {"response": "kurz", "language": "de"}]
    records += [{"response": "short statement neutral plain", "family": "qa"}]
    source.write_text("\n".join(map(json.dumps, records)), encoding="utf-8")
    target = load_target(str(import_reference([str(source)], tmp_path / "human", OPTIONS, shape)))
    assert target.tables["length"].samples["single_assistant"].replies == 40
    assert target.provenance is not None
    assert "3 records without a reply or in another language are passed over" in target.provenance.note
    assert "fewer than 20 replies: single_qa" in target.provenance.note


def test_corpora_that_cannot_be_what_is_said(tmp_path: Path) -> None:
    chinese = tmp_path / "zh.jsonl"
    chinese.write_text('{"response": "很好的回答。"}\n' * 30, encoding="utf-8")
    with pytest.raises(UserError, match="not in 'en'"):
        import_reference([str(chinese)], tmp_path / "human", OPTIONS)
    english = corpus(tmp_path / "en.jsonl", ["short statement neutral plain"] * 30)
    with pytest.raises(UserError, match="not in 'zh'"):
        import_reference([english], tmp_path / "human", replace(OPTIONS, language="zh"))
    (tmp_path / "again").mkdir()
    twice = corpus(tmp_path / "again" / "en.jsonl", ["short statement neutral plain"] * 30)
    with pytest.raises(UserError, match="two corpora have one name"):
        import_reference([english, twice], tmp_path / "human", OPTIONS, shape)
    (tmp_path / "gbk.jsonl").write_bytes('{"response": "很好"}'.encode("gb18030"))
    with pytest.raises(UserError, match="UTF-8") as caught:
        import_reference([str(tmp_path / "gbk.jsonl")], tmp_path / "human", OPTIONS, shape)
    assert "gb18030" in str(caught.value)
    (tmp_path / "bare.jsonl").write_text('{"query": "q", "reply": "short statement neutral plain"}\n' * 40)
    bare = str(tmp_path / "bare.jsonl")
    asking = replace(OPTIONS, split="train", task=tmp_path / "task")
    with pytest.raises(UserError, match="nothing to ask") as unasked:
        import_reference([bare], tmp_path / "human", asking, shape)
    assert "--field question=NAME" in unasked.value.hint
    alike = replace(OPTIONS, split="train")
    with pytest.raises(UserError, match="has 20 replies") as few:
        import_reference([bare], tmp_path / "human", alike, shape)
    assert "more stand in a later split too" in str(few.value.found)
    assert not (tmp_path / "human").exists()


def test_a_conversation_is_what_the_corpus_says(tmp_path: Path) -> None:
    replies = ["short statement neutral plain"] * 30 + ["long statement neutral plain"] * 30
    records = [
        {"response": text, "dialogue_id": n // 10, "style": "single_assistant"}
        for n, text in enumerate(replies)
    ]
    (tmp_path / "c.jsonl").write_text("\n".join(map(json.dumps, records)), encoding="utf-8")
    import_reference([str(tmp_path / "c.jsonl")], tmp_path / "human", OPTIONS, shape)
    table = load_target(str(tmp_path / "human")).tables["length"]
    assert table.samples["single_assistant"] == (60, 5)  # six conversations, each of one kind


@pytest.mark.slow
def test_processes_read_what_one_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = ["Great, thanks!", "Why is that?", "1. tea\n2. coffee", "It was terrible.", "Fine"]
    replies = [f"{texts[i % 5]} {i}" + " and so on" * (i % 60) for i in range(1300)]
    source = corpus(tmp_path / "c.jsonl", replies)
    monkeypatch.setattr("harness.importers.reference.MANY", 1000)
    hashes = {
        load_target(
            str(import_reference([source], tmp_path / name / "human", replace(OPTIONS, processes=many)))
        ).hash
        for name, many in (("one", 1), ("two", 2))
    }
    assert len(hashes) == 1
