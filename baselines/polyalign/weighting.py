"""The weights of tokens in the loss on people's replies, and what they make the loss least at.

Per row the loss is a sum over the reply's tokens, each times its weight; the mean over rows is trained on. Where a
weight depends on the prompt alone, the loss is least at people's law. So by default a row's weight is that of its
context, and its tokens are divided by the mean number of tokens of its *context*. A weight that depends on the
reply, such as that of its length or one divided by its own number of tokens, tilts the law by itself.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from baselines.polyalign.data import PeopleRow

Weights = Literal["none", "context", "bucket", "published"]
"""What a row's weight is rare by: nothing; its context; its context and length; the paper's buckets."""


def row_weights(rows: Sequence[PeopleRow], weights: Weights, clip: float = 0.0) -> NDArray[np.float64]:
    """``N / (B n_b)`` for each row of bucket b, so that all buckets weigh the same; 1 on average over all rows.

    Args:
        rows: of the whole training.
        weights: what a bucket is.
        clip: no row weighs more than this; 0 is no limit.
    """
    buckets = [bucket(row, weights) for row in rows]
    counts = Counter(buckets)
    found = np.array([len(rows) / (len(counts) * counts[b]) for b in buckets])
    if clip:
        found = np.minimum(found, clip)
    return np.asarray(found / found.mean())


def bucket(row: PeopleRow, weights: Weights) -> tuple[str, ...]:
    """What is weighed together with a row."""
    return {
        "none": (),
        "context": (row.language, row.context),
        "bucket": (row.language, row.context, row.bin),
        "published": (row.language, row.kind, row.bin),
    }[weights]


def per_token(
    tokens: Sequence[int], contexts: Sequence[str], *, own_length: bool = False
) -> NDArray[np.float64]:
    """What a weight of 1 is for each token of a row: one divided by the mean number of tokens in the row's context.

    Args:
        tokens: how many tokens of each row are trained on.
        contexts: of each row.
        own_length: divide by the row's own number instead, which makes a reply of T tokens 1/T as likely.
    """
    lengths = np.array(tokens, dtype=np.float64)
    if own_length:
        return np.asarray(1 / lengths)
    names, of_row = np.unique(np.array(contexts, dtype=object), return_inverse=True)
    means = np.bincount(of_row, lengths, len(names)) / np.bincount(of_row, minlength=len(names))
    return np.asarray(1 / means[of_row])
