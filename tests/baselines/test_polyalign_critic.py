"""The critic: what it learns, its held-out AUC, and both of its gates on planted cases."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from scipy.stats import mannwhitneyu

from baselines.polyalign.auc import auc
from baselines.polyalign.critic import FOLDS, Critic, Evidence, critic_loss, cross_fitted, encoded, folds_of
from baselines.polyalign.scores import NOTHING_LEFT, RECORD, WEIGHTS, scored
from baselines.recipe import FOLDER
from harness.errors import UserError
from harness.natural.features import names
from harness.tasks.people import People
from tests.baselines.polyalign_parts import CONTEXTS, pairs, people, recipe, replies, said
from tests.baselines.tiny import write_tiny

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


def normal(seed: int, count: int, away: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=count), rng.normal(away, size=count)


def test_the_auc_is_mann_whitneys_within_strata() -> None:
    one, two = (np.round(x, 1) for x in normal(0, 60, 0.5))
    found = auc(one, two, [0] * 60, list(range(60)))
    assert found.value == pytest.approx(mannwhitneyu(two, one).statistic / 60**2)
    assert found.low < found.value < found.high
    split = auc(one, two, [i % 3 for i in range(60)], list(range(60)))
    each = [mannwhitneyu(two[k::3], one[k::3]).statistic for k in range(3)]
    assert split.value == pytest.approx(sum(each) / (3 * 20**2))


def test_the_interval_of_independent_replies_is_delongs() -> None:
    """DeLong's variance by its definition, of replies that are all independent of each other."""
    one, two = normal(1, 50, 0.7)
    wins = (two[None] > one[:, None]).astype(float)
    found = auc(np.concatenate([one, one]), np.concatenate([two, two]), [0] * 100, [*range(50)] * 2)
    rows, columns = wins.mean(axis=1), wins.mean(axis=0)
    covariance = np.cov(rows, columns)
    error = np.sqrt((covariance[0, 0] + covariance[1, 1] + 2 * covariance[0, 1]) / 50)
    assert found.value == pytest.approx(wins.mean())
    assert (found.high - found.low) / 2 == pytest.approx(2.0096 * error, rel=1e-4)


def test_the_interval_holds_one_half_as_often_as_stated_with_turns_alike() -> None:
    """Conversations of five turns that share most of their scores: single turns would give far too short intervals."""
    inside = {"conversations": 0, "turns": 0}
    rng = np.random.default_rng(2)
    for _ in range(400):
        one, two = np.repeat(rng.normal(size=(2, 40)), 5, axis=1) + 0.5 * rng.normal(size=(2, 200))
        for name, groups in (("conversations", np.repeat(range(40), 5)), ("turns", np.arange(200))):
            found = auc(one, two, [0] * 200, list(groups))
            inside[name] += found.low <= 0.5 <= found.high
    assert inside["conversations"] / 400 == pytest.approx(0.95, abs=0.03)
    assert inside["turns"] / 400 < 0.8


def test_one_conversation_says_nothing() -> None:
    assert auc(np.zeros(3), np.ones(3), [0] * 3, [0] * 3) == (1.0, 0.0, 1.0)


def test_the_loss_is_distance_on_both_and_a_hinge() -> None:
    class Fixed(torch.nn.Module):
        def forward(self, states: torch.Tensor, contexts: torch.Tensor) -> torch.Tensor:
            return states[:, 0]

    chosen, rejected = torch.tensor([[0.2], [0.5]]), torch.tensor([[0.6], [0.45]])
    d = torch.tensor([0.1, 0.5]), torch.tensor([0.6, 0.25])
    found = critic_loss(Fixed(), Evidence(chosen, rejected, *d, torch.zeros(2, dtype=torch.long)))
    assert found.item() == pytest.approx((0.1 + 0 + 0 + 0.2) / 4 + (0 + 0.15) / 2)


def evidence(count: int, away: float, seed: int = 0) -> Evidence:
    """States of width 12, the model's moved in one direction; D grows with that direction."""
    torch.manual_seed(seed)
    chosen, rejected = torch.randn(count, 12), torch.randn(count, 12)
    rejected[:, 3] += away
    return Evidence(chosen, rejected, chosen[:, 3].relu(), rejected[:, 3].relu(), torch.randint(3, (count,)))


def test_no_pair_is_scored_by_a_critic_that_saw_it() -> None:
    """States that tell nothing: critics that learn them by heart know nothing of the others."""
    nothing = evidence(100, 0.0)._replace(
        chosen_distance=torch.zeros(100), rejected_distance=torch.zeros(100)
    )
    folds = np.arange(100) % FOLDS
    found = cross_fitted(nothing, folds, recipe(critic_epochs=8, critic_batch_size=20))
    held = auc(found.chosen, found.rejected, list(folds), list(range(100)))
    assert held.low < 0.5 < held.high
    critic = Critic(12, 3)
    critic.load_state_dict({k.removeprefix("0."): v for k, v in found.weights.items() if k.startswith("0.")})
    critic.eval()
    with torch.no_grad():
        first = critic(nothing.chosen[::FOLDS], nothing.contexts[::FOLDS])
    torch.testing.assert_close(first.double(), torch.from_numpy(found.chosen[::FOLDS]))


def test_a_critic_tells_what_is_there_to_tell() -> None:
    moved = evidence(150, 2.0)
    folds = np.arange(150) % FOLDS
    asked = recipe(critic_epochs=4, critic_batch_size=15)
    found = cross_fitted(moved, folds, asked)
    held = auc(found.chosen, found.rejected, list(folds), list(range(150)))
    assert held.low > 0.75
    d = np.concatenate([moved.chosen_distance, moved.rejected_distance])
    assert np.corrcoef(np.concatenate([found.chosen, found.rejected]), d)[0, 1] > 0.6
    again = cross_fitted(moved, folds, asked)
    np.testing.assert_array_equal(found.chosen, again.chosen)


def test_folds_keep_conversations_whole() -> None:
    groups = [k // 3 for k in range(60)]
    folds = folds_of(groups, 0)
    assert all(len({folds[i] for i in range(60) if groups[i] == g}) == 1 for g in set(groups))
    assert set(np.bincount(folds)) == {12}
    with pytest.raises(UserError, match="too few conversations"):
        folds_of([0, 1, 1, 2, 3], 0)


def test_states_are_means_over_the_replys_tokens_however_batched(model: Path) -> None:
    texts = ["tea", "Coffee and tea " * 9, "", "Leeds", *("tea " * k for k in range(2, 20))]
    found = encoded(texts, model, recipe())
    assert found.shape == (22, 32)
    torch.testing.assert_close(found.mean(0), torch.zeros(32), atol=1e-5, rtol=0)
    torch.testing.assert_close(found.std(0), torch.ones(32))
    backwards = encoded(texts[::-1], model, recipe()).flip(0)
    torch.testing.assert_close(found, backwards, atol=1e-4, rtol=1e-4)
    shipped = encoded(["the nurse", "", "a doctor " * 300], FOLDER / "seed" / "masked", recipe())
    assert bool(shipped.isfinite().all())


def noise(text: str, number: int, context: int) -> str:
    return "z! " * (3 + number % 9) + "(((:"


def of_people(text: str, number: int, context: int) -> str:
    """Another person's reply in the same context."""
    return said(context, 40, 2)[number]


@pytest.mark.parametrize("score", ["critic", "features"])
def test_noise_is_told_from_people_and_the_scores_are_kept(score: str, model: Path, tmp_path: Path) -> None:
    made = pairs(40, noise)
    asked = recipe(score=score, critic_epochs=10, critic_batch_size=16)
    found = scored(tmp_path, made, {"en": people()}, model, asked)
    assert found.record.low > 0.7
    assert found.record.note == ""
    assert (found.record.pairs, found.record.conversations) == (80, 80)
    assert (tmp_path / WEIGHTS).is_file() == (score == "critic")
    again = scored(tmp_path, made, {}, tmp_path / "no model", asked)
    np.testing.assert_array_equal(found.chosen, again.chosen)
    assert found.record == again.record


@pytest.mark.parametrize("score", ["critic", "features"])
def test_nothing_is_left_to_prefer_where_the_rejected_are_people(
    score: str, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = scored(tmp_path, pairs(40, of_people), {"en": people()}, model, recipe(score=score))
    assert np.abs(found.chosen - found.rejected).max() > 1e-3
    assert found.record.low < 0.5 < found.record.high
    assert found.record.note == NOTHING_LEFT
    assert NOTHING_LEFT in capsys.readouterr().err


def test_constant_scores_are_refused(tmp_path: Path) -> None:
    """An encoder whose states are the same for every text; people who are all alike."""
    folder = write_tiny(tmp_path / "dead", num_hidden_layers=1)
    weights = load_file(folder / "model.safetensors")
    weights = {k: torch.zeros_like(v) if k.endswith("norm.weight") else v for k, v in weights.items()}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(UserError, match="same score by the critic") as caught:
        scored(tmp_path / "stage", pairs(10, noise), {"en": people()}, folder, recipe())
    assert "--set score=features" in caught.value.hint
    assert not (tmp_path / "stage" / RECORD).exists()
    one = {name: replies(np.ones((30, len(names("en")))), ("short",) * 30) for name in CONTEXTS}
    alike = People(names("en"), one, "train", 0, "", "")
    with pytest.raises(UserError, match="same score by the features"):
        scored(tmp_path / "stage", pairs(10, noise), {"en": alike}, folder, recipe(score="features"))
