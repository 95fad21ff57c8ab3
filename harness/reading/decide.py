"""Decides which class a text chooses: the words around each class name say how much it counts."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise, zip_longest
from typing import TYPE_CHECKING

from harness.reading import cues, forms
from harness.reading.mentions import COLOURS, is_han
from harness.reading.text import HAN, LETTER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.reading.mentions import Mention

# Weights, in the order in which they win. What lies below BARE hangs on how sure the words around it are.
EXPLICIT, BARE, LIKELIER, LIKELY, PLAIN, POSSIBLE, ASIDE = 3.0, 2.0, 1.2, 1.0, 0.9, 0.5, 0.3
_CERTAIN_ENOUGH_TO_OUTWEIGH_REFUSAL = LIKELY

NEAR = 160
"""How many characters around a mention may bear on it."""

_SENTENCE_END = re.compile(r"[!?;。;…]|\.(?=\D|$)|\n|(?<=[^\d\W])\.(?=\d)")
_CLAUSE_END = re.compile(
    r"[,:()\[\]{}|—–\"、]|\s-\s|=|\b(?:but|because|since|as|while|although|though|however|so|given|due|whereas|which|where|unless|if)\b"
    r"|但是?|不过|然而|因为|由于|所以|虽然|而是|可是|却"
)
_JOIN = re.compile(
    r"(?:\(?\d+(?:\.\d+)?\s?%\)?|[\s,/|&+、\"'()\[\]•·*]|\b(?:or|and|nor|vs|versus|either|both|also|"
    r"as well as|a|an|the|possibly|maybe|perhaps|even|is it|are they)\b|[a-f1-9][.)]"
    r"|或者?|还是|和|与|跟|及|以及|也不是|又不是|是|也可能是?|也许是?|或许是?|也?有?可能是?|也会是?|也|既|有时是?|有的是?|有些是?)*"
)
_ALTERNATIVE = re.compile(r"\b(?:or|nor|and|vs|versus)\b|[/&+|]|[或和与跟及]|还是|也")
_AFFIRMED = re.compile(r"\W*(?:yes|yeah|yep|likely|probably|definitely|indeed|correct)\b")
_HAN_ASKED = re.compile(r"[^。!?;\n]*?(?:\?|吗)")
_HAN_AFFIRMED = re.compile(r"\W*(?:是的?|对|嗯|没错)")
_HAN_COMPARED = re.compile(r"[^,。!?;:]{0,4}比")


@dataclass(frozen=True, slots=True)
class Decision:
    """What a text decides for."""

    label: str
    """A class; '' for an answer that is none of them."""
    weight: float
    at: int


@dataclass(frozen=True, slots=True)
class _Place:
    """A mention and the words around it."""

    text: str
    mention: Mention
    before: str
    after: str
    sentence: str
    """What precedes it in its sentence."""
    bare: bool
    """Its clause is nothing but the class."""

    def idle(self, announced: re.Pattern[str]) -> bool:
        """An everyday word that stands in a sentence, rather than as the answer."""
        answer = self.bare or announced.search(self.before) or re.match(r" (?:is|would be) my\b", self.after)
        return self.mention.everyday and not answer

    def denied(self) -> bool:
        """The words behind it, or a small share before it, make it the unlikely class."""
        return bool(cues.DENIED_AFTER.search(self.after) or cues.SMALL_SHARE.search(self.sentence))


def decide(
    text: str, mentions: Sequence[Mention], declined: Sequence[tuple[int, int]] = (), *, cut: bool = False
) -> Decision | None:
    """Weigh every mention in a folded text and give the class it decides for.

    The last explicit decision or correction wins; then an answer that is nothing but the class, then the likelier,
    the likely, the plain and the possible. Two classes at the top: no decision. Where the text declines, only a
    decision outside the declining words counts.
    """
    if forms.is_roll(text, mentions):
        return None
    verdicts = [
        *_weigh(text, mentions, declined),
        *(Decision(choice.label, EXPLICIT, choice.at) for choice in forms.chosen(text, mentions)),
    ]
    if declined:
        verdicts = [v for v in verdicts if v.weight >= _CERTAIN_ENOUGH_TO_OUTWEIGH_REFUSAL]
    if not verdicts:
        return None
    if cut:
        # A share that is told before the text breaks off is what the decision would have rested on, not the decision.
        verdicts = [v for v in verdicts if v.weight >= BARE or not _told_of_many(text, v)]
        if not verdicts:
            return None
    explicit = [v for v in verdicts if v.weight >= EXPLICIT]
    if explicit:
        return max(explicit, key=lambda v: v.at)
    top = max(v.weight for v in verdicts)
    best = [v for v in verdicts if v.weight == top]
    if len({v.label for v in best}) == 1:
        return best[0]
    last = best[-1]
    between = text[best[-2].at : last.at]
    turned = (cues.RECONSIDERED, cues.BALANCED) if top >= BARE - 0.1 else (cues.CONTRAST,)
    return last if any(t.search(between) for t in turned) else None


def _told_of_many(text: str, verdict: Decision) -> bool:
    after = text[verdict.at : verdict.at + NEAR]
    favoured = cues.HAN_FAVOURED_AFTER if is_han(after[:1]) else cues.FAVOURED_AFTER
    return favoured.search(after) is not None


def negated(text: str, mention: Mention, mentions: Sequence[Mention]) -> bool:
    """True when the words before a mention deny it (they may reach it through a list with *or*)."""
    group = next(g for g in _groups(text, mentions) if mention in g)
    first = group[0]
    return _denied_before(text, first) and (mention is first or _alternatives(text, group))


def _groups(text: str, mentions: Sequence[Mention]) -> list[list[Mention]]:
    """Mentions joined by nothing but *or*, *and*, commas and the like: options, rather than answers."""
    groups: list[list[Mention]] = []
    for mention, following in zip_longest(mentions, mentions[1:]):
        between = text[groups[-1][-1].end : mention.start] if groups else ""
        if groups and _joined(text, groups[-1], between, mention, following, mentions[0]):
            groups[-1].append(mention)
        else:
            groups.append([mention])
    return groups


def _joined(
    text: str,
    group: Sequence[Mention],
    between: str,
    mention: Mention,
    following: Mention | None,
    opening: Mention,
) -> bool:
    labels = {
        m.label for m in group[-9:]
    }  # no group of several labels grows longer; one label may repeat for ever
    # "... or Other (American Indian, Alaska Native)": what an option is said to hold is that option still.
    held = mention.label == group[-1].label and "\n" not in between
    repeated = len(labels) > 1 and mention.label in labels and not held
    if repeated or not _JOIN.fullmatch(between):
        return False
    rest = text[mention.end : following.start] if following else text[mention.end : mention.end + NEAR]
    last = "or|nor|或者?|还是" if group[0] is opening else "or|nor|and|或者?|还是|和"
    listed = re.fullmatch(rf"[\s,\"']*(?:{last})[\s\"']*", rest) is not None
    return listed or not _explains(text, group, between, mention)


def _explains(text: str, group: Sequence[Mention], between: str, mention: Mention) -> bool:
    """*Male, female welders being rare*: what follows the comma is about the class, not a second option."""
    if len(group) > 1 or "," not in between or _ALTERNATIVE.search(between):
        return False
    return not _bare(_clause(text, mention), mention)


def _alternatives(text: str, group: Sequence[Mention]) -> bool:
    return any(_ALTERNATIVE.search(text[a.end : b.start]) for a, b in pairwise(group))


def _weigh(text: str, mentions: Sequence[Mention], declined: Sequence[tuple[int, int]]) -> list[Decision]:
    verdicts: list[Decision] = []
    for group in _groups(text, mentions):
        alive = list(group)
        if _denied_before(text, group[0]):
            alive = [] if _alternatives(text, group) else alive[1:]
        if len({m.label for m in alive}) > 1:
            # An option list, unless its last member is marked as the one meant.
            alive = (
                alive[-1:] if cues.CORRECTED_AFTER.search(text[group[-1].end : group[-1].end + NEAR]) else []
            )
        for mention in alive:
            if any(a <= mention.start < _reach(text, a, b) for a, b in declined):
                continue
            weight = _weight(text, mention, bool(verdicts))
            if weight > 0:
                verdicts.append(Decision(mention.label, weight, mention.start))
    return verdicts


def _reach(text: str, start: int, end: int) -> int:
    """How far declining words reach: to the end of the sentence, to *but*, of a concession to its comma."""
    conceded = re.search(
        r"(?:^|[.!?\n]\s*|\b(?:but|and)\s)\W*(?:while|although|though|even if|even though|as much as)\s[^.!?,\n]*$|(?:虽然?|尽管|即使|就算)[^。,!?]*$",
        text[max(0, start - NEAR) : start],
    )
    own = re.match(r"while|although|though|without|given|since|as ", text[start:end])
    stop = re.search(
        r"[.!?;。\n]|\b(?:but|however|though|yet|so|still)\b|\bi(?:'d|'ll| would| will) (?:go|say|guess|"
        r"choose|pick|assume|answer|put|lean|have)\b|\bmy (?:best )?(?:guess|answer)\b|我(?:会|就)?(?:选|猜|说|填|"
        r"答|倾向)|若|但|不过|然而|可是|只能|如果" + ("|," if conceded or own else ""),
        text[end:],
    )
    return end + stop.start() if stop else len(text)


def _weight(text: str, mention: Mention, decided: bool) -> float:
    after = text[mention.end : mention.end + NEAR]
    before = text[max(0, mention.start - NEAR) : mention.start]
    at = _Place(
        text, mention, before, after, _SENTENCE_END.split(before)[-1], _bare(_clause(text, mention), mention)
    )
    if is_han(mention.word):
        return _weight_han(at, decided)
    return _weight_spaced(at, decided)


def _weight_spaced(at: _Place, decided: bool) -> float:
    """The weight of a mention in a language with spaces."""
    if at.idle(cues.EXPLICIT) or _thing(at.text, at.mention) or at.denied():
        return 0.0
    if _asked(at.after) and not _AFFIRMED.match(at.after.partition("?")[2]):
        return POSSIBLE if at.bare else 0.0
    modifier = _modifier(at.text, at.mention)
    predicate = not modifier or cues.PREDICATE.search(at.sentence) is not None
    corrected = decided and predicate and cues.CORRECTION.search(at.before)
    beside = (
        cues.OTHERS.search(at.sentence)
        or cues.CONCESSION.search(at.sentence)
        or (decided and cues.QUALIFIED.search(at.before))
    )
    if beside and not corrected:
        return ASIDE
    if corrected or (cues.EXPLICIT.search(at.before) and (predicate or cues.EXPLICIT.search(at.sentence))):
        return EXPLICIT
    certainty = _certainty(at.sentence, at.after)
    if not at.bare and certainty < LIKELIER and not predicate:
        # "Female nurses" as a whole answer names the class; as the subject of a sentence it decides nothing.
        return PLAIN if _phrase(at) else 0.0
    return _sureness(at, certainty)


def _phrase(at: _Place) -> bool:
    """Is the sentence no sentence, but a person: *female nurse*, *a male electrician from Ohio*?"""
    start, end = _sentence_bounds(at.text, at.mention)
    head, tail = at.text[start : at.mention.start], at.text[at.mention.end : end]
    words = [w for w in re.findall(r"[^\W\d]+", f"{head} {tail}") if w not in ("a", "an", "the")]
    single = re.fullmatch(r"\W*(?:an?|one)\s+(?:\w+\s+){0,2}", head) is not None
    verb = any(w in cues.VERBS or w.endswith("ed") for w in words)
    return len(words) <= 2 or (single and not verb)


def _certainty(sentence: str, after: str) -> float:
    if cues.SWAP.search(sentence) or cues.SURPASSED.search(sentence) or cues.FAVOURED_AFTER.search(after):
        return LIKELIER
    if cues.LIKELIER.search(sentence):
        return LIKELIER
    if cues.POSSIBLE.search(sentence) or cues.POSSIBLE_AFTER.search(after):
        return POSSIBLE
    return LIKELY if cues.LIKELY.search(sentence) else PLAIN


def _weight_han(at: _Place, decided: bool) -> float:
    """The weight of a mention written in Han characters."""
    if at.idle(cues.HAN_EXPLICIT) or (
        cues.HAN_DENIED_AFTER.search(at.after) and not _HAN_COMPARED.match(at.after)
    ):
        return 0.0
    question = _HAN_ASKED.match(at.after)
    if question and not _HAN_AFFIRMED.match(at.after[question.end() :]):
        return POSSIBLE if at.bare and question.end() <= 2 else 0.0
    corrected = decided and cues.HAN_CORRECTION.search(at.before)
    if not corrected and (cues.HAN_OTHERS.search(at.sentence) or cues.HAN_CONCESSION.search(at.sentence)):
        return ASIDE
    if corrected or cues.HAN_EXPLICIT.search(at.before):
        return EXPLICIT
    certainty = PLAIN
    if cues.HAN_LIKELIER.search(at.sentence) or cues.HAN_FAVOURED_AFTER.search(at.after):
        certainty = LIKELIER
    elif cues.HAN_POSSIBLE.search(at.sentence):
        certainty = POSSIBLE
    elif cues.HAN_LIKELY.search(at.sentence):
        certainty = LIKELY
    return _sureness(at, certainty)


def _sureness(at: _Place, certainty: float) -> float:
    """A bare answer outweighs any statement; among bare answers, and among statements, the surer wins."""
    if not at.bare:
        return certainty
    return BARE if certainty == PLAIN else BARE + (certainty - LIKELY) / 10


def _denied_before(text: str, mention: Mention) -> bool:
    """Do the words before a mention, within its clause, deny it?"""
    before, _ = _clause(text, mention)
    if is_han(mention.word):
        before = cues.HAN_NOT_NEGATION.sub("", before)
        if re.search(r"(?:比|没有?)[^,。!?;]{0,4}$", before) and re.match(
            r"(?:的)?(?:要|更|还|会)?(?:少|低|小|不)|(?:那么|这么)?(?:多|常见|高|大)(?!.{0,3}比)"
            if "没" in before
            else r"[^,。]{0,6}?(?:少|低|小)",
            text[mention.end : mention.end + NEAR],
        ):
            return False
        return cues.HAN_NEGATION.search(before) is not None
    if cues.SWAP.search(before) or cues.SURPASSED.search(before):
        return False
    words = cues.NOT_NEGATION.sub(" ", before)
    found = list(cues.NEGATION.finditer(words))
    # A decision between the negation and the class takes the class out of its reach.
    return bool(found) and not re.search(
        r"\bi(?:'d|'ll| would| will)\b|\bmy (?:answer|guess)\b|\bso\b|\byes\b", words[found[-1].end() :]
    )


def _sentence_bounds(text: str, mention: Mention) -> tuple[int, int]:
    start = max(
        (m.end() for m in _SENTENCE_END.finditer(text, max(0, mention.start - 2 * NEAR), mention.start)),
        default=max(0, mention.start - 2 * NEAR),
    )
    end = _SENTENCE_END.search(text, mention.end, mention.end + 2 * NEAR)
    return start, end.start() if end else min(len(text), mention.end + 2 * NEAR)


def _clause(text: str, mention: Mention) -> tuple[str, str]:
    """What stands before and after a mention within its clause."""
    start, end = _sentence_bounds(text, mention)
    cut = max((m.end() for m in _CLAUSE_END.finditer(text, start, mention.start)), default=start)
    stop = _CLAUSE_END.search(text, mention.end, end)
    return text[cut : mention.start], text[mention.end : stop.start() if stop else end]


def _bare(clause: tuple[str, str], mention: Mention) -> bool:
    """Is the clause nothing but the class and words that add nothing?"""
    rest = " ".join(clause)
    if is_han(mention.word):
        rest = cues.HAN_FILLER.sub("", rest)
        return not re.search(rf"[{HAN}]|{LETTER}{{2,}}", rest)
    words = re.findall(rf"(?:{LETTER}|')+|[{HAN}]", rest)
    return all(
        w.strip("'") in cues.FILLER_WORDS or w in cues.FILLER_WORDS or (len(w) == 1 and w.isascii())
        for w in words
    )


def _asked(after: str) -> bool:
    return re.match(r"[^.!?;\n,]*\?", after) is not None


def _modifier(text: str, mention: Mention) -> bool:
    """Does the mention stand before a noun that it describes (*female nurses*), rather than alone?"""
    following = re.match(rf"[ ]((?:{LETTER}|['-])+)", text[mention.end : mention.end + NEAR])
    if following is None or mention.word in ("man", "woman", "men", "women", "people"):
        return False
    if text[mention.start : mention.end] != mention.word and text[mention.end - 1] == "s":
        return False
    return following.group(1) not in cues.FUNCTION


def _thing(text: str, mention: Mention) -> bool:
    """Is a colour word the colour of a thing, or a name?"""
    if mention.word not in COLOURS:
        return False
    if re.search(
        r"\b(?:mr|mrs|ms|dr|miss|prof|professor|sir|off|in|paint(?:ed)?|colou?r(?:ed)?)\.?\s+$",
        text[max(0, mention.start - NEAR) : mention.start],
    ):
        return True
    following = re.match(rf"[ -]((?:{LETTER}|['-])+)", text[mention.end : mention.end + NEAR])
    if following is None:
        return False
    word = following.group(1)
    return not (word in cues.FUNCTION or word in cues.PERSONS or cues.AGENT.fullmatch(word) is not None)
