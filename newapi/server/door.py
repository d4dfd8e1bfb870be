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


class Connection(HttpToolsProtocol):
    """One connection of a client.

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

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        self._wait_no_longer()
        super().connection_lost(exc)

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
