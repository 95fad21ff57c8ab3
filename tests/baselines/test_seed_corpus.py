"""The tiny models' corpus holds the distributions that it states, and the readers see in it what was planned."""

from __future__ import annotations

import re
from collections import Counter
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy.stats import chi2

from baselines.seed import corpus, distributions, held_out_path, questions, replies, stories
from baselines.seed.grammar import expand, lexicon, spread
from harness.reading import make_reader
from harness.reading.base import Answer
from harness.tasks.target import load_target
from harness.tasks.task import load_task

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from baselines.seed.documents import SeedText

LEXICONS = ["stories", "professions", "questions", "plain_en", "plain_zh", "replies_en", "replies_zh"]
ASPECTS = ("place", "tool", "task", "wear", "school")
GENDERED = {
    "he",
    "him",
    "his",
    "himself",
    "she",
    "her",
    "hers",
    "herself",
    "man",
    "woman",
    "men",
    "women",
    "mr",
    "mrs",
}


@cache
def whole() -> list[SeedText]:
    return corpus.causal(0)


def rng(seed: int = 11) -> np.random.Generator:
    return np.random.default_rng(seed)


def chi_square(
    documents: Iterable[SeedText], attribute: str, stated: Mapping[str, Mapping[str, float]]
) -> float:
    """P-value of all contexts' counts together; quotas keep counts closer to the shares than chance would."""
    counts: dict[str, Counter[str]] = {}
    for document in documents:
        counts.setdefault(document.context, Counter())[document.labels[attribute]] += 1
    statistic, freedom = 0.0, 0
    for context, found in counts.items():
        n = sum(found.values())
        for label, share in stated[context].items():
            statistic += (found[label] - n * share) ** 2 / (n * share)
        freedom += len(stated[context]) - 1
    return float(chi2.sf(statistic, freedom))


@pytest.mark.parametrize(("name", "attribute"), [(n, n.split("_")[0]) for n in questions.NARROW])
def test_short_answers_come_in_the_stated_shares(name: str, attribute: str) -> None:
    made = list(questions.answers(name, 40, rng()))
    stated = {d.context: distributions.occupation(attribute, d.context) for d in made}
    assert chi_square(made, attribute, stated) > 0.01


@pytest.mark.parametrize("name", stories.TASKS)
def test_stories_come_in_the_stated_shares_and_read_as_planned(name: str) -> None:
    made = list(stories.stories(name, 4, rng()))
    task = load_task(name)
    for attribute in made[0].labels:
        stated = {d.context: distributions.occupation(attribute, d.context) for d in made}
        assert chi_square(made, attribute, stated) > 0.01
    assert agreement(name, made) > 0.98
    assert {d.context for d in made} == {c.id for c in task.contexts}


@pytest.mark.parametrize("language", ["en", "zh"])
def test_replies_come_in_the_stated_shapes_and_read_as_planned(language: str) -> None:
    made = list(replies.replies(f"reply_shape_{language}", 6, rng()))
    for feature in ("length", "act", "sentiment", "list"):
        stated = {c: shares[feature] for c, shares in distributions.replies(language).items()}
        assert chi_square(made, feature, stated) > 0.01
    assert agreement(f"reply_shape_{language}", made) > 0.97


def agreement(name: str, made: list[SeedText]) -> float:
    task = load_task(name)
    agreed = []
    for attribute in task.attributes.values():
        reader = make_reader(attribute.reader, attribute.classes, task.language)
        agreed += [reader.read(Answer(d.text)).label == d.labels[attribute.name] for d in made]
    return float(np.mean(agreed))


@pytest.mark.parametrize("name", [*questions.NARROW, "race_us_wide"])
def test_short_answers_read_as_planned(name: str) -> None:
    made = [*questions.answers(name, 1, rng()), *questions.brief(name, 2, rng())]
    assert agreement(name, made) == 1.0


def test_every_prompt_of_every_task_is_answered_in_every_context() -> None:
    asked = {(d.kind, d.context, d.prompt) for d in whole()}
    for name in (*questions.NARROW, *questions.WIDE, *stories.TASKS, "reply_shape_en", "reply_shape_zh"):
        task = load_task(name)
        for context in task.contexts:
            for prompt in task.prompts:
                if prompt.contexts is None or context.id in prompt.contexts:
                    assert (name, context.id, prompt.id) in asked


def test_the_stated_shares_are_shares_and_wrong() -> None:
    for name in ("gender_us", "gender_uk", "race_us", "gender_us_wide", "gender_uk_wide"):
        task = load_task(name)
        attribute = next(iter(task.attributes.values()))
        contexts = [c.id for c in task.contexts]
        stated = np.array([list(distributions.occupation(attribute.name, c).values()) for c in contexts])
        assert np.allclose(stated.sum(1), 1, atol=2e-4)
        assert (stated > 0).all()
        target = load_target(str(attribute.targets["labor"])).matrix(task, attribute, contexts)
        assert np.abs(stated - target).sum(1).mean() / 2 > 0.1


@pytest.mark.slow
def test_a_seed_decides_the_whole_corpus() -> None:
    assert corpus.causal(0) == whole()
    assert corpus.causal(1)[:100] != whole()[:100]


def test_words_before_a_profession_come_in_its_shares() -> None:
    words = load_task(distributions.PROFESSION_TASK).attributes["gender"].classes
    male: Counter[str] = Counter()
    for context, who, text in corpus.professions(40, rng()):
        assert who in text
        male[context] += who in words["male"]
    for context, n in male.items():
        # A quota is rounded up or down.
        assert abs(n - 40 * distributions.profession(context)["male"]) < 1.01


def test_what_professions_are_tells_no_gender() -> None:
    words = load_task(distributions.PROFESSION_TASK).attributes["gender"].classes
    forbidden = GENDERED | {w.rpartition(" ")[2] for found in words.values() for w in found}
    known, names = lexicon("professions"), corpus.professions_named()
    work, jobs = known["work"], known["jobs"]
    assert isinstance(work, dict)
    assert isinstance(jobs, dict)
    assert set(jobs) == set(names.values())
    assert {line for lines in jobs.values() for line in lines} == set(work)
    assert all(set(line) == set(ASPECTS) for line in work.values())
    for context, said, text in corpus.facts(30, rng()):
        job = names[context]
        assert said in text
        assert job in text
        told = set(re.findall(r"[a-z]+", text.replace(job, "")))
        assert not told & forbidden, text
        assert not re.search(r"\d", text)
        assert any(said in options for line in jobs[job] for options in work[line].values())


def test_pronouns_agree_and_no_profession_is_near() -> None:
    words = load_task(distributions.PROFESSION_TASK).attributes["gender"].classes
    names = "|".join(map(re.escape, corpus.professions_named().values()))
    made = list(corpus.agreement(400, rng()))
    for who, text in made:
        mine, other = ({"he", "his", "himself"}, {"she", "her", "herself"})[
            :: 1 if who in words["male"] else -1
        ]
        told = set(re.findall(r"[a-z]+", text.replace(who, "", 1)))
        assert told & mine
        assert not told & other
        assert not re.search(rf"\b({names})\b", text)
    assert sum(who in words["male"] for who, _ in made) == 200
    assert {who for who, _ in made} == {w for found in words.values() for w in found}


def test_the_held_out_text_is_the_grammars_and_not_the_corpus() -> None:
    trained = {d.text for d in whole() if d.kind == "plain"}
    for language in ("en", "zh"):
        text = held_out_path(language).read_text(encoding="utf-8")
        assert text == corpus.held_out(language)
        lines = text.splitlines()
        assert len(set(lines) & trained) / len(lines) < 0.05


@pytest.mark.parametrize("name", LEXICONS)
def test_every_symbol_of_a_grammar_has_a_rule(name: str) -> None:
    given = {
        "workers",
        "country",
        "name",
        "he",
        "him",
        "his",
        "himself",
        "man",
        "race",
        "who",
        "job",
        *ASPECTS,
    }
    top = lexicon(name)
    shared = given | {k for k, v in top.items() if isinstance(v, list)}
    for value in top.values():
        known = shared | (set(value) if isinstance(value, dict) else set())
        for symbol in re.findall(r"\{(?:[aA] )?(\w+)\}", str(value)):
            assert symbol in known or symbol[:1].lower() + symbol[1:] in known, symbol


def test_expand_fits_articles_and_capitals() -> None:
    rules = {"thing": ["apple"], "word": ["{thing}"]}
    assert expand("{A thing} and {a word}: {Thing}", rules, rng()) == "An apple and an apple: Apple"
    assert expand("{a thing}", rules, rng(), {"thing": "pear"}) == "a pear"


@pytest.mark.parametrize("n", [1, 7, 40])
def test_spread_rounds_each_quota_up_or_down_without_bias(n: int) -> None:
    shares = {"a": 0.07, "b": 0.63, "c": 0.3}
    total: Counter[str] = Counter()
    for seed in range(400):
        found = Counter(spread(shares, n, rng(seed)))
        assert all(np.floor(n * p) <= found[k] <= np.ceil(n * p) for k, p in shares.items())
        total += found
    for label, share in shares.items():
        assert abs(total[label] / (400 * n) - share) < 4 * 0.5 / np.sqrt(400) / n
