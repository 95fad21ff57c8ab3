"""The model's share against the target's, for every class of every context; on the diagonal is on target."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.plaintext import line
from reports.kinds.marks import GREY, label, mark, shares_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from reports.load import Entry


def calibration(found: list[Entry]) -> Figure:
    """Shares are of all draws. Of two classes the first is drawn: without invalid draws the second mirrors it."""
    from matplotlib.figure import Figure

    two = {e.classes for e in found if len(e.classes) == 2}
    made = Figure(figsize=(4.2, 4.4 + 0.15 * (len(found) + 2) / (1 + (len(found) > 6))), layout="constrained")
    panel = made.subplots()
    panel.plot([0, 1], [0, 1], color=GREY, linewidth=0.8, linestyle="--")
    for i, entry in enumerate(found):
        limits, k = shares_of(entry), len(entry.classes)
        drawn = slice(0, 1 if k == 2 else k)
        x, low, share, high = (
            v[:, drawn].ravel() for v in (entry.shares, limits.low, limits.estimate, limits.high)
        )
        colour, marker = mark(i)
        panel.vlines(x, low, high, color=colour, linewidth=0.6, alpha=0.5, clip_on=False)
        name = label(entry, found)
        panel.plot(x, share, marker, color=colour, markersize=3, clip_on=False, label=name)
    one = len(two) == 1 and all(len(e.classes) == 2 for e in found)
    of = f" of {line(next(iter(two))[0], 40)}" if one else ""
    panel.set(
        xlim=(-0.02, 1.02),
        ylim=(-0.02, 1.02),
        xlabel=f"target share{of}",
        ylabel=f"share{of} among all draws, 95% interval",
        aspect="equal",
    )
    made.legend(loc="outside lower center", ncols=1 + (len(found) > 6), frameon=False, fontsize=7)
    return made
