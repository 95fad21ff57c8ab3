"""Loads a transformers model with its tokenizer and adapter, on a device, in a dtype."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.errors import UserError, missing_package
from harness.sampling.hf.card import card_of
from harness.sampling.hf.source import Kind, Source, refuse_masked, weights_size

try:
    import torch
    import transformers

    from harness.sampling.hf.attention import share_keys
    from harness.sampling.hf.chat import Chat
    from harness.sampling.hf.foreign import check_size, contained, foreign, load_tokenizer
except ImportError as error:
    raise missing_package("a model of transformers", error.name or "torch", "hf") from error

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from pathlib import Path

    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from harness.sampling.base import ModelCard


def pick_device(device: str) -> torch.device:
    """``auto`` is CUDA where there is one, else the CPU."""
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        chosen = torch.device(device)
    except RuntimeError as error:
        raise UserError("unknown device", found=device, expected="auto, cpu, cuda or cuda:N") from error
    if chosen.type == "cuda" and not torch.cuda.is_available():
        raise UserError("no CUDA device is visible to torch", found=device, hint="--device cpu")
    return chosen


def pick_dtype(dtype: str, stored: object, device: torch.device) -> torch.dtype:
    """``auto`` is the checkpoint's own; on a CPU float32, where half precision is slow and coarser."""
    names = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
    if dtype == "auto":
        own = stored if isinstance(stored, torch.dtype) else torch.float32
        return torch.float32 if device.type == "cpu" else own
    if dtype not in names:
        raise UserError("unknown dtype", found=dtype, expected=", ".join(["auto", *names]))
    return names[dtype]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A loaded model with its tokenizer and its identity."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    source: Source
    device: torch.device
    dtype: torch.dtype

    @property
    def words(self) -> int:
        """How many tokens the model has; a tokenizer may have more, which nobody should use."""
        return int(self.model.config.get_text_config().vocab_size)

    @property
    def pad(self) -> int:
        """What fills rows up; no attention is paid to it."""
        named = self.tokenizer.pad_token_id
        return named if named is not None and named < self.words else 0

    def chat(self, template: str = "auto") -> Chat:
        """How its prompts are written."""
        return Chat(self.tokenizer, template, self.words)

    def card(self, template: str) -> ModelCard:
        """The identity for the manifest; reads the files."""
        versions = {"torch": torch.__version__, "transformers": transformers.__version__}
        return card_of(
            self.source,
            template=template,
            engine={"name": "hf", **versions},
            dtype=str(self.dtype).removeprefix("torch."),
            device=self.device.type,
        )


def load(
    source: Source,
    *,
    kind: Kind = "causal",
    device: str = "auto",
    dtype: str = "auto",
    trust_remote_code: bool = False,
) -> Checkpoint:
    """Load a checkpoint for inference; an adapter goes on top of its base."""
    share_keys()
    base = source.base or source
    place = pick_device(device)
    auto = {"causal": transformers.AutoModelForCausalLM, "masked": transformers.AutoModelForMaskedLM}[kind]
    with foreign(f"transformers cannot load this as a {kind} language model", source.name):
        with contained():
            config = transformers.AutoConfig.from_pretrained(base.folder, trust_remote_code=trust_remote_code)
        if kind == "causal":
            refuse_masked(source)
        chosen = pick_dtype(dtype, config.dtype, place)
        if not trust_remote_code:
            check_size(auto, config, weights_size(base.folder), source.name)
        with quiet():
            model, report = auto.from_pretrained(
                base.folder,
                config=config,
                dtype=chosen,
                trust_remote_code=trust_remote_code,
                output_loading_info=True,
                ignore_mismatched_sizes=True,
            )
    tokenizer = load_tokenizer(
        _tokenizer_folder(source, base), source.name, trust_remote_code=trust_remote_code
    )
    _check_filled(report, base, kind)
    if source.base is not None:
        from harness.sampling.hf.adapter import with_adapter  # needs peft

        model = with_adapter(model, source, len(tokenizer), trust_remote_code=trust_remote_code)
    torch.nn.Module.to(model, place)
    made = Checkpoint(model.eval(), tokenizer, source, place, chosen)
    _try(made)
    return made


@contextmanager
def quiet() -> Iterator[None]:
    """No bar, and no table of the weights that were not found: that is an error, and said as one."""
    log = transformers.utils.logging
    bars, level = log.is_progress_bar_enabled(), log.get_verbosity()
    log.disable_progress_bar()  # type: ignore[no-untyped-call]  # these have no types
    log.set_verbosity_error()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        log.set_verbosity(level)
        if bars:
            log.enable_progress_bar()  # type: ignore[no-untyped-call]


def _try(made: Checkpoint) -> None:
    """Let the model read a few tokens: a config may fit the weights and still name what cannot be computed."""
    tokenizer, where = made.tokenizer, made.source.name
    own = set(tokenizer.get_vocab().values()) - set(tokenizer.added_tokens_decoder)
    if own and max(own) >= made.words:
        raise UserError(
            "the tokenizer has tokens that the model has not",
            where=where,
            found=f"a token of number {max(own):,}",
            expected=f"numbers below {made.words:,}",
        )
    with foreign("transformers cannot compute this model", where), torch.inference_mode():
        made.model(input_ids=torch.zeros((1, 2), dtype=torch.long, device=made.device))


def _check_filled(report: Mapping[str, Collection[Any]], source: Source, kind: Kind) -> None:
    """Weights that the files do not hold would be random numbers, and the draws those of no one's model."""
    missing = sorted(report["missing_keys"])
    other = [f"{name} {tuple(there)} for {tuple(here)}" for name, there, here in report["mismatched_keys"]]
    if missing or other:
        raise UserError(
            f"the files do not hold all weights of a {kind} language model of this architecture",
            where=source.name,
            found=f"{len(missing)} missing, {len(other)} of another shape: {', '.join([*missing, *other][:4])}",
            expected="a checkpoint with its output layer whose config.json fits its weights",
        )


def _tokenizer_folder(source: Source, base: Source) -> Path:
    # An adapter may bring its own tokenizer, with added tokens or another chat template.
    return source.folder if (source.folder / "tokenizer_config.json").is_file() else base.folder
