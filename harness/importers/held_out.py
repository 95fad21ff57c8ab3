"""The test split of a corpus as a task: its own prompts, and each person's reply as a hidden reference."""

from __future__ import annotations

import heapq
import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from harness.begun import refuse_others
from harness.errors import UserError
from harness.files import make_folder, write_atomic
from harness.importers.corpus import Reply, messages
from harness.importers.gathered import context_of
from harness.importers.prompts import literal
from harness.reading.style import OUTCOMES

if TYPE_CHECKING:
    from collections.abc import Set

    from harness.tasks.target_file import Provenance

PROMPTS = 200
"""Per context, at most."""
MAX_TOKENS = 400
LONGEST = 60
"""Characters of a context's name that stands in ids."""


def _stem(context: str, at: int) -> str:
    """What the ids of a context's prompts begin with: its name, if that is short and of letters that an id may have."""
    return context if context.isascii() and len(context) <= LONGEST else f"context.{at}"


@dataclass(slots=True)
class HeldOut:
    """Replies of the test split, a random sample per context."""

    target: Path
    out: Path
    language: str
    provenance: Provenance
    seed: int
    kept: dict[str, list[tuple[int, int, Reply]]] = field(default_factory=dict)
    added: int = 0

    def __post_init__(self) -> None:
        """Refuse to write over what is no task of ours."""
        if not (self.out / "prompts.jsonl").is_file():
            ours = ("prompts.jsonl", "task.yaml")
            refuse_others(
                self.out, ours, "this is no task folder of people's replies, so it is not written into"
            )

    def add(self, reply: Reply) -> None:
        """Keep the reply if it falls into the sample; one without a question can be asked nothing."""
        if not reply.question:
            return
        self.added += 1
        kept, own = self.kept.setdefault(context_of(reply), []), reply.key
        if all(key != own for key, _, _ in kept):
            push = heapq.heappush if len(kept) < PROMPTS else heapq.heappushpop
            push(kept, (own, self.added, reply))

    def write(self, contexts: Set[str], corpus: str) -> None:
        """Write the task for the contexts that the target has; ``corpus`` is the hash of its records."""
        asked = {name: kept for name, kept in sorted(self.kept.items()) if name in contexts}
        if not asked:
            raise UserError(
                "no held-out reply has a question in a context of the target",
                where=str(self.out),
                found=", ".join(self.kept) or "no reply in the test split",
                expected=", ".join(sorted(contexts)),
            )
        prompts = [
            {
                "id": f"{_stem(name, at)}_{number}",
                "contexts": [name],
                "messages": [{"role": m.role, "content": literal(m.content)} for m in messages(reply)],
                "reference": reply.text,
                "conversation": f"{reply.talk:016x}",
            }
            for at, (name, kept) in enumerate(asked.items(), start=1)
            for number, (_, _, reply) in enumerate(sorted(kept), start=1)
        ]
        lines = [json.dumps(p, ensure_ascii=False) for p in prompts]
        make_folder(self.out)
        write_atomic(self.out / "prompts.jsonl", "\n".join(lines) + "\n")
        write_atomic(self.out / "task.yaml", self._task(list(asked), corpus))

    def _task(self, contexts: list[str], corpus: str) -> str:
        target = os.path.relpath(os.path.realpath(self.target), os.path.realpath(self.out))
        document = {
            "name": Path(os.path.realpath(self.out)).name,
            "version": 1,
            "title": f"Replies to people's own prompts ({self.language})",
            "language": self.language,
            "attributes": {
                name: {
                    "classes": list(classes),
                    "reader": {"name": "style", "feature": name},
                    "targets": {"people": target},
                }
                for name, classes in OUTCOMES.items()
            },
            "contexts": contexts,
            "prompts": "prompts.jsonl",
            "people": {"corpus": corpus, "split": "test", "seed": self.seed},
            "sampling": {"temperature": 1.0, "max_tokens": MAX_TOKENS},
            "license": self.provenance.license,
            "citation": f"{self.provenance.publisher}: {self.provenance.table}, {self.provenance.link}",
        }
        return yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=110)
