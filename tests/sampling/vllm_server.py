"""A real ``vllm serve`` on a free port, for tests and benchmarks."""

from __future__ import annotations

import os
import socket
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

STARTED = "Application startup complete"


@contextmanager
def vllm_served(python: str, folder: Path, *more: str, environment: Mapping[str, str]) -> Iterator[str]:
    """Its address, once it answers; it is ended with the block.

    Args:
        python: of the environment that has vLLM.
        folder: the model.
        *more: arguments besides those that a processor needs.
        environment: variables on top of this process's.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [
            *(python, "-m", "vllm.entrypoints.openai.api_server", "--model", str(folder)),
            *("--host", "127.0.0.1", "--port", str(port), "--enforce-eager", "--dtype", "float32", *more),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | environment,
    )
    log: list[str] = []
    try:
        assert process.stdout is not None  # it is a pipe
        for line in process.stdout:
            log.append(line)
            if STARTED in line:
                break
        else:
            raise RuntimeError("vllm serve did not start:\n" + "".join(log[-30:]))
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.terminate()
        process.communicate()
