"""The list of the engines. To read it imports no engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.sampling.spec import EngineSpec, Option

if TYPE_CHECKING:
    from harness.sampling.base import Engine
    from harness.sampling.spec import Opening

REVISION = Option("revision", "Hub revision of the model.")
TEMPLATE = Option("template", "Chat template: auto (the model's own), none, or a Jinja file.")
DTYPE = Option("dtype", "auto (the checkpoint's own; float32 on a CPU), float32, bfloat16 or float16.")
DEVICE = Option("device", "auto, cpu, cuda, cuda:1, …")
TRUST = Option("trust_remote_code", "Run code that comes with the model; recorded in the manifest.", bool)
PICKLE = Option(
    "trust_pickle", "Read weights in .bin files: a pickle may run code; recorded in the manifest.", bool
)
TIMEOUT = Option("timeout", "Seconds that one answer may take, and that may pass until the first draws.", int)
CONNECT = Option("connect_timeout", "Seconds to wait for a connection.", int)
REPLICAS = Option("replicas", "Copies that run side by side; default: one per GPU or machine.", int)


def _known(ask: Opening) -> Engine:
    from harness.sampling.known import KnownEngine

    assert ask.task is not None  # noqa: S101  # its spec says that it is made for a task
    return KnownEngine(ask.rest, ask.task, ask.targets)


def _check_known(rest: str) -> object:
    from harness.sampling.known import KnownSpec

    return KnownSpec.parse(rest)


def _hf(ask: Opening) -> Engine:
    from harness.sampling.hf.source import refuse_other

    refuse_other(ask.rest)
    if ask.measure == "choices":
        from harness.sampling.hf.choices import ChoicesEngine

        return ChoicesEngine(ask.rest, **ask.options)
    from harness.sampling.hf.collapsed import CollapsedEngine

    return CollapsedEngine(ask.rest, **ask.options)


def _vllm(ask: Opening) -> Engine:
    from harness.sampling.vllm import VllmEngine

    return VllmEngine(ask.rest, **ask.options)


def _llamacpp(ask: Opening) -> Engine:
    from harness.sampling.llamacpp import LlamaCppEngine

    return LlamaCppEngine(ask.rest, **ask.options)


def _server(ask: Opening) -> Engine:
    from harness.sampling.server.engine import ServerEngine

    engine = ServerEngine(ask.rest, **ask.options)
    if ask.measure == "choices":
        from harness.sampling.server.choices import ServerChoices

        return ServerChoices(engine)
    return engine


def _ollama(ask: Opening) -> Engine:
    from harness.sampling.server import ollama
    from harness.sampling.server.engine import ServerEngine

    return ServerEngine(ollama.spec(ask.rest), **ask.options, only_ollama=True)


def _ray(ask: Opening) -> Engine:
    from harness.sampling.ray import RayEngine

    assert ask.inner is not None  # noqa: S101  # its spec says that it carries another engine
    return RayEngine(ask.rest, ask.inner, on_gpu=ask.inner.spec.on_gpu, **ask.options)


def _lm_eval(ask: Opening) -> Engine:
    from harness.sampling.lmeval import LmEvalEngine

    return LmEvalEngine(ask.rest)


ENGINES: tuple[EngineSpec, ...] = (
    EngineSpec(
        "hf",
        "a path or hub id, sampled with transformers",
        ("draws", "exact", "choices"),
        _hf,
        (REVISION, TEMPLATE, DTYPE, DEVICE, TRUST, PICKLE),
        ("torch", "transformers", "peft"),
        extra="hf",
        own_randomness=True,
        on_gpu=True,
    ),
    EngineSpec(
        "vllm",
        "a path or hub id, sampled with vLLM",
        ("draws",),
        _vllm,
        (REVISION, TEMPLATE, DTYPE, TRUST, PICKLE),
        ("vllm", "torch", "transformers"),
        extra="vllm",
        on_gpu=True,
    ),
    EngineSpec(
        "llamacpp",
        "a GGUF file, sampled with llama.cpp",
        ("draws",),
        _llamacpp,
        (TEMPLATE,),
        ("xllamacpp", "transformers"),
        extra="gguf",
        on_gpu=True,
    ),
    EngineSpec(
        "server",
        "NAME@http://host:port/v1, a server",
        ("draws", "choices"),
        _server,
        (TIMEOUT, CONNECT),
        ("httpx",),
    ),
    EngineSpec(
        "ollama",
        "NAME, or NAME@http://host:port, a model of Ollama",
        ("draws",),
        _ollama,
        (TIMEOUT, CONNECT),
        ("httpx",),
    ),
    EngineSpec(
        "ray",
        "any of these model strings, in several copies",
        ("draws",),
        _ray,
        (REPLICAS,),
        ("ray",),
        extra="ray",
        carries=True,
    ),
    EngineSpec(
        "lm-eval",
        "TYPE,key=value,… as lm_eval --model TYPE --model_args … takes it",
        ("draws",),
        _lm_eval,
        (),
        ("lm_eval", "torch", "transformers"),
        extra="lm-eval",
        on_gpu=True,
    ),
    EngineSpec(
        "known",
        "target, uniform or FILE.yaml, with ,shift=S or ,unparsed=S: a stated distribution",
        ("draws", "exact", "choices"),
        _known,
        own_randomness=True,
        of_task=True,
        check=_check_known,
    ),
)
"""In the order in which help texts name them; a bare path or hub id belongs to the first."""


def all_options() -> dict[str, Option]:
    """Every option of any engine, by key."""
    return {option.key: option for spec in ENGINES for option in spec.options}


def all_packages() -> list[str]:
    """Every package that an engine is made of."""
    return list(dict.fromkeys(package for spec in ENGINES for package in spec.packages))
