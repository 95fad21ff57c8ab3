"""What a run is made of before anything is drawn: settings, identity, requests."""

from __future__ import annotations

import platform
import subprocess
from dataclasses import asdict, dataclass, field, replace
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import prompts
from harness.errors import UserError
from harness.files import digest
from harness.runs import RETRY, SCHEMA
from harness.sampling.base import Request
from harness.sampling.seeds import chunk_seed
from harness.targets import resolve

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from harness.prompts import Rendered
    from harness.runs import Chunk
    from harness.sampling.base import ModelCard, Sampling
    from harness.targets import Target
    from harness.tasks import Task

MEASURES = ("draws", "exact", "choices")
RECORDED = ("distalign", "numpy", "scipy", "torch", "transformers", "peft", "trl", "vllm", "ray", "lm_eval")


@dataclass(frozen=True, slots=True)
class Settings:
    """How a model is evaluated. Sampling parameters left out are the task's."""

    n: int = 100
    """Draws per prompt."""
    seed: int = 0
    split: str = "all"
    """Which contexts: all, train, validation or test."""
    paraphrases: str = "test"
    """Which prompts: all, train, validation or test."""
    measure: str = ""
    """draws, exact or choices; '' is the task's."""
    epsilon: float = 1e-3
    """Undecided mass at which the exact measure stops."""
    backend: str = "auto"
    engine: Mapping[str, object] = field(default_factory=dict)
    """Engine options: revision, template, dtype, device, trust_remote_code, replicas."""
    sampling: Mapping[str, Any] = field(default_factory=dict)
    """Sampling parameters that replace the task's."""
    allow_greedy: bool = False
    out: Path = Path("runs")
    shard: tuple[int, int] | None = None
    """Draw only every k-th prompt, beginning with the i-th (1-based)."""
    until: float | None = None
    """Draw in blocks until neither 95% limit of the mean TV is farther than this from the estimate."""

    def effective(self, task: Task) -> Sampling:
        """The sampling parameters that are sent, checked against ``n``."""
        sampling = replace(task.sampling, **self.sampling)
        if (
            sampling.temperature == 0
            and self.n > 1
            and not self.allow_greedy
            and self.chosen(task) == "draws"
        ):
            raise UserError(
                "draws at temperature 0 are copies of one another",
                where="--temperature",
                found=f"n = {self.n} at temperature 0",
                expected="temperature above 0, or n = 1",
                hint="-n 1, or --allow-greedy where that is meant",
            )
        return sampling

    def chosen(self, task: Task) -> str:
        """The measure that is used."""
        return self.measure or task.measure


def targets_of(task: Task, names: Sequence[str]) -> dict[str, list[Target]]:
    """Attribute -> targets for ``--target`` names; ``all`` or nothing is every target the task lists."""
    found: dict[str, list[Target]] = {}
    for attribute in task.attributes.values():
        wanted = list(names)
        if not wanted or wanted == ["all"]:
            wanted = list(attribute.targets)
        if not wanted:
            raise UserError(
                f"task {task.name!r} lists no target for {attribute.name!r}",
                where=task.source.where(*attribute.loc),
                expected="targets: {ALIAS: NAME} in the task, or --target NAME",
                hint="distalign list targets",
            )
        found[attribute.name] = [resolve(task, attribute, name) for name in wanted]
    return found


def identity(
    task: Task, rendered: Sequence[Rendered], card: ModelCard, settings: Settings
) -> dict[str, object]:
    """All that decides the law of the draws, and nothing else: runs with the same identity are one run."""
    sampling = asdict(settings.effective(task))
    sampling["stop"] = list(sampling["stop"])
    measure = settings.chosen(task)
    return {
        "model": card.model,
        "revision": card.revision,
        "weights": card.weights,
        "adapter": card.adapter,
        "adapter_weights": card.adapter_weights,
        "template": card.template,
        "contract": dict(card.contract),
        "task": task.name,
        "task_version": task.version,
        "task_hash": task.hash,
        "language": task.language,
        "prompts_hash": prompts.fingerprint(rendered),
        "split": settings.split,
        "paraphrases": settings.paraphrases,
        "measure": measure,
        "epsilon": settings.epsilon if measure == "exact" else None,
        "sampling": sampling,
        "seed": settings.seed if measure == "draws" else None,
    }


def manifest(who: Mapping[str, object], card: ModelCard, settings: Settings) -> dict[str, object]:
    """A new run's manifest."""
    engine = dict(card.engine)
    return {
        "schema": SCHEMA,
        "run": digest([dict(who), engine.get("name", "")])[:12],
        "identity": dict(who),
        "engine": engine,
        "options": {k: str(v) for k, v in sorted(settings.engine.items()) if v not in ("", None, False)},
        "plan": [],
        "state": "new",
        "versions": versions(),
        "git": git_state(),
        "seconds": 0.0,
        "tokens": 0,
    }


def grow(plan: Sequence[int], n: int, largest: int) -> list[int]:
    """Chunk sizes that reach ``n`` draws per prompt: the old ones, then what is missing in pieces of ``largest``."""
    sizes = list(plan)
    missing = n - sum(sizes)
    while missing > 0:
        sizes.append(min(missing, largest))
        missing -= sizes[-1]
    return sizes


def missing(
    plan: Sequence[int], rendered: Sequence[Rendered], present: Iterable[Chunk], seed: int
) -> list[Request]:
    """The requests that a plan still needs. What they are does not depend on when a run was interrupted."""
    drawn: dict[tuple[str, str, int], int] = {}
    attempts: dict[tuple[str, str, int], int] = {}
    for chunk in present:
        key = (chunk.context, chunk.prompt, chunk.chunk % RETRY)
        drawn[key] = drawn.get(key, 0) + chunk.n
        attempts[key] = max(attempts.get(key, 0), chunk.chunk // RETRY + 1)
    requests = []
    for index, size in enumerate(plan):
        for prompt in rendered:
            key = (prompt.context, prompt.prompt, index)
            short = size - drawn.get(key, 0)
            if short > 0:
                number = index + RETRY * attempts.get(key, 0)
                requests.append(
                    Request(
                        context=prompt.context,
                        prompt=prompt.prompt,
                        chunk=number,
                        n=short,
                        seed=chunk_seed(seed, prompt.context, prompt.prompt, number),
                        messages=prompt.messages,
                        text=prompt.text,
                    )
                )
    return requests


def versions() -> dict[str, str]:
    """Versions of what can change a number."""
    found = {"python": platform.python_version()}
    for name in RECORDED:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def git_state() -> dict[str, object]:
    """Commit and dirty flag of the working directory's repository; empty outside one."""

    def git(*args: str) -> str | None:
        try:
            done = subprocess.run(["git", *args], capture_output=True, text=True, timeout=10, check=False)  # noqa: S603, S607  # fixed arguments, the user's own git
        except (OSError, subprocess.TimeoutExpired):
            return None
        return done.stdout.strip() if done.returncode == 0 else None

    sha = git("rev-parse", "HEAD")
    return (
        {}
        if sha is None
        else {"sha": sha, "dirty": bool(git("status", "--porcelain", "--untracked-files=no"))}
    )
