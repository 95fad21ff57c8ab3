"""Run folders: plans that do not depend on interruptions, whole parts, one writer, damage named."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from harness.contract import Contract
from harness.errors import IncompleteError, UserError
from harness.records import to_text
from harness.runs.folder import RETRY, Run, folder_name, writing
from harness.runs.manifest import EngineRecord, Identity, Manifest, SamplingRecord
from harness.runs.plan import grow, missing
from harness.tasks.prompts import Rendered
from harness.terms import Draw, Request

if TYPE_CHECKING:
    from pathlib import Path

MANIFEST = Manifest(
    run="abc",
    identity=Identity(
        model="m",
        revision="",
        weights="",
        adapter="",
        adapter_weights="",
        template="",
        contract=Contract(),
        task="t",
        task_version=1,
        task_hash="",
        language="en",
        prompts_hash="",
        split="all",
        paraphrases="test",
        measure="draws",
        epsilon=None,
        sampling=SamplingRecord(temperature=1.0, top_p=1.0, top_k=0, max_tokens=5),
        seed=0,
    ),
    engine=EngineRecord(name="hf"),
    state="new",
)
PROMPTS = [Rendered("a", "p", text="x"), Rendered("b", "p", text="y")]


def request(context: str, chunk: int, n: int, seed: int = 7) -> Request:
    return Request(context, "p", chunk, n, seed)


def test_plans_grow_by_what_is_missing() -> None:
    assert grow([], 100, 40) == [40, 40, 20]
    assert grow([100], 400, 1000) == [100, 300]
    assert grow([100], 50, 1000) == [100]


def test_what_is_missing_does_not_depend_on_when_a_run_stopped(tmp_path: Path) -> None:
    plan = [10, 5]
    everything = missing(plan, PROMPTS, [], seed=3)
    assert [(r.context, r.chunk, r.n) for r in everything] == [
        ("a", 0, 10),
        ("b", 0, 10),
        ("a", 1, 5),
        ("b", 1, 5),
    ]
    assert len({r.seed for r in everything}) == 4
    with writing(tmp_path / "run", MANIFEST) as writer:
        writer.add(everything[2], [Draw("late", 5)])
    rest = missing(plan, PROMPTS, Run.open(tmp_path / "run").chunks(), seed=3)
    assert rest == [everything[0], everything[1], everything[3]]


def test_draws_come_back_as_they_were(tmp_path: Path) -> None:
    draws = [
        Draw("männlich\n\x00 男", 2, "stop", 3),
        Draw("", 1, "failed", 0, "time-out"),
        Draw("lone \udcff", 1, "length", 9),
    ]
    with writing(tmp_path / "run", MANIFEST) as writer:
        writer.add(request("a", 0, 4), draws)
    (chunk,) = Run.open(tmp_path / "run").chunks()
    assert (chunk.context, chunk.prompt, chunk.chunk, chunk.n, chunk.seed) == ("a", "p", 0, 4, 7)
    assert chunk.draws[:2] == tuple(draws[:2])
    assert chunk.draws[2].text == "lone ?"


def test_a_request_with_too_few_draws_is_refused(tmp_path: Path) -> None:
    with writing(tmp_path / "run", MANIFEST) as writer, pytest.raises(IncompleteError, match="3 of 4"):
        writer.add(request("a", 0, 4), [Draw("x", 3)])


def test_failed_draws_are_drawn_again_under_another_number_and_seed(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with writing(folder, MANIFEST) as writer:
        writer.add(request("a", 0, 10), [Draw("x", 7), Draw("", 3, "failed", 0, "500")])
        writer.add(request("b", 0, 10), [Draw("", 10, "failed", 0, "500")])
    with writing(folder) as writer:
        writer.drop_failed()
        again = missing([10], PROMPTS, writer.run.chunks(), seed=0)
        assert [(r.context, r.chunk, r.n) for r in again] == [("a", RETRY, 3), ("b", 0, 10)]
        for r in again:
            writer.add(r, [Draw("y", r.n)])
    assert missing([10], PROMPTS, Run.open(folder).chunks(), seed=0) == []
    assert sum(d.count for c in Run.open(folder).chunks() for d in c.draws) == 20


def test_one_writer_at_a_time_and_none_after_a_kill(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    code = (
        "import sys; from pathlib import Path; from harness.runs.folder import writing\n"
        "from harness.runs.manifest import Manifest\n"
        f"with writing(Path({str(folder)!r}), Manifest.model_validate_json({to_text(MANIFEST)!r})):\n    print('in', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "in\n"
        with pytest.raises(UserError, match="another process") as err, writing(folder):
            pass
        assert str(other.pid) in str(err.value)
        other.kill()
        other.wait()
    with writing(folder) as writer:
        assert writer.run.manifest.run == "abc"


def test_torn_parts_are_dropped_and_whole_ones_kept(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with writing(folder, MANIFEST) as writer:
        writer.add(request("a", 0, 1), [Draw("x")])
    (folder / "draws" / "part-000002.tmp").write_bytes(b"half a part")
    with writing(folder):
        pass
    assert sorted(p.name for p in (folder / "draws").iterdir()) == ["part-000001.parquet"]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda f: (f / "manifest.json").unlink(), "not a run folder"),
        (lambda f: (f / "manifest.json").write_text("{"), "not valid JSON"),
        (lambda f: (f / "manifest.json").write_text("[]"), "not what belongs here"),
        (
            lambda f: (f / "manifest.json").write_text(
                to_text(MANIFEST).replace('"schema": 2', '"schema": 99')
            ),
            "newer schema",
        ),
        (lambda f: (f / "draws" / "part-000001.parquet").write_bytes(b"PAR1"), "damaged"),
        (
            lambda f: (f / "draws" / "part-000009.parquet").write_bytes(
                (f / "draws" / "part-000001.parquet").read_bytes()
            ),
            "two parts",
        ),
    ],
)
def test_damage_is_named_and_nothing_is_changed(tmp_path: Path, spoil: object, message: str) -> None:
    folder = tmp_path / "run"
    with writing(folder, MANIFEST) as writer:
        writer.add(request("a", 0, 1), [Draw("x")])
    assert callable(spoil)
    spoil(folder)
    before = {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    with pytest.raises(UserError, match=message):
        read(folder)
    assert {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()} == before


def read(folder: Path) -> list[object]:
    return list(Run.open(folder).chunks())


def test_folder_names_are_safe_and_recognisable() -> None:
    assert folder_name("Qwen/Qwen2.5-1.5B-Instruct") == "Qwen-Qwen2.5-1.5B-Instruct"
    assert folder_name("../../etc/passwd") == "etc-passwd"
    assert folder_name("…") == "model"
    assert folder_name("a/b\\c:d<script>") == "b-c-d-script"
    assert folder_name("../..") == "model"


def test_an_absurd_number_of_tokens_loses_that_draw_alone(tmp_path: Path) -> None:
    with writing(tmp_path / "run", MANIFEST) as writer:
        writer.add(request("a", 0, 2), [Draw("good", 1, tokens=3), Draw("odd", 1, tokens=10**30)])
        writer.add(request("b", 0, 2), [Draw("good", 1, tokens=3), Draw("odd", 1, tokens=-1)])
    draws = [d for c in Run.open(tmp_path / "run").chunks() for d in c.draws]
    assert [(d.text, d.finish, d.tokens) for d in draws] == 2 * [("good", "stop", 3), ("", "failed", 0)]
    assert "1000000000000000000000000000000 tokens" in draws[1].error
