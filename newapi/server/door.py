"""One connection, and what a client may ask of it before anybody has read a request: so large a head, so much time.

uvicorn waits for the head of a request, and keeps all of it, for as long as its client likes. Bodies have their limits
where they are read, in `newapi.server.asgi`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from newapi.server.asgi import with_line

HEAD_LIMIT = 64 * 1024
"""Bytes of a request that are not its body: the request line, headers, trailers."""
_FRAMING = 8
"""So many bytes more for each of the body: the sizes of chunks, where they are of one byte each."""


class HttpConfig(uvicorn.Config):
    """How connections are served."""

    def __init__(self, app: Any, header_timeout: Callable[[], float]) -> None:
        """Prepare.

        Args:
            app: The ASGI application.
            header_timeout: Returns how many seconds a client may take for the head of a request.
        """
        super().__init__(
            app,
            loop="uvloop",
            http=Connection,
            ws="none",
            lifespan="on",
            log_level="warning",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=75,
        )
        self.header_timeout = header_timeout


class Joining:
    """A transport that keeps the head of an answer back until more is written, so that both are one packet."""

    __slots__ = ("_head", "_holds", "_transport", "abort", "get_extra_info", "is_closing")

    def __init__(self, transport: asyncio.Transport) -> None:
        """Take what is written to."""
        self._transport = transport
        self._head = b""
        self._holds = False
        self.abort = transport.abort
        self.get_extra_info = transport.get_extra_info
        self.is_closing = transport.is_closing

    def hold(self) -> None:
        """Keep what is written next until more is."""
        self._holds = True

    def write(self, data: bytes) -> None:
        """Write `data`, after what was kept."""
        if self._holds:
            self._holds, self._head = False, data
            return
        if self._head:
            data, self._head = self._head + data, b""
        self._transport.write(data)

    def flush(self) -> None:
        """Write what is kept."""
        if self._head:
            self.write(b"")

    def close(self) -> None:
        """Close once everything is written."""
        self.flush()
        self._transport.close()


class Connection(HttpToolsProtocol):
    """One connection of a client; the `Line` of the requests that come on it.

    A client that does not come to the end of a head in time loses its connection, and so does one that goes on sending
    a body after the request was answered. An idle connection is closed after uvicorn's keep-alive time.
    """

    config: HttpConfig

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._overdue: asyncio.TimerHandle | None = None
        self._arrived = 0
        """Bytes of the piece that is being read."""
        self._before = 0
        """Bytes of the request under way that came in pieces before this one, without the first."""
        self._body = 0
        """Bytes of its body."""
        self._status = HTTPStatus.BAD_REQUEST
        """What a request is refused with that cannot be read."""
        self._joining: Joining | None = None
        self._when_gone: Callable[[], object] | None = None
        self._gone = False

    def when_gone(self, tell: Callable[[], object] | None) -> None:
        self._when_gone = tell
        if tell is not None and self._gone:
            tell()

    def hold(self) -> None:
        assert self._joining is not None  # noqa: S101  (a request came on it)
        self._joining.hold()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._joining = Joining(transport)
        self.transport = self._joining  # type: ignore[assignment]  # it does all that is asked of it here
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        self._wait_no_longer()
        super().connection_lost(exc)
        self._gone = True
        if self._when_gone is not None:
            self._when_gone()

    def data_received(self, data: bytes) -> None:
        self._arrived = len(data)
        begun = self.scope
        super().data_received(data)
        if self.parser is None or self.transport.is_closing():
            return
        if self.scope is begun:
            self._before += self._arrived
            if self._before > HEAD_LIMIT + (1 + _FRAMING) * self._body:
                self._refuse_large()
                return
        if self._overdue is None and (self.cycle is None or self.cycle.response_complete):
            self._wait()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._before = self._body = 0
        self.scope["extensions"] = with_line(self)

    def on_headers_complete(self) -> None:
        if self._before + self._arrived > HEAD_LIMIT:
            head = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
            if head > HEAD_LIMIT:
                self._status = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
                raise ValueError("the head is too large")
        self._wait_no_longer()
        super().on_headers_complete()
        self.headers = []  # for trailers, which nobody reads: they are no headers

    def on_body(self, body: bytes) -> None:
        self._body += len(body)
        super().on_body(body)

    def on_response_complete(self) -> None:
        if self._joining is not None:
            self._joining.flush()  # where there was nothing but the head
        super().on_response_complete()

    def send_400_response(self, msg: str) -> None:
        if self.cycle is not None and not self.cycle.response_complete:
            self.transport.close()  # what was written now would be read as part of the answer under way
            return
        if self._status is not HTTPStatus.BAD_REQUEST:
            msg = f"The head of the request is larger than {HEAD_LIMIT} bytes"
        self.transport.write(
            b"%bcontent-type: text/plain; charset=utf-8\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%b"
            % (STATUS_LINE[self._status], len(msg), msg.encode())
        )
        self.transport.close()

    def _refuse_large(self) -> None:
        self._status = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
        self.send_400_response("")

    def _wait(self) -> None:
        self._overdue = self.loop.call_later(self.config.header_timeout(), self._late)

    def _wait_no_longer(self) -> None:
        if self._overdue is not None:
            self._overdue.cancel()
            self._overdue = None

    def _late(self) -> None:
        self._overdue = None
        self.transport.close()
