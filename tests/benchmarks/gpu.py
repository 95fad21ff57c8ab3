"""A bf16 adapter on a randomly initialised Llama of 1B weights, trained by each method: ``python -m tests.benchmarks.gpu``.

What is asked is whether every method runs on a GPU, how fast, and in how much memory; a random model learns no more
than that. ``--small`` takes a tiny model instead, for a machine without a GPU.
"""

from __future__ import annotations

import argparse
import math
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers import LlamaConfig, LlamaForCausalLM, TrainerCallback, trainer

from baselines.driver import Options, train
from baselines.seed import causal_path

SIZES: dict[str, Any] = {
    "vocab_size": 32_000,
    "hidden_size": 2048,
    "intermediate_size": 8192,
    "num_hidden_layers": 16,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
}
"""Of Llama 3.2 1B, with a smaller vocabulary: 1.04 billion weights."""
SMALL: dict[str, Any] = {
    "vocab_size": 4000,
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
}
ROWS = ("rows=50", "batch_size=8")
STAGES = (*ROWS, "sft_batch_size=8", "sft_epochs=1")
METHODS = {
    "sft": ("gender_us", (*ROWS, "epochs=1")),
    "dpo": ("gender_us", (*STAGES, "epochs=1")),
    "klkto": ("gender_us", (*STAGES, "epochs=1")),
    "walf": ("profession_gender", ("epochs=3", "patience=3", "pairs=2", "learning_rate=2.0e-4")),
}
"""Task, and settings that make about 50 steps of each stage."""


class Recorder(TrainerCallback):
    """One line of figures per training stage."""

    def __init__(self, method: str) -> None:
        self.method = method
        self.tokens = 0
        self.losses: list[float] = []
        self.start = 0.0
        self.hook: Any = None

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Start the clock and count the tokens that the model is given, padding and frozen passes included."""
        self.tokens, self.losses, self.start = 0, [], time.perf_counter()
        if torch.cuda.is_available():
            torch.cuda.reset_peak_memory_stats()
        self.hook = kwargs["model"].register_forward_pre_hook(self._count, with_kwargs=True)

    def _count(self, _: object, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        ids = kwargs.get("input_ids", args[0] if args else None)
        self.tokens += ids.numel() if ids is not None else 0

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        """Keep the losses."""
        if logs and "loss" in logs:
            self.losses.append(float(logs["loss"]))

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Print the row."""
        seconds = time.perf_counter() - self.start
        self.hook.remove()
        assert self.losses
        assert all(math.isfinite(x) for x in self.losses), self.losses
        peak = torch.cuda.max_memory_allocated() / 2**30 if torch.cuda.is_available() else math.nan
        print(
            f"| {self.method} | {state.global_step} | {self.losses[0]:.4f} | {self.losses[-1]:.4f} "
            f"| {seconds:.1f} | {self.tokens / seconds:,.0f} | {peak:.1f} |",
            flush=True,
        )


def main() -> None:
    """Make the model, train every method, print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    given = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    print(torch.cuda.get_device_name() if device == "cuda" else "CPU", flush=True)
    print(
        "| method | steps | first loss | last loss | s | tokens/s | peak GiB |\n|---|--:|--:|--:|--:|--:|--:|"
    )
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "model"
        tokenizer = transformers.AutoTokenizer.from_pretrained(causal_path())
        torch.manual_seed(0)
        ends = {"bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id}
        with torch.device(device):
            config = LlamaConfig(**(SMALL if given.small else SIZES), **ends, tie_word_embeddings=True)
            model: Any = LlamaForCausalLM(config)  # type: ignore[no-untyped-call]  # not annotated
        model.to(torch.bfloat16).save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        del model
        callbacks: list[Any] = trainer.DEFAULT_CALLBACKS
        plain = list(callbacks)
        for method in given.methods:
            task, settings = METHODS[method]
            callbacks[:] = [*plain, Recorder(method)]
            options = Options(settings=("adapter=lora", *settings))
            train(method, str(folder), task, "labor", Path(scratch) / method, options)


if __name__ == "__main__":
    main()
