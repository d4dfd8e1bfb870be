"""What a client may ask of the server before anybody has read a request: over real connections."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from msgspec.structs import replace

from newapi.server.asgi import AsgiSink, line_of
from newapi.server.door import HEAD_LIMIT, Joining
from newapi.server.http import HttpServer
from tests.server.conftest import Server

Connect = Callable[[], Any]
GET = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"
CHAT = b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n"
MESSAGES = b"POST /v1/messages HTTP/1.1\r\nhost: x\r\n"


@contextlib.asynccontextmanager
async def serving(answer: Any, header_timeout: float = 30) -> AsyncIterator[Connect]:
    """Serve an ASGI application that knows of requests alone."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "lifespan":
            await answer(scope, receive, send)
            return
        for _ in range(2):
            await send({"type": f"{(await receive())['type']}.complete"})

    server = HttpServer(
        app,
        drain_seconds=lambda: 5,
        ready=lambda: None,
        draining=lambda: None,
        header_timeout=lambda: header_timeout,
        supervised=True,
    )
    sock = socket.create_server(("127.0.0.1", 0))
    port = sock.getsockname()[1]
    running = asyncio.create_task(server.serve([sock]))
    outs: list[asyncio.StreamWriter] = []

    async def connect() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        read, out = await asyncio.open_connection("127.0.0.1", port)
        outs.append(out)
        return read, out

    try:
        async with asyncio.timeout(20):
            yield connect
            for out in outs:
                out.close()
            server.stop()
            server.stop()  # nobody waits for what is under way
            await running
    finally:
        running.cancel()


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Answer with the size of the body, and the names of the headers."""
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        size, more = size + len(message["body"]), message["more_body"]
    said = b"%d %b" % (size, b",".join(name for name, _ in scope["headers"]))
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(said))]})
    await send({"type": "http.response.body", "body": said})


async def send_all(out: asyncio.StreamWriter, *pieces: bytes) -> None:
    """Send pieces, as far as anybody takes them."""
    with contextlib.suppress(ConnectionError):
        for piece in pieces:
            out.write(piece)
            await out.drain()


async def rest(read: asyncio.StreamReader) -> bytes:
    """Return what comes until the connection ends."""
    got = b""
    with contextlib.suppress(ConnectionError):
        while piece := await read.read(1 << 16):
            got += piece
    return got


@pytest.mark.parametrize(
    ("before", "sent"),
    [
        (False, b""),
        *((before, sent) for before in (False, True) for sent in (b"G", GET[:-2], b"\r\n", b"\r\n\r\n")),
    ],
)
async def test_a_head_that_does_not_come_to_its_end(before: bool, sent: bytes) -> None:
    async with serving(echo, header_timeout=0.05) as connect:
        read, out = await connect()
        if before:
            out.write(GET)
            await read.readuntil(b"0 host")
        out.write(sent)
        assert await read.read() == b""


async def test_a_head_that_never_pauses() -> None:
    async with serving(echo, header_timeout=0.1) as connect:
        read, out = await connect()
        out.write(GET[:-2])

        async def trickle() -> None:
            with contextlib.suppress(ConnectionError):
                while True:
                    out.write(b"a: b\r\n")
                    await out.drain()
                    await asyncio.sleep(0.005)

        trickling = asyncio.create_task(trickle())
        assert await rest(read) == b""
        trickling.cancel()


async def test_an_idle_connection_and_a_slow_answer_are_no_slow_head() -> None:
    go = asyncio.Event()

    async def slowly(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/slow":
            await go.wait()
        await echo(scope, receive, send)

    async with serving(slowly, header_timeout=0.05) as connect:
        idle, idle_out = await connect()
        idle_out.write(GET)
        await idle.readuntil(b"0 host")
        slow, slow_out = await connect()
        slow_out.write(GET.replace(b"/ ", b"/slow ") + GET[:5])  # and the beginning of another
        silent, _ = await connect()
        assert await silent.read() == b""  # the time is over
        go.set()
        slow_out.write(GET[5:])
        for _ in range(2):
            await slow.readuntil(b"0 host")
        idle_out.write(GET)
        await idle.readuntil(b"0 host")


LONG = b"x" * (HEAD_LIMIT // 2)


@pytest.mark.parametrize(
    ("pieces", "status"),
    [
        ((GET[:-2], b"a: ", LONG, b"\r\n\r\n"), b"200"),
        ((GET[:-2], b"a: ", LONG, LONG, b"\r\n\r\n"), b"431"),
        ((GET[:-2], *(b"a: " + LONG + b"\r\n",) * 3, b"\r\n"), b"431"),
        ((b"GET /", LONG, LONG, GET[5:]), b"431"),
        ((GET[:-2], b"a: ", *(LONG,) * 40), b"431"),  # without an end
        ((GET[:-2], *(b"a: b\r\n" * 1000,) * 100), b"431"),
        ((POST, b"2\r\nab\r\n0\r\na: b\r\n\r\n"), b"200"),
        ((POST, b"2\r\nab\r\n0\r\na: ", *(LONG,) * 40), b""),  # the request is under way: nothing to be told
        ((POST, b"2;a=", *(LONG,) * 40), b""),
        ((POST, *(b"1\r\na\r\n" * 1000,) * 100, b"0\r\n\r\n"), b"200"),
    ],
)
async def test_how_large_a_head_may_be(pieces: tuple[bytes, ...], status: bytes) -> None:
    async with serving(echo) as connect:
        read, out = await connect()
        sending = asyncio.create_task(send_all(out, *pieces))
        got = await read.readuntil(b"host") if status == b"200" else await rest(read)
        assert got.startswith(b"HTTP/1.1 " + status if status else b"")
        assert bool(got) is bool(status)
        sending.cancel()


async def test_a_large_body_and_a_head_in_one_piece() -> None:
    body = b"x" * 200_000
    async with serving(echo) as connect:
        read, out = await connect()
        out.write(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n%b%b" % (len(body), body, GET))
        await read.readuntil(b"200000 host,content-length")
        await read.readuntil(b"0 host")


async def test_trailers_are_no_headers() -> None:
    async with serving(echo) as connect:
        read, out = await connect()
        out.write(POST + b"1\r\na\r\n0\r\nauthorization: Bearer x\r\n\r\n")
        assert (await read.readuntil(b"transfer-encoding")).endswith(b"1 host,transfer-encoding")
        out.write(GET)
        assert (await read.readuntil(b"0 host")).startswith(b"HTTP/1.1 200")


# -- bodies, as the gateway reads them ------------------------------------------------------


def limited(server: Server, **limits: Any) -> Any:
    gateway = server.runtime.gateway
    gateway.limit(replace(gateway.limits, **limits))
    return server.app


async def answered(read: asyncio.StreamReader) -> tuple[int, bytes, Any]:
    """Return the status, the head, and the JSON of an answer."""
    head = await read.readuntil(b"\r\n\r\n")
    size = int(next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")).split(b":")[1])
    return int(head.split()[1]), head, json.loads(await read.readexactly(size))


@pytest.mark.parametrize("path", [CHAT, MESSAGES], ids=["OpenAI's", "Anthropic's"])
@pytest.mark.parametrize("body", [b"content-length: 9\r\n\r\n{", b"transfer-encoding: chunked\r\n\r\n1\r\n{\r\n"])
async def test_a_body_that_does_not_come_to_its_end(server: Server, path: bytes, body: bytes) -> None:
    async with serving(limited(server, body_timeout=0.05)) as connect:
        read, out = await connect()
        out.write(path + body)
        status, head, said = await answered(read)
        assert (status, said.get("type") == "error") == (408, path == MESSAGES)
        assert "too slowly" in said["error"]["message"]
        assert b"connection: close" in head
        assert await read.read() == b""
    assert server.runtime.gateway.in_flight == 0
    assert server.runtime.ledger.reserved == 0


async def test_a_slow_body_for_the_management_api(server: Server) -> None:
    async with serving(limited(server, body_timeout=0.05)) as connect:
        read, out = await connect()
        out.write(b"POST /api/user/login HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n{")
        status, head, said = await answered(read)
        assert (status, said["success"], b"connection: close" in head) == (408, False, True)
        assert await read.read() == b""


async def test_a_body_that_says_it_is_too_large_is_refused_unread_and_the_connection_goes_on(server: Server) -> None:
    async with serving(limited(server, request_body=1000)) as connect:
        read, out = await connect()
        out.write(CHAT + b"content-length: 1001\r\n\r\n")
        assert (await answered(read))[0] == 413
        out.write(b"x" * 1001 + b"GET /v1/models HTTP/1.1\r\nhost: x\r\n\r\n")
        assert (await answered(read))[0] == 401


async def test_who_waits_for_leave_to_send_too_much_is_told_that_the_connection_ends(server: Server) -> None:
    async with serving(limited(server, request_body=1000)) as connect:
        read, out = await connect()
        out.write(CHAT + b"expect: 100-continue\r\ncontent-length: 1001\r\n\r\n")
        status, head, said = await answered(read)
        assert (status, said["error"]["code"], b"connection: close" in head) == (413, "request_too_large", True)
        assert await read.read() == b""


async def test_chunks_are_counted_as_they_come_and_whoever_goes_on_sending_is_cut_off(server: Server) -> None:
    async with serving(limited(server, request_body=1000), header_timeout=0.2) as connect:
        read, out = await connect()
        chunk = b"200\r\n" + b"x" * 512 + b"\r\n"
        out.write(CHAT + b"transfer-encoding: chunked\r\n\r\n" + chunk + chunk)
        assert (await answered(read))[0] == 413

        async def go_on() -> None:
            while True:
                await send_all(out, chunk)
                await asyncio.sleep(0.005)

        sending = asyncio.create_task(go_on())
        assert await rest(read) == b""
        sending.cancel()


@pytest.mark.parametrize("before", [False, True], ids=["while it works", "before it asks"])
async def test_who_hangs_up_is_told_of_at_once(before: bool) -> None:
    lost, gone = asyncio.Event(), asyncio.Event()

    async def wait(scope: Any, receive: Any, send: Any) -> None:
        line = line_of(scope)
        assert line
        if not before:
            line.when_gone(gone.set)
        lost.set()
        if before:
            while (await receive())["type"] != "http.disconnect":
                pass
            line.when_gone(gone.set)
        await gone.wait()

    async with serving(wait) as connect:
        _, out = await connect()
        out.write(GET)
        await lost.wait()
        out.close()
        await gone.wait()


@pytest.mark.parametrize("method", [b"GET", b"HEAD"])
async def test_a_head_that_is_held_back_comes(method: bytes) -> None:
    async def whole(scope: Any, receive: Any, send: Any) -> None:
        await AsgiSink(send, line_of(scope)).whole(200, [("x-a", "b")], b"{}")

    async with serving(whole) as connect:
        read, out = await connect()
        for _ in range(2):
            out.write(method + b" / HTTP/1.1\r\nhost: x\r\n\r\n")
            head = await read.readuntil(b"\r\n\r\n")
            assert b"x-a: b" in head
            assert await read.readexactly(2 if method == b"GET" else 0) == (b"{}" if method == b"GET" else b"")


async def test_a_head_goes_out_with_what_comes_after_it() -> None:
    written: list[bytes] = []

    class Transport(asyncio.Transport):
        def write(self, data: Any) -> None:
            written.append(data)

        def close(self) -> None:
            written.append(b"closed")

    joining = Joining(Transport())
    joining.hold()
    joining.write(b"head ")
    assert written == []
    joining.write(b"body")
    joining.write(b"more")
    joining.hold()
    joining.write(b"head alone")
    joining.close()
    assert written == [b"head body", b"more", b"head alone", b"closed"]
