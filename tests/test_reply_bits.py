"""Bits of people's replies: against a computation of one token at a time, in comparisons, and what is refused."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from harness.cli.main import run as distalign
from harness.comparison import compare
from harness.errors import UserError
from harness.evaluation import evaluate
from harness.retained.record import RepliesRecord, utility_of
from harness.retained.replies import HeldReplies, reply_bits
from harness.retained.utility import Wanted, measure
from harness.sampling.hf.chat import Chat
from harness.sampling.hf.checkpoint import load
from harness.sampling.hf.source import find
from harness.scoring.ratio import ratio
from harness.terms import Request
from reports.load import entries
from tests import helpers
from tests.baselines.tiny import TASK, write_tiny

if TYPE_CHECKING:
    from pathlib import Path

    from harness.runs.folder import Run

REPLIES = {"ask": "Tea, please.", "also": "A cup of coffee in Bath"}


def people_task(folder: Path) -> Path:
    """The tea task whose two test prompts have people's replies."""
    asked = TASK.replace("{id: ask, ", f'{{id: ask, reference: "{REPLIES["ask"]}", ').replace(
        "  - {id: again",
        f'  - {{id: also, reference: "{REPLIES["also"]}", text: "Tell me."}}\n  - {{id: again',
    )
    return helpers.write_task(folder, task=asked)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bits")
    write_tiny(folder / "one")
    write_tiny(folder / "two", seed=5)
    people_task(folder / "task")
    return folder


@pytest.fixture(scope="module")
def runs(place: Path) -> list[Run]:
    found = []
    for name in ("one", "two"):
        run = evaluate(place / name, place / "task/task.yaml", "even", n=2, out=place / "runs")
        measure(str(place / name), Wanted(replies=str(place / "task/task.yaml")), [run.folder])
        found.append(run)
    return found


def bits_of(place: Path, name: str) -> RepliesRecord:
    checkpoint = load(find(str(place / name)), device="cpu")
    return reply_bits(checkpoint, HeldReplies.of(str(place / "task/task.yaml")))


def test_bits_are_those_of_the_tokens_one_by_one_and_of_any_end(place: Path) -> None:
    found = bits_of(place, "one")
    checkpoint = load(find(str(place / "one")), device="cpu")
    chat = Chat(checkpoint.tokenizer)
    ends = sorted(chat.ends(checkpoint.model))
    assert len(ends) > 0
    assert {(r.context, r.prompt) for r in found.each} == {
        (c, p) for c in ("leeds", "oporto") for p in REPLIES
    }
    held = HeldReplies.of(str(place / "task/task.yaml"))
    for one in held.asked:
        ids = chat.encode([Request(one.context, one.prompt, 0, 1, 0, one.messages, one.text)])[0]
        bits = 0.0
        for token in checkpoint.tokenizer(REPLIES[one.prompt], add_special_tokens=False)["input_ids"]:
            with torch.no_grad():
                logs = checkpoint.model(torch.tensor([ids])).logits[0, -1].double().log_softmax(-1)
            bits -= float(logs[token]) / math.log(2)
            ids.append(token)
        with torch.no_grad():
            last = checkpoint.model(torch.tensor([ids])).logits[0, -1].double().softmax(-1)
        own = next(r for r in found.each if (r.context, r.prompt) == (one.context, one.prompt))
        assert own.bits == pytest.approx(bits, rel=1e-5)
        assert own.end == pytest.approx(-math.log2(float(last[ends].sum())), rel=1e-5)
        assert own.size == len(REPLIES[one.prompt].encode())
    sizes = sum(len(r) for r in REPLIES.values())
    per_context = [sum(r.bits + r.end for r in found.each if r.context == c) / sizes for c in found.contexts]
    assert found.mean.bits == pytest.approx(np.mean(per_context))


def test_the_replies_alone_change_nothing_but_themselves(place: Path) -> None:
    """A batch of rows of different lengths gives each the bits that it has alone."""
    together = {(r.context, r.prompt): r.bits for r in bits_of(place, "one").each}
    checkpoint = load(find(str(place / "one")), device="cpu")
    held = HeldReplies.of(str(place / "task/task.yaml"))
    for one in held.asked:
        alone = HeldReplies(held.task, (one,), held.replies)
        assert reply_bits(checkpoint, alone).each[0].bits == pytest.approx(
            together[one.context, one.prompt], rel=1e-5
        )


def test_a_ratio_s_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    held = 0
    for _ in range(400):
        sizes = [rng.integers(10, 200, 60).astype(float) for _ in range(3)]
        bits = [s * (2 + rng.normal(0, 0.5, 60)) for s in sizes]
        found = ratio(list(zip(bits, sizes, strict=True)))
        held += found.low <= 2 <= found.high
    assert 0.91 < held / 400 < 0.98


def test_runs_are_compared_on_the_replies_reply_by_reply(runs: list[Run]) -> None:
    one, two = (utility_of(run.folder) for run in runs)
    assert one is not None
    assert two is not None
    assert one.replies is not None
    assert two.replies is not None
    (found,) = compare(runs[0], runs[1]).replies
    assert found.replies == 4
    assert found.difference.value == pytest.approx(one.replies.mean.bits - two.replies.mean.bits)
    # the replies are alike and so is their surprise: paired, the interval is far narrower than either's
    assert found.difference.high - found.difference.low < one.replies.mean.high - one.replies.mean.low
    (itself,) = compare(runs[0], runs[0]).replies
    assert itself.difference.value == itself.difference.low == itself.difference.high == 0
    assert (
        json.loads(compare(runs[0], runs[1]).json())["replies"][0]["difference"]["value"]
        == found.difference.value
    )
    assert any("bits per byte" in line for line in compare(runs[0], runs[1]).lines())


def test_the_board_has_the_bits_with_their_interval(runs: list[Run]) -> None:
    found, _ = entries([str(run.folder) for run in runs])
    for entry in found:
        record = utility_of(entry.run.folder)
        assert record is not None
        assert record.replies is not None
        shown = entry.metrics["reply_bits"]
        assert (shown.value, shown.low, shown.high) == (
            record.replies.mean.bits,
            record.replies.mean.low,
            record.replies.mean.high,
        )


def test_what_has_no_bits_is_refused(place: Path, runs: list[Run], tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no replies of people"):
        HeldReplies.of("gender_us")
    other = evaluate(
        place / "one", place / "task/task.yaml", "even", n=2, out=tmp_path, system="You are a waiter."
    )
    with pytest.raises(UserError, match="asked other prompts"):
        measure(str(place / "one"), Wanted(replies=str(place / "task/task.yaml")), [other.folder])
    write_tiny(tmp_path / "steered")
    (tmp_path / "steered/distalign.json").write_text(
        json.dumps({"contract": {"strip_leading": ["0", "1"]}}), encoding="utf-8"
    )
    with pytest.raises(UserError, match="not drawn as they are read"):
        measure(str(tmp_path / "steered"), Wanted(replies=str(place / "task/task.yaml")))


def test_the_command_prints_the_bits(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert distalign(["utility", str(place / "one"), "--replies", str(place / "task/task.yaml")]) == 0
    printed = json.loads(capsys.readouterr().out)["replies"]
    assert printed["mean"]["replies"] == len(printed["each"]) == 4
