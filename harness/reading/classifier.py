"""The reader ``classifier``: any transformers sequence classifier that has a label for every class."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from harness.errors import UserError, missing_package, nearest
from harness.reading.base import Answer, Reader, Reading
from harness.terms import INVALID

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

BATCH = 32


class ClassifierReader(Reader):
    """Reads the label that a sequence classifier gives the whole text.

    Args:
        classes: the task's classes.
        path: folder or hub id of the classifier.
        labels: the classifier's labels -> classes, or ``unparsed`` for a label that is none. Labels left out must
            be called like a class.
    """

    version = "1"

    def __init__(
        self, classes: Mapping[str, Iterable[str]], path: str, labels: Mapping[str, str] | None = None
    ) -> None:
        self.path = path
        self.classes = list(classes)
        self.labels = {str(k): str(v) for k, v in (labels or {}).items()}
        for label, name in self.labels.items():
            if name not in classes and name != "unparsed":
                raise UserError(
                    f"the classifier's label {label!r} stands for no class",
                    where="reader.labels",
                    found=name,
                    expected=", ".join([*self.classes, "unparsed"]),
                    nearest=nearest(name, self.classes),
                )

    def read(self, answer: Answer) -> Reading:
        """One answer; many together are faster."""
        return self.read_all([answer])[0]

    def read_all(self, answers: Sequence[Answer]) -> list[Reading]:
        """Answers in batches of similar length. A cut text has not been seen to its end: truncated."""
        found = [Reading("truncated" if a.cut else "unparsed", "nothing to classify") for a in answers]
        todo = [i for i, a in enumerate(answers) if a.text.strip() and not a.cut]
        todo.sort(key=lambda i: len(answers[i].text))
        if not todo:
            return found
        classify = self._classify()
        for start in range(0, len(todo), BATCH):
            batch = todo[start : start + BATCH]
            for i, label in zip(batch, classify([answers[i].text for i in batch]), strict=True):
                found[i] = Reading(label)
        return found

    @functools.cached_property
    def _model(self) -> tuple[Callable[[list[str]], list[int]], list[str]]:
        try:
            import torch
            from transformers import AutoModelForSequenceClassification
        except ImportError as error:
            raise missing_package("the reader 'classifier'", "transformers", "hf") from error
        from harness.sampling.hf.foreign import foreign, load_tokenizer

        expected = "a folder or hub id with weights, config.json and a tokenizer, in reader.path"
        with foreign("no sequence classifier there", self.path, expected=expected):
            tokenizer = load_tokenizer(self.path, self.path)
            model = AutoModelForSequenceClassification.from_pretrained(self.path, use_safetensors=True).eval()
        limit = min(tokenizer.model_max_length, getattr(model.config, "max_position_embeddings", 512))

        def predict(texts: list[str]) -> list[int]:
            inputs = tokenizer(texts, return_tensors="pt", padding=True, truncation=True, max_length=limit)
            with torch.inference_mode():
                return [int(i) for i in model(**inputs).logits.argmax(dim=-1)]

        names = [str(model.config.id2label[i]) for i in range(model.config.num_labels)]
        return predict, self._meanings(names)

    def _meanings(self, names: list[str]) -> list[str]:
        folded = {c.casefold(): c for c in self.classes}
        meanings = [self.labels.get(n, folded.get(n.casefold(), "")) for n in names]
        unknown = [n for n, meaning in zip(names, meanings, strict=True) if not meaning]
        if unknown:
            raise UserError(
                "labels of the classifier that stand for no class",
                where="reader.labels",
                found=", ".join(unknown),
                expected=f"labels: {{{unknown[0]}: CLASS, …}} with {', '.join([*self.classes, INVALID[0]])}",
            )
        return meanings

    def _classify(self) -> Callable[[list[str]], list[str]]:
        predict, meanings = self._model
        return lambda texts: [meanings[i] for i in predict(texts)]
