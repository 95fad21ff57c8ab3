"""PolyAlign's critic: how far a reply is from what people say in its kind of exchange, by a small network.

It reads the mean of a frozen encoder's last hidden states over the reply's tokens, and the context. It learns the
support distance D of people's replies and of the model's, and that a person's scores lower than the model's in each
pair. Inputs are brought to mean 0 and spread 1, unlike the published critic's.

A network that has seen which reply of a pair is the person's can learn it by heart. So pairs are shared out into folds
by what their conversations open with, and each pair is scored by a network that saw nothing of its fold. Another
fold says after which epoch to stop. All pairs are then held out, and their AUC says what the critic is worth.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
import transformers
from accelerate import PartialState
from torch import nn

from baselines.policy import load_tokenizer, uses_bf16
from harness.errors import UserError
from harness.progress import Steps
from harness.sampling.hf.checkpoint import quiet
from harness.sampling.hf.foreign import foreign
from harness.sampling.hf.padding import padded

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from baselines.polyalign.hdpo_recipe import HdpoRecipe
    from harness.natural.scaled import Floats

FOLDS = 5
MARGIN = 0.1
_CONTEXT, _WIDTH, _DROPOUT = 64, 256, 0.1
_LONGEST, _CHUNK = 512, 16


class Critic(nn.Module):
    """A score of a reply's hidden state in a context; low is like people."""

    def __init__(self, width: int, contexts: int) -> None:
        """Take the encoder's width and the number of contexts."""
        super().__init__()
        self.context = nn.Embedding(contexts, _CONTEXT)
        self.layers = nn.Sequential(
            nn.Linear(width + _CONTEXT, _WIDTH),
            nn.GELU(),
            nn.Dropout(_DROPOUT),
            nn.Linear(_WIDTH, _WIDTH),
            nn.GELU(),
            nn.Dropout(_DROPOUT),
            nn.Linear(_WIDTH, 1),
        )

    def forward(self, states: torch.Tensor, contexts: torch.Tensor) -> torch.Tensor:
        """Scores."""
        found: torch.Tensor = self.layers(torch.cat([states, self.context(contexts)], dim=-1))
        return found[:, 0]


class Evidence(NamedTuple):
    """What a critic learns from: a row per pair."""

    chosen: torch.Tensor
    """Hidden states of people's replies."""
    rejected: torch.Tensor
    chosen_distance: torch.Tensor
    """D of people's replies."""
    rejected_distance: torch.Tensor
    contexts: torch.Tensor

    def rows(self, at: torch.Tensor) -> Evidence:
        """Some of the pairs."""
        return Evidence(*(column[at] for column in self))


class Fitted(NamedTuple):
    """Scores of all pairs, each by the critic of its fold."""

    chosen: Floats
    rejected: Floats
    weights: dict[str, torch.Tensor]
    """Of all folds' critics; a name begins with the fold's number."""


def encoded(texts: Sequence[str], folder: Path, recipe: HdpoRecipe) -> torch.Tensor:
    """Mean of an encoder's last hidden states over each text and its end, each column with mean 0 and spread 1."""
    device = PartialState().device
    tokenizer = load_tokenizer(folder)
    dtype = torch.bfloat16 if uses_bf16(recipe.precision) else torch.float32
    with foreign("transformers cannot load this encoder", str(folder)), quiet():
        model, report = transformers.AutoModel.from_pretrained(folder, dtype=dtype, output_loading_info=True)
    missing = sorted(name for name in report["missing_keys"] if "pooler" not in name)
    if missing:
        raise UserError("the encoder's files lack weights", where=str(folder), found=", ".join(missing[:3]))
    model.to(device).eval()
    end = [] if tokenizer.eos_token_id is None else [tokenizer.eos_token_id]
    config = model.config.get_text_config()
    longest = min(_LONGEST, getattr(config, "max_position_embeddings", _LONGEST)) - len(end)
    ids = [[*found[:longest], *end] for found in tokenizer(list(texts), verbose=False)["input_ids"]]
    order = sorted(range(len(ids)), key=lambda i: -len(ids[i]))
    states = torch.empty(len(ids), config.hidden_size)
    steps = Steps("hidden states of replies", len(ids), "texts")
    for begin in range(0, len(order), _CHUNK):
        rows = order[begin : begin + _CHUNK]
        batch = padded([ids[i] for i in rows], tokenizer.pad_token_id).items()
        inputs = {k: v.to(device) for k, v in batch}
        with torch.no_grad():
            hidden = model(**inputs).last_hidden_state.float()
        mask = inputs["attention_mask"][:, :, None]
        states[rows] = ((hidden * mask).sum(1) / mask.sum(1)).cpu()
        steps.reach(begin + len(rows))
    spread = states.std(dim=0)
    return (states - states.mean(dim=0)) / torch.where(spread > 0, spread, 1.0)


def folds_of(groups: Sequence[object], seed: int) -> NDArray[np.int64]:
    """The fold of each pair; pairs of a group share it."""
    names = list(dict.fromkeys(groups))
    if len(names) < FOLDS:
        raise UserError(
            "too few conversations to hold any out",
            found=f"{len(names)} that open differently",
            expected=f"at least {FOLDS}",
            hint="a larger corpus, or --set score=features",
        )
    order = np.random.default_rng([seed, 5]).permutation(len(names))
    number = {name: int(at) % FOLDS for name, at in zip(names, order, strict=True)}
    return np.array([number[g] for g in groups])


def cross_fitted(evidence: Evidence, folds: NDArray[np.int64], recipe: HdpoRecipe) -> Fitted:
    """Train a critic for each fold on three others, stopped by the fourth, and score the fold by it."""
    scores = torch.zeros(2, len(folds))
    weights: dict[str, torch.Tensor] = {}
    steps = Steps("critic", FOLDS * recipe.critic_epochs, "epochs")
    of = torch.from_numpy(folds)
    for fold in range(FOLDS):
        stop = (fold + 1) % FOLDS
        parts = [at.nonzero()[:, 0] for at in (of == fold, of == stop, (of != fold) & (of != stop))]
        held, kept, train = (evidence.rows(at) for at in parts)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(recipe.seed + fold)
            critic = Critic(evidence.chosen.shape[1], int(evidence.contexts.max()) + 1)
            _fit(critic, train, kept, recipe, steps)
        with torch.no_grad():
            scores[:, parts[0]] = torch.stack(_both(critic, held))
        weights |= {f"{fold}.{name}": value.clone() for name, value in critic.state_dict().items()}
    chosen, rejected = scores.double().numpy()
    return Fitted(chosen, rejected, weights)


def _fit(critic: Critic, train: Evidence, kept: Evidence, recipe: HdpoRecipe, steps: Steps) -> None:
    """AdamW on one part; the weights are those after the epoch with the least loss on the other."""
    optimiser = torch.optim.AdamW(critic.parameters(), lr=recipe.critic_learning_rate, weight_decay=0.0)
    best: tuple[float, Mapping[str, torch.Tensor]] | None = None
    for _ in range(recipe.critic_epochs):
        critic.train()
        order = torch.randperm(len(train.contexts))
        for begin in range(0, len(order), recipe.critic_batch_size):
            lost = critic_loss(critic, train.rows(order[begin : begin + recipe.critic_batch_size]))
            optimiser.zero_grad()
            lost.backward()  # type: ignore[no-untyped-call]  # not annotated
            nn.utils.clip_grad_norm_(critic.parameters(), 1.0)
            optimiser.step()
        critic.eval()
        with torch.no_grad():
            held_out = critic_loss(critic, kept).item()
        if best is None or held_out < best[0]:
            best = held_out, {name: value.clone() for name, value in critic.state_dict().items()}
        steps.reach(steps.done + 1, f"held-out loss {held_out:.3f}, ")
    if best is not None:
        critic.load_state_dict(best[1])


def critic_loss(critic: nn.Module, evidence: Evidence) -> torch.Tensor:
    """``mean |s - D|`` over the replies of people and of the model, and a hinge where people's are not ``MARGIN`` lower."""
    chosen, rejected = _both(critic, evidence)
    away = torch.cat([chosen - evidence.chosen_distance, rejected - evidence.rejected_distance])
    return away.abs().mean() + torch.relu(MARGIN - rejected + chosen).mean()


def _both(critic: nn.Module, evidence: Evidence) -> tuple[torch.Tensor, torch.Tensor]:
    return critic(evidence.chosen, evidence.contexts), critic(evidence.rejected, evidence.contexts)
