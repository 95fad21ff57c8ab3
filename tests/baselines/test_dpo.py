from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from datasets import Dataset
from trl import DPOConfig, DPOTrainer

from baselines.driver import Options, train
from baselines.stage import train_stage
from tests.baselines.tiny import tiny_answers

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from transformers import LlamaForCausalLM


def test_the_second_stage_is_trls_dpo_from_the_first(
    model: Path, tea: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    caught: list[DPOTrainer] = []

    def keep(folder: Path, name: str, build: Callable[[Path], DPOTrainer]) -> Path:
        caught.append(build(folder))
        return train_stage(folder, name, build)

    monkeypatch.setattr("baselines.dpo.trainer.train_stage", keep)
    sizes = ("rows=8", "precision=fp32", "adapter=full", "sft_learning_rate=0.003", "beta=0.5")
    options = Options(settings=sizes, completions=tiny_answers(tmp_path))
    train("dpo", str(model), str(tea), "survey", tmp_path / "out", options)
    (ours,) = caught
    tuned = tmp_path / "out" / "stages" / "sft" / "final"
    batch = next(iter(ours.get_train_dataloader()))
    torch.manual_seed(3)
    with torch.no_grad():
        for parameter in ours.model.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    loss = ours.compute_loss(ours.model, batch)
    config = DPOConfig(output_dir=str(tmp_path / "trl"), report_to=[], bf16=False, beta=0.5)
    plain = [{k: [{"role": "user", "content": "x"}] for k in ("prompt", "chosen", "rejected")}]
    theirs = DPOTrainer(
        model=str(tuned),
        args=config,
        train_dataset=Dataset.from_list(plain),
        processing_class=ours.processing_class,
    )
    theirs.model.load_state_dict(ours.model.state_dict())
    assert loss.item() == pytest.approx(theirs.compute_loss(theirs.model, batch).item(), abs=1e-6)
    assert loss.item() == pytest.approx(by_formula(ours.model, theirs.ref_model, batch, 0.5), abs=1e-5)


def by_formula(
    policy: LlamaForCausalLM, reference: LlamaForCausalLM, batch: dict[str, torch.Tensor], beta: float
) -> float:
    """``-ln sigmoid(beta * (chosen - rejected))`` of log-ratios; the batch has all chosen, then all rejected."""

    def score(model: LlamaForCausalLM) -> torch.Tensor:
        ids, mask = batch["input_ids"], batch["completion_mask"]
        with torch.no_grad():
            logs = model(input_ids=ids, attention_mask=batch["attention_mask"]).logits.double()
        logs = logs[:, :-1].log_softmax(-1).gather(-1, ids[:, 1:, None])[..., 0]
        scored: torch.Tensor = (logs * mask[:, 1:]).sum(-1)
        return scored

    ratio = score(policy) - score(reference)
    chosen, rejected = ratio.chunk(2)
    return float(-torch.nn.functional.logsigmoid(beta * (chosen - rejected)).mean())
