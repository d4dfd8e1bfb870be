"""Settings by New API's names: `/api/option/`. For root."""

from __future__ import annotations

from typing import Any, TypedDict

import msgspec
from litestar.handlers import HTTPRouteHandler

from newapi.base.errors import CallerError
from newapi.ops import options
from newapi.server.routes.admin.auth import Call, Door, Refused, Reply
from newapi.server.runtime import Runtime


class _Option(TypedDict):
    """What a change says; read by hand, since what is wrong with it has a status of its own."""

    key: str
    value: str | int | float | bool


def routes(runtime: Runtime) -> list[HTTPRouteHandler]:
    """Return the handlers."""
    door = Door(runtime)
    return [door.get("/api/option", list_all, "root"), door.put("/api/option", change, "root", body=_Option)]


def list_all(call: Call) -> list[dict[str, str]]:
    """Return every option but secrets, each value as text."""
    return [{"key": name, "value": value} for name, value in options.everything(call.db).items()]


def change(call: Call) -> Reply:
    """Set one option; a number or a boolean is turned into its text."""
    try:
        body = call.read(dict[str, Any])
    except CallerError as error:
        raise Refused(error.message, status=400) from None
    name, value = body.get("key"), body.get("value")
    if not isinstance(name, str) or not isinstance(value, str | int | float):
        raise CallerError("Invalid parameters: key is text, value text, a number or a boolean")
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    options.put(call.runtime.local, name, text, who=call.asker.name, now=call.now)
    return Reply()
