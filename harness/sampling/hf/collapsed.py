"""Collapsed sampling: the distribution of n separate draws, at the cost of the distinct outputs.

n independent draws from one prompt are a multinomial over outputs. The engine keeps the distinct prefixes with
their counts; at each step it draws the next-token counts of each prefix, branches, and forwards each distinct
prefix once. Where no continuation can change the readers' decision, a branch stops.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np
import torch

from harness.errors import UserError
from harness.progress import Heartbeat, remaining, say
from harness.sampling.base import NO_LIMIT, Ahead, too_long
from harness.sampling.hf.budget import Budget, survives
from harness.sampling.hf.cache import open_forward
from harness.sampling.hf.checkpoint import load
from harness.sampling.hf.exact import UnderWay, exact
from harness.sampling.hf.frontier import Rows, Waiting, in_place
from harness.sampling.hf.lives import Lives
from harness.sampling.hf.outputs import Outputs
from harness.sampling.hf.pick import draw_tokens, not_numbers, root_keys
from harness.sampling.hf.source import find
from harness.terms import Draw

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from harness.sampling.base import Limit, ModelCard, Settled, Shares
    from harness.sampling.hf.cache import Forward
    from harness.sampling.hf.checkpoint import Checkpoint
    from harness.terms import Request, Sampling


SILENT_SECONDS = 10.0
"""No draw came for so long: say how far those under way are."""


class CollapsedEngine:
    """Samples a transformers causal language model. See ``harness.sampling.base.Engine``."""

    max_chunk = 1000

    def __init__(
        self,
        model: str,
        *,
        revision: str = "",
        device: str = "auto",
        dtype: str = "auto",
        template: str = "auto",
        trust_remote_code: bool = False,
        trust_pickle: bool = False,
        batch: int = 0,
    ) -> None:
        """Find the model; it is loaded when first needed.

        Args:
            model: a folder, an adapter folder or a hub id.
            revision: hub commit, tag or branch.
            device: auto, cpu, cuda or cuda:N.
            dtype: auto (the checkpoint's own; float32 on a CPU), float32, bfloat16 or float16.
            template: auto (the model's own chat template), none, or the path of a Jinja file.
            trust_remote_code: run code that came with the model.
            trust_pickle: read weights that are pickles.
            batch: rows per forward pass; 0 finds it.
        """
        self.source = find(model, revision, trust_pickle=trust_pickle)
        self._device, self._dtype, self._trust = device, dtype, trust_remote_code
        self._template = template
        self._batch = batch
        self._loaded: Checkpoint | None = None
        self.under_way: UnderWay | None = None
        """What was begun last."""

    @property
    def checkpoint(self) -> Checkpoint:
        """The loaded model."""
        if self._loaded is None:
            self._loaded = load(
                self.source, device=self._device, dtype=self._dtype, trust_remote_code=self._trust
            )
            self._open(self._loaded)
        return self._loaded

    def _open(self, checkpoint: Checkpoint) -> None:
        model = checkpoint.model
        self.chat = checkpoint.chat(self._template)
        self.ends = self.chat.ends(model)
        self.forward = open_forward(model, checkpoint.pad)
        config = model.config.get_text_config()
        self.budget = Budget(checkpoint.device, int(config.vocab_size), self._batch, model.num_parameters())
        self.window = int(getattr(config, "max_position_embeddings", 0) or 2**31)

    @property
    def forwards(self) -> int:
        """Forward passes so far."""
        return self.forward.calls if self._loaded else 0

    def card(self) -> ModelCard:
        """Identity of the model, its adapter and its template."""
        checkpoint = self.checkpoint
        return checkpoint.card(self.chat.digest)

    def render(self, request: Request) -> str:
        """The prompt with the chat template applied."""
        _ = self.checkpoint
        return self.chat.render(request)

    def draw(
        self, requests: Sequence[Request], sampling: Sampling, settled: Settled | None = None
    ) -> Iterator[tuple[Request, list[Draw]]]:
        """Yield each request with its draws, distinct texts with counts, as soon as it is complete."""
        _ = self.checkpoint
        prompts = self.chat.encode(requests)
        limits = self._limits(prompts, sampling)
        for i in np.flatnonzero(limits < 1).tolist():
            reason = too_long(len(prompts[i]), self.window)
            yield requests[i], [Draw("", requests[i].n, "failed", 0, reason)]
        walk = self.under_way = self._begun(requests, prompts, limits, sampling, settled)
        pace = Heartbeat(SILENT_SECONDS)
        while walk.begin():
            while walk.advance():
                for complete in walk.outputs.complete():
                    yield complete
                    pace = Heartbeat(SILENT_SECONDS)  # whoever counts these says how far it is
                if pace.due():
                    say(walk.under_way())
            yield from walk.outputs.complete()
        self.forward.drop()

    def left(self) -> float | None:
        """Seconds until what is under way has ended."""
        return self.under_way.left() if self.under_way else None

    def forecast(
        self, requests: Sequence[Request], sampling: Sampling, settled: Settled | None, seconds: float
    ) -> Ahead:
        """Begin to draw, for so many seconds or little more, and tell what all the draws would take."""
        _ = self.checkpoint
        prompts = self.chat.encode(requests)
        walk = self._begun(requests, prompts, self._limits(prompts, sampling), sampling, settled)
        start = time.monotonic()
        while walk.begin():
            while walk.advance():
                if walk.lives.known and time.monotonic() - start >= seconds:
                    self.forward.drop()
                    return walk.whole(time.monotonic() - start)
            for _ in walk.outputs.complete():
                pass
        self.forward.drop()
        return walk.whole(time.monotonic() - start)

    def _limits(self, prompts: Sequence[Sequence[int]], sampling: Sampling) -> NDArray[np.int64]:
        """Tokens that the output of each prompt may have."""
        return np.array([min(sampling.max_tokens, self.window - len(p)) for p in prompts], dtype=np.int64)

    def _begun(
        self,
        requests: Sequence[Request],
        prompts: Sequence[Sequence[int]],
        limits: NDArray[np.int64],
        sampling: Sampling,
        settled: Settled | None,
    ) -> Walk:
        # Longest first: memory runs out at once if it does, and prompts of one length share batches.
        order = sorted(np.flatnonzero(limits > 0).tolist(), key=lambda i: (-len(prompts[i]), prompts[i]))
        fresh = Rows(
            np.array(order, dtype=np.int64),
            root_keys([requests[i].seed for i in order]),
            np.array([requests[i].n for i in order], dtype=np.int64),
            np.zeros((len(order), 0), dtype=np.int32),
        )
        outputs = Outputs(requests, limits, self.chat, self.ends, sampling.stop, settled)
        return Walk(self.forward, self.budget, prompts, sampling, outputs, Waiting(fresh))

    def exact(
        self,
        requests: Sequence[Request],
        sampling: Sampling,
        classify: Callable[[Draw], str],
        settled: Settled | None = None,
        epsilon: float = 1e-3,
        limit: Limit = NO_LIMIT,
    ) -> Iterator[tuple[Request, Shares]]:
        """The exact measure of each request: see ``harness.sampling.hf.exact``."""
        return exact(self, requests, sampling, classify, settled, epsilon, limit=limit)

    def close(self) -> None:
        """Give the model's memory back."""
        self._loaded = self.under_way = None
        self.__dict__.pop("forward", None)
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


class Walk:
    """Follows batches of prefixes token by token.

    ``rows`` is always a consistent state: the prefixes that have been drawn and recorded up to here. What is on
    the device can be lost at any moment, out of memory, and is made again from ``rows``: no draw is.
    """

    def __init__(
        self,
        forward: Forward,
        budget: Budget,
        prompts: Sequence[Sequence[int]],
        sampling: Sampling,
        outputs: Outputs,
        waiting: Waiting,
    ) -> None:
        self.forward, self.budget, self.prompts = forward, budget, prompts
        self.sampling, self.outputs, self.waiting = sampling, outputs, waiting
        self.rows = Rows.none()
        self.logits: torch.Tensor | None = None
        self.begun = self.widest = 0
        self.lives = Lives(int(outputs.limits.max(initial=0)))
        self.told = 0
        """Tokens of all draws so far."""

    def under_way(self) -> str:
        """How far the batch is, and how long all draws still take."""
        return (
            f"{self.rows.counts.sum():,} draws under way as {len(self.rows):,} different texts, at token {self.rows.depth:,} "
            f"of at most {self.sampling.max_tokens:,}; {self.waiting.draws:,} draws wait; {remaining(self.left())}"
        )

    def left(self) -> float | None:
        """Seconds until all draws have ended; None where nothing tells yet."""
        return self._ahead().seconds if self.lives.known else None

    def whole(self, seconds: float) -> Ahead:
        """What all draws take, when so much has passed."""
        ahead = self._ahead()
        return Ahead(seconds + ahead.seconds, self.told + ahead.tokens)

    def _ahead(self) -> Ahead:
        at = dict(self.waiting.at())
        at[self.rows.depth] = at.get(self.rows.depth, 0) + int(self.rows.counts.sum())
        return self.lives.ahead({depth: draws for depth, draws in at.items() if draws})

    def begin(self) -> bool:
        """Take the next batch; false when nothing waits."""
        if not self.waiting:
            return False
        rows = self.waiting.next()
        head = rows.owner[: self.budget.rows]
        lengths = np.array([len(self.prompts[i]) for i in head])
        n = 1 if rows.depth else int(rows.counts[0])
        take = self.budget.fit(head, lengths, rows.depth, n)
        self.waiting.put(rows.take(slice(take, None)))
        self.rows, self.logits = rows.take(slice(take)), None
        self.begun = 0 if rows.depth else len(self.rows)
        self.lives.fade()
        self.widest = len(self.rows)
        return True

    def advance(self) -> bool:
        """Draw one token for every prefix; false at the batch's end. Out of memory: what is left waits, halved."""
        if not survives(self._advance):
            self.logits = None
            self.forward.drop()
            self.budget.halve(len(self.rows))
            self.waiting.put(self.rows)
            self.rows = Rows.none()
        elif not len(self.rows) and self.begun:
            self.budget.peaked(self.widest, self.begun)
        return len(self.rows) > 0

    def _advance(self) -> None:
        start, at, draws = time.monotonic(), self.rows.depth, int(self.rows.counts.sum())
        if self.logits is None:
            prompts = [self.prompts[i] for i in self.rows.owner]
            self.logits = self.forward.begin(prompts, self.rows.tokens)
            self.budget.measured(*self.forward.room(self.sampling.max_tokens - self.rows.depth))
        try:
            parents, tokens, counts = draw_tokens(
                self.logits, self.rows.keys, self.rows.counts, self.sampling
            )
        except UserError:
            broken = self.logits.amax(-1).isfinite().logical_not().nonzero()
            asked = self.outputs.requests[int(self.rows.owner[int(broken[0])])] if len(broken) else None
            raise not_numbers(f"{asked.context}/{asked.prompt}" if asked else "") from None
        children = self.rows.grow(parents, tokens, counts)
        alive = self.outputs.end(children)
        children, parents = children.take(alive), parents[alive]
        going = int(children.counts.sum())
        self.widest = max(self.widest, len(children))
        if len(children) > self.budget.rows:
            # Whole requests first, so that they complete.
            order = np.argsort(children.owner, kind="stable")
            self.waiting.put(children.take(order[self.budget.rows :]))
            kept = np.sort(order[: self.budget.rows])
            children, parents = children.take(kept), parents[kept]
        order = in_place(parents)
        self.rows, self.logits = children.take(order), None
        if len(self.rows):
            self.forward.branch(parents[order])
            self.logits = self.forward.step(self.rows.tokens[:, -1].astype(np.int64))
        self.told += draws
        self.lives.step(at, draws, draws - going, time.monotonic() - start)
