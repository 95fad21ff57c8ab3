"""What a WALF step on 8 professions costs beside the bare forward and backward pass over the same padded tokens.

python -m tests.benchmarks.walf_step [--steps 20]
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch
import transformers

from baselines import walf
from baselines.walf.data import Sentences, collate
from baselines.walf.trainer import WalfTrainer, arguments
from harness.sampling.hf import association
from harness.tasks.prompts import select
from harness.tasks.target import resolve
from harness.tasks.task import load_task
from tests.baselines.walf_models import write_bert, write_llama

if TYPE_CHECKING:
    from collections.abc import Callable

    from baselines.walf.data import Item
    from baselines.walf.recipe import Recipe

VOCABULARY, WIDTH, LAYERS = 4_000, 128, 2


def items_of(tokenizer: Any, masked: bool, recipe: Recipe) -> tuple[list[Item], tuple[int, int]]:
    """The first eight training professions, every word."""
    task = load_task("profession_gender")
    attribute = task.attributes["gender"]
    words = association.paired(attribute.classes, "")
    contexts, prompts = select(task, "train", "train")
    maker = Sentences(task, tokenizer, words, masked=masked, quirks=recipe.quirks(), group_by="band")
    items = maker.items(attribute, resolve(task, attribute, "labor"), contexts[:8], prompts)
    return items, (len(prompts), 2)


def model_of(masked: bool) -> Any:
    sizes = {
        "vocab_size": VOCABULARY,
        "hidden_size": WIDTH,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": 4,
    }
    torch.manual_seed(0)
    if masked:
        bert: Any = transformers.BertForMaskedLM
        return bert(transformers.BertConfig(intermediate_size=4 * WIDTH, **cast("Any", sizes)))
    llama: Any = transformers.LlamaForCausalLM
    return llama(transformers.LlamaConfig(intermediate_size=3 * WIDTH, **cast("Any", sizes)))


def timed(step: Callable[[], None]) -> float:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    start = time.perf_counter()
    step()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - start


def compare(masked: bool, folder: Path, steps: int) -> None:
    """Print medians and the median ratio of pairs taken in turns."""
    write = write_bert if masked else write_llama
    tokenizer = transformers.AutoTokenizer.from_pretrained(write(folder / "tokenizer"))
    recipe = walf.METHOD.read_recipe(settings=["gamma=0", "precision=fp32"])
    items, shape = items_of(tokenizer, masked, recipe)
    collator = partial(collate, pad=tokenizer.pad_token_id)
    trainer = WalfTrainer(
        recipe=recipe,
        masked=masked,
        items=items,
        shape=shape,
        kept=None,
        model=model_of(masked),
        args=transformers.TrainingArguments(**cast("Any", arguments(recipe, folder))),
        data_collator=collator,
        eval_dataset=cast("Any", list(enumerate(items))),
        processing_class=tokenizer,
    )
    trainer.pop_callback(transformers.PrinterCallback)
    trainer.current_gradient_accumulation_steps = 1  # set by train(), which this stands in for
    batch = trainer._prepare_inputs(collator(list(enumerate(items))))
    model = cast("torch.nn.Module", trainer.model)

    def bare() -> None:
        model.train()
        ids, mask = batch["input_ids"], batch["attention_mask"]
        loss = model(input_ids=ids, attention_mask=mask, labels=ids.masked_fill(mask == 0, -100)).loss
        torch.autograd.backward(loss)
        model.zero_grad()

    def ours() -> None:
        trainer.training_step(model, dict(batch))
        model.zero_grad()

    pairs = []
    for i in range(steps + 2):
        # In turns, each first every other time: a slower moment of the machine falls on both.
        order = (bare, ours) if i % 2 else (ours, bare)
        found = {step.__name__: timed(step) for step in order}
        if i >= 2:
            pairs.append((found["bare"], found["ours"]))
    low, high = (statistics.median(p[k] for p in pairs) for k in (0, 1))
    ratio = statistics.median(b / a for a, b in pairs)
    sentences = sum(i.inputs.sentences for i in items)
    rows, width = batch["input_ids"].shape
    print(
        f"{'masked' if masked else 'causal'}: {sentences} sentences in {rows} rows of {width} tokens; "
        f"bare {1000 * low:.0f} ms, WALF {1000 * high:.0f} ms a step, ratio {ratio:.3f} (median of {len(pairs)} pairs)"
    )


def main() -> None:
    """Both kinds of model."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=20)
    steps = parser.parse_args().steps
    for masked in (True, False):
        with tempfile.TemporaryDirectory() as folder:
            compare(masked, Path(folder), steps)


if __name__ == "__main__":
    main()
