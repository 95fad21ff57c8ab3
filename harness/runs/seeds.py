"""Seeds: one for each chunk of draws, spaced so that seeds an engine counts up from them never overlap."""

from __future__ import annotations

import hashlib

import numpy as np

BLOCK = 2**16
"""An engine may use ``seed`` to ``seed + BLOCK - 1`` for the draws of one chunk."""


def chunk_seed(run_seed: int, context: str, prompt: str, chunk: int) -> int:
    """The seed of one chunk, below 2**63, that depends on nothing but its arguments.

    The chunks of a prompt stand ``BLOCK`` apart from a random start. The distance is in the low 32 bits because
    some engines keep no more of a seed (torch on a CPU, llama.cpp): 65,536 chunks of a prompt are told apart even
    there. The upper bits are random for each prompt.
    """
    name = hashlib.sha256(f"{len(context)}:{context}{len(prompt)}:{prompt}".encode()).digest()
    key = tuple(int.from_bytes(name[i : i + 4], "big") for i in range(0, 16, 4))
    high, low = np.random.SeedSequence(run_seed, spawn_key=key).generate_state(2, np.uint32)
    return (int(high) >> 1 << 32) | (int(low) + chunk * BLOCK) % 2**32
