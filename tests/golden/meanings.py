"""What is said, once for all formats: the cases that every pair of formats is tested with.

The upstream's side of each comes from the mock, whose answers are written by hand in each format; a case states only
what they mean.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Struct

from newapi.frames import sse
from newapi.mock import anthropic, gemini, openai, responses
from newapi.mock.script import SIGNATURE, THOUGHT, Asked, Said

DIALECTS: dict[str, Any] = {
    "openai_chat": openai,
    "openai_responses": responses,
    "anthropic_messages": anthropic,
    "gemini": gemini,
}
FORMATS = tuple(DIALECTS)
MODEL = "golden-model"


class Meaning(Struct, frozen=True):
    """An answer's meaning: text, reasoning, calls as (name, arguments), finish, and usage by bucket sums."""

    text: str
    reasoning: str
    calls: tuple[tuple[str, Any], ...]
    finish: str
    prompt: int
    cached: int
    completion: int


ARGS = '{"city":"Paris","unit":"c"}'
ROME = '{"city":"Rome","unit":"c"}'

CASES: dict[str, Said] = {
    "text": Said(pieces=["Hello ", "from ", "the mock."], prompt=12, completion=3),
    "tool call": Said(calls=(("get_weather", ARGS),), prompt=20, completion=9),
    "parallel calls": Said(calls=(("get_weather", ARGS), ("get_weather", ROME)), prompt=20, completion=18),
    "reasoning": Said(pieces=["Hello."], thought=THOUGHT, prompt=12, completion=8, reasoning=7),
    "reasoning before a call": Said(
        calls=(("get_weather", ARGS),), thought=THOUGHT, prompt=12, completion=16, reasoning=7
    ),
    "cached": Said(pieces=["Hi"], prompt=2000, cached=1500, completion=1),
    "no ascii": Said(pieces=["Grüße, ", "世界 ", "👋🏽", '\n\ttabs "quotes" \\ '], prompt=5, completion=9),
    "two thousand pieces": Said(pieces=[f"w{i} " for i in range(2000)], prompt=5, completion=2000),
}


def meaning(said: Said) -> Meaning:
    """Return what `said` means, whatever format says it."""
    return Meaning(
        text=said.text,
        reasoning=said.thought,
        calls=tuple((n, msgspec.json.decode(a)) for n, a in said.calls),
        finish="tool_calls" if said.calls else "stop",
        prompt=said.prompt,
        cached=said.cached,
        completion=said.completion,
    )


def plain(format: str, said: Said) -> bytes:
    """Return the upstream's whole answer."""
    return msgspec.json.encode(DIALECTS[format].answer(Asked(MODEL, stream=False), said))


def stream(format: str, said: Said) -> bytes:
    """Return the upstream's stream."""
    return b"".join(_events(format, said))


def _events(format: str, said: Said) -> Iterator[bytes]:
    body = {"stream_options": {"include_usage": True}}
    for name, data in DIALECTS[format].stream(Asked(MODEL, stream=True), said, body):
        yield sse.write(data.encode() if isinstance(data, str) else msgspec.json.encode(data), name)


__all__ = ["CASES", "FORMATS", "SIGNATURE", "Meaning", "meaning", "plain", "stream"]
