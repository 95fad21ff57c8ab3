"""Notes beside a checkpoint which people's replies it was trained on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.importers.corpus import messages
from harness.tasks import seen

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from harness.importers.corpus import Reply


def hashes_of(reply: Reply) -> tuple[int, int]:
    """Of a reply's conversation, and of its exchange."""
    return reply.talk, seen.exchange(messages(reply), reply.text)


def write_seen(folder: Path, hashes: Iterable[int], base: Path | None = None) -> None:
    """Write ``seen.parquet`` into a checkpoint's folder: hashes of the replies and of their conversations, no text.

    ``evaluate`` holds them against the task's people, and a run whose people were trained on is not ranked.

    Args:
        folder: the checkpoint's.
        hashes: ``hashes_of`` every reply that was trained on.
        base: folder of the model that the training started from; what it has seen counts too.
    """
    before = seen.read(base) if base is not None else None
    earlier = () if before is None else before.tolist()
    seen.write(folder, {*hashes, *earlier})
