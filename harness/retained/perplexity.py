"""The perplexity of a model on plain text, computed over a sliding window."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from harness.errors import UserError, missing_package
from harness.metrics.base import Surprise
from harness.metrics.retained import BITS_PER_BYTE, PERPLEXITY
from harness.raw import at_home, read_text
from harness.retained.record import PerplexityRecord

if TYPE_CHECKING:
    from harness.sampling.hf.checkpoint import Checkpoint


def windows(length: int, window: int, stride: int) -> list[tuple[int, int, int]]:
    """(begin, end, first scored) of each window over ``length`` tokens.

    Every token but the first is scored in exactly one window. Windows begin ``stride`` apart, so a scored
    token sees at least ``window - stride`` tokens before it wherever the text has them.
    """
    spans = []
    scored = 1
    for begin in range(0, length, stride):
        end = min(begin + window, length)
        if end > scored:
            spans.append((begin, end, scored))
            scored = end
        if end == length:
            break
    return spans


def perplexity(checkpoint: Checkpoint, text: str, window: int = 0, stride: int = 0) -> PerplexityRecord:
    """Perplexity of a text, by a window that slides.

    Each token counts once and with the same weight, however the windows fall. The text begins with the
    tokenizer's beginning-of-text token where it has one, so that its first token is predicted too.

    Args:
        checkpoint: a loaded causal model.
        text: what is predicted.
        window: tokens that the model sees at once; 0 is the model's own length, at most 1024.
        stride: tokens by which windows move on; 0 is half a window.
    """
    import torch

    tokenizer, model = checkpoint.tokenizer, checkpoint.model
    own = getattr(model.config.get_text_config(), "max_position_embeddings", None) or 1024
    window = window or min(own, 1024)
    stride = stride or window // 2
    if not 1 <= stride < window:
        raise UserError(
            "the stride is not smaller than the window", found=stride, expected=f"1 to {window - 1}"
        )
    ids = list(tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])
    if tokenizer.bos_token_id is not None:
        ids = [tokenizer.bos_token_id, *ids]
    if len(ids) < 2 or not text.strip():
        raise UserError("a text of fewer than two tokens has nothing to predict", found=text)

    total = 0.0
    for begin, end, first in windows(len(ids), window, stride):
        piece = torch.tensor([ids[begin:end]], device=checkpoint.device)
        keep = end - first
        with torch.inference_mode():
            logits = model(input_ids=piece).logits[0, -keep - 1 : -1].float()
        logs = logits.log_softmax(-1).gather(-1, piece[0, -keep:, None])
        total -= float(logs.double().sum())
    surprise = Surprise(total, len(ids) - 1, len(text.encode("utf-8")))
    return PerplexityRecord(
        perplexity=PERPLEXITY.compute(surprise),
        bits_per_byte=BITS_PER_BYTE.compute(surprise),
        tokens=len(ids) - 1,
        window=window,
        stride=stride,
        text=hashlib.sha256(text.encode("utf-8")).hexdigest(),
    )


def load_text(source: str, column: str = "text") -> str:
    """The text of a file, or of a data set's column joined by empty lines.

    Args:
        source: a text file; a .jsonl, .csv or .parquet file with ``column``; or a data set of the hub as
            ``NAME[:CONFIG][@SPLIT]``.
        column: which column holds the text.
    """
    path = at_home(source)
    kinds = {".jsonl": "json", ".json": "json", ".csv": "csv", ".parquet": "parquet"}
    here = path.exists() and not path.is_dir()
    if path.suffix not in kinds and (here or path.suffix in (".txt", ".md")):
        return read_text(path)
    try:
        import datasets
    except ImportError as error:
        raise missing_package("a data set as text", "datasets", "train") from error
    head, _, split = source.partition("@")
    name, _, config = head.partition(":")
    try:
        if path.is_file():
            rows = datasets.load_dataset(kinds[path.suffix], data_files=str(path), split="train")
        else:
            rows = datasets.load_dataset(name, config or None, split=split or "test")
    except (OSError, ValueError, ConnectionError, datasets.exceptions.DatasetNotFoundError) as error:
        raise UserError(
            "neither a file here nor a data set that the hub gave",
            where=source,
            found=str(error).splitlines()[0] if str(error) else type(error).__name__,
            expected="a text file, a table with a text column, or NAME[:CONFIG][@SPLIT]",
        ) from error
    if column not in rows.column_names:
        raise UserError(
            "no such column",
            where=source,
            found=column,
            expected=", ".join(rows.column_names),
            hint="--column NAME",
        )
    return "\n\n".join(str(t) for t in rows[column] if t and str(t).strip())
