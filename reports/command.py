"""The command that makes a run again, from its manifest."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from harness.sampling.engines import ENGINES, all_options
from reports.standing import asked

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.runs.folder import Run

FLAGS = {"temperature": "--temperature", "top_p": "--top-p", "top_k": "--top-k", "max_tokens": "--max-tokens"}


def command(run: Run, targets: Sequence[str]) -> str:
    """``distalign evaluate …`` with every setting that decides the law of the draws, quoted for a shell."""
    sampling, measure = _part(run.identity, "sampling"), run.text("measure") or "draws"
    words = ["distalign", "evaluate", _model(run), "--task", run.text("task")]
    for target in targets:
        words += ["--target", target]
    words += ["--split", run.text("split"), "--paraphrases", run.text("paraphrases"), "--measure", measure]
    if measure == "draws":
        words += ["-n", str(run.n), "--seed", run.text("seed")]
    if measure == "exact":
        words += ["--epsilon", run.text("epsilon")]
    for key, flag in FLAGS.items():
        if key in sampling:
            words += [flag, str(sampling[key])]
    if sampling.get("temperature") == 0 and run.n > 1:
        words.append("--allow-greedy")
    return shlex.join([*words, *_options(run)])


def _part(mapping: Mapping[str, object], key: str) -> Mapping[str, object]:
    part = mapping.get(key)
    return part if isinstance(part, dict) else {}


def _engine(run: Run) -> str:
    return str(_part(run.manifest, "engine").get("name", ""))


def _model(run: Run) -> str:
    """The model string; of a run made before it was kept, what the model's name and its engine tell."""
    kept = str(run.manifest.get("model_string", ""))
    name, model = _engine(run), asked(run)
    return kept or (model if name in ("", "hf", "known") else f"{name}:{model}")


def _options(run: Run) -> list[str]:
    """The engine's options as flags. A branch or a tag may move: the commit that was found stands for it."""
    given = dict(_part(run.manifest, "options"))
    if run.text("revision") and any(
        option.key == "revision"
        for spec in ENGINES
        if spec.name == _engine(run).rpartition("/")[2]
        for option in spec.options
    ):
        given["revision"] = run.text("revision")
    words = []
    for key, option in all_options().items():
        # Earlier runs kept every option, "auto" where none was given.
        if str(given.get(key, "auto")) != "auto":
            words += [option.flag] if option.kind is bool else [option.flag, str(given[key])]
    return words
