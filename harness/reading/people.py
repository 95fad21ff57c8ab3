"""First names and gendered nouns: they show a person's gender without a pronoun."""

from __future__ import annotations

import csv
import functools
from importlib import resources

from harness.reading import lists

_LISTS = lists.load("en/people")
MALE_NOUNS = _LISTS.words("male_nouns")
FEMALE_NOUNS = _LISTS.words("female_nouns")
KIN = _LISTS.words("kin")
ROLES = _LISTS.words("roles")
OTHER_ROLES = _LISTS.words("other_roles")
ANYBODY = _LISTS.words("anybody")
TRADES = _LISTS.words("trades")
PLURALS = _LISTS.words("plurals")
ORGANISATIONS = _LISTS.words("organisations")
PLACES_BEGIN = _LISTS.words("places_begin")
PROTAGONIST = _LISTS.words("protagonist")
THINGS = _LISTS.words("things")
MALE_TITLES = _LISTS.words("male_titles")
FEMALE_TITLES = _LISTS.words("female_titles")
NEUTRAL_TITLES = _LISTS.words("neutral_titles")
SURNAMES_FIRST = _LISTS.words("surnames_first")
_SHE_THINGS = _LISTS.words("she_things")
_HE_THINGS = _LISTS.words("he_things")


@functools.cache
def first_names() -> dict[str, str]:
    """First name in lower case -> m, f, or '' for a name of both sexes."""
    folder = resources.files("harness.reading").joinpath("data")
    names: dict[str, str] = {}
    lines = folder.joinpath("first_names.csv").read_text("utf-8").splitlines()
    for row in csv.DictReader(line for line in lines if not line.startswith("#")):
        names[row["name"]] = "f" if float(row["female"]) > float(row["male"]) else "m"
    for line in folder.joinpath("first_names_more.txt").read_text("utf-8").splitlines():
        sex, _, rest = line.partition(": ")
        if sex in ("female", "male"):
            names.update(dict.fromkeys(rest.split(), sex[0]))
    for line in folder.joinpath("names_of_both.txt").read_text("utf-8").splitlines():
        if not line.startswith("#"):
            names.update(dict.fromkeys(line.split(), ""))
    return names


def thing_gender(word: str) -> str:
    """The gender of the pronoun that people use for an animal or a thing, '' where it may be either."""
    return "f" if word in _SHE_THINGS else "m" if word in _HE_THINGS else ""


def noun_gender(word: str) -> str | None:
    """m or f for a gendered noun, '' for a role of either, None for a word that is no person."""
    if word in MALE_NOUNS:
        return "m"
    if word in FEMALE_NOUNS:
        return "f"
    return "" if word in ROLES | OTHER_ROLES | KIN or word.rpartition("-")[2] in ROLES else None
