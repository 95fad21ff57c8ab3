"""What another's code makes of a model's files: whatever it raises is one message, and no file makes it fill the memory."""

from __future__ import annotations

import copy
import os
import sys
import tempfile
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Any

from harness import limits
from harness.errors import UserError, missing_package, of_disk
from harness.progress import say
from harness.sampling.hf.limited import growing, within

try:
    import torch
    import transformers
except ImportError as error:
    raise missing_package("a model of transformers", error.name or "torch", "hf") from error

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from transformers import PretrainedConfig, PreTrainedTokenizerBase


@contextmanager
def foreign(problem: str, where: str, hint: str = "", expected: str = "") -> Iterator[None]:
    """Whatever the block raises as one message: what a stranger's file makes of another's code has no list.

    Args:
        problem: what cannot be done.
        where: the model, as the user gave it.
        hint: the next command.
        expected: what there should be.
    """
    try:
        yield
    except UserError:
        raise
    except BaseException as error:
        # A panic of code in Rust, such as the tokenizers', is no Exception.
        strange = isinstance(error, Exception) or type(error).__name__ == "PanicException"
        if not strange or of_disk(error):
            raise
        if "trust_remote_code" in str(error):
            hint = "--trust-remote-code, if you trust its author"
        raise UserError(problem, where=where, found=_said(error), expected=expected, hint=hint) from error


@contextmanager
def contained() -> Iterator[None]:
    """What a library prints in the block, in whatever language, cannot command a terminal; a block that fails says nothing.

    Code in Rust or C writes past ``sys.stderr``, and a stranger's words may be in it.
    """
    with tempfile.TemporaryFile() as heard:
        with ExitStack() as back:
            for number, stream in ((1, sys.stdout), (2, sys.stderr)):
                stream.flush()
                kept = os.dup(number)
                back.callback(os.close, kept)
                back.callback(os.dup2, kept, number)
                back.callback(stream.flush)
                os.dup2(heard.fileno(), number)
            yield
        heard.seek(0)
        for line in heard.read(limits.HEARD).decode("utf-8", "replace").splitlines():
            say(line)


def _said(error: BaseException) -> str:
    """The first line of an error that says something: PyTorch's begin with a headline."""
    lines = [line.strip() for line in str(error).strip().splitlines()]
    told = [line for line in lines if line and not line.startswith("Error(s) in loading")]
    return told[0] if told else type(error).__name__


def load_tokenizer(
    folder: Path | str, where: str, *, trust_remote_code: bool = False
) -> PreTrainedTokenizerBase:
    """A folder's tokenizer, shown to read and to write a text."""
    with foreign("transformers cannot load this tokenizer", where), contained():
        found: PreTrainedTokenizerBase = transformers.AutoTokenizer.from_pretrained(
            folder, trust_remote_code=trust_remote_code
        )
        found.batch_decode([found("a b")["input_ids"]])
        return found


def check_size(auto: Any, config: PretrainedConfig, held: int, where: str) -> None:
    """Refuse a config of far more weights than the files hold: what they lack would be made, and fill the memory.

    Args:
        auto: the class of transformers that makes the model.
        config: what the model is to be.
        held: bytes of the weights in the files.
        where: the model, as the user gave it.
    """
    most = limits.PACKED * held + limits.UNHELD
    found = f"more than {limits.BUILD_SECONDS:g} s or {limits.BUILD_BYTES >> 20} MiB for its layers alone"
    with suppress(TimeoutError, MemoryError):
        with torch.device("meta"), within(limits.BUILD_SECONDS), growing(limits.BUILD_BYTES):
            shell = auto.from_config(copy.deepcopy(config))
        numbers = sum(part.numel() for part in (*shell.parameters(), *shell.buffers()))
        if numbers <= most:
            return
        found = f"{numbers:,} numbers"
    expected = f"at most {most:,}, for {held:,} bytes of weights"
    raise UserError(
        "the config asks for far more than the files hold", where=where, found=found, expected=expected
    )
