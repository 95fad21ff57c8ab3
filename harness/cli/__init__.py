"""The ``distalign`` command: one thin file per verb."""
