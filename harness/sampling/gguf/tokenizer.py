"""Makes the tokenizer of a GGUF file into one of transformers that splits text as llama.cpp does."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from harness.errors import UserError, missing_package

try:
    import transformers
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, processors
    from transformers.integrations.gguf.gguf_tokenizer_mapping import (
        GGUF_PRE_TOKENIZER_SPLITS,
        convert_gguf_tokenizer,
    )
except ImportError as error:
    raise missing_package("a GGUF file", error.name or "transformers", "gguf") from error

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from transformers import PreTrainedTokenizerBase

    from harness.sampling.gguf.header import Header

OTHER_FORMAT = "take the model in another format, such as safetensors"
GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
DIGITS = (r"\p{N}", GPT2)
SPLITS: dict[str, Sequence[str]] = {
    "gpt-2": (GPT2,),
    "phi-2": (GPT2,),
    "mpt": (GPT2,),
    "olmo": (GPT2,),
    "smollm": DIGITS,
    "starcoder": DIGITS,
    "refact": DIGITS,
    "command-r": DIGITS,
    "codeshell": DIGITS,
    "exaone": DIGITS,
    "default": (r"[\p{P}\$\+<=>\^~\|]+", GPT2, r"\p{N}+", r"[0-9][0-9][0-9]"),
    "": (r"[\p{P}\$\+<=>\^~\|]+", GPT2, r"\p{N}+", r"[0-9][0-9][0-9]"),
}
"""How llama.cpp cuts text before it merges, where transformers does not say: each pattern within the last one's pieces."""
WHOLE = frozenset({"llama3", "llama-v3", "llama-bpe", "falcon3", "falcon-h1", "pixtral", "tekken"})
"""Where a word that is in the vocabulary is one token, whatever the merges say, and a text has its BOS token."""
UNKNOWN, CONTROL, USER = 2, 3, 4
"""Kinds of tokens that are found whole in a text."""
ENDS = frozenset(
    {
        "<|eot_id|>",
        "<|im_end|>",
        "<|end|>",
        "<end_of_turn>",
        "<turn|>",
        "<|endoftext|>",
        "<|eom_id|>",
        "<EOT>",
        "_<EOT>",
        "[EOT]",
        "<｜end▁of▁sentence｜>",
        "<end_of_utterance>",
        "<|end_of_text|>",
        "<|return|>",
        "<|call|>",
    }
)
"""Names of tokens that end an output whether or not a file says so; llama.cpp has the same rule."""


def make_tokenizer(header: Header) -> PreTrainedTokenizerBase:
    """The tokenizer with its special tokens and its chat template."""
    kind = str(header.metadata.get("tokenizer.ggml.model", ""))
    tokens = header.texts("tokenizer.ggml.tokens")
    if not tokens:
        raise UserError("the GGUF file holds no vocabulary", where=str(header.path))
    core = _byte_level(header) if kind == "gpt2" else _other(header)
    special: dict[str, str] = {}
    for role, key in (("bos", "bos"), ("eos", "eos"), ("unk", "unknown"), ("pad", "padding")):
        place = header.number(f"tokenizer.ggml.{key}_token_id")
        if place is not None and 0 <= place < len(tokens):
            special[f"{role}_token"] = str(core.id_to_token(place))
    _frame(core, header, kind, special)
    make: Callable[..., PreTrainedTokenizerBase] = transformers.PreTrainedTokenizerFast
    template = header.metadata.get("tokenizer.chat_template")
    window = header.number(f"{header.architecture}.context_length")
    return make(
        tokenizer_object=core,
        chat_template=template if isinstance(template, str) else None,
        clean_up_tokenization_spaces=False,
        **({"model_max_length": window} if window else {}),
        **special,
    )


def end_tokens(header: Header) -> list[int]:
    """Every token that ends an output: those that the file names, and control tokens with a name for it."""
    keys = ("eos", "eot", "eom")
    found = {header.number(f"tokenizer.ggml.{key}_token_id") for key in keys} - {None}
    kinds = header.numbers("tokenizer.ggml.token_type")
    for i, (token, kind) in enumerate(zip(header.texts("tokenizer.ggml.tokens"), kinds, strict=False)):
        if kind == CONTROL and token in ENDS:
            found.add(i)
    return sorted(i for i in found if i is not None)


def _byte_level(header: Header) -> Tokenizer:
    """Byte-level BPE, with every token as the file spells it."""
    rule = str(header.metadata.get("tokenizer.ggml.pre", ""))
    patterns = SPLITS.get(rule) or (
        [GGUF_PRE_TOKENIZER_SPLITS[rule]] if rule in GGUF_PRE_TOKENIZER_SPLITS else []
    )
    if not patterns:
        raise UserError(
            "the GGUF file's tokenizer cuts words by a rule that is not known here",
            where=str(header.path),
            found=rule,
            expected=", ".join(sorted({*SPLITS, *GGUF_PRE_TOKENIZER_SPLITS} - {""})),
            hint=OTHER_FORMAT,
        )
    tokens = header.texts("tokenizer.ggml.tokens")
    merges = [
        (left, right) for left, _, right in (m.partition(" ") for m in header.texts("tokenizer.ggml.merges"))
    ]
    words = {token: i for i, token in enumerate(tokens)}
    core = Tokenizer(models.BPE(vocab=words, merges=merges, ignore_merges=rule in WHOLE))
    cuts: list[pre_tokenizers.PreTokenizer] = [
        pre_tokenizers.Split(Regex(pattern), behavior="isolated") for pattern in patterns
    ]
    core.pre_tokenizer = pre_tokenizers.Sequence(
        [*cuts, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    core.decoder = decoders.ByteLevel()
    kinds = header.numbers("tokenizer.ggml.token_type")
    marked = [(t, k) for t, k in zip(tokens, kinds, strict=False) if k in (UNKNOWN, CONTROL, USER)]
    core.add_special_tokens([AddedToken(t, normalized=False, special=True) for t, k in marked if k != USER])
    core.add_tokens([AddedToken(t, normalized=False) for t, k in marked if k == USER])
    return core


def _other(header: Header) -> Tokenizer:
    """What transformers makes of the file, without tokens that are the habit of a class and not the file's."""
    names = {
        "tokens": "tokens",
        "merges": "merges",
        "scores": "scores",
        "token_type": "token_type",
        "model": "tokenizer_type",
        "precompiled_charsmap": "precompiled_charsmap",
    }
    keys = {f"tokenizer.ggml.{key}": name for key, name in names.items()}
    described = {name: header.metadata[key] for key, name in keys.items() if key in header.metadata}
    core, _ = convert_gguf_tokenizer(header.architecture, described)
    size = len(header.texts("tokenizer.ggml.tokens"))
    if core.get_vocab_size() > size:
        told = json.loads(core.to_str())
        told["added_tokens"] = [t for t in told["added_tokens"] if t["id"] < size]
        core = Tokenizer.from_str(json.dumps(told))
    spaced = header.metadata.get("tokenizer.ggml.model") == "llama"
    if spaced and header.architecture not in ("gemma", "gemma2", "gemma3", "phi3"):
        blank = header.metadata.get("tokenizer.ggml.add_space_prefix", True)
        core.normalizer = None
        core.pre_tokenizer = pre_tokenizers.Metaspace(
            replacement="▁", prepend_scheme="always" if blank else "never", split=False
        )
    return core


def _frame(core: Tokenizer, header: Header, kind: str, special: dict[str, str]) -> None:
    """The tokens that a plain text begins and ends with."""
    rule = str(header.metadata.get("tokenizer.ggml.pre", ""))
    usual = {"bos": kind == "llama" or rule in WHOLE, "eos": False}
    added = []
    for role in ("bos", "eos"):
        wanted = header.metadata.get(f"tokenizer.ggml.add_{role}_token", usual[role])
        name = special.get(f"{role}_token", "")
        added.append(name if wanted and name else "")
    first, last = added
    known = [(name, core.token_to_id(name)) for name in added if name]
    core.post_processor = processors.TemplateProcessing(
        single=" ".join(x for x in (first, "$A", last) if x),
        pair=" ".join(x for x in (first, "$A", "$B", last) if x),
        special_tokens=known,
    )
