"""The driver of ``distalign train``: reads what is asked, runs a method's stages, writes a checkpoint folder."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import sys
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

from baselines.card import model_card, name_base
from baselines.output import BEGUN, STAGES, claim
from baselines.recipe import FOLDER, Recipe, TrainingRecipe, TuningRecipe, read_recipe
from harness.contract import FILE, CheckpointRecord, Contract
from harness.errors import UserError, missing_package, nearest
from harness.files import digest, make_folder, write_atomic
from harness.progress import say
from harness.records import write
from harness.runs.identity import versions
from harness.tasks.target import resolve
from harness.tasks.task import load_task

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from baselines.data import Answers, TrainingSet
    from harness.sampling.hf.source import Source
    from harness.tasks.target import Target
    from harness.tasks.task import Attribute, Task

SCHEMA = 1
COMPUTED = "computed"
"""Key of what the machine decides: a training is resumed with the same alone, but found done on any."""
DRAWN = "draws"
WAIT = timedelta(days=1)
"""How long processes wait for one another: the first may draw texts for longer than the usual ten minutes."""
FIRST = "sft"
"""The stage that dpo and klkto begin with."""


@dataclass(frozen=True, slots=True)
class Job:
    """What is trained on what, to where."""

    method: str
    source: Source
    task: Task
    attribute: Attribute
    target: Target
    recipe: Recipe
    out: Path
    completions: Path | None

    def identity(self) -> dict[str, object]:
        """All that decides the weights that come out."""
        from baselines.stages import computed
        from harness.sampling.hf.source import weights_digest

        given = self.completions
        tuning = self.recipe if isinstance(self.recipe, TuningRecipe) else None
        retained = tuning.retained() if tuning else None
        return {
            "schema": SCHEMA,
            "method": self.method,
            "recipe": self.recipe.model_dump(mode="json"),
            "base": {
                "model": str(Path(self.source.name).resolve())
                if Path(self.source.name).is_dir()
                else self.source.name,
                "revision": self.source.revision,
                "weights": weights_digest(self.source.folder),
            },
            "task": {"name": self.task.name, "version": self.task.version, "hash": self.task.hash},
            "attribute": self.attribute.name,
            "target": {"name": self.target.name, "hash": self.target.hash},
            "completions": hashlib.sha256(given.read_bytes()).hexdigest() if given else "",
            "retained": hashlib.sha256(retained.read_bytes()).hexdigest() if retained else "",
            COMPUTED: computed(tuning) if tuning else {},
        }


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a method hands back."""

    final: Path
    """Folder with the model or adapter, its tokenizer and its chat template."""
    data_hash: str
    contract: Contract
    """What reading the checkpoint's outputs needs."""


class Method(Protocol):
    """The module ``baselines.NAME.trainer``."""

    Recipe: type[Recipe]
    MEASURE: str
    """The measure of the tasks it trains on, where that is not ``draws``."""

    def run(self, job: Job) -> Outcome:
        """Train, resuming whatever an earlier run left."""


def methods() -> list[str]:
    """Names of the methods there are."""
    return sorted(p.parent.name for p in FOLDER.glob("*/recipe.yaml"))


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
    revision: str = ""
    """Hub revision of the model."""


def train(method: str, model: str, task: str, target: str, out: Path, options: Options | None = None) -> Path:
    """Train a method and return its checkpoint folder; the same call resumes, or finds it done.

    Args:
        method: a name of ``methods()``.
        model: folder or hub id of the model to start from.
        task: task name, folder or file; its training contexts and paraphrases are used.
        target: target name or the task's alias.
        out: the checkpoint folder to write.
        options: the rest.
    """
    found = _method(method)
    chosen = options or Options()
    recipe = read_recipe(found.Recipe, method, chosen.recipe, chosen.settings)
    if chosen.completions and not isinstance(recipe, TrainingRecipe):
        raise UserError(f"{method} trains on no texts", where="--completions", found=chosen.completions)
    measure = getattr(found, "MEASURE", "draws")
    about = _about(task, target, chosen.attribute, measure)
    state = _state()
    job = Job(method, _source(model, chosen.revision, measure), *about, recipe, out, chosen.completions)
    if not state.is_main_process:
        return _follow(found, job, state)
    claim(out, job.source.folder)
    with _locked(out):
        identity = job.identity()
        if _is_done(job, identity):
            say(f"{out}: trained already")
            return out
        _begin(job, identity)
        outcome = found.run(job)
        state.wait_for_everyone()
        _finish(job, identity, outcome)
    return out


def _follow(found: Method, job: Job, state: _State) -> Path:
    """What the other processes of ``accelerate launch`` do: the same stages, no files."""
    if not (job.out / FILE).is_file():
        found.run(job)
        state.wait_for_everyone()
    return job.out


def share_first_stage(donor: Path, out: Path) -> None:
    """Put a first stage, finished with the same settings, into a checkpoint folder to be: it is not trained again."""
    if not (out / STAGES / FIRST).is_dir():
        shutil.copytree(donor / STAGES / FIRST, out / STAGES / FIRST)


class _State(Protocol):
    is_main_process: bool

    def wait_for_everyone(self) -> None: ...


def _state() -> _State:
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    if not sys.stderr.isatty():
        # A log gets lines of ours; the bars of TRL and transformers would fill it. Read when tqdm is imported.
        os.environ.setdefault("TQDM_DISABLE", "1")
    # Without this setting cuBLAS may sum in another order in a second run of the same training.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    try:
        import peft  # noqa: F401  # asked for here so that a missing one is named before anything starts
        import trl  # noqa: F401
        from accelerate import PartialState
        from accelerate.utils import parse_flag_from_env
    except ImportError as error:
        raise missing_package("training", error.name or "trl", "train") from error
    # As the Trainer asks it: without a GPU, processes only find one another when told that there is none.
    return cast("_State", PartialState(cpu=parse_flag_from_env("ACCELERATE_USE_CPU"), timeout=WAIT))


def _method(name: str) -> Method:
    if name not in methods():
        raise UserError(
            "no such method",
            found=name,
            expected=", ".join(methods()),
            nearest=nearest(name, methods()),
            hint="distalign list methods",
        )
    _state()
    return cast("Method", import_module(f"baselines.{name}.trainer"))


def _about(name: str, target: str, attribute: str, measure: str) -> tuple[Task, Attribute, Target]:
    """Task, attribute and target, checked against one another."""
    task = load_task(name)
    if task.measure != measure:
        raise UserError(
            "the method trains on tasks of another measure",
            where=str(task.source.path),
            found=f"measure: {task.measure}",
            expected=f"measure: {measure}",
        )
    names = list(task.attributes)
    if not attribute and len(names) > 1:
        raise UserError(
            "the task has several attributes", where="--attribute", expected="one of " + ", ".join(names)
        )
    wanted = attribute or names[0]
    if wanted not in names:
        raise UserError(
            "no such attribute",
            where="--attribute",
            found=wanted,
            expected=", ".join(names),
            nearest=nearest(wanted, names),
        )
    about = task.attributes[wanted]
    goal = resolve(task, about, target)
    goal.check(task, about, [c.id for c in task.contexts if c.split == "train"])
    return task, about, goal


def _source(model: str, revision: str, measure: str) -> Source:
    from harness.sampling.hf.source import find, refuse_masked

    source = find(model, revision)
    if source.base is not None:
        raise UserError(
            "this is an adapter; training starts from a whole model",
            where=model,
            hint="merge it into its base with peft's merge_and_unload first",
        )
    if measure == "draws":
        refuse_masked(source)
    return source


@contextmanager
def _locked(out: Path) -> Iterator[None]:
    make_folder(out)
    with (out / ".lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise UserError("another process is training here", where=str(out), expected="one") from None
        yield


def _is_done(job: Job, identity: Mapping[str, object]) -> bool:
    card = job.out / FILE
    if not card.is_file():
        return False
    made = json.loads(card.read_text(encoding="utf-8"))
    asked = {k: v for k, v in identity.items() if k != COMPUTED}
    _same(job, {k: made.get(k) for k in asked}, asked)
    return True


def _begin(job: Job, identity: Mapping[str, object]) -> None:
    record = job.out / STAGES / BEGUN
    work = ("*/final", "*/checkpoint-*", f"{DRAWN}/*")
    begun = any(p for pattern in work for p in record.parent.glob(pattern))
    if record.is_file() and begun:
        _same(job, json.loads(record.read_text(encoding="utf-8")), identity)
    else:
        record.parent.mkdir(exist_ok=True)
        write_atomic(record, json.dumps(identity, indent=1) + "\n")


def _same(job: Job, there: object, identity: Mapping[str, object]) -> None:
    if digest(there) == digest(identity):
        return
    old = there if isinstance(there, dict) else {}
    changed = [k for k in identity if digest(old.get(k)) != digest(identity[k])]
    raise UserError(
        "the folder holds a training with other settings",
        where=str(job.out),
        found="different: " + ", ".join(changed),
        expected="the same settings, which resume it, or a new folder",
        hint="-o ANOTHER",
    )


def _finish(job: Job, identity: Mapping[str, object], outcome: Outcome) -> None:
    from baselines.stages import link_or_copy

    for path in sorted(outcome.final.iterdir()):
        if path.is_file():
            link_or_copy(path, job.out / path.name)
    base = cast("dict[str, str]", identity["base"])
    name_base(job.out / "adapter_config.json", base)
    write_atomic(job.out / "README.md", model_card(job, identity, outcome))
    made = Contract(
        method=job.method,
        attribute=job.attribute.name,
        task=job.task.name,
        target=job.target.name,
        base=base["weights"],
    )
    record = {
        **identity,
        "data_hash": outcome.data_hash,
        "versions": versions(),
        "contract": outcome.contract.over(made).model_dump(mode="json"),
    }
    write(job.out / FILE, CheckpointRecord.model_validate_json(json.dumps(record)))
    say(f"wrote {job.out}")


def training_data(job: Job, rows: int, seed: int) -> TrainingSet:
    """The rows of a job, from the texts that are given, or the classes' wordings, or the model's own draws."""
    from baselines import answers
    from baselines.data import training_set

    task, attribute = job.task, job.attribute
    if job.completions is not None:
        found = answers.from_csv(job.completions, attribute, [c.id for c in task.contexts])
    else:
        short = answers.short_answers(task, attribute)
        found = short if short is not None else _own_draws(job)
    return training_set(task, attribute, job.target, found, rows, seed)


def _own_draws(job: Job) -> Answers:
    from baselines.answers import from_run
    from harness.evaluation import evaluate
    from harness.runs.folder import find_runs
    from harness.settings import Settings

    folder = job.out / STAGES / DRAWN
    state = _state()
    if state.is_main_process:
        say(f"{job.task.name}'s answers are longer than a word: the model draws its own texts to train on")
        settings = Settings(n=OWN_DRAWS, seed=job.recipe.seed, split="train", paraphrases="train", out=folder)
        alone = replace(job.task, attributes={job.attribute.name: job.attribute})
        evaluate(str(job.source.folder), alone, job.target.name, settings)
    state.wait_for_everyone()
    return from_run(find_runs([str(folder)])[0], job.task, job.attribute)


OWN_DRAWS = 200
"""Draws per training prompt when the model writes its own training texts."""
