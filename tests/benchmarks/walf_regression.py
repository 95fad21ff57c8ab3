"""How near a ridge regression comes to the shares of validation professions: what carries over from those trained on.

python -m tests.benchmarks.walf_regression
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
import transformers

from baselines.seed import text_path
from baselines.seed.distributions import lines_of_work, profession
from harness.tasks.prompts import select
from harness.tasks.target import resolve
from tests.benchmarks.walf import ATTRIBUTE, TASK, divergences

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.tasks.task import Context

    Told = Callable[[Context], dict[str, float]]

PENALTIES = (0.001, 0.003, 0.01, 0.03, 0.1)


def fitted(
    train: list[dict[str, float]], other: list[dict[str, float]], women: np.ndarray, penalty: float
) -> np.ndarray:
    """Shares of the other professions, by logistic regression with an unpenalised constant."""
    names = sorted({name for told in train for name in told})
    x, y = (
        torch.tensor([[1.0, *(told.get(n, 0.0) for n in names)] for told in rows], dtype=torch.float64)
        for rows in (train, other)
    )
    weights = torch.zeros(x.shape[1], dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([weights], max_iter=2000, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        wrong = torch.nn.functional.binary_cross_entropy_with_logits(x @ weights, torch.from_numpy(women))
        total: torch.Tensor = wrong + penalty * (weights[1:] ** 2).sum() / 10
        torch.autograd.backward(total)
        return total

    optimizer.step(loss)  # type: ignore[no-untyped-call]  # not annotated
    shares: np.ndarray = torch.sigmoid(y @ weights).detach().numpy()
    return shares


def main() -> None:
    """A line for each set of features and penalty."""
    target = resolve(TASK, ATTRIBUTE, "labor")
    train, other = (select(TASK, split, "test")[0] for split in ("train", "validation"))
    aims = [target.matrix(TASK, ATTRIBUTE, [c.id for c in part])[:, 1] for part in (train, other)]
    tokenizer = transformers.AutoTokenizer.from_pretrained(text_path())

    def pieces(context: Context) -> dict[str, float]:
        return dict.fromkeys(tokenizer.tokenize(" " + context.fields["profession"]), 1.0)

    def lines(context: Context) -> dict[str, float]:
        found = lines_of_work(context.fields["profession"])
        return dict.fromkeys(found, 1 / len(found))

    def taught(context: Context) -> dict[str, float]:
        shares = profession(context.id)
        return {**lines(context), "taught": float(np.log(shares["female"] / shares["male"]))}

    features: dict[str, Told] = {
        "pieces of the name": pieces,
        "lines of work": lines,
        "lines and taught share": taught,
    }
    print(f"always one half: {divergences(np.full(len(other), 0.5), aims[1]).mean():.4f}")
    for name, told in features.items():
        for penalty in PENALTIES:
            women = fitted([told(c) for c in train], [told(c) for c in other], aims[0], penalty)
            print(f"{name}, penalty {penalty}: KL {divergences(women, aims[1]).mean():.4f}")


if __name__ == "__main__":
    main()
