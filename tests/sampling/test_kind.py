"""What software answers is found out by what it tells, in few requests, and nothing that it tells breaks anything."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import httpx
import pytest

from harness.sampling.server import kind
from harness.sampling.server.kind import Software, recognise, spoken

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT = httpx.URL("http://box:1/some/where")
KINDS: dict[str, tuple[str, Mapping[str, object], Software]] = {
    "llama.cpp": (
        "llamacpp",
        {"/props": {"default_generation_settings": {}, "total_slots": 4, "build_info": "b1234-abcdef0"}},
        Software("llama.cpp", "b1234-abcdef0", 4),
    ),
    "llama.cpp with Ollama's paths": (
        "somebody",
        {"/props": {"total_slots": 1, "chat_template": "{{ x }}"}, "/api/version": {"version": "0.5"}},
        Software("llama.cpp", "", 1, "{{ x }}"),
    ),
    "Ollama": ("library", {"/api/version": {"version": "0.12.6"}}, Software("Ollama", "0.12.6")),
    "Ollama with a model of somebody's": (
        "somebody",
        {"/api/version": {"version": "0.12.6"}},
        Software("Ollama", "0.12.6"),
    ),
    "vLLM": ("vllm", {"/version": {"version": "0.11.0"}}, Software("vLLM", "0.11.0")),
    "no vLLM": ("somebody", {"/version": {"version": "0.11.0"}}, Software()),
    "SGLang": (
        "sglang",
        {"/get_server_info": {"version": "0.5.3", "model_path": "/m"}},
        Software("SGLang", "0.5.3"),
    ),
    "SGLang of late": (
        "",
        {"/server_info": {"version": "0.6", "model_path": "/m"}},
        Software("SGLang", "0.6"),
    ),
    "LM Studio": (
        "organization_owner",
        {"/api/v0/models": {"data": [{"id": "m", "compatibility_type": "gguf"}]}},
        Software("LM Studio"),
    ),
    "TGI": (
        "",
        {"/info": {"model_id": "m", "version": "3.3.0", "max_total_tokens": 4096}},
        Software("TGI", "3.3.0"),
    ),
    "nothing known": ("", {}, Software()),
}


def client(told: Mapping[str, object], asked: list[str] | None = None) -> httpx.Client:
    def answer(request: httpx.Request) -> httpx.Response:
        path = request.url.path.removeprefix("/some/where")
        if asked is not None:
            asked.append(path)
        found = told.get(path)
        if isinstance(found, Exception):
            raise found
        if isinstance(found, bytes):
            return httpx.Response(200, content=found)
        return httpx.Response(404 if found is None else 200, json=found or {"error": "no such path"})

    return httpx.Client(transport=httpx.MockTransport(answer))


@pytest.mark.parametrize("name", KINDS)
def test_each_kind_is_known_by_what_it_tells(name: str) -> None:
    owner, told, expected = KINDS[name]
    asked: list[str] = []
    assert recognise(client(told, asked), ROOT, owner) == expected
    assert len(asked) <= (2 if expected.kind and owner in ("vllm", "library", "llamacpp") else 7)


def test_the_list_of_models_is_believed_where_nothing_else_tells() -> None:
    assert recognise(client({}), ROOT, "llamacpp") == Software("llama.cpp")
    assert recognise(client({}), httpx.URL("https://api.openai.com"), "system") == Software("OpenAI")


def test_a_server_that_hangs_is_asked_once() -> None:
    asked: list[str] = []
    assert recognise(client({"/props": httpx.ReadTimeout("slow")}, asked), ROOT, "") == Software()
    assert asked == ["/props"]


HOSTILE: dict[str, object] = {
    "no JSON": b"\xff\xfe",
    "nested": b"[" * 100_000,
    "a list": [1, 2],
    "null": b"null",
    "a broken connection": httpx.ReadError("reset"),
    "fields of other kinds": {"total_slots": "many", "build_info": ["b1"], "chat_template": 7},
    "absurd slots": {"total_slots": 10**30, "build_info": None},
    "less than none": {"total_slots": -4},
    "true": {"total_slots": True},
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_told_wrongly_is_not_known_and_no_error(name: str) -> None:
    found = recognise(client({"/props": HOSTILE[name]}), ROOT, "")
    assert found in (Software(), Software("llama.cpp"))


def test_a_version_is_fit_to_be_shown() -> None:
    told = {"/api/version": {"version": "1\x1b[2J\n" + "9" * 5_000}}
    version = recognise(client(told), ROOT, "").version
    assert "\x1b" not in version
    assert "\n" not in version
    assert len(version) < 200


def test_what_has_no_end_is_not_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kind, "TOLD_BYTES", 1_000)
    read = 0

    def endless() -> Iterator[bytes]:
        nonlocal read
        while True:
            read += 100
            yield b" " * 100

    transport = httpx.MockTransport(lambda _: httpx.Response(200, content=endless()))
    assert recognise(httpx.Client(transport=transport), ROOT, "llamacpp") == Software("llama.cpp")
    assert read < 2_000


def test_what_comes_by_drops_is_not_waited_for() -> None:
    body = json.dumps({"total_slots": 4}).encode()
    transport = httpx.MockTransport(lambda _: httpx.Response(200, content=iter([body[:5], body[5:]])))
    assert kind.told(httpx.Client(transport=transport), ROOT, "props", seconds=0.0) == {}


def test_fingerprints_name_their_maker() -> None:
    assert spoken("fp_ollama") == "Ollama"
    assert spoken("b6789-0123abc") == "llama.cpp"
    assert spoken("3.3.4-dev0-sha-9f38d93") == spoken("2.0.1-native") == "TGI"
    assert spoken("fp_44709d6fcb") == spoken("3.3.4-alpha") == spoken("") == ""
