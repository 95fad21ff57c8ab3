"""A run at a server: its manifest says what answered, and it goes on at no other kind of server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from harness import evaluate
from harness.cli.running import show
from harness.dryrun import forecast
from harness.errors import UserError
from harness.merging import merge
from harness.runs.folder import Run
from harness.sampling.open import Engines
from harness.settings import Settings
from harness.tasks.task import load_task
from reports.leaderboard import leaderboard
from tests.sampling.faulty_server import FaultyServer
from tests.sampling.ollama_server import OllamaServer

if TYPE_CHECKING:
    from pathlib import Path

WORDS = {"female": 1.0, "male": 0.5, "Neither.": -1.0}


def run_at(url: str, out: Path, **asked: Any) -> Run:
    """A run of one context at a server."""
    return evaluate(
        f"server:tiny@{url}", "gender_us", "uniform", contexts=("software_developers",), out=out, **asked
    )


def test_the_manifest_and_the_board_say_what_answered(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with OllamaServer(WORDS, [("top_k", 20), ("repeat_penalty", 1.3)]) as server:
        run = evaluate(
            f"server:tiny:latest@{server.root}/v1",
            "gender_us",
            "labor",
            n=3,
            contexts=("registered_nurses", "software_developers"),
            out=tmp_path / "runs",
        )
        asked = sum(path == "/api/chat" for path, _ in server.calls)
    manifest = Run.open(run.folder).manifest
    assert manifest.engine.name == "ollama"
    assert manifest.server is not None
    assert (manifest.server.kind, manifest.server.version) == ("Ollama", "0.12.6")
    assert manifest.server.set_aside == ("top_k 20", "repeat_penalty 1.3")
    assert manifest.probe is not None
    assert asked == run.n * len(run.prompts().prompts) + manifest.probe.draws
    assert "20 draws that are not counted" in capsys.readouterr().err
    show(run)
    assert "  server: Ollama 0.12.6; set aside: top_k 20, repeat_penalty 1.3" in capsys.readouterr().out
    leaderboard([str(tmp_path / "runs")], tmp_path / "site")
    page = (tmp_path / "site" / "index.html").read_text(encoding="utf-8")
    assert "Ollama 0.12.6; set aside: top_k 20, repeat_penalty 1.3" in page


def test_what_a_server_refuses_stands_in_the_manifest_of_its_run(tmp_path: Path) -> None:
    def refuse(body: dict[str, object]) -> tuple[int, str] | None:
        return (400, "unknown field min_p") if "min_p" in body else None

    with FaultyServer({"female": 0.6, "male": 0.4}, refuse=refuse) as server:
        run = run_at(server.url, tmp_path, n=2)
    found = Run.open(run.folder).manifest
    assert found.server is not None
    assert found.server.not_taken == ("min_p",)
    assert found.server.not_stated == ("top_k", "repetition_penalty", "weights", "chat template")
    assert found.engine.model_dump()["fingerprint"] == "fp_1"


class TgiServer(FaultyServer):
    """TGI as its source has it: it draws otherwise under a repetition penalty, which it makes of the presence penalty."""

    def __init__(self, info: bool = True) -> None:
        told: dict[str, object] = {"model_id": "tiny", "version": "3.3.4", "max_total_tokens": 4096}
        super().__init__(
            {"female": 0.6, "male": 0.4},
            refuse=self.refusal,
            heeds_n=False,
            fingerprint="3.3.4-sha-9f38d93",
            beside=lambda path, _: told if info and path == "/info" else None,
        )

    def refusal(self, body: dict[str, object]) -> tuple[int, str] | None:
        top_p = body.get("top_p", 0.5)
        assert isinstance(top_p, float)
        return None if 0 < top_p < 1 else (422, "Input validation error: `top_p` must be > 0.0 and < 1.0")

    def penalties(self) -> list[float]:
        """Of each call: 1 is none."""
        given = [call.body.get("presence_penalty") for call in self.calls]
        return [1.0 if p is None else p + 2.0 for p in given if p is None or isinstance(p, float)]


@pytest.mark.parametrize("info", [True, False])
def test_tgi_is_sent_nothing_that_it_takes_for_a_repetition_penalty(tmp_path: Path, info: bool) -> None:
    with TgiServer(info) as server:
        run = run_at(server.url, tmp_path, n=3)
        kept = server.penalties()[-run.n * len(run.prompts().prompts) :]
        learned = set(server.penalties()) - {1.0}
    assert set(kept) == {1.0}
    assert not info or not learned
    found = Run.open(run.folder).manifest.server
    assert found is not None
    assert (found.kind, found.not_taken) == ("TGI", ())
    assert found.not_stated[:2] == ("top_k", "min_p")
    with TgiServer(info) as server, pytest.raises(UserError, match="TGI leaves out top_k"):
        run_at(server.url, tmp_path, n=1, sampling={"top_k": 5})


def test_a_run_goes_on_at_no_other_kind_of_server(tmp_path: Path) -> None:
    law = {"female": 0.6, "male": 0.4}
    with FaultyServer(law, owner="vllm") as server:
        run_at(server.url, tmp_path, n=2)
    with (
        FaultyServer(law, owner="sglang") as server,
        pytest.raises(UserError, match="of another kind") as err,
    ):
        run_at(server.url, tmp_path, n=4)
    assert (err.value.found, err.value.expected) == ("SGLang", "vLLM")


def test_parts_of_a_run_at_two_kinds_of_server_are_not_joined(tmp_path: Path) -> None:
    for i, owner in ((1, "vllm"), (2, "sglang")):
        with FaultyServer({"female": 0.6, "male": 0.4}, owner=owner) as server:
            evaluate(
                f"server:tiny@{server.url}",
                "gender_us",
                n=2,
                contexts=("software_developers",),
                shard=(i, 2),
                out=tmp_path / owner,
            )
    with pytest.raises(UserError, match="of another kind"):
        merge([str(tmp_path)], tmp_path / "runs")


def test_a_dry_run_tells_of_the_probe() -> None:
    with FaultyServer({"female": 0.6, "male": 0.4}) as server:
        task, asked = load_task("gender_us"), Settings(n=2, contexts=("software_developers",))
        lines = forecast(f"server:tiny@{server.url}", task, ["labor"], asked, Engines())
        known = forecast("known:target", task, ["labor"], asked, Engines())
    assert any("20 draws that are not counted" in line for line in lines)
    assert not any("not counted" in line for line in known)


def test_software_that_changes_while_it_draws_ends_the_run(tmp_path: Path) -> None:
    with FaultyServer({"female": 1.0}, owner="vllm") as server:
        server.fingerprint = "b1234-abcdef"
        with pytest.raises(UserError, match="another server answers") as err:
            run_at(server.url, tmp_path, n=2)
    assert err.value.expected == "vLLM"
