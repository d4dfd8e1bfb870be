"""`/api/openapi.json`: this API, described for programs."""

from __future__ import annotations

from litestar import Response
from litestar.handlers import HTTPRouteHandler

from newapi.server.openapi import document
from newapi.server.routes.admin.auth import Call, Door, envelope
from newapi.server.runtime import Runtime


def routes(runtime: Runtime) -> list[HTTPRouteHandler]:
    """Return the handlers."""
    return [Door(runtime).get("/api/openapi.json", show, "admin")]


def show(call: Call) -> Response[bytes]:
    """Return the OpenAPI document of the management API; it has no envelope."""
    return envelope(document())
