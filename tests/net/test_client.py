"""The relay's client, against real sockets."""

from __future__ import annotations

import asyncio
import gzip

import pytest

from newapi.base.errors import UpstreamError
from newapi.base.http import HttpCall
from newapi.net.client import HIGH_WATER, Client, Timeouts
from newapi.net.wire import head, split
from tests.support.upstream import Conversation, serving

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


@pytest.fixture
async def client():
    client = Client()
    yield client
    await client.close()


def post(url: str, body: bytes = b"{}") -> HttpCall:
    return HttpCall(
        "POST", url + "/v1/x?a=b", (("authorization", "Bearer sk-x"), ("content-type", "application/json")), body
    )


async def test_sends_one_request_and_reads_its_answer(client: Client) -> None:
    seen = []

    async def handler(c: Conversation) -> None:
        seen.append(await c.request())
        await c.answer(b'{"ok": true}')

    async with serving(handler) as up:
        reply = await client.perform(post(up.url, b'{"x":1}'), Timeouts())
        assert reply.status == 200
        assert reply.headers["content-type"] == "application/json"
        assert await reply.read(1000) == b'{"ok": true}'
    line, headers, body = seen[0]
    assert line == "POST /v1/x?a=b HTTP/1.1"
    assert headers["authorization"] == "Bearer sk-x"
    assert headers["host"] == up.url.removeprefix("http://")
    assert headers["content-length"] == "7"
    assert body == b'{"x":1}'


async def test_keeps_the_connection(client: Client) -> None:
    async def handler(c: Conversation) -> None:
        while True:
            await c.request()
            await c.answer(b"{}")

    async with serving(handler) as up:
        for _ in range(5):
            reply = await client.perform(post(up.url), Timeouts())
            await reply.read(10)
        assert up.connections == 1


@pytest.mark.parametrize(
    "more",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nwrong",
        b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\nhalf",
        b"HTTP/1.1 200 O",
        b"\r\n\r\nnonsense",
    ],
    ids=["whole", "half", "a piece of a head", "nonsense"],
)
async def test_an_answer_that_nobody_asked_for_is_nobodys(client: Client, more: bytes) -> None:
    async def handler(c: Conversation) -> None:
        await c.request()
        await c.send(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}" + more)
        await c.request()
        await c.answer(b"wrong")

    async with serving(handler) as up:
        for _ in range(2):
            reply = await client.perform(post(up.url), Timeouts())
            assert await reply.read(10) == b"{}"
        assert up.connections == 2


async def test_an_idle_connection_that_the_server_closed_is_tried_once_more(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("newapi.net.client.STALE_SECONDS", -1.0)

    async def handler(c: Conversation) -> None:
        await c.request()
        await c.answer(b"{}")
        await c.request()  # and hangs up without an answer

    async with serving(handler) as up:
        for _ in range(3):
            reply = await client.perform(post(up.url), Timeouts())
            assert await reply.read(10) == b"{}"
        assert up.connections == 3


async def test_a_server_that_fails_is_not_asked_twice(client: Client) -> None:
    async def handler(c: Conversation) -> None:
        await c.request()
        await c.answer(b"{}")
        await c.request()  # it was just in use, so this is no connection closed for its age

    async with serving(handler) as up:
        await (await client.perform(post(up.url), Timeouts())).read(10)
        with pytest.raises(UpstreamError):
            await client.perform(post(up.url), Timeouts())
        assert up.connections == 1


async def test_a_stream_arrives_piece_by_piece(client: Client) -> None:
    go = asyncio.Event()

    async def handler(c: Conversation) -> None:
        await c.request()
        await c.send(HEAD + chunk(b"data: 1\n\n"))
        await go.wait()
        await c.send(chunk(b"data: 2\n\n") + b"0\r\n\r\n")

    async with serving(handler) as up:
        reply = await client.perform(post(up.url), Timeouts())
        assert await reply.next() == b"data: 1\n\n"
        go.set()
        assert await reply.next() == b"data: 2\n\n"
        assert await reply.next() == b""


@pytest.mark.parametrize(
    ("sent", "kind"),
    [
        (b"", "connect"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc", "cut"),
        (HEAD + chunk(b"data: 1\n\n"), "cut"),
        (b"nonsense\r\n\r\n", "malformed"),
    ],
)
async def test_what_breaks_is_told(client: Client, sent: bytes, kind: str) -> None:
    async def handler(c: Conversation) -> None:
        await c.request()
        if sent:
            await c.send(sent)

    async with serving(handler) as up:
        with pytest.raises(UpstreamError) as caught:
            await (await client.perform(post(up.url), Timeouts())).read(1000)
    assert caught.value.kind == kind


async def test_a_body_that_ends_with_the_connection_is_whole(client: Client) -> None:
    async def handler(c: Conversation) -> None:
        await c.request()
        await c.send(b"HTTP/1.1 200 OK\r\n\r\nall of it")

    async with serving(handler) as up:
        assert await (await client.perform(post(up.url), Timeouts())).read(100) == b"all of it"


async def test_compressed_although_it_was_not_asked_for(client: Client) -> None:
    async def handler(c: Conversation) -> None:
        await c.request()
        await c.answer(gzip.compress(b"hello" * 100), headers="content-encoding: gzip\r\n")

    async with serving(handler) as up:
        assert await (await client.perform(post(up.url), Timeouts())).read(1000) == b"hello" * 100


async def test_nobody_listens(client: Client) -> None:
    with pytest.raises(UpstreamError, match="refused") as caught:
        await client.perform(post("http://127.0.0.1:1"), Timeouts())
    assert caught.value.kind == "connect"


async def test_silence_before_the_answer_is_a_timeout_after_nudges(client: Client) -> None:
    nudges = 0

    async def nudge() -> None:
        nonlocal nudges
        nudges += 1

    async def handler(c: Conversation) -> None:
        await c.request()
        await c.gone()

    async with serving(handler) as up:
        with pytest.raises(UpstreamError) as caught:
            await client.perform(post(up.url), Timeouts(first_byte=2.5, nudge=0.6), nudge)
    assert caught.value.kind == "timeout"
    assert caught.value.status == 504
    assert nudges >= 1


async def test_silence_in_a_stream_nudges_then_fails(client: Client) -> None:
    async def handler(c: Conversation) -> None:
        await c.request()
        await c.send(HEAD + chunk(b"data: 1\n\n"))
        await c.gone()

    async with serving(handler) as up:
        reply = await client.perform(post(up.url), Timeouts(idle=2.5, nudge=0.6))
        assert await reply.next() == b"data: 1\n\n"
        assert await reply.next() is None
        with pytest.raises(UpstreamError) as caught:
            await reply.read(1000)
    assert caught.value.kind == "timeout"


async def test_closing_hangs_up(client: Client) -> None:
    hung_up = asyncio.Event()

    async def handler(c: Conversation) -> None:
        await c.request()
        await c.send(HEAD + chunk(b"data: 1\n\n"))
        try:
            await c.gone()
        finally:
            hung_up.set()

    async with serving(handler) as up:
        reply = await client.perform(post(up.url), Timeouts())
        assert await reply.next() == b"data: 1\n\n"
        reply.close()
        await asyncio.wait_for(hung_up.wait(), 5)


async def test_a_slow_reader_stops_the_sender(client: Client) -> None:
    sent = 0

    async def handler(c: Conversation) -> None:
        nonlocal sent
        await c.request()
        await c.send(HEAD)
        piece = chunk(b"x" * 65536)
        for _ in range(1000):
            await c.send(piece)
            sent += 65536
        await c.send(b"0\r\n\r\n")

    async with serving(handler) as up:
        reply = await client.perform(post(up.url), Timeouts())
        before = -1
        while before != sent:  # until the sender is stuck
            before = sent
            for _ in range(200):
                await asyncio.sleep(0)
        assert reply.waiting < HIGH_WATER * 4  # type: ignore[attr-defined]
        assert sent < 65536 * 1000
        got = 0
        while piece := await reply.next():
            got += len(piece)
        assert got == 65536 * 1000


async def test_an_answer_that_is_too_large_is_given_up(client: Client) -> None:
    async def handler(c: Conversation) -> None:
        await c.request()
        await c.answer(b"x" * 10_000)

    async with serving(handler) as up:
        with pytest.raises(UpstreamError, match="larger than 100 bytes"):
            await (await client.perform(post(up.url), Timeouts())).read(100)


@pytest.mark.parametrize(
    ("url", "target", "host", "port", "tls"),
    [
        ("http://a.example/v1", "/v1", "a.example", 80, False),
        ("https://a.example:8443/v1?x=1", "/v1?x=1", "a.example", 8443, True),
        ("http://[::1]:9/", "/", "::1", 9, False),
        ("https://a.example", "/", "a.example", 443, True),
    ],
)
def test_urls(url: str, target: str, host: str, port: int, tls: bool) -> None:
    origin, got, _ = split(url)
    assert (got, origin.host, origin.port, origin.tls) == (target, host, port, tls)


@pytest.mark.parametrize("url", ["ftp://a/", "http://", "nothing", "http://a:port/"])
def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(UpstreamError) as caught:
        split(url)
    assert caught.value.kind == "refused"


@pytest.mark.parametrize("value", ["a\r\nx-evil: 1", "a\nb", "a\r\n\r\nGET / HTTP/1.1"])
def test_a_header_cannot_smuggle(value: str) -> None:
    with pytest.raises(UpstreamError, match="line break"):
        head(HttpCall("POST", "http://a/", (("x", value),), b""))


@pytest.mark.parametrize(
    "pieces",
    [
        [b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"],
        [b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"],
        [
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n",
            b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}",
        ],
    ],
    ids=["in one read", "in two", "with hints"],
)
async def test_answers_on_the_way_are_not_the_answer(client: Client, pieces: list[bytes]) -> None:
    async def handler(c: Conversation) -> None:
        for _ in range(2):
            await c.request()
            for piece in pieces:
                await c.send(piece)
                await asyncio.sleep(0)

    async with serving(handler) as up:
        for _ in range(2):
            reply = await client.perform(post(up.url), Timeouts())
            assert (reply.status, reply.headers) == (200, {"content-length": "2"})
            assert await reply.read(100) == b"{}"
        assert up.connections == 1
