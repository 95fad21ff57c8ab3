"""What a server's answer amounts to, and how long one that is busy is left alone."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING

from harness.sampling.server.pace import LONGEST_RETRY_AFTER, Pace, retry_after
from harness.sampling.server.reply import read_reply
from harness.terms import Draw

if TYPE_CHECKING:
    from tests.sampling.faulty_server import Json


def reply(*choices: Json, tokens: int = 0) -> bytes:
    return json.dumps({"choices": choices, "usage": {"completion_tokens": tokens}}).encode()


def test_reasoning_is_put_back_in_front_of_the_answer() -> None:
    whole: Json = {"message": {"content": "female", "reasoning_content": "hm"}, "finish_reason": "stop"}
    open_end: Json = {"message": {"content": None, "reasoning": "hm, still"}, "finish_reason": "length"}
    first, second = read_reply(reply(whole, open_end), 2, 8).draws
    assert first == Draw("<think>hm</think>female", finish="stop")
    assert second == Draw("<think>hm, still", finish="length")


def test_stop_at_the_cap_is_a_cut_unless_the_tokens_say_otherwise() -> None:
    choice: Json = {"message": {"content": "a b c"}, "finish_reason": "stop"}
    assert read_reply(reply(choice, tokens=8), 1, 8).draws[0].finish == "length"
    assert read_reply(reply(choice, tokens=7), 1, 8).draws[0] == Draw("a b c", tokens=7)
    told: Json = {**choice, "token_ids": list(range(8))}
    assert read_reply(reply(told, tokens=8), 1, 8).draws[0] == Draw("a b c", tokens=8)
    cut: Json = {**choice, "finish_reason": "length"}
    assert read_reply(reply(cut, choice, tokens=9), 2, 8).draws[0].finish == "length"


def test_an_empty_text_is_a_draw_and_a_broken_choice_is_none() -> None:
    silent: Json = {"message": {"content": ""}, "finish_reason": "stop"}
    withheld: Json = {"message": {"content": None, "refusal": "I cannot"}, "finish_reason": "stop"}
    broken: Json = {"finish_reason": "stop"}
    half: Json = {"message": {"content": "I"}, "finish_reason": "error"}
    found = read_reply(reply(silent, withheld, broken, half), 4, 8).draws
    assert [d.text for d in found] == ["", "I cannot"]


def test_a_text_in_parts_is_one_text() -> None:
    thinking: Json = {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}
    parts: Json = {"content": [thinking, {"type": "text", "text": "fem"}, {"type": "text", "text": "ale"}]}
    choice: Json = {"message": parts, "finish_reason": "stop"}
    assert read_reply(reply(choice), 1, 8).draws[0].text == "<think>hm</think>female"


def test_calls_turned_away_together_lower_the_limit_once() -> None:
    async def burst() -> list[float]:
        pace = Pace(16, 16.0)
        limits = []
        async with pace.slot() as first, pace.slot() as second:
            pace.overloaded(first, 0.0)
            pace.overloaded(second, 0.0)
            limits.append(pace.limit)
        for _ in range(9):
            pace.succeeded()
        limits.append(pace.limit)
        async with pace.slot() as later:
            pace.overloaded(later, 0.0)
        return [*limits, pace.limit]

    once, grown, again = asyncio.run(burst())
    assert once == 8.0
    assert 9.0 < grown < 9.2
    assert again == grown / 2


def test_retry_after_is_read_as_seconds_or_date() -> None:
    assert retry_after("3") == 3.0
    assert retry_after(None) == retry_after("soon") == retry_after("-4") == retry_after("nan") == 0.0
    assert retry_after("1e9") == LONGEST_RETRY_AFTER
    soon = datetime.now(UTC) + timedelta(seconds=40)
    assert 30 < retry_after(format_datetime(soon, usegmt=True)) <= 40
    assert retry_after("Wed, 21 Oct 2015 07:28:00 GMT") == 0.0
