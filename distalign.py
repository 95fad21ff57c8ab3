"""``import distalign``: the names for Python. ``python -m distalign``: the command.

In a checkout this is a module beside the packages; in a wheel it is the package ``distalign``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness import __version__ as __version__  # noqa: PLC0414  # exported: a type checker asks for the alias

if TYPE_CHECKING:
    from harness import *  # noqa: F403  # the names in harness.__all__, which are loaded on first use
else:
    from harness import __all__, __dir__, __getattr__  # noqa: F401  # for Python itself

if __name__ == "__main__":
    from harness.cli.main import main

    main()
