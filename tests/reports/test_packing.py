"""A run as one file: the same bytes each time, nothing of the machine in it, and what is not packed."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from harness.errors import IncompleteError, UserError
from harness.rescore import score
from harness.runs.folder import Run
from reports.archive import unpack
from reports.packing import pack, portable, public
from tests.reports.packed import files_of, one
from tests.reports.runs import Law, Made, make


def test_an_archive_is_the_same_bytes_each_time_and_opens_as_the_run(
    run: Run, packed: Path, tmp_path: Path
) -> None:
    again = pack(run.folder, tmp_path / "again.zip", "acme/Model-1B")
    assert again.read_bytes() == packed.read_bytes()
    back = Run.open(unpack(packed, tmp_path / "runs"))
    assert (back.identity.model, back.n, back.state) == ("acme/Model-1B", run.n, "complete")
    assert (back.folder / "counts.csv").read_bytes() == (run.folder / "counts.csv").read_bytes()
    assert [c.draws for c in back.chunks()] == [c.draws for c in run.chunks()]
    assert score(back).results == score(run).results
    assert pack(back.folder, tmp_path / "third.zip").read_bytes() == packed.read_bytes()
    with pytest.raises(UserError, match="there already"):
        unpack(packed, tmp_path / "runs")


def test_nothing_of_the_machine_is_in_an_archive(packed: Path) -> None:
    # The runs of these tests have their model's name for the hash of its weights.
    weights = b"w/home/alice/ckpt/checkpoint-40"
    whole = b"".join(files_of(packed).values()).replace(weights, b"").decode("utf-8", "replace")
    for secret in (
        "alice",
        "/home",
        "gpu7",
        "hunter2",
        "10.0.0.7",
        str(Path.home()),
        str(Path.cwd()),
        "task.yaml",
    ):
        assert secret not in whole, secret
    manifest = json.loads(files_of(packed)["manifest.json"])
    assert manifest["options"] == {"threads": "8"}
    assert manifest["engine"] == {"name": "hf", "device": "cuda", "software": "vLLM 0.20"}


def test_what_an_engine_said_of_failed_draws_is_left_out(tmp_path: Path) -> None:
    failing = make(tmp_path / "runs", Made("acme/F-1B", law=Law(invalid={"failed": 0.2}), n=10))
    part = next((failing.folder / "draws").iterdir())
    table = pq.read_table(part)
    said = [
        "no answer from http://alice:pw@gpu7:8000" if f == "failed" else ""
        for f in table["finish"].to_pylist()
    ]
    pq.write_table(
        table.set_column(table.schema.names.index("error"), "error", pa.array(said, pa.string())), part
    )
    back = Run.open(unpack(pack(failing.folder, tmp_path / "f.zip"), tmp_path / "out"))
    failed = [d for c in back.chunks() for d in c.draws if d.finish == "failed"]
    assert failed
    assert {d.error for d in failed} == {""}


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("acme/Model-1B", "acme/Model-1B"),
        ("gpt2", "gpt2"),
        ("/home/alice/models/m.gguf", "m.gguf"),
        ("~/alice/m", "m"),
        ("../alice/m", "m"),
        ("C:\\Users\\alice\\m", "m"),
        ("/data/alice/run/checkpoint-100", "run/checkpoint-100"),
        ("known:/home/alice/law.yaml,shift=0.1", "known:law.yaml,shift=0.1"),
        ("known:target,shift=0.1@labor", "known:target,shift=0.1@labor"),
        ("", ""),
    ],
)
def test_a_path_becomes_a_name(given: str, shown: str) -> None:
    assert public(given) == shown
    assert public(shown) == shown


def test_an_adapter_is_named_and_its_base_stays(run: Run) -> None:
    who = run.identity.model_copy(update={"adapter": "/home/alice/lora", "model": "acme/Base-1B"})
    made = portable(run.manifest.model_copy(update={"identity": who}), "acme/Tuned-1B")
    assert (made.identity.model, made.identity.adapter) == ("acme/Base-1B", "acme/Tuned-1B")
    assert made.run != run.manifest.run


def test_what_is_not_packed(run: Run, runs: Path, tmp_path: Path) -> None:
    for name in ("a b", "a/b/c", "../x", "<b>"):
        with pytest.raises(UserError, match="not a model's name"):
            pack(run.folder, tmp_path / "x.zip", name)
    with pytest.raises(UserError, match=r"ends in \.zip"):
        pack(run.folder, tmp_path / "x.tar")
    with pytest.raises(IncompleteError, match="only a complete run"):
        pack(one(runs, "Cut"), tmp_path / "x.zip")


def test_a_model_that_is_read_with_a_contract_keeps_it(runs: Path, tmp_path: Path) -> None:
    tuned = Run.open(one(runs, "sft-bad"))
    back = Run.open(unpack(pack(tuned.folder, tmp_path / "t.zip"), tmp_path / "out"))
    assert back.contract == tuned.contract
    assert back.contract.method == "sft"
