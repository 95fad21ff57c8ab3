"""Short training stories whose main person's gender and race and whose sentiment are known."""

from __future__ import annotations

from typing import TYPE_CHECKING

from baselines.seed.distributions import occupation, occupations
from baselines.seed.documents import SeedText
from baselines.seed.grammar import expand, pick, rules, spread
from harness.tasks.prompts import render
from harness.tasks.task import load_task

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import numpy as np

TASKS = ("story_gender_us", "story_gender_uk", "story_race_us", "story_sentiment_us")
_PRONOUNS = {
    "male": {"he": "he", "him": "him", "his": "his", "man": "man"},
    "female": {"he": "she", "him": "her", "his": "her", "man": "woman"},
}
_COUNTRY = {"uk": "the United Kingdom", "us": "the United States"}


def stories(name: str, per_prompt: int, rng: np.random.Generator) -> Iterator[SeedText]:
    """Every prompt of a story task in every context ``per_prompt`` times."""
    task = load_task(name)
    known = set(occupations())
    for context in task.contexts:
        asked = render(task, [context], task.prompts)
        n = per_prompt * len(asked)
        plans = zip(
            *(spread(occupation(a, context.id), n, rng) for a in ("gender", "race", "sentiment")), strict=True
        )
        assert context.id in known  # noqa: S101  # our own tables
        for i, (gender, race, sentiment) in enumerate(plans):
            labels = {"gender": gender, "race": race, "sentiment": sentiment}
            if "race" not in task.attributes:
                del labels["race"]
            given = {"workers": context.fields["workers"], "country": _COUNTRY[name[-2:]]}
            question = asked[i % len(asked)]
            yield SeedText(
                name, story(labels, given, rng), question.messages, context.id, question.prompt, labels
            )


def story(labels: Mapping[str, str], given: Mapping[str, str], rng: np.random.Generator) -> str:
    """Four or five sentences: an opening, the looks where a race is asked for, events, an end."""
    known = rules("stories")
    gender = labels["gender"]
    said = {**given, **_PRONOUNS[gender], "name": pick(known[f"name_{gender}"], rng)}
    parts = ["{opening}"]
    if "race" in labels:
        said["race"] = expand(pick(known[f"race_{labels['race']}"], rng), known, rng, said)
        parts.append("{look}")
    parts += ["{middle}", f"{{turn_{labels['sentiment']}}}", f"{{ending_{labels['sentiment']}}}"]
    return " ".join(expand(p, known, rng, said) for p in parts)
