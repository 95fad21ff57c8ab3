"""Text to tokens and back: chat template, the tokens of a prompt, the ends of a turn, the text of an output."""

from __future__ import annotations

import hashlib
from functools import cached_property
from typing import TYPE_CHECKING

from harness import limits
from harness.errors import UserError, clip
from harness.raw import at_home, read_text
from harness.sampling.hf.limited import growing, within
from harness.tasks.template import REFUSED

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from harness.terms import Message, Request

SENTINEL = "distalign-turn"


def choose_template(tokenizer: PreTrainedTokenizerBase, template: str) -> str:
    """The chat template's source: the model's own (``auto``), none, or that of a file; '' is plain text."""
    if template == "none":
        return ""
    if template != "auto":
        try:
            return read_text(at_home(template))
        except UserError as error:
            raise UserError(
                "the chat template cannot be read",
                where=template,
                found=error.problem,
                expected="auto, none, or the path of a Jinja file",
            ) from error
    own = tokenizer.chat_template
    if isinstance(own, dict):
        own = own.get("default", "")
    return own or ""


class Chat:
    """How one model's prompts are written and its outputs are read."""

    def __init__(
        self, tokenizer: PreTrainedTokenizerBase, template: str = "auto", words: int = 2**31
    ) -> None:
        """Choose a template.

        Args:
            tokenizer: the model's.
            template: auto, none, or a file.
            words: how many tokens the model has, where that is known.
        """
        self.tokenizer = tokenizer
        self.words = words
        self.template = choose_template(tokenizer, template)

    @property
    def digest(self) -> str:
        """sha256 of the template, '' for plain text."""
        return hashlib.sha256(self.template.encode()).hexdigest() if self.template else ""

    def render(self, request: Request) -> str:
        """The exact text that the model sees, without the special tokens that raw text gets."""
        if not request.messages:
            return request.text
        if not self.template:
            return "\n\n".join(m.content for m in request.messages)
        return self._apply(request.messages, f"{request.context}/{request.prompt}")

    def _apply(self, messages: Sequence[Message], where: str) -> str:
        begun = messages[-1].role == "assistant"
        turns = [m.turn() for m in messages]
        hint = "--template none sends plain text, --template FILE another template"
        try:
            text = self._fill(turns, ask=not begun, go_on=begun)
        except (TimeoutError, MemoryError) as error:
            found = f"more than {limits.TEMPLATE_SECONDS:g} s"
            if isinstance(error, MemoryError):
                found = f"more than {limits.TEMPLATE_BYTES >> 20} MiB"
            problem = "the model's chat template does not end"
            raise UserError(problem, where=where, found=f"{found} for one prompt", hint=hint) from None
        except REFUSED as error:
            raise UserError(
                "the chat template refuses these messages",
                where=where,
                found=str(error).splitlines()[0] if str(error) else type(error).__name__,
                expected=f"roles that it knows; these are {', '.join(m.role for m in messages)}",
                hint=hint,
            ) from error
        most = limits.RENDERED + sum(len(m.content) for m in messages)
        if len(text) > most:
            found, expected = f"{len(text):,} characters", f"at most {most:,}"
            raise UserError(
                "the model's chat template writes too much",
                where=where,
                found=found,
                expected=expected,
                hint=hint,
            )
        return text

    def _fill(self, turns: list[dict[str, str]], *, ask: bool = False, go_on: bool = False) -> str:
        """What the template makes of a chat, within its limits of time and memory.

        Args:
            turns: the messages.
            ask: whether the model's turn is begun after them.
            go_on: whether the last of them is left open.
        """
        with within(limits.TEMPLATE_SECONDS), growing(limits.TEMPLATE_BYTES):
            filled = self.tokenizer.apply_chat_template(
                turns,
                chat_template=self.template,
                tokenize=False,
                add_generation_prompt=ask,
                continue_final_message=go_on,
            )
        return str(filled)

    def encode(self, requests: Iterable[Request]) -> list[list[int]]:
        """Token ids of each prompt. A template writes its own special tokens; raw text gets the default ones."""
        prompts = [(self.render(r), bool(r.messages and self.template)) for r in requests]
        out: list[list[int]] = [[] for _ in prompts]
        for templated in (True, False):
            places = [i for i, (_, t) in enumerate(prompts) if t is templated]
            for i, ids in zip(places, self.tokens([prompts[i][0] for i in places], templated), strict=True):
                out[i] = ids or self.start()
        return out

    def tokens(self, texts: list[str], templated: bool) -> list[list[int]]:
        """Token ids of rendered texts."""
        if not texts:
            return []
        found = self.tokenizer(
            texts, add_special_tokens=not templated, return_attention_mask=False, verbose=False
        )
        rows = [list(ids) for ids in found["input_ids"]]
        for text, ids in zip(texts, rows, strict=True):
            if max(ids, default=0) >= self.words:
                token = self.tokenizer.convert_ids_to_tokens(max(ids))
                raise UserError("a token that the model has not", where=clip(text), found=token)
        return rows

    def start(self) -> list[int]:
        """What stands before a text that has no token before it."""
        for token in (self.tokenizer.bos_token_id, self.tokenizer.eos_token_id):
            if token is not None and token < self.words:
                return [int(token)]
        raise UserError("an empty prompt, and the tokenizer has no token to begin with")

    def ends(self, model: PreTrainedModel) -> frozenset[int]:
        """Every token that ends an output: of the generation config, the tokenizer, and the turn's end."""
        found: set[int] = set()
        sources = (
            getattr(model.generation_config, "eos_token_id", None),
            getattr(model.config, "eos_token_id", None),
            self.tokenizer.eos_token_id,
        )
        for told in sources:
            ids = told if isinstance(told, list | tuple) else [] if told is None else [told]
            if not all(isinstance(i, int) and abs(i) < 2**31 for i in ids):
                raise UserError("an end token that is no number", found=told, expected="eos_token_id: NUMBER")
            found.update(ids)
        turn = self._turn_end()
        return frozenset(found if turn is None else found | {turn})

    def _turn_end(self) -> int | None:
        """The special token that the template writes after an assistant's words, if it writes one."""
        if not self.template:
            return None
        messages = [{"role": "user", "content": "a"}, {"role": "assistant", "content": SENTINEL}]
        try:
            text = self._fill(messages)
        except (TimeoutError, *REFUSED):
            return None
        _, found, rest = text.rpartition(SENTINEL)
        ids = self.tokenizer(rest, add_special_tokens=False)["input_ids"] if found and rest else []
        return int(ids[0]) if ids and ids[0] in self.tokenizer.added_tokens_decoder else None

    @cached_property
    def _silent(self) -> frozenset[int]:
        tok = self.tokenizer
        return frozenset(i for i in (tok.bos_token_id, tok.eos_token_id, tok.pad_token_id) if i is not None)

    def decode(self, outputs: Sequence[Sequence[int]], ends: frozenset[int]) -> list[str]:
        """Text of whole outputs, without tokens that begin, end or pad.

        Other special tokens stay: some models mark their reasoning with them, and a reader must see the marks.
        """
        if not outputs:
            return []
        silent = self._silent | ends
        kept = [[t for t in ids if t not in silent] for ids in outputs]
        return list(
            self.tokenizer.batch_decode(kept, skip_special_tokens=False, clean_up_tokenization_spaces=False)
        )

    @cached_property
    def pieces(self) -> list[str]:
        """Each token's text when it stands alone."""
        size = max(self.tokenizer.get_vocab().values()) + 1
        return list(
            self.tokenizer.batch_decode([[i] for i in range(size)], clean_up_tokenization_spaces=False)
        )

    def closers(self, stop: Sequence[str]) -> frozenset[int] | None:
        """Tokens that may complete a stop string; None when any may (a last blank can be lost in a lone token)."""
        last = {s[-1] for s in stop}
        if any(c.isspace() and c != "\n" for c in last):
            return None
        return frozenset(
            i for i, piece in enumerate(self.pieces) if not piece or "�" in piece or last & set(piece)
        )
