"""Gemini's countTokens, passed through as it is.

Source: https://ai.google.dev/api/tokens
"""

from __future__ import annotations

import msgspec

from newapi.base.body import Body, split
from newapi.base.errors import UpstreamError
from newapi.formats import _limit_headers
from newapi.formats._gemini_errors import write_error
from newapi.formats._gemini_read_request import read_request
from newapi.formats._openai_errors import error_in, read_error
from newapi.formats.contract import Format, Params, Peek, Route
from newapi.ir.request import Request
from newapi.ir.usage import Usage


def _peek(body: bytes, params: Params) -> Peek:
    split(body)
    return Peek(model=params.get("model", ""), stream=False)


def _read_usage(body: bytes) -> Usage:
    """Return nothing used: counting is free."""
    try:
        decoded = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise UpstreamError("the upstream's answer is not JSON", kind="malformed") from None
    if error := error_in(decoded):
        raise error
    return Usage()


def _read_request(body: bytes, params: Params) -> Request:
    """Return what is to be counted: `contents`, or a whole `generateContentRequest`."""
    whole = Body(body).raw("generateContentRequest")
    return read_request(body if whole in (None, b"null") else whole, params)


def count_body(tokens: int) -> bytes:
    """Return the answer that says `tokens`, for upstreams that cannot count."""
    return msgspec.json.encode({"totalTokens": tokens})


FORMAT = Format(
    name="gemini_count_tokens",
    endpoint="count_tokens",
    routes=tuple(Route("POST", f"/{v}/models/{{model}}:countTokens", "count_tokens") for v in ("v1beta", "v1")),
    upstream_path="/v1beta/models/{model}:countTokens",
    peek=_peek,
    read_error=read_error,
    write_error=write_error,
    limit_headers=_limit_headers.none,
    read_usage=_read_usage,
    read_request=_read_request,
    write_count=count_body,
)
