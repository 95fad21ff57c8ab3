"""Writing files: whole or not at all, never over a device, and one message where the system refuses."""

from __future__ import annotations

import os
import resource
import stat
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from baselines.seed import causal_path
from harness.cli.main import refused
from harness.cli.main import run as command
from harness.errors import UserError
from harness.files import make_folder, write_atomic
from tests.test_evaluate import undisturbed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@contextmanager
def full(size: int) -> Iterator[None]:
    """The system refuses to let any file grow beyond ``size`` bytes, as a full disk does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_keeps_the_old_file_and_is_one_message(tmp_path: Path) -> None:
    write_atomic(tmp_path / "a", "old")
    with full(1000), pytest.raises(UserError, match="cannot be written") as told:
        write_atomic(tmp_path / "a", "new" * 1000)
    assert "room" in told.value.hint
    assert [p.name for p in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_text() == "old"


def test_a_full_disk_is_told_whoever_writes(tmp_path: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(causal_path())
    tokenizer = AutoTokenizer.from_pretrained(causal_path())
    writers: dict[str, Callable[[], object]] = {
        "model": lambda: model.save_pretrained(tmp_path / "model"),
        "optimizer": lambda: torch.save(model.state_dict(), tmp_path / "optimizer.pt"),
        "tokenizer": lambda: tokenizer.save_pretrained(tmp_path / "tokenizer"),
        "table": lambda: pq.write_table(pa.table({"a": list(range(10_000))}), tmp_path / "a.parquet"),
        "text": lambda: (tmp_path / "text").write_text("x" * 10_000),
    }
    kinds = set()
    for name, write in writers.items():
        with full(1000), pytest.raises(Exception, match=r"too large|unexpected pos") as err:
            write()
        assert isinstance(err.value, Exception)
        told = refused(err.value)
        assert told is not None, name
        assert "make room" in told.hint
        kinds.add(type(err.value))
    assert len(kinds) == 4
    assert refused(RuntimeError("PytorchStreamReader failed reading zip archive")) is None


def test_an_evaluation_on_a_full_disk_is_one_message_and_goes_on_later(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = undisturbed(tmp_path / "whole")
    line = ["evaluate", "known:target,shift=0.1,refused=0.05", "--task", "gender_us", "--target", "labor"]
    with full(5000):
        assert command([*line, "-n", "50", "-o", str(tmp_path / "full")]) == 2
    assert "cannot be written" in capsys.readouterr().err
    again = undisturbed(tmp_path / "full")
    assert (again.folder / "counts.csv").read_bytes() == (whole.folder / "counts.csv").read_bytes()


def test_two_that_write_one_file_leave_one_of_their_texts(tmp_path: Path) -> None:
    path, begin = tmp_path / "a", threading.Barrier(8)
    texts = [str(i) * 100_000 for i in range(8)]
    seen: list[str] = []

    def write(text: str) -> None:
        begin.wait()
        for _ in range(20):
            write_atomic(path, text)
            seen.append(path.read_text())

    writers = [threading.Thread(target=write, args=(text,)) for text in texts]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert len(seen) == 160
    assert set(seen) <= set(texts)
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_a_device_is_written_into_and_stays_a_device(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    heard: list[str] = []
    reader = threading.Thread(target=lambda: heard.append(pipe.read_text()))
    reader.start()
    write_atomic(pipe, "through")
    reader.join()
    assert heard == ["through"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    link = tmp_path / "null"
    link.symlink_to("/dev/null")
    write_atomic(link, "gone")
    assert link.is_symlink()
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_a_full_device_is_one_message(tmp_path: Path) -> None:
    link = tmp_path / "full"
    link.symlink_to("/dev/full")
    with pytest.raises(UserError, match="cannot be written"):
        write_atomic(link, "x")
    assert stat.S_ISCHR(link.stat().st_mode)


def test_a_link_stays_a_link_to_the_new_file(tmp_path: Path) -> None:
    (tmp_path / "there").write_text("old")
    (tmp_path / "link").symlink_to("there")
    write_atomic(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "there").read_text() == "new"


def test_what_cannot_be_written_to_is_one_message(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "loop").symlink_to("loop")
    for path in (tmp_path, tmp_path / "nowhere" / "a", tmp_path / "file" / "a", tmp_path / "loop"):
        with pytest.raises(UserError, match="cannot be written"):
            write_atomic(path, "x")
    for path in (tmp_path / "file", tmp_path / "file" / "a", tmp_path / ("a" * 300)):
        with pytest.raises(UserError, match="cannot be written"):
            make_folder(path)


def test_the_command_gives_one_message_for_a_folder_that_refuses(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    line = ["evaluate", "known:uniform", "--task", "gender_us", "--target", "labor", "-n", "2"]
    assert command([*line, "-o", str(tmp_path / "file" / "runs")]) == 2
    assert "cannot be written" in capsys.readouterr().err


def test_a_path_is_told_as_it_is_written() -> None:
    error = UserError("no such thing", found=Path("a/b c"))
    assert "found:    a/b c" in str(error)
