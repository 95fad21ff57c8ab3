"""PolyAlign from the command to the checkpoint, on a random model of a few thousand weights."""

from __future__ import annotations

import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from transformers import AutoModelForCausalLM, AutoTokenizer

from baselines.driver import Options, train
from baselines.needs import Replies
from baselines.polyalign import METHOD
from baselines.polyalign.data import people_rows
from baselines.polyalign.draws import OwnReply, preferences
from baselines.polyalign.support import by_language
from baselines.polyalign.turns import SHIPPED, fitted, tokenizer_with_template
from harness.contract import read_checkpoint
from harness.errors import UserError
from harness.importers.corpus import Splits, messages, read_replies
from harness.sampling.hf.source import weights_digest
from harness.tasks import seen
from harness.tasks.target import load_target
from harness.terms import Message
from tests.baselines.people_corpus import corpus, records, reply, target
from tests.baselines.test_polyalign_sft import ROWS
from tests.baselines.tiny import tiny_tokenizer, write_tiny

if TYPE_CHECKING:
    from pathlib import Path

    from baselines.polyalign.data import PeopleRow
    from harness.importers.reference import Language

SIZES = (
    *("adapter=full", "precision=fp32", "batch_size=4", "gradient_accumulation=2", "learning_rate=0.01"),
    *(
        "epochs=1",
        "max_length=200",
        "draw_tokens=60",
        "preference_batch_size=4",
        "save_steps=4",
        "critic_epochs=1",
    ),
)


@pytest.fixture(scope="module")
def english(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a corpus and its target."""
    folder = tmp_path_factory.mktemp("people")
    source = corpus(folder / "people_en.jsonl", records("en"))
    target([source], folder / "targets" / "people_en", "en")
    return folder


@pytest.fixture(scope="module")
def chinese(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same in Chinese."""
    folder = tmp_path_factory.mktemp("people")
    source = corpus(folder / "people_zh.jsonl", records("zh"))
    target([source], folder / "targets" / "people_zh", "zh")
    return folder


def trained(model: Path, out: Path, *folders: Path, settings: tuple[str, ...] = ()) -> Path:
    options = Options(settings=(*SIZES, *settings), corpora=[next(f.glob("*.jsonl")) for f in folders])
    targets = [str(next((f / "targets").iterdir())) for f in folders]
    return train("polyalign", str(model), "", targets, out, options)


def rows_of(*folders: Path, most: int = 0) -> list[PeopleRow]:
    targets = tuple(load_target(str(next((f / "targets").iterdir()))) for f in folders)
    about = Replies(tuple(next(f.glob("*.jsonl")) for f in folders), targets)
    return people_rows(about, by_language(targets), most)


@pytest.mark.parametrize("arm", ["full_sft", "bucket_sft"])
def test_a_checkpoint_says_what_it_is(arm: str, model: Path, english: Path, tmp_path: Path) -> None:
    out = trained(model, tmp_path / "out", english, settings=(f"arm={arm}",))
    record = read_checkpoint(out)
    assert record.contract.method == "polyalign"
    assert record.contract.arm == arm
    assert record.contract.target == "people_en"
    before, after = (AutoModelForCausalLM.from_pretrained(f).lm_head.weight for f in (model, out))
    assert (before - after).abs().max() > 1e-3
    noted = seen.read(out)
    assert noted is not None
    assert set(noted.tolist()) == {x for row in rows_of(english) for x in row.seen}


def test_only_replies_of_the_training_split_are_rows_and_each_has_its_bin(
    english: Path, chinese: Path
) -> None:
    found = rows_of(english, chinese)
    every = [r for f in (english, chinese) for r in read_replies(str(next(f.glob("*.jsonl"))), {})]
    own = {(r.language, r.track, r.conversation, r.turn): r for r in every if r.split == "train"}
    assert sorted((r.language, r.text) for r in found) == sorted((r.language, r.text) for r in own.values())
    assert {r.language for r in found} == {"en", "zh"}
    assert {r.context for r in found} == {"multi_dialogue", "single_dialogue"}
    asked = {(r.language, r.text, tuple(messages(r))) for r in own.values()}
    assert {(r.language, r.text, r.prompt) for r in found} == asked
    for row in found:
        long = len(row.text) > 40 if row.language == "zh" else len(row.text.split()) > 40
        assert row.bin == ("medium" if long else "short")


@pytest.mark.parametrize("tokens", [40, 41, 120, 121, 240, 241])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_bins_end_at_40_120_and_240_tokens_a_han_character_being_one(
    tokens: int, language: Language, tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    made = [
        {**r, "reply": reply(language, tokens, rng)} for r in records(language, 33) if r["track"] == "multi"
    ]
    (tmp_path / "targets").mkdir()
    target([corpus(tmp_path / "people.jsonl", made)], tmp_path / "targets" / "people", language)
    expected = {40: "short", 41: "medium", 120: "medium", 121: "long", 240: "long", 241: "xlong"}[tokens]
    assert {r.bin for r in rows_of(tmp_path)} == {expected}


def test_a_sample_of_the_rows_is_the_same_in_every_run(english: Path) -> None:
    some, more = rows_of(english, most=10), rows_of(english, most=20)
    assert len(some) == 10
    assert more[:10] == some


def test_a_reply_that_test_people_gave_too_is_theirs_alone(tmp_path: Path) -> None:
    made = records("en")
    tested = next(r for r in made if r["split"] == "test" and r["track"] == "single")
    twin = {**tested, "id": "twin", "conversation": "twin", "split": "train"}
    (tmp_path / "targets").mkdir()
    target([corpus(tmp_path / "people.jsonl", [twin, *made])], tmp_path / "targets" / "people", "en")
    assert tested["reply"] not in {r.text for r in rows_of(tmp_path)}


def test_splits_are_those_that_the_target_was_imported_with(tmp_path: Path) -> None:
    made = [{k: v for k, v in r.items() if k != "split"} for r in records("en", 60)]
    source, splits = corpus(tmp_path / "people.jsonl", made), Splits(0.5, 0.2, seed=3)
    target([source], tmp_path / "targets" / "people", "en", splits=splits)
    train_texts = [r.text for r in read_replies(str(source), {}) if splits.of(r) == "train"]
    assert sorted(r.text for r in rows_of(tmp_path)) == sorted(train_texts)


def test_corpus_and_target_of_different_splits_are_refused(tmp_path: Path) -> None:
    source = corpus(tmp_path / "people.jsonl", [{**r, "split": "validation"} for r in records("en")])
    target([source], tmp_path / "targets" / "people", "en", split="validation")
    with pytest.raises(UserError, match="different splits"):
        rows_of(tmp_path)


def test_a_corpus_that_the_target_was_not_counted_from_is_refused(english: Path, tmp_path: Path) -> None:
    shutil.copytree(english / "targets", tmp_path / "targets")
    corpus(tmp_path / "people_en.jsonl", records("en", 34))
    with pytest.raises(UserError, match="counted from other records"):
        rows_of(tmp_path)


def test_a_target_without_features_is_refused(model: Path, english: Path, tmp_path: Path) -> None:
    chosen = Options(settings=SIZES, corpora=[english / "people_en.jsonl"])
    with pytest.raises(UserError, match="no features of people"):
        train("polyalign", str(model), "", "labor_us_2025", tmp_path / "out", chosen)


def test_one_bucket_is_no_bucket(model: Path, tmp_path: Path) -> None:
    made = [r for r in records("en") if r["track"] == "multi"]
    target([corpus(tmp_path / "people.jsonl", made)], tmp_path / "targets" / "people", "en")
    with pytest.raises(UserError, match="one bucket") as caught:
        trained(model, tmp_path / "out", tmp_path)
    assert "arm=full_sft" in caught.value.hint


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (("weights=bucket",), "make all lengths of reply equally likely"),
        (("arm=full_sft", "profile=drawn"), "knows no buckets"),
        (("arm=dpo", "clip=2"), "knows no buckets"),
    ],
)
def test_settings_that_tilt_or_do_nothing_are_refused(settings: tuple[str, ...], message: str) -> None:
    with pytest.raises(UserError, match=message):
        METHOD.read_recipe(settings=settings).check()


def test_as_published_sets_every_quirk() -> None:
    found = METHOD.read_recipe(settings=("arm=hdpo", "as_published=true"))
    assert (found.profile, found.weights, found.beta, found.lambda_hd) == ("gold", "bucket", 0.1, 0.1)
    plain = METHOD.read_recipe(settings=("arm=full_sft", "as_published=true"))
    assert (plain.profile, plain.weights) == ("none", "context")


def test_histories_lose_their_oldest_turns_and_that_is_counted(capsys: pytest.CaptureFixture[str]) -> None:
    turns = [m for i in range(5) for m in (Message("user", f"q{i} " * 5), Message("assistant", f"a{i} " * 5))]
    system = Message("system", "s")
    long = replace(ROWS[0], prompt=(system, *turns, Message("user", "last")))
    tokenizer = tiny_tokenizer()
    kept, same = fitted([long, ROWS[1]], tokenizer, 100)
    assert same == ROWS[1]
    assert kept.prompt[0] == system
    assert kept.prompt[1:] == long.prompt[-len(kept.prompt) + 1 :]
    assert kept.prompt[1].role == "user"
    size = len(kept.prompt) - 1
    longer = replace(long, prompt=(system, *long.prompt[-size - 2 :]))
    assert fitted([kept], tokenizer, 100) == [kept]
    assert fitted([longer], tokenizer, 100) == [kept]
    assert "max_length: 1 of 2 histories lost their oldest turns" in capsys.readouterr().err
    with pytest.raises(UserError, match="no history is left") as caught:
        fitted([ROWS[1], replace(ROWS[1], text="a longer reply than the other is"), kept], tokenizer, 10)
    assert "3 of 3 replies" in str(caught.value)
    enough = int(caught.value.hint.split("max_length=")[1].split(",")[0])
    assert fitted([kept], tokenizer, enough)


def test_pairs_without_an_end_or_a_difference_are_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    replies = [OwnReply("other", cut=False), OwnReply("other", cut=True), OwnReply(ROWS[2].text, cut=False)]
    (pair,) = preferences(ROWS[:3], replies)
    assert (pair.chosen, pair.rejected) == (ROWS[0].text, "other")
    assert (
        "1 pairs; without one: 1 replies that the token cap ended, 1 like the person's"
        in capsys.readouterr().err
    )
    with pytest.raises(UserError, match="no pair is left"):
        preferences(ROWS[1:3], replies[1:])


def test_a_base_model_gets_a_template_that_ends_its_turns(tmp_path: Path) -> None:
    bare = tiny_tokenizer(template=None)
    bare.save_pretrained(tmp_path / "base")
    found = tokenizer_with_template(tmp_path / "base", "")
    turns = [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Hi"}]
    asked = str(found.apply_chat_template(turns[:1], tokenize=False, add_generation_prompt=True))
    whole = str(found.apply_chat_template(turns, tokenize=False))
    assert whole.startswith(asked + "Hi" + str(bare.eos_token))
    own = tmp_path / "own.jinja"
    own.write_text("{{ messages[0]['content'] }}", encoding="utf-8")
    assert tokenizer_with_template(tmp_path / "base", str(own)).chat_template == own.read_text(
        encoding="utf-8"
    )
    with pytest.raises(UserError, match="no such file"):
        tokenizer_with_template(tmp_path / "base", "gone.jinja")


@pytest.mark.slow
def test_both_languages_are_trained_from_a_base_model_and_taken_up_again(
    english: Path, chinese: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """hdpo, stopped in each of its parts: what was finished is not done again, and the end is the same."""
    base = write_tiny(tmp_path / "base", max_position_embeddings=512)
    tiny_tokenizer(template=None).save_pretrained(base)
    (base / "chat_template.jinja").unlink(missing_ok=True)
    settings = ("arm=hdpo", "epochs=4", "rows=40", "weights=bucket", "profile=drawn")
    whole = trained(base, tmp_path / "whole", english, chinese, settings=settings)
    for part in ("drawn", "hdpo_stage"):
        with monkeypatch.context() as patch:
            patch.setattr(f"baselines.polyalign.trainer.{part}", _stop)
            with pytest.raises(KeyboardInterrupt):
                trained(base, tmp_path / "stopped", english, chinese, settings=settings)
    made = tmp_path / "stopped" / "stages" / "sft" / "final" / "model.safetensors"
    written = made.stat().st_mtime_ns
    again = trained(base, tmp_path / "stopped", english, chinese, settings=settings)
    assert made.stat().st_mtime_ns == written
    one, other = (read_checkpoint(f) for f in (whole, again))
    assert one == other
    assert weights_digest(whole) == weights_digest(again)
    assert one.critic is not None
    assert AutoTokenizer.from_pretrained(again).chat_template == SHIPPED.read_text(encoding="utf-8")


def _stop(*_: object) -> None:
    raise KeyboardInterrupt
