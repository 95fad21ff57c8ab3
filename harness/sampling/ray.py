"""The engine ``ray``: copies of another engine on a Ray cluster. Prompts are shared out; a chunk is never split."""

from __future__ import annotations

import json
import logging
import os
from dataclasses import asdict, replace
from functools import cached_property
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from harness.errors import UserError, clip, missing_package
from harness.sampling.ray_worker import DEATHS, Clerk, Ledger, Replica
from harness.terms import Draw

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping, Sequence

    from ray.actor import ActorHandle

    from harness.sampling.base import ModelCard, Settled
    from harness.sampling.ray_worker import Factory
    from harness.terms import Request, Sampling

_LOG = logging.getLogger(__name__)
_ROUNDS = 3
"""Pipelines for the same prompts before they are counted as failed. The first ends at the first error, which is
then the reason; the others go on without the prompts that fail, the last with one prompt at a time."""
_BATCHES = 8
"""Batches per replica: a replica that is faster takes more of them."""
_LARGEST = 64
"""Requests per batch at most."""
_FEW = 16
"""So many requests are not worth a pool that loads the model once more per replica."""
_SILENT = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_DATA_DISABLE_PROGRESS_BARS": "1"}


class RayEngine:
    """``replicas`` copies of an engine, as a Ray Data actor pool. See ``harness.sampling.base.Engine``."""

    def __init__(
        self,
        model: str,
        factory: Factory,
        *,
        replicas: int = 0,
        on_gpu: bool = False,
    ) -> None:
        """Nothing is started yet.

        Args:
            model: what the replicas are called.
            factory: makes a replica's engine, on the replica's machine.
            replicas: copies; 0 is one per GPU of the cluster, or one per machine where there is none.
            on_gpu: a replica takes a GPU where there is one.
        """
        if find_spec("ray") is None:
            raise missing_package("a ray: model", "ray[data]", "ray")
        self.model = model
        self._factory = factory
        self._wants_gpu = on_gpu
        self._replicas = replicas
        self._card: ModelCard | None = None
        self._clerk: ActorHandle[Clerk] | None = None
        self._own = False

    @cached_property
    def max_chunk(self) -> int:
        """That of a replica."""
        return int(self._ask("max_chunk"))

    def card(self) -> ModelCard:
        """The card of a replica, and how many of them there are."""
        card = self._card = self._card or self._ask("card")
        size = self._place()[0]
        return replace(
            card, engine={**card.engine, "name": f"ray/{card.engine['name']}", "replicas": str(size)}
        )

    def render(self, request: Request) -> str:
        """As a replica renders it."""
        return str(self._ask("render", request))

    def draw(
        self, requests: Sequence[Request], sampling: Sampling, settled: Settled | None = None
    ) -> Generator[tuple[Request, list[Draw]]]:
        """Yield each request as its replica completes it; what a dead worker had goes back in the queue."""
        self._start()
        from ray.exceptions import RayError

        if len(requests) <= _FEW:
            try:
                yield from self._ask("draw", list(requests), sampling, settled)
            except RayError as error:
                _LOG.warning("a Ray worker failed, its requests go to others: %s", _last_line(error))
            else:
                return
        self._dismiss()
        pending = dict(enumerate(requests))
        why = f"{DEATHS} workers died of it"
        for attempt in range(_ROUNDS):
            try:
                # A worker that is started again draws its batch again. The index tells what is here already;
                # equal seeds make it the same draws.
                for index, draws in self._pipeline(pending, sampling, settled, attempt):
                    if index in pending:
                        yield pending.pop(index), draws
            except RayError as error:
                _raise_user_error(error)
                why = _last_line(error)
                _LOG.warning("a Ray pipeline failed with %d requests to go: %s", len(pending), why)
            if not pending:
                return
        for request in pending.values():
            yield request, [Draw("", request.n, "failed", error=f"{why} ({_ROUNDS} pipelines)")]

    def close(self) -> None:
        """Stop the workers, and Ray if it was started here."""
        self._dismiss()
        if self._own:
            import ray

            ray.shutdown()
            self._own = False

    def _start(self) -> None:
        """Join the cluster of RAY_ADDRESS, or start Ray on this machine."""
        for name, value in _SILENT.items():
            os.environ.setdefault(name, value)
        import ray

        if not ray.is_initialized():
            ray.init(log_to_driver=False, include_dashboard=False, logging_level=logging.ERROR)
            self._own = True

    def _place(self) -> tuple[int, dict[str, float]]:
        """How many replicas, and what each of them reserves."""
        self._start()
        import ray

        have = ray.cluster_resources()
        gpus = int(have.get("GPU", 0)) if self._wants_gpu else 0
        size = self._replicas or gpus or len(ray.nodes())
        if gpus:
            if size > gpus:
                raise UserError(
                    "more replicas than GPUs", found=size, expected=f"at most {gpus}, what this cluster has"
                )
            return size, {"num_cpus": 1.0, "num_gpus": 1.0}
        # Half the CPUs stay free, so that the tasks that feed the replicas are never starved by them.
        return size, {"num_cpus": min(1.0, have.get("CPU", 1.0) / (2 * size))}

    def _ask(self, what: str, *arguments: object) -> Any:
        """Ask one replica that lives from call to call, so that small questions load the model once."""
        _, reserved = self._place()
        import ray
        from ray.exceptions import RayError

        if self._clerk is None:
            self._clerk = ray.remote(**reserved)(Clerk).remote(self._factory)
        try:
            return ray.get(getattr(self._clerk, what).remote(*arguments))
        except RayError as error:
            _raise_user_error(error)
            self._dismiss()
            raise

    def _dismiss(self) -> None:
        """Free the place of that replica."""
        if self._clerk is not None:
            import ray

            ray.kill(self._clerk)
            self._clerk = None

    def _pipeline(
        self, pending: Mapping[int, Request], sampling: Sampling, settled: Settled | None, attempt: int
    ) -> Iterator[tuple[int, list[Draw]]]:
        size, reserved = self._place()
        import ray.data

        logging.getLogger("ray.data").setLevel(logging.ERROR)
        isolated = attempt == _ROUNDS - 1
        batch = 1 if isolated else min(_LARGEST, -(-len(pending) // (size * _BATCHES)))
        rows = [{"index": i, "request": json.dumps(asdict(r))} for i, r in pending.items()]
        ledger = ray.remote(num_cpus=0)(Ledger).remote()
        dataset = ray.data.from_items(rows, override_num_blocks=-(-len(rows) // batch)).map_batches(
            Replica,
            fn_constructor_args=(self._factory, sampling, settled, ledger),
            batch_size=batch,
            compute=ray.data.ActorPoolStrategy(size=size, max_tasks_in_flight_per_actor=2),
            **reserved,
        )
        dataset.context.enable_progress_bars = False
        dataset.context.max_errored_blocks = -1 if attempt else 0
        dataset.context.target_max_block_size = 1  # a request goes to the driver as soon as it is complete
        for row in dataset.iter_rows():
            yield int(row["index"]), [Draw(**fields) for fields in json.loads(row["draws"])]


def _last_line(error: BaseException) -> str:
    return clip(str(error).strip().splitlines()[-1])


def _raise_user_error(error: BaseException) -> None:
    """Raise the user error that a worker's error was caused by, if it was."""
    from ray.exceptions import RayError

    cause: object = error
    while isinstance(cause, BaseException):
        if isinstance(cause, UserError) and not isinstance(cause, RayError):
            raise cause
        cause = getattr(cause, "cause", None) or cause.__cause__
