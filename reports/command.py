"""The command that makes a run again, written from its manifest."""

from __future__ import annotations

import shlex
from dataclasses import asdict
from typing import TYPE_CHECKING

from harness.sampling.engines import ENGINES, all_options
from harness.settings import Settings
from harness.tasks.catalog import shipped
from reports.standing import asked

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.runs.folder import Run
    from harness.tasks.task import Task

FLAGS = {"temperature": "--temperature", "top_p": "--top-p", "top_k": "--top-k", "max_tokens": "--max-tokens"}


def command(
    run: Run, targets: Sequence[str], changed: Mapping[str, str] | None = None, task: Task | None = None
) -> str:
    """``distalign evaluate …`` with every setting that decides the law of the draws, quoted for a shell.

    Args:
        run: the run that is made again.
        targets: the targets to score against.
        changed: flags that get another value than the run's.
        task: for people who read it: what is so without a flag, by this task or by ``evaluate``, is left out.
    """
    given = changed or {}
    flags = _flags(run, given.get("--measure", run.identity.measure))
    if task is not None:
        usual = _usual(task)
        flags = {flag: value for flag, value in flags.items() if value != usual.get(flag)}
    flags |= given
    words = ["distalign", "evaluate", _model(run), "--task", _task(run)]
    for target in targets:
        words += ["--target", target]
    words += [word for flag, value in flags.items() if value for word in (flag, value)]
    for context in run.identity.contexts:
        words += ["--contexts", context]
    if run.identity.sampling.temperature == 0 and run.n > 1:
        words.append("--allow-greedy")
    return shlex.join([*words, *_options(run)])


def _task(run: Run) -> str:
    """The task's name where it is one that comes with distalign, else its file: a name alone would not find it."""
    name, file = run.identity.task, run.manifest.task_source
    return name if (shipped("tasks") / name).is_dir() or not file else file


def _flags(run: Run, measure: str) -> dict[str, str]:
    who = run.identity
    sampling = who.sampling.model_dump()
    flags = {"--split": who.split, "--paraphrases": who.paraphrases, "--measure": measure}
    if measure == "draws":
        flags |= {"-n": str(run.n), "--seed": str(who.seed or 0)}
    if measure == "exact":
        flags |= {"--epsilon": str(who.epsilon)}
    flags |= {flag: str(sampling[key]) for key, flag in FLAGS.items()}
    asked = {
        "--system": who.system,
        "--prompts": run.manifest.prompts_file,
        "--continue-from": who.continue_from,
    }
    return flags | {flag: text for flag, text in asked.items() if text}


def _usual(task: Task) -> dict[str, str]:
    """The flags' values where they are not given."""
    own, sampling = Settings(), asdict(task.sampling)
    return {
        "--split": own.split,
        "--paraphrases": own.paraphrases,
        "--measure": own.chosen(task),
        "-n": str(own.n),
        "--seed": str(own.seed),
        "--epsilon": str(own.epsilon),
        **{flag: str(sampling[key]) for key, flag in FLAGS.items()},
    }


def _engine(run: Run) -> str:
    return run.manifest.engine.name


def _model(run: Run) -> str:
    """The model string; of a run made before it was kept, what the model's name and its engine tell."""
    kept = run.manifest.model_string
    name, model = _engine(run), asked(run)
    return kept or (model if name in ("", "hf", "known") else f"{name}:{model}")


def _options(run: Run) -> list[str]:
    """The engine's options as flags. A branch or a tag may move: the commit that was found stands for it."""
    given = dict(run.manifest.options)
    if run.identity.revision and any(
        option.key == "revision"
        for spec in ENGINES
        if spec.name == _engine(run).rpartition("/")[2]
        for option in spec.options
    ):
        given["revision"] = run.identity.revision
    words = []
    for key, option in all_options().items():
        # Earlier runs kept every option, "auto" where none was given.
        if str(given.get(key, "auto")) != "auto":
            words += [option.flag] if option.kind is bool else [option.flag, str(given[key])]
    return words
