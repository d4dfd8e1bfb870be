"""Where a caller stands with its limits, in each vendor's words."""

from __future__ import annotations

import msgspec
import pytest

from newapi import formats
from newapi.base.errors import CallerError
from newapi.base.standing import Gauge, Standing
from newapi.formats._limit_headers import duration

STANDING = Standing(Gauge(60, 59, 1.0), Gauge(150_000, 149_984, 360.0))
NOW = 1_764_072_000.0
OPENAI = {
    "x-ratelimit-limit-requests": "60",
    "x-ratelimit-remaining-requests": "59",
    "x-ratelimit-reset-requests": "1s",
    "x-ratelimit-limit-tokens": "150000",
    "x-ratelimit-remaining-tokens": "149984",
    "x-ratelimit-reset-tokens": "6m0s",
}
ANTHROPIC = {
    "anthropic-ratelimit-requests-limit": "60",
    "anthropic-ratelimit-requests-remaining": "59",
    "anthropic-ratelimit-requests-reset": "2025-11-25T12:00:01Z",
    "anthropic-ratelimit-tokens-limit": "150000",
    "anthropic-ratelimit-tokens-remaining": "149984",
    "anthropic-ratelimit-tokens-reset": "2025-11-25T12:06:00Z",
}


@pytest.mark.parametrize("name", formats.names())
def test_each_format_says_it_as_its_vendor_does(name: str) -> None:
    expected = ANTHROPIC if name.startswith("anthropic") else {} if name.startswith("gemini") else OPENAI
    assert dict(formats.get(name).limit_headers(STANDING, NOW)) == expected


@pytest.mark.parametrize("name", ["openai_chat", "anthropic_messages"])
def test_what_is_not_limited_is_not_told(name: str) -> None:
    entry = formats.get(name)
    assert entry.limit_headers(Standing(), NOW) == []
    told = dict(entry.limit_headers(Standing(tokens=STANDING.tokens), NOW))
    assert len(told) == 3
    assert all("tokens" in header for header in told)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0ms"), (0.12, "120ms"), (1, "1s"), (59.5, "59.5s"), (60, "1m0s"), (90.25, "1m30.25s"), (360, "6m0s")],
)
def test_a_duration_is_written_as_openai_does(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(("wait", "delay"), [(7.2, "8s"), (30.0, "30s")])
def test_google_is_told_in_the_body_when_to_come_again(wait: float, delay: str) -> None:
    error = CallerError("too many", status=429, retry_after=wait)
    told = msgspec.json.decode(formats.get("gemini").write_error(error, "req-1"))["error"]
    assert told["status"] == "RESOURCE_EXHAUSTED"
    assert told["details"] == [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay}]
    plain = msgspec.json.decode(formats.get("gemini").write_error(CallerError("no"), ""))["error"]
    assert "details" not in plain
