"""Which people's replies a checkpoint was trained on: hashes beside it, held against the prompts of a task."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from harness.errors import UserError
from harness.files import replacing
from harness.raw import at_home, read_parquet
from harness.tasks.prompts import render

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from harness.tasks.task import Task
    from harness.terms import Message

FILE = "seen.parquet"
"""In a checkpoint's folder."""
_COLUMN = "seen"


def exchange(asked: Sequence[Message], reply: str) -> int:
    """64 bits of a hash of what was asked, history and all, and what was replied."""
    said = json.dumps([[m.role, m.content] for m in asked] + [[reply]], ensure_ascii=False)
    return int.from_bytes(hashlib.blake2b(said.encode(), digest_size=8).digest(), "big")


def write(folder: Path, hashes: Iterable[int]) -> None:
    """Write the hashes of exchanges and conversations into a checkpoint's folder."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    column = np.unique(np.fromiter(hashes, dtype=np.uint64))
    with replacing(folder / FILE) as file:
        pq.write_table(pa.table({_COLUMN: column}), file)


def read(folder: Path) -> NDArray[np.uint64] | None:
    """The hashes in a checkpoint's folder; None where there are none."""
    import numpy as np
    import pyarrow as pa

    path = folder / FILE
    if not path.is_file():
        return None
    table = read_parquet(path, hint="the training that made it, again, into another folder")
    if table.schema != pa.schema({_COLUMN: pa.uint64()}) or table[_COLUMN].null_count:
        raise UserError(
            "this is no list of the replies that a checkpoint was trained on",
            where=str(path),
            found=str(table.schema),
            expected=f"{_COLUMN}: uint64",
        )
    return np.asarray(table[_COLUMN].to_numpy(), dtype=np.uint64)


def seen_of(models: Iterable[str], task: Task, asked: Iterable[tuple[str, str]]) -> int | None:
    """How many of a run's prompts are from conversations, or are exchanges, that a model was trained on.

    Args:
        models: folders of the model and its adapter; anything else knows nothing.
        task: a task with people's replies.
        asked: (context, prompt) of each question.

    Returns:
        None where no folder says what was trained on.
    """
    found = [read(at_home(name)) for name in models if name]
    seen = {int(x) for hashes in found if hashes is not None for x in hashes}
    if all(hashes is None for hashes in found):
        return None
    people = {p.id: p for p in task.prompts if p.reference}
    own = {(r.context, r.prompt): r.messages for r in render(task, task.contexts, task.prompts)}
    count = 0
    for key in asked:
        if key[1] in people:
            one = people[key[1]]
            talk = int(one.conversation, 16) if one.conversation else -1
            count += talk in seen or exchange(own[key], one.reference or "") in seen
    return count
