"""Distinct rows with weights: the same loss and gradient as all rows, and as TRL's where weights are equal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest
import torch
from trl import DPOConfig, DPOTrainer, KTOConfig, KTOTrainer, SFTConfig, SFTTrainer

from baselines.dpo.trainer import RetainingDPOTrainer
from baselines.klkto.loss import KLKTOTrainer
from baselines.pooling import REFERENCE, WholePrompts, pooled
from baselines.sft import METHOD
from baselines.sft.trainer import RetainingSFTTrainer
from baselines.trl_glue import dataset
from tests.baselines.tiny import tiny_model, tiny_tokenizer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from transformers import Trainer

    from baselines.klkto.recipe import Ablation

TIMES = {
    ("Leeds", "Tea"): 5,
    ("Leeds", "Coffee and tea"): 1,
    ("Bath", "Tea"): 2,
    ("Bath", "Coffee and tea"): 4,
}
SHARES = {"Leeds": [0.8, 0.2], "Bath": [0.35, 0.65]}


def asked(place: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": f"A drink of {place}, please."}]


def said(answer: str) -> list[dict[str, str]]:
    return [{"role": "assistant", "content": answer}]


def completions() -> list[dict[str, object]]:
    return [
        {"prompt": asked(p), "completion": said(a)} for (p, a), times in TIMES.items() for _ in range(times)
    ]


def preferences() -> list[dict[str, object]]:
    return [
        {"prompt": asked(p), "chosen": said(a), "rejected": said("0")}
        for (p, a), times in TIMES.items()
        for _ in range(times)
    ]


def verdicts() -> list[dict[str, object]]:
    return [
        {"prompt": asked(p), "completion": said(f"0{a}"), "label": a == "Tea", "target": SHARES[p]}
        for (p, a), times in TIMES.items()
        for _ in range(times)
    ]


def settings(folder: Path, size: int, accumulation: int = 1) -> dict[str, Any]:
    return {
        "output_dir": str(folder),
        "per_device_train_batch_size": size,
        "gradient_accumulation_steps": accumulation,
        "report_to": [],
        "bf16": False,
        "gradient_checkpointing": False,
    }


def sft(folder: Path, rows: list[dict[str, object]], kind: Any = RetainingSFTTrainer, size: int = 12) -> Any:
    tokenizer = tiny_tokenizer()
    config = SFTConfig(**settings(folder, size), completion_only_loss=True)
    return kind(
        model=tiny_model(tokenizer, seed=1),
        args=config,
        train_dataset=dataset(rows, folder),
        processing_class=tokenizer,
    )


def dpo(folder: Path, rows: list[dict[str, object]], kind: Any = RetainingDPOTrainer, size: int = 12) -> Any:
    tokenizer = tiny_tokenizer()
    config = DPOConfig(**settings(folder, size), beta=0.5, precompute_ref_log_probs=True)
    return kind(
        model=tiny_model(tokenizer, seed=1),
        ref_model=tiny_model(tokenizer, seed=2),
        args=config,
        train_dataset=dataset(rows, folder),
        processing_class=tokenizer,
    )


def kto(
    folder: Path, rows: list[dict[str, object]], kind: Any = KLKTOTrainer, ablation: Ablation = "full"
) -> Any:
    tokenizer = tiny_tokenizer()
    vocabulary = tokenizer.get_vocab()
    more = {"steering": [vocabulary["0"], vocabulary["1"]], "kl_weight": 1.0, "ablation": ablation}
    weights = {"desirable_weight": 1.5, "undesirable_weight": 0.5}
    return kind(
        model=tiny_model(tokenizer, seed=1),
        ref_model=tiny_model(tokenizer, seed=2),
        args=KTOConfig(**settings(folder, 12), beta=0.5, precompute_ref_log_probs=True, **weights),
        train_dataset=dataset(rows, folder),
        processing_class=tokenizer,
        **(more if kind is KLKTOTrainer else {}),
    )


MAKERS: dict[str, tuple[Callable[..., Any], Callable[[], list[dict[str, object]]]]] = {
    "sft": (sft, completions),
    "dpo": (dpo, preferences),
    "klkto": (kto, verdicts),
}
TRLS = {"sft": SFTTrainer, "dpo": DPOTrainer, "klkto": KTOTrainer}


def batch_of(trainer: Any) -> dict[str, torch.Tensor]:
    return cast("dict[str, torch.Tensor]", next(iter(trainer.get_train_dataloader())))


def gradient(trainer: Any, batch: dict[str, torch.Tensor]) -> tuple[float, torch.Tensor]:
    """Loss and gradient of a batch, dropout off as in all these trainers."""
    trainer.model.train()
    trainer.model.zero_grad()
    loss = trainer.compute_loss(trainer.model, batch)
    loss.backward()
    parts = [p.grad.flatten() for p in trainer.model.parameters() if p.grad is not None]
    return loss.item(), torch.cat(parts).clone()


def same(one: tuple[float, torch.Tensor], other: tuple[float, torch.Tensor]) -> None:
    assert one[0] == pytest.approx(other[0], abs=1e-6)
    assert other[1].abs().max() > 1e-3
    torch.testing.assert_close(one[1], other[1], atol=1e-6, rtol=1e-5)


def test_each_distinct_row_stands_once_with_its_number_beside_its_prompts_others() -> None:
    rows = completions()
    mixed = [rows[i] for i in (0, 7, 5, 9, 1, 6, 2, 11, 3, 8, 4, 10)]
    found = pooled(mixed, "distinct")
    assert [row["weight"] for row in found] == [5, 1, 2, 4]
    assert [row["group"] for row in found] == [0, 0, 1, 1]
    assert pooled(mixed, "all") == mixed


def test_prompts_are_shuffled_whole_and_anew_each_epoch() -> None:
    groups = [k // 3 for k in range(30)]
    sampler = WholePrompts(groups, seed=1)
    orders = []
    for epoch in (0, 1, 0):
        sampler.set_epoch(epoch)
        orders.append(list(sampler))
    assert orders[0] == orders[2] != orders[1]
    assert all(sorted(order) == list(range(30)) for order in orders)
    assert all(len({groups[i] for i in order[k : k + 3]}) == 1 for order in orders for k in range(0, 30, 3))


@pytest.mark.parametrize("method", ["sft", "dpo"])
def test_a_batch_of_the_distinct_rows_has_the_gradient_of_all_rows(method: str, tmp_path: Path) -> None:
    make, rows = MAKERS[method]
    every = make(tmp_path / "all", rows())
    distinct = make(tmp_path / "distinct", pooled(rows(), "distinct"))
    batch = batch_of(distinct)
    assert len(batch["weight"]) == 4
    same(gradient(distinct, batch), gradient(every, batch_of(every)))


@pytest.mark.parametrize("ablation", ["full", "kto_only", "kl_only"])
def test_klktos_distinct_rows_have_the_gradient_of_each_repeated(ablation: Ablation, tmp_path: Path) -> None:
    """With the same other completion for the baseline, which depends on what stands beside a row."""
    distinct = kto(tmp_path, pooled(verdicts(), "distinct"), ablation=ablation)
    batch = batch_of(distinct)
    times = batch["weight"].long()
    repeated = {k: v.repeat_interleave(times, 0) for k, v in batch.items() if k not in ("weight", "steering")}
    places = torch.full((int(times.sum()),), -1)
    places[torch.cumsum(times, 0) - times] = batch["steering"]
    same(gradient(distinct, batch), gradient(distinct, {**repeated, "steering": places}))


@pytest.mark.parametrize("method", ["sft", "dpo", "klkto"])
def test_equal_weights_are_trls_own(method: str, tmp_path: Path) -> None:
    make, rows = MAKERS[method]
    once = pooled(rows(), "distinct")
    even = [{**row, "weight": 3.0} for row in once]
    more = {"ablation": "kto_only"} if method == "klkto" else {}
    ours = make(tmp_path / "ours", even, **more)
    batch = batch_of(ours)
    theirs = make(
        tmp_path / "trl",
        [{k: v for k, v in row.items() if k not in ("weight", "group")} for row in once],
        TRLS[method],
    )
    plain = {k: v for k, v in batch.items() if k not in ("weight", "steering", "target")}
    same(gradient(ours, batch), gradient(theirs, plain))


@pytest.mark.parametrize("method", ["sft", "dpo"])
def test_small_batches_added_up_have_the_gradient_of_a_large_one(method: str, tmp_path: Path) -> None:
    make, rows = MAKERS[method]
    found = []
    for size in (4, 1):
        trainer = make(tmp_path / str(size), pooled(rows(), "distinct"), size=size)
        trainer.args.gradient_accumulation_steps = trainer.current_gradient_accumulation_steps = 4 // size
        batches = list(trainer.get_train_dataloader())
        tokens = trainer._get_num_items_in_batch(batches, trainer.args.device)
        trainer.model.zero_grad()
        for batch in batches:
            trainer.training_step(trainer.model, batch, tokens)
        found.append(torch.cat([p.grad.flatten() for p in trainer.model.parameters() if p.grad is not None]))
    torch.testing.assert_close(found[1], found[0], atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("method", ["dpo", "klkto"])
def test_the_reference_scores_distinct_rows_alone_and_once(
    method: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make, rows = MAKERS[method]
    kind: Any = {"dpo": DPOTrainer, "klkto": KTOTrainer}[method]
    scored: list[int] = []
    plain = kind.compute_ref_log_probs

    def counted(self: Trainer, model: object, inputs: dict[str, torch.Tensor]) -> object:
        found = plain(self, model, inputs)
        scored.append(len(found[0]))
        return found

    theirs = make(tmp_path / "trl", rows(), kind)
    monkeypatch.setattr(kind, "compute_ref_log_probs", counted)
    ours = make(tmp_path / "ours", rows())
    assert 0 < sum(scored) < len(rows())
    column = "ref_logps" if method == "klkto" else "ref_chosen_logps"
    assert list(ours.train_dataset[column]) == pytest.approx(list(theirs.train_dataset[column]), abs=1e-4)
    scored.clear()
    again = make(tmp_path / "ours", rows())
    assert not scored
    assert list(again.train_dataset[column]) == list(ours.train_dataset[column])
    assert (tmp_path / "ours" / REFERENCE).is_file()


def test_trainings_of_before_are_those_on_all_rows() -> None:
    """Their records have no word of it, so neither has that of a training on all rows."""
    every, distinct = (
        METHOD.read_recipe(settings=(f"pooling={p}",)).model_dump(mode="json") for p in ("all", "distinct")
    )
    assert distinct == {**every, "pooling": "distinct"}
    assert "pooling" not in every
