"""Finds the names of persons in a Chinese story, and which sex a name suggests."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from harness.reading import lists

if TYPE_CHECKING:
    from collections.abc import Mapping

_NAMES = lists.load("zh/names")
_PEOPLE = lists.load("zh/people")
_SURNAMES = _NAMES.words("surname")
_FOREIGN = {
    **dict.fromkeys(_NAMES.words("foreign_female"), "f"),
    **dict.fromkeys(_NAMES.words("foreign_male"), "m"),
}
_BOTH = _NAMES.words("neutral")
_SIGNS = {
    **dict.fromkeys(_NAMES.words("female"), 1.0),
    **dict.fromkeys(_NAMES.words("female_leaning"), 0.4),
    **dict.fromkeys(_NAMES.words("male_leaning"), -0.4),
    **dict.fromkeys(_NAMES.words("male"), -1.0),
}
"""Character of a given name -> how much it speaks for a woman (1) or a man (-1)."""
CLEAR = 0.55
"""A name whose characters together say this much suggests a sex."""
_LAST = 1.0
_BEFORE = 0.8
"""Weight of the last character of a given name, and of the one before."""
_COMMON = re.compile("|".join(sorted(_NAMES.words("common"), key=len, reverse=True)))
_PLACE = re.compile(
    r"(?:^|(?<=[,。!?;:、\n\"《*])|(?<=[员师士医匠工手长者警授兵家生人叫和给对是向问让请机]))(?=[\u4e00-\u9fff])"
)
"""Where a name may begin: a clause, or behind a role or a preposition."""
_GIVEN = re.compile(
    r"(?:名叫|叫做|叫作|名为|名字叫|名字是|叫|姓名[:,]?)(?:做|作)?\"?([\u4e00-\u9fff·]{2,8}?)\"?(?=[,。、!?;:的\n是在\"]|$)"
)
_CHARS = "".join(_NAMES.words("foreign"))
_TRANSLITERATED = re.compile(rf"[{_CHARS}]{{2,6}}(?:·[{_CHARS}]{{1,6}})*")
_KNOWN_FOREIGN = re.compile(
    rf"(?:{'|'.join(sorted({*_FOREIGN, *(n for n in _BOTH if n[0] in _CHARS)}, key=len, reverse=True))})(?:·[{_CHARS}]{{1,6}})?"
)
_FAMILIAR = re.compile(r"(?<![\u4e00-\u9fff])[小大]([\u4e00-\u9fff])\Z")
_TITLE = re.compile(rf"(?:{_PEOPLE.source('titles')})\Z")
_FOLLOWS = re.compile(_PEOPLE.source("follows"))
_NO_NAME = re.compile(r"\A[出得进来醒住上过作不]|[我你他她它们的了着是在有和不这那一]|什么|自己|大家|人家")


def suggested(name: str) -> str:
    """m, f or '' for a Chinese or foreign name: what its characters suggest."""
    name = _TITLE.sub("", name)
    first = name.split("·")[0]
    if len(name) < 2 or {name, first, _given(name)} & _BOTH or _familiar(name):
        return ""
    if first in _FOREIGN:
        return _FOREIGN[first]
    if "·" in name or (len(first) > 1 and set(first) <= set(_CHARS) and first[0] not in _SURNAMES):
        return "f" if first[-1] in _NAMES.words("foreign_ends_female") else "m"
    given = _given(name)
    said = sum(
        _SIGNS.get(char, 0.0) * (_LAST if i == len(given) - 1 else _BEFORE) for i, char in enumerate(given)
    )
    return "f" if said >= CLEAR else "m" if said <= -CLEAR else ""


def _familiar(name: str) -> bool:
    """*小王*, *大刘*: a surname and no given name; *小梅* is a name."""
    found = _FAMILIAR.search(name)
    return found is not None and found[1] in _SURNAMES and _SIGNS.get(found[1], 0.0) < 1


def _given(name: str) -> str:
    """A name without its surname, or without the 小 or 阿 before it."""
    if len(name) > 2 and name[:2] in _SURNAMES:
        return name[2:]
    if name[0] in "小阿大" and len(name) == 2:
        return name[1:]
    return name[1:] if len(name) > 1 and name[0] in _SURNAMES else name


def find(plain: str) -> Mapping[str, str]:
    """The names in a story, each with the sex it suggests."""
    found: dict[str, str] = {}
    for match in _GIVEN.finditer(plain):
        name = match[1]
        if not _NO_NAME.search(name) and len(name) <= (4 if "·" not in name else 8):
            found[name] = suggested(name)
    for match in _KNOWN_FOREIGN.finditer(plain):
        found[match.group()] = suggested(match.group())
    for place in _PLACE.finditer(plain):
        name = _at(plain, place.start())
        if name and name not in found:
            found[name] = suggested(name)
    return found


def _at(plain: str, at: int) -> str:
    """The name that begins at a place, '' for none."""
    if _COMMON.match(plain, at):
        return ""
    foreign = _TRANSLITERATED.match(plain, at)
    if foreign and len(foreign.group()) > 1:
        name = foreign.group()
        if "·" in name or (plain.count(name) > 1 and _FOLLOWS.match(plain, foreign.end())):
            return name
    length = 2 if plain[at : at + 2] in _SURNAMES else 1 if plain[at] in _SURNAMES else 0
    if not length:
        return ""
    for size in (length + 2, length + 1):
        name = plain[at : at + size]
        given = name[length:]
        if len(name) < size or not re.fullmatch(r"[\u4e00-\u9fff]+", given) or _NO_NAME.search(given):
            continue
        known = all(char in _SIGNS for char in given)
        follows = _FOLLOWS.match(plain, at + size) is not None
        shorter = plain.count(name[:-1]) if len(given) > 1 else 0
        often = plain.count(name) > 1 and (plain.count(name) == shorter or len(given) == 1)
        cut = len(given) > 1 and shorter > max(1, plain.count(name))
        if (often and (known or follows)) or (known and follows and not cut):
            return name
    return ""
