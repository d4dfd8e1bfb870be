"""An upstream on a real socket that does exactly what a test says: bytes, pauses, cuts."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager

Handler = Callable[["Conversation"], Awaitable[None]]


class Conversation:
    """One connection as the handler of a test sees it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def request(self) -> tuple[str, dict[str, str], bytes]:
        """Return (request line, headers, body) of the next request; raises IncompleteReadError when there is none."""
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        line, *rest = head.rstrip("\r\n").split("\r\n")
        headers = dict(h.split(": ", 1) for h in rest)
        return line, headers, await self.reader.readexactly(int(headers.get("content-length", 0)))

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def answer(
        self, body: bytes, *, status: int = 200, headers: str = "content-type: application/json\r\n"
    ) -> None:
        await self.send(f"HTTP/1.1 {status} X\r\n{headers}content-length: {len(body)}\r\n\r\n".encode() + body)

    async def gone(self) -> None:
        """Return once the other side has closed the connection."""
        while await self.reader.read(65536):
            pass


class Upstream:
    """A listening socket, and how many connections it has had."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.connections = 0


@asynccontextmanager
async def serving(handler: Handler):
    """Serve every connection with `handler` on a free port; yields the `Upstream`."""
    upstream: Upstream | None = None
    tasks: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert upstream is not None
        upstream.connections += 1
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await handler(Conversation(reader, writer))
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass  # it is cancelled at the end alone
        finally:
            writer.close()
            tasks.discard(task)

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    upstream = Upstream(server.sockets[0].getsockname()[1])
    try:
        yield upstream
    finally:
        server.close()
        for task in tuple(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
