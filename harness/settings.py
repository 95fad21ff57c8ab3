"""The settings of an evaluation: draws, seed, split, measure, sampling, engine options. Checked when they are made."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypedDict, get_args

from harness.errors import UserError, nearest
from harness.plaintext import storable
from harness.terms import Measure

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.tasks.task import Task
    from harness.terms import Sampling


MEASURES: tuple[Measure, ...] = get_args(Measure)
MOST = 1_000_000_000
"""Draws per prompt."""
MOST_TOKENS = 100_000
"""Tokens of one draw."""


class Chosen(TypedDict, total=False):
    """The same settings as keywords; a test holds the two equal."""

    n: int
    seed: int
    split: str
    paraphrases: str
    measure: Measure | Literal[""]
    epsilon: float
    max_seconds: float | None
    max_forwards: int | None
    backend: str
    engine: Mapping[str, object]
    sampling: Mapping[str, Any]
    allow_greedy: bool
    out: Path | str
    shard: tuple[int, int] | None
    until: float | None
    system: str
    prompts: Path | None
    continue_from: str
    contexts: Sequence[str]


@dataclass(frozen=True, slots=True)
class Settings:
    """How a model is evaluated. Sampling parameters left out are the task's.

    Raises:
        UserError: a value that cannot be meant.
    """

    n: int = 100
    """Draws per prompt."""
    seed: int = 0
    split: str = "all"
    """Which contexts: all, train, validation or test."""
    paraphrases: str = "test"
    """Which prompts: all, train, validation or test."""
    measure: Measure | Literal[""] = ""
    """draws, exact or choices; '' is the task's."""
    epsilon: float = 1e-3
    """Undecided mass at which the exact measure stops."""
    max_seconds: float | None = None
    """End the exact measure after so long, with the bounds it has."""
    max_forwards: int | None = None
    """End the exact measure after so many forward passes, with the bounds it has."""
    backend: str = "auto"
    engine: Mapping[str, object] = field(default_factory=dict)
    """Options of the engine; ``harness.sampling.engines`` tells which engine takes which."""
    sampling: Mapping[str, Any] = field(default_factory=dict)
    """Sampling parameters that replace the task's."""
    allow_greedy: bool = False
    out: Path = Path("runs")
    shard: tuple[int, int] | None = None
    """Draw only every k-th prompt, beginning with the i-th (1-based)."""
    until: float | None = None
    """Draw in blocks until neither 95% limit of the mean TV is farther than this from the estimate."""

    system: str = ""
    """A system message before every prompt; where a prompt has one, it stands in front of it."""
    prompts: Path | None = None
    """A file of prompts in place of the task's, in the form of a task's ``prompts``."""
    continue_from: str = ""
    """The beginning of every answer: the model goes on from it, and readers read both as one text."""
    contexts: Sequence[str] = ()
    """Only these contexts, by id; a text may name several, with commas. Empty is all of the split."""

    def __post_init__(self) -> None:
        for name, rule in RULES.items():
            _check(rule, getattr(self, name))
        _known("sampling parameter", self.sampling, SAMPLING)
        for name, value in self.sampling.items():
            _check(SAMPLING[name], value)
        object.__setattr__(self, "out", Path(self.out))
        object.__setattr__(self, "prompts", None if self.prompts is None else Path(self.prompts))
        object.__setattr__(self, "contexts", tuple(self.contexts))

    def changed(self, options: Mapping[str, object]) -> Settings:
        """These settings with single ones replaced by name."""
        _known("setting", options, [f.name for f in fields(self)])
        return replace(self, **options)  # type: ignore[arg-type]  # names checked here, values when made

    def effective(self, task: Task) -> Sampling:
        """The sampling parameters that are sent, checked against ``n``."""
        given: dict[str, Any] = {k: tuple(v) if k == "stop" else v for k, v in self.sampling.items()}
        sampling = replace(task.sampling, **given)
        if (
            sampling.temperature == 0
            and self.n > 1
            and not self.allow_greedy
            and self.chosen(task) == "draws"
        ):
            raise UserError(
                "draws at temperature 0 are copies of one another",
                where="--temperature",
                found=f"n = {self.n} at temperature 0",
                expected="temperature above 0, or n = 1",
                hint="-n 1, or --allow-greedy where that is meant",
            )
        return sampling

    def chosen(self, task: Task) -> Measure:
        """The measure that is used."""
        return self.measure or task.measure


class Rule(NamedTuple):
    """What a setting may be."""

    flag: str
    what: str
    fits: Callable[[Any], bool]
    expected: str


def _whole(low: int, high: int) -> Callable[[object], bool]:
    return lambda v: isinstance(v, int) and not isinstance(v, bool) and low <= v <= high


def _real(low: float, high: float, *, closed: bool = True) -> Callable[[object], bool]:
    """A number in ``[low, high]``, or in ``(low, high]`` if not closed; NaN is in neither."""

    def fits(value: object) -> bool:
        if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
            return False
        return low < value <= high or (closed and value == low)

    return fits


def _texts(value: object) -> bool:
    return isinstance(value, list | tuple) and all(_text(v) and v for v in value)


def _text(value: object) -> bool:
    return isinstance(value, str) and storable(value)


def _path(value: object) -> bool:
    return isinstance(value, str | Path) and str(value) != "" and storable(str(value))


def _shard(value: object) -> bool:
    if not isinstance(value, tuple | list):
        return value is None
    return len(value) == 2 and all(map(_whole(1, MOST), value)) and value[0] <= value[1]


def _is(*kinds: type) -> Callable[[object], bool]:
    return lambda v: isinstance(v, kinds)


RULES = {
    "n": Rule("-n", "n is the number of draws per prompt", _whole(1, MOST), f"1 or more, to {MOST:,}"),
    "seed": Rule("--seed", "not a seed", _whole(0, 2**63 - 1), "a whole number from 0 to 2^63 - 1"),
    "split": Rule("--split", "not a split", _is(str), "all, train, validation or test"),
    "paraphrases": Rule(
        "--paraphrases", "not a set of prompts", _is(str), "all, train, validation, test or many"
    ),
    "measure": Rule("--measure", "unknown measure", ("", *MEASURES).__contains__, ", ".join(MEASURES)),
    "epsilon": Rule(
        "--epsilon",
        "epsilon is a probability",
        lambda v: _real(0, 1, closed=False)(v) and v < 1,
        "between 0 and 1",
    ),
    "max_seconds": Rule(
        "--max-seconds",
        "not a number of seconds",
        lambda v: v is None or _real(0, MOST, closed=False)(v),
        f"a number above 0, to {MOST:,}",
    ),
    "max_forwards": Rule(
        "--max-forwards",
        "not a number of forward passes",
        lambda v: v is None or _whole(1, MOST)(v),
        f"1 or more, to {MOST:,}",
    ),
    "backend": Rule("--backend", "not a backend", _is(str), "its name, or auto"),
    "engine": Rule("engine", "not engine options", _is(Mapping), "names and values, as {'dtype': 'float32'}"),
    "sampling": Rule(
        "sampling", "not sampling parameters", _is(Mapping), "names and values, as {'temperature': 0.7}"
    ),
    "allow_greedy": Rule("--allow-greedy", "neither true nor false", _is(bool), "True or False"),
    "out": Rule("--out", "not a folder's name", _path, "a path"),
    "shard": Rule("--shard", "a shard is I/K", _shard, "for example 1/4 to 4/4; in Python (1, 4) to (4, 4)"),
    "until": Rule(
        "--until-halfwidth",
        "not a half-width of the mean TV",
        lambda v: v is None or _real(0, 1, closed=False)(v),
        "a number above 0, to 1",
    ),
    "system": Rule("--system", "not a system message", _text, "a text"),
    "prompts": Rule(
        "--prompts",
        "not a file of prompts",
        lambda v: v is None or _path(v),
        "a path",
    ),
    "continue_from": Rule(
        "--continue-from",
        "not the beginning of an answer",
        lambda v: _text(v) and (v == "" or v.strip() != ""),
        "a text that is not blank",
    ),
    "contexts": Rule("--contexts", "not contexts", _texts, "a list of context ids, as ['nurse', 'roofer']"),
}
SAMPLING = {
    "temperature": Rule("--temperature", "not a temperature", _real(0, 10), "a number from 0 to 10"),
    "top_p": Rule(
        "--top-p", "top_p is a share", _real(0, 1, closed=False), "a number above 0, to 1; 1 is off"
    ),
    "top_k": Rule("--top-k", "top_k is a number of tokens", _whole(0, MOST), "0 or more; 0 is off"),
    "max_tokens": Rule(
        "--max-tokens", "not a number of tokens", _whole(1, MOST_TOKENS), f"1 or more, to {MOST_TOKENS:,}"
    ),
    "stop": Rule("stop", "not stop strings", _texts, "a list of texts, none of them empty"),
}


def _check(rule: Rule, value: object) -> None:
    if not rule.fits(value):
        found = value if isinstance(value, int | float) else repr(value)
        raise UserError(rule.what, where=rule.flag, found=found, expected=rule.expected)


def _known(what: str, given: Mapping[str, object], known: Mapping[str, object] | list[str]) -> None:
    for name in given:
        if name not in known:
            raise UserError(
                f"unknown {what}",
                found=str(name),
                expected=", ".join(known),
                nearest=nearest(str(name), known),
            )
