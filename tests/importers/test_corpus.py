"""Records of a corpus: formats, histories, splits."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from harness.errors import UserError
from harness.importers.corpus import Reply, Splits, messages, read_replies
from harness.terms import Message

if TYPE_CHECKING:
    from pathlib import Path


def write(path: Path, records: list[dict[str, object]]) -> str:
    path.write_text("\n".join(map(json.dumps, records)), encoding="utf-8")
    return str(path)


def said(reply: Reply) -> list[tuple[str, str]]:
    return [(m.role, m.content) for m in reply.history]


def test_the_formats_hold_the_same_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    records: list[dict[str, object]] = [
        {
            "reply": f"r{n}",
            "question": f"q{n}",
            "history": [{"role": "user", "content": "a"}, {"role": "bot", "content": "b"}],
        }
        for n in range(30)
    ]
    plain = write(tmp_path / "c.jsonl", records)
    (tmp_path / "gz").mkdir()
    (tmp_path / "gz/c.jsonl.gz").write_bytes(gzip.compress((tmp_path / "c.jsonl").read_bytes()))
    pq.write_table(pa.Table.from_pylist(records), tmp_path / "c.parquet")
    sources = [plain, str(tmp_path / "gz/c.jsonl.gz"), str(tmp_path / "c.parquet")]
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    pytest.importorskip("datasets")
    (tmp_path / "set" / "c").mkdir(parents=True)
    write(tmp_path / "set/c/train.jsonl", records)
    sources.append(f"hf:{tmp_path / 'set' / 'c'}")
    one, *others = [list(read_replies(source, {})) for source in sources]
    assert one[3].history == (Message("user", "a"), Message("assistant", "b"))
    assert all(other == one for other in others)


def test_history_is_rebuilt_where_questions_are_turns_of_their_own(tmp_path: Path) -> None:
    records: list[dict[str, object]] = [
        {"id": f"a-{t}", "turn": t, "question": f"q{t}", "reply": f"r{t}"} for t in (1, 3, 5, 9)
    ]
    first, second, third, after_gap = read_replies(write(tmp_path / "c.jsonl", records), {})
    assert said(first) == []
    assert said(second) == [("user", "q1"), ("assistant", "r1")]
    assert said(third) == [("user", "q1"), ("assistant", "r1"), ("user", "q3"), ("assistant", "r3")]
    assert said(after_gap) == []  # turns 6 and 7 are not known


def test_history_is_rebuilt_where_both_speakers_are_recorded(tmp_path: Path) -> None:
    turns = ["t0", "t1", "t2", "t3", "t4"]
    records: list[dict[str, object]] = [
        {"id": f"a-{t}", "turn": t, "question": turns[t - 1], "reply": turns[t]} for t in range(1, 5)
    ]
    replies = list(read_replies(write(tmp_path / "c.jsonl", records), {}))
    # of even turns the person who replies opened the conversation: chats begin with the user
    assert [said(r) for r in replies] == [
        [],
        [],
        [("user", "t0"), ("assistant", "t1")],
        [("user", "t1"), ("assistant", "t2")],
    ]


def test_records_that_lie_apart_are_refused(tmp_path: Path) -> None:
    records: list[dict[str, object]] = [{"conversation": c, "question": "q", "reply": "r"} for c in "aba"]
    with pytest.raises(UserError, match="lie apart"):
        list(read_replies(write(tmp_path / "c.jsonl", records), {}))


@pytest.mark.parametrize(
    ("history", "turns"),
    [
        ([["q", "a"]], [("user", "q"), ("assistant", "a")]),
        (["q", "a"], [("user", "q"), ("assistant", "a")]),
        (
            [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}],
            [("user", "q"), ("assistant", "a")],
        ),
        ([["q", "a"], {"role": "user", "text": "now?"}], [("user", "q"), ("assistant", "a")]),
    ],
)
def test_histories_of_a_record(tmp_path: Path, history: object, turns: object) -> None:
    (reply,) = read_replies(
        write(tmp_path / "c.jsonl", [{"reply": "r", "question": "now?", "history": history}]), {}
    )
    assert said(reply) == turns


@pytest.mark.parametrize(
    "history", ["text", [1], [{"role": "narrator", "content": "x"}], [["a"]], {"q": "a"}]
)
def test_a_history_that_is_no_list_of_turns(tmp_path: Path, history: object) -> None:
    with pytest.raises(UserError, match="no list of turns"):
        list(read_replies(write(tmp_path / "c.jsonl", [{"reply": "r", "history": history}]), {}))


def test_parquet_without_the_columns(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": ["x"]}), tmp_path / "c.parquet")
    with pytest.raises(UserError, match="no reply") as caught:
        list(read_replies(str(tmp_path / "c.parquet"), {}))
    assert caught.value.found == "text"
    (tmp_path / "broken.parquet").write_bytes(b"not parquet")
    with pytest.raises(UserError, match="no Parquet"):
        list(read_replies(str(tmp_path / "broken.parquet"), {}))


def test_a_record_says_its_split(tmp_path: Path) -> None:
    records: list[dict[str, object]] = [{"reply": "r", "split": s} for s in ("train", "dev", "test")]
    found = [r.split for r in read_replies(write(tmp_path / "c.jsonl", records), {})]
    assert found == ["train", "validation", "test"]
    with pytest.raises(UserError, match="unknown split") as caught:
        list(read_replies(write(tmp_path / "c.jsonl", [{"reply": "r", "split": "tain"}]), {}))
    assert caught.value.nearest == "train"


def test_conversations_are_shared_out_whole() -> None:
    one = Reply("c", "", "en", "single", "qa", "", "q", "r")
    replies = [replace(one, conversation=str(n // 3), text=str(n)) for n in range(6000)]
    for splits in (Splits(), Splits(0.5, 0.2, seed=4)):
        found = [splits.of(r) for r in replies]
        assert all(len(set(found[n : n + 3])) == 1 for n in range(0, 6000, 3))
        assert found.count("train") / 6000 == pytest.approx(splits.train, abs=0.04)
        assert found.count("validation") / 6000 == pytest.approx(splits.validation, abs=0.03)
    assert [Splits(seed=0).of(r) for r in replies] != [Splits(seed=1).of(r) for r in replies]


def test_turns_that_are_asked_alternate() -> None:
    history = (Message("system", "s"), Message("assistant", "a"), Message("user", "b"), Message("user", "c"))
    reply = Reply("c", "1", "en", "multi", "qa", "", "q", "r", passage="about", history=history)
    assert messages(reply) == [Message("system", "s"), Message("user", "b\nc\nabout\n\nq")]


def test_a_record_of_a_whole_conversation_gives_every_reply(tmp_path: Path) -> None:
    openai: dict[str, object] = {
        "id": "a-3",
        "messages": [
            {"role": "system", "content": "Be kind."},
            {"role": "user", "content": "q1"},
            {"role": "assistant", "content": "r1"},
            {"role": "user", "content": "q2"},
            {"role": "user", "content": "and q3"},
            {"role": "assistant", "content": "r2"},
            {"role": "user", "content": "bye"},
        ],
    }
    shared: dict[str, object] = {
        "id": 7,
        "conversations": [{"from": "human", "value": "q"}, {"from": "gpt", "value": "r"}],
    }
    spoken: dict[str, object] = {
        "conversation": ["hello", "hi", "tea?", "yes"],
        "conversation_id": "c",
        "split": "dev",
        "track": "chat",
    }
    one, two, three, four, five = read_replies(write(tmp_path / "c.jsonl", [openai, shared, spoken]), {})
    assert [(r.question, r.text) for r in (one, two, three)] == [
        ("q1", "r1"),
        ("q2\nand q3", "r2"),
        ("q", "r"),
    ]
    assert said(one) == [("system", "Be kind.")]
    assert said(two) == [("system", "Be kind."), ("user", "q1"), ("assistant", "r1")]
    assert [r.conversation for r in (one, two, three, four, five)] == ["a-3", "a-3", "7", "c", "c"]
    assert [r.track for r in (one, two, three, four)] == ["multi", "multi", "single", "chat"]
    assert said(five) == [("user", "hello"), ("assistant", "hi")]
    assert five.split == "validation"


def test_a_conversation_may_lie_under_any_name_and_broken_turns_are_told(tmp_path: Path) -> None:
    turns = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "r"}]
    named = write(tmp_path / "c.jsonl", [{"talk": turns, "output": "not this"}])
    assert [r.text for r in read_replies(named, {"turns": "talk"})] == ["r"]
    assert [r.text for r in read_replies(named, {})] == ["not this"], "a reply of its own comes first"
    broken = write(tmp_path / "d.jsonl", [{"messages": [{"role": "user", "content": 3}]}])
    with pytest.raises(UserError, match="no list of turns") as caught:
        list(read_replies(broken, {}))
    assert caught.value.where.endswith("d.jsonl:1:messages")
