"""How many rows a batch may have: found from the free memory, halved when memory runs out."""

from __future__ import annotations

import math
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from harness.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

CPU_BYTES, CPU_SHARE = 2**30, 8
"""For caches and logits on a CPU: one part in so many of the memory that a process may have, but no less than these
bytes. On a GPU it is half of what is free once the model is loaded."""
CGROUP = Path("/sys/fs/cgroup/memory.max")
"""Where Linux tells what a container's processes may have, in bytes."""
CPU_ROWS, GPU_ROWS = 1024, 4096
TOGETHER, STEP_WEIGHTS = 128, 2e10
"""On a CPU prompts are begun together up to so many rows, or to so many weights times rows for a small model: more make
a step longer and not a draw faster, and results would come later."""
CPU_PREFILL, GPU_PREFILL = 16384, 65536
"""Prompt tokens in one forward."""


def cpu_bytes() -> int:
    """What caches and logits may take on a CPU."""
    whole = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    with suppress(OSError, ValueError):  # no container, or one without a limit
        whole = min(whole, int(CGROUP.read_text()))
    return max(CPU_BYTES, whole // CPU_SHARE)


def out_of_memory(error: Exception) -> bool:
    """Whether torch, on any device, says that memory ran out."""
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)


def survives(step: Callable[[], object]) -> bool:
    """Run a step; false when memory ran out in it. On return the error's traceback holds no tensors any more."""
    try:
        step()
    except RuntimeError as error:
        if not out_of_memory(error):
            raise
        return False
    return True


class Budget:
    """Rows per forward. ``batch`` > 0 fixes them, but for running out of memory."""

    def __init__(self, device: torch.device, vocabulary: int, batch: int = 0, weights: int = 0) -> None:
        gpu = device.type == "cuda"
        self.prefill = GPU_PREFILL if gpu else CPU_PREFILL
        self.bytes = torch.cuda.mem_get_info(device)[0] // 2 if gpu else cpu_bytes()
        self.most = batch or (GPU_ROWS if gpu else CPU_ROWS)
        self.fixed = batch > 0
        self.together = self.most
        """Rows that fresh prompts may have."""
        if weights and not gpu and not self.fixed:
            self.together = min(self.most, max(TOGETHER, int(STEP_WEIGHTS / weights)))
        self.rows = self.most
        # Logits, their weights and one intermediate, float32 each.
        self.logit_bytes = 12 * vocabulary
        self.spread = 0.0
        """Distinct prefixes per prompt where they were most, lately; 0 before the first batch."""

    def measured(self, kept: int, row_bytes: int) -> None:
        """The prompts of a batch take so many bytes, and a row up to ``row_bytes`` beside its logits."""
        if not self.fixed:
            self.rows = max(1, min(self.most, (self.bytes - kept) // (row_bytes + self.logit_bytes)))

    def halve(self, rows: int) -> None:
        """Memory ran out at ``rows`` rows."""
        if rows <= 1 and self.rows <= 1:
            raise UserError(
                "out of memory with a single sequence",
                hint="--dtype bfloat16, a shorter prompt, or a device with more memory",
            )
        self.rows = self.most = max(1, min(self.rows, rows) // 2)
        self.prefill = max(1, self.prefill // 2)

    def peaked(self, rows: int, prompts: int) -> None:
        """A batch of ``prompts`` fresh prompts had ``rows`` distinct prefixes at its widest."""
        self.spread = max(rows / prompts, 0.7 * self.spread)

    def fit(
        self,
        owners: NDArray[np.int64],
        lengths: NDArray[np.int64],
        depth: int,
        n: int = 1,
        most: float = math.inf,
    ) -> int:
        """How many of the first prefixes to take up together, each to branch into ``n`` at most.

        A prompt (``owners``, of ``lengths`` tokens) is read once for all its prefixes, and then their ``depth``
        tokens each; ``most`` tokens in all, where that is less than memory allows.
        """
        spread = min(1.25 * self.spread, n) if self.spread else n
        first = np.zeros(len(owners), dtype=np.int64)
        first[np.unique(owners, return_index=True)[1]] = 1
        read = np.cumsum(first * lengths + depth)
        within = int(np.searchsorted(read, min(self.prefill, most), side="right"))
        rows = self.rows if depth else min(self.rows, self.together)
        return max(1, min(int(rows / max(spread, 1)), within))
