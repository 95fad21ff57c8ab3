"""The loss on people's replies, token by token: by formula, in small batches, and as published."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch
from trl import SFTConfig

from baselines.polyalign.data import PeopleRow
from baselines.polyalign.profile import OPENINGS, bare, line, shown
from baselines.polyalign.sft import CONTEXT, ROW_WEIGHT, TOKEN_WEIGHTS, PeopleSFTTrainer, Weighed, examples
from baselines.trl_glue import dataset
from harness.errors import UserError
from harness.terms import Message
from tests.baselines.tiny import tiny_model, tiny_tokenizer

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

TEXTS = ("Tea", "Coffee and tea please", "A drink of Porto, tea and coffee on a table in Bath", "Tea")
ROWS = [
    PeopleRow((Message("user", f"What of {i}?"),), text, context, length, "en", "multi|dialogue")
    for i, (text, context, length) in enumerate(
        zip(TEXTS * 2, ("chat",) * 5 + ("help",) * 3, ("short", "short", "medium", "long") * 2, strict=True)
    )
]


def trainer(
    folder: Path,
    weighed: Weighed,
    size: int = 8,
    rows: Sequence[PeopleRow] = ROWS,
    opening: tuple[str, ...] = (),
) -> PeopleSFTTrainer:
    tokenizer = tiny_tokenizer()
    config = SFTConfig(
        output_dir=str(folder),
        per_device_train_batch_size=size,
        gradient_accumulation_steps=8 // size,
        report_to=[],
        dataloader_pin_memory=False,
        bf16=False,
        gradient_checkpointing=False,
        completion_only_loss=True,
    )
    return PeopleSFTTrainer(
        weighed=weighed,
        opening=opening,
        model=tiny_model(tokenizer, seed=1),
        args=config,
        train_dataset=dataset(examples(rows, weighed), folder),
        processing_class=tokenizer,
    )


def own(made: PeopleSFTTrainer) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Log-probabilities and weights of the trained tokens of each row, in order, row by row."""
    found = []
    for row in made.train_dataset:
        ids, labels = torch.tensor(row["input_ids"]), torch.tensor(row["labels"])
        with torch.no_grad():
            logs = made.model(ids[None]).logits[0, :-1].float().log_softmax(-1)
        own = logs.gather(-1, ids[1:, None])[:, 0][labels[1:] != -100]
        found.append((own, torch.tensor(row[TOKEN_WEIGHTS])[labels != -100]))
    return found


def gradient(made: PeopleSFTTrainer) -> torch.Tensor:
    """Of a step, with as many batches as it has."""
    batches = list(made.get_train_dataloader())
    made.current_gradient_accumulation_steps = len(batches)
    rows = made._get_num_items_in_batch(batches, made.args.device)
    made.model.zero_grad()
    for batch in batches:
        made.training_step(made.model, batch, rows)
    return torch.cat([p.grad.flatten() for p in made.model.parameters() if p.grad is not None])


def test_the_loss_is_the_sum_over_a_replys_tokens_divided_by_its_contexts_mean(tmp_path: Path) -> None:
    made = trainer(tmp_path, Weighed("context"))
    tokens = own(made)
    means = {
        c: [len(t[0]) for t, r in zip(tokens, ROWS, strict=True) if r.context == c] for c in ("chat", "help")
    }
    by_hand = 0.0
    for (logs, _), row in zip(tokens, ROWS, strict=True):
        usual = sum(means[row.context]) / len(means[row.context])
        by_hand -= float(logs.sum()) / usual * len(ROWS) / (2 * len(means[row.context])) / len(ROWS)
    (batch,) = list(made.get_train_dataloader())
    assert made.compute_loss(made.model, batch).item() == pytest.approx(by_hand, abs=1e-5)


@pytest.mark.parametrize("weighed", [Weighed("none"), Weighed("context"), Weighed("bucket", clip=1.5)])
def test_eight_batches_of_one_have_the_gradient_of_a_batch_of_eight(weighed: Weighed, tmp_path: Path) -> None:
    large, small = (gradient(trainer(tmp_path / str(size), weighed, size)) for size in (8, 1))
    assert large.abs().max() > 1e-3
    torch.testing.assert_close(small, large, atol=1e-6, rtol=1e-5)


def test_as_published_the_weights_are_gone_in_batches_of_one(tmp_path: Path) -> None:
    """And the loss of a reply is the mean over its tokens."""
    published = {"own_length": True, "by_batch": True}
    weighed, alike = Weighed("published", **published), Weighed("none", **published)
    one, other = (gradient(trainer(tmp_path / w.weights, w, 1)) for w in (weighed, alike))
    torch.testing.assert_close(one, other, atol=1e-6, rtol=1e-5)
    together = gradient(trainer(tmp_path / "8", weighed, 8))
    assert (together - one).abs().max() > 1e-3
    made = trainer(tmp_path / "mean", alike, 8)
    (batch,) = list(made.get_train_dataloader())
    means = torch.stack([-logs.mean() for logs, _ in own(made)])
    assert made.compute_loss(made.model, batch).item() == pytest.approx(means.mean().item(), abs=1e-5)


def test_the_opening_weighs_the_same_in_every_row_of_a_context(tmp_path: Path) -> None:
    rows = [shown(row, "written") for row in ROWS]
    made = trainer(tmp_path, Weighed("bucket"), rows=rows, opening=OPENINGS)
    firsts: dict[str, set[float]] = {}
    for (_, weights), row, given in zip(own(made), rows, made.train_dataset, strict=True):
        unit = float(weights[0])
        firsts.setdefault(row.context, set()).add(round(unit, 6))
        assert weights[1] == pytest.approx(unit)  # the digit and the line's end
        assert weights[2:].tolist() == pytest.approx([unit * given[ROW_WEIGHT]] * (len(weights) - 2))
    assert {len(units) for units in firsts.values()} == {1}
    assert rows[0].text == "0\nTea"
    assert bare(rows[2].text) == ROWS[2].text


def test_a_digit_that_is_no_token_of_its_own_is_one_message(tmp_path: Path) -> None:
    rows = [shown(row, "written") for row in ROWS]
    with pytest.raises(UserError, match="digit"):
        trainer(tmp_path, Weighed("bucket"), rows=rows, opening=("7\n",))


def test_a_told_length_stands_in_a_system_message_of_the_language() -> None:
    told = shown(ROWS[2], "drawn")
    assert told.prompt == (Message("system", "Aim for size 2 of 4."), *ROWS[2].prompt)
    assert told.text == ROWS[2].text
    assert shown(ROWS[2], "gold").prompt[0] == Message("system", "Length of the reply: medium.")
    assert line("xlong", "zh", "gold").content == "回复的长度：xlong。"
    assert line("xlong", "zh", "drawn").content == "篇幅：第 4 级，共 4 级。"


def test_examples_carry_what_the_weights_need() -> None:
    found: list[dict[str, Any]] = examples(ROWS, Weighed("context"))
    assert {e[CONTEXT] for e in found} == {"en chat", "en help"}
    assert found[0][ROW_WEIGHT] == pytest.approx(8 / (2 * 5))
