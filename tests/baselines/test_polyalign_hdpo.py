"""HDPO: TRL's own loss where nothing is added, and people's law at the minimum of what is the default."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from peft import LoraConfig, get_peft_model
from trl import DPOConfig, DPOTrainer

from baselines.beginnings import branched, share_beginnings
from baselines.polyalign.hdpo import (
    Beside,
    HDPOTrainer,
    Replied,
    hdpo_losses,
    pair_weights,
    rarity,
    without_openings,
)
from baselines.polyalign.pairs import ReplyPair
from baselines.polyalign.scores import PairScores
from baselines.trl_glue import dataset
from harness.contract import CriticRecord
from tests.baselines.polyalign_parts import recipe
from tests.baselines.tiny import tiny_model, tiny_tokenizer

if TYPE_CHECKING:
    from pathlib import Path

    from baselines.polyalign.hdpo_recipe import HdpoRecipe

P = torch.tensor([[0.5, 0.3, 0.15, 0.05], [0.1, 0.2, 0.3, 0.4]], dtype=torch.float64)
"""People's law over four answers to two prompts."""
Q = torch.tensor([[0.2, 0.2, 0.2, 0.4], [0.25, 0.4, 0.3, 0.05]], dtype=torch.float64)
"""The reference's, which the rejected are drawn from."""
SCORE = np.array([0.1, 0.9, 0.0, 0.4])
TOKENS = torch.tensor([5.0, 20.0, 60.0, 10.0], dtype=torch.float64)
LENGTH = ("short", "medium", "long", "short")
RECORD = CriticRecord(score="critic", auc=0.5, low=0.4, high=0.6, features_auc=0.5, pairs=32, conversations=2)


def every_pair() -> tuple[list[ReplyPair], torch.Tensor]:
    """Prompt, person's answer and rejected answer in all combinations; the first prompt is asked three times as often."""
    at = torch.cartesian_prod(torch.tensor([0, 0, 0, 1]), torch.arange(4), torch.arange(4))
    made = [ReplyPair((), str(a), str(b), f"context {x}", LENGTH[a], "en") for x, a, b in at.tolist()]
    return made, at


def minimum(asked: HdpoRecipe, *, preferring: bool = True) -> torch.Tensor:
    """The law at which the expected loss is least, found from far away."""
    made, at = every_pair()
    x, a, b = at.T
    mass = P[x, a] * Q[x, b]
    scores = PairScores(SCORE[a], SCORE[b], RECORD)
    weights = torch.from_numpy(pair_weights(made, scores, asked)) * preferring
    usual = (P * TOKENS).sum(1)[x]
    beside = Beside(weights, torch.from_numpy(SCORE)[a], torch.from_numpy(SCORE)[b], usual)
    logits = torch.zeros(2, 4, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([logits], max_iter=500, tolerance_grad=1e-12, line_search_fn="strong_wolfe")

    def step() -> torch.Tensor:
        optimiser.zero_grad()
        pi = logits.log_softmax(1)
        replied = Replied(pi[x, a], pi[x, b], Q.log()[x, a], Q.log()[x, b], TOKENS[a], TOKENS[b])
        loss = (mass * hdpo_losses(replied, beside, asked)).sum()
        loss.backward()  # type: ignore[no-untyped-call]  # not annotated
        return loss

    optimiser.step(step)  # type: ignore[no-untyped-call]  # not annotated
    return logits.detach().softmax(1)


def near(law: torch.Tensor, other: torch.Tensor) -> bool:
    return bool((law - other).abs().max() < 1e-3)


@pytest.mark.parametrize("gap_weight", [0.0, 1.0])
@pytest.mark.parametrize("reply_weight", [0.0, 0.05])
def test_people_s_law_is_the_minimum_of_the_default(gap_weight: float, reply_weight: float) -> None:
    """With weights of the prompt, with those that tell replies apart alike in both orders, and with the person's NLL."""
    asked = recipe(gap_weight=gap_weight, reply_weight=reply_weight)
    made, at = every_pair()
    weights = pair_weights(made, PairScores(SCORE[at[:, 1]], SCORE[at[:, 2]], RECORD), asked)
    assert len(np.unique(weights.round(6))) == (2 if gap_weight == 0 else 11)
    assert near(minimum(asked), P)


def test_a_smaller_beta_overshoots_by_its_power() -> None:
    for beta in (0.5, 0.1):
        over = Q * (P / Q) ** (1 / beta)
        assert near(minimum(recipe(beta=beta)), over / over.sum(1, keepdim=True))


def test_what_the_paper_adds_leads_away_from_the_law() -> None:
    scored = torch.from_numpy(SCORE)
    pulled = minimum(recipe(lambda_hd=0.5))
    assert (pulled * scored).sum(1).tolist() < (P * scored).sum(1).tolist()
    assert (pulled - P).abs().sum(1).min() / 2 > 0.02
    published = recipe(as_published=True)
    assert (published.beta, published.lambda_hd, published.reply_weight) == (0.1, 0.1, 0.05)
    assert (minimum(published) - P).abs().sum(1).min() / 2 > 0.2
    one_sided = published.model_copy(update={"beta": 1.0, "lambda_hd": 0.0, "reply_weight": 0.0})
    assert (minimum(one_sided) - P).abs().sum(1).min() / 2 > 0.02


def test_the_nll_alone_is_least_at_the_law() -> None:
    assert near(minimum(recipe(reply_weight=1.0), preferring=False), P)


def one(**settings: Any) -> float:
    """The loss of one pair of hand-made numbers, weight 2, in a batch with a second of weight 1."""

    def column(*values: float) -> torch.Tensor:
        return torch.tensor(values, dtype=torch.float64)

    replied = Replied(
        column(-10, -3), column(-30, -4), column(-12, -3), column(-29, -4), column(5, 2), column(10, 2)
    )
    beside = Beside(column(2, 1), column(0.2, 0), column(0.8, 0), column(8, 8))
    return float(hdpo_losses(replied, beside, recipe(**settings))[0])


def test_each_term_by_hand() -> None:
    def sigmoid(x: float) -> float:
        return float(1 / (1 + np.exp(-x)))

    dpo = -np.log(sigmoid(0.5 * 3))
    assert one(beta=0.5) == pytest.approx(2 * dpo)
    assert one(beta=0.5, reply_weight=0.25) == pytest.approx(2 * dpo + 0.25 * 10 / 8)
    for regulariser, compared in (("reference", 3.0), ("per_token", -2.0 + 3.0)):
        p = sigmoid(0.5 * compared)
        found = one(beta=0.5, lambda_hd=0.4, regulariser=regulariser)
        assert found == pytest.approx(2 * dpo + 0.4 * (p * 0.2 + (1 - p) * 0.8))
    p = sigmoid(0.1 * 20)
    published = 2 / 1.5 * -np.log(sigmoid(0.1 * 3)) + 0.1 * (p * 0.2 + (1 - p) * 0.8) + 0.05 * 10 / 5
    assert one(as_published=True) == pytest.approx(published)


def test_weights_by_hand() -> None:
    assert rarity("aaaabbc") == pytest.approx([0, 0, 0, 0, 1 / 8, 1 / 8, 1])
    assert rarity("ab") == pytest.approx([0, 0])
    contexts, lengths = ("chat", "chat", "chat", "help"), ("short", "long", "short", "short")
    made = [ReplyPair((), "", "", c, n, "en") for c, n in zip(contexts, lengths, strict=True)]
    scores = PairScores(np.array([0.1, 0.5, 0.0, 0.0]), np.array([0.4, 0.1, 9.0, 0.0]), RECORD)
    assert pair_weights(made, scores, recipe()) == pytest.approx([1.3, 1.4, 3.0, 1.5])
    assert pair_weights(made, scores, recipe(gap_weight=0)) == pytest.approx([1, 1, 1, 1.5])
    # three buckets of 2, 1 and 1 pairs; the gap counts where the person's reply is lower
    assert pair_weights(made, scores, recipe(as_published=True)) == pytest.approx([1.3, 1.5, 3.0, 1.5])
    two = [ReplyPair((), "", "", "chat", "short", tag) for tag in ("en", "en", "en", "zh")]
    even = PairScores(np.zeros(4), np.zeros(4), RECORD)
    assert pair_weights(two, even, recipe()) == pytest.approx([1, 1, 1, 1.75])


def test_the_digit_that_opens_a_reply_is_not_scored() -> None:
    (found,) = without_openings([ReplyPair((), "0\nHi.", "3\n1\nHello", "chat", "short", "en")])
    assert (found.chosen, found.rejected, found.bin) == ("Hi.", "1\nHello", "short")


def rows(weights: tuple[float, ...] = (1, 1, 1, 1)) -> list[dict[str, object]]:
    made = []
    for weight, (place, chosen, rejected) in zip(
        weights,
        (
            ("Leeds", "Tea", "Coffee and tea"),
            ("Bath", "Coffee", "0"),
            ("Porto", "0 1", "tea"),
            ("Hull", "7", "8"),
        ),
        strict=True,
    ):
        turns = [[{"role": "assistant", "content": text}] for text in (chosen, rejected)]
        prompt = [{"role": "user", "content": f"A drink of {place}, please."}]
        numbers = {"weight": weight, "chosen_score": 0.1, "rejected_score": 0.7, "usual_tokens": 3.0}
        made.append({"prompt": prompt, "chosen": turns[0], "rejected": turns[1], **numbers})
    return made


def trainer(
    folder: Path, kind: Any, given: list[dict[str, object]], adapter: str, size: int = 4, **more: Any
) -> Any:
    """A policy that has moved from its reference; both of the same seeds for every trainer."""
    tokenizer = tiny_tokenizer()
    model: Any = tiny_model(tokenizer, seed=1)
    reference = None
    if adapter == "lora":
        model = get_peft_model(
            model, LoraConfig(r=4, target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM")
        )
        moved(model, 5)
    else:
        reference = tiny_model(tokenizer, seed=2)
    made = kind(
        model=model,
        ref_model=reference,
        args=DPOConfig(
            output_dir=str(folder),
            per_device_train_batch_size=size,
            report_to=[],
            bf16=False,
            gradient_checkpointing=False,
            beta=0.5,
            precompute_ref_log_probs=True,
        ),
        train_dataset=dataset(given, folder),
        processing_class=tokenizer,
        **more,
    )
    if adapter == "lora":
        moved(made.model, 6)
    return made


def moved(model: Any, seed: int) -> None:
    torch.manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if ".default." in name:
                parameter.add_(0.2 * torch.randn_like(parameter))


def gradient(made: Any, batch: dict[str, torch.Tensor]) -> tuple[float, torch.Tensor]:
    made.model.train()
    made.model.zero_grad()
    loss = made.compute_loss(made.model, batch)
    loss.backward()
    parts = [p.grad.flatten() for p in made.model.parameters() if p.grad is not None]
    return loss.item(), torch.cat(parts).clone()


@pytest.mark.parametrize("branches", [False, True])
@pytest.mark.parametrize("adapter", ["full", "lora"])
def test_without_weights_and_terms_it_is_trls_own(adapter: str, branches: bool, tmp_path: Path) -> None:
    ours = trainer(tmp_path / "ours", HDPOTrainer, rows(), adapter, recipe=recipe(beta=0.5))
    if branches:
        share_beginnings(ours.model)
    plain = [{k: row[k] for k in ("prompt", "chosen", "rejected")} for row in rows()]
    theirs = trainer(tmp_path / "trl", DPOTrainer, plain, adapter)
    batch = next(iter(ours.get_train_dataloader()))
    known = {k: v for k, v in batch.items() if k not in HDPOTrainer.numbers}
    assert batch.keys() - known.keys() == set(HDPOTrainer.numbers)
    assert branched(batch["input_ids"], batch["attention_mask"]) is not None
    found, stated = gradient(ours, batch), gradient(theirs, known)
    assert found[0] == pytest.approx(stated[0], abs=1e-6)
    assert found[0] != pytest.approx(np.log(2), abs=1e-3)
    assert stated[1].abs().max() > 1e-3
    torch.testing.assert_close(found[1], stated[1], atol=1e-6, rtol=1e-5)
    for own, other in zip(
        ours.compute_ref_log_probs(ours.ref_model or ours.model, batch),
        theirs.compute_ref_log_probs(theirs.ref_model or theirs.model, known),
        strict=True,
    ):
        torch.testing.assert_close(own, other)


def test_neither_the_model_nor_its_reference_sees_the_numbers(tmp_path: Path) -> None:
    made = trainer(tmp_path, HDPOTrainer, rows(), "full", recipe=recipe(beta=0.5))
    seen: list[set[str]] = []
    for model in (made.model, made.ref_model):
        model.register_forward_pre_hook(lambda _, __, given: seen.append(set(given)), with_kwargs=True)
    batch = next(iter(made.get_train_dataloader()))
    made.compute_loss(made.model, batch)
    made.compute_ref_log_probs(made.ref_model, batch)
    assert len(seen) == 2
    assert all("input_ids" in keys and not keys & set(HDPOTrainer.numbers) for keys in seen)


@pytest.mark.parametrize("as_published", [False, True])
def test_weights_are_of_all_pairs_and_as_published_cancel_alone(as_published: bool, tmp_path: Path) -> None:
    """Pairs one by one, added up, have the gradient of the batch; as published they have that of equal weights."""
    asked = recipe(beta=0.5, gap_weight=0.0, as_published=as_published, reply_weight=0.05)
    weights = (1.0, 0.5, 3.0, 1.5)
    made = trainer(tmp_path / "some", HDPOTrainer, rows(weights), "full", recipe=asked)
    even = trainer(tmp_path / "even", HDPOTrainer, rows(), "full", recipe=asked)
    batch = next(iter(made.get_train_dataloader()))
    together = gradient(made, batch)
    size = len(batch["weight"])

    def alone(i: int) -> dict[str, torch.Tensor]:
        return {k: v[i::size] for k, v in batch.items()}

    parts = [gradient(made, alone(i)) for i in range(size)]
    summed = torch.stack([part for _, part in parts]).mean(0)
    equal = gradient(even, {**batch, "weight": torch.ones(size)})[1]
    if as_published:
        torch.testing.assert_close(summed, equal, atol=1e-6, rtol=1e-5)
        assert (together[1] - equal).abs().max() > 1e-3
    else:
        torch.testing.assert_close(summed, together[1], atol=1e-6, rtol=1e-5)
        assert (summed - equal).abs().max() > 1e-3
