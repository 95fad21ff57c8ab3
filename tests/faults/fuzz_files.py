"""Mutated files of tasks, targets and runs, and answers, give a result or one message, soon and in little memory."""

from __future__ import annotations

import contextlib
import gzip
import json
import shutil
from functools import partial
from typing import TYPE_CHECKING

import httpx
import pyarrow as pa
import pyarrow.parquet as pq

from harness.cli.main import run as command
from harness.evaluation import evaluate
from harness.files import Document, load_jsonl
from harness.importers import prompts as asked
from harness.importers import sources
from harness.importers.grid import read_grids
from harness.labels import labels_of, read_sheet
from harness.reading.base import Answer
from harness.reading.ngrams import FittedClassifier, NgramReader
from harness.records import write
from harness.retained.record import BenchmarksRecord, Findings, PerplexityRecord, utility_of
from harness.retained.utility import save
from harness.runs.folder import Run
from harness.sampling.gguf.header import read_header
from harness.sampling.hf.source import find
from harness.sampling.known import KnownEngine
from harness.sampling.server import kind, ollama
from harness.sampling.server.reply import MalformedReplyError, error_message, read_reply
from harness.scores import scores_of
from harness.scoring.outcomes import read_certain, read_counts
from harness.tasks import people, prompts, seen
from harness.tasks.target import resolve
from harness.tasks.target_file import PeopleSpec
from harness.tasks.task import load_task
from reports.archive import read_archive
from reports.packing import pack
from tests import helpers
from tests.faults.fuzzing import Entry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

REPLY = {
    "model": "m",
    "system_fingerprint": "f",
    "choices": [{"message": {"content": "a", "reasoning": "b"}, "finish_reason": "stop", "token_ids": [1]}],
    "usage": {"completion_tokens": 3},
}
TOLD = {
    "models": [{"name": "m:latest", "digest": "0f", "size": 1}],
    "model_info": {"general.architecture": "llama", "llama.context_length": 2048},
    "parameters": 'temperature 0.7\nstop "<|end|>"',
    "template": "{{ .Prompt }}",
    "system": "You",
    "messages": [{"role": "user", "content": "a"}],
    "capabilities": ["completion", "thinking"],
    "details": {"family": "llama", "quantization_level": "Q4_0"},
    "version": "0.1",
    "total_slots": 4,
    "chat_template": "{{ messages }}",
    "model_path": "/m.gguf",
    "default_generation_settings": {"n_ctx": 2048},
    "model_id": "m",
    "object": "list",
    "data": [{"id": "m", "owned_by": "vllm", "root": "/m", "max_model_len": 9}],
}
"""What servers of several kinds tell of themselves, in one."""


def whole(task: Path) -> None:
    """Read a task with all that it names."""
    loaded = load_task(task)
    prompts.render(loaded, loaded.contexts, loaded.prompts)
    for attribute in loaded.attributes.values():
        for alias in attribute.targets:
            resolve(loaded, attribute, alias).matrix(loaded, attribute, [c.id for c in loaded.contexts])


def read_run(folder: Path) -> None:
    """Read all files of a run."""
    run = Run.open(folder)
    run.prompts().keys()
    scores_of(run)
    labels_of(run)
    utility_of(folder)
    list(run.chunks())
    read_counts(folder / "counts.csv")


def answer(file: Path) -> None:
    """Read what a server sent for a draw."""
    body = file.read_bytes()
    error_message(body)
    with contextlib.suppress(MalformedReplyError):
        read_reply(body, 1, 16)


def introduction(file: Path) -> None:
    """Read what a server tells of itself, whatever kind it is taken for."""
    body = file.read_bytes()
    root = httpx.URL("http://127.0.0.1:1")
    with httpx.Client(transport=httpx.MockTransport(lambda _: httpx.Response(200, content=body))) as client:
        for owner in ("", "vllm", "llamacpp", "library", "sglang"):
            found = kind.recognise(client, root, owner)
            assert len(found.version) < 1_000
        ollama.shown(client, root, "m")


def stated(file: Path, task: Path) -> None:
    """Read the shares that a known model is made from."""
    KnownEngine(str(file), load_task(task), {})


def compared(folder: Path) -> None:
    """Read the figures of people beside a target."""
    spec = PeopleSpec(quantiles="quantiles.csv", vectors="vectors.parquet", split="all", seed=0, corpus="")
    people.load(spec, Document(folder / "target.yaml", {}, {}))


def sheet(file: Path, task: Path) -> None:
    """Read labels that a person gave."""
    read_sheet(file, load_task(task).attributes["drink"])


def classified(file: Path) -> None:
    """Read a text with a fitted classifier."""
    NgramReader({"tea": (), "coffee": ()}, file).read(Answer("A cup of tea.", False))


def first(rows: Iterator[object]) -> None:
    """Read all rows."""
    for _ in rows:
        pass


def write_all(folder: Path) -> None:
    """A task, a run of it, and one of each other file that is read."""
    import gguf

    task = helpers.write_task(folder / "tea")
    evaluate("known:uniform,unparsed=0.2", task, "all", n=12, out=folder / "runs", seed=3)
    run = folder / "run"
    shutil.move(next((folder / "runs").glob("*/*/*")), run)
    evaluate("known:uniform", task, "survey", n=1, out=folder / "runs", measure="exact")
    shutil.copyfile(next(folder.glob("runs/**/shares.csv")), folder / "shares.csv")
    assert command(["label", str(run), "-n", "20", "-o", str(folder / "sheet.csv")]) == 0
    lines = (folder / "sheet.csv").read_text(encoding="utf-8").splitlines()
    filled = [lines[0], *(line.replace(",,", ",tea,", 1) for line in lines[2:])]
    (folder / "sheet.csv").write_text("\n".join(filled) + "\n", encoding="utf-8")
    assert command(["score", str(run), "--labels", str(folder / "sheet.csv")]) == 0
    fitted = FittedClassifier(
        labels=("tea", "coffee"),
        texts=9,
        misread=1,
        terms=("tea", "a cup"),
        rarity=(1.0, 2.0),
        weights=((1.0, -1.0), (0.5, 0.0)),
        bias=(0.1, -0.1),
    )
    write(folder / "fit.json", fitted)
    predicted = PerplexityRecord(
        perplexity=2.5, bits_per_byte=1.0, tokens=9, window=8, stride=4, text="0f", source="a.txt"
    )
    kept = Findings(perplexity=predicted, lm_eval=BenchmarksRecord(tasks={"arc": {"acc,none": 0.5}}))
    save(run, ("", ""), kept, {"distinct_1": 0.5})
    pack(str(run), folder / "run.zip", "acme/m")
    (folder / "lines.jsonl").write_text('{"id": "ask", "text": "Tea?"}\n[1, "\\u00e9"]\n', encoding="utf-8")
    (folder / "corpus.jsonl.gz").write_bytes(gzip.compress(b'{"id": "a", "text": "b"}\n' * 3))
    (folder / "known.yaml").write_text('leeds: {tea: 0.5, coffee: 0.5}\n"*": {tea: 1}\n', encoding="utf-8")
    (folder / "reply.json").write_text(json.dumps(REPLY), encoding="utf-8")
    (folder / "told.json").write_text(json.dumps(TOLD), encoding="utf-8")
    (folder / "asked.jsonl").write_text(
        '{"id": "a", "messages": [{"role": "user", "content": "b"}]}\n', encoding="utf-8"
    )
    (folder / "grid.csv").write_text('Occupation,Total\nNurses,"1,200"\n', encoding="utf-8")
    (folder / "quantiles.csv").write_text("context,length,feature,scale\nc,,f,1\n", encoding="utf-8")
    pq.write_table(
        pa.table({"context": ["c", "c"], "length": ["", "x"], "conversation": [0, 1], "f": [0.5, 1.0]}),
        folder / "vectors.parquet",
    )
    model = folder / "model"
    model.mkdir()
    seen.write(model, [1, 2, 2**63])
    (model / "config.json").write_text('{"architectures": ["LlamaForCausalLM"]}', encoding="utf-8")
    index = {"metadata": {"total_size": 1}, "weight_map": {"a": "model-1.safetensors"}}
    (model / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")
    (model / "model-1.safetensors").write_bytes(b"")
    (model / "distalign.json").write_text('{"contract": {"strip_leading": ["0"]}}', encoding="utf-8")
    adapter = folder / "adapter"
    adapter.mkdir()
    (adapter / "adapter_config.json").write_text('{"base_model_name_or_path": "../model"}', encoding="utf-8")
    writer = gguf.GGUFWriter(folder / "a.gguf", "llama")
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(["a", "b"])
    writer.add_tensor("token_embd.weight", pa.array([0.5, 1.0]).to_numpy().reshape(1, 2).astype("float32"))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def entries(folder: Path) -> Mapping[str, Entry]:
    """Everything that is read from outside, by name."""
    task, run, survey = folder / "tea" / "task.yaml", folder / "run", folder / "tea" / "survey"
    of_run = [
        run / n
        for n in ("manifest.json", "prompts.json", "scores.json", "counts.csv", "labels.json", "utility.json")
    ]
    of_run.append(run / "draws" / "part-000001.parquet")
    of_task = [task, task.with_name("contexts.csv"), survey / "target.yaml", survey / "table.csv"]
    model, adapter = folder / "model", folder / "adapter"
    of_model = [model / n for n in ("model.safetensors.index.json", "distalign.json")]
    plain: dict[Path, Callable[[Path], object]] = {
        folder / "lines.jsonl": load_jsonl,
        folder / "reply.json": answer,
        folder / "told.json": introduction,
        folder / "run.zip": read_archive,
        folder / "shares.csv": read_certain,
        folder / "corpus.jsonl.gz": lambda file: first(sources.records(str(file))),
        folder / "known.yaml": partial(stated, task=task),
        folder / "sheet.csv": partial(sheet, task=task),
        folder / "grid.csv": read_grids,
        folder / "a.gguf": read_header,
        folder / "fit.json": classified,
        folder / "quantiles.csv": lambda file: compared(file.parent),
        folder / "vectors.parquet": lambda file: compared(file.parent),
        model / seen.FILE: lambda file: seen.read(file.parent),
        adapter / "adapter_config.json": lambda file: find(str(file.parent)),
        folder / "asked.jsonl": asked.records,
    }
    found = [Entry(file, partial(read_run, run)) for file in of_run]
    found += [Entry(file, partial(whole, task)) for file in of_task]
    found += [Entry(file, partial(find, str(model))) for file in of_model]
    found += [Entry(file, partial(reads, file)) for file, reads in plain.items()]
    return {entry.file.name: entry for entry in found}


NAMES = (
    *(
        "manifest.json",
        "prompts.json",
        "scores.json",
        "counts.csv",
        "labels.json",
        "utility.json",
        "part-000001.parquet",
    ),
    *(
        "task.yaml",
        "contexts.csv",
        "target.yaml",
        "table.csv",
        "model.safetensors.index.json",
        "distalign.json",
    ),
    *(
        "lines.jsonl",
        "reply.json",
        "told.json",
        "run.zip",
        "shares.csv",
        "corpus.jsonl.gz",
        "known.yaml",
        "sheet.csv",
    ),
    *(
        "grid.csv",
        "a.gguf",
        "fit.json",
        "quantiles.csv",
        "vectors.parquet",
        "seen.parquet",
        "adapter_config.json",
    ),
    "asked.jsonl",
)
