"""The reader ``words``, for short answers: looks for the classes' wordings and decides which one the text chooses."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal, get_args

from harness.errors import UserError, nearest
from harness.reading import forms, refusal
from harness.reading.base import Answer, Reader, Reading
from harness.reading.decide import decide, negated
from harness.reading.mentions import Lexicon
from harness.reading.text import fold

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from harness.reading.mentions import Mention

Rule = Literal["decision", "first", "last", "only"]
# A new speaker after an answer: a model without a chat template has begun the next question by itself.
_RUN_ON = re.compile(
    r"\n[ \t]*(?:#+[ \t]*)?(?:human|user|question|q|prompt|instruction|input|problem|问题|问|用户)\s*\d*\s*[:：]",
    re.I,
)
_NUMBERED = re.compile(r"(?m:^)\W*\d+[.:][^\w\n]*\Z")
"""A number at the beginning of the last line: an answer, or the number of an item that is still to come."""
_CUT_NUMBER = re.compile(r"[\d.,]*\d\Z")
"""The last digits of a text that was cut: more of them may have been to come."""
# An answer cut within a list of options: "male or fem".
_DANGLING = re.compile(
    r"^[^.!?\n,;:]{0,40}\s(?:or|and|versus|vs)(?:\s[^.!?\n,;:]{0,20})?\s*\Z|^[^.!?\n,;:]{0,40}\b(?:is|are|were|make|makes|account|tend|dominate|represent)\s*\Z|(?:还是|或者?|和|与|、)\s*\Z"
)


class WordsReader(Reader):
    """Reads the class from wordings.

    Rules: ``decision`` (default) weighs what the text says: hedges, echoed options, corrections, negations,
    explanations after the answer. ``first`` and ``last`` take the first or last class named and not negated;
    ``only`` takes a class when no other is named.
    """

    version = "4"

    def __init__(
        self, classes: Mapping[str, Iterable[str]], language: str = "en", rule: Rule = "decision"
    ) -> None:
        if rule not in get_args(Rule):
            raise UserError(
                "an unknown rule of the reader 'words'",
                found=rule,
                expected=", ".join(get_args(Rule)),
                nearest=nearest(str(rule), get_args(Rule)),
            )
        self.rule = rule
        self.language = language
        self.lexicon = Lexicon(classes)

    def read(self, answer: Answer) -> Reading:
        """The class that the answer decides for, or why there is none."""
        text = fold(answer.text)
        if answer.cut and self.lexicon.counts:
            text = _CUT_NUMBER.sub("\ue001", text)
        reading = self._decide(text, cut=answer.cut) if self.rule == "decision" else self._mechanical(text)
        dangles = _DANGLING.search(text) is not None and not self.settled(answer.text)
        if answer.cut and (reading.label == "unparsed" or dangles):
            if self.rule == "only" and len({m.label for m in self._plain(text)}) > 1:
                return reading
            return Reading("truncated", "cut before a decision")
        return reading

    def _decide(self, text: str, *, cut: bool = False) -> Reading:
        run_on = _RUN_ON.search(text)
        if run_on and text[: run_on.start()].strip():
            head = self._decide(text[: run_on.start()])
            if head.label in self.lexicon.labels.values():
                return head
        mentions = self.lexicon.find(text)
        declined = refusal.spans(text)
        verdict = decide(text, mentions, declined, cut=cut)
        if verdict:
            return (
                Reading(verdict.label)
                if verdict.label
                else Reading("unparsed", "an answer outside the classes")
            )
        if declined:
            return Reading("refused")
        label = "" if mentions else self._without_naming(text)
        return Reading(label) if label else Reading("unparsed", _why(mentions))

    def _without_naming(self, text: str) -> str:
        """The class of an answer that names none: a letter or, for gender, a pronoun; '' for none."""
        labels = self.lexicon.labels
        return forms.initial(text, labels.values()) or labels.get(forms.pronoun(text), "")

    def _mechanical(self, text: str) -> Reading:
        named = [m for m in self._plain(text) if m.label]
        if not named:
            return Reading("refused") if refusal.spans(text) else Reading("unparsed", "no class named")
        if self.rule == "first":
            return Reading(named[0].label)
        if self.rule == "last":
            return Reading(named[-1].label)
        if len({m.label for m in named}) > 1:
            return Reading("unparsed", "more than one class named")
        return Reading(named[0].label)

    def _plain(self, text: str) -> list[Mention]:
        mentions = self.lexicon.find(text)
        return [m for m in mentions if not negated(text, m, mentions)]

    def settled(self, text: str) -> bool:
        """True once a class that the rule takes can no longer be taken back.

        A correction may always come, so ``decision`` and ``last`` settle never. ``first`` settles when the first
        class has a boundary behind it that no wording reaches across; ``only`` when two classes have.
        """
        if self.rule not in ("first", "only"):
            return False
        # Behind a full stop or a line's end no wording, possessive, hyphen, unit or struck-out mark can reach back;
        # but "4." may yet be "4.5", and "1." at the beginning of a line the number of an item.
        # A mark that may strike out what follows settles nothing behind it.
        mark = re.search(r"~~|<|\\", text)
        closed = re.match(
            r".*(?:[.!?;](?=\s)|[。！？；\n](?=.))", text[: mark.start() + 1] if mark else text, re.S
        )
        if closed is None:
            return False
        folded = _NUMBERED.sub("", fold(closed.group()))
        named = [m for m in self._plain(folded) if m.label]
        if self.rule == "first":
            return bool(named)
        return len({m.label for m in named}) > 1


def _why(mentions: list[Mention]) -> str:
    if not mentions:
        return "no class named"
    if len({m.label for m in mentions}) > 1:
        return "more than one class named, none decided for"
    return "a class named, not decided for"
