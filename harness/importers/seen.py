"""Notes beside a checkpoint which people's replies it was trained on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.importers.corpus import messages
from harness.tasks import seen

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from harness.importers.corpus import Reply


def write_seen(folder: Path, replies: Iterable[Reply], base: Path | None = None) -> None:
    """Write ``seen.parquet`` into a checkpoint's folder: hashes of the replies and of their conversations, no text.

    ``evaluate`` holds them against the task's people, and a run whose people were trained on is not ranked.

    Args:
        folder: the checkpoint's.
        replies: every reply that was trained on, as ``read_replies`` gives it.
        base: folder of the model that the training started from; what it has seen counts too.
    """
    hashes: set[int] = set()
    for reply in replies:
        hashes |= {reply.talk, seen.exchange(messages(reply), reply.text)}
    before = seen.read(base) if base is not None else None
    seen.write(folder, hashes if before is None else hashes | {int(x) for x in before})
