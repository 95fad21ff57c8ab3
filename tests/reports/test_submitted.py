"""A public board that takes packed runs: what is accepted, what is refused, and why."""

from __future__ import annotations

import io
import json
import re
import shlex
import shutil
import struct
import zipfile
from collections.abc import Callable
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from harness import limits
from harness.cli.main import run as command
from harness.errors import UserError
from reports.archive import SUMS, read_archive, short_hash
from reports.packing import pack
from reports.submitted import judge, told, verdict
from tests.reports.hostile import HOSTILE
from tests.reports.packed import Files, files_of, one, write
from tests.reports.runs import Law, Made, make

if TYPE_CHECKING:
    from pathlib import Path


def test_a_good_run_is_accepted(packed: Path) -> None:
    found = verdict("good.zip", packed)
    assert (found.problem, found.note) == ("", "")
    assert found.run == "acme/Model-1B, gender_us, n = 20"


def one_count(files: Files) -> None:
    rows = files["counts.csv"].decode().splitlines()
    at = next(i for i, row in enumerate(rows) if row.endswith(",3"))
    files["counts.csv"] = "\n".join([*rows[:at], rows[at][:-1] + "4", *rows[at + 1 :], ""]).encode()


def one_text(files: Files, text: str | None = None) -> None:
    name = next(n for n in files if n.startswith("draws/"))
    table = pq.read_table(io.BytesIO(files[name]))
    texts = table["text"].to_pylist()
    at = next(i for i, t in enumerate(texts) if t.strip(".").lower() in ("male", "female"))
    texts[at] = text or {"f": "Male", "m": "Female"}[texts[at][0].lower()]
    out = io.BytesIO()
    pq.write_table(
        table.set_column(table.schema.names.index("text"), "text", pa.array(texts, pa.string())), out
    )
    files[name] = out.getvalue()


Change = Callable[[Files], None]


def put(value: object, *place: str) -> Change:
    """Sets a key of the manifest."""

    def change(files: Files) -> None:
        manifest = json.loads(files["manifest.json"])
        inner = manifest
        for key in place[:-1]:
            inner = inner[key]
        inner[place[-1]] = value
        files["manifest.json"] = json.dumps(manifest).encode()

    return change


def rewrite(name: str, pattern: bytes, new: bytes) -> Change:
    def change(files: Files) -> None:
        files[name] = re.sub(pattern, new, files[name], count=1)

    return change


SCORES = "scores.json does not follow from the counts and the texts: results.0"
CHANGES: dict[str, tuple[Change, str]] = {
    "one count": (one_count, "counts.csv does not follow from the draws: gender, "),
    "one text": (one_text, "counts.csv does not follow from the draws: gender, "),
    "a score": (rewrite("scores.json", rb'"estimate": 0\.\d+', b'"estimate": 0.9'), f"{SCORES}.table"),
    "the target": (rewrite("scores.json", rb'("shares": \[\s*\[\s*)0\.\d+', rb"\g<1>0.123"), SCORES),
    "an identity": (
        put("acme/Better-9B", "identity", "model"),
        "the identity is not the one that was packed",
    ),
    "a prompt": (
        rewrite("prompts.json", b'("content": "[^"]*)nurse', rb"\g<1>noble"),
        "prompts.json does not have the prompts of the manifest",
    ),
    "a plan": (put([10], "plan"), "n = 10 for each of"),
    "a state": (put("drawing", "state"), "not complete: drawing"),
    "no versions": (put({}, "versions"), "does not say: version of python"),
    "a path": (put("/srv/evil/task.yaml", "task_source"), "names paths or addresses"),
    "hidden characters": (put("2.0\u202e", "versions", "numpy"), "a text that hides characters"),
    "no prompts": (rewrite("prompts.json", b"(?s).*", b"{}"), "missing key"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_changed_archive_is_refused_with_the_reason(name: str, packed: Path, tmp_path: Path) -> None:
    """First as a careless hand leaves it, then with every hash renewed."""
    change, reason = CHANGES[name]
    files = files_of(packed)
    change(files)
    careless = verdict("x.zip", write(tmp_path / "x.zip", files, summed=False)).problem
    assert careless.startswith("not as it was packed: ")
    assert reason in verdict("x.zip", write(tmp_path / "y.zip", files)).problem


@pytest.mark.parametrize("model", ["Twin", "Bad"])
def test_a_swapped_manifest_is_refused(model: str, packed: Path, runs: Path, tmp_path: Path) -> None:
    theirs = files_of(pack(one(runs, model), tmp_path / "theirs.zip"))
    files = {**files_of(packed), "manifest.json": theirs["manifest.json"]}
    careless = verdict("x", write(tmp_path / "x.zip", files, summed=False)).problem
    assert careless.startswith("not as it was packed: manifest.json")
    assert "scores.json of run" in verdict("x", write(tmp_path / "y.zip", files)).problem
    # Even with scores that were made to fit, the draws are not those that this model and its seed give.
    hashed = json.loads(files["manifest.json"])["run"]
    files["scores.json"] = json.dumps({**json.loads(files["scores.json"]), "run": hashed}).encode()
    found = verdict("x", write(tmp_path / "z.zip", files)).problem
    assert "its model, settings and seed give other seeds" in found


def test_a_server_s_model_is_accepted_with_what_could_not_be_seen(
    tmp_path: Path,
) -> None:
    whole = make(tmp_path / "runs", Made("gpt-4o-2024-08-06", law=Law(0.1), n=20, weights=""))
    kept = verdict("a", pack(whole.folder, tmp_path / "a.zip"))
    assert (kept.problem, kept.note) == ("", "the weights were not seen")
    renamed = verdict("b", pack(whole.folder, tmp_path / "b.zip", "acme/Other"))
    assert (renamed.problem, renamed.note) == (
        "",
        "the weights were not seen, nor the name that the model was asked by",
    )


def test_draws_of_another_task_are_refused(packed: Path, tmp_path: Path) -> None:
    files = files_of(packed)
    put("no_such_task", "identity", "task")(files)
    put(short_hash(json.loads(files["manifest.json"])), "run")(files)
    assert "no task 'no_such_task'" in verdict("x", write(tmp_path / "x.zip", files)).problem


def test_a_run_without_draws_is_believed_and_this_is_said(runs: Path, tmp_path: Path) -> None:
    found = verdict("e.zip", pack(one(runs, "Exact"), tmp_path / "e.zip"))
    assert found.problem == ""
    assert "computed by the model and are believed" in found.note
    assert "not checked: " in told([found])


def test_archives_that_are_none_are_refused(
    packed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = files_of(packed)
    cases: dict[str, bytes] = {"text": b"not a zip", "cut": packed.read_bytes()[:-200], "empty": b""}
    for name in (
        "../evil.json",
        "/etc/passwd",
        "draws/../../x.parquet",
        "runs/manifest.json",
        "draws/part-1.parquet",
        "run.sh",
    ):
        cases[name] = write(tmp_path / "n.zip", {**good, name: b"x"}).read_bytes()
    without = {k: v for k, v in good.items() if k not in ("counts.csv", SUMS)}
    cases["no table"] = write(tmp_path / "n.zip", without).read_bytes()
    twice = io.BytesIO(packed.read_bytes())
    with zipfile.ZipFile(twice, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("counts.csv", b"x")
    cases["twice"] = twice.getvalue()
    slow = io.BytesIO()
    with zipfile.ZipFile(slow, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("counts.csv", b"x" * 100)
    cases["lzma"] = slow.getvalue()
    for name, data in cases.items():
        path = tmp_path / "case.zip"
        path.write_bytes(data)
        with pytest.raises(UserError):
            read_archive(path)
        assert verdict(name, path).problem
    assert not list(tmp_path.glob("**/evil.json"))
    monkeypatch.setattr(limits, "ARCHIVE_UNPACKED", 10_000)
    with pytest.raises(UserError, match="too large when it is unpacked"):
        read_archive(write(tmp_path / "bomb.zip", {**good, "counts.csv": b"0" * 1_000_000}))
    monkeypatch.setattr(limits, "ARCHIVE_UNPACKED", 10_000_000)
    monkeypatch.setattr(limits, "ARCHIVE_ROWS", 3)
    with pytest.raises(UserError, match="too many rows of draws"):
        read_archive(packed)
    monkeypatch.setattr(limits, "ARCHIVE_FILES", 3)
    with pytest.raises(UserError, match="too many files"):
        read_archive(packed)
    monkeypatch.setattr(limits, "ARCHIVE_BYTES", 1_000)
    with pytest.raises(UserError, match="too large"):
        read_archive(packed)


def test_a_size_that_is_lied_about_is_found(packed: Path, tmp_path: Path) -> None:
    data = bytearray(packed.read_bytes())
    at = data.index(b"PK\x01\x02")
    struct.pack_into("<I", data, at + 24, 7)
    path = tmp_path / "lie.zip"
    path.write_bytes(bytes(data))
    with pytest.raises(UserError):
        read_archive(path)


def test_a_verdict_holds_no_markup(packed: Path, tmp_path: Path) -> None:
    for text in HOSTILE[::7]:
        files = files_of(packed)
        put(text + "\u202e@everyone [x](http://x) |`", "versions", "numpy")(files)
        row = told([verdict("a`|@x.zip", write(tmp_path / "h.zip", files))]).splitlines()[-1]
        outside = re.sub(r"`[^`]*`", "", row)
        assert outside == "|  |  | refused:  |"


def local(words: list[str], folder: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.chdir(folder)
    return command(words)


def steps(folder: Path, job: str) -> list[list[str]]:
    """The commands of a job that are distalign's."""
    workflow = yaml.safe_load((folder / ".github/workflows/board.yml").read_text(encoding="utf-8"))
    found = [step["run"] for step in workflow["jobs"][job]["steps"] if "run" in step]
    return [shlex.split(line)[1:] for line in found if line.startswith("distalign ")]


def test_the_steps_of_a_board_run(packed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    board = tmp_path / "board"
    assert command(["board", "new", str(board)]) == 0
    monkeypatch.setenv("DISTALIGN_INCLUDE", "")
    submitted = board / "submitted" / "runs"
    submitted.mkdir(parents=True)
    shutil.copy(packed, submitted / "good.zip")
    (check,) = steps(board, "check")
    assert local(check, board, monkeypatch) == 0
    assert "**1 of 1 runs are accepted.**" in (board / "verdict.md").read_text(encoding="utf-8")
    files = files_of(packed)
    one_count(files)
    write(submitted / "bad.zip", files)
    assert local(check, board, monkeypatch) == 2
    verdicts = (board / "verdict.md").read_text(encoding="utf-8")
    assert "**1 of 2 runs are accepted.**" in verdicts
    assert "| `bad.zip` |" in verdicts
    shutil.copy(packed, board / "runs" / "good.zip")
    (submitted / "bad.zip").unlink()
    for words in steps(board, "publish"):
        assert local(words, board, monkeypatch) == 0
    assert "acme/Model-1B" in (board / "site" / "leaderboard.csv").read_text(encoding="utf-8")
    assert '"checked": "draws"' in (board / "site" / "leaderboard.json").read_text(encoding="utf-8")
    # What is on the board is not checked again, and is neither changed nor taken away.
    assert judge(submitted, board / "runs") == []
    write(submitted / "good.zip", files)
    assert "under this name" in judge(submitted, board / "runs")[0].problem
    (submitted / "good.zip").unlink()
    assert "taken away" in judge(submitted, board / "runs")[0].problem


def test_the_workflow_is_pinned_and_may_do_little(tmp_path: Path) -> None:
    assert command(["board", "new", str(tmp_path / "b")]) == 0
    text = (tmp_path / "b" / ".github/workflows/board.yml").read_text(encoding="utf-8")
    used = re.findall(r"uses:\s*(\S+)", text)
    assert used
    assert [name for name in used if not re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", name)] == []
    workflow = yaml.safe_load(text)
    assert workflow["permissions"] == {}
    rights = {name: job["permissions"] for name, job in workflow["jobs"].items()}
    assert rights == {
        "check": {"contents": "read"},
        "comment": {"pull-requests": "write"},
        "publish": {"contents": "read", "pages": "write", "id-token": "write"},
    }
    # No text of a pull request stands in a shell's line.
    assert [
        step["run"]
        for job in workflow["jobs"].values()
        for step in job["steps"]
        if "${{" in step.get("run", "")
    ] == []
    assert command(["board", "new", str(tmp_path / "b")]) == 2
