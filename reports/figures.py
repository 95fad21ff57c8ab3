"""``figure``: shares beside targets, calibration, divergence against n. The same input gives the same bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from harness.errors import UserError, nearest
from harness.files import make_folder, replacing
from harness.plaintext import show
from harness.scoring.divergence import plugin
from harness.scoring.floor import simulate
from harness.scoring.interval import Limits, share_limits
from reports.load import Entry, entries
from reports.ranks import corrected_tv
from reports.standing import who

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from matplotlib.figure import Figure
    from numpy.typing import NDArray

FORMATS = {".pdf": {"CreationDate": None}, ".svg": {"Date": None}, ".png": {"Software": None}}
"""Suffix -> metadata that would differ from run to run, left out."""
COLOURS = ("#1a56b0", "#c0641f", "#3a7d4f", "#7d5ba6", "#b0475f", "#6d7630", "#2f7d84", "#7b6149")
CJK = (
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "Source Han Sans SC",
    "WenQuanYi Micro Hei",
    "PingFang SC",
    "SimHei",
)
STEPS = 12
REPEATS = 200


def figure(kind: str, runs: Sequence[str], out: Path, *, target: str = "", attribute: str = "") -> Path:
    """Draw one figure and write it as PDF, SVG or PNG.

    Args:
        kind: shares, calibration or divergence.
        runs: run folders, or folders of them.
        out: file to write; its suffix is the format.
        target: only results against this target.
        attribute: only results of this attribute.
    """
    if kind not in KINDS:
        raise UserError("no such figure", found=kind, expected=", ".join(KINDS), nearest=nearest(kind, KINDS))
    if out.suffix not in FORMATS:
        raise UserError(
            "a format that is not written", where=str(out), found=out.suffix, expected=", ".join(FORMATS)
        )
    found = [e for e in entries(runs)[0] if target in ("", e.target.name) and attribute in ("", e.attribute)]
    if not found:
        raise UserError(
            "no scored result fits",
            found=", ".join(runs),
            expected="runs with scores.json",
            hint="distalign list runs",
        )
    import matplotlib as mpl
    from matplotlib import font_manager

    installed = {font.name for font in font_manager.fontManager.ttflist}
    with mpl.rc_context(
        {
            "svg.hashsalt": "distalign",
            "svg.fonttype": "none",
            "pdf.fonttype": 42,
            "text.parse_math": False,
            "font.family": ["DejaVu Sans", *(name for name in CJK if name in installed)],
            "font.size": 8,
            "axes.spines.top": False,
            "axes.spines.right": False,
        }
    ):
        drawn = KINDS[kind](found)
        make_folder(out.parent)
        with replacing(out) as file:
            drawn.savefig(
                file, format=out.suffix[1:], metadata=FORMATS[out.suffix], dpi=200, bbox_inches="tight"
            )
    return out


def _shares(found: list[Entry]) -> Figure:
    """Every context's target and the model's share with its interval, one panel per class."""
    entry = _only(found)
    from matplotlib.figure import Figure

    k = len(entry.classes)
    limits = _limits(entry)
    order = np.argsort(entry.shares[:, 0], kind="stable")
    height = 0.8 + 0.2 * len(order)
    made = Figure(figsize=(1.6 + 2.2 * k, height))
    panels = made.subplots(1, k, sharey=True, squeeze=False)[0]
    at = np.arange(len(order))
    for i, panel in enumerate(panels):
        low, share, high = (np.asarray(v)[order, i] for v in (limits.low, limits.estimate, limits.high))
        panel.hlines(at, low, high, color=COLOURS[i % 8], linewidth=1.2)
        panel.plot(share, at, "o", color=COLOURS[i % 8], markersize=3.5, label="model, 95% interval")
        panel.plot(
            entry.shares[order, i], at, "|", color="black", markersize=9, markeredgewidth=1.6, label="target"
        )
        panel.set(xlim=(-0.02, 1.02), title=show(entry.classes[i], 40), xlabel="share of valid draws")
        panel.grid(axis="x", color="#dddddd", linewidth=0.5)
        panel.set_axisbelow(True)
    panels[0].set_yticks(at, [show(entry.contexts[j].replace("_", " "), 60) for j in order])
    panels[0].set_ylim(-0.7, len(order) - 0.3)
    made.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False)
    size = "computed shares" if entry.certain else f"n = {entry.n} per prompt"
    made.suptitle(f"{show(who(entry).model, 60)}, {show(entry.run.identity.task)}: {size}", fontsize=9)
    made.set_layout_engine("constrained")
    return made


def _calibration(found: list[Entry]) -> Figure:
    """The model's share against the target's, every class of every context; on the diagonal is on target."""
    from matplotlib.figure import Figure

    made = Figure(figsize=(4.2, 4.4), layout="constrained")
    panel = made.subplots()
    panel.plot([0, 1], [0, 1], color="#888888", linewidth=0.8, linestyle="--")
    for i, entry in enumerate(found):
        limits = _limits(entry)
        x, y = entry.shares.ravel(), limits.estimate.ravel()
        panel.vlines(
            x, limits.low.ravel(), limits.high.ravel(), color=COLOURS[i % 8], linewidth=0.6, alpha=0.5
        )
        panel.plot(x, y, "o", color=COLOURS[i % 8], markersize=3, label=_label(entry, found))
    panel.set(
        xlim=(-0.02, 1.02),
        ylim=(-0.02, 1.02),
        xlabel="target share",
        ylabel="share of valid draws, 95% interval",
    )
    panel.set_aspect("equal")
    panel.legend(frameon=False, fontsize=7)
    return made


def _divergence(found: list[Entry]) -> Figure:
    """Mean TV at smaller n, by drawing from the draws without replacement, over the floor of a perfect model."""
    from matplotlib.figure import Figure

    made = Figure(figsize=(5, 3.4), layout="constrained")
    panel = made.subplots()
    for i, entry in enumerate(found):
        sizes, raw, corrected, floor = course(entry)
        colour = COLOURS[i % 8]
        panel.plot(
            sizes, corrected, "-o", color=colour, markersize=3, label=f"{_label(entry, found)}, corrected"
        )
        panel.plot(sizes, raw, "-", color=colour, linewidth=0.8, alpha=0.6, label="as drawn")
        panel.plot(sizes, floor, "--", color=colour, linewidth=0.8, label="floor: a perfect model, as drawn")
    panel.set_xscale("log")
    ticks = sorted(
        {1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 10_000} & set(range(5, max(e.n for e in found) + 1))
    )
    panel.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
    panel.set_xticks([], minor=True)
    panel.axhline(0, color="#888888", linewidth=0.6)
    panel.set(xlabel="n, draws per prompt", ylabel="mean total variation from the target")
    panel.legend(frameon=False, fontsize=7)
    return made


def course(entry: Entry) -> tuple[NDArray[np.int64], list[float], list[float], list[float]]:
    """n per prompt -> mean TV as drawn, corrected, and of a perfect model, from smaller draws out of all draws."""
    k = len(entry.classes)
    if entry.certain:
        raise UserError(
            "nothing was drawn, so there is no n", where=str(entry.run.folder), expected="a run with draws"
        )
    rows = np.asarray(entry.rows, dtype=np.int64)
    grouped = np.concatenate([rows[:, :k], rows[:, k:].sum(axis=1, keepdims=True)], axis=1)
    total = grouped.sum(axis=1)
    sizes = np.unique(np.geomspace(min(5, entry.n), entry.n, STEPS).round().astype(np.int64))
    rng = np.random.default_rng(0)
    full = np.concatenate([entry.shares, np.zeros((len(total), 1))], axis=1)
    raw, corrected, floor = [], [], []
    for size in sizes:
        n = np.minimum(np.maximum((total * size / entry.n).round().astype(np.int64), 1), total)
        drawn = np.stack(
            [
                rng.multivariate_hypergeometric(row, m, size=REPEATS)
                for row, m in zip(grouped, n, strict=True)
            ],
            axis=1,
        )
        raw.append(float(plugin("tv", drawn, full).mean()))
        corrected.append(
            float(
                corrected_tv(
                    drawn, np.broadcast_to(entry.shares, (REPEATS, *entry.shares.shape)), entry.sizes
                ).value.mean()
            )
        )
        floor.append(float(simulate(n, full, ["tv"], sizes=entry.sizes).values["tv"].mean()))
    return sizes, raw, corrected, floor


def _limits(entry: Entry) -> Limits:
    """Class shares of the valid mass with 95% limits; of computed shares, their certain bounds."""
    rows = entry.rows[:, : len(entry.classes)]
    if not entry.certain:
        return share_limits(np.asarray(rows, dtype=np.int64))
    lower = np.asarray(rows, dtype=np.float64)
    total = lower.sum(axis=1, keepdims=True)
    return Limits(lower / np.where(total > 0, total, np.nan), lower, lower + entry.rows[:, -1:])


def _only(found: list[Entry]) -> Entry:
    if len(found) > 1:
        raise UserError(
            "this figure is of one result",
            found="; ".join(f"{e.run.folder} ({e.attribute}, {e.target.name})" for e in found[:4]),
            expected="one run, with --target and --attribute where it was scored against several",
        )
    return found[0]


def _label(entry: Entry, found: list[Entry]) -> str:
    several = len({e.target.name for e in found}) > 1
    return show(who(entry).model, 60) + (f", {entry.target.name}" if several else "")


KINDS: dict[str, Callable[[list[Entry]], Figure]] = {
    "shares": _shares,
    "calibration": _calibration,
    "divergence": _divergence,
}
