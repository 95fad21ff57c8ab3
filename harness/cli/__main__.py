"""``python -m distalign`` of a wheel: the ``distalign`` command."""

from harness.cli.main import main

main()
