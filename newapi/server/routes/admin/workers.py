"""The processes of this server, under `/api/manage/`: listed, reloaded, drained, told what to log. They are root's."""

from __future__ import annotations

from litestar.handlers import HTTPRouteHandler

from newapi.base.errors import NotFound
from newapi.config.load import load
from newapi.ops.processes import Processes, Verbosity
from newapi.server.routes.admin.auth import Call, Door
from newapi.server.runtime import Runtime, Server


def routes(runtime: Runtime) -> list[HTTPRouteHandler]:
    """Return the handlers."""
    door = Door(runtime, explicit=True)
    return [
        door.get("/api/manage/workers", workers, "root"),
        door.post("/api/manage/reload", reload, "root"),
        door.post("/api/manage/drain", drain, "root"),
        door.post("/api/manage/log-level", log_level, "root", body=Verbosity),
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


def log_level(call: Call) -> Verbosity:
    """Let every process tell what is of the level or worse, until it reloads or ends; return what was asked."""
    wanted = call.read(Verbosity)
    call.runtime.tell_from(wanted.level)
    return wanted


def _server(call: Call) -> Server:
    if call.runtime.processes is None:
        raise NotFound("This gateway is not served by `newapi serve`")
    return call.runtime.processes
