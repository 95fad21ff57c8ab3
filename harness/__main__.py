"""``python -m harness`` is the ``distalign`` command."""

from harness.cli.main import main

main()
