"""The command that makes a run again, from its manifest."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, cast

from reports.standing import asked

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.runs.folder import Run

FLAGS = {"temperature": "--temperature", "top_p": "--top-p", "top_k": "--top-k", "max_tokens": "--max-tokens"}


def command(run: Run, targets: Sequence[str]) -> str:
    """``distalign evaluate …`` with every setting that decides the law of the draws spelled out."""
    engine = cast("dict[str, object]", run.manifest.get("engine") or {})
    name = str(engine.get("name", ""))
    words = ["distalign", "evaluate", asked(run), "--task", run.text("task")]
    for target in targets:
        words += ["--target", target]
    words += ["-n", str(run.n), "--split", run.text("split"), "--paraphrases", run.text("paraphrases")]
    if run.identity.get("seed") is not None:
        words += ["--seed", run.text("seed")]
    if run.text("measure") not in ("", "draws"):
        words += ["--measure", run.text("measure")]
    if run.text("revision"):
        words += ["--revision", run.text("revision")]
    if name and name != "known":
        words += ["--backend", name]
    sampling = cast("dict[str, object]", run.identity.get("sampling") or {})
    for key, flag in FLAGS.items():
        if key in sampling:
            words += [flag, str(sampling[key])]
    return shlex.join(words)
