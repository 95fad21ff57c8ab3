"""``figure``: the figures for papers, each written as PDF, SVG or PNG. The same input gives the same bytes."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import UserError, nearest
from harness.files import make_folder, replacing
from harness.progress import say
from reports.kinds.calibration import calibration
from reports.kinds.course import divergence
from reports.kinds.forest import forest
from reports.kinds.shares import shares
from reports.load import Entry, entries

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from matplotlib.figure import Figure

FORMATS = {".pdf": {"CreationDate": None}, ".svg": {"Date": None}, ".png": {"Software": None}}
"""Suffix -> metadata that would differ from run to run, left out."""
CJK = (
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "Source Han Sans SC",
    "WenQuanYi Micro Hei",
    "PingFang SC",
    "SimHei",
)
KINDS: dict[str, Callable[[list[Entry]], Figure]] = {
    "forest": forest,
    "shares": shares,
    "calibration": calibration,
    "divergence": divergence,
}


def figure(kind: str, runs: Sequence[str], out: Path, *, target: str = "", attribute: str = "") -> Path:
    """Draw one figure and write it as PDF, SVG or PNG.

    Args:
        kind: forest, shares, calibration or divergence.
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
    found.sort(key=lambda e: (e.aggregate.scores["tv"].estimate, e.run.manifest.run))
    import matplotlib as mpl

    with mpl.rc_context(
        {
            "svg.hashsalt": "distalign",
            "svg.fonttype": "none",
            "pdf.fonttype": 42,
            "text.parse_math": False,
            "font.family": ["DejaVu Sans", *_cjk()],
            "font.size": 8,
            "axes.spines.top": False,
            "axes.spines.right": False,
        }
    ):
        _save(KINDS[kind](found), out)
    return out


def _save(drawn: Figure, out: Path) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with replacing(make_folder(out.parent) / out.name) as file:
            drawn.savefig(
                file, format=out.suffix[1:], metadata=FORMATS[out.suffix], dpi=200, bbox_inches="tight"
            )
    lacking = {str(warning.message) for warning in caught if "missing from font" in str(warning.message)}
    if lacking:
        say(
            f"{out}: no font here has {len(lacking)} of its characters; install Noto Sans CJK, or another that has"
        )


def _cjk() -> list[str]:
    """Fonts with Chinese characters, those too that were installed after matplotlib last looked."""
    from matplotlib import font_manager

    known = font_manager.fontManager
    if not {font.name for font in known.ttflist} & {*CJK}:
        for path in font_manager.findSystemFonts():
            if any(name.replace(" ", "").lower()[:11] in Path(path).name.lower() for name in CJK):
                known.addfont(path)
    installed = {font.name for font in known.ttflist}
    return [name for name in CJK if name in installed]
