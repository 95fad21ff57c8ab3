from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from transformers import AutoModelForCausalLM, AutoTokenizer

from baselines.chat_templates import own_template, wrap
from baselines.driver import Options, train
from baselines.prompting.verbalised import stated_shares
from baselines.prompting.wordings import WORDINGS
from harness.errors import UserError
from harness.sampling.hf.source import weights_digest
from harness.tasks.prompts import render
from harness.tasks.target import resolve
from harness.tasks.task import load_task
from tests.baselines.tiny import CHATML, tiny_tokenizer

if TYPE_CHECKING:
    from pathlib import Path


def shown(template: str, *turns: tuple[str, str], begun: bool = True) -> str:
    tokenizer = tiny_tokenizer(template)
    messages = [{"role": role, "content": content} for role, content in turns]
    return str(tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=begun))


def test_a_wrapped_template_changes_the_last_user_turn_alone() -> None:
    odd = 'a "quote", a \\ stroke, {{ braces }}, 百分之, \U0001f600\n'
    turns = (("system", "Be brief."), ("user", "First?"), ("assistant", "One."), ("user", "Second?"))
    before = shown(CHATML, *turns[:3], ("user", f"{odd}Second?{odd}"))
    assert shown(wrap(CHATML, odd, odd), *turns) == before


def test_a_wrapped_template_shows_a_question_the_same_with_its_answer() -> None:
    template = wrap(CHATML, "<Q>", "<A>")
    prompt = shown(template, ("user", "Second?"))
    assert shown(template, ("user", "Second?"), ("assistant", "0Tea"), begun=False).startswith(prompt)
    assert "<Q>Second?<A>" in prompt


def test_the_model_s_template_keeps_its_leading_blanks() -> None:
    template = "\n\n  " + CHATML
    assert shown(wrap(template), ("user", "Who?")) == shown(template, ("user", "Who?"))


def test_the_first_phrase_that_fits_gives_the_statement() -> None:
    template = wrap(CHATML, statements=[("sales or office", " A"), ("sales", " B"), ("", " C")])
    assert "in sales? B<" in shown(template, ("user", "in sales?"))
    assert "in sales or office? A<" in shown(template, ("user", "in sales or office?"))
    assert "in a mine? C<" in shown(template, ("user", "in a mine?"))


def test_a_tokenizer_without_a_template_cannot_be_wrapped() -> None:
    with pytest.raises(UserError, match="no chat template"):
        own_template(tiny_tokenizer(None), "here")


@pytest.mark.parametrize("arm", sorted(WORDINGS["en"]))
def test_an_arm_is_a_checkpoint_with_its_base_s_weights(
    model: Path, tea: Path, tmp_path: Path, arm: str
) -> None:
    out = train("prompting", str(model), str(tea), "survey", tmp_path, Options(settings=(f"arm={arm}",)))
    assert weights_digest(out) == weights_digest(model)
    AutoModelForCausalLM.from_pretrained(out)
    tokenizer = AutoTokenizer.from_pretrained(out)
    contract = json.loads((out / "distalign.json").read_text())["contract"]
    assert contract == {
        "method": "prompting",
        "attribute": "drink",
        "task": "tea",
        "target": "survey",
        "base": weights_digest(model),
        "arm": arm,
        "sampled": arm != "verbalised",
    }
    text = tokenizer.apply_chat_template([{"role": "user", "content": "In Bath?"}], tokenize=False)
    assert "In Bath?" in text
    assert ("35.0%" in text) == (arm == "target")
    assert (text == shown(CHATML, ("user", "In Bath?"), begun=False)) == (arm == "zero_shot")
    assert AutoTokenizer.from_pretrained(model).chat_template == CHATML


def test_every_question_of_a_shipped_task_gets_its_own_context_s_figures(model: Path, tmp_path: Path) -> None:
    out = train("prompting", str(model), "gender_us", "labor", tmp_path, Options(settings=("arm=target",)))
    tokenizer = AutoTokenizer.from_pretrained(out)
    task = load_task("gender_us")
    attribute = task.attributes["gender"]
    contexts = [c.id for c in task.contexts]
    shares = resolve(task, attribute, "labor").matrix(task, attribute, contexts)
    by_context = dict(zip(contexts, shares, strict=True))
    for question in render(task, task.contexts, task.prompts):
        messages = [{"role": m.role, "content": m.content} for m in question.messages]
        text = tokenizer.apply_chat_template(messages, tokenize=False)
        male, female = by_context[question.context]
        assert f"male {100 * male:.1f}%, female {100 * female:.1f}%." in text


def test_questions_that_hide_their_context_are_refused(model: Path, tea: Path, tmp_path: Path) -> None:
    folder = tmp_path / "task"
    folder.mkdir()
    for path in tea.parent.rglob("*"):
        if path.is_file():
            place = folder / path.relative_to(tea.parent)
            place.parent.mkdir(exist_ok=True)
            text = path.read_text().replace("A drink of {{ context.place }}, please.", "A drink, please.")
            place.write_text(text)
    options = Options(settings=("arm=target",))
    with pytest.raises(UserError, match="does not show which context"):
        train("prompting", str(model), str(folder / "task.yaml"), "survey", tmp_path / "out", options)


WORDS = {"male": ("male", "man"), "female": ("female", "woman")}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("male: 30%\nfemale: 70%", 0.3),
        ("Male 30 %, Female 70 %", 0.3),
        ("- **male**: 29.5%\n- **female**: 70.5%", 0.295),
        ("男 40%，女 60%", None),
        ("male: 30%", None),
        ("male: 80%, female: 70%", None),
        ("30% male and 70% female", None),
        ("First male: 50%, female: 50%. Better: male: 10%, female: 90%", 0.1),
        ("", None),
    ],
)
def test_stated_percentages_are_read(text: str, expected: float | None) -> None:
    found = stated_shares(text, WORDS)
    assert (found["male"] if found else None) == (pytest.approx(expected) if expected else None)


def test_stated_percentages_in_chinese() -> None:
    found = stated_shares("男：40％\n女：60％", {"male": ("male", "男"), "female": ("female", "女")})
    assert found is not None
    assert found["male"] == pytest.approx(0.4)
