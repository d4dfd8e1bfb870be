"""The processes of this server, under `/api/manage/`: which there are, reloaded, drained. They are root's."""

from __future__ import annotations

from litestar.handlers import HTTPRouteHandler

from newapi.base.errors import NotFound
from newapi.config.load import load
from newapi.ops.processes import Processes
from newapi.server.routes.admin.auth import Call, Door
from newapi.server.runtime import Runtime, Server


def routes(runtime: Runtime) -> list[HTTPRouteHandler]:
    """Return the handlers."""
    door = Door(runtime, explicit=True)
    return [
        door.get("/api/manage/workers", workers, "root"),
        door.post("/api/manage/reload", reload, "root"),
        door.post("/api/manage/drain", drain, "root"),
    ]


def workers(call: Call) -> Processes:
    """Return the processes of this server."""
    return _server(call).list()


def reload(call: Call) -> Processes:
    """Begin to read `[server]`, `[limits]` and `[log]` again, unless the file is not valid; return the processes."""
    load(call.runtime.local.path)
    server = _server(call)
    before = server.list()
    server.reload()
    return before


def drain(call: Call) -> Processes:
    """Begin to come to an end: requests under way may finish; return the processes."""
    server = _server(call)
    before = server.list()
    server.drain()
    return before


def _server(call: Call) -> Server:
    if call.runtime.processes is None:
        raise NotFound("This gateway is not served by `newapi serve`")
    return call.runtime.processes
