"""Anthropic's token counting."""

from __future__ import annotations

import msgspec
import pytest
from anthropic import types

from newapi.base.errors import CallerError, UpstreamError
from newapi.formats.anthropic_count_tokens import FORMAT
from newapi.ir.request import Text
from newapi.ir.usage import Usage

BODY = b'{"model":"m","messages":[{"role":"user","content":"hi"}],"system":"S"}'


def test_where_it_is() -> None:
    assert [(r.method, r.path, r.endpoint) for r in FORMAT.routes] == [
        ("POST", "/v1/messages/count_tokens", "count_tokens")
    ]


def test_peek() -> None:
    peek = FORMAT.peek(BODY, {})
    assert (peek.model, peek.stream, peek.max_output) == ("m", False, 0)


@pytest.mark.parametrize("body", [b"{", b'{"model":"m"}', b'{"messages":[{}]}'])
def test_nonsense_is_the_callers(body: bytes) -> None:
    with pytest.raises(CallerError):
        FORMAT.peek(body, {})


def test_it_can_be_counted_here() -> None:
    assert FORMAT.read_request is not None
    assert FORMAT.write_count is not None
    request = FORMAT.read_request(BODY, {})
    assert [p.text for m in request.messages for p in m.parts if isinstance(p, Text)] == ["S", "hi"]
    counted = types.MessageTokensCount.model_validate(msgspec.json.decode(FORMAT.write_count(42)), strict=True)
    assert counted.input_tokens == 42


def test_counting_is_free() -> None:
    assert FORMAT.read_usage(b'{"input_tokens":42}') == Usage()


@pytest.mark.parametrize(
    ("body", "kind"),
    [(b"x", "malformed"), (b'{"type":"error","error":{"type":"api_error","message":"x"}}', "error_event")],
)
def test_what_is_no_count(body: bytes, kind: str) -> None:
    with pytest.raises(UpstreamError) as caught:
        FORMAT.read_usage(body)
    assert caught.value.kind == kind
