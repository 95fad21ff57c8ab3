"""The loss against the numbers worked out by hand, the batches, and whole trainings."""

from __future__ import annotations

import csv
import json
import logging
import math
from typing import TYPE_CHECKING, Any

import pytest
import torch

from baselines import retention, walf
from baselines.driver import Options, train
from baselines.recipe import TEXTS
from baselines.walf.data import GroupedBatches, Item, collate, without_last
from baselines.walf.loss import Adaptive, Group, Tracker, by_pair, divergence
from baselines.walf.trainer import WalfTrainer, load_model
from harness.errors import UserError
from harness.sampling.hf import association
from harness.sampling.hf.association import Quirks
from harness.sampling.hf.checkpoint import load
from harness.sampling.hf.choices import ChoicesEngine
from harness.sampling.hf.source import find, weights_digest
from tests.baselines.tiny import tiny_task, write_tiny
from tests.baselines.walf_models import GROUPS, WRITE, write_jobs

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

SETTINGS = (
    f"masked_groups={GROUPS}",
    f"causal_groups={GROUPS}",
    "hold_out=1",
    "precision=fp32",
    "batch_size=2",
    "learning_rate=0.003",
    "retention_rows=4",
    "epochs=2",
)
SIZES = (8, 8, 5)


@pytest.mark.parametrize(
    ("beta", "kls", "means", "variances", "male", "others", "scaled"),
    [
        (0.8, (0.4, 0.3, 0.2), (0.4, 0.38, 0.344), (0, 0.0005, 0.001615), (0.8,) * 3, (1,) * 3, (0.999998, 0.789472, 0.581394)),
        (0.6, (2, 1.5, 0.1), (2, 1.8, 1.12), (0, 0.009375, 0.089714), (1.5, 1.5, 0.976403), (1.5, 1.5, 1.233351), (1, 0.833333, 0.089286)),
    ],
)  # fmt: skip
def test_trackers_follow_the_numbers_worked_out_by_hand(
    beta: float,
    kls: Sequence[float],
    means: Sequence[float],
    variances: Sequence[float],
    male: Sequence[float],
    others: Sequence[float],
    scaled: Sequence[float],
) -> None:
    groups = {"male": Group(0.95, 0.8, 1.5, 1e-6), "others": Group(1.2, 1.0, 1.5, 1e-5)}
    adaptive = Adaptive(groups, beta)
    for step, (kl, size) in enumerate(zip(kls, SIZES, strict=True)):
        for name, weights in (("male", male), ("others", others)):
            value = torch.tensor(kl, dtype=torch.float64, requires_grad=True)
            loss, told = adaptive(value, size, name)
            assert told["m"] == pytest.approx(means[step], abs=1e-6)
            assert told["v"] == pytest.approx(variances[step], abs=1e-6)
            assert told["lambda"] == pytest.approx(weights[step], abs=1e-6)
            (gradient,) = torch.autograd.grad(loss, value)
            slope = weights[step] / (means[step] + groups[name].alpha)
            assert gradient.item() == pytest.approx(slope, rel=1e-5)
            assert loss.item() == pytest.approx(kl * slope, rel=1e-5)
            if name == "male":
                assert loss.item() / weights[step] == pytest.approx(scaled[step], abs=1e-6)


def test_the_published_count_in_place() -> None:
    tracker = Tracker()
    for kl, size in zip((0.4, 0.3, 0.2), SIZES, strict=True):
        tracker.update(kl, size, 0.8, count_in_place=True)
    assert tracker.variance == pytest.approx(0.001734, abs=5e-7)


def test_a_floor_lets_steps_shrink_near_the_target() -> None:
    """Above the floor nothing changes; below it the divisor stays."""
    groups = {"male": Group(1.0, 1.0, 1.0, 1e-6)}
    for floor, expected in ((0.0, (1.0, 1.0)), (0.05, (1.0, 0.2))):
        found = []
        for kl in (0.4, 0.01):
            adaptive = Adaptive(groups, 0.8, floor=floor)
            loss, _ = adaptive(torch.tensor(kl), 8, "male")
            found.append(float(loss))
        assert found == pytest.approx(expected, rel=1e-3)


def test_divergence_of_a_known_pair() -> None:
    target = torch.tensor([[0.8, 0.2], [1.0, 0.0]])
    even = torch.full((2, 2), math.log(0.5))
    whole = divergence(target, even).tolist()
    assert whole == pytest.approx([0.192745, math.log(2)], abs=1e-6)
    assert divergence(target, even, half=True).tolist() == pytest.approx([w / 2 for w in whole])
    assert divergence(target, target.log()).tolist() == pytest.approx([0, 0], abs=1e-7)


def test_pairs_that_err_in_opposite_ways_are_each_pulled_to_the_target() -> None:
    women = torch.tensor([0.9, 0.5], dtype=torch.float64)
    scored = torch.stack([1 - women, women]).log()[None, None].requires_grad_()
    target = torch.tensor([[0.3, 0.7]], dtype=torch.float64)
    assert divergence(target, association.log_shares(scored, Quirks()))[0].item() == pytest.approx(0)
    kl = by_pair(target, scored, Quirks())
    wanted = [0.3 * math.log(0.3 / (1 - q)) + 0.7 * math.log(0.7 / q) for q in (0.9, 0.5)]
    assert kl.tolist() == pytest.approx([sum(wanted) / 2])
    assert by_pair(target, scored, Quirks(), half=True).tolist() == pytest.approx([sum(wanted) / 4])
    (slope,) = torch.autograd.grad(kl.sum(), scored)
    # Of softmax and cross-entropy: share less target, for each of two pairs.
    assert slope[0, 0, 1].tolist() == pytest.approx([0.2 / 2, -0.2 / 2])


def test_words_in_one_pot_have_one_share_to_train() -> None:
    scored = torch.randn(3, 2, 2, 4, dtype=torch.float64)
    target = torch.tensor([[0.3, 0.7]], dtype=torch.float64).expand(3, 2)
    weights = scored.exp().sum((1, 3))
    shares = weights / weights.sum(-1, keepdim=True)
    wanted = (target * (target / shares).log()).sum(-1).tolist()
    assert by_pair(target, scored, Quirks(pooled=True)).tolist() == pytest.approx(wanted)


def test_pairs_of_words_are_drawn_anew_and_stay_pairs() -> None:
    # A row for each of 2 prompts x 2 classes x 3 words, its one token telling which it is.
    inputs = association.Inputs(
        tuple((i,) for i in range(12)), tuple((i, i, 0, i, 1.0) for i in range(12)), 12
    )
    item = Item("c", "g", (0.5, 0.5), (), inputs)
    seen = set()
    for _ in range(50):
        batch = collate([(0, item), (1, item)], 0, words=3, drawn=2)
        in_order = batch["token"][batch["sentence"].argsort()]
        told = in_order.view(2, 2, 2, 2)  # contexts, prompts, classes, words
        words = told[0, 0, 0]
        assert told[0].tolist() == told[1].tolist()
        assert told[0].tolist() == [[(words + 3 * (2 * p + c)).tolist() for c in (0, 1)] for p in (0, 1)]
        seen.add(tuple(words.tolist()))
    assert seen == {(0, 1), (1, 0), (0, 2), (2, 0), (1, 2), (2, 1)}
    assert collate([(0, item)], 0, words=3, drawn=0)["token"].tolist() == list(range(12))


def test_batches_hold_one_group_each_and_change_by_epoch() -> None:
    groups = ["a"] * 5 + ["b"] * 4 + ["c"]
    batches = GroupedBatches(groups, 2, seed=1)
    seen = []
    for epoch in (0, 1, 0):
        batches.set_epoch(epoch)
        found = list(batches)
        assert len(found) == len(batches) == 6
        assert sorted(i for batch in found for i in batch) == list(range(10))
        assert all(len({groups[i] for i in batch}) == 1 for batch in found)
        seen.append(found)
    assert seen[0] == seen[2] != seen[1]


def test_words_kept_for_measuring() -> None:
    assert without_last({"a": ("1", "2", "3"), "b": ("4", "5", "6")}, 1) == {"a": ("1", "2"), "b": ("4", "5")}
    with pytest.raises(UserError, match="no word is left"):
        without_last({"a": ("1",), "b": ("2",)}, 1)


@pytest.mark.parametrize("kind", ["bert", "llama"])
def test_retention_is_the_loss_of_one_token_at_a_time(kind: str, tmp_path: Path) -> None:
    checkpoint = ChoicesEngine(str(WRITE[kind](tmp_path)), device="cpu").checkpoint
    model: Any = checkpoint.model
    tokenizer: Any = checkpoint.tokenizer
    texts = ["he works as a cook.", "my sister was here"]
    encoded = retention.encode(tokenizer, texts, 64)
    losses = []
    for text in texts:
        ids = tokenizer(text)["input_ids"]
        for i, token in enumerate(ids):
            if kind == "bert" and token in tokenizer.all_special_ids:
                continue
            if kind == "llama" and i == 0:
                continue
            row = ids[:i] if kind == "llama" else [*ids[:i], tokenizer.mask_token_id, *ids[i + 1 :]]
            with torch.no_grad():
                logits = model(input_ids=torch.tensor([row])).logits[0]
            losses.append(-float(logits[-1 if kind == "llama" else i].double().log_softmax(-1)[token]))
    if kind == "bert":
        batch = retention.masked_batch(encoded, 0, tokenizer.mask_token_id, 0)
    else:
        batch = retention.causal_batch(encoded, 0, 0)
    with torch.no_grad():
        assert retention.loss(model, batch, "ce", None).item() == pytest.approx(
            sum(losses) / len(losses), rel=1e-5
        )
        assert retention.loss(model, batch, "kl", model).item() == pytest.approx(0, abs=1e-6)


def test_a_sample_of_masked_tokens_has_each_once(tmp_path: Path) -> None:
    tokenizer: Any = ChoicesEngine(str(WRITE["bert"](tmp_path)), device="cpu").checkpoint.tokenizer
    (text,) = retention.encode(tokenizer, ["he works as a cook here"], 64)
    batch = retention.masked_batch([text], 3, tokenizer.mask_token_id, 0)
    masks = (batch["input_ids"] == tokenizer.mask_token_id).nonzero().tolist()
    assert [row for row, _ in masks] == [0, 1, 2]
    assert len({at for _, at in masks}) == 3
    assert all(text.ids[at] == int(batch["token"][row]) for row, at in masks)


def test_the_neutral_texts_name_no_gender() -> None:
    gendered = {"he", "she", "him", "her", "his", "hers", "man", "woman", "men", "women", "boy", "girl"}
    texts = retention.lines(TEXTS["neutral"])
    assert len(texts) >= 30
    assert not [t for t in texts if gendered & set(t.lower().strip(".").replace(",", "").split())]


@pytest.mark.parametrize(
    ("kind", "adapter", "more"),
    [
        pytest.param("bert", "full", ("adaptive=false", "gamma=0"), marks=pytest.mark.slow),
        ("bert", "lora", ("retention=ce", "retention_text=sentences")),
        pytest.param("roberta", "full", ("retention=kl",), marks=pytest.mark.slow),
        ("llama", "full", ("retention=kl", "pairs=1")),
        pytest.param(
            "llama",
            "lora",
            ("retention=kl", "as_published=true", "gradient_checkpointing=true"),
            marks=pytest.mark.slow,
        ),
    ],
)
def test_a_training_moves_towards_the_target_and_leaves_a_checkpoint(
    kind: str,
    adapter: str,
    more: tuple[str, ...],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(logging.getLogger("transformers"), "propagate", True)
    model = WRITE[kind](tmp_path / "model")
    task = write_jobs(tmp_path / "task")
    chosen = Options(
        settings=(*SETTINGS, f"adapter={adapter}", "epochs=25", "patience=25", "learning_rate=0.001", *more)
    )
    out = train("walf", str(model), str(task), "survey", tmp_path / "out", chosen)
    assert "missing keys" not in caplog.text
    record = json.loads((out / "distalign.json").read_text())
    assert record["method"] == "walf"
    assert record["base"]["weights"] == weights_digest(model)
    found = find(str(out))
    assert (found.base is not None) == (adapter == "lora")
    load(found, kind="causal" if kind == "llama" else "masked", device="cpu")
    with (out / "walf.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    batches = [r for r in rows if r["kl"]]
    assert {r["group"] for r in batches} == {"a", "b"}
    assert all(bool(r.get("lambda")) == ("adaptive=false" not in more) for r in batches)
    assert any(r["eval_loss"] for r in rows)
    first, last = ([float(r["kl"]) for r in batches][part] for part in (slice(8), slice(-8, None)))
    assert sum(last) < 0.5 * sum(first)


def test_a_training_that_is_taken_up_again_has_the_same_trackers(tmp_path: Path) -> None:
    model = WRITE["bert"](tmp_path / "model")
    task = write_jobs(tmp_path / "task")
    whole = train("walf", str(model), str(task), "survey", tmp_path / "whole", Options(settings=SETTINGS))
    caught: list[WalfTrainer] = []
    with pytest.MonkeyPatch.context() as patch:
        save = WalfTrainer.save_model

        def stop(self: WalfTrainer, output_dir: str | None = None, _internal_call: bool = False) -> None:
            save(self, output_dir, _internal_call)
            if _internal_call and self.state.global_step > 2:
                caught.append(self)
                raise KeyboardInterrupt

        patch.setattr(WalfTrainer, "save_model", stop)
        with pytest.raises(KeyboardInterrupt):
            train("walf", str(model), str(task), "survey", tmp_path / "torn", Options(settings=SETTINGS))
    assert caught
    torn = train("walf", str(model), str(task), "survey", tmp_path / "torn", Options(settings=SETTINGS))
    rows = []
    for out in (whole, torn):
        with (out / "walf.csv").open(newline="") as file:
            rows.append(
                [(r["step"], r["group"], r["m"], r["lambda"]) for r in csv.DictReader(file) if r["kl"]]
            )
    assert [r[:2] for r in rows[0]] == [r[:2] for r in rows[1]]
    for first, second in zip(*rows, strict=True):
        assert float(second[2]) == pytest.approx(float(first[2]), rel=1e-3)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (("masked_groups={a: [1, 1, 1, 1.0e-6]}",), "without constants"),
        (("group_by=region",), "column that groups"),
        (("four_bit=true",), "frozen"),
        (("retention_text=nowhere.txt",), "no such texts"),
        (("hold_out=3",), "no word is left"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(
    settings: tuple[str, ...], message: str, tmp_path: Path
) -> None:
    model = WRITE["bert"](tmp_path / "model")
    task = write_jobs(tmp_path / "task")
    with pytest.raises(UserError, match=message):
        train(
            "walf",
            str(model),
            str(task),
            "survey",
            tmp_path / "out",
            Options(settings=(*SETTINGS, *settings)),
        )


def test_a_task_of_draws_is_refused(tmp_path: Path) -> None:
    model, task = write_tiny(tmp_path / "model"), tiny_task(tmp_path / "task")
    with pytest.raises(UserError, match="another measure"):
        train("walf", str(model), str(task), "survey", tmp_path / "out")
    with pytest.raises(UserError, match="another measure"):
        train("sft", str(model), str(write_jobs(tmp_path / "jobs")), "survey", tmp_path / "other")


def test_an_adapter_begins_with_the_same_weights_whatever_was_drawn_before(tmp_path: Path) -> None:
    model = WRITE["bert"](tmp_path / "model")
    recipe = walf.METHOD.read_recipe(settings=("adapter=lora", "lora_dropout=0", "precision=fp32"))
    begun = []
    for drawn in (1, 2):
        torch.rand(drawn)
        weights = load_model(model, recipe, masked=True).named_parameters()
        begun.append(torch.cat([w.detach().flatten() for name, w in weights if "lora_A" in name]))
    assert torch.equal(*begun)
