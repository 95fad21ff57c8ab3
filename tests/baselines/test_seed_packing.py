"""A question's answers in one row give the loss of the conversations one by one."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import transformers

from baselines.seed import packing


def model() -> transformers.LlamaForCausalLM:
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=50,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        initializer_range=0.3,
    )
    found = transformers.LlamaForCausalLM(config)  # type: ignore[no-untyped-call]  # not annotated
    found.double()
    return found


def conversations(seed: int, n: int) -> list[packing.Conversation]:
    """Few questions, so that most have several answers, some of them twice."""
    rng = np.random.default_rng(seed)

    def tokens(low: int, high: int) -> tuple[int, ...]:
        return tuple(int(t) for t in rng.integers(1, 50, rng.integers(low, high)))

    questions = [tokens(1, 9) for _ in range(4)]
    answers = [tokens(1, 7) for _ in range(5)]
    return [(questions[int(rng.integers(4))], answers[int(rng.integers(5))]) for _ in range(n)]


def one_by_one(net: transformers.LlamaForCausalLM, asked: list[packing.Conversation]) -> torch.Tensor:
    """Mean cross-entropy over all answers' tokens, each conversation forwarded alone."""
    losses = []
    for question, answer in asked:
        ids = torch.tensor([[*question, *answer]])
        logs = net(ids).logits[0, len(question) - 1 : -1].log_softmax(-1)
        losses += [-logs[i, token] for i, token in enumerate(answer)]
    return torch.stack(losses).mean()


@pytest.mark.parametrize("longest", [12, 256])
def test_the_loss_and_its_gradient_are_those_of_the_conversations_one_by_one(
    longest: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    from baselines.seed.fitting import branched_loss

    monkeypatch.setattr(packing, "LONGEST", longest)
    net, asked = model(), conversations(1, 30)
    rows = packing.rows(asked)
    assert len(rows) < len(asked)
    assert sum(sum(r.weights) for r in rows) == sum(len(answer) for _, answer in asked)
    found, wanted = branched_loss(net, packing.batch(rows, 0)), one_by_one(net, asked)
    torch.testing.assert_close(found, wanted)
    weights = list(net.parameters())
    for one, other in zip(
        torch.autograd.grad(found, weights), torch.autograd.grad(wanted, weights), strict=True
    ):
        torch.testing.assert_close(one, other, atol=1e-6, rtol=1e-5)


def test_a_row_is_no_longer_than_allowed_unless_one_answer_is() -> None:
    asked = [((1,) * 10, (k,) * (5 + k)) for k in range(1, 40)] + [((1,) * 10, (2,) * 400)]
    rows = packing.rows(asked)
    assert [len(r.ids) for r in rows if len(r.ids) > packing.LONGEST] == [409]
    assert sum(len(r.labels) for r in rows) == sum(len(a) for _, a in asked)
