"""From the text of a draw to an outcome: steering token, reasoning, reader, and what happens to a cut text."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import UserError, nearest
from harness.reading import thinking
from harness.reading.base import Answer, Reader, Reading
from harness.terms import FITTED, gap

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from harness.contract import Contract

    Classes = Mapping[str, Iterable[str]]
    Build = Callable[[Classes, str, Mapping[str, object]], Reader]

_BLANKS = re.compile(r"(\s{40})\s+")

# Each reader's module is imported when a task names it: some of them are heavy.


def _words(classes: Classes, language: str, options: Mapping[str, object]) -> Reader:
    from harness.reading.words import WordsReader

    return WordsReader(classes, language, **_only(options, "words", rule=str))


def _style(classes: Classes, language: str, options: Mapping[str, object]) -> Reader:
    from harness.reading.style import StyleReader

    _needs(options, "style", "feature")
    return StyleReader(classes, language, **_only(options, "style", feature=str))


def _sentiment(classes: Classes, language: str, options: Mapping[str, object]) -> Reader:
    from harness.reading.sentiment import SentimentReader

    return SentimentReader(classes, language, **_only(options, "sentiment", scope=str))


def _story_gender(classes: Classes, language: str, options: Mapping[str, object]) -> Reader:
    from harness.reading.story import StoryGenderReader

    _only(options, "story_gender")
    return StoryGenderReader(classes, language)


def _story_race(classes: Classes, language: str, options: Mapping[str, object]) -> Reader:
    from harness.reading.race import StoryRaceReader

    return StoryRaceReader(classes, **_only(options, "story_race", names=bool))


def _classifier(classes: Classes, language: str, options: Mapping[str, object]) -> Reader:
    from harness.reading.classifier import ClassifierReader

    _needs(options, "classifier", "path")
    if str(options["path"]).endswith(FITTED):
        from harness.reading.ngrams import NgramReader

        return NgramReader(classes, Path(_only(options, "classifier", path=str)["path"]))
    return ClassifierReader(classes, **_only(options, "classifier", path=str, labels=dict))


def _judge(classes: Classes, language: str, options: Mapping[str, object]) -> Reader:
    from harness.reading.judge import JudgeReader

    _needs(options, "judge", "model")
    given = _only(options, "judge", model=str, question=str, cache=str)
    return JudgeReader(classes, language, given.pop("model"), **given)


READERS: dict[str, Build] = {
    "words": _words,
    "style": _style,
    "sentiment": _sentiment,
    "story_gender": _story_gender,
    "story_race": _story_race,
    "classifier": _classifier,
    "judge": _judge,
}


def _only(options: Mapping[str, object], name: str, **known: type | tuple[type, ...]) -> dict[str, Any]:
    """The options of a reader, each known and of its type."""
    for key, value in options.items():
        if key not in known:
            raise UserError(
                f"an unknown option of the reader {name!r}",
                where="reader",
                found=key,
                expected=", ".join(sorted(known)) or "no options",
                nearest=nearest(key, known),
            )
        kind = known[key]
        if not isinstance(value, kind):
            kinds = kind if isinstance(kind, tuple) else (kind,)
            raise UserError(
                f"the option {key!r} of the reader {name!r} has the wrong type",
                where="reader",
                found=value,
                expected=" or ".join(k.__name__ for k in kinds),
            )
    return dict(options)


def _needs(options: Mapping[str, object], name: str, key: str) -> None:
    if key not in options:
        raise UserError(
            f"the reader {name!r} needs {key!r}", where="reader", expected=f"{{name: {name}, {key}: …}}"
        )


def make_reader(spec: str | Mapping[str, object], classes: Classes, language: str) -> Reader:
    """The reader that a task's ``reader`` key names: a name, or a mapping with ``name`` and its options."""
    options = {"name": spec} if isinstance(spec, str) else dict(spec)
    name = options.pop("name", "words")
    if not isinstance(name, str) or name not in READERS:
        raise UserError(
            "an unknown reader",
            where="reader",
            found=name,
            expected=", ".join(READERS),
            nearest=nearest(str(name), READERS),
        )
    return READERS[name](classes, language, options)


def read_draw(text: str, finish: str, reader: Reader, contract: Contract) -> Reading:
    """The outcome of one draw."""
    return read_draws([(text, finish)], reader, contract)[0]


def read_draws(
    draws: Sequence[tuple[str, str]],
    reader: Reader,
    contract: Contract,
    *,
    thinks: bool = False,
    begun: str = "",
) -> list[Reading]:
    """The outcomes of many (text, finish) draws; readers that work in batches get them together.

    ``thinks`` says that the prompt ends inside reasoning (``thinking.opens``); ``begun`` is the beginning of every
    answer, from which the model went on.
    """
    blank: set[int] = set()
    readings: dict[int, Reading] = {}
    answers: dict[int, Answer] = {}
    for i, (text, finish) in enumerate(draws):
        if finish == "failed":
            readings[i] = Reading("failed", "the engine gave no output")
            continue
        parts = _split(text, contract, thinks=thinks)
        if parts.open:
            readings[i] = Reading("truncated", "reasoning never closes")
        else:
            answers[i] = Answer(_joined(begun, parts.answer), cut=finish == "length")
            if not parts.answer.strip():
                blank.add(i)
    for i, reading in zip(answers, reader.read_all(list(answers.values())), strict=True):
        cut = answers[i].cut and reading.label == "unparsed" and i in blank
        readings[i] = Reading("truncated", "cut before a decision") if cut else reading
    return [readings[i] for i in range(len(draws))]


def settled_draw(
    text: str, readers: Iterable[Reader], contract: Contract, *, thinks: bool = False, begun: str = ""
) -> bool:
    """True when no continuation can change what any reader makes of a draw.

    ``thinks`` says that the prompt ends inside reasoning (``thinking.opens``): then nothing is settled before it
    closes. ``begun`` is the beginning of every answer.
    """
    parts = _split(text, contract, thinks=thinks)
    if parts.open or _may_be_token(text, contract):
        return False
    answer = _joined(begun, parts.answer)
    return all(reader.settled(answer) for reader in readers)


def _joined(begun: str, answer: str) -> str:
    """An answer with its beginning: some tokenizers lose the blank before a text's first word.

    No reading depends on how long a run of blanks is, and patterns would look at each of them from each of them.
    """
    return _BLANKS.sub(r"\1", begun + gap(begun, answer) + answer)


def _tokens(contract: Contract) -> list[str]:
    return sorted((t for t in contract.strip_leading if t), key=len, reverse=True)


def _split(text: str, contract: Contract, *, thinks: bool) -> thinking.Split:
    """Answer and reasoning of a draw, without the one steering token at its very beginning."""
    bare = next((text[len(t) :] for t in _tokens(contract) if text.startswith(t)), text)
    return thinking.split("<think>" + bare if thinks else bare)


def _may_be_token(text: str, contract: Contract) -> bool:
    return any(t.startswith(text) for t in _tokens(contract))
