"""What our arguments change in TRL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
import trl.trainer.utils
from trl.trainer.utils import add_fused_lm_head

from baselines.trl_glue import shared_arguments
from tests.baselines.polyalign_parts import recipe
from tests.baselines.tiny import tiny_model, tiny_tokenizer

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

LEFT_OUT = -100


def scored(labels: torch.Tensor, ids: torch.Tensor) -> tuple[Any, dict[str, torch.Tensor]]:
    """TRL's output for one model and batch, and the gradient of the sum of its log-probabilities."""
    model = tiny_model(tiny_tokenizer(), seed=1)
    add_fused_lm_head(model, outputs=("log_probs", "entropy", "is_top1"))
    found: Any = model(input_ids=ids, labels=labels, fused_lm_head=True)
    found.log_probs.sum().backward()
    return found, {n: p.grad for n, p in model.named_parameters() if p.grad is not None}


def test_the_output_layer_computes_only_what_is_trained_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = torch.randint(3, 100, (4, 30), generator=torch.Generator().manual_seed(0))
    labels = ids.clone()
    labels[:, :20], labels[2] = LEFT_OUT, LEFT_OUT
    monkeypatch.setattr(trl.trainer.utils, "_use_triton", lambda device: False)
    whole, of_whole = scored(labels, ids)

    shared_arguments(recipe(), tmp_path)
    rows: list[int] = []
    apply = trl.trainer.utils._ChunkedLogProbFunction.apply

    def counted(hidden: torch.Tensor, *rest: object) -> object:
        rows.append(len(hidden))
        return apply(hidden, *rest)

    monkeypatch.setattr(trl.trainer.utils._ChunkedLogProbFunction, "apply", counted)
    part, of_part = scored(labels, ids)
    assert rows == [3 * 10]
    for name in ("log_probs", "entropy", "is_top1", "loss"):
        torch.testing.assert_close(getattr(part, name), getattr(whole, name))
    assert of_part.keys() == of_whole.keys()
    for name, gradient in of_part.items():
        torch.testing.assert_close(gradient, of_whole[name])
