"""What the losses on people's replies are least at: a softmax over four answers in two contexts, brought to the minimum."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from scipy.optimize import minimize

from baselines.polyalign.data import PeopleRow
from baselines.polyalign.profile import LENGTHS
from baselines.polyalign.weighting import Weights, per_token, row_weights
from harness.terms import Message

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

BINS = ("short", "short", "medium", "long")
TOKENS = np.array([5, 12, 60, 150])
LAWS = {"chat": np.array([0.45, 0.25, 0.25, 0.05]), "help": np.array([0.1, 0.1, 0.3, 0.5])}
TIMES = {"chat": 300, "help": 100}


def rows() -> tuple[list[PeopleRow], list[tuple[int, int]]]:
    """People's replies by the laws, and of each its context's number and its answer's."""
    made, places = [], []
    for at, (context, law) in enumerate(LAWS.items()):
        prompt = (Message("user", context),)
        for answer, times in enumerate(np.rint(law * TIMES[context]).astype(int)):
            row = PeopleRow(prompt, str(answer), context, BINS[answer], "en", "multi|dialogue")
            made += [row] * times
            places += [(at, answer)] * times
    return made, places


def minimum(loss: Callable[[torch.Tensor], torch.Tensor], size: int) -> NDArray[np.float64]:
    """The parameters at which a loss is least."""

    def with_gradient(at: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        free = torch.tensor(at, requires_grad=True)
        found = loss(free)
        return found.item(), torch.autograd.grad(found, free)[0].numpy()

    found = minimize(with_gradient, np.zeros(size), jac=True, method="BFGS", options={"gtol": 1e-9})
    return np.asarray(found.x)


def learned(
    weights: Weights, *, own_length: bool = False, clip: float = 0.0
) -> Mapping[str, NDArray[np.float64]]:
    """The law of each context where the loss on the rows is least.

    Only the first token of an answer is in doubt: its log-probability is the answer's.
    """
    people, places = rows()
    context, answer = torch.tensor(places).T
    tokens = TOKENS[[a for _, a in places]].tolist()
    unit = per_token(tokens, [r.context for r in people], own_length=own_length)
    weight = torch.tensor(unit * row_weights(people, weights, clip))

    def loss(free: torch.Tensor) -> torch.Tensor:
        logs = free.reshape(2, 4).log_softmax(-1)
        return -(weight * logs[context, answer]).mean()

    found = np.exp(minimum(loss, 8).reshape(2, 4))
    return dict(zip(LAWS, found / found.sum(1, keepdims=True), strict=True))


def shares(law: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(law / law.sum())


def even(law: NDArray[np.float64]) -> NDArray[np.float64]:
    """The law with its lengths equally likely, and its answers within a length as they are."""
    sizes = np.array([law[[b == own for b in BINS]].sum() for own in BINS])
    return shares(law / sizes)


PREDICTED: dict[str, tuple[Weights, bool, Callable[[NDArray[np.float64]], NDArray[np.float64]]]] = {
    "rows alike": ("none", False, shares),
    "by context": ("context", False, shares),
    "by bucket": ("bucket", False, even),
    "by context, own length": ("context", True, lambda p: shares(p / TOKENS)),
    "by bucket, own length": ("bucket", True, lambda p: shares(even(p) / TOKENS)),
}


@pytest.mark.parametrize("name", PREDICTED)
def test_a_weight_that_depends_on_the_reply_tilts_peoples_law_by_itself(name: str) -> None:
    weights, own_length, predicted = PREDICTED[name]
    found = learned(weights, own_length=own_length)
    for context, law in LAWS.items():
        np.testing.assert_allclose(found[context], predicted(law), atol=1e-3)


def test_clipped_weights_of_contexts_keep_the_law_too() -> None:
    found = learned("context", clip=1.2)
    for context, law in LAWS.items():
        np.testing.assert_allclose(found[context], law, atol=1e-3)


def test_where_the_length_is_written_first_the_rest_may_be_weighed_by_it() -> None:
    """The opening weighs the same in all rows of a context, what follows by its bucket: both laws are people's."""
    people, places = rows()
    unit = torch.tensor(per_token(TOKENS[[a for _, a in places]].tolist(), [r.context for r in people]))
    after = unit * torch.tensor(row_weights(people, "bucket"))
    context, answer = torch.tensor(places).T
    length = torch.tensor([LENGTHS.index(b) for b in BINS])
    same = length[:, None] == length[None]

    def loss(free: torch.Tensor) -> torch.Tensor:
        digits = free[:6].reshape(2, 3).log_softmax(-1)
        scores = free[6:].reshape(2, 4)
        within = scores - torch.where(same, scores[:, None], -torch.inf).logsumexp(-1)
        return -(unit * digits[context, length[answer]] + after * within[context, answer]).mean()

    free = torch.tensor(minimum(loss, 14))
    scores = free[6:].reshape(2, 4)
    within = scores - torch.where(same, scores[:, None], -torch.inf).logsumexp(-1)
    found = (free[:6].reshape(2, 3).log_softmax(-1)[:, length] + within).exp().numpy()
    np.testing.assert_allclose(found, np.array(list(LAWS.values())), atol=1e-3)


def test_every_bucket_weighs_the_same_and_a_row_one_on_average() -> None:
    people, _ = rows()
    weights = row_weights(people, "bucket")
    assert weights.mean() == pytest.approx(1)
    totals = {
        (c, b): sum(w for w, r in zip(weights, people, strict=True) if (r.context, r.bin) == (c, b))
        for c in LAWS
        for b in set(BINS)
    }
    assert np.ptp(list(totals.values())) < 1e-9
    clipped = row_weights(people, "bucket", 2.0)
    assert clipped.mean() == pytest.approx(1)
    assert clipped.max() / clipped.min() < weights.max() / weights.min()


@pytest.mark.parametrize("beta", [1.0, 0.5, 0.1])
def test_preferences_for_people_over_a_law_are_least_at_the_reference_tilted_by_their_ratio(
    beta: float,
) -> None:
    """Rejected replies from the reference itself and beta = 1: people's law. A smaller beta overshoots."""
    p, reference = LAWS["chat"], np.array([0.3, 0.3, 0.2, 0.2])
    ref, met = torch.tensor(reference).log(), torch.tensor(np.outer(p, reference))

    def loss(free: torch.Tensor) -> torch.Tensor:
        ratio = free - ref
        return -(met * torch.nn.functional.logsigmoid(beta * (ratio[:, None] - ratio[None]))).sum()

    found = np.exp(minimum(loss, 4))
    np.testing.assert_allclose(shares(found), shares(reference * (p / reference) ** (1 / beta)), atol=1e-3)
