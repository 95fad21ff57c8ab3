"""The choices measure at a server that tells the probabilities of tokens that one chooses: llama.cpp and vLLM.

The texts are those that the choices measure of transformers scores. Before the first, a look whether the
probabilities are the model's own, of temperature 1 and with nothing filtered: they must not change when the call asks
for another temperature and for the best token alone.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Protocol

import numpy as np

from harness import limits
from harness.errors import UserError
from harness.plaintext import storable
from harness.sampling.base import Shares
from harness.sampling.server.dialect import continues
from harness.sampling.server.kind import told
from harness.sampling.wordings import normalised, shared, written

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import httpx

    from harness.sampling.base import ModelCard
    from harness.sampling.server.engine import ServerEngine
    from harness.terms import Request

    Body = Mapping[str, object]

PLAIN: Body = {"temperature": 1.0, "top_p": 1.0, "top_k": 0, "min_p": 0.0}
ODD: Body = {"temperature": 2.0, "top_p": 1.0, "top_k": 1, "min_p": 0.0}
"""What would change the probabilities of any server that tells those it samples from."""
CLOSE = 0.02
"""Two logarithms that differ by less are one: a server does not compute the same twice to the last digit."""
_FEW, _ALL = 64, 2**20
"""Tokens whose probabilities llama.cpp is asked for: the likeliest, then every one."""


class Scorer(Protocol):
    """How one kind of server writes, cuts and scores a text."""

    def render(self, request: Request) -> str:
        """The prompt as the model sees it."""

    def tokens(self, text: str, *, templated: bool) -> list[int]:
        """A text's tokens."""

    def scores(self, ids: Sequence[int], start: int, *, odd: bool = False) -> list[float]:
        """Logarithms of the probabilities of the tokens from ``start`` on, each after all before it.

        ``odd`` asks with another temperature, and for the best token alone.
        """


class ServerChoices:
    """Scores wordings at a server."""

    def __init__(self, engine: ServerEngine) -> None:
        self._engine = engine
        self._scorer: Scorer | None = None

    def card(self) -> ModelCard:
        """What is known of the model and of the server."""
        return self._engine.card()

    def render(self, request: Request) -> str:
        """The messages as JSON, or the plain text."""
        return self._engine.render(request)

    def close(self) -> None:
        """Nothing is held."""

    def choices(
        self,
        requests: Sequence[Request],
        classes: Callable[[Request], Mapping[str, Sequence[str]]],
        about: Callable[[Request], str] | None = None,
    ) -> Iterator[tuple[Request, Shares]]:
        """Yield each request with the share of each of its classes. Arguments as for ``Choices``."""
        if about is not None:
            raise UserError("a server does not score associations", where="--measure", hint="--backend hf")
        with self._engine.client() as client:
            scorer = self._scorer or self._found(client)
            for request in requests:
                wordings = [(c, w) for c, ws in classes(request).items() for w in dict.fromkeys(ws)]
                templated = bool(request.messages)
                texts = written(request, [w for _, w in wordings], scorer.render, templated=templated)
                rows = [scorer.tokens(text, templated=templated) for text in texts]
                start = shared(rows)
                if not start:
                    raise UserError("these prompts have no token before the wordings", where=request.prompt)
                if start == max(map(len, rows)):
                    raise UserError("the server makes the same tokens of all wordings", where=request.prompt)
                logs = np.array([sum(scorer.scores(row, start)) for row in rows])
                if not logs.max() <= CLOSE or np.isinf(logs).all():  # nan is not either
                    raise _not_own(self._engine.where, f"logarithms of {logs.round(4).tolist()}")
                if self._scorer is None:
                    _own(scorer, rows[int(logs.argmin())], start, self._engine.where)
                    self._scorer = scorer
                yield request, Shares(normalised([c for c, _ in wordings], logs), 0.0)

    def _found(self, client: httpx.Client) -> Scorer:
        kind = self._engine.software.kind
        model = self._engine.card().model
        if kind == "llama.cpp":
            return LlamaCpp(client, self._engine.root, model)
        if kind == "vLLM":
            return Vllm(client, self._engine.root, model)
        raise UserError(
            "this server does not tell the probabilities of tokens that one chooses",
            where=self._engine.where,
            found=kind or "a server that does not say what it is",
            expected="llama.cpp or vLLM",
            hint="--measure draws",
        )


def _own(scorer: Scorer, row: Sequence[int], start: int, where: str) -> None:
    """Make sure that the probabilities are the model's own, by a wording that is not likely.

    Raises:
        UserError: they are those that are sampled from, or none.
    """
    plain, other = (np.array(scorer.scores(row, start, odd=odd)) for odd in (False, True))
    if (plain > CLOSE).any() or not np.allclose(plain, other, atol=CLOSE, rtol=0):
        told = f"logarithms of {plain.round(4).tolist()}, and at another temperature of {other.round(4).tolist()}"
        raise _not_own(where, told)


def _not_own(where: str, found: str) -> UserError:
    return UserError(
        "the probabilities that this server tells are not the model's own",
        where=where,
        found=found,
        expected="those of temperature 1, without filters, whatever is asked for",
        hint="--measure draws",
    )


class _Asked:
    """A server and a model of it."""

    def __init__(self, client: httpx.Client, root: httpx.URL, model: str) -> None:
        self._client, self._root, self._model = client, root, model

    def _ask(self, path: str, body: Body) -> Mapping[str, object]:
        found = told(self._client, self._root, path, {"model": self._model, **body}, self._seconds)
        if not found:
            raise UserError("the server gives no answer that can be read", where=f"{self._root}/{path}")
        return found

    def _tokens(self, path: str, body: Body, most: int = limits.RENDERED) -> list[int]:
        """The tokens that a path tells, if they are no more than ``most``."""
        found = self._ask(path, body).get("tokens")
        if not isinstance(found, list) or not all(isinstance(v, int) and 0 <= v < 2**31 for v in found):
            raise UserError("the server tells no tokens", where=f"{self._root}/{path}", found=found)
        if len(found) > most:
            said, expected = f"{len(found):,}", f"at most {most:,}"
            raise UserError("too many tokens", where=f"{self._root}/{path}", found=said, expected=expected)
        return found

    def _prompt(self, path: str, body: Body) -> str:
        """The prompt that a path tells."""
        found = self._ask(path, body).get("prompt")
        if not isinstance(found, str) or not storable(found):
            raise UserError("the server tells no prompt", where=f"{self._root}/{path}", found=found)
        return found

    @property
    def _seconds(self) -> float:
        return self._client.timeout.read or 600.0


class LlamaCpp(_Asked):
    """llama.cpp: the likeliest next tokens after a text that ends before the token."""

    def __init__(self, client: httpx.Client, root: httpx.URL, model: str) -> None:
        super().__init__(client, root, model)
        self._next: dict[tuple[int, ...], dict[int, float]] = {}

    def render(self, request: Request) -> str:
        """The prompt with the server's own chat template."""
        if not request.messages:
            return request.text
        return self._prompt("apply-template", {"messages": [m.turn() for m in request.messages]})

    def tokens(self, text: str, *, templated: bool) -> list[int]:
        """A text's tokens, as ``/completion`` makes them."""
        asked = {"content": text, "add_special": True, "parse_special": True}
        return self._tokens("tokenize", asked, _most(text))

    def scores(self, ids: Sequence[int], start: int, *, odd: bool = False) -> list[float]:
        """One call a token; of two wordings that begin alike the same calls serve both."""
        return [self._score(tuple(ids[:i]), ids[i], odd=odd) for i in range(start, len(ids))]

    def _score(self, before: tuple[int, ...], token: int, *, odd: bool) -> float:
        for most in (_FEW, _ALL):
            known = {} if odd else self._next.get(before, {})
            if token not in known:
                known = self._likeliest(before, most, odd=odd)
                if not odd:
                    self._next[before] = known
            if token in known:
                return known[token]
        return -np.inf

    def _likeliest(self, before: Sequence[int], most: int, *, odd: bool) -> dict[int, float]:
        asked = {
            **(ODD if odd else PLAIN),
            "prompt": list(before),
            "n_predict": 1,
            "n_probs": most,
            "post_sampling_probs": False,
            "samplers": ["temperature", *(["top_k"] if odd else [])],
            "cache_prompt": True,
        }
        places = self._ask("completion", asked).get("completion_probabilities")
        first = places[0] if isinstance(places, list) and places else {}
        rows = first.get("top_logprobs") if isinstance(first, dict) else None
        told = [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
        return {k: _logarithm(row.get("logprob")) for row in told if isinstance(k := row.get("id"), int)}


class Vllm(_Asked):
    """vLLM: the probabilities of a prompt's own tokens."""

    def render(self, request: Request) -> str:
        """The prompt with the server's own chat template."""
        if not request.messages:
            return request.text
        begun = continues(request)
        asked = {
            "messages": [m.turn() for m in request.messages],
            "add_generation_prompt": not begun,
            "continue_final_message": begun,
        }
        return self._prompt("detokenize", {"tokens": self._tokens("tokenize", asked)})

    def tokens(self, text: str, *, templated: bool) -> list[int]:
        """A text's tokens; a chat has its special ones already."""
        asked = {"prompt": text, "add_special_tokens": not templated}
        return self._tokens("tokenize", asked, _most(text))

    def scores(self, ids: Sequence[int], start: int, *, odd: bool = False) -> list[float]:
        """One call for all of them."""
        asked = {**(ODD if odd else PLAIN), "prompt": list(ids), "max_tokens": 1, "prompt_logprobs": 0}
        choices = self._ask("v1/completions", asked).get("choices")
        first = choices[0] if isinstance(choices, list) and choices else {}
        rows = first.get("prompt_logprobs") if isinstance(first, dict) else None
        if not isinstance(rows, list) or len(rows) != len(ids):
            raise UserError("vLLM tells no probabilities of the prompt's tokens", where=str(self._root))
        return [_logprob(row, token) for row, token in zip(rows[start:], ids[start:], strict=True)]


def _most(text: str) -> int:
    """Tokens that a text may have: one has a byte at least, but a character may be taken apart first."""
    return 16 * len(text.encode()) + 16


def _logprob(row: object, token: int) -> float:
    found = row.get(str(token)) if isinstance(row, dict) else None
    return _logarithm(found.get("logprob")) if isinstance(found, dict) else -np.inf


def _logarithm(value: object) -> float:
    """A logarithm; nan for what is none, which is refused with the rest."""
    return float(value) if isinstance(value, int | float) and not abs(value) > sys.float_info.max else np.nan
