"""The engine ``known``: draws labels from a stated distribution, to test the scores.

``known:target``, ``known:uniform`` or ``known:FILE.yaml`` (context -> outcome -> share; ``*`` = every other
context), each with ``,shift=S`` (moved from there by a TV of S) and ``,unparsed=S`` or another invalid outcome.
Its output is the name of a class. So it tests counting and scoring, but not the reader.
"""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from harness.contract import Contract
from harness.errors import UserError, nearest
from harness.files import digest, load_yaml
from harness.sampling.base import NO_LIMIT, Limit, ModelCard, Shares
from harness.terms import BETWEEN, INVALID, Draw

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from harness.sampling.base import Settled
    from harness.tasks.target import Target
    from harness.tasks.task import Attribute, Task
    from harness.terms import Request, Sampling

CONTRACT = Contract(labels=True)
"""Tells the reader that a draw's text is its label: the class, or a JSON object of attribute -> class."""


@dataclass(frozen=True, slots=True)
class KnownSpec:
    """``known:SOURCE,key=value``, parsed."""

    source: str
    shift: float
    invalid: Mapping[str, float]

    @classmethod
    def parse(cls, text: str) -> KnownSpec:
        """Parse what stands after ``known:``."""
        source, *options = text.split(",")
        values: dict[str, float] = {}
        for option in options:
            key, _, value = option.partition("=")
            if key not in ("shift", *INVALID):
                raise UserError(
                    "unknown option of a known: model",
                    where=f"known:{text}",
                    found=key,
                    expected="shift or one of " + ", ".join(INVALID),
                    nearest=nearest(key, ["shift", *INVALID]),
                )
            try:
                values[key] = float(value)
            except ValueError:
                values[key] = -1.0
            if not 0 <= values[key] <= 1:
                raise UserError(
                    f"{key} of a known: model is a share",
                    where=f"known:{text}",
                    found=value,
                    expected="a number from 0 to 1",
                )
        shift = values.pop("shift", 0.0)
        if sum(values.values()) > 1:
            raise UserError(
                "invalid shares that exceed 1",
                where=f"known:{text}",
                found=sum(values.values()),
                expected="1 or less",
            )
        if not source:
            raise UserError(
                "a known: model needs a source",
                where=f"known:{text}",
                expected="known:target, known:uniform or known:FILE.yaml",
            )
        return cls(source, shift, values)


def shifted(shares: NDArray[np.float64], tv: float) -> NDArray[np.float64]:
    """``shares`` moved by a total variation of exactly ``tv``: the larger half of the classes gives, the rest receive."""
    order = np.argsort(-shares, kind="stable")
    donors, takers = order[: (len(shares) + 1) // 2], order[(len(shares) + 1) // 2 :]
    held = shares[donors].sum()
    if tv > held:
        raise UserError("a shift that the target cannot make", found=tv, expected=f"at most {held:.3f} here")
    out = shares.copy()
    out[donors] -= tv * shares[donors] / held
    out[takers] += tv / len(takers)
    return out


class KnownEngine:
    """Draws from a distribution that is known exactly."""

    max_chunk = 2**31 - 1

    def __init__(self, spec: str, task: Task, targets: Mapping[str, Target]) -> None:
        self.spec = KnownSpec.parse(spec)
        self.task = task
        self.tables = {a.name: self._shares(a, targets.get(a.name)) for a in task.attributes.values()}
        named = {k: t.name for k, t in targets.items()} if self.spec.source == "target" else {}
        self.name = f"known:{spec}" + (f"@{'+'.join(sorted(set(named.values())))}" if named else "")

    def _shares(self, attribute: Attribute, target: Target | None) -> dict[str, NDArray[np.float64]]:
        classes = list(attribute.classes)
        contexts = [c.id for c in self.task.contexts]
        source = self.spec.source
        if source == "uniform":
            rows = np.full((len(contexts), len(classes)), 1 / len(classes))
        elif source == "target":
            if target is None:
                raise UserError("known:target needs a target", expected="--target NAME", found=attribute.name)
            table = target.tables.get(attribute.name)
            contexts = [c for c in contexts if table is None or table.key(c)]
            rows = target.matrix(self.task, attribute, contexts)
        else:
            return {c: self._from_file(attribute, c) for c in contexts}
        invalid = np.array([self.spec.invalid.get(o, 0.0) for o in INVALID])
        return {
            c: np.concatenate([shifted(row, self.spec.shift) * (1 - invalid.sum()), invalid])
            for c, row in zip(contexts, rows, strict=True)
        }

    def _from_file(self, attribute: Attribute, context: str) -> NDArray[np.float64]:
        path = Path(self.spec.source)
        if not path.exists():
            raise UserError(
                "no such file",
                where=f"known:{self.spec.source}",
                expected="known:target, known:uniform or known:FILE.yaml",
                hint=f"known:target and --target {self.spec.source}, if that is a target",
            )
        doc = load_yaml(path)
        data = doc.data
        if isinstance(data, dict) and attribute.name in data and len(self.task.attributes) > 1:
            data = data[attribute.name]
        row = data.get(context, data.get("*")) if isinstance(data, dict) else None
        outcomes = [*attribute.classes, *INVALID]
        if not isinstance(row, dict):
            raise UserError(
                "no shares for a context",
                where=str(path),
                found=context,
                expected="context: {class: share, …}, or '*' for the rest",
            )
        for name, value in row.items():
            if name not in outcomes:
                raise UserError(
                    "an unknown outcome",
                    where=doc.where(context),
                    found=name,
                    expected=", ".join(outcomes),
                    nearest=nearest(str(name), outcomes),
                )
            if not isinstance(value, int | float) or value < 0:
                raise UserError(
                    "not a share", where=doc.where(context), found=value, expected="a number from 0 to 1"
                )
        shares = np.array([float(row.get(o, 0.0)) for o in outcomes])
        if abs(shares.sum() - 1) > 1e-6:
            raise UserError(
                "shares that do not sum to 1",
                where=doc.where(context),
                found=f"{shares.sum():.6g}",
                expected="1",
            )
        return np.asarray(shares / shares.sum())

    def card(self) -> ModelCard:
        """The stated distribution is the model: its hash stands for the weights."""
        rows = {a: {c: [float(x) for x in v] for c, v in t.items()} for a, t in self.tables.items()}
        return ModelCard(model=self.name, weights=digest(rows), contract=CONTRACT, engine={"name": "known"})

    def render(self, request: Request) -> str:
        """Known models see no prompt; the plain text is shown for ``--dry-run``."""
        return request.text or "\n".join(f"{m.role}: {m.content}" for m in request.messages)

    def draw(
        self, requests: Sequence[Request], sampling: Sampling, settled: Settled | None = None
    ) -> Iterator[tuple[Request, list[Draw]]]:
        """One multinomial per request."""
        for request in requests:
            labels, shares = self._joint(request.context)
            counts = np.random.default_rng(request.seed).multinomial(request.n, shares)
            yield request, [_draw(label, int(c)) for label, c in zip(labels, counts, strict=True) if c]

    def exact(
        self,
        requests: Sequence[Request],
        sampling: Sampling,
        classify: Callable[[Draw], str],
        settled: Settled | None = None,
        epsilon: float = 1e-3,
        limit: Limit = NO_LIMIT,
    ) -> Iterator[tuple[Request, Shares]]:
        """The stated shares themselves: there is nothing to enumerate or to read."""
        return self._stated(requests)

    def choices(
        self,
        requests: Sequence[Request],
        classes: Callable[[Request], Mapping[str, Sequence[str]]],
        about: Callable[[Request], str] | None = None,
    ) -> Iterator[tuple[Request, Shares]]:
        """The stated shares themselves, whatever the wordings."""
        return self._stated(requests)

    def _stated(self, requests: Sequence[Request]) -> Iterator[tuple[Request, Shares]]:
        """The shares of outcomes; those of several attributes are joined as the readers' are."""
        for request in requests:
            labels, shares = self._joint(request.context)
            names = [BETWEEN.join(json.loads(x).values()) if x.startswith("{") else x for x in labels]
            yield request, Shares(dict(zip(names, map(float, shares), strict=True)), 0.0)

    def _joint(self, context: str) -> tuple[list[str], NDArray[np.float64]]:
        """Outcomes over all attributes: classes independently, an invalid outcome for all at once."""
        attributes = list(self.task.attributes.values())
        for attribute in attributes:
            if context not in self.tables[attribute.name]:
                raise UserError(
                    "known:target has no figures for a context",
                    found=context,
                    expected="a context of the target",
                )
        rows = [self.tables[a.name][context] for a in attributes]
        if len(attributes) == 1:
            return [*attributes[0].classes, *INVALID], rows[0] / rows[0].sum()
        valid = [row[: len(a.classes)] for a, row in zip(attributes, rows, strict=True)]
        invalid = rows[0][len(attributes[0].classes) :]
        labels, shares = [], []
        for combination in itertools.product(*(enumerate(a.classes) for a in attributes)):
            joint = {a.name: name for a, (_, name) in zip(attributes, combination, strict=True)}
            labels.append(json.dumps(joint, ensure_ascii=False))
            parts = [v[i] / v.sum() if v.sum() else 0.0 for v, (i, _) in zip(valid, combination, strict=True)]
            shares.append(float(np.prod(parts)) * (1 - invalid.sum()))
        total = np.array([*shares, *invalid])
        return [*labels, *INVALID], total / total.sum()

    def close(self) -> None:
        """Nothing to give back."""


def _draw(label: str, count: int) -> Draw:
    if label == "failed":
        return Draw("", count, "failed", 0, "stated by the known: model")
    return Draw(label, count, "length" if label == "truncated" else "stop", 1)
