"""The ``distalign`` command: one short module for each subcommand."""
