"""The exact measure: enumerates outputs, the most probable prefix first, until little mass is undecided.

Every outcome then has a certain lower bound (the mass of the outputs that were found to give it) and a certain
upper bound (that plus what is undecided); "certain" means up to the arithmetic of the model's forward pass.

In each pass a request expands the fewest prefixes that could bring it below epsilon; prefixes that stay heavy
go on within the pass, from the cache. Passes run over many requests at once.
"""

from __future__ import annotations

import math
from collections import defaultdict
from functools import partial
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch

from harness.progress import Outlook
from harness.sampling.base import NO_LIMIT, Shares
from harness.sampling.hf.budget import survives
from harness.sampling.hf.clock import Clock
from harness.sampling.hf.frontier import in_place
from harness.sampling.hf.kept import Unfinished
from harness.sampling.hf.pick import filtered, not_numbers, parts
from harness.sampling.hf.tree import Heavy, Leaves, Tree
from harness.terms import BETWEEN, Draw

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from harness.sampling.base import Limit, Settled
    from harness.sampling.hf.budget import Budget
    from harness.sampling.hf.cache import Forward
    from harness.sampling.hf.chat import Chat
    from harness.sampling.hf.checkpoint import Checkpoint
    from harness.terms import Request, Sampling

    Classify = Callable[[Draw], str]
    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

FLOOR = 1e-5
"""Prefixes lighter than this share of epsilon are never looked at: their mass stays undecided."""
EXPANSIONS = 20_000
"""Prefixes that one request may expand."""
GROUP = 64
"""Requests enumerated together."""
AIM = 0.9
"""A pass aims at this share of epsilon: at exactly epsilon rounding would ask for one pass more."""
FILL = 256
"""Prefixes that a pass expands at least: so few rows cost a forward pass hardly more than one."""
PASS = 4096
"""Prefixes that a pass expands at most, of all requests: so that the heaviest come first, and memory is bounded."""
PASS_SECONDS = 10.0
"""What a pass takes at most, about."""
SHOWN = 3
"""Outcomes whose bounds are told on the way."""


class UnderWay(Protocol):
    """Draws or an enumeration."""

    def left(self) -> float | None:
        """Seconds until all is done; None where nothing tells yet."""


class Enumerable(Protocol):
    """What is needed of a loaded model."""

    chat: Chat
    ends: frozenset[int]
    """Tokens that end an output."""
    forward: Forward
    budget: Budget
    window: int
    """Most tokens of prompt and output together."""
    under_way: UnderWay | None
    """What was begun last."""

    @property
    def checkpoint(self) -> Checkpoint:
        """The model; loads it, where it is not, and sets all of the above."""


class Enumeration:
    """Best-first enumeration over a group of requests."""

    def __init__(
        self,
        engine: Enumerable,
        requests: Sequence[Request],
        sampling: Sampling,
        classify: Classify,
        settled: Settled | None,
        epsilon: float,
        expansions: int,
        limit: Limit = NO_LIMIT,
    ) -> None:
        self.engine, self.requests, self.sampling = engine, requests, sampling
        self.prompts = engine.chat.encode(requests)
        self.classify, self.settled = classify, settled
        self.epsilon, self.expansions = epsilon, expansions
        self.ends = torch.tensor(sorted(engine.ends), device=engine.checkpoint.device)
        window = engine.window
        self.trees = {
            i: Tree(min(sampling.max_tokens, window - len(p)), Leaves(expansions), weight=epsilon / 4)
            for i, p in enumerate(self.prompts)
        }
        self.kept = Unfinished(limit.kept)
        for i, tree in self.trees.items():
            self.kept.load(requests[i], tree)
        self.before = sum(t.expanded for t in self.trees.values())
        self.clock = Clock(engine.forward, limit)
        self.outlook = Outlook()

    def run(self, members: Sequence[int]) -> Iterator[int]:
        """Work on some requests together until each is done or the clock stops; yield each as it is done."""
        start = np.array([i for i in members if not self.trees[i].expanded], dtype=np.int64)
        self._expand(Heavy(start, np.ones(len(start)), np.zeros((len(start), 0), dtype=np.int64)))
        active = list(members)
        while active:
            finished = [i for i in active if self._done(self.trees[i])]
            yield from finished
            active = [i for i in active if i not in set(finished)]
            for i in active:
                self.trees[i].mark()
            self.outlook.reach(self.expanded)
            self.keep(active)
            if self.clock.over():
                return
            for heavy in self._selected(active):
                self._expand(heavy)

    def keep(self, members: Sequence[int], *, now: bool = False) -> None:
        """Write what is known of some requests, as it was before the pass that is under way."""
        self.kept.save({self.requests[i]: self.trees[i] for i in members}, now=now)

    def _done(self, tree: Tree) -> bool:
        undecided = tree.undecided
        if undecided < self.epsilon or tree.expanded >= self.expansions:
            return True
        reachable = len(tree.leaves) > 0 and undecided - self.epsilon < tree.leaves.mass
        return tree.expanded > 0 and not reachable

    def _selected(self, active: Sequence[int]) -> list[Heavy]:
        """The leaves to expand next, by depth, those that need no expansion decided."""
        pace = max(FILL, int(PASS_SECONDS * self.pace))
        by_depth: dict[int, list[tuple[int, tuple[int, ...], float]]] = defaultdict(list)
        for i in active:
            tree = self.trees[i]
            need = tree.undecided - AIM * self.epsilon
            left = max(1, min(self.expansions - tree.expanded, PASS // len(active), pace // len(active)))
            taken, lightest = tree.leaves.take(need, FILL // len(active), left)
            tree.weight = min(tree.weight, lightest)
            for tokens, mass in taken:
                by_depth[len(tokens)].append((i, tokens, mass))
        groups = []
        for depth in sorted(by_depth):
            found = by_depth[depth]
            heavy = Heavy(
                np.array([owner for owner, _, _ in found]),
                np.array([mass for _, _, mass in found]),
                np.array([tokens for _, tokens, _ in found], dtype=np.int64),
            )
            groups.append(heavy.take(self.decide(heavy)))
        return groups

    def decide(self, heavy: Heavy) -> Ints:
        """Give an outcome to the prefixes that end here; the places of those that go on."""
        texts = self.engine.chat.decode(heavy.tokens.tolist(), self.engine.ends)
        going = []
        for row, text in enumerate(texts):
            tree, depth = self.trees[int(heavy.owner[row])], heavy.tokens.shape[1]
            stop = min((a for a in (text.find(s) for s in self.sampling.stop if s) if a >= 0), default=-1)
            if stop >= 0:
                draw = Draw(text[:stop], 1, "stop", depth)
            elif depth >= tree.limit:
                draw = Draw(text, 1, "length", depth)
            elif self.settled is not None and not text.endswith("�") and self.settled(text):
                draw = Draw(text, 1, "settled", depth)
            else:
                going.append(row)
                continue
            tree.decided[self.classify(draw)] += float(heavy.mass[row])
        return np.array(going, dtype=np.int64)

    def _expand(self, heavy: Heavy) -> None:
        """Expand prefixes in batches that fit, and what stays heavy below them."""
        waiting = [heavy]
        while waiting and not self.clock.over():
            part = waiting.pop()
            if not len(part):
                continue
            lengths = np.array([len(self.prompts[i]) for i in part.owner])
            size = self.engine.budget.fit(part.owner, lengths, part.depth, most=self.clock.tokens)
            read = int(lengths[np.unique(part.owner[:size], return_index=True)[1]].sum()) + size * part.depth
            waiting.append(part.take(slice(size, None)))
            descent = Descent(self, part.take(slice(size)))
            while len(descent.rows) and not self.clock.over():
                self.clock.tell(self._far)
                if not survives(partial(self.clock.timed, descent.step, read)):
                    self.engine.forward.drop()
                    self.engine.budget.halve(len(descent.rows))
                    break
                read = 0
                if len(descent.rows) > min(self.engine.budget.rows, self.clock.tokens):
                    break
            waiting.append(descent.rows)
        for part in waiting:
            if part.depth:  # a prompt whose first pass did not come is begun anew
                self._give_back(part)

    def _give_back(self, heavy: Heavy) -> None:
        """Prefixes that a limit left where they were are leaves again."""
        for owner, tokens, mass in zip(heavy.owner.tolist(), heavy.tokens, heavy.mass, strict=True):
            self.trees[owner].leaves.add(tokens[:-1], tokens[-1:], np.array([mass]))

    def children(self, logits: torch.Tensor, heavy: Heavy) -> tuple[Ints, Heavy]:
        """Book the children of some prefixes; the parents' places and the children that stay heavy."""
        found = [self._weigh(logits[part], heavy, part) for part in parts(logits)]
        ended, row, token, mass = (np.concatenate(x) for x in zip(*found, strict=True))
        self._book_ends(heavy, ended)
        told = np.concatenate([heavy.tokens[row], token[:, None]], axis=1)
        below = Heavy(heavy.owner[row], mass, told)
        going = self.decide(below)
        return row[going], below.take(going)

    def _weigh(self, logits: torch.Tensor, heavy: Heavy, part: slice) -> tuple[Floats, Ints, Ints, Floats]:
        """Of some rows, the mass that ends, and row, token and mass of each heavy child; light ones become leaves."""
        weights = filtered(logits, self.sampling)
        weights = (weights - weights.amax(-1, keepdim=True)).exp_()
        if self.sampling.temperature == 0:
            # NaN stays NaN.
            best = logits.argmax(-1, keepdim=True)
            weights = weights.mul_(0.0).scatter_add_(-1, best, weights.new_ones(best.shape))
        scale = torch.from_numpy(heavy.mass[part]).to(weights.device) / weights.sum(-1, dtype=torch.float64)
        broken = scale.isfinite().logical_not().flatten().nonzero()
        if len(broken):
            asked = self.requests[int(heavy.owner[part][int(broken[0])])]
            raise not_numbers(f"{asked.context}/{asked.prompt}")
        ended = (weights[:, self.ends].sum(-1, dtype=torch.float64) * scale).cpu().numpy()
        weights[:, self.ends] = 0.0
        kept = weights > (self.epsilon * FLOOR / scale).float()[:, None]
        row, token = kept.nonzero(as_tuple=True)
        below = (weights[row, token].double() * scale[row]).cpu().numpy()
        return ended, *self._light(heavy, row.cpu().numpy() + part.start, token.cpu().numpy(), below)

    def _book_ends(self, heavy: Heavy, ended: Floats) -> None:
        texts = self.engine.chat.decode(heavy.tokens.tolist(), self.engine.ends)
        for owner, text, mass in zip(heavy.owner.tolist(), texts, ended.tolist(), strict=True):
            tree = self.trees[owner]
            tree.expanded += 1
            if mass > 0:
                tree.decided[self.classify(Draw(text, 1, "stop", heavy.depth + 1))] += mass

    def _light(self, heavy: Heavy, row: Ints, token: Ints, mass: Floats) -> tuple[Ints, Ints, Floats]:
        """Keep the light children as leaves; the others."""
        weight = np.array([self.trees[i].weight for i in heavy.owner.tolist()])
        light = mass < weight[row]
        edges = np.searchsorted(row[light], np.arange(len(heavy) + 1))
        tokens, masses = token[light], mass[light]
        for i in np.flatnonzero(np.diff(edges)).tolist():
            own = slice(edges[i], edges[i + 1])
            self.trees[int(heavy.owner[i])].leaves.add(heavy.tokens[i], tokens[own], masses[own])
        return row[~light], token[~light], mass[~light]

    def _far(self) -> str:
        """How far the requests of this group are, and how long the whole takes still."""
        trees = [t for t in self.trees.values() if t.expanded and not t.told]
        undecided = sum(t.undecided for t in trees) / len(trees) if trees else 1.0
        lower: dict[str, float] = defaultdict(float)
        for tree in trees:
            for name, mass in tree.decided.items():
                lower[name.replace(BETWEEN, "+")] += mass / len(trees)
        shown = sorted(lower.items(), key=lambda item: -item[1])[:SHOWN]
        bounds = "; ".join(f"{name} {mass:.0%} to {mass + undecided:.0%}" for name, mass in shown)
        told = sum(t.told for t in self.trees.values())
        return (
            f"exact: {told} of {len(self.trees)} prompts done, {self.clock.forwards:,} forwards; of the {len(trees)} at "
            f"work {1 - undecided:.1%} is decided ({bounds or 'no outcome yet'}); {self.clock.still(self.left())}"
        )

    @property
    def expanded(self) -> int:
        """Prefixes that this call expanded."""
        return sum(t.expanded for t in self.trees.values()) - self.before

    @property
    def pace(self) -> float:
        """Prefixes expanded in a second."""
        return self.expanded / max(self.clock.seconds, 1e-9)

    def left(self) -> float | None:
        """Seconds until every request is done; None where nothing tells yet."""
        trees = list(self.trees.values())
        needed = [t.needed(self.epsilon) for t in trees]
        if all(n is None for n, t in zip(needed, trees, strict=True) if not t.ended) and not all(
            t.ended for t in trees
        ):
            return None
        known = [min(n, self.expansions) for n in needed if n is not None]
        usual = sum(known) / max(len(known), 1)
        whole = [usual if n is None else min(n, self.expansions) for n in needed]
        still = sum(max(w - t.expanded, 0.0) for w, t in zip(whole, trees, strict=True) if not t.ended)
        return self.outlook.left(self.expanded + math.ceil(still))


class Descent:
    """A batch on its way down. ``rows`` can be begun again whenever what is on the device is lost."""

    def __init__(self, enumeration: Enumeration, rows: Heavy) -> None:
        self.enumeration, self.rows = enumeration, rows
        self.logits: torch.Tensor | None = None

    def step(self) -> None:
        """Expand all rows and go on with their heavy children."""
        forward = self.enumeration.engine.forward
        if self.logits is None:
            prompts = [self.enumeration.prompts[i] for i in self.rows.owner]
            self.logits = forward.begin(prompts, self.rows.tokens)
        parents, below = self.enumeration.children(self.logits, self.rows)
        order = in_place(parents)
        self.rows, self.logits = below.take(order), None
        if 0 < len(self.rows) <= self.enumeration.engine.budget.rows:
            forward.branch(parents[order])
            self.logits = forward.step(self.rows.tokens[:, -1])


def exact(
    engine: Enumerable,
    requests: Sequence[Request],
    sampling: Sampling,
    classify: Classify,
    settled: Settled | None = None,
    epsilon: float = 1e-3,
    limit: Limit = NO_LIMIT,
    expansions: int = EXPANSIONS,
) -> Iterator[tuple[Request, Shares]]:
    """The distribution of outcomes under the model, with certain bounds; ``n`` and ``seed`` play no part.

    Args:
        engine: the model.
        requests: the prompts.
        sampling: temperature, top-p, top-k, stop strings and token cap, as in sampling.
        classify: the outcome of one output, as the readers give it.
        settled: true where no continuation of a text can change its outcome.
        epsilon: stop where less mass than this is undecided.
        limit: of all requests together; each group of them gets its part of it. Where it says so, what is known of
            requests that are not done is kept, and found again.
        expansions: stop a prompt after this many prefixes, whatever is undecided.

    Yields:
        Each request with its outcomes' lower bounds and the undecided mass.

    Raises:
        KeyboardInterrupt: it was interrupted; each request was yielded with the bounds it had.
    """
    _ = engine.checkpoint
    work = Enumeration(engine, requests, sampling, classify, settled, epsilon, expansions, limit)
    engine.under_way = work
    for i in [i for i, tree in work.trees.items() if tree.limit <= 0]:
        del work.trees[i]
        yield requests[i], Shares({"failed": 1.0}, 0.0)
    order = sorted(work.trees, key=lambda i: (-len(work.prompts[i]), work.prompts[i]))
    interrupted: KeyboardInterrupt | None = None
    for first in range(0, len(order), GROUP):
        group = order[first : first + GROUP]
        work.clock.share(len(group) / (len(order) - first))
        try:
            for i in work.run(group):
                yield requests[i], work.trees[i].result(ended=True)
        except KeyboardInterrupt as stop:
            interrupted, group = stop, order
        group = [i for i in group if not work.trees[i].told]
        work.keep(group, now=True)
        for i in group:
            yield requests[i], work.trees[i].result(ended=False)
        if interrupted:
            break
    engine.forward.drop()
    if interrupted:
        raise interrupted
