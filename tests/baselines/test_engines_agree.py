"""What every method leaves is one and the same distribution in transformers and in vLLM, once it is read."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from baselines.driver import Options, train
from harness.evaluation import evaluate
from harness.scoring.outcomes import read_counts
from harness.settings import Settings
from tests.baselines.tiny import tiny_answers, write_tiny
from tests.sampling.laws import homogeneity

if TYPE_CHECKING:
    from pathlib import Path

    from harness.runs.folder import Run
    from tests.sampling.laws import Counts

TRAINED = ("rows=40", "precision=fp32", "save_steps=1000")
FAST = ("sft_learning_rate=5e-3", "sft_epochs=4", "learning_rate=1e-3")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The random Llama, with heads as wide as vLLM needs them on a CPU."""
    return write_tiny(tmp_path_factory.mktemp("wide"), head_dim=32)


def outputs(run: Run) -> Counts:
    """Context -> (text, finish) -> draws."""
    found: Counts = {}
    for chunk in run.chunks():
        into = found.setdefault(chunk.context, Counter())
        for draw in chunk.draws:
            into[draw.text, draw.finish] += draw.count
    return found


def readings(run: Run) -> Counts:
    """Context -> (outcome, '') -> draws, as the contract has them read."""
    found: Counts = {}
    (table,) = read_counts(run.folder / "counts.csv")
    for (context, _), counts in table.cells.items():
        for outcome, count in zip(table.outcomes, counts, strict=True):
            found.setdefault(context, Counter())[outcome, ""] += count
    return found


@pytest.mark.vllm
@pytest.mark.parametrize(
    ("method", "settings"),
    [
        ("prompting", ("arm=target",)),
        ("sft", (*TRAINED, "adapter=full", "learning_rate=5e-3", "epochs=4")),
        ("dpo", (*TRAINED, "adapter=full", *FAST)),
        ("klkto", (*TRAINED, "adapter=full", *FAST)),
        ("klkto", (*TRAINED, "adapter=lora", *FAST)),
    ],
)
def test_a_checkpoint_is_the_same_in_both_engines(
    model: Path, tea: Path, tmp_path: Path, method: str, settings: tuple[str, ...]
) -> None:
    completions = None if method == "prompting" else tiny_answers(tmp_path)
    chosen = Options(settings=settings, completions=completions)
    if "adapter=lora" in settings:
        # An adapter teaches random weights little: it goes on one that answers, with other shares.
        answers = Options(settings=(*TRAINED, "adapter=full", *FAST), completions=completions)
        model = train(method, str(model), str(tea), "even", tmp_path / "model", answers)
    out = train(method, str(model), str(tea), "survey", tmp_path / "out", chosen)
    ours, theirs = (
        evaluate(
            str(out),
            str(tea),
            "survey",
            Settings(n=2000, seed=seed, backend=backend, engine=engine, out=tmp_path / backend),
        )
        for seed, backend, engine in ((1, "hf", {"device": "cpu"}), (2, "vllm", {"dtype": "float32"}))
    )
    assert homogeneity(outputs(ours), outputs(theirs)) > 0.001
    assert homogeneity(readings(ours), readings(theirs)) > 0.001
    if method == "klkto":
        read = sum((Counter(c) for c in readings(theirs).values()), Counter[tuple[str, str]]())
        assert read["tea", ""] + read["coffee", ""] > 0.5 * read.total(), "the digit is taken off"
