"""Compaction goes through as it is: only the model and the usage are read."""

from __future__ import annotations

import pytest

from newapi.base.errors import CallerError, UpstreamError
from newapi.formats.openai_compact import FORMAT
from newapi.ir.usage import Usage


def test_peek() -> None:
    seen = FORMAT.peek(b'{"model":"gpt-5","input":[{"role":"user","content":"x"}],"stream":true}', {})
    assert (seen.model, seen.stream) == ("gpt-5", False)


@pytest.mark.parametrize(
    ("body", "message"), [(b"{}", "model is required"), (b"[]", "compaction"), (b"x", "compaction")]
)
def test_peek_refuses(body: bytes, message: str) -> None:
    with pytest.raises(CallerError, match=message):
        FORMAT.peek(body, {})


def test_usage_is_read() -> None:
    body = (
        b'{"id":"resp_1","object":"response.compaction","output":[{"type":"compaction","encrypted_content":"E"}],'
        b'"usage":{"input_tokens":30,"input_tokens_details":{"cached_tokens":10},"output_tokens":5,'
        b'"output_tokens_details":{"reasoning_tokens":2},"total_tokens":35}}'
    )
    assert FORMAT.read_usage(body) == Usage(input=20, cache_read=10, output=3, reasoning=2)


def test_an_error_is_no_usage() -> None:
    with pytest.raises(UpstreamError, match="No such model"):
        FORMAT.read_usage(b'{"error":{"message":"No such model"}}')


def test_it_goes_through_only() -> None:
    assert FORMAT.read_request is None
    assert FORMAT.reader is None
    assert FORMAT.routes[0].path == FORMAT.upstream_path == "/v1/responses/compact"
