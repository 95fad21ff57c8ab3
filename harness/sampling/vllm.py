"""The engine ``vllm``: one request for n draws, whose seeds count up from the chunk's seed."""

from __future__ import annotations

import gc
import json
import os
from importlib.metadata import version
from importlib.util import find_spec
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

from transformers import AutoConfig, GenerationConfig

from harness.errors import UserError, missing_package
from harness.sampling.base import too_long
from harness.sampling.hf.card import card_of
from harness.sampling.hf.chat import Chat
from harness.sampling.hf.foreign import foreign, load_tokenizer
from harness.sampling.hf.source import Source, find
from harness.sampling.tally import merged
from harness.terms import Draw

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from transformers import PreTrainedModel
    from vllm import LLM, CompletionOutput, SamplingParams
    from vllm.lora.request import LoRARequest

    from harness.sampling.base import ModelCard, Settled
    from harness.terms import Finish, Request, Sampling

_RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)
"""The largest LoRA ranks that vLLM can be built for."""
_QUEUED = 4096
"""Draws handed to the scheduler ahead of time: enough to keep a large GPU busy."""
_ENVIRONMENT = {"VLLM_NO_USAGE_STATS": "1", "VLLM_LOGGING_LEVEL": "ERROR", "VLLM_CPU_KVCACHE_SPACE": "2"}
"""No usage reports, no log lines among ours, and a cache in memory that a laptop can spare."""
GPU_MEMORY = 0.9
"""Share of a GPU's memory that is used."""


class VllmEngine:
    """A checkpoint in vLLM, on a GPU or on the CPU build. See ``harness.sampling.base.Engine``."""

    max_chunk = 1000

    def __init__(
        self,
        model: str,
        *,
        revision: str = "",
        template: str = "auto",
        dtype: str = "auto",
        trust_remote_code: bool = False,
        trust_pickle: bool = False,
        tensor_parallel: int = 1,
        window: int = 0,
    ) -> None:
        """Find the model; it is loaded when first needed.

        Args:
            model: a folder, an adapter folder or a hub id.
            revision: hub commit, tag or branch.
            template: auto (the model's own chat template), none, or the path of a Jinja file.
            dtype: auto (the checkpoint's own; float32 on a CPU), float32, bfloat16 or float16.
            trust_remote_code: run code that came with the model.
            trust_pickle: read weights that are pickles.
            tensor_parallel: GPUs that share one copy of the model.
            window: most tokens of prompt and output together; 0 is the model's own.
        """
        if find_spec("vllm") is None:
            raise missing_package("a vllm: model", "vllm", "vllm")
        self.source = find(model, revision, trust_pickle=trust_pickle)
        self._trust = trust_remote_code
        self._dtype = dtype
        self._parallel = tensor_parallel
        self._window = window
        own = (self.source.folder / "tokenizer_config.json").is_file()
        self._tokens = self.source.folder if own or self.source.base is None else self.source.base.folder
        self.chat = Chat(load_tokenizer(self._tokens, model, trust_remote_code=trust_remote_code), template)
        self._llm: LLM | None = None
        self._lora: LoRARequest | None = None
        self._number = 0

    @property
    def llm(self) -> LLM:
        """The loaded engine."""
        if self._llm is None:
            for name, value in _ENVIRONMENT.items():
                os.environ.setdefault(name, value)  # vLLM reads these once, when it is imported
            try:
                self._llm = self._load()
            except (ValueError, RuntimeError, OSError) as error:
                lines = str(error).strip().splitlines()
                raise UserError(
                    "vLLM cannot load this model",
                    where=self.source.name,
                    found=lines[-1] if lines else type(error).__name__,
                    hint="VLLM_LOGGING_LEVEL=INFO shows vLLM's own log; --backend hf loads it with transformers",
                ) from error
        return self._llm

    def _load(self) -> LLM:
        import vllm
        from vllm.lora.request import LoRARequest
        from vllm.platforms import current_platform

        options: dict[str, object] = {"dtype": self._dtype, "gpu_memory_utilization": GPU_MEMORY}
        if current_platform.is_cpu():
            # A prompt that is read in parts winds its seeded generator back, which those of a CPU cannot do.
            options = {
                "dtype": "float32" if self._dtype == "auto" else self._dtype,
                "enforce_eager": True,
                "enable_chunked_prefill": False,
            }
        if self._window:
            options["max_model_len"] = self._window
        if self.source.base is not None:
            self._lora = LoRARequest("adapter", 1, str(self.source.folder))
            options |= {"enable_lora": True, "max_lora_rank": _rank(self.source)}
        return vllm.LLM(
            model=str((self.source.base or self.source).folder),
            tokenizer=str(self._tokens),
            generation_config="vllm",
            trust_remote_code=self._trust,
            tensor_parallel_size=self._parallel,
            **options,
        )

    def card(self) -> ModelCard:
        """Identity of the model, its adapter and its template."""
        config = self.llm.llm_engine.model_config
        import vllm
        from vllm.platforms import current_platform

        return card_of(
            self.source,
            template=self.chat.digest,
            engine={
                "name": "vllm",
                "vllm": vllm.__version__,
                "torch": version("torch"),
                "transformers": version("transformers"),
            },
            dtype=str(config.dtype).removeprefix("torch."),
            device=current_platform.device_type,
        )

    def render(self, request: Request) -> str:
        """The prompt with the chat template applied."""
        return self.chat.render(request)

    def draw(
        self, requests: Sequence[Request], sampling: Sampling, settled: Settled | None = None
    ) -> Generator[tuple[Request, list[Draw]]]:
        """Keep the scheduler fed; yield each request when its last draw is done."""
        engine = self.llm.llm_engine
        window = int(engine.model_config.max_model_len)
        ends = self._ends()
        waiting = list(zip(requests, self.chat.encode(requests), strict=True))[::-1]
        running: dict[str, Request] = {}
        try:
            while waiting or running:
                while waiting and sum(r.n for r in running.values()) < _QUEUED:
                    request, ids = waiting.pop()
                    room = window - len(ids)
                    if room < 1:
                        reason = too_long(len(ids), window)
                        yield request, [Draw("", request.n, "failed", error=reason)]
                        continue
                    self._number += 1
                    name = str(self._number)
                    running[name] = request
                    engine.add_request(
                        name,
                        {"prompt_token_ids": ids},
                        _params(request, sampling, min(sampling.max_tokens, room), ends),
                        lora_request=self._lora,
                    )
                for output in engine.step() if running else []:
                    if output.finished:
                        yield running.pop(output.request_id), self._draws(output.outputs, sampling, ends)
        finally:
            if running:
                engine.abort_request(list(running))

    def close(self) -> None:
        """Stop vLLM's processes and free its memory."""
        if self._llm is not None:
            self._llm.llm_engine.engine_core.shutdown()
            self._llm = None
            gc.collect()

    def _ends(self) -> frozenset[int]:
        """Every token that ends an output; vLLM itself would only take the tokenizer's."""
        folder = (self.source.base or self.source).folder
        declared = None
        with foreign("transformers cannot read this model's configuration", self.source.name):
            config = AutoConfig.from_pretrained(folder, trust_remote_code=self._trust)
            if (folder / "generation_config.json").is_file():
                declared = GenerationConfig.from_pretrained(folder)
        return self.chat.ends(
            cast("PreTrainedModel", SimpleNamespace(config=config, generation_config=declared))
        )

    def _draws(
        self, outputs: Sequence[CompletionOutput], sampling: Sampling, ends: frozenset[int]
    ) -> list[Draw]:
        texts = self.chat.decode([list(o.token_ids) for o in outputs], ends)
        draws = []
        for output, text in zip(outputs, texts, strict=True):
            finish: Finish = "length" if output.finish_reason == "length" else "stop"
            if isinstance(output.stop_reason, str):
                cut = min((i for s in sampling.stop if (i := text.find(s)) >= 0), default=len(text))
                draws.append(Draw(text[:cut], finish=finish, tokens=len(output.token_ids)))
            else:
                draws.append(Draw(text, finish=finish, tokens=len(output.token_ids)))
        return merged(draws)


def _params(request: Request, sampling: Sampling, max_tokens: int, ends: frozenset[int]) -> SamplingParams:
    import vllm
    from vllm.sampling_params import RequestOutputKind

    return vllm.SamplingParams(
        n=request.n,
        seed=request.seed,
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        top_k=sampling.top_k,
        min_p=0.0,
        presence_penalty=0.0,
        frequency_penalty=0.0,
        repetition_penalty=1.0,
        max_tokens=max_tokens,
        stop=list(sampling.stop),
        stop_token_ids=sorted(ends),
        detokenize=bool(sampling.stop),  # only the search for stop strings needs vLLM's own text
        skip_special_tokens=False,
        output_kind=RequestOutputKind.FINAL_ONLY,
    )


def _rank(source: Source) -> int:
    """The smallest rank that vLLM can be built for and that holds this adapter."""
    settings = json.loads((source.folder / "adapter_config.json").read_text(encoding="utf-8"))
    ranks = [settings.get("r", 0), *(settings.get("rank_pattern") or {}).values()]
    fitting = [r for r in _RANKS if r >= max(ranks)]
    if not fitting:
        raise UserError(
            "an adapter of too high a rank for vLLM",
            where=source.name,
            found=max(ranks),
            expected="512 or less",
        )
    return fitting[0]
