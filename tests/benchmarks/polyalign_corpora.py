"""Short exchanges of corpora of people's replies, in splits: what PolyAlign is trained on where a real model is small.

python -m tests.benchmarks.polyalign_corpora OUT --model MODEL --corpus FILE[:FIRST] … [--alone NAME] …

Of the FIRST records of each file those are kept that stand among the first turns of a conversation and are short, with
question and reply together within ``--tokens`` of the model. Conversations are shared out by a hash of their name; in a
corpus that is named ``--alone`` each record is a conversation. OUT/NAME.jsonl has the splits train, validation and test.
OUT/search/NAME.jsonl has no test people, and the validation split in their place: for the choice of settings.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from baselines.polyalign.turns import tokenizer_with_template
from harness.files import write_atomic
from harness.sampling.hf.source import find

if TYPE_CHECKING:
    from collections.abc import Iterator

TRAIN, VALIDATION = 0.55, 0.65
"""Where the shares of the splits end."""


def records(path: Path, first: int) -> Iterator[dict[str, str]]:
    """The first records of a file."""
    with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open() as lines:
        yield from (json.loads(line) for line in islice(lines, first or None))


def split(conversation: str) -> str:
    """The split of a conversation."""
    at = int(hashlib.sha256(conversation.encode()).hexdigest()[:12], 16) / 16**12
    return "train" if at < TRAIN else "validation" if at < VALIDATION else "test"


def main() -> None:
    """Read, choose, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("--model", required=True)
    parser.add_argument("--corpus", action="append", required=True)
    parser.add_argument("--alone", action="append", default=[])
    parser.add_argument("--turns", type=int, default=6)
    parser.add_argument("--characters", type=int, default=420)
    parser.add_argument("--tokens", type=int, default=156)
    given = parser.parse_args()
    tokenizer = tokenizer_with_template(find(given.model).folder, "")
    for each in given.corpus:
        file, _, first = each.partition(":")
        name = Path(file).name.partition(".")[0]
        lines, search = [], []
        for record in records(Path(file), int(first or 0)):
            asked, told = record["prompt"], record["response"]
            late = name not in given.alone and int(record["turn"]) > given.turns
            if late or len(asked) + len(told) > given.characters:
                continue
            turns = [{"role": "user", "content": asked}, {"role": "assistant", "content": told}]
            text = tokenizer.apply_chat_template(turns, tokenize=False)
            if len(tokenizer(text, add_special_tokens=False)["input_ids"]) > given.tokens:
                continue
            own = split(record["id"] if name in given.alone else record["id"].rpartition("-")[0])
            lines.append(json.dumps({**record, "split": own}, ensure_ascii=False))
            if own != "test":
                held = "test" if own == "validation" else "train"
                search.append(json.dumps({**record, "split": held}, ensure_ascii=False))
        for folder, found in ((given.out, lines), (given.out / "search", search)):
            folder.mkdir(parents=True, exist_ok=True)
            write_atomic(folder / f"{name}.jsonl", "\n".join(found) + "\n")
        print(f"{name}: {len(lines)} replies")


if __name__ == "__main__":
    main()
