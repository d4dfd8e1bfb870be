"""`/metrics`, on a listener of its own (`server.metrics`): for Prometheus, without a credential, and nothing else."""

from __future__ import annotations

from typing import Any

from newapi.ops.metrics import CONTENT_TYPE
from newapi.server.asgi import AsgiSink, Receive, Send
from newapi.server.runtime import Runtime

_PLAIN = [("content-type", "text/plain; charset=utf-8")]


class MetricsApp:
    """Answers what came through the listener of metrics."""

    def __init__(self, runtime: Runtime, address: str) -> None:
        """Take where it listens: `host:port`, `unix:/path`, or "" for nowhere."""
        self._runtime = runtime
        self._path = address.removeprefix("unix:") if address.startswith("unix:") else ""
        port = address.rpartition(":")[2]
        self._port = int(port) if not self._path and port.isdecimal() else None

    def takes(self, scope: dict[str, Any]) -> bool:
        """Return whether a request came through it.

        `server` is the address of the socket itself, as the HTTP server asks the kernel for it.
        """
        host, port = scope.get("server") or ("", None)
        return host == self._path if port is None and self._path else port is not None and port == self._port

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Answer."""
        sink = AsgiSink(send)
        if scope["path"] != "/metrics":
            await sink.whole(404, _PLAIN, b"only /metrics is here\n")
        elif scope["method"] not in ("GET", "HEAD"):
            await sink.whole(405, [*_PLAIN, ("allow", "GET, HEAD")], b"it can only be read\n")
        else:
            body = (await self._runtime.live.metrics()).encode()
            await sink.whole(200, [("content-type", CONTENT_TYPE)], b"" if scope["method"] == "HEAD" else body)
