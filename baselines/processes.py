"""The processes that train together, and what is set before they start."""

from __future__ import annotations

import os
import sys
from datetime import timedelta
from typing import Protocol

from harness.errors import missing_package

WAIT = timedelta(days=1)
"""How long processes wait for one another: the first may draw texts for longer than the usual ten minutes."""


class Processes(Protocol):
    """accelerate's state: who this process is among those that train together."""

    is_main_process: bool

    def wait_for_everyone(self) -> None:
        """Return once all are here."""


def processes() -> Processes:
    """The processes of ``accelerate launch``; alone there is one. The first call sets what must be set before any."""
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    if not sys.stderr.isatty():
        # A log gets lines of ours; the bars of TRL and transformers would fill it. Read when tqdm is imported.
        os.environ.setdefault("TQDM_DISABLE", "1")
    # Without this setting cuBLAS may sum in another order in a second run of the same training.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    try:
        import peft  # noqa: F401  # asked for here so that a missing one is named before anything starts
        import trl  # noqa: F401
        from accelerate import PartialState
        from accelerate.utils import parse_flag_from_env
    except ImportError as error:
        raise missing_package("training", error.name or "trl", "train") from error
    # As the Trainer asks it: without a GPU, processes only find one another when told that there is none.
    found: Processes = PartialState(cpu=parse_flag_from_env("ACCELERATE_USE_CPU"), timeout=WAIT)
    return found
