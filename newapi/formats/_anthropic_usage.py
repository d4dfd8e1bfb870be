"""Anthropic's `usage`, read and written.

Sources: https://docs.claude.com/en/api/messages#response-usage,
https://docs.claude.com/en/docs/build-with-claude/prompt-caching#tracking-cache-performance
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from newapi.ir.usage import Usage


class CacheCreation(Struct):
    ephemeral_5m_input_tokens: int | None = None
    ephemeral_1h_input_tokens: int | None = None


class ServerToolUse(Struct):
    web_search_requests: int | None = None


class OutputDetails(Struct):
    thinking_tokens: int | None = None


class Said(Struct):
    """The object as it comes; vendors leave fields out or say null."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation: CacheCreation | None = None
    server_tool_use: ServerToolUse | None = None
    output_tokens_details: OutputDetails | None = None


class Counter:
    """What a stream has said so far: counts are cumulative, and a zero takes nothing back."""

    __slots__ = ("_hour", "_minutes", "_searches", "_thinking", "cached", "input", "output", "written")

    def __init__(self) -> None:
        self.input = self.output = self.cached = self.written = 0
        self._minutes = self._hour = self._searches = self._thinking = 0

    def see(self, said: Said) -> None:
        """Take in one `usage` object."""
        self.input = _more(said.input_tokens, self.input)
        self.output = _more(said.output_tokens, self.output)
        self.written = _more(said.cache_creation_input_tokens, self.written)
        self.cached = _more(said.cache_read_input_tokens, self.cached)
        if (split := said.cache_creation) is not None:
            self._minutes = _more(split.ephemeral_5m_input_tokens, self._minutes)
            self._hour = _more(split.ephemeral_1h_input_tokens, self._hour)
        if said.server_tool_use is not None:
            self._searches = _more(said.server_tool_use.web_search_requests, self._searches)
        if said.output_tokens_details is not None:
            self._thinking = _more(said.output_tokens_details.thinking_tokens, self._thinking)

    def usage(self) -> Usage:
        """Return it in disjoint buckets. What is written without a lifetime lives five minutes, Anthropic's default."""
        written = max(self.written, self._minutes + self._hour)
        thinking = min(self._thinking, self.output)
        return Usage(
            input=self.input,
            cache_read=self.cached,
            cache_write_5m=written - self._hour,
            cache_write_1h=self._hour,
            output=self.output - thinking,
            reasoning=thinking,
            web_searches=self._searches,
        )


def _more(said: int | None, known: int) -> int:
    return said if said is not None and said > 0 else known


def read(said: Said) -> Usage:
    """Return a whole answer's usage."""
    counter = Counter()
    counter.see(said)
    return counter.usage()


def write(usage: Usage, *, delta: bool = False) -> dict[str, Any]:
    """Return the object. `input_tokens` leaves out what the cache read and wrote; thinking is part of `output_tokens`.

    Args:
        usage: The counts.
        delta: Whether it is for `message_delta`, which does not split what was written by its lifetime.
    """
    out: dict[str, Any] = {
        "input_tokens": usage.input + usage.input_image + usage.input_audio,
        "cache_creation_input_tokens": usage.cache_write,
        "cache_read_input_tokens": usage.cache_read,
    }
    if usage.cache_write and not delta:
        out["cache_creation"] = {
            "ephemeral_5m_input_tokens": usage.cache_write_5m,
            "ephemeral_1h_input_tokens": usage.cache_write_1h,
        }
    out["output_tokens"] = usage.completion
    if usage.reasoning:
        out["output_tokens_details"] = {"thinking_tokens": usage.reasoning}
    if usage.web_searches:
        out["server_tool_use"] = {"web_search_requests": usage.web_searches, "web_fetch_requests": 0}
    return out
