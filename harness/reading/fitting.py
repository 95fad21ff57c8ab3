"""Fits the classifier of ``ngrams`` to labelled texts, and finds its error by cross-validation."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy import optimize, special

from harness.errors import UserError
from harness.progress import Progress
from harness.reading.ngrams import FittedClassifier, Model, matrix, terms
from harness.reading.quality import Quality

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from scipy.sparse import csr_array

    from harness.reading.ngrams import Floats

FOLDS = 10
LEAST = 20
"""Fewer labelled texts than this say nothing of how well a classifier reads."""
MOST_TERMS = 20_000
STRENGTH = 10.0
"""How much the fit to the texts weighs against small weights (``C`` of scikit-learn)."""


class LabelledText(NamedTuple):
    """A text and the label that a person gave it."""

    text: str
    label: str


def fit(texts: Sequence[LabelledText]) -> tuple[FittedClassifier, Quality]:
    """Fit a classifier to labelled texts, and read each of them with one that was fitted without it.

    The texts are dealt into folds, each label evenly: the error of the cross-validation is the one to expect on texts
    like these.
    """
    labels = tuple(sorted({t.label for t in texts}))
    if len(texts) < LEAST or len(labels) < 2:
        raise UserError(
            "too few labelled texts to fit a classifier",
            found=f"{len(texts)} texts with {len(labels)} labels",
            expected=f"at least {LEAST} texts and two labels",
            hint="distalign label RUN -n 200 -o labels.csv",
        )
    bags = [terms(t.text) for t in texts]
    truth = np.array([labels.index(t.label) for t in texts])
    fold_of = np.empty(len(texts), dtype=np.int64)
    # Which texts of a label share a fold is chance, but the same chance each time.
    shuffled = np.random.default_rng(0).permutation(len(texts))
    order = shuffled[np.argsort(truth[shuffled], kind="stable")]
    fold_of[order] = np.arange(len(texts)) % FOLDS
    read_as = np.empty(len(texts), dtype=np.int64)
    progress = Progress("fitting, without each tenth of the texts in turn", FOLDS, "fits")
    for k in range(FOLDS):
        kept, out = np.flatnonzero(fold_of != k), np.flatnonzero(fold_of == k)
        model = _fit([bags[i] for i in kept], truth[kept], len(labels))
        read_as[out] = model.scores([bags[i] for i in out]).argmax(axis=1)
        progress.advance(1)
    progress.close()
    model = _fit(bags, truth, len(labels))
    table = np.zeros((len(labels), len(labels)), dtype=np.int64)
    np.add.at(table, (truth, read_as), 1)
    fitted = FittedClassifier(
        labels=labels,
        texts=len(texts),
        misread=int((truth != read_as).sum()),
        terms=tuple(model.place),
        rarity=tuple(np.round(model.rarity, 5).tolist()),
        weights=tuple(map(tuple, np.round(model.weights, 5).tolist())),
        bias=tuple(np.round(model.bias, 5).tolist()),
    )
    return fitted, Quality(labels, tuple(map(tuple, table.tolist())))


def _fit(bags: Sequence[Counter[str]], truth: NDArray[np.int64], labels: int) -> Model:
    """Logistic regression on TF-IDF."""
    texts_with = Counter(term for bag in bags for term in bag)
    known = sorted((t for t, k in texts_with.items() if k > 1), key=lambda t: (-texts_with[t], t))
    place = {term: i for i, term in enumerate(known[:MOST_TERMS])}
    rarity = np.array([1 + np.log((1 + len(bags)) / (1 + texts_with[term])) for term in place])
    weights, bias = softmax(matrix(bags, place, rarity), np.eye(labels)[truth], STRENGTH)
    return Model(place, rarity, weights, bias)


def softmax(x: Floats | csr_array, wanted: Floats, strength: float | Floats) -> tuple[Floats, Floats]:
    """Weights (features x labels) and biases of a logistic regression with a penalty on squared weights, by L-BFGS.

    Args:
        x: rows of features.
        wanted: rows of labels, 1 for the right one.
        strength: how much the fit counts against small weights, for all rows or for each.
    """
    labels = wanted.shape[1]
    each = np.broadcast_to(np.asarray(strength, dtype=np.float64), len(wanted))[:, None]

    def loss(flat: Floats) -> tuple[float, Floats]:
        weights, bias = flat[:-labels].reshape(-1, labels), flat[-labels:]
        log = special.log_softmax(x @ weights + bias, axis=1)
        off = each * (np.exp(log) - wanted)
        value = -float((each * log * wanted).sum()) + 0.5 * float((weights**2).sum())
        return value, np.concatenate([(x.T @ off + weights).ravel(), off.sum(axis=0)])

    found = optimize.minimize(
        loss, np.zeros((x.shape[1] + 1) * labels), jac=True, method="L-BFGS-B", options={"maxiter": 200}
    ).x
    return found[:-labels].reshape(-1, labels), found[-labels:]
