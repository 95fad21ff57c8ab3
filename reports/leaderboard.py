"""``leaderboard``: writes the page and three files from run folders. No model is loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.errors import IncompleteError, UserError
from harness.files import make_folder, write_atomic
from harness.progress import say
from reports.board import build
from reports.check import check
from reports.load import entries
from reports.page import render
from reports.payload import payload
from reports.tables import counts_csv, records, to_csv, to_json

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from reports.check import Checked


def leaderboard(runs: Sequence[str], out: Path, *, recompute: bool | None = None, seed: int = 0) -> Path:
    """Write ``index.html``, ``leaderboard.csv``, ``leaderboard.json`` and ``counts.csv``; returns the page.

    Args:
        runs: run folders, or folders of them.
        out: folder to write.
        recompute: compute every score again from the counts, and the counts from the draws that are there (True); none
            (False); or, by default, the runs whose draws are there.
        seed: which texts are shown.

    Raises:
        IncompleteError: runs that cannot be read were left out, or numbers do not follow; the page is written, and
            says of the latter.
    """
    damaged: list[UserError] = []
    found, unscored = entries(runs, seed, damaged)
    for err in damaged if found else ():
        say(f"left out: {err}")
    for run in unscored:
        say(f"{run.folder}: not scored, left out (distalign score {run.folder})")
    if not found:
        if damaged:
            raise damaged[0]
        raise UserError(
            "no scored run under these folders",
            found=", ".join(runs),
            expected="folders that distalign evaluate wrote",
            hint="distalign list runs",
        )
    checked: dict[str, Checked] = {}
    wrong: dict[str, str] = {}
    if recompute is not False:
        found, checked, wrong = check(found, every=recompute is True)
    board = build(found, wrong)
    make_folder(out)
    rows = [row.flat() for row in records(board, checked)]
    write_atomic(out / "leaderboard.csv", to_csv(rows))
    write_atomic(out / "leaderboard.json", to_json(rows))
    write_atomic(out / "counts.csv", counts_csv(board))
    certain = counts_csv(board, counted=False)
    if certain:
        write_atomic(out / "shares.csv", certain)
    else:
        (out / "shares.csv").unlink(missing_ok=True)
    page = out / "index.html"
    write_atomic(page, render(board, payload(board, checked)))
    _refuse(page, wrong, len({e.run.manifest.run for e in found}), damaged)
    if recompute:
        how = list(checked.values())
        say(
            f"all numbers follow: {how.count('draws')} runs from their draws, {how.count('counts')} from counts"
        )
    return page


def _refuse(page: Path, wrong: dict[str, str], runs: int, damaged: list[UserError]) -> None:
    """Say of a page that is written what is wrong with it."""
    if wrong:
        raise IncompleteError(
            f"{len(wrong)} of {runs} runs claim what does not follow",
            where=str(page),
            found="; ".join(f"{run}: {what}" for run, what in sorted(wrong.items())),
            expected="scores that follow from counts, and counts from draws",
            hint="distalign score RUN",
        )
    if damaged:
        raise IncompleteError(
            f"runs that cannot be read, left out: {len(damaged)}",
            where=str(page),
            found="; ".join(err.where for err in damaged),
            hint=damaged[0].hint,
        )
