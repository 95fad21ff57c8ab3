"""What one KL + KTO training step costs beside TRL's plain KTO step, in turns on the same batches.

python -m tests.benchmarks.klkto_step [--steps 30]
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from datasets import Dataset
from trl import KTOConfig, KTOTrainer

from baselines.klkto.loss import KLKTOTrainer
from baselines.klkto.verdicts import verdicts
from baselines.policy import load_tokenizer
from baselines.rows import training_set
from baselines.seed import causal_path
from baselines.trl_glue import example
from harness.tasks.target import resolve
from harness.tasks.task import load_task
from tests.baselines.tiny import tiny_model

if TYPE_CHECKING:
    from collections.abc import Iterator

    from baselines.texts import Answers

SIZES: dict[str, object] = {
    "vocab_size": 16_000,
    "hidden_size": 256,
    "intermediate_size": 768,
    "num_hidden_layers": 6,
    "num_attention_heads": 8,
    "num_key_value_heads": 8,
    "max_position_embeddings": 512,
}


def trainers(folder: Path, task_name: str) -> tuple[KTOTrainer, KLKTOTrainer]:
    """TRL's and ours, with equal models and equal rows."""
    task = load_task(task_name)
    attribute = next(iter(task.attributes.values()))
    answers: Answers = {("", label): (label.capitalize(),) for label in attribute.classes}
    data = training_set(task, attribute, resolve(task, attribute, "labor"), answers, 20, 0)
    tokenizer: Any = load_tokenizer(causal_path())
    rows = []
    for verdict in verdicts(data, "same_digit_other_word", 0):
        prompt, completion = example(verdict.row, tokenizer, f"{verdict.digit}{verdict.answer}")
        rows.append(
            {
                "prompt": prompt,
                "completion": completion,
                "label": verdict.desirable,
                "target": list(data.shares[verdict.row.context]),
            }
        )
    config = KTOConfig(
        output_dir=str(folder),
        per_device_train_batch_size=8,
        report_to=[],
        bf16=torch.cuda.is_available(),
        gradient_checkpointing=False,
        learning_rate=1e-5,
    )
    steering = [tokenizer.get_vocab()[str(k)] for k in range(len(attribute.classes))]
    common = {"args": config, "processing_class": tokenizer}
    plain = KTOTrainer(
        model=tiny_model(tokenizer, 1, **SIZES),
        ref_model=tiny_model(tokenizer, 1, **SIZES),
        train_dataset=Dataset.from_list([{k: v for k, v in r.items() if k != "target"} for r in rows]),
        **common,
    )
    ours = KLKTOTrainer(
        steering=steering,
        kl_weight=1.0,
        ablation="full",
        model=tiny_model(tokenizer, 1, **SIZES),
        ref_model=tiny_model(tokenizer, 1, **SIZES),
        train_dataset=Dataset.from_list(rows),
        **common,
    )
    return plain, ours


def stepper(trainer: KTOTrainer) -> Iterator[float]:
    """Seconds of one optimiser step after another."""
    optimizer = torch.optim.AdamW(trainer.model.parameters(), lr=1e-5)
    trainer.current_gradient_accumulation_steps = 1  # set by train(), which this stands in for
    while True:
        for batch in trainer.get_train_dataloader():
            _wait()
            start = time.perf_counter()
            trainer.training_step(trainer.model, batch)
            optimizer.step()
            optimizer.zero_grad()
            _wait()
            yield time.perf_counter() - start


def _wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def main() -> None:
    """Print the medians and the ratio for two and for four classes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=20)
    steps = parser.parse_args().steps
    for task in ("gender_us", "race_us"):
        with tempfile.TemporaryDirectory() as folder:
            plain, ours = (stepper(t) for t in trainers(Path(folder), task))
            pairs = []
            for i in range(steps + 3):
                # In turns, and each first every other time: a slower moment of the machine falls on both.
                first, second = (plain, ours) if i % 2 else (ours, plain)
                times = {id(first): next(first), id(second): next(second)}
                if i >= 3:
                    pairs.append((times[id(plain)], times[id(ours)]))
            kto, klkto = (statistics.median(p[k] for p in pairs) for k in (0, 1))
            ratio = statistics.median(b / a for a, b in pairs)
            print(
                f"{task}: KTO {1000 * kto:.0f} ms, KL+KTO {1000 * klkto:.0f} ms a step, "
                f"ratio {ratio:.3f} (median of {len(pairs)} pairs)",
                flush=True,
            )


if __name__ == "__main__":
    main()
