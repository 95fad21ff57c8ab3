from __future__ import annotations

import asyncio
import json
import logging
import threading
from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING

import httpx
import numpy as np
import pytest
from scipy import stats

from harness.errors import UserError
from harness.sampling.server.engine import ServerEngine
from harness.sampling.server.local import is_here
from harness.sampling.server.reply import MalformedReplyError, error_message, read_reply, refusal
from harness.terms import Draw, Message, Request, Sampling
from tests.sampling.faulty_server import Fault, FaultyServer, Json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

SHARES = {"female": 0.55, "male": 0.3, "either": 0.1, "": 0.05}
PLAIN = Sampling(max_tokens=8)


def requests(prompts: int, n: int, chunks: int = 1) -> list[Request]:
    seeds = np.random.SeedSequence(11).generate_state(prompts * chunks, np.uint64) >> np.uint64(1)
    return [
        Request(f"c{i}", "p", k, n, int(seeds[i * chunks + k]), messages=(Message("user", f"Who is c{i}?"),))
        for i in range(prompts)
        for k in range(chunks)
    ]


def engine(server: FaultyServer, **options: float) -> ServerEngine:
    settings: dict[str, float] = {"tries": 25, "pause": 0.002, "timeout": 30.0, "concurrency": 16} | options
    return ServerEngine(
        f"tiny@{server.url}",
        tries=int(settings["tries"]),
        pause=settings["pause"],
        timeout=settings["timeout"],
        concurrency=int(settings["concurrency"]),
        per_call=int(settings.get("per_call", 25)),
    )


def drawn(
    engine: ServerEngine, asked: Sequence[Request], sampling: Sampling = PLAIN
) -> dict[Request, list[Draw]]:
    results = list(engine.draw(asked, sampling))
    assert len({r for r, _ in results}) == len(results), "a request came twice"
    return dict(results)


def totals(results: Mapping[Request, list[Draw]]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for draws in results.values():
        for draw in draws:
            counts[draw.text if draw.finish != "failed" else "FAILED"] += draw.count
    return counts


def not_taken(engine: ServerEngine) -> tuple[str, ...]:
    served = engine.card().server
    assert served is not None
    return served.not_taken


def test_under_faults_every_draw_arrives_once_and_the_estimate_is_unbiased() -> None:
    faults: dict[Fault, float] = {
        "429": 0.06,
        "500": 0.06,
        "timeout": 0.01,
        "cut": 0.06,
        "malformed": 0.05,
        "missing": 0.04,
        "empty": 0.02,
    }
    asked = requests(prompts=50, n=50, chunks=2)
    with FaultyServer(SHARES, faults) as server:
        results = drawn(engine(server, timeout=1.0), asked)
        assert all(server.count(f) for f in faults), "each kind of fault was met"
    assert set(results) == set(asked)
    assert all(sum(d.count for d in results[r]) == r.n for r in asked)
    counts = totals(results)
    assert counts["FAILED"] == 0
    observed = [counts[t] for t in SHARES]
    expected = np.array(list(SHARES.values())) * sum(observed)
    assert stats.chisquare(observed, expected).pvalue > 0.001


def test_no_two_answers_come_from_one_random_stream() -> None:
    with FaultyServer(SHARES, {"missing": 0.3, "500": 0.1}) as server:
        drawn(engine(server), requests(prompts=1, n=100, chunks=20))
        served = [c for c in server.calls if c.fault == "" or (c.fault == "missing" and c.n > 1)]
    windows = sorted((c.seed, c.seed + c.n) for c in served)
    assert all(end <= start for (_, end), (start, _) in pairwise(windows))


def test_a_lost_answer_is_asked_for_again_and_not_drawn_anew() -> None:
    request = requests(1, 10)[0]
    with FaultyServer(SHARES, {"500": 0.7}) as server:
        draws = drawn(engine(server), [request])[request]
        assert {c.seed for c in server.calls} == {server.calls[0].seed}
        assert len(server.calls) > 1
        truth = Counter(server.text(server.calls[0].seed + i) for i in range(10))
    assert Counter({d.text: d.count for d in draws}) == truth


def test_when_tries_run_out_the_draws_are_failed_rows_with_the_reason() -> None:
    asked = requests(3, 30)
    with FaultyServer(SHARES) as server:
        sampler = engine(server, tries=2)
        drawn(sampler, requests(1, 1))
        server.faults = {"500": 1.0}
        results = drawn(sampler, asked)
    for request in asked:
        (row,) = results[request]
        assert (row.count, row.finish, row.text) == (30, "failed", "")
        assert "500: Internal Server Error" in row.error


@pytest.mark.parametrize("heeds_n", [True, False])
def test_a_server_without_n_gets_single_calls_and_it_is_said_once(
    heeds_n: bool, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(body: Json) -> tuple[int, str] | None:
        return (400, "only one choice per call") if heeds_n and "n" in body else None

    asked = requests(20, 12)
    with caplog.at_level(logging.WARNING), FaultyServer(SHARES, heeds_n=heeds_n, refuse=refuse) as server:
        sampler = engine(server)
        results = drawn(sampler, asked)
        assert max(Counter((c.prompt, c.seed) for c in server.calls if c.n == 1).values()) == 1
        assert len([c for c in server.calls if c.n > 1]) < 20
    assert sum(totals(results).values()) == 240
    assert sum("each draw is a call of its own" in m for m in caplog.messages) == 1
    assert "n" in not_taken(sampler)


@pytest.mark.parametrize("said", ["n must be at most 8", "n: 25 is too large", "invalid request"])
def test_a_cap_of_n_is_learnt_at_once_and_after_smaller_calls(
    said: str, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(body: Json) -> tuple[int, str] | None:
        n = body.get("n", 1)
        assert isinstance(n, int)
        return (400, said) if n > 8 else None

    for first in (5, 60):
        caplog.clear()
        with caplog.at_level(logging.WARNING), FaultyServer(SHARES, refuse=refuse) as server:
            sampler = engine(server)
            drawn(sampler, requests(3, first))
            results = drawn(sampler, requests(6, 50))
            served = sorted((c.seed, c.seed + c.n) for c in server.calls if c.n <= 8)
            assert len(server.calls) < 60 + len(served)
        assert sum(totals(results).values()) == 300
        assert totals(results)["FAILED"] == 0
        assert "n" not in not_taken(sampler)
        assert sum("choices per call" in m for m in caplog.messages) == 1


def test_a_server_that_is_gone_costs_no_call_all_its_tries() -> None:
    gone = threading.Event()
    with FaultyServer(SHARES, refuse=lambda body: (503, "down") if gone.is_set() else None) as server:
        sampler = engine(server, tries=6, concurrency=4)
        drawn(sampler, requests(2, 5))
        gone.set()
        before = len(server.calls)
        results = drawn(sampler, requests(100, 5))
        assert len(server.calls) - before < 100 + 6 * 8
        assert all(ds[0].finish == "failed" and ds[0].count == 5 for ds in results.values())
        gone.clear()
        assert totals(drawn(sampler, requests(100, 5)))["FAILED"] == 0


def test_a_redirect_and_a_page_say_what_they_are() -> None:
    page = "<html><style>p {}</style><body><h1>502 Bad\nGateway</h1></body></html>"
    assert error_message(page.encode()) == "502 Bad Gateway"
    with pytest.raises(MalformedReplyError, match="not JSON: 502 Bad Gateway"):
        read_reply(page.encode(), 1, 8)
    with pytest.raises(MalformedReplyError, match="no choices: the upstream is away"):
        read_reply(b'{"error": {"message": "the upstream is away", "code": 502}}', 1, 8)
    moved = httpx.Response(307, headers={"location": "https://there/v1"})
    assert "https://there/v1" in refusal(moved)


def test_all_sampling_parameters_are_sent_and_the_neutral_ones_too() -> None:
    with FaultyServer(SHARES) as server:
        drawn(engine(server), requests(1, 3), Sampling(max_tokens=9, stop=("\n",)))
        body = server.calls[0].body
    assert body["temperature"] == 1.0
    assert body["top_p"] == 1.0
    assert body["top_k"] == -1
    assert body["min_p"] == 0.0
    assert body["repetition_penalty"] == 1.0
    assert (body["max_tokens"], body["stop"], body["n"], body["model"]) == (9, ["\n"], 3, "tiny")


def test_fields_that_a_server_refuses_are_left_out_only_when_they_change_nothing() -> None:
    def refuse(body: Json) -> tuple[int, str] | None:
        strange = sorted({"top_k", "min_p", "repetition_penalty", "skip_special_tokens"} & set(body))
        if strange:
            return 400, f"Unrecognized request argument supplied: {strange[0]}"
        if "max_tokens" in body:
            return 400, "Unsupported parameter: use 'max_completion_tokens' instead"
        seed = body["seed"]
        assert isinstance(seed, int)
        return (400, "seed must be int32") if seed >= 2**31 else None

    with FaultyServer(SHARES, refuse=refuse) as server:
        sampler = engine(server)
        assert sum(totals(drawn(sampler, requests(4, 6))).values()) == 24
        assert server.calls[-1].body["max_completion_tokens"] == 8
        assert "top_k" in not_taken(sampler)
        with pytest.raises(UserError, match="refuses top_k, which this task needs"):
            drawn(engine(server), requests(1, 1), Sampling(top_k=5))


def test_access_denied_and_unknown_model_end_the_run_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISTALIGN_API_KEY", "sk-secret")
    with FaultyServer(SHARES, refuse=lambda body: (401, "bad key")) as server:
        with pytest.raises(UserError, match="denies access") as denied:
            drawn(engine(server), requests(40, 2))
        assert len(server.calls) == 1
        assert server.calls[0].key == "Bearer sk-secret"
    assert "DISTALIGN_API_KEY" in denied.value.hint
    assert "sk-secret" not in str(denied.value)
    with (
        FaultyServer(SHARES, models=("tinny", "other"), refuse=lambda body: (404, "no model")) as server,
        pytest.raises(UserError, match="no model 'tiny'") as unknown,
    ):
        drawn(engine(server), requests(40, 2))
    assert unknown.value.nearest == "tinny"
    with FaultyServer(SHARES) as server, pytest.raises(UserError, match="no such path") as path:
        drawn(ServerEngine(f"tiny@{server.url.removesuffix('/v1')}"), requests(1, 2))
    assert "often /v1" in path.value.expected


def test_no_server_and_no_spec_are_user_errors() -> None:
    with FaultyServer(SHARES) as server:
        url = server.url
    with pytest.raises(UserError, match="no server answers"):
        ServerEngine(f"tiny@{url}").card()
    with pytest.raises(UserError, match="not a server"):
        ServerEngine("tiny")


def test_a_prompt_that_is_too_long_fails_alone_but_all_of_them_end_the_run() -> None:
    def refuse(body: Json) -> tuple[int, str] | None:
        long = "c3?" in json.dumps(body)
        return (
            (400, "This model's maximum context length is 64 tokens, reduce the length of n")
            if long
            else None
        )

    asked = requests(6, 4)
    with FaultyServer(SHARES, refuse=refuse) as server:
        results = drawn(engine(server), asked)
        only = [r for r in asked if r.context == "c3"]
        assert {r for r, ds in results.items() if ds[0].finish == "failed"} == set(only)
        assert "maximum context length" in results[only[0]][0].error
        assert results[only[0]][0].count == 4
        with pytest.raises(UserError, match="takes none of the prompts"):
            drawn(engine(server), only)


def test_a_refusal_that_mentions_a_field_the_server_has_taken_is_about_its_prompt() -> None:
    def refuse(body: Json) -> tuple[int, str] | None:
        bad = "c5?" in json.dumps(body)
        return (400, "blocked by policy: stop asking, whatever the temperature") if bad else None

    asked = requests(8, 3)
    with FaultyServer(SHARES, refuse=refuse) as server:
        sampler = engine(server)
        results = drawn(sampler, asked, Sampling(max_tokens=8, stop=("\n",)))
        assert not_taken(sampler) == ()
    assert {r.context for r, ds in results.items() if ds[0].finish == "failed"} == {"c5"}


def test_what_is_left_out_for_nothing_is_sent_again() -> None:
    def refuse(body: Json) -> tuple[int, str] | None:
        return (400, "blocked") if "c0?" in json.dumps(body) else None

    asked = requests(4, 3)
    with FaultyServer(SHARES, refuse=refuse) as server:
        sampler = engine(server)
        results = drawn(sampler, asked)
        assert not_taken(sampler) == ()
        assert {"top_k", "n"} <= server.calls[-1].body.keys()
    assert {r.context for r, ds in results.items() if ds[0].finish == "failed"} == {"c0"}


def test_a_server_that_refuses_without_a_word_is_tried_without_the_fields_of_others() -> None:
    def refuse(body: Json) -> tuple[int, str] | None:
        return (422, "invalid request") if "min_p" in body else None

    with FaultyServer(SHARES, refuse=refuse) as server:
        sampler = engine(server)
        assert sum(totals(drawn(sampler, requests(4, 6))).values()) == 24
        assert server.calls[-1].n == 6
        assert "min_p" in not_taken(sampler)


def test_concurrency_gives_way_to_429_and_comes_back() -> None:
    busy = iter([False] + [True] * 40)
    with FaultyServer(
        SHARES, refuse=lambda body: (429, "slow down") if next(busy, False) else None
    ) as server:
        sampler = engine(server)
        seen = [sampler.concurrency for _ in sampler.draw(requests(400, 1), PLAIN)]
        assert server.most <= 16
    assert min(seen) < 8
    assert sampler.concurrency == 16


def test_closing_the_stream_ends_the_calls_and_their_thread() -> None:
    gate = threading.Event()
    with FaultyServer(SHARES) as server:
        sampler = engine(server, concurrency=2)
        stream = sampler.draw(requests(50, 1), PLAIN)
        next(stream)
        server.gate = gate
        stream.close()
        gate.set()
        assert len(server.calls) < 50
        assert not [t for t in threading.enumerate() if t.name == "server-draws"]


def test_it_draws_inside_a_running_loop() -> None:
    async def notebook(server: FaultyServer) -> int:
        return sum(totals(drawn(engine(server), requests(3, 5))).values())

    with FaultyServer(SHARES) as server:
        assert asyncio.run(notebook(server)) == 15


def test_plain_text_goes_to_completions_and_a_beginning_is_continued() -> None:
    text = Request("c", "p", 0, 4, 5, text="The nurse said that")
    begun = Request("c", "p", 1, 4, 6, messages=(Message("user", "Who?"), Message("assistant", "She")))
    with FaultyServer(SHARES) as server:
        assert sum(totals(drawn(engine(server), [text, begun])).values()) == 8
        by_path = {c.path: c.body for c in server.calls}
    assert by_path["/v1/completions"]["prompt"] == "The nurse said that"
    assert by_path["/v1/chat/completions"]["continue_final_message"] is True
    assert by_path["/v1/chat/completions"]["add_generation_prompt"] is False


def test_the_card_names_what_answered_and_never_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    with FaultyServer(SHARES) as server:
        sampler = ServerEngine(f"@{server.url}")
        drawn(sampler, requests(1, 1))
        card = sampler.card()
    assert card.model == "tiny"
    assert card.engine["answered_as"] == "tiny-2026"
    assert card.engine["fingerprint"] == "fp_1"
    assert "sk-secret" not in repr(card)
    with pytest.raises(UserError, match="a password in the URL") as err:
        ServerEngine("tiny@http://me:hidden@127.0.0.1/v1")
    assert "hidden" not in str(err.value)


def test_files_are_looked_at_only_of_a_server_on_this_machine(tiny_model: Path) -> None:
    assert is_here("127.0.0.1")
    assert is_here("::1")
    assert is_here("localhost")
    assert not is_here("10.0.0.1")
    assert not is_here("localhost.example.org")
    with FaultyServer(SHARES, root=str(tiny_model)) as server:
        card = engine(server).card()
    assert len(card.weights) == 64
    assert card.template == "", "this server does not tell how it writes a chat"
    assert card.model == "tiny"
