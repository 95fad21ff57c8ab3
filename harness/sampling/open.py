"""One string names a model and its engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, cast, get_args

from harness.errors import UserError, nearest
from harness.progress import phase

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.sampling.base import Engine
    from harness.tasks.target import Target
    from harness.tasks.task import Task

Backend = Literal["auto", "hf", "vllm", "server", "ray", "lm-eval"]
COMMON = ("revision", "template", "dtype", "trust_remote_code")
PREFIXES = ("known", "hf", "vllm", "server", "ray", "lm-eval")


def parse(model: str, backend: str = "auto") -> tuple[str, str]:
    """Engine name and the rest of a model string: a path or hub id, or ``PREFIX:rest``."""
    if backend not in get_args(Backend):
        raise UserError(
            "unknown backend",
            where="--backend",
            found=backend,
            expected=", ".join(get_args(Backend)),
            nearest=nearest(backend, get_args(Backend)),
        )
    head, colon, rest = model.partition(":")
    if colon and head in PREFIXES:
        if not rest:
            raise UserError("a model string without a model", where=model, expected=f"{head}:NAME")
        if head == "known":
            from harness.sampling.known import KnownSpec

            KnownSpec.parse(rest)
        if backend == "ray" and head not in ("ray", "known"):
            return "ray", model
        if backend not in ("auto", head):
            raise UserError(
                f"the model string names engine {head!r} and --backend another",
                where=model,
                found=backend,
                expected=head,
            )
        return head, rest
    if (
        colon
        and head.isalpha()
        and len(head) > 1
        and not rest.startswith("//")
        and "/" not in head
        and nearest(head, PREFIXES)
    ):
        raise UserError(
            "unknown engine in the model string",
            where=model,
            found=head,
            expected=", ".join(PREFIXES),
            nearest=nearest(head, PREFIXES),
        )
    if not model.strip():
        raise UserError("an empty model string", expected="a path, a hub id, or ENGINE:NAME")
    return ("hf" if backend == "auto" else backend), model


class Engines:
    """Opens engines and keeps the last one, so that a model is loaded once for all its tasks."""

    def __init__(self) -> None:
        self._key: object = None
        self._engine: Engine | None = None

    def open(
        self,
        model: str,
        task: Task,
        targets: Mapping[str, Target],
        backend: str = "auto",
        options: Mapping[str, object] | None = None,
        measure: str = "draws",
    ) -> Engine:
        """The engine that a model string names, or the one at hand if it is the same; any other is closed first.

        Args:
            model: the model string.
            task: what is asked; known: models need it.
            targets: attribute -> target, for known:target.
            backend: overrides the engine of a bare path or hub id.
            options: engine options: revision, template, dtype, device, trust_remote_code, replicas.
            measure: the choices measure has an engine of its own, for causal and masked models.
        """
        name, rest = parse(model, backend)
        given, choices = dict(options or {}), measure == "choices" and name == "hf"
        # A known: model is made for its task and target.
        about = (task.hash, sorted((a, t.hash) for a, t in targets.items())) if name == "known" else None
        key = (name, rest, given, choices, about)
        if self._engine is None or key != self._key:
            self.close()
            # Heavy packages are imported here, not before.
            if name == "known":
                from harness.sampling.known import KnownEngine

                self._engine = KnownEngine(rest, task, targets)
            elif choices:
                from harness.sampling.hf.choices import ChoicesEngine

                self._engine = cast("Engine", ChoicesEngine(rest, **_given(given, *COMMON, "device")))
            else:
                self._engine = open_real(name, rest, given)
            self._key = key
            with phase(f"loading {model}"):
                self._engine.card()
        return self._engine

    def close(self) -> None:
        """Close what is open."""
        if self._engine is not None:
            self._engine.close()
        self._engine = None


def open_real(name: str, rest: str, options: dict[str, object]) -> Engine:
    """The engines that load or call a model."""
    if name == "hf":
        from harness.sampling.hf.collapsed import CollapsedEngine

        return CollapsedEngine(rest, **_given(options, *COMMON, "device"))
    if name == "vllm":
        from harness.sampling.vllm import VllmEngine

        return VllmEngine(rest, **_given(options, *COMMON))
    if name == "server":
        from harness.sampling.server.engine import ServerEngine

        return ServerEngine(rest)
    if name == "lm-eval":
        from harness.sampling.lmeval import LmEvalEngine

        return LmEvalEngine(rest)
    from harness.sampling.ray import RayEngine

    return RayEngine(rest, **_given(options, "replicas"), options=_given(options, *COMMON, "device"))


def _given(options: dict[str, object], *names: str) -> dict[str, Any]:
    return {k: options[k] for k in names if options.get(k) is not None}
