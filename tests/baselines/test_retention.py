"""What keeps a model's language while it is trained on rows."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest
import torch
from datasets import Dataset
from transformers import AutoModelForCausalLM
from trl import SFTConfig

from baselines import sft
from baselines.driver import Options, train
from baselines.recipe import TEXTS
from baselines.retention import Kept, lines
from baselines.retention import kept as make
from baselines.seed import corpus, held_out_path
from baselines.sft.trainer import RetainingSFTTrainer
from harness.errors import UserError
from tests.baselines.tiny import tiny_answers, tiny_model, tiny_task, tiny_tokenizer, write_tiny

if TYPE_CHECKING:
    from pathlib import Path

    from transformers import PreTrainedTokenizerFast

WORDS = ["A drink of Porto, please.", "Which cup stands on a table in Bath?"]


def kept(folder: Path, tokenizer: PreTrainedTokenizerFast, *settings: str) -> Kept:
    """All of two texts at every step, beside a base with other weights than the model that is trained."""
    texts = folder / "texts.txt"
    texts.write_text("\n".join(WORDS), encoding="utf-8")
    base = folder / "base"
    if not base.is_dir():
        write_tiny(base, seed=2)
    given = ["gamma=0.5", f"retention_text={texts}", "retention_rows=0", "adapter=full", *settings]
    found = make(sft.METHOD.read_recipe(settings=given), tokenizer, base)
    assert found is not None
    return found


def by_hand(model: Any, base: Any, tokenizer: PreTrainedTokenizerFast) -> torch.Tensor:
    """Mean over all tokens but the first of KL(base || model), one text after another."""
    found = []
    for text in WORDS:
        ids = torch.tensor([tokenizer(text)["input_ids"]])
        with torch.no_grad():
            p = base(input_ids=ids).logits[0, :-1].double().softmax(-1)
        q = model(input_ids=ids).logits[0, :-1].double().log_softmax(-1)
        found += [(row * (row.log() - other)).sum() for row, other in zip(p, q, strict=True)]
    return torch.stack(found).mean()


def test_the_term_is_the_distance_from_the_base(tmp_path: Path) -> None:
    tokenizer = tiny_tokenizer()
    model = tiny_model(tokenizer, seed=1)
    keep = kept(tmp_path, tokenizer)
    away = keep.loss(model, torch.device("cpu"))
    assert away.item() == pytest.approx(by_hand(model, keep.base, tokenizer).item(), rel=1e-4)


@pytest.mark.parametrize("accumulation", [1, 2])
def test_a_step_moves_the_weights_by_the_terms_gradient(accumulation: int, tmp_path: Path) -> None:
    """A step of plain gradient descent with the term, less one without, is the term's own."""
    tokenizer = tiny_tokenizer()
    rows = [{"prompt": "A drink of Bath: ", "completion": word} for word in ("Tea", "Coffee", "Tea", "tea")]
    start = tiny_model(tokenizer, seed=1)
    keep = kept(tmp_path, tokenizer)
    ends = []
    for asked in (keep, None):
        trainer = RetainingSFTTrainer(
            kept=asked,
            model=copy.deepcopy(start),
            args=SFTConfig(
                output_dir=str(tmp_path / "out"),
                per_device_train_batch_size=4 // accumulation,
                gradient_accumulation_steps=accumulation,
                gradient_checkpointing=False,
                max_steps=1,
                learning_rate=1.0,
                lr_scheduler_type="constant",
                optim="sgd",
                max_grad_norm=0.0,
                bf16=False,
                report_to=[],
            ),
            train_dataset=Dataset.from_list(rows),
            processing_class=tokenizer,
        )
        trainer.train()
        ends.append({k: v.detach().double() for k, v in trainer.model.named_parameters()})
    torch.autograd.backward(0.5 * by_hand(start, keep.base, tokenizer))
    for name, weight in start.named_parameters():
        assert weight.grad is not None
        moved = ends[1][name] - ends[0][name]
        assert torch.allclose(moved, weight.grad.double(), rtol=1e-3, atol=1e-6), name


@pytest.mark.parametrize(
    ("method", "adapter"),
    [
        ("sft", "full"),
        pytest.param("dpo", "lora", marks=pytest.mark.slow),
        pytest.param("klkto", "full", marks=pytest.mark.slow),
    ],
)
def test_a_training_with_it_stays_nearer_to_the_base(method: str, adapter: str, tmp_path: Path) -> None:
    base = write_tiny(tmp_path / "model")
    task, tokenizer = tiny_task(tmp_path / "task"), tiny_tokenizer()
    texts = tmp_path / "texts.txt"
    texts.write_text("\n".join(WORDS), encoding="utf-8")
    rates = ["learning_rate=1e-2"] if method == "sft" else ["learning_rate=1e-4", "sft_learning_rate=1e-2"]
    common = [f"adapter={adapter}", "lora_targets=all-linear", "rows=8", "precision=fp32", *rates]
    reference = AutoModelForCausalLM.from_pretrained(base)
    far = []
    for name, gamma in (("with", 5), ("without", 0)):
        out = tmp_path / name
        settings = (*common, f"gamma={gamma}", f"retention_text={texts}")
        chosen = Options(completions=tiny_answers(tmp_path), settings=settings)
        train(method, str(base), str(task), "survey", out, chosen)
        trained = AutoModelForCausalLM.from_pretrained(out)
        with torch.no_grad():
            far.append(by_hand(trained, reference, tokenizer).item())
    assert far[0] < 0.6 * far[1]


def test_other_texts_are_another_training(tmp_path: Path) -> None:
    base, task = write_tiny(tmp_path / "model"), tiny_task(tmp_path / "task")
    texts = tmp_path / "texts.txt"
    texts.write_text("\n".join(WORDS), encoding="utf-8")
    settings = ("rows=2", "epochs=1", "gamma=1", f"retention_text={texts}")
    chosen = Options(completions=tiny_answers(tmp_path), settings=settings)
    train("sft", str(base), str(task), "survey", tmp_path / "out", chosen)
    texts.write_text("Which cup?", encoding="utf-8")
    with pytest.raises(UserError, match="other settings") as caught:
        train("sft", str(base), str(task), "survey", tmp_path / "out", chosen)
    assert "retained" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"), [("neutrall", "neutral"), ("empty.txt", "two tokens"), ("sentences", "two tokens")]
)
def test_texts_that_cannot_be_retained(
    text: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty.txt").write_text("\n\n", encoding="utf-8")
    with pytest.raises(UserError, match=message):
        kept(tmp_path, tiny_tokenizer(), f"retention_text={text}")


def test_the_texts_that_come_with_it_are_not_what_perplexity_is_measured_on() -> None:
    assert TEXTS["tiny"].read_text(encoding="utf-8") == corpus.retained()
    held_out = set(lines(held_out_path("en"))) | set(lines(held_out_path("zh")))
    ours = lines(TEXTS["tiny"])
    assert len(held_out & set(ours)) / len(ours) < 0.05
