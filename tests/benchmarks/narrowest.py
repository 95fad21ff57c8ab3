"""The narrowest interval of a mean distance for a law that is known beforehand, beside the one that distalign has.

With many draws a cell shows Z, which is normal around d, the difference of its share from the target in standard errors.
The mean of abs(d) over N cells is wanted. A lower function f has E f(Z) <= abs(d) for every d, an upper one E f(Z) >= abs(d);
its mean less (plus) z standard errors is a limit. For one law of d, the best such function is found by quadratic programming.
By the duality of Donoho (1994), no other lower limit that holds for every law lies higher in the median at this one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls
from scipy.stats import norm

from harness.scoring import interval
from harness.scoring.sides import PARABOLAS, Cumulants

Floats = NDArray[np.float64]
CELLS = (14, 28, 56, 266)
"""Means over 14 contexts of 2, 3, 5 and 20 classes."""
QUANTILES = np.abs(norm.ppf((np.arange(20) + 0.5) / 20))
LAWS: dict[str, tuple[Floats, Floats]] = {
    **{f"all {d:g} off": (np.array([d]), np.ones(1)) for d in (0.0, 0.3, 0.6, 1.0, 1.5, 2.0, 3.0, 5.0)},
    "a quarter 3 off": (np.array([0.0, 3.0]), np.array([0.75, 0.25])),
    "normal, 1": (QUANTILES, np.full(20, 0.05)),
    "normal, 2": (2 * QUANTILES, np.full(20, 0.05)),
    "normal, 4": (4 * QUANTILES, np.full(20, 0.05)),
}
_STEP, _END = 0.125, 9.0
_Z = np.arange(-14, 14.001, 0.02)
_KNOTS = np.arange(0, _END + _STEP, _STEP)
_HATS = np.maximum(1 - np.abs(np.abs(_Z)[:, None] - _KNOTS) / _STEP, 0.0)
_OFF = np.concatenate([np.arange(0, 3, 0.1), np.arange(3, 11.1, 0.25)])


@dataclass(frozen=True, slots=True)
class Narrowest:
    """Widths for one law."""

    law: str
    cells: int
    today: float
    narrowest: float

    @property
    def ratio(self) -> float:
        """Of the two widths."""
        return self.narrowest / self.today


class Moments(NamedTuple):
    """Mean and standard deviation of a function of one cell, in the mean over a law."""

    mean: float
    sd: float


def density(d: float) -> Floats:
    """Of Z on its grid."""
    weight = norm.pdf(_Z - d)
    return np.asarray(weight / weight.sum())


_DENSITIES = np.array([density(d) for d in _OFF])


def moments(values: Floats, law: tuple[Floats, Floats]) -> Moments:
    """Given the law, cells vary by their draws alone."""
    each = np.array([density(d) for d in law[0]])
    mean, square = each @ values, each @ values**2
    return Moments(float(law[1] @ mean), float(np.sqrt(max(float(law[1] @ (square - mean**2)), 0.0))))


def today() -> tuple[Floats, list[Floats]]:
    """The lower function and the upper ones that ``scoring.sides`` has, where draws are many and t is 1/2."""
    size, bump = np.abs(_Z), np.exp(-(_Z**2) / (2 * 0.25))
    lower = size - (density(0) @ size) / (density(0) @ bump) * bump
    lower = lower - max((_DENSITIES @ lower - _OFF).max(), 0.0)
    uppers = [size]
    for a in PARABOLAS:
        value = np.minimum(a / 2 + (_Z**2 - 1) / (2 * a), size + 0.5)
        uppers.append(value + max((_OFF - _DENSITIES @ value).max(), 0.0))
    return lower, uppers


def best(law: tuple[Floats, Floats], kappa: float, side: int) -> Moments:
    """Of the lower (-1) or upper (1) function with the greatest mean less (least plus) ``kappa`` standard deviations.

    The function is abs(Z) and a piecewise linear one. For a given standard deviation s the problem is quadratic; its dual
    is a problem of least squares with multipliers of 0 or more. s is found by repetition.
    """
    each = np.array([density(d) for d in law[0]])
    size = np.abs(_Z)
    mean = law[1] @ (each @ _HATS)
    own = each @ _HATS
    spread = np.einsum("w,wz,zi,zj->ij", law[1], each, _HATS, _HATS, optimize=True)
    spread = spread - np.einsum("w,wi,wj->ij", law[1], own, own) + 1e-6 * np.eye(len(_KNOTS))
    with_size = law[1] @ ((each * (size - (each @ size)[:, None])) @ _HATS)
    limits, bias = side * (_DENSITIES @ _HATS), side * (_OFF - _DENSITIES @ size)
    sd, function = 0.8, size
    for _ in range(25):
        root = np.linalg.cholesky(spread * kappa / sd)
        start = np.linalg.solve(root, -side * mean - with_size * kappa / sd)
        rows = np.linalg.solve(root, limits.T).T
        system = np.vstack([rows.T, (bias - rows @ start)[None]])
        wanted = np.append(np.zeros(len(start)), 1.0)
        multipliers, _ = nnls(system, wanted, maxiter=20_000)
        rest = system @ multipliers - wanted
        function = size + _HATS @ np.linalg.solve(root.T, start - rest[:-1] / rest[-1])
        before, sd = sd, (sd + max(moments(function, law).sd, 1e-3)) / 2
        if abs(sd - before) < 1e-3:
            break
    return moments(function, law)


def width(lower: Moments, upper: Moments, cells: int, level: float, caution: float) -> tuple[float, float]:
    """Of the interval at ``level``, and the standard errors that each limit is away."""
    low, high = (
        Cumulants(*(np.array(v) for v in (m.mean, m.sd**2 / cells, 0.0, 0.0))) for m in (lower, upper)
    )
    z = caution * float(interval.critical(low, high, level))
    bottom = max(lower.mean - z * lower.sd / np.sqrt(cells), 0.0)
    return upper.mean + z * upper.sd / np.sqrt(cells) - bottom, z


def narrowest() -> list[Narrowest]:
    """All laws and numbers of cells."""
    lower, uppers = today()
    found = []
    for cells in CELLS:
        for name, law in LAWS.items():
            ours = min(
                width(moments(lower, law), moments(u, law), cells, 0.965 if cells > 28 else 0.97, 1.1)[0]
                for u in uppers
            )
            theirs, z = np.inf, 1.8
            for _ in range(2):
                kappa = z / np.sqrt(cells)
                theirs, z = width(best(law, kappa, -1), best(law, kappa, 1), cells, 0.95, 1.0)
            found.append(Narrowest(name, cells, round(ours, 4), round(theirs, 4)))
    return found
