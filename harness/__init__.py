"""distalign: does a language model that is asked again and again answer with the distribution it should?

The names below are loaded on first use, so that importing costs nothing. Who uses them types ``import distalign``.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING

from harness.threads import settle

if TYPE_CHECKING:
    from harness.comparison import compare
    from harness.errors import IncompleteError, UserError
    from harness.evaluation import evaluate
    from harness.rescore import score
    from harness.runs.folder import Run
    from harness.tasks.target import load_target
    from harness.tasks.task import load_task

__version__ = "0.1.0"
__all__ = ["IncompleteError", "Run", "UserError", "compare", "evaluate", "load_target", "load_task", "score"]

settle(os.environ)

_HOME = {
    "IncompleteError": "errors",
    "Run": "runs.folder",
    "UserError": "errors",
    "compare": "comparison",
    "evaluate": "evaluation",
    "load_target": "tasks.target",
    "load_task": "tasks.task",
    "score": "rescore",
}


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'distalign' has no attribute {name!r}")
    return getattr(import_module(f"harness.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
