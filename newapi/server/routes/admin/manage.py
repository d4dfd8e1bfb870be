"""What commands do on a server beyond the configuration: a route for each operation of `ops.operations`.

`POST /api/manage/run/<name>` takes the operation as JSON and answers what it answers. They are root's; the keys that
some of them take or answer are in the request or the answer and nowhere else.
"""

from __future__ import annotations

from typing import Any

import msgspec
from litestar.handlers import HTTPRouteHandler
from msgspec.structs import replace

from newapi.base.errors import CallerError
from newapi.ops import operations
from newapi.ops.gateway import LocalGateway
from newapi.ops.operations import Operation
from newapi.ops.operations.every import ALL
from newapi.server.routes.admin.auth import Call, Door, Handler
from newapi.server.runtime import Runtime


def routes(runtime: Runtime) -> list[HTTPRouteHandler]:
    """Return the handlers."""
    door = Door(runtime, explicit=True)
    return [door.post(f"/api/manage/run/{operations.name_of(kind)}", _handler(kind), "root", body=kind) for kind in ALL]


def _handler(kind: type[Operation[Any]]) -> Handler:
    def run(call: Call) -> Any:
        local = replace(call.runtime.local, serving=call.runtime.gateway)
        gateway = LocalGateway(local, call.who, call.asker.role)
        return operations.plain(gateway.do(_read(call, kind)))

    run.__doc__ = kind.__doc__
    run.__annotations__ = {"call": Call, "return": operations.answer_of(kind)}
    return run


def _read(call: Call, kind: type[Operation[Any]]) -> Operation[Any]:
    try:
        return operations.converted(msgspec.json.decode(call.body), kind)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise CallerError(f"Invalid parameters: {error}") from None
    except UnicodeDecodeError:
        raise CallerError("Invalid parameters: the body is not UTF-8") from None
    except RecursionError:
        raise CallerError("Invalid parameters: nested too deeply") from None
