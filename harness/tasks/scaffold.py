"""``task new``: writes a commented example of a task file, which passes ``task check`` unchanged."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from harness.errors import UserError
from harness.files import make_folder, write_atomic

if TYPE_CHECKING:
    from pathlib import Path

TEMPLATE = """\
name: {name}
version: 1                       # raise it when prompts, classes or the reader change
language: en                     # en or zh
attribute: handedness            # what is read from the answers
classes:                         # class: other wordings of it (the name itself always counts)
  left: [left-handed, lefty]
  right: [right-handed, righty]
contexts:                        # what is asked about; or the name of a CSV file with a column "id"
  - {{id: guitarists, people: guitarists}}
  - {{id: surgeons, people: surgeons}}
prompts:                         # Jinja over the columns of a context; also messages: [...] or completion: ...
  - {{id: hand, text: "Think of one of the world's {{{{ context.people }}}}, picked by chance. Left-handed or right-handed? One word."}}
sampling: {{max_tokens: 16}}       # temperature 1, top_p 1, top_k off unless you say otherwise
targets:                         # alias: a target's name, or the figures with their source
  uniform: uniform
  population:
    provenance: {{publisher: Your source, table: Name of the table, year: 2020, license: CC0-1.0, link: "https://example.org/table", note: Example figures to be replaced}}
    rows: {{guitarists: {{left: 0.1, right: 0.9}}, surgeons: {{left: 0.1, right: 0.9}}}}
examples:                        # texts with the label that the reader must give; 50 or more for a task you publish
  - {{text: "Left.", label: left}}
  - {{text: "I would guess right-handed.", label: right}}
  - {{text: "It could be either.", label: unparsed}}
"""


def check_name(name: str) -> None:
    """Refuse what cannot be a task's name."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,79}", name):
        raise UserError("not a usable task name", found=name, expected="letters, digits, _ . - (80 at most)")


def write_task(name: str, folder: Path) -> Path:
    """Write ``folder/name/task.yaml``; an existing file is never touched."""
    check_name(name)
    path = folder / name / "task.yaml"
    if path.exists():
        raise UserError("the file exists already", where=str(path), hint=f"distalign task check {path}")
    make_folder(path.parent)
    write_atomic(path, TEMPLATE.format(name=name))
    return path
