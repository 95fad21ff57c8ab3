"""Finding and loading a transformers checkpoint: a folder or a hub id, an adapter or a whole model."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import pickle
import re
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from harness.errors import UserError, missing_package
from harness.sampling.base import ModelCard

try:
    import torch
    import transformers
    from safetensors import SafetensorError
except ImportError as error:
    raise missing_package("a model of transformers", error.name or "torch", "hf") from error

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from transformers import PreTrainedModel, PreTrainedTokenizerBase

Kind = Literal["causal", "masked"]
WEIGHTS = ("*.safetensors", "*.bin", "*.pt", "*.pth", "*.gguf")
NOT_WEIGHTS = {"training_args.bin", "optimizer.bin", "optimizer.pt", "scheduler.pt", "rng_state.pth"}
NOT_NEEDED = ("*.gguf", "*.h5", "*.msgpack", "*.onnx", "onnx/*", "original/*")
HUB_SECONDS = 20.0
CONTRACT = "distalign.json"


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
    contract: Mapping[str, object] = field(default_factory=dict)


def find(model: str, revision: str = "") -> Source:
    """Find a checkpoint's files: a folder as it is, a hub id through the hub's cache."""
    folder = Path(model).expanduser()
    commit = ""
    if not folder.is_dir():
        if folder.exists():
            raise UserError(
                "not a model folder", where=model, expected="a folder with config.json, or a hub id"
            )
        folder, commit = _from_hub(model, revision)
    elif revision:
        raise UserError("a revision is for hub ids; this is a folder", where=model, found=revision)
    contract = _contract(folder)
    if (folder / "adapter_config.json").is_file():
        return Source(model, folder, commit, _base_of(folder, model), contract)
    if not (folder / "config.json").is_file():
        raise UserError(
            "not a model folder: it has no config.json and no adapter_config.json",
            where=model,
            found=", ".join(sorted(p.name for p in folder.iterdir())[:8]) or "an empty folder",
            expected="a folder that save_pretrained wrote, or a hub id such as owner/name",
        )
    return Source(model, folder, commit, None, contract)


def _contract(folder: Path) -> Mapping[str, object]:
    """What reading the checkpoint's outputs needs: one key of a file that also says how it was made."""
    path = folder / CONTRACT
    found = _read_json(path).get("contract", {}) if path.is_file() else {}
    if not isinstance(found, dict):
        raise UserError(
            "the contract is not a mapping", where=str(path), found=found, expected='{"contract": {…}}'
        )
    return found


def _base_of(folder: Path, model: str) -> Source:
    settings = _read_json(folder / "adapter_config.json")
    base = settings.get("base_model_name_or_path")
    if not isinstance(base, str) or not base:
        raise UserError(
            "the adapter does not say which model it belongs to",
            where=f"{model}/adapter_config.json",
            expected="base_model_name_or_path: a path or hub id",
        )
    beside = (folder / base).resolve()
    if Path(base).expanduser().is_dir():
        found = find(base)
    elif beside.is_dir():
        found = find(str(beside))
    else:
        found = find(base, str(settings.get("revision") or ""))
    if found.base is not None:
        raise UserError("the base of this adapter is itself an adapter", where=model, found=base)
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


def _read_json(path: Path) -> dict[str, object]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError("cannot be read as JSON", where=str(path), found=str(error)) from error
    if not isinstance(data, dict):
        raise UserError("not a JSON object", where=str(path), found=type(data).__name__)
    return data


def _from_hub(model: str, revision: str) -> tuple[Path, str]:
    """The snapshot folder of a hub id and its commit; weights in one format only."""
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    if not re.fullmatch(r"[\w-][\w.-]*(/[\w.-]+)?", model):
        raise UserError(
            "no such model folder", where=model, expected="a folder, or a hub id such as owner/name"
        )
    offline: tuple[type[Exception], ...] = (ConnectionError, *_transport_errors())
    try:
        info = HfApi().model_info(model, revision=revision or None, timeout=HUB_SECONDS)
        names = [s.rfilename for s in info.siblings or []]
        safe = any(n.endswith(".safetensors") for n in names)
        ignored = [*NOT_NEEDED, *(("*.bin", "*.pt", "*.pth") if safe else ())]
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
            hint=f"hf download {model}, where there is a connection; HF_HUB_OFFLINE=1 then needs none",
        ) from error
    return folder, folder.name if re.fullmatch(r"[0-9a-f]{40}", folder.name) else revision


def _transport_errors() -> tuple[type[Exception], ...]:
    """What the hub's client raises without a connection: it is built on httpx, newer ones on its successor."""
    found = [name for name in ("httpx", "httpx2") if importlib.util.find_spec(name)]
    return tuple(importlib.import_module(name).TransportError for name in found)


def weights_digest(folder: Path) -> str:
    """sha256 over the sorted names and contents of the weight files; '' when there are none."""
    files = sorted(
        {p for pattern in WEIGHTS for p in folder.glob(pattern)} - {folder / n for n in NOT_WEIGHTS}
    )
    if not files:
        return ""
    with ThreadPoolExecutor(4) as pool:
        digests = pool.map(_file_digest, files)
    lines = "".join(f"{p.name} {d}\n" for p, d in zip(files, digests, strict=True))
    return hashlib.sha256(lines.encode()).hexdigest()


def _file_digest(path: Path) -> str:
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


def pick_device(device: str) -> torch.device:
    """``auto`` is CUDA where there is one, else the CPU."""
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        chosen = torch.device(device)
    except RuntimeError as error:
        raise UserError("unknown device", found=device, expected="auto, cpu, cuda or cuda:N") from error
    if chosen.type == "cuda" and not torch.cuda.is_available():
        raise UserError("no CUDA device is visible to torch", found=device, hint="--device cpu")
    return chosen


def pick_dtype(dtype: str, stored: object, device: torch.device) -> torch.dtype:
    """``auto`` is the checkpoint's own; on a CPU float32, where half precision is slow and coarser."""
    names = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
    if dtype == "auto":
        own = stored if isinstance(stored, torch.dtype) else torch.float32
        return torch.float32 if device.type == "cpu" else own
    if dtype not in names:
        raise UserError("unknown dtype", found=dtype, expected=", ".join(["auto", *names]))
    return names[dtype]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A loaded model with its tokenizer and its identity."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    source: Source
    device: torch.device
    dtype: torch.dtype

    def card(self, template: str, engine: str = "hf") -> ModelCard:
        """The identity for the manifest; reads the weight files."""
        base = self.source.base or self.source
        adapter = self.source if self.source.base else None
        versions = {"torch": torch.__version__, "transformers": transformers.__version__}
        return ModelCard(
            model=base.name,
            revision=base.revision,
            weights=weights_digest(base.folder),
            adapter=adapter.name if adapter else "",
            adapter_weights=weights_digest(adapter.folder) if adapter else "",
            template=template,
            contract={**base.contract, **self.source.contract},
            engine={
                "name": engine,
                **versions,
                "dtype": str(self.dtype).removeprefix("torch."),
                "device": self.device.type,
            },
        )


def load(
    source: Source,
    *,
    kind: Kind = "causal",
    device: str = "auto",
    dtype: str = "auto",
    trust_remote_code: bool = False,
) -> Checkpoint:
    """Load a checkpoint for inference; an adapter goes on top of its base."""
    base = source.base or source
    place = pick_device(device)
    auto = {"causal": transformers.AutoModelForCausalLM, "masked": transformers.AutoModelForMaskedLM}[kind]
    try:
        config = transformers.AutoConfig.from_pretrained(base.folder, trust_remote_code=trust_remote_code)
        if kind == "causal":
            refuse_masked(source)
        chosen = pick_dtype(dtype, config.dtype, place)
        with _quiet():
            model, report = auto.from_pretrained(
                base.folder,
                config=config,
                dtype=chosen,
                trust_remote_code=trust_remote_code,
                output_loading_info=True,
                ignore_mismatched_sizes=True,
            )
        tokenizer = transformers.AutoTokenizer.from_pretrained(
            _tokenizer_folder(source, base), trust_remote_code=trust_remote_code
        )
    except (
        OSError,
        ValueError,
        KeyError,
        ImportError,
        RuntimeError,
        EOFError,
        pickle.UnpicklingError,
        SafetensorError,
    ) as error:
        raise UserError(
            f"transformers cannot load this as a {kind} language model",
            where=source.name,
            found=_said(error),
            hint="--trust-remote-code, if you trust its author" if "trust_remote_code" in str(error) else "",
        ) from error
    _check_filled(report, base, kind)
    if source.base is not None:
        model = _with_adapter(model, source, len(tokenizer))
    torch.nn.Module.to(model, place)
    return Checkpoint(model.eval(), tokenizer, source, place, chosen)


@contextmanager
def _quiet() -> Iterator[None]:
    """No bar, and no table of the weights that were not found: that is an error here, and said as one."""
    log = transformers.utils.logging
    bars, level = log.is_progress_bar_enabled(), log.get_verbosity()
    log.disable_progress_bar()  # type: ignore[no-untyped-call]  # these have no types
    log.set_verbosity_error()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        log.set_verbosity(level)
        if bars:
            log.enable_progress_bar()  # type: ignore[no-untyped-call]


def _said(error: Exception) -> str:
    """The first line of an error that says something: PyTorch's begin with a headline."""
    lines = [line.strip() for line in str(error).strip().splitlines()]
    told = [line for line in lines if line and not line.startswith("Error(s) in loading")]
    return told[0] if told else type(error).__name__


def _check_filled(report: Mapping[str, Collection[Any]], source: Source, kind: Kind) -> None:
    """Weights that the files do not hold would be random numbers, and the draws those of no one's model."""
    missing = sorted(report["missing_keys"])
    other = [f"{name} {tuple(there)} for {tuple(here)}" for name, there, here in report["mismatched_keys"]]
    if missing or other:
        raise UserError(
            f"the files do not hold all weights of a {kind} language model of this architecture",
            where=source.name,
            found=f"{len(missing)} missing, {len(other)} of another shape: {', '.join([*missing, *other][:4])}",
            expected="a checkpoint with its output layer whose config.json fits its weights",
        )


def _tokenizer_folder(source: Source, base: Source) -> Path:
    # An adapter may bring its own tokenizer, with added tokens or another chat template.
    return source.folder if (source.folder / "tokenizer_config.json").is_file() else base.folder


def _with_adapter(model: PreTrainedModel, source: Source, words: int) -> PreTrainedModel:
    try:
        from peft import PeftModel
    except ImportError as error:
        raise missing_package("an adapter folder", "peft", "train") from error
    if words > len(model.get_input_embeddings().get_parameter("weight")):
        # The adapter was trained with tokens of its own; their embeddings are among its weights.
        model.resize_token_embeddings(words, mean_resizing=False)
    try:
        with warnings.catch_warnings():
            # peft goes on with untrained layers where it finds no weights for them.
            warnings.filterwarnings("error", message=".*missing adapter keys")
            wrapped = PeftModel.from_pretrained(model, source.folder)
    except (OSError, ValueError, RuntimeError, UserWarning, SafetensorError) as error:
        raise UserError(
            "the adapter does not fit its base model", where=source.name, found=_said(error)
        ) from error
    if wrapped.active_peft_config.is_prompt_learning:
        raise UserError(
            "adapters made of trained prompts cannot be sampled here",
            where=source.name,
            found=str(wrapped.active_peft_config.peft_type),
            expected="an adapter inside the model's layers, such as LoRA",
        )
    # The base with the adapter's layers in it: its forward has the base's own arguments.
    adapted: PreTrainedModel = wrapped.get_base_model()
    return adapted
