"""Puts an adapter on its base, once its config is known to ask for no more than its files hold."""

from __future__ import annotations

import copy
import warnings
from contextlib import suppress
from typing import TYPE_CHECKING

from harness import limits
from harness.errors import UserError, missing_package
from harness.sampling.hf.foreign import foreign
from harness.sampling.hf.limited import growing, within
from harness.sampling.hf.source import weights_size

try:
    import torch
except ImportError as error:
    raise missing_package("a model of transformers", error.name or "torch", "hf") from error
try:
    from peft import PeftConfig, PeftModel
except ImportError as error:
    raise missing_package("an adapter folder", "peft", "train") from error

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from harness.sampling.hf.source import Source

UNFIT = "the adapter does not fit its base model"
INSIDE = "an adapter inside the model's layers, such as LoRA"


def with_adapter(
    model: PreTrainedModel, source: Source, words: int, *, trust_remote_code: bool = False
) -> PreTrainedModel:
    """A base with the adapter's layers in it: its forward has the base's own arguments.

    Args:
        model: the base.
        source: the adapter.
        words: how many tokens its tokenizer has.
        trust_remote_code: whether the size of what its config asks for is believed.
    """
    if words > len(model.get_input_embeddings().get_parameter("weight")):
        # The adapter was trained with tokens of its own; their embeddings are among its weights.
        model.resize_token_embeddings(words, mean_resizing=False)
    with foreign(UNFIT, source.name):
        config = PeftConfig.from_pretrained(str(source.folder))
        if config.is_prompt_learning or config.peft_type == "XLORA":
            problem = "adapters made of trained prompts, or of other adapters, cannot be sampled here"
            raise UserError(problem, where=source.name, found=str(config.peft_type), expected=INSIDE)
        if not trust_remote_code:
            check_adapter(model, config, weights_size(source.folder), source.name)
        with warnings.catch_warnings():
            # peft goes on with untrained layers where it finds no weights for them.
            warnings.filterwarnings("error", message=".*missing adapter keys")
            wrapped = PeftModel.from_pretrained(model, source.folder)
        # Apart, an adapter makes a step a quarter to a third longer. In half precision the sum would round its part away.
        whole = model.dtype == torch.float32 and wrapped.active_peft_config.peft_type == "LORA"
        adapted: PreTrainedModel = wrapped.merge_and_unload() if whole else wrapped.get_base_model()
        return adapted


def check_adapter(model: PreTrainedModel, config: PeftConfig, held: int, where: str) -> None:
    """Refuse a config of far more weights than the adapter's files hold: peft makes them all before it reads one.

    Args:
        model: the base.
        config: what the adapter is to be.
        held: bytes of the weights in its files.
        where: the adapter, as the user gave it.
    """
    most = limits.PACKED * held + limits.UNHELD
    found = f"more than {limits.BUILD_SECONDS:g} s or {limits.BUILD_BYTES >> 20} MiB for its layers alone"
    if hasattr(config, "init_lora_weights"):
        config.init_lora_weights = True  # others look at the base's numbers
    with suppress(TimeoutError, MemoryError):
        with torch.device("meta"), within(limits.BUILD_SECONDS), growing(limits.BUILD_BYTES):
            shell = type(model)(copy.deepcopy(model.config))
            base = _numbers(shell)
            try:
                wrapped = PeftModel(shell, config)
            except RuntimeError as error:  # also NotImplementedError
                if "meta" not in str(error).lower():
                    raise
                problem = "the size of this kind of adapter cannot be known before it is made"
                hint = "peft's merge_and_unload makes a whole model of it"
                raise UserError(
                    problem, where=where, found=str(config.peft_type), expected="such as LoRA", hint=hint
                ) from error
        numbers = _numbers(wrapped) - base
        if numbers <= most:
            return
        found = f"{numbers:,} numbers"
    expected = f"at most {most:,}, for {held:,} bytes of weights"
    raise UserError(
        "the adapter's config asks for far more than its files hold",
        where=where,
        found=found,
        expected=expected,
    )


def _numbers(model: torch.nn.Module) -> int:
    return sum(part.numel() for part in (*model.parameters(), *model.buffers()))
