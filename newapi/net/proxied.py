"""Calls through a proxy (http, https, socks5), by httpx: rare, so its cost does not matter, and its proxies work."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import httpx

from newapi.base.errors import UpstreamError
from newapi.base.http import HttpCall
from newapi.net.client import Reply, Timeouts


class ProxiedClient:
    """One httpx client a proxy URL; the same `perform` as `net.client.Client`."""

    def __init__(self) -> None:
        self._clients: dict[str, httpx.AsyncClient] = {}

    async def perform(self, call: HttpCall, proxy: str, timeouts: Timeouts, nudge: Any = None) -> Reply:
        """Send `call` through `proxy` and return the answer once its head is there.

        Raises:
            UpstreamError: The proxy's URL makes no sense, no connection, or no answer in time.
        """
        try:
            client = self._clients.get(proxy)
            if client is None:
                client = self._clients[proxy] = httpx.AsyncClient(proxy=proxy, trust_env=False)
        except (ValueError, httpx.InvalidURL):
            raise UpstreamError("the channel's proxy is not a URL", kind="refused") from None
        request = client.build_request(
            call.method,
            call.url,
            headers=[*call.headers, ("accept-encoding", "identity")],
            content=call.body,
            timeout=httpx.Timeout(timeouts.first_byte, connect=timeouts.connect, read=None),
        )
        task = asyncio.ensure_future(client.send(request, stream=True))
        try:
            response = await _wait(task, timeouts.first_byte, timeouts.nudge, nudge)
        except BaseException:
            task.cancel()
            raise
        return _Reply(response, timeouts)

    async def close(self) -> None:
        """Close every connection."""
        for client in self._clients.values():
            await client.aclose()


class _Reply:
    def __init__(self, response: httpx.Response, timeouts: Timeouts) -> None:
        self.status = response.status_code
        self.headers = {k.lower(): v for k, v in response.headers.items()}
        self._response = response
        self._pieces = response.aiter_bytes()
        self._timeouts = timeouts
        self._task: asyncio.Future[bytes] | None = None
        self._silent = 0.0

    async def next(self) -> bytes | None:
        if self._task is None:
            self._task = asyncio.ensure_future(anext(self._pieces, b""))  # type: ignore[arg-type]
        done, _ = await asyncio.wait((self._task,), timeout=self._timeouts.nudge)
        if not done:
            self._silent += self._timeouts.nudge
            if self._silent >= self._timeouts.idle:
                self.close()
                raise UpstreamError(
                    f"the upstream was silent for {self._timeouts.idle:g} seconds",
                    kind="timeout",
                    status=504,
                    code="timeout",
                )
            return None
        task, self._task, self._silent = self._task, None, 0.0
        try:
            return task.result()
        except httpx.HTTPError:
            raise UpstreamError("the upstream broke off its answer", kind="cut") from None

    async def read(self, limit: int) -> bytes:
        parts: list[bytes] = []
        size = 0
        while (piece := await self.next()) != b"":
            if piece is not None:
                size += len(piece)
                if size > limit:
                    self.close()
                    raise UpstreamError(f"the upstream's answer is larger than {limit} bytes", kind="malformed")
                parts.append(piece)
        return b"".join(parts)

    def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
        with contextlib.suppress(RuntimeError):
            _CLOSING.add(closing := asyncio.ensure_future(self._response.aclose()))
            closing.add_done_callback(_CLOSING.discard)


_CLOSING: set[asyncio.Future[None]] = set()


async def _wait(task: asyncio.Future[httpx.Response], limit: float, every: float, nudge: Any) -> httpx.Response:
    waited = 0.0
    while True:
        step = min(every, limit - waited)
        done, _ = await asyncio.wait((task,), timeout=step)
        if done:
            try:
                return task.result()
            except httpx.TimeoutException:
                raise UpstreamError("could not connect through the proxy in time", kind="connect", status=504) from None
            except (httpx.HTTPError, ValueError):
                raise UpstreamError("could not connect to the upstream through the proxy", kind="connect") from None
        waited += step
        if waited >= limit:
            raise UpstreamError(
                f"the upstream did not begin to answer within {limit:g} seconds",
                kind="timeout",
                status=504,
                code="timeout",
            )
        if nudge is not None:
            await nudge()
