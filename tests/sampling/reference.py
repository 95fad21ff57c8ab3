"""Models and draws by transformers' own means, to hold ours against."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import torch
import transformers

if TYPE_CHECKING:
    from pathlib import Path

    from transformers import PreTrainedModel


def from_config(name: str, **settings: object) -> PreTrainedModel:
    """A causal model with random weights, the same each time."""
    torch.manual_seed(0)
    # transformers' own signatures are too narrow or untyped here.
    auto: Any = transformers.AutoModelForCausalLM
    config: Any = transformers.AutoConfig
    model: PreTrainedModel = auto.from_config(config.for_model(name, **settings)).eval()
    return model


@cache
def loaded(folder: Path) -> PreTrainedModel:
    """A checkpoint's model."""
    model: PreTrainedModel = transformers.AutoModelForCausalLM.from_pretrained(folder)
    return model


def generate(folder: Path, prompt: list[int], n: int, seed: int, **options: object) -> list[list[int]]:
    """New tokens of n draws by ``generate``, plain sampling unless told otherwise."""
    torch.manual_seed(seed)
    model: Any = loaded(folder)
    settings = {"do_sample": True, "top_k": 0, "top_p": 1.0, "num_return_sequences": n, **options}
    ids = torch.tensor([prompt])
    out = model.generate(input_ids=ids, attention_mask=torch.ones_like(ids), **settings)
    rows: list[list[int]] = out[:, len(prompt) :].tolist()
    return rows


def logits_after(model: PreTrainedModel, tokens: list[int]) -> torch.Tensor:
    """Next-token logits of one sequence, read whole and alone."""
    with torch.no_grad():
        logits: torch.Tensor = model(input_ids=torch.tensor([tokens]), use_cache=False).logits[0, -1]
    return logits
