"""The relay's HTTP/1.1 client: asyncio and httptools, one write a request, one piece for each read.

Measured, this costs a fortieth of httpx's own transport and half of aiohttp's for a plain call; it exists for that and
does what the relay needs, no more: keep-alive, TLS, streamed answers with flow control, abort, and timeouts by one
sweep a second instead of a timer for each piece. Calls through a proxy go to `net.proxied`.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import zlib
from typing import Any, Protocol

import httptools
from msgspec import Struct

from newapi.base.errors import UpstreamError
from newapi.base.http import HttpCall
from newapi.net.wire import Origin, head

HIGH_WATER = 256 * 1024
"""Bytes waiting for a slow caller before the upstream is no longer read."""
IDLE_SECONDS = 55.0
"""A connection unused for so long is closed: before the 60 s after which many servers close it themselves."""
STALE_SECONDS = 1.0
"""An idle connection younger than this is not closed by servers for its age."""
SWEEP_SECONDS = 0.5
MAX_HEAD = 256 * 1024
ERROR_LIMIT = 1024 * 1024
"""Bytes of an error answer that are read at the most."""


class Timeouts(Struct, frozen=True):
    """Seconds: until connected, until the answer's head, of silence in a stream, and until `next` says NUDGE."""

    connect: float = 10.0
    first_byte: float = 300.0
    idle: float = 300.0
    nudge: float = 15.0


class Reply(Protocol):
    """An answer: its head is there, its body comes in pieces."""

    status: int
    headers: dict[str, str]

    async def next(self) -> bytes | None:
        """Return the next piece, b"" at the end, None after `nudge` seconds of silence (ask again).

        Raises:
            UpstreamError: The connection broke, or was silent for too long.
        """
        ...

    async def read(self, limit: int) -> bytes:
        """Return the rest of the body.

        Raises:
            UpstreamError: As `next`, or the body is larger than `limit` bytes.
        """
        ...

    def close(self) -> None:
        """Give the answer up: what has not arrived will not be waited for. May be called at any time, twice too."""
        ...


class _Connection(asyncio.Protocol):
    """One connection to one origin, and the one exchange that is under way on it."""

    def __init__(self, pool: Client, origin: Origin, loop: asyncio.AbstractEventLoop) -> None:
        self.pool = pool
        self.origin = origin
        self.loop = loop
        self.transport: asyncio.Transport | None = None
        # One for all answers: to make one costs more than to read a head.
        self.parser: Any = httptools.HttpResponseParser(self)
        self.last_used = loop.time()
        self.exchange: Exchange | None = None

    # -- asyncio ---------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]  # a stream transport, by create_connection

    def data_received(self, data: bytes) -> None:
        exchange = self.exchange
        if exchange is None:  # an answer nobody asked for
            self.drop()
            return
        exchange.touched = self.loop.time()
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            exchange.fail(UpstreamError("the upstream switched protocols", kind="malformed"))
            self.drop()  # also where the answer was over before that
        except httptools.HttpParserError as e:
            exchange.fail(UpstreamError(f"the upstream's answer is not HTTP: {e}", kind="malformed"))
            self.drop()
        exchange.flush()

    def connection_lost(self, exc: Exception | None) -> None:
        self.pool.forget(self)
        exchange, self.exchange = self.exchange, None
        if exchange is not None:
            exchange.lost(exc)

    # -- httptools ---------------------------------------------------------------

    def on_message_begin(self) -> None:
        if self.exchange is None:  # the read that ended an answer goes on with another, that nobody asked for
            self.drop()

    def on_header(self, name: bytes, value: bytes) -> None:
        exchange = self.exchange
        if exchange is not None:
            exchange.head_size += len(name) + len(value)
            if exchange.head_size > MAX_HEAD:
                exchange.fail(UpstreamError("the upstream's header is too large", kind="malformed"))
            exchange.add_header(name.decode("latin-1").lower(), value.decode("latin-1"))

    def on_headers_complete(self) -> None:
        exchange = self.exchange
        status = self.parser.get_status_code()
        if exchange is None or status in (100, 102, 103):
            return
        exchange.begin(status)

    def on_body(self, body: bytes) -> None:
        if self.exchange is not None and self.exchange.status:
            self.exchange.pieces.append(body)

    def on_message_complete(self) -> None:
        exchange = self.exchange
        if exchange is None:
            return
        if not exchange.status:  # 100 Continue and its like: the answer is still to come
            exchange.headers.clear()  # the parser goes on: the rest may be in the same read
            return
        reusable = self.parser.should_keep_alive()
        self.exchange = None
        exchange.finish()
        if reusable:
            self.pool.release(self)
        else:
            self.drop()

    # -- ours --------------------------------------------------------------------

    def start(self, exchange: Exchange, data: bytes) -> None:
        self.exchange = exchange
        exchange.connection = self
        assert self.transport is not None  # noqa: S101  (connected before it is started)
        self.transport.write(data)

    def drop(self) -> None:
        if self.transport is not None:
            self.transport.abort()

    def usable(self) -> bool:
        return self.transport is not None and not self.transport.is_closing()


class Exchange:
    """One request under way: a `Reply` once its head is there."""

    def __init__(self, loop: asyncio.AbstractEventLoop, timeouts: Timeouts) -> None:
        self.loop = loop
        self.timeouts = timeouts
        self.status = 0
        self.headers: dict[str, str] = {}
        self.head_size = 0
        self.pieces: list[bytes] = []
        self.waiting = 0
        self.done = False
        self.error: UpstreamError | None = None
        self.connection: _Connection | None = None
        self.touched = loop.time()
        self.nudged = self.touched
        self._waiter: asyncio.Future[bool] | None = None
        self._paused = False
        self._inflate: Any = None

    # -- from the connection -------------------------------------------------------

    def add_header(self, name: str, value: str) -> None:
        known = self.headers.get(name)
        self.headers[name] = value if known is None else f"{known}, {value}"

    def begin(self, status: int) -> None:
        self.status = status
        if self.headers.get("content-encoding", "").lower() in ("gzip", "x-gzip", "deflate"):
            # We ask for identity; some proxies compress all the same.
            self._inflate = zlib.decompressobj(zlib.MAX_WBITS | 32)

    def flush(self) -> None:
        """Everything of one read has been parsed: wake whoever waits, pause a source that is too fast."""
        self._wake(True)
        if len(self.pieces) > 1:
            joined = b"".join(self.pieces)
            self.pieces.clear()
            self.pieces.append(joined)
        self.waiting = len(self.pieces[0]) if self.pieces else 0
        if self.waiting > HIGH_WATER and not self._paused and self.connection is not None and not self.done:
            self._paused = True
            self.connection.transport.pause_reading()  # type: ignore[union-attr]

    def finish(self) -> None:
        self.done = True
        self.connection = None
        self._wake(True)

    def fail(self, error: UpstreamError) -> None:
        if not self.done:
            self.done = True
            self.error = error
            connection, self.connection = self.connection, None
            if connection is not None:
                connection.exchange = None
                connection.drop()
            self._wake(True)

    def lost(self, exc: Exception | None) -> None:
        """The connection ended."""
        self.connection = None
        if self.done:
            return
        if (
            self.status
            and exc is None
            and "content-length" not in self.headers
            and "transfer-encoding" not in self.headers
        ):
            self.finish()  # a body that ends with the connection: HTTP/1.0's way
        elif self.status:
            self.fail(UpstreamError("the upstream broke off its answer", kind="cut"))
        else:
            self.fail(UpstreamError("the upstream closed the connection without an answer", kind="connect"))

    def sweep(self, now: float) -> None:
        """Fail when it has been silent for too long; nudge whoever waits when it has been silent for a while."""
        silent = now - self.touched
        limit = self.timeouts.idle if self.status else self.timeouts.first_byte
        if silent > limit + SWEEP_SECONDS and not self._paused:  # who speaks just when it is over is in time
            what = "was silent for" if self.status else "did not begin to answer within"
            self.fail(
                UpstreamError(f"the upstream {what} {limit:g} seconds", kind="timeout", status=504, code="timeout")
            )
        elif now - max(self.touched, self.nudged) > self.timeouts.nudge:
            self.nudged = now
            self._wake(False)

    def _wake(self, real: bool) -> None:
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(real)

    async def _wait(self) -> bool:
        self._waiter = self.loop.create_future()
        try:
            return await self._waiter
        finally:
            self._waiter = None

    # -- for the relay ---------------------------------------------------------------

    async def answered(self) -> bool:
        """Return True once the head is there, False after a while of silence (ask again)."""
        if not self.status and not self.done:
            real = await self._wait()
            if not real and not self.status and not self.done:
                return False
        if self.error is not None and not self.status:
            raise self.error
        return bool(self.status) or self.done

    async def next(self) -> bytes | None:
        while not self.pieces:
            if self.error is not None:
                raise self.error
            if self.done:
                return b""
            if not await self._wait() and not self.pieces and not self.done:
                return None
        piece = self.pieces[0] if len(self.pieces) == 1 else b"".join(self.pieces)
        self.pieces.clear()
        self.waiting = 0
        if self._paused:
            self._paused = False
            self.touched = self.loop.time()
            if self.connection is not None and self.connection.transport is not None:
                self.connection.transport.resume_reading()
        if self._inflate is not None:
            try:
                piece = self._inflate.decompress(piece)
            except zlib.error as e:
                raise UpstreamError(f"the upstream's compression is broken: {e}", kind="malformed") from None
            return piece or await self.next()
        return piece

    async def read(self, limit: int) -> bytes:
        parts: list[bytes] = []
        size = 0
        while (piece := await self.next()) != b"":
            if piece is None:
                continue
            size += len(piece)
            if size > limit:
                self.close()
                raise UpstreamError(f"the upstream's answer is larger than {limit} bytes", kind="malformed")
            parts.append(piece)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def close(self) -> None:
        connection, self.connection = self.connection, None
        self.done = True
        self.pieces.clear()
        if connection is not None:
            # Unread bytes are still to come on it, so it cannot be used again; and the upstream is to stop.
            connection.exchange = None
            connection.drop()
        self._wake(True)


class Client:
    """Connections to every upstream, kept alive and reused; belongs to one event loop."""

    def __init__(self, *, verify: ssl.SSLContext | None = None) -> None:
        self._idle: dict[Origin, list[_Connection]] = {}
        self._open: set[_Connection] = set()
        self._tls = verify
        self._sweeper: asyncio.Task[None] | None = None

    async def perform(self, call: HttpCall, timeouts: Timeouts, nudge: Any = None) -> Reply:
        """Send `call` and return the answer once its head is there.

        Args:
            call: What to send.
            timeouts: How long to wait for what.
            nudge: Awaited after every `timeouts.nudge` seconds without a head; a stream's keepalive is written there.

        Raises:
            UpstreamError: No connection, no answer in time, or an answer that is not HTTP.
        """
        origin, data = head(call)
        loop = asyncio.get_running_loop()
        if self._sweeper is None or self._sweeper.done():
            self._sweeper = loop.create_task(self._sweep(loop))
        while True:
            connection = self._reuse(origin)
            reused = connection is not None
            idle = 0.0 if connection is None else loop.time() - connection.last_used
            if connection is None:
                connection = await self._connect(origin, timeouts.connect, loop)
            exchange = Exchange(loop, timeouts)
            connection.start(exchange, data)
            try:
                while not await exchange.answered():
                    if nudge is not None:
                        await nudge()
            except UpstreamError as e:
                # A connection that was idle for a while and that the server closed just as we wrote to it has not been
                # answered by anyone: try once more on another one. One that was just in use is a server that fails.
                if reused and e.kind == "connect" and idle > STALE_SECONDS:
                    continue
                raise
            except BaseException:
                exchange.close()
                raise
            return exchange

    def release(self, connection: _Connection) -> None:
        """Take back a connection whose exchange is complete."""
        connection.last_used = connection.loop.time()
        self._idle.setdefault(connection.origin, []).append(connection)

    def forget(self, connection: _Connection) -> None:
        """A connection is gone."""
        self._open.discard(connection)
        idle = self._idle.get(connection.origin)
        if idle and connection in idle:
            idle.remove(connection)

    async def close(self) -> None:
        """Close every connection."""
        if self._sweeper is not None:
            self._sweeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._sweeper
        for connection in tuple(self._open):
            connection.drop()
        self._idle.clear()

    def _reuse(self, origin: Origin) -> _Connection | None:
        idle = self._idle.get(origin)
        while idle:
            connection = idle.pop()
            if connection.usable():
                return connection
        return None

    async def _connect(self, origin: Origin, seconds: float, loop: asyncio.AbstractEventLoop) -> _Connection:
        try:
            async with asyncio.timeout(seconds):
                _, protocol = await loop.create_connection(
                    lambda: _Connection(self, origin, loop),
                    origin.host,
                    origin.port,
                    ssl=self._context() if origin.tls else None,
                    server_hostname=origin.host if origin.tls else None,
                )
        except TimeoutError:
            raise UpstreamError(
                f"could not connect to the upstream within {seconds:g} seconds",
                kind="connect",
                status=504,
                code="timeout",
            ) from None
        except (OSError, ssl.SSLError) as e:
            raise UpstreamError(f"could not connect to the upstream: {_reason(e)}", kind="connect") from None
        self._open.add(protocol)
        return protocol

    def _context(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = ssl.create_default_context()
            self._tls.set_alpn_protocols(["http/1.1"])
        return self._tls

    async def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            now = loop.time()
            for connection in tuple(self._open):
                if connection.exchange is not None:
                    connection.exchange.sweep(now)
            for idle in self._idle.values():
                for connection in [c for c in idle if now - c.last_used > IDLE_SECONDS]:
                    idle.remove(connection)
                    connection.drop()


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not valid ({error.verify_message})"
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return type(error).__name__
