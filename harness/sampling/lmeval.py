"""The engine ``lm-eval``: draws from any model type of lm-evaluation-harness through its ``generate_until``.

lm-eval gives texts and nothing else. Whether the token cap cut a text is told from its length, where the model has
a tokenizer; special tokens that lm-eval drops are lost.
"""

from __future__ import annotations

import hashlib
import inspect
import random
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from importlib.metadata import version
from typing import TYPE_CHECKING

import numpy as np

from harness.errors import UserError, clip, missing_package, nearest
from harness.raw import at_home
from harness.sampling.base import ModelCard
from harness.sampling.tally import merged
from harness.terms import Draw

try:
    from lm_eval.api.instance import Instance
    from lm_eval.api.registry import get_model
    from lm_eval.models import MODEL_MAPPING
    from lm_eval.models.api_models import TemplateAPI
    from lm_eval.utils import simple_parse_args_string
except ImportError as error:
    raise missing_package("an lm-eval: model", error.name or "lm_eval", "lm-eval") from error

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lm_eval.api.model import LM

    from harness.sampling.base import Settled
    from harness.terms import Request, Sampling

_BATCH = 32
_HF = ("hf", "huggingface")


class LmEvalEngine:
    """An lm-eval model, named ``TYPE,key=value,...`` as ``lm_eval --model TYPE --model_args ...`` takes it."""

    max_chunk = 100

    def __init__(self, spec: str) -> None:
        """Check the type; the model is loaded when first needed."""
        self.type, _, self.args = spec.partition(",")
        if self.type not in MODEL_MAPPING:
            raise UserError(
                "lm-eval has no such model type",
                where=f"lm-eval:{spec}",
                found=self.type,
                expected="TYPE,key=value,... as in hf,pretrained=PATH",
                nearest=nearest(self.type, MODEL_MAPPING),
            )
        self.options = simple_parse_args_string(self.args)
        self._loaded: LM | None = None

    @property
    def model(self) -> LM:
        """The loaded model."""
        if self._loaded is None:
            try:
                self._loaded = get_model(self.type).create_from_arg_string(self.args, self._defaults())
            except (ImportError, OSError, ValueError, TypeError, AssertionError) as error:
                lines = str(error).strip().splitlines()
                raise UserError(
                    "lm-eval cannot make this model",
                    where=f"lm-eval:{self.type},{self.args}",
                    found=clip(lines[0]) if lines else type(error).__name__,
                ) from error
        return self._loaded

    def _defaults(self) -> dict[str, object]:
        """Options of hf models that the user left out; lm-eval's own are a batch of one on CUDA."""
        if not self.type.startswith(_HF):
            return {}
        import torch

        own = {"batch_size": _BATCH, "device": "cuda" if torch.cuda.is_available() else "cpu"}
        return {k: v for k, v in own.items() if k not in self.options}

    def card(self) -> ModelCard:
        """Identity of the model; of a folder or hub id with its weights, as the transformers engine states it."""
        template = self.model.chat_template(True) or ""
        versions = {
            p: version(p) for p in ("transformers", "torch") if not isinstance(self.model, TemplateAPI)
        }
        engine = {"name": "lm-eval", "lm_eval": version("lm_eval"), **versions, "type": self.type}
        digest = hashlib.sha256(template.encode()).hexdigest() if template else ""
        dtype, device = self._ran()
        model = str(self.options.get("pretrained") or self.options.get("model") or self.type)
        if not at_home(model).is_dir():
            revision = str(self.options.get("revision", ""))
            return ModelCard(model, revision, dtype=dtype, device=device, template=digest, engine=engine)
        from harness.sampling.hf.card import card_of
        from harness.sampling.hf.source import find

        source = find(model, trust_pickle=True)  # lm-eval has read its weights
        peft = self.options.get("peft")
        if peft:
            source = replace(find(str(peft), trust_pickle=True), base=source.base or source)
        return card_of(source, template=digest, engine=engine, dtype=dtype, device=device)

    def _ran(self) -> tuple[str, str]:
        """Dtype and device of a model of transformers; other types do not tell."""
        if not self.type.startswith(_HF):
            return "", ""
        dtype = str(self.model.model.dtype).removeprefix("torch.")
        return dtype, self.model.device.type

    def render(self, request: Request) -> str:
        """The prompt as lm-eval writes it; for a chat endpoint, its messages as JSON."""
        return str(self._context(request))

    def _context(self, request: Request) -> object:
        if not request.messages:
            return request.text
        turns = [m.turn() for m in request.messages]
        try:
            return self.model.apply_chat_template(
                turns, add_generation_prompt=turns[-1]["role"] != "assistant"
            )
        except NotImplementedError as error:
            raise UserError(
                "this lm-eval model type has no chat template",
                where=f"lm-eval:{self.type}",
                expected="a type with one (hf, vllm, local-chat-completions), or a task with completion prompts",
            ) from error

    def draw(
        self, requests: Sequence[Request], sampling: Sampling, settled: Settled | None = None
    ) -> Iterator[tuple[Request, list[Draw]]]:
        """Send ``n`` clones of a request at once; yield request after request."""
        for request in requests:
            context = self._context(request)
            clones = [
                Instance("generate_until", {}, (context, self._arguments(sampling, request.seed + i)), i)
                for i in range(request.n)
            ]
            texts = self._generate(clones, request.seed)
            draws = [self._draw(text, sampling) for text in texts]
            lost = request.n - len(draws)
            failed = [Draw("", lost, "failed", error="lm-eval gave no answer")] if lost else []
            yield request, merged(draws) + failed

    def close(self) -> None:
        """Forget the model."""
        self._loaded = None

    @property
    def _seeded(self) -> bool:
        """Whether each request carries its own seed; the other types draw from torch's one stream."""
        return isinstance(self.model, TemplateAPI) or self.type == "vllm"

    def _arguments(self, sampling: Sampling, seed: int) -> dict[str, object]:
        """All sampling parameters, the neutral ones too, in the words of this model type."""
        arguments: dict[str, object] = {
            "do_sample": True,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "max_gen_toks": sampling.max_tokens,
            "until": list(sampling.stop),
        }
        if self._seeded:
            # lm-eval itself sends one constant seed with every clone.
            arguments["seed"] = seed % 2**53
        if self.type.startswith(("openai-", "anthropic-", "litellm", "textsynth")):
            return arguments | ({"top_k": sampling.top_k} if sampling.top_k else {})
        if self.type.startswith(_HF):
            return arguments | {
                "top_k": sampling.top_k,
                "min_p": 0.0,
                "typical_p": 1.0,
                "repetition_penalty": 1.0,
                "num_beams": 1,
            }
        return arguments | {"top_k": sampling.top_k or -1}

    def _generate(self, clones: Sequence[Instance], seed: int) -> list[str]:
        generate = self.model.generate_until
        quiet = {"disable_tqdm": True} if "disable_tqdm" in inspect.signature(generate).parameters else {}
        if isinstance(self.model, TemplateAPI):
            # Clones differ in their seeds, which makes lm-eval send them one after the other.
            with ThreadPoolExecutor(max(1, int(self.options.get("num_concurrent", 1)))) as pool:
                return [
                    text for texts in pool.map(lambda c: generate([c], **quiet), clones) for text in texts
                ]
        if not self._seeded:
            _seed_all(seed)
        return list(generate(list(clones), **quiet))

    def _draw(self, text: str, sampling: Sampling) -> Draw:
        tokenizer = getattr(self.model, "tokenizer", None)
        if tokenizer is None or isinstance(self.model, TemplateAPI):
            return Draw(text)
        tokens = len(tokenizer.encode(text, add_special_tokens=False))
        return Draw(text, finish="length" if tokens >= sampling.max_tokens else "stop", tokens=tokens)


def _seed_all(seed: int) -> None:
    """The global streams that a model type may draw from."""
    import torch

    torch.manual_seed(seed)
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002 - what third-party code draws from
