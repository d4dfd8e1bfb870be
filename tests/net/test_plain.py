from __future__ import annotations

import asyncio
import gzip

import pytest

from newapi.base.errors import UpstreamError
from newapi.base.http import HttpCall, HttpReply
from newapi.net import plain
from tests.support.upstream import Conversation, serving

HEADERS = (("authorization", "Bearer k"), ("content-length", "2"))


async def perform(call: HttpCall, seconds: float = 5, **options: str) -> HttpReply:
    return await asyncio.to_thread(lambda: plain.perform(call, seconds, **options))


async def test_sends_the_call_and_returns_the_whole_reply() -> None:
    seen = []

    async def handler(c: Conversation) -> None:
        seen.append(await c.request())
        body = gzip.compress(b'{"ok":true}')
        await c.answer(body, status=418, headers="content-encoding: gzip\r\nX-One: 1\r\n")

    async with serving(handler) as up:
        reply = await perform(HttpCall("POST", f"{up.url}/v1/x?a=b", HEADERS, b"{}"))
    assert (reply.status, reply.body, reply.header("x-one")) == (418, b'{"ok":true}', "1")
    line, headers, body = seen[0]
    assert line == "POST /v1/x?a=b HTTP/1.1"
    assert {k.lower(): v for k, v in headers.items()}["authorization"] == "Bearer k"
    assert body == b"{}"


async def test_a_get_has_no_body_and_a_redirect_is_an_answer() -> None:
    seen = []

    async def handler(c: Conversation) -> None:
        seen.append(await c.request())
        await c.answer(b"", status=302, headers="location: http://elsewhere.test/\r\n")

    async with serving(handler) as up:
        assert (await perform(HttpCall("GET", up.url))).status == 302
    assert "content-length" not in {k.lower() for k in seen[0][1]}
    assert seen[0][2] == b""


async def test_silence_ends_it() -> None:
    async def handler(c: Conversation) -> None:
        await c.request()
        await c.gone()

    async with serving(handler) as up:
        with pytest.raises(UpstreamError) as failed:
            await perform(HttpCall("GET", up.url), 0.05)
    assert failed.value.kind == "timeout"


async def test_a_connection_that_breaks_is_told() -> None:
    async def handler(c: Conversation) -> None:
        await c.request()
        await c.send(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc")

    async with serving(handler) as up:
        with pytest.raises(UpstreamError) as failed:
            await perform(HttpCall("GET", up.url))
    assert failed.value.kind == "connect"


async def test_an_answer_that_is_too_large_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plain, "REPLY_LIMIT", 10)

    async def handler(c: Conversation) -> None:
        await c.request()
        await c.answer(b"x" * 11)

    async with serving(handler) as up:
        with pytest.raises(UpstreamError) as failed:
            await perform(HttpCall("GET", up.url))
    assert failed.value.kind == "malformed"


@pytest.mark.parametrize(
    ("url", "proxy", "kind"),
    [
        ("nonsense", "", "connect"),
        ("http://[::1", "", "refused"),
        ("http://127.0.0.1:9/", "gopher://x", "refused"),
        ("http://127.0.0.1:9/", "", "connect"),
    ],
)
async def test_what_cannot_be_asked(url: str, proxy: str, kind: str) -> None:
    with pytest.raises(UpstreamError) as failed:
        await perform(HttpCall("GET", url), proxy=proxy)
    assert failed.value.kind == kind
    assert "127.0.0.1" not in failed.value.message
