"""Seeds: one per chunk, recorded with its draws, far enough apart that an engine's children never overlap."""

from __future__ import annotations

import hashlib

import numpy as np

BLOCK = 2**20
"""An engine may use ``seed`` to ``seed + BLOCK - 1`` for the draws of one chunk."""


def chunk_seed(run_seed: int, context: str, prompt: str, chunk: int) -> int:
    """The seed of one chunk: a multiple of ``BLOCK`` below 2**63 that depends on nothing but its arguments."""
    name = hashlib.sha256(f"{len(context)}:{context}{len(prompt)}:{prompt}".encode()).digest()
    key = tuple(int.from_bytes(name[i : i + 4], "big") for i in range(0, 16, 4))
    sequence = np.random.SeedSequence(run_seed, spawn_key=(*key, chunk))
    return (int(sequence.generate_state(1, np.uint64)[0]) >> 21) * BLOCK
