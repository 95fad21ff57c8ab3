from __future__ import annotations

import copy
import math
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest
import torch
from datasets import Dataset
from trl import KTOConfig, KTOTrainer

from baselines.beginnings import branched, share_beginnings
from baselines.klkto.loss import KLKTOTrainer
from baselines.klkto.steering import steering_kl, steering_tokens
from baselines.trl_glue import example
from harness.errors import UserError
from tests.baselines.tiny import tiny_model, tiny_tokenizer

if TYPE_CHECKING:
    from pathlib import Path

    from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

    from baselines.klkto.recipe import Ablation

PLACES = ("Leeds", "Bath", "Porto")
SHARES = {"Leeds": [0.8, 0.2], "Bath": [1.0, 0.0], "Porto": [0.35, 0.65]}


def rows() -> list[dict[str, object]]:
    """Two classes in three places; the last prompt of a batch of six is one that came before."""
    made = []
    for digit, word, place, good in (
        (0, "Tea", "Leeds", True),
        (1, "Coffee", "Bath", True),
        (0, "Coffee", "Leeds", False),
        (1, "Coffee", "Porto", True),
        (1, "Tea", "Bath", False),
        (0, "Tea", "Porto", False),
    ):
        prompt = [{"role": "user", "content": f"A drink of {place}, please."}]
        answer = [{"role": "assistant", "content": f"{digit}{word}"}]
        made.append({"prompt": prompt, "completion": answer, "label": good, "target": SHARES[place]})
    return made


def digits(tokenizer: PreTrainedTokenizerFast) -> list[int]:
    vocabulary = tokenizer.get_vocab()
    return [vocabulary["0"], vocabulary["1"]]


def config(folder: Path) -> KTOConfig:
    return KTOConfig(
        output_dir=str(folder),
        per_device_train_batch_size=6,
        report_to=[],
        bf16=False,
        gradient_checkpointing=False,
        beta=0.3,
        desirable_weight=1.5,
        undesirable_weight=0.5,
    )


def ours(
    folder: Path,
    ablation: Ablation = "full",
    kl_weight: float = 1.0,
    sizes: dict[str, object] | None = None,
) -> KLKTOTrainer:
    tokenizer = tiny_tokenizer()
    return KLKTOTrainer(
        steering=digits(tokenizer),
        kl_weight=kl_weight,
        ablation=ablation,
        model=tiny_model(tokenizer, seed=1, **(sizes or {})),
        ref_model=tiny_model(tokenizer, seed=2, **(sizes or {})),
        args=config(folder),
        train_dataset=Dataset.from_list(rows()),
        processing_class=tokenizer,
    )


def theirs(folder: Path) -> KTOTrainer:
    tokenizer = tiny_tokenizer()
    plain = [{k: v for k, v in row.items() if k != "target"} for row in rows()]
    return KTOTrainer(
        model=tiny_model(tokenizer, seed=1),
        ref_model=tiny_model(tokenizer, seed=2),
        args=config(folder),
        train_dataset=Dataset.from_list(plain),
        processing_class=tokenizer,
    )


def batch_of(trainer: KLKTOTrainer) -> dict[str, torch.Tensor]:
    return cast("dict[str, torch.Tensor]", next(iter(trainer.get_train_dataloader())))


def gradients(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}


def test_the_kl_of_a_known_case() -> None:
    log_probs = torch.log(torch.tensor([[0.6, 0.3]]))
    target = torch.tensor([[0.8, 0.2]])
    value = steering_kl(log_probs, target).item()
    assert value == pytest.approx(0.149053, abs=5e-7)
    renormalised = 0.8 * math.log(0.8 / (2 / 3)) + 0.2 * math.log(0.2 / (1 / 3))
    assert renormalised == pytest.approx(0.043692, abs=5e-7)
    assert value == pytest.approx(renormalised - math.log(0.9), abs=1e-6)


def test_a_class_that_never_occurs_adds_nothing() -> None:
    log_probs = torch.tensor([[0.0, -math.inf]], requires_grad=True)
    value = steering_kl(log_probs, torch.tensor([[1.0, 0.0]]))
    assert value.item() == 0


@pytest.mark.parametrize(
    ("r", "z", "desirable", "undesirable"),
    [(0, 0, 0.5, 0.5), (2, 0.5, 0.462570, 0.537430), (-3, 0.5, 0.586618, 0.413382)],
)
def test_kto_items_of_known_cases(
    tmp_path: Path, r: float, z: float, desirable: float, undesirable: float
) -> None:
    trainer = ours(tmp_path, "kto_only")
    trainer.precompute_ref_logps = True
    trainer.beta, trainer.desirable_weight, trainer.undesirable_weight = 0.1, 1.0, 1.0
    for good, expected in ((True, desirable), (False, undesirable)):
        batch = {k: v[:2] for k, v in batch_of(trainer).items()}
        batch |= {
            "label": torch.tensor([good] * 2),
            "ref_logps": torch.zeros(2),
            "ref_KL_logps": torch.zeros(2),
        }
        width = batch["input_ids"].size(1)
        batch["KL_input_ids"] = batch["input_ids"] + 0
        batch["KL_attention_mask"] = batch["attention_mask"]
        batch["KL_completion_mask"] = batch["completion_mask"]
        values = iter([z, r])  # the baseline is scored first

        def forward(width: int = width, values: object = values, **_: object) -> SimpleNamespace:
            per_token = torch.zeros(2, width - 1)
            per_token[:, 0] = next(values)  # type: ignore[call-overload]  # an iterator of floats
            return SimpleNamespace(log_probs=per_token, entropy=per_token, mean_logits=per_token)

        loss = trainer._compute_loss(forward, batch, return_outputs=False)
        assert loss.item() == pytest.approx(expected, abs=5e-7)


@pytest.mark.parametrize("branches", [False, True])
@pytest.mark.parametrize(("ablation", "weight"), [("kto_only", 1.0), ("full", 0.0)])
def test_without_kl_it_is_trls_kto(tmp_path: Path, ablation: Ablation, weight: float, branches: bool) -> None:
    trainer, reference = ours(tmp_path / "a", ablation, weight), theirs(tmp_path / "b")
    batch = batch_of(trainer)
    if branches:
        assert branched(batch["input_ids"], batch["attention_mask"]) is not None
        share_beginnings(trainer.model)
    plain = {k: v for k, v in batch.items() if k not in ("target", "steering")}
    trainer.model.train()
    reference.model.train()
    loss = trainer.compute_loss(trainer.model, batch)
    expected = reference.compute_loss(reference.model, plain)
    assert loss.item() == pytest.approx(expected.item(), abs=1e-6)
    loss.backward()
    expected.backward()
    mine, other = gradients(trainer.model), gradients(reference.model)
    assert mine.keys() == other.keys()
    for name, gradient in other.items():
        torch.testing.assert_close(mine[name], gradient, atol=1e-6, rtol=1e-5)


def test_the_whole_loss_is_the_same_where_rows_have_branches(tmp_path: Path) -> None:
    batch = batch_of(ours(tmp_path / "a"))
    found = []
    for name in ("apart", "branches"):
        trainer = ours(tmp_path / name, "full", 2.5)
        if name == "branches":
            share_beginnings(trainer.model)
        loss = trainer.compute_loss(trainer.model, batch)
        loss.backward()
        found.append((loss.item(), gradients(trainer.model)))
    (apart, slopes), (together, ours_) = found
    assert together == pytest.approx(apart, abs=1e-6)
    for name, slope in slopes.items():
        torch.testing.assert_close(ours_[name], slope, atol=1e-6, rtol=1e-4)


def test_the_sum_is_kto_plus_weighted_kl(tmp_path: Path) -> None:
    batch = batch_of(ours(tmp_path / "a"))
    losses = {
        (ablation, weight): ours(tmp_path / f"{ablation}{weight}", ablation, weight)
        for ablation, weight in cast(
            "list[tuple[Ablation, float]]", [("full", 2.5), ("kto_only", 1.0), ("kl_only", 1.0)]
        )
    }
    values = {key: t.compute_loss(t.model, batch).item() for key, t in losses.items()}
    assert values["full", 2.5] == pytest.approx(
        values["kto_only", 1.0] + 2.5 * values["kl_only", 1.0], abs=1e-5
    )


def plain_kl(model: LlamaForCausalLM, tokens: list[int]) -> torch.Tensor:
    """The term by its formula: each distinct prompt alone, unpadded, softmax in double precision."""
    tokenizer = tiny_tokenizer()
    terms = []
    for place in PLACES:
        text = tokenizer.apply_chat_template(
            [{"role": "user", "content": f"A drink of {place}, please."}],
            tokenize=False,
            add_generation_prompt=True,
        )
        ids = torch.tensor([tokenizer(text, add_special_tokens=False)["input_ids"]])
        logs = model(input_ids=ids).logits[0, -1].double().log_softmax(-1)
        pairs = zip(SHARES[place], tokens, strict=True)
        terms.append(sum((p * (math.log(p) - logs[t]) for p, t in pairs if p > 0), torch.tensor(0.0)))
    return torch.stack(terms).mean()


@pytest.mark.parametrize("tied", [False, True])
def test_the_kl_term_and_its_gradient_are_those_of_the_formula(tmp_path: Path, tied: bool) -> None:
    sizes: dict[str, object] = {"tie_word_embeddings": tied}
    trainer = ours(tmp_path, "kl_only", 1.0, sizes)
    tokenizer = tiny_tokenizer()
    model = tiny_model(tokenizer, seed=1, **sizes)
    expected = plain_kl(model, digits(tokenizer))
    loss = trainer.compute_loss(trainer.model, batch_of(trainer))
    assert loss.item() == pytest.approx(expected.item(), abs=1e-6)
    loss.backward()
    torch.autograd.backward(expected)
    mine = gradients(trainer.model)
    for name, gradient in gradients(model).items():
        torch.testing.assert_close(mine[name], gradient, atol=1e-6, rtol=1e-4)


def test_the_kl_gradient_flows_into_the_steering_position_alone(tmp_path: Path) -> None:
    trainer = ours(tmp_path, "kl_only")
    batch = batch_of(trainer)
    kept: list[torch.Tensor] = []

    def keep(module: object, inputs: object, output: object) -> None:
        states = output.last_hidden_state  # type: ignore[attr-defined]  # of every backbone's output
        states.retain_grad()
        kept.append(states)

    trainer.model.base_model.register_forward_hook(keep)
    trainer.compute_loss(trainer.model, batch).backward()
    (states,) = kept
    assert states.grad is not None
    touched = states.grad.abs().sum(-1) > 0
    expected = torch.zeros_like(touched)
    seen = set()
    for i, ids in enumerate(batch["input_ids"].tolist()):
        begins = int(batch["completion_mask"][i].argmax())
        prompt = tuple(ids[:begins])
        if prompt not in seen:
            expected[i, begins - 1] = True
        seen.add(prompt)
    assert torch.equal(touched, expected)


def test_one_policy_forward_serves_both_terms(tmp_path: Path) -> None:
    counts = {}
    for ablation in cast("tuple[Ablation, ...]", ("full", "kto_only")):
        trainer = ours(tmp_path / ablation, ablation)
        calls: list[bool] = []
        trainer.model.base_model.register_forward_hook(
            lambda *_, calls=calls: calls.append(torch.is_grad_enabled())
        )
        trainer.compute_loss(trainer.model, batch_of(trainer))
        counts[ablation] = sorted(calls)
    assert counts["full"] == counts["kto_only"] == [False, True]


def test_a_checkpoint_adapter_gets_both_terms(tmp_path: Path) -> None:
    from peft import LoraConfig, get_peft_model

    tokenizer = tiny_tokenizer()
    lora = LoraConfig(r=4, target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM")
    model = get_peft_model(tiny_model(tokenizer, seed=1), lora)
    trainer = KLKTOTrainer(
        steering=digits(tokenizer),
        kl_weight=1.0,
        ablation="full",
        model=model,
        args=config(tmp_path),
        train_dataset=Dataset.from_list(rows()),
        processing_class=tokenizer,
    )
    loss = trainer.compute_loss(trainer.model, batch_of(trainer))
    # A fresh adapter is its own reference: every KTO term is weight / 2, so the rest is the KL term.
    kl = plain_kl(tiny_model(tokenizer, seed=1), digits(tokenizer))
    assert loss.item() == pytest.approx((3 * 1.5 + 3 * 0.5) / 6 * 0.5 + kl.item(), abs=1e-5)


def test_other_prompts_give_the_baseline(tmp_path: Path) -> None:
    trainer = ours(tmp_path)
    data = trainer.train_dataset
    for row in data:
        sources = [r["prompt_ids"] for r in data if r["completion_ids"] == row["KL_completion_ids"]]
        assert any(prompt != row["prompt_ids"] for prompt in sources)


def test_steering_tokens_are_those_of_the_assistants_first_position() -> None:
    from baselines.rows import Row

    tokenizer = tiny_tokenizer()
    row = Row("leeds", "again", (("user", "A drink of Leeds, please."),), "", "tea", "Tea")
    tokens = steering_tokens(tokenizer, row, 2, ["Tea", "Coffee"])
    assert tokens == digits(tokenizer)
    prompt, answer = example(row, tokenizer, "1Tea")
    assert isinstance(prompt, list)
    assert isinstance(answer, list)
    before = str(tokenizer.apply_chat_template(prompt, add_generation_prompt=True, tokenize=False))
    whole = str(tokenizer.apply_chat_template(prompt + answer, tokenize=False))
    split = len(tokenizer(before, add_special_tokens=False)["input_ids"])
    assert tokenizer(whole, add_special_tokens=False)["input_ids"][split] == tokens[1]


def test_digits_that_are_no_tokens_of_their_own_are_refused() -> None:
    from baselines.rows import Row

    row = Row("leeds", "again", (("user", "A drink of Leeds, please."),), "", "tea", "Tea")
    with pytest.raises(UserError, match="single digits"):
        steering_tokens(tiny_tokenizer(), row, 11, ["Tea"])
    merged = copy.deepcopy(tiny_tokenizer())
    merged.add_tokens(["0Tea"])
    with pytest.raises(UserError, match="one token of its own"):
        steering_tokens(merged, row, 2, ["Tea", "Coffee"])
