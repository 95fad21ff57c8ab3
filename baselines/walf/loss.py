"""The loss of ``walf``: the KL of a batch of one group, scaled by the group's recent KL."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch

from harness.sampling.hf import association

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.sampling.hf.association import Quirks


def divergence(target: torch.Tensor, log_shares: torch.Tensor, half: bool = False) -> torch.Tensor:
    """KL(target || model) of each row in nats: ``sum_k t_k (ln t_k - ln q_k)``; a class with t_k = 0 adds nothing.

    Args:
        target: rows x classes.
        log_shares: ``ln q``, rows x classes.
        half: divide by the number of classes, as the published code does without meaning to.
    """
    terms = torch.where(target > 0, torch.special.xlogy(target, target) - target * log_shares, 0.0)
    return terms.mean(-1) if half else terms.sum(-1)


def by_pair(target: torch.Tensor, scored: torch.Tensor, quirks: Quirks, half: bool = False) -> torch.Tensor:
    """Mean over pairs of words of KL(target || the pair's share over all prompts), for each context.

    It is never below the KL of the mean share, which is what is measured, and the two meet where all pairs agree: each
    pair is pulled to the target, where the mean share would be content with pairs that err in opposite ways. Pooled
    words have no pairs; theirs is the KL of the one share.

    Args:
        target: contexts x classes.
        scored: contexts x prompts x classes x words.
        quirks: how scores become shares.
        half: as for ``divergence``.
    """
    if quirks.pooled:
        return divergence(target, association.log_shares(scored, quirks), half)
    pairs = [association.log_shares(scored[..., [i]], quirks) for i in range(scored.shape[-1])]
    return torch.stack([divergence(target, pair, half) for pair in pairs]).mean(0)


@dataclass(frozen=True, slots=True)
class Group:
    """The hand-set constants of one group."""

    factor: float
    low: float
    high: float
    alpha: float


@dataclass(slots=True)
class Tracker:
    """What one group's KL has been: a moving mean, a variance, and how many contexts were seen."""

    mean: float = 0.0
    variance: float = 0.0
    count: int = 0

    def update(self, kl: float, contexts: int, beta: float, count_in_place: bool = False) -> None:
        """Take in the KL of a batch.

        ``count_in_place`` is the published code's slip: the old count is the new one by the time it is used.
        """
        first, before, old = self.count == 0, self.mean, self.count
        self.count += contexts
        if first:
            self.mean = kl
            return
        self.mean = beta * before + (1 - beta) * kl
        step = (kl - self.mean) * (kl - before)
        if count_in_place:
            old = self.count
        self.variance = (old * self.variance + step) / self.count

    def weight(self, group: Group) -> float:
        """lambda, for the batch that was taken in last."""
        return min(max(group.factor * self.mean / (1 + self.variance), group.low), group.high)


@dataclass(slots=True)
class Adaptive:
    """Weighted adaptive loss: ``lambda * KL / max(m + alpha, floor)``, gradients through KL alone."""

    groups: Mapping[str, Group]
    beta: float
    count_in_place: bool = False
    floor: float = 0.0
    """Below it steps shrink with KL, as they would unscaled; 0 scales however small KL is."""
    trackers: dict[str, Tracker] = field(default_factory=dict)

    def __call__(self, kl: torch.Tensor, contexts: int, name: str) -> tuple[torch.Tensor, dict[str, float]]:
        """The loss of a batch of group ``name`` with mean divergence ``kl``, and what to log of it."""
        group, tracker = self.groups[name], self.trackers.setdefault(name, Tracker())
        tracker.update(kl.item(), contexts, self.beta, self.count_in_place)
        weight = tracker.weight(group)
        loss = weight * kl / max(tracker.mean + group.alpha, self.floor)
        return loss, {"lambda": weight, "m": tracker.mean, "v": tracker.variance}
