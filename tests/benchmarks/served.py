"""One model in all the software that ``servers`` compares: its files, and each way opened while it is needed."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal, NamedTuple

from tests.sampling.vllm_server import vllm_served

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from harness.sampling.base import Draws

Way = Literal["ours", "llama.cpp", "vllm serve", "vllm", "llama.cpp, stored"]
OURS: Way = "ours"
STORED: Way = "llama.cpp, stored"
WAYS: Mapping[Way, int] = {OURS: 1000, "llama.cpp": 100, "vllm serve": 100, "vllm": 100, STORED: 100}
"""Way -> draws of a question at once."""
SLOTS, WINDOW = 32, 256
THREADS = int(os.environ.get("OMP_NUM_THREADS", "1"))
ENVIRONMENT = {
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_LOGGING_LEVEL": "INFO",
    "HF_HUB_OFFLINE": "1",
}


class Model(NamedTuple):
    """The same weights in the form that each way takes."""

    name: str
    """Of the GGUF file that the weights come from."""
    folder: Path
    """A checkpoint of transformers."""
    float32: Path
    """A GGUF file."""
    stored: Path | None
    """The GGUF file that the weights come from; None where they were trained on since."""


def prepare(model: str, scratch: Path) -> Model:
    """A GGUF file, unpacked; or a checkpoint whose adapter is merged into the GGUF file that it was trained on."""
    from harness.sampling.hf.source import find
    from tests.benchmarks.real_speed import merged
    from tests.sampling.tiny_gguf import unpack_gguf

    source = find(model)
    folder = merged(source, scratch)
    file = source.file or (source.base.file if source.base else None)
    if file is None:
        raise SystemExit(f"{model}: neither a GGUF file nor an adapter on one")
    path = scratch / "f32.gguf"
    if not path.is_file():
        half = path.with_suffix(".part")
        unpack_gguf(file, half, folder if source.base else None).rename(path)
    return Model(file.name, folder, path, source.file)


@contextmanager
def opened(way: Way, model: Model, engines: Path) -> Iterator[Draws]:
    """The engine of a way, while it is needed."""
    from harness.sampling.server.engine import ServerEngine

    if way == OURS:
        from harness.sampling.hf.collapsed import CollapsedEngine

        yield CollapsedEngine(str(model.folder), device="cpu")
    elif way == "vllm":
        from harness.sampling.vllm import VllmEngine

        engine = VllmEngine(str(model.folder), window=WINDOW)
        yield engine
        engine.close()
    elif way == "vllm serve":
        # A prompt that is read in parts would wind seeded generators back, as a CPU's cannot.
        more = "--generation-config vllm --no-enable-chunked-prefill --block-size 32"
        asked = (*more.split(), "--max-model-len", str(WINDOW))
        with vllm_served(str(engines), model.folder, *asked, environment=ENVIRONMENT) as url:
            yield ServerEngine(url)
    else:
        file = model.float32 if way == "llama.cpp" else model.stored
        with llamacpp_served(str(file)) as url:
            yield ServerEngine(url)


@contextmanager
def llamacpp_served(file: str) -> Iterator[str]:
    """A llama.cpp server on a free port."""
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = file
    params.n_parallel, params.n_ctx = SLOTS, SLOTS * WINDOW
    params.warmup, params.verbosity, params.port = False, 0, 0
    params.cpuparams.n_threads = THREADS
    server = xllamacpp.Server(params)
    yield f"{server.listening_address}/v1"
    del server
