"""The Litestar application."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from litestar import Litestar

from newapi.server.asgi import Message, Send, counted
from newapi.server.routes.account import account_routes
from newapi.server.routes.admin import admin_routes
from newapi.server.routes.admin.auth import ROOT, unknown_path
from newapi.server.routes.health import health_routes
from newapi.server.routes.metrics import MetricsApp
from newapi.server.routes.relay import RelayApp
from newapi.server.runtime import Runtime

AsgiApp = Callable[[Any, Any, Any], Awaitable[None]]
RELAY_PREFIXES = ("/v1/", "/v1beta/", "/dashboard/")


def create_app(runtime: Runtime, admin_socket: Path | None = None) -> AsgiApp:
    """Return the application that serves `runtime`: Litestar for everything but the relay's paths.

    The relay stands before Litestar rather than in it: measured, a mount inside costs a fifth more CPU a request.

    Args:
        runtime: What is served.
        admin_socket: Requests that the HTTP server took from this Unix socket are root's.
    """
    admin = (str(admin_socket), None) if admin_socket else ()
    relay = RelayApp(runtime.gateway, lambda: runtime.trusted)
    metrics = MetricsApp(runtime, runtime.local.config.server.metrics)

    @asynccontextmanager
    async def lifespan(app: Litestar) -> AsyncGenerator[None]:
        await runtime.start()
        try:
            yield
        finally:
            await runtime.stop()

    litestar = Litestar(
        [
            *health_routes(runtime),
            *account_routes(runtime.gateway, runtime.query),
            *admin_routes(runtime),
        ],
        lifespan=[lifespan],
        exception_handlers={404: unknown_path, 405: unknown_path},
        logging_config=None,
        openapi_config=None,
    )

    tally = runtime.gateway.tally

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":  # the lifespan
            await litestar(scope, receive, send)
            return
        if runtime.draining:
            send = _last(send)
        if metrics.takes(scope):
            await counted(metrics, "metrics", tally, scope, receive, send)
        elif scope["path"].startswith(RELAY_PREFIXES):
            await relay(scope, receive, send)  # counts by itself: every layer costs a request something
        else:
            # `server` is the address of the socket itself, as the HTTP server asks the kernel for it.
            if admin and scope.get("server") == admin:
                scope[ROOT] = True
            await counted(litestar, _route(scope["path"]), tally, scope, receive, send)

    return app


def _route(path: str) -> str:
    """Return what the requests below a path are counted as."""
    if path.startswith("/health/"):
        return "health"
    if path.startswith("/api/manage/"):
        return "manage"
    return "api" if path.startswith("/api/") else "other"


def _last(send: Send) -> Send:
    """Say in the head of an answer that the connection ends with it."""

    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", ()), (b"connection", b"close")]}
        await send(message)

    return sent
