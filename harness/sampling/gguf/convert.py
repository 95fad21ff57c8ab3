"""Makes a GGUF model into a folder that transformers reads, once for a file, in the user's cache.

The weights are the file's numbers, dequantised; nothing is rounded. The folder is an ordinary checkpoint without
marks of quantisation, so everything that takes a checkpoint takes it: every engine, every method.
"""

from __future__ import annotations

import io
import json
import shutil
import tempfile
from collections import Counter
from contextlib import contextmanager, redirect_stderr
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import UserError, missing_package, of_disk
from harness.progress import phase
from harness.sampling.gguf.header import VALUES, Header, parts, read_header
from harness.sampling.gguf.origin import cache, write_origin

try:
    import torch
    import transformers
    from gguf.constants import GGMLQuantizationType

    from harness.sampling.gguf.tokenizer import OTHER_FORMAT, end_tokens, make_tokenizer
    from harness.sampling.hf.foreign import check_size, foreign
except ImportError as error:
    raise missing_package("a GGUF file", error.name or "transformers", "gguf") from error

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import BinaryIO

FORMAT = 1
"""Raised whenever the same file becomes another folder."""
ALIGNMENT = 32
WRITTEN = "5.0.0"
"""The version of transformers whose format this is: not today's, so that one file makes one folder everywhere."""
UNREAD = ("rope.scaling.type", "rope.scaling.factor")
"""Ways to stretch positions that transformers does not read from a GGUF file."""


def tokenizer_folder(path: Path, sha256: str) -> Path:
    """The folder with the file's tokenizer alone, for an engine that reads the weights itself."""
    folder = cache() / f"{sha256[:20]}-{FORMAT}-tokenizer"
    if not folder.is_dir():
        with phase(f"reading the tokenizer of {path.name}"), _making(folder) as making:
            header = read_header(parts(path)[0])
            with foreign("transformers cannot make this GGUF file's tokenizer", str(path), OTHER_FORMAT):
                _write_tokenizer(header, making)
            write_origin(making, sha256, header.quantisation)
    return folder


def model_folder(path: Path, sha256: str) -> Path:
    """The checkpoint folder of a GGUF model, made where it is not there yet."""
    folder = cache() / f"{sha256[:20]}-{FORMAT}"
    if not folder.is_dir():
        headers = [read_header(p) for p in parts(path)]
        _check_read(headers)
        with phase(f"unpacking {path.name} for transformers (once; kept in {cache()})"):
            _check_room(headers)
            tokens = tokenizer_folder(path, sha256)
            with _making(folder) as making:
                _write_weights(headers, making)
                shutil.copytree(tokens, making, dirs_exist_ok=True)
    return folder


@contextmanager
def _making(folder: Path) -> Iterator[Path]:
    """A folder under another name until it is whole; another process may make the same one meanwhile."""
    making = None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        making = Path(tempfile.mkdtemp(prefix=".making-", dir=folder.parent))
        yield making
        if not folder.is_dir():
            making.rename(folder)
    except Exception as err:
        if not of_disk(err):
            raise
        said = err.strerror if isinstance(err, OSError) else None
        raise _no_room(said or str(err), "room on a disk that can be written to") from err
    finally:
        if making is not None:
            shutil.rmtree(making, ignore_errors=True)


def _no_room(found: str, expected: str) -> UserError:
    return UserError(
        "too little room on the disk to unpack the GGUF file",
        where=str(cache()),
        found=found,
        expected=expected,
        hint="XDG_CACHE_HOME=/another/disk, or --backend llamacpp, which unpacks only the tokenizer",
    )


def _write_tokenizer(header: Header, folder: Path) -> None:
    tokenizer = make_tokenizer(header)
    tokenizer.save_pretrained(folder)
    settings: dict[str, int | list[int]] = {
        name: place
        for name, key in (("bos_token_id", "bos"), ("pad_token_id", "padding"))
        if (place := header.number(f"tokenizer.ggml.{key}_token_id")) is not None
    }
    ends = end_tokens(header)
    settings |= {"eos_token_id": ends} if ends else {}
    text = json.dumps({**settings, "transformers_version": WRITTEN}, indent=2) + "\n"
    (folder / "generation_config.json").write_text(text, encoding="utf-8")


def _check_read(headers: Sequence[Header]) -> None:
    """Refuse what transformers would leave out without a word: the model would be another one."""
    first = headers[0]
    stretched = [
        k for k in UNREAD if first.metadata.get(f"{first.architecture}.{k}") not in (None, "none", 1.0)
    ]
    names = [t.name for h in headers for t in h.tensors]
    stretched += [n for n in names if n.startswith("rope_f")]
    if stretched:
        raise UserError(
            "the GGUF file stretches positions in a way that transformers does not read",
            where=str(first.path),
            found=", ".join(stretched),
            hint="--backend llamacpp, or the model in another format, such as safetensors",
        )


def _dtype(headers: Sequence[Header]) -> torch.dtype:
    """The narrowest type that holds every number: that of a file that is not quantised, else float32."""
    held: Counter[str] = Counter()
    for tensor in (t for h in headers for t in h.tensors):
        held[GGMLQuantizationType(tensor.kind).name] += prod(tensor.shape)
    most = held.most_common(1)[0][0]
    if set(held) <= set(VALUES) and most in ("F16", "BF16"):
        return torch.float16 if most == "F16" else torch.bfloat16
    return torch.float32


def _check_room(headers: Sequence[Header]) -> None:
    values = sum(prod(t.shape) for h in headers for t in h.tensors)
    needed = values * _dtype(headers).itemsize + sum(t.size for h in headers for t in h.tensors)
    place = cache()
    place.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(place).free
    if free < needed:
        raise _no_room(f"{free / 1e9:.1f} GB free", f"{needed / 1e9:.1f} GB")


def _write_weights(headers: Sequence[Header], folder: Path) -> None:
    """Config and weights by transformers' own reading of GGUF.

    It is given the file without its vocabulary: it reads the metadata several times, at seconds per ten thousand
    tokens, and of the vocabulary needs its size alone.
    """
    bare = folder / "bare.gguf"
    with bare.open("wb") as file:
        _write_bare(headers, file)
    log = transformers.utils.logging
    level = log.get_verbosity()
    log.set_verbosity_error()  # type: ignore[no-untyped-call]  # these have no types
    read: Any = transformers.AutoModelForCausalLM  # its types do not know that a report may come too
    hint = "--backend llamacpp draws with llama.cpp, which reads more kinds"
    where = str(headers[0].path)
    try:
        with foreign("transformers cannot read this GGUF model", where, hint), redirect_stderr(io.StringIO()):
            config = transformers.AutoConfig.from_pretrained(folder, gguf_file=bare.name)
            check_size(read, config, sum(prod(t.shape) for h in headers for t in h.tensors), where)
            model, report = read.from_pretrained(
                folder,
                gguf_file=bare.name,
                quantization_config=transformers.GgufConfig(gguf_file=bare.name, dequantize=True),
                dtype=_dtype(headers),
                output_loading_info=True,
            )
    finally:
        log.set_verbosity(level)
    bare.unlink()
    lacking = sorted(report["missing_keys"])
    if lacking or report["mismatched_keys"]:
        raise UserError(
            "the GGUF file does not hold all weights of a causal language model of its architecture",
            where=str(headers[0].path),
            found=", ".join(lacking[:4]) or str(list(report["mismatched_keys"])[:2]),
        )
    _save(model, folder)


def _save(model: transformers.PreTrainedModel, folder: Path) -> None:
    """An ordinary checkpoint: without the marks of quantisation that transformers keeps."""
    for mark in ("quantization_config", "_name_or_path"):
        model.config.__dict__.pop(mark, None)
    for mark in ("hf_quantizer", "is_quantized", "quantization_method"):
        model.__dict__.pop(mark, None)
    model.config.architectures = [type(model).__name__]
    with redirect_stderr(io.StringIO()):
        model.save_pretrained(folder)
    (folder / "generation_config.json").unlink(missing_ok=True)  # the tokenizer's folder has the file's own
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config.pop("_name_or_path", None)
    config["transformers_version"] = WRITTEN
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def _write_bare(headers: Sequence[Header], file: BinaryIO) -> None:
    """One GGUF file of all tensors, with the metadata that is not the tokenizer's or a split's."""
    first = headers[0]
    kept = [k for k in first.metadata if not k.startswith(("tokenizer.ggml.", "split.", "general.alignment"))]
    kept += [k for k in first.metadata if k.startswith("tokenizer.ggml.") and k.endswith("_token_id")]
    words = len(first.texts("tokenizer.ggml.tokens"))
    size_key = f"{first.architecture}.vocab_size"
    added = b"" if size_key in first.metadata else _text(size_key) + _number("I", 4) + _number("I", words)
    tensors = [(h, t) for h in headers for t in h.tensors]
    file.write(b"GGUF" + _number("I", 3) + _number("Q", len(tensors)) + _number("Q", len(kept) + bool(added)))
    with first.path.open("rb") as source:
        for key in kept:
            start, end = first.spans[key]
            source.seek(start)
            file.write(source.read(end - start))
    file.write(added)
    at = 0
    for _, tensor in tensors:
        file.write(_text(tensor.name) + _number("I", len(tensor.shape)))
        file.write(
            b"".join(_number("Q", n) for n in tensor.shape) + _number("I", tensor.kind) + _number("Q", at)
        )
        at += -(-tensor.size // ALIGNMENT) * ALIGNMENT
    for header in headers:
        with header.path.open("rb") as source:
            for tensor in header.tensors:
                file.write(bytes(-file.tell() % ALIGNMENT))
                source.seek(tensor.start)
                file.write(source.read(tensor.size))


def _text(text: str) -> bytes:
    data = text.encode("utf-8")
    return _number("Q", len(data)) + data


def _number(kind: str, value: int) -> bytes:
    return value.to_bytes({"I": 4, "Q": 8}[kind], "little")
