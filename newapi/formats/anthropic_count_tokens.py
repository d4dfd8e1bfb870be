"""Anthropic's token counting, passed through as it is.

Source: https://docs.claude.com/en/api/messages-count-tokens
"""

from __future__ import annotations

import msgspec

from newapi.base.errors import UpstreamError
from newapi.formats import _limit_headers
from newapi.formats._anthropic_errors import event_error, write_error
from newapi.formats._anthropic_read_request import peek, read_request
from newapi.formats._openai_errors import read_error
from newapi.formats.contract import Format, Params, Peek, Route
from newapi.ir.usage import Usage


def _peek(body: bytes, params: Params) -> Peek:
    """Return what routing needs: counting makes no output, and does not stream."""
    return Peek(model=peek(body, params).model, stream=False)


def _read_usage(body: bytes) -> Usage:
    """Return nothing used: counting is free."""
    try:
        decoded = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise UpstreamError("the upstream's answer is not JSON", kind="malformed") from None
    if error := event_error(decoded):
        raise error
    return Usage()


def count_body(tokens: int) -> bytes:
    """Return the answer that says `tokens`, for upstreams that cannot count."""
    return msgspec.json.encode({"input_tokens": tokens})


FORMAT = Format(
    name="anthropic_count_tokens",
    endpoint="count_tokens",
    routes=(Route("POST", "/v1/messages/count_tokens", "count_tokens"),),
    upstream_path="/v1/messages/count_tokens",
    peek=_peek,
    read_error=read_error,
    write_error=write_error,
    limit_headers=_limit_headers.anthropic,
    read_usage=_read_usage,
    read_request=read_request,
    write_count=count_body,
)
