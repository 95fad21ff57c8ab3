"""Finds a transformers checkpoint: a folder, a GGUF file or a hub id; an adapter or a whole model."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from harness.contract import Contract, read_contract
from harness.errors import UserError, nearest
from harness.raw import parse_json, read_text
from harness.sampling.gguf.origin import read_origin
from harness.sampling.hf.pickled import NOT_WEIGHTS, PICKLES, check_shards, refuse_pickles

if TYPE_CHECKING:
    from collections.abc import Collection

    from pydantic import JsonValue


Kind = Literal["causal", "masked"]
WEIGHTS = ("*.safetensors", *(f"*{end}" for end in PICKLES), "*.gguf")
LAW = (
    "config.json",
    "generation_config.json",
    "adapter_config.json",
    "tokenizer*",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab*",
    "merges*",
    "*.model",
    "*.tiktoken",
    "*.py",
)
"""Files beside the weights that decide what a model draws. The chat template in use has a digest of its own."""
NOT_NEEDED = ("*.gguf", "*.h5", "*.msgpack", "*.onnx", "onnx/*", "original/*")
HUB_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Source:
    """Where a checkpoint lies: a folder on disk that holds its files."""

    name: str
    """As the user gave it."""
    folder: Path
    revision: str = ""
    """Hub commit; '' for a plain folder."""
    base: Source | None = None
    """The model under an adapter; None for a whole model."""
    contract: Contract = field(default_factory=Contract)
    file: Path | None = None
    """The GGUF file that ``folder`` was made from."""


def find(model: str, revision: str = "", *, weights: bool = True, trust_pickle: bool = False) -> Source:
    """Find a checkpoint's files: a folder as it is, a hub id through the hub's cache, a GGUF file unpacked.

    Args:
        model: a folder, a GGUF file, a folder of one GGUF model, or a hub id.
        revision: hub commit, tag or branch.
        weights: whether transformers is to read the weights; without, only a GGUF file's tokenizer is unpacked.
        trust_pickle: whether weights may be pickles.
    """
    refuse_other(model)
    folder = _path(model)
    commit = ""
    file = _gguf_in(folder)
    if file is not None:
        if revision:
            raise UserError("a revision is for hub ids; this is a file", where=model, found=revision)
        return _from_gguf(model, file, weights)
    if not folder.is_dir():
        folder, commit = _from_hub(model, revision, trust_pickle)
    elif revision:
        raise UserError("a revision is for hub ids; this is a folder", where=model, found=revision)
    contract = read_contract(folder)
    if not trust_pickle:
        refuse_pickles([p.name for p in folder.iterdir()], model)
    check_shards(folder, model)
    if (folder / "adapter_config.json").is_file():
        return Source(model, folder, commit, _base_of(folder, model, trust_pickle), contract)
    _check_folder(folder, model)
    return Source(model, folder, commit, None, contract)


def _path(name: str) -> Path:
    """A name as a path that can be looked for."""
    try:
        path = Path(name).expanduser()
        path.exists()
    except (OSError, ValueError, RuntimeError) as error:  # too long, a null byte, the home of nobody
        raise UserError(
            "no name of a model", where=name, found=str(error), expected="a folder, or a hub id"
        ) from None
    return path


def refuse_other(model: str) -> None:
    """Refuse what is no model here and no hub id, before the packages are imported that would read it: that takes seconds."""
    path = _path(model)
    if path.is_file() and path.suffix != ".gguf":
        raise UserError(
            "not a model",
            where=model,
            found="a file whose name does not end in .gguf",
            expected="a folder with config.json, a GGUF file, or a hub id",
        )
    if path.is_dir() and _gguf_in(path) is None:
        _check_folder(path, model)
    if path.exists():
        return
    if path.suffix == ".gguf":
        raise UserError("no such file", where=model, nearest=_beside(path))
    if not re.fullmatch(r"[\w-][\w.-]*(/[\w.-]+)?", model):
        raise UserError(
            "no such model folder",
            where=model,
            expected="a folder, or a hub id such as owner/name",
            nearest=_shipped(path) or _beside(path),
        )


def _check_folder(folder: Path, model: str) -> None:
    if not any((folder / name).is_file() for name in ("config.json", "adapter_config.json")):
        raise UserError(
            "not a model folder: it has no config.json and no adapter_config.json",
            where=model,
            found=", ".join(sorted(p.name for p in folder.iterdir())[:8]) or "an empty folder",
            expected="a folder that save_pretrained wrote, or a hub id such as owner/name",
        )


def _shipped(path: Path) -> str:
    """Where a tiny model lies that comes with distalign, as the documents name it: ``baselines/seed/causal``."""
    place = Path(__file__).parents[3] / path
    return str(place) if path.parts[:2] == ("baselines", "seed") and place.is_dir() else ""


def _beside(path: Path) -> str:
    """Names like that of a path, of what may be a model in its folder."""
    try:
        models = [p.name for p in path.parent.iterdir() if p.suffix == ".gguf" or p.is_dir()]
        return nearest(path.name, models)
    except OSError:
        return ""


def _gguf_in(place: Path) -> Path | None:
    """The GGUF model that a path means: the file itself, or the only one in a folder without another model."""
    if place.is_file():
        return place if place.suffix == ".gguf" else None
    if not place.is_dir() or (place / "adapter_config.json").is_file() or any(place.glob("*.safetensors")):
        return None
    # Later parts of a split model, and the eyes of a model that sees.
    other = re.compile(r"-(?!00001)\d{5}-of-\d{5}\.gguf$|^mmproj")
    found = sorted(p for p in place.glob("*.gguf") if not other.search(p.name))
    if len(found) > 1:
        raise UserError(
            "the folder holds several GGUF models",
            where=str(place),
            found=", ".join(p.name for p in found),
            expected="one of them by name",
        )
    return found[0] if found else None


def _from_gguf(model: str, file: Path, weights: bool) -> Source:
    from harness.sampling.gguf.convert import model_folder, tokenizer_folder
    from harness.sampling.gguf.header import parts, read_header

    files = parts(file)
    for part in files:
        read_header(part)
    sha256 = file_digest(file) if len(files) == 1 else _digest(files)
    make = model_folder if weights else tokenizer_folder
    return Source(model, make(file, sha256), file=file)


def _base_of(folder: Path, model: str, trust_pickle: bool) -> Source:
    settings = _read_json(folder / "adapter_config.json")
    base = settings.get("base_model_name_or_path")
    if not isinstance(base, str) or not base:
        raise UserError(
            "the adapter does not say which model it belongs to",
            where=f"{model}/adapter_config.json",
            expected="base_model_name_or_path: a path or hub id",
        )
    beside = os.path.normpath(folder / base)
    place = next((p for p in (_path(base), _path(beside)) if p.exists()), None)
    itself = UserError("the base of this adapter is itself an adapter", where=model, found=base)
    if place is not None and (place / "adapter_config.json").is_file():
        raise itself  # looked at before it is opened: two adapters may name each other
    revision = "" if place is not None else str(settings.get("revision") or "")
    found = find(base if place is None else str(place), revision, trust_pickle=trust_pickle)
    if found.base is not None:
        raise itself
    return found


def kind_of(folder: Path) -> Kind:
    """Causal or masked, by the architecture that the checkpoint names."""
    named = _read_json(folder / "config.json").get("architectures")
    names = named if isinstance(named, list) else []
    return "masked" if any("MaskedLM" in str(name) for name in names) else "causal"


def refuse_masked(source: Source) -> None:
    """Refuse a masked model where one is wanted that writes: transformers would load it, and it would write noise."""
    if kind_of((source.base or source).folder) == "masked":
        raise UserError(
            "a masked language model fills gaps and does not write",
            where=source.name,
            expected="a causal language model, or a task with measure: choices",
        )


def _read_json(path: Path) -> dict[str, JsonValue]:
    data = parse_json(read_text(path), str(path))
    if not isinstance(data, dict):
        raise UserError("not a JSON object", where=str(path), found=type(data).__name__)
    return data


def _from_hub(model: str, revision: str, trust_pickle: bool) -> tuple[Path, str]:
    """The snapshot folder of a hub id and its commit; weights in one format only."""
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    offline: tuple[type[Exception], ...] = (ConnectionError, *_transport_errors())
    try:
        info = HfApi().model_info(model, revision=revision or None, timeout=HUB_SECONDS)
        names = [s.rfilename for s in info.siblings or []]
        safe = any(n.endswith(".safetensors") for n in names)
        if not trust_pickle:
            refuse_pickles(names, model)  # before gigabytes are fetched
        ignored = [*NOT_NEEDED, *([f"*{end}" for end in PICKLES] if safe else ())]
        return Path(snapshot_download(model, revision=info.sha, ignore_patterns=ignored)), info.sha or ""
    except offline as error:
        # Compute nodes often have no way out: what was downloaded before is as good.
        problem = str(error)
    except (HfHubHTTPError, HFValidationError) as error:
        raise UserError(
            "the hub refuses this model", where=model, found=str(error).splitlines()[0]
        ) from error
    try:
        folder = Path(snapshot_download(model, revision=revision or None, local_files_only=True))
    except LocalEntryNotFoundError as error:
        raise UserError(
            "neither a folder here nor a model that the hub gave",
            where=model,
            found=problem.splitlines()[0] if problem else "no connection",
            expected="an existing folder, or a hub id that is cached or can be reached",
            nearest=_beside(_path(model)),
            hint=f"hf download {model}, where there is a connection; HF_HUB_OFFLINE=1 then needs none",
        ) from error
    return folder, folder.name if re.fullmatch(r"[0-9a-f]{40}", folder.name) else revision


def _transport_errors() -> tuple[type[Exception], ...]:
    """What the hub's client raises without a connection: it is built on httpx, newer ones on its successor."""
    found = [name for name in ("httpx", "httpx2") if importlib.util.find_spec(name)]
    return tuple(importlib.import_module(name).TransportError for name in found)


def weights_digest(folder: Path) -> str:
    """sha256 over the sorted names and contents of the weight files; '' when there are none.

    Of a folder that was made from a GGUF file it is that file's.
    """
    origin = read_origin(folder)
    if origin:
        return origin["sha256"]
    return _digest(_weights(folder))


def weights_size(folder: Path) -> int:
    """Bytes of the weight files."""
    return sum(p.stat().st_size for p in _weights(folder))


def _weights(folder: Path) -> set[Path]:
    return {p for pattern in WEIGHTS for p in folder.glob(pattern)} - {folder / n for n in NOT_WEIGHTS}


def law_digest(source: Source) -> str:
    """sha256 over the config, the tokenizer and whatever else decides the law, of an adapter and of its base."""
    folders = [source.folder, *([source.base.folder] if source.base else [])]
    found = [
        _digest({p for pattern in LAW for p in folder.glob(pattern) if p.is_file()}) for folder in folders
    ]
    return found[0] if len(found) == 1 else hashlib.sha256("\n".join(found).encode()).hexdigest()


def _digest(found: Collection[Path]) -> str:
    """sha256 over the sorted names and contents of files; '' when there are none."""
    files = sorted(found)
    if not files:
        return ""
    with ThreadPoolExecutor(4) as pool:
        digests = pool.map(file_digest, files)
    lines = "".join(f"{p.name} {d}\n" for p, d in zip(files, digests, strict=True))
    return hashlib.sha256(lines.encode()).hexdigest()


def file_digest(path: Path) -> str:
    """sha256 of a file."""
    # The hub's cache names a large file by its sha256: nothing to read then.
    target = path.resolve().name
    if path.is_symlink() and re.fullmatch(r"[0-9a-f]{64}", target):
        return target
    state = path.stat()
    return _content_digest(path, state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=1024)
def _content_digest(path: Path, size: int, modified: int) -> str:
    """sha256 of a file, read once for as long as its size and time stay; a run asks several times."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
