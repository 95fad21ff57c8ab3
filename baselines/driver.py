"""``distalign train``: checks what is asked, lets the method train, and writes the checkpoint folder."""

from __future__ import annotations

import shlex
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from baselines.checkpoint import begin, finish, is_done
from baselines.method import Call
from baselines.methods import named
from baselines.needs import Asked
from baselines.output import STAGES, claim
from baselines.processes import processes
from harness.contract import FILE
from harness.locks import held
from harness.progress import phase, say

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

FIRST = "sft"
"""The stage that dpo and klkto begin with."""


@dataclass(frozen=True, slots=True)
class Options:
    """What may be left out of a call of ``train``."""

    attribute: str = ""
    """Which of the task's attributes; needed where there are several."""
    recipe: Path | None = None
    """A YAML file over the method's own recipe."""
    settings: Sequence[str] = ()
    """``key=value`` over both."""
    completions: Path | None = None
    """CSV of texts per class, for tasks whose answers are longer than a word."""
    corpora: Sequence[Path] = ()
    """Files of people's replies, for a method that trains on them."""
    revision: str = ""
    """Hub revision of the model."""
    trust_pickle: bool = False
    """Whether its weights may be pickles."""


def train(
    method: str, model: str, task: str, target: str | Sequence[str], out: Path, options: Options | None = None
) -> Path:
    """Train a method and return its checkpoint folder; the same call resumes, or finds it done.

    Args:
        method: a name that ``distalign list methods`` shows.
        model: folder or hub id of the model to start from.
        task: task name, folder or file, whose training contexts and paraphrases are used; '' for a method that
            trains on people's replies.
        target: target name or the task's alias; several for several corpora.
        out: the checkpoint folder to write.
        options: the rest.
    """
    chosen = options or Options()
    targets = (target,) if isinstance(target, str) else tuple(target)
    asked = Asked(task, targets, chosen.attribute, chosen.completions, tuple(chosen.corpora))
    found = named(method)
    call = Call(model, chosen.revision, asked, out, chosen.recipe, chosen.settings, chosen.trust_pickle)
    with phase(f"preparing {method} of {model}"):
        state = processes()
        training = found.training(call)
    job = training.job
    if not state.is_main_process:
        # What the other processes of ``accelerate launch`` do: the same stages, no files.
        if not (out / FILE).is_file():
            training.run()
            state.wait_for_everyone()
        return out
    claim(out, job.source.folder)
    with held(out, "another process is training here"):
        identity = job.identity()
        if is_done(out, identity):
            say(f"{out}: trained already")
            return out
        begin(out, identity)
        trained = training.run()
        state.wait_for_everyone()
        finish(job, identity, trained)
    if task:
        against = " ".join(f"--target {shlex.quote(name)}" for name in targets)
        say(f"next: distalign evaluate {shlex.quote(str(out))} --task {shlex.quote(task)} {against}".rstrip())
    return out


def share_first_stage(donor: Path, out: Path) -> None:
    """Put a first stage, finished with the same settings, into a checkpoint folder to be: it is not trained again."""
    if not (out / STAGES / FIRST).is_dir():
        shutil.copytree(donor / STAGES / FIRST, out / STAGES / FIRST)
