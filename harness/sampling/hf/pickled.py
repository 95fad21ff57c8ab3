"""Weights that are pickles: refused unless asked for. A pickle is a program that whoever reads it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.errors import UserError
from harness.raw import parse_json, read_text

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

PICKLES = (".bin", ".pt", ".pth")
NOT_WEIGHTS = {"training_args.bin", "optimizer.bin", "optimizer.pt", "scheduler.pt", "rng_state.pth"}


def refuse_pickles(names: Collection[str], model: str) -> None:
    """Refuse a model or an adapter whose weights transformers, peft or vLLM would read from a pickle.

    Args:
        names: of the files in its folder.
        model: as the user gave it.
    """
    stem = "adapter_model" if "adapter_config.json" in names else "model"
    if f"{stem}.safetensors" in names or f"{stem}.safetensors.index.json" in names:
        return
    found = sorted(n for n in names if n.endswith(PICKLES) and n not in NOT_WEIGHTS and "/" not in n)
    if found:
        raise UserError(
            "the weights are pickles, and a pickle may run code",
            where=model,
            found=", ".join(found[:4]),
            expected=f"{stem}.safetensors",
            hint="--trust-pickle, if you trust its author",
        )


def check_shards(folder: Path, model: str) -> None:
    """Refuse an index of shards that cannot be followed, or leads to anything but safetensors beside it."""
    index = folder / "model.safetensors.index.json"
    if (folder / "model.safetensors").is_file() or not index.is_file():
        return
    found = parse_json(read_text(index), str(index), "an index of shards, as save_pretrained writes it")
    shards = found.get("weight_map") if isinstance(found, dict) else None
    if not isinstance(shards, dict) or not shards:
        raise UserError("not an index of shards", where=str(index), expected="weight_map: {WEIGHT: FILE}")
    files = dict.fromkeys(str(name) for name in shards.values())
    strange = [n for n in files if "/" in n or "\\" in n or not n.endswith(".safetensors")]
    missing = [n for n in files if n not in strange and not (folder / n).is_file()]
    if strange or missing:
        raise UserError(
            "shards that are no safetensors of this folder" if strange else "shards that are not there",
            where=str(index),
            found=", ".join((strange or missing)[:4]),
            expected=f"all {len(files)} files that the index of {model} names, beside it",
            hint="" if strange else "copy or download the model again",
        )
