"""Each context's target beside the model's share with its interval: a panel per class, and one for no class."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from harness.errors import UserError
from harness.plaintext import line
from reports.kinds.marks import COLOURS, GREY, label, shares_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from reports.load import Entry


def shares(found: list[Entry]) -> Figure:
    """Of one result. Shares are of all draws, so that those without a class are seen and not spread over the rest."""
    entry = _only(found)
    from matplotlib.figure import Figure

    # The choices measure shares all probability out among the classes.
    rest = [] if entry.run.identity.measure == "choices" else ["no class"]
    names = [*(line(c, 40) for c in entry.classes), *rest]
    limits = shares_of(entry)
    order = np.argsort(entry.shares[:, 0], kind="stable")
    made = Figure(figsize=(1.6 + 1.9 * len(names), 1.1 + 0.2 * len(order)), layout="constrained")
    panels = made.subplots(1, len(names), sharey=True, squeeze=False)[0]
    at = np.arange(len(order))
    what = (
        "the model's share, certain bounds"
        if entry.certain
        else "the model's share of all draws, 95% interval"
    )
    for i, (panel, name) in enumerate(zip(panels, names, strict=True)):
        colour = GREY if i == len(entry.classes) else COLOURS[i % len(COLOURS)]
        low, share, high = (np.asarray(v)[order, i] for v in (limits.low, limits.estimate, limits.high))
        panel.hlines(at, low, high, color=colour, linewidth=1.2, clip_on=False)
        panel.plot(share, at, "o", color=colour, markersize=3.5, clip_on=False, label=what)
        if i < len(entry.classes):
            (bar,) = panel.plot(entry.shares[order, i], at, "|", color="black", clip_on=False, label="target")
            bar.set(markersize=9, markeredgewidth=1.6)
        panel.set(xlim=(-0.03, 1.03), title=name)
        panel.set_xticks((0, 0.5, 1), ("0", "0.5", "1"))
        panel.grid(axis="x", color="#dddddd", linewidth=0.5)
        panel.set_axisbelow(True)
    panels[0].set_yticks(at, [line(entry.contexts[j].replace("_", " "), 60) for j in order])
    panels[0].set_ylim(-0.7, len(order) - 0.3)
    made.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False)
    size = "computed shares" if entry.certain else f"n = {entry.n} per prompt"
    made.suptitle(f"{label(entry)}, {line(entry.run.identity.task)}: {size}", fontsize=9)
    return made


def _only(found: list[Entry]) -> Entry:
    if len(found) > 1:
        raise UserError(
            "this figure is of one result",
            found="; ".join(f"{e.run.folder} ({e.attribute}, {e.target.name})" for e in found[:4]),
            expected="one run, with --target and --attribute where it was scored against several",
        )
    return found[0]
