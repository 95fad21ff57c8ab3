"""Servers that answer wrongly, late or not at all: no good draw is lost, no key is shown, and what happens is told."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING

import pytest

from harness import progress
from harness.errors import UserError
from harness.sampling.server import engine as engines
from harness.sampling.server import session
from harness.sampling.server.engine import ServerEngine
from harness.terms import Message, Request, Sampling
from tests.sampling.faulty_server import FaultyServer

if TYPE_CHECKING:
    from collections.abc import Mapping

SHARES = {"yes": 0.5, "no": 0.5}
ASKED = [Request(f"c{i}", "p", 0, 4, 99 * i, messages=(Message("user", "Well?"),)) for i in range(3)]


def engine(server: FaultyServer, **options: float) -> ServerEngine:
    return ServerEngine(f"tiny@{server.url}", pause=0.001, timeout=options.get("timeout", 30.0))


def answer(**changes: object) -> bytes:
    reply = {"choices": [{"message": {"content": "bad"}, "finish_reason": "stop"}] * 4, **changes}
    return json.dumps(reply).encode()


WRONG: dict[str, tuple[Mapping[str, str], bytes]] = {
    "nested": ({}, b"[" * 100_000),
    "nested in a choice": ({}, b'{"choices":' + b"[" * 100_000),
    "a number without end": ({}, b'{"choices": [], "usage": ' + b"9" * 10_000 + b"}"),
    "absurd tokens": ({}, answer(usage={"completion_tokens": 10**30})),
    "negative tokens": ({}, answer(usage={"completion_tokens": -1})),
    "no JSON": ({}, b"\xff\xfe\x00"),
    "another charset": ({"Content-Type": "application/json; charset=nonsense"}, "ÿ".encode("utf-16-be")),
    "broken gzip": ({"Content-Encoding": "gzip"}, b"\x1f\x8b\x08\x00nonsense"),
    "no object": ({}, b"[1, 2]"),
    "choices of other kinds": ({}, answer(choices=[1, None, "x", {"message": []}])),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_answer_is_asked_for_again(name: str) -> None:
    with FaultyServer(SHARES, first=[WRONG[name]]) as server:
        found = dict(engine(server).draw(ASKED, Sampling()))
        assert len(server.calls) == len(ASKED) + 1
    assert {r.context: sum(d.count for d in ds) for r, ds in found.items()} == {"c0": 4, "c1": 4, "c2": 4}
    assert {d.text for ds in found.values() for d in ds} <= SHARES.keys()


def test_fields_of_other_kinds_do_no_harm() -> None:
    odd = {"message": {"content": [{"text": ["x", 1]}, 7]}, "finish_reason": ["stop"], "token_ids": "none"}
    reply = answer(
        choices=[odd] * 4, usage={"completion_tokens": "many"}, model={"a": 1}, system_fingerprint=7
    )
    with FaultyServer(SHARES, first=[({}, reply)]) as server:
        sampler = engine(server)
        ((_, draws),) = sampler.draw(ASKED[:1], Sampling())
    assert sum(d.count for d in draws) == 4
    assert len(json.dumps(dict(sampler.card().engine))) < 1_000


def test_an_answer_without_end_is_not_read_to_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "ANSWER_BYTES", 10_000)
    with FaultyServer(SHARES, first=[({}, b" " * 20_000)]) as server:
        found = dict(engine(server).draw(ASKED, Sampling()))
    assert sum(d.count for ds in found.values() for d in ds) == 12


def test_a_redirect_is_not_followed() -> None:
    elsewhere = ({"Location": "http://127.0.0.1:1/v1/chat/completions"}, b"")
    with FaultyServer(SHARES, first=[elsewhere]) as server, pytest.raises(UserError, match="it redirects to"):
        list(engine(server).draw(ASKED, Sampling()))


def test_a_server_that_only_fails_ends_with_what_it_said(capsys: pytest.CaptureFixture[str]) -> None:
    with FaultyServer(SHARES, {"500": 1.0}) as server:
        with pytest.raises(UserError, match="the server gives no draws") as err:
            list(engine(server).draw(ASKED, Sampling()))
        assert len(server.calls) == 8
    assert "500: Internal Server Error (8 tries)" in str(err.value)


def test_a_server_that_hangs_is_told_and_given_up(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "FIRST_SECONDS", 0.0)
    monkeypatch.setattr(engines, "GLANCE", 0.02)
    gate = threading.Event()
    with FaultyServer(SHARES, gate=gate) as server:
        sampler = engine(server, timeout=0.3)
        with pytest.raises(UserError, match="no draws within"):
            list(sampler.draw(ASKED, Sampling()))
        gate.set()
    told = capsys.readouterr().err
    assert "waiting for the first draws for" in told
    assert "calls open: 1; calls sent: 1; nothing came back (8 tries each, 32 calls at once)" in told


def test_a_server_that_falls_silent_is_told_with_what_is_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "LOG_SECONDS", 0.0)
    monkeypatch.setattr(engines, "GLANCE", 0.02)
    gate = threading.Event()
    gate.set()

    def say(line: str) -> None:
        if "waiting for further draws for" in line and "calls open: 3, 3 answered" in line:
            gate.set()

    monkeypatch.setattr(engines, "say", say)
    with FaultyServer(SHARES, gate=gate) as server:
        sampler = engine(server)
        assert len(list(sampler.draw(ASKED, Sampling()))) == 3
        gate.clear()
        assert len(list(sampler.draw(ASKED, Sampling()))) == 3, "it was told, or the gate would be closed"


def test_no_key_is_shown(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("DISTALIGN_API_KEY", "sk-hidden")
    for status in (400, 401, 404, 500):
        with FaultyServer(SHARES, refuse=lambda _, s=status: (s, "what is sk-hidden?")) as server:  # type: ignore[misc]  # a default binds the loop's value
            with pytest.raises(UserError) as err:
                list(engine(server).draw(ASKED, Sampling()))
            assert server.calls[0].key == "Bearer sk-hidden"
        assert "what is [key]?" in str(err.value)
        assert "sk-hidden" not in f"{err.value}{err.value.found}{capsys.readouterr()}"
    for bad in ("sk-hidden\nX: y", "sk-hiddené"):
        monkeypatch.setenv("DISTALIGN_API_KEY", bad)
        with FaultyServer(SHARES) as server, pytest.raises(UserError, match="characters that no key") as err:
            engine(server).card()
        assert "hidden" not in str(err.value)


@pytest.mark.parametrize(
    "url",
    [
        "http://[::1/v1",
        "http://a:99999/v1",
        "http:///v1",
        "http://\x00/v1",
        "http://" + "a" * 300 + ".invalid/v1",
    ],
)
def test_what_is_no_url(url: str) -> None:
    with pytest.raises(UserError):
        ServerEngine(f"x@{url}").card()
