"""Association scores against one sentence, one token, one forward pass at a time."""

from __future__ import annotations

import copy
import math
from typing import TYPE_CHECKING, Any

import pytest
import torch

from harness.errors import UserError
from harness.evaluation import evaluate
from harness.measuring import known_shares
from harness.sampling.hf import association
from harness.sampling.hf.association import Quirks
from harness.sampling.hf.choices import ChoicesEngine
from harness.settings import Settings
from harness.terms import SLOT, Request
from tests.baselines.walf_models import JOBS, WORDS, WRITE, write_jobs

if TYPE_CHECKING:
    from pathlib import Path

TEMPLATES = ["{} works as a {}.", "In May {} spent a day as {}, they say."]
ALL = [w for words in WORDS.values() for w in words]


@pytest.fixture(scope="module", params=sorted(WRITE))
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> ChoicesEngine:
    return ChoicesEngine(str(WRITE[request.param](tmp_path_factory.mktemp(request.param))), device="cpu")


def inputs_of(
    engine: ChoicesEngine, job: str, template: str, quirks: Quirks | None = None
) -> association.Inputs:
    filled = association.fill(template.format(SLOT, job), job, WORDS, "here")
    quirks = quirks or Quirks()
    if engine.kind == "masked":
        return association.masked_inputs(engine.checkpoint.tokenizer, filled, quirks)
    return association.causal_inputs(engine.chat, filled, False, quirks)


def score(
    engine: ChoicesEngine, several: list[association.Inputs], model: torch.nn.Module | None = None
) -> torch.Tensor:
    joint = association.merge(several)
    batch = association.tensors(joint, engine.checkpoint.tokenizer.pad_token_id or 0)
    return association.scores(model or engine.checkpoint.model, batch, joint.sentences)


def masked_directly(engine: ChoicesEngine, job: str, template: str, word: str, k_by_k: bool) -> float:
    """ln P(word | profession) - ln P(word | profession hidden), from texts that are put together around masks."""
    model: Any = engine.checkpoint.model
    tokenizer: Any = engine.checkpoint.tokenizer
    determiner, _, noun = word.rpartition(" ")
    head, *tail = template.split("{}")

    def ids(text: str) -> list[int]:
        return list(tokenizer(text, add_special_tokens=False)["input_ids"])

    # Tokens of a text up to here, less the tokens up to the word: what the word is written with in its place.
    before = f"{head}{determiner}"
    pieces = ids(f"{before} {noun}" if before.strip() and not before.endswith(" ") else before + noun)[
        len(ids(before.rstrip())) :
    ]
    lead = f"{head}{word}{tail[0]}".rstrip()
    middle = ids(lead)[len(ids(f"{head}{word}")) :]
    about = ids(f"{lead} {job}")[len(ids(lead)) :]
    rest = ids(f"{lead} {job}{tail[1]}")[len(ids(f"{lead} {job}")) :]
    total = 0.0
    start = 1 + len(ids(before.rstrip()))
    mask = [tokenizer.mask_token_id]
    for sign, shown in ((1, about), (-1, mask * len(about))):
        row = [tokenizer.cls_token_id, *ids(before.rstrip()), *(mask * len(pieces)), *middle, *shown, *rest]
        row.append(tokenizer.sep_token_id)
        with torch.no_grad():
            logs = model(input_ids=torch.tensor([row])).logits[0].double().log_softmax(-1)
        for j in range(len(pieces)):
            chosen = pieces if k_by_k else [pieces[j]]
            total += sign * sum(float(logs[start + j, p]) for p in chosen)
    return total


def causal_directly(engine: ChoicesEngine, job: str, template: str, word: str) -> tuple[float, int]:
    """ln P of the sentence, a token at a time after the one that begins texts, and the number of its tokens."""
    model: Any = engine.checkpoint.model
    tokenizer: Any = engine.checkpoint.tokenizer
    own = list(tokenizer(template.format(word, job), add_special_tokens=False)["input_ids"])
    row = own if template.startswith("In") else [tokenizer.eos_token_id, *own]
    total = 0.0
    for i in range(1, len(row)):
        with torch.no_grad():
            logs = model(input_ids=torch.tensor([row[:i]])).logits[0, -1].double().log_softmax(-1)
        total += float(logs[row[i]])
    return total, len(row) - 1


def weight_directly(engine: ChoicesEngine, job: str, template: str, word: str, quirks: Quirks) -> float:
    """What a word in a sentence weighs: a ratio of probabilities, or a probability."""
    if engine.kind == "masked":
        return math.exp(masked_directly(engine, job, template, word, quirks.k_by_k))
    total, tokens = causal_directly(engine, job, template, word)
    return math.exp(total / tokens if quirks.mean_nll else total)


def shares_directly(engine: ChoicesEngine, job: str, quirks: Quirks) -> float:
    """The first class's share, from formulas written out."""
    found = {(t, w): weight_directly(engine, job, t, w, quirks) for t in TEMPLATES for w in ALL}
    if quirks.pooled:
        return sum(x for (_, w), x in found.items() if w in WORDS["male"]) / sum(found.values())
    pairs = [
        found[t, m] / (found[t, m] + found[t, f])
        for t in TEMPLATES
        for m, f in zip(WORDS["male"], WORDS["female"], strict=True)
    ]
    return sum(pairs) / len(pairs)


@pytest.mark.parametrize(
    "quirks", [Quirks(), Quirks(pooled=True), Quirks(True, True), Quirks(True, True, True)], ids=str
)
def test_shares_are_those_of_a_slow_direct_computation(engine: ChoicesEngine, quirks: Quirks) -> None:
    job = "brick mason"
    scored = score(engine, [inputs_of(engine, job, t, quirks) for t in TEMPLATES]).view(1, 2, 2, 3)
    log_shares = association.log_shares(scored, quirks)[0]
    assert log_shares.exp().sum().item() == pytest.approx(1, abs=1e-6)
    assert log_shares[0].exp().item() == pytest.approx(shares_directly(engine, job, quirks), abs=1e-5)


def test_some_words_are_several_pieces(engine: ChoicesEngine) -> None:
    tokenizer: Any = engine.checkpoint.tokenizer
    assert len(tokenizer("my grandmother", add_special_tokens=False)["input_ids"]) > 3


def test_batching_changes_nothing(engine: ChoicesEngine) -> None:
    several = [inputs_of(engine, job, t) for job in JOBS for t in TEMPLATES]
    # In 64 bits: in 32, a processor may add up a wider batch in another order, and that alone comes near 1e-5.
    model = copy.deepcopy(engine.checkpoint.model).double()
    with torch.no_grad():
        alone = torch.cat([score(engine, [one], model) for one in several])
        together = score(engine, several, model)
    assert together.tolist() == pytest.approx(alone.tolist(), abs=1e-5)


def test_equal_rows_are_computed_once(engine: ChoicesEngine) -> None:
    one = inputs_of(engine, "nurse", TEMPLATES[0])
    joint = association.merge([one, one])
    assert joint.rows == one.rows
    assert len(set(one.rows)) == len(one.rows)
    assert joint.sentences == 2 * one.sentences
    with torch.no_grad():
        first, second = score(engine, [one, one]).chunk(2)
    assert first.tolist() == second.tolist()


def test_some_sentences_alone_score_as_they_do_among_all(engine: ChoicesEngine) -> None:
    whole = association.merge([inputs_of(engine, job, t) for job in ("nurse", "cook") for t in TEMPLATES])
    chosen = [5, 2, 9, 23]
    some = association.only(whole, chosen)
    assert set(some.rows) < set(whole.rows)
    with torch.no_grad():
        assert score(engine, [some]).tolist() == pytest.approx(
            score(engine, [whole])[chosen].tolist(), abs=1e-5
        )


def test_two_scores_of_ln_2_and_ln_1_give_two_thirds() -> None:
    scored = torch.tensor([math.log(2), math.log(1)]).view(1, 2, 1)
    for quirks in (Quirks(), Quirks(pooled=True)):
        assert association.log_shares(scored, quirks).exp()[0].item() == pytest.approx(2 / 3)


def test_a_word_with_a_large_ratio_decides_only_where_all_are_pooled() -> None:
    scored = torch.tensor([[math.log(99), 0.0, 0.0], [0.0, 0.0, 0.0]])[None]
    for quirks, share in ((Quirks(), (0.99 + 0.5 + 0.5) / 3), (Quirks(pooled=True), 101 / 104)):
        assert association.log_shares(scored, quirks).exp()[0].item() == pytest.approx(share)


def test_gradients_flow_through_what_is_shown_and_what_is_hidden(tmp_path: Path) -> None:
    engine = ChoicesEngine(str(WRITE["bert"](tmp_path)), device="cpu")
    model: Any = engine.checkpoint.model
    inputs = inputs_of(engine, "nurse", TEMPLATES[0])
    batch = association.tensors(inputs, 0)
    gradients = {}
    table = model.bert.embeddings.word_embeddings.weight
    kept = {"shown": batch["weight"] > 0, "hidden": batch["weight"] < 0, "both": batch["weight"] != 0}
    for name, keep in kept.items():
        part = {**batch, "weight": batch["weight"] * keep}
        total = (association.scores(model, part, inputs.sentences) * torch.arange(1.0, 7.0)).sum()
        (gradients[name],) = torch.autograd.grad(total, table)
    assert gradients["shown"].abs().sum() > 1e-3
    assert gradients["hidden"].abs().sum() > 1e-3
    assert torch.allclose(gradients["both"], gradients["shown"] + gradients["hidden"], atol=1e-4)


def test_a_run_is_measured_with_the_scores_that_training_uses(engine: ChoicesEngine, tmp_path: Path) -> None:
    task = write_jobs(tmp_path / "task")
    run = evaluate(
        str(engine.source.folder), str(task), "survey", Settings(out=tmp_path / "runs", split="test")
    )
    (((context, _), by_attribute),) = known_shares(run).items()
    template = "In May {} spent a day as {}."
    scored = score(engine, [inputs_of(engine, context, template)]).view(1, 2, 3)
    expected = association.log_shares(scored, Quirks()).exp().tolist()
    assert list(by_attribute["gender"][:2]) == pytest.approx(expected, abs=1e-5)


def test_a_prompt_beyond_the_window_fails_alone(engine: ChoicesEngine) -> None:
    texts = {"long": "works " * 90 + f"{SLOT} is a cook", "short": f"{SLOT} is a cook"}
    requests = [Request(name, "p", 0, 1, 0, text=text) for name, text in texts.items()]
    found = {r.context: s.lower for r, s in engine.choices(requests, lambda _: WORDS, lambda _: "cook")}
    assert found["long"] == {"failed": 1.0}
    assert sum(found["short"].values()) == pytest.approx(1)


@pytest.mark.parametrize(
    ("text", "about", "message"),
    [
        ("no slot, a cook", "cook", "one slot"),
        (f"{SLOT} and {SLOT} cook", "cook", "one slot"),
        (f"{SLOT} cooks", "cook", "not in the prompt"),
    ],
)
def test_what_cannot_be_scored_is_refused(text: str, about: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        association.fill(text, about, WORDS, "here")


def test_classes_of_unequal_size_are_refused() -> None:
    with pytest.raises(UserError, match="equally many"):
        association.paired({"a": ["x", "y"], "b": ["z"]}, "here")
