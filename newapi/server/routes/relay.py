"""The relay's paths, as one raw ASGI application: no validation, no DI, no per-chunk middleware on the way."""

from __future__ import annotations

import asyncio
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import parse_qsl

from newapi import formats
from newapi.base.errors import CallerError, NewapiError
from newapi.formats.contract import Format, Route
from newapi.relay.gateway import Gateway
from newapi.relay.pipeline import relay
from newapi.relay.values import Ingress
from newapi.server.asgi import AsgiSink, CallerGone, Receive, Send, line_of, read_body, run_until_gone
from newapi.server.ids import Network, caller_address, new_request_id
from newapi.server.routes.local import Asked, answer
from newapi.server.routing import Routes, routes

_CORS = (
    (b"access-control-allow-origin", b"*"),
    (b"access-control-allow-methods", b"GET, POST, OPTIONS"),
    (b"access-control-expose-headers", b"*"),
    (b"access-control-max-age", b"86400"),
)


class RelayApp:
    """Answers every path below `/v1` and `/v1beta`."""

    def __init__(self, gateway: Gateway, trusted: Callable[[], Sequence[Network]]) -> None:
        """Take what is relayed through, and what returns the proxies that say where a request comes from."""
        self._gateway = gateway
        self._trusted = trusted
        self._routes: Routes = routes()

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Answer one request."""
        headers = {k.decode("latin-1"): v.decode("latin-1") for k, v in scope["headers"]}
        line = line_of(scope)
        sink = AsgiSink(_with_cors(send) if "origin" in headers else send, line)
        gateway = self._gateway
        request_id = new_request_id()
        path: str = scope["raw_path"].decode("latin-1") if scope.get("raw_path") else scope["path"]
        if len(path) > 1 and path.endswith("/"):
            path = path.rstrip("/")
        found = self._routes.find(path)
        began = time.monotonic()
        tally = gateway.tally
        place = found[1].endpoint if found is not None and found[1].method == scope["method"] else "local"
        if scope["method"] == "OPTIONS":
            # `*` does not cover Authorization, so the wanted headers are named.
            wanted = headers.get("access-control-request-headers", "*")
            tally.arrived("preflight")
            try:
                await sink.whole(204, [("access-control-allow-headers", wanted)], b"")
            finally:
                tally.answered("preflight", "OPTIONS", sink.status, time.monotonic() - began)
            return
        gateway.in_flight += 1
        tally.arrived(place)
        try:
            peer = caller_address(scope["client"][0] if scope.get("client") else "", headers, self._trusted())
            said = scope["query_string"]
            query = parse_qsl(said.decode("latin-1"), keep_blank_values=True) if said else []
            if found is None or found[1].method != scope["method"]:
                asked = Asked(scope["method"], path, dict(query), headers, peer, request_id, known=found is not None)
                waits = gateway.ledger.waits and "/dashboard/" in path
                status, body = await asyncio.to_thread(answer, asked, gateway) if waits else answer(asked, gateway)
                await sink.whole(
                    status, [("content-type", "application/json"), ("x-oneapi-request-id", request_id)], body
                )
                return
            format, route, params = found
            try:
                limits = gateway.limits
                body = await read_body(receive, limits.request_body, limits.body_timeout, headers)
            except CallerError as error:
                # What comes next from one who waits for leave to send, or has stopped sending, may not be the rest of
                # this. From others the rest is read: where it is closed while they send, they may miss the answer.
                last = error.status == 408 or "expect" in headers
                await _refuse(sink, format, error, request_id, last=last)
                return
            ingress = self._ingress(
                format, route, params, query, headers, body, peer, request_id, path, scope["method"]
            )
            await run_until_gone(relay(ingress, gateway, sink), receive, line)
        except CallerGone:
            return
        except asyncio.CancelledError:
            raise
        except Exception:
            traceback.print_exc(file=sys.stderr)
            if not sink.started:
                format = found[0] if found else None
                error = NewapiError("internal error; the operator finds it in the log under this request id")
                await _refuse(sink, format, error, request_id)
            else:
                raise
        finally:
            gateway.in_flight -= 1
            tally.answered(place, scope["method"], sink.status, time.monotonic() - began)

    def _ingress(
        self,
        format: Format,
        route: Route,
        params: dict[str, str],
        query: list[tuple[str, str]],
        headers: dict[str, str],
        body: bytes,
        peer: str,
        request_id: str,
        path: str,
        method: str,
    ) -> Ingress:
        return Ingress(
            request_id=request_id,
            format=format,
            route=route,
            method=method,
            path=path,
            params={**dict(query), **params, "content-type": headers.get("content-type", "")},
            query=tuple((k, v) for k, v in query if k != "key"),
            headers=headers,
            body=body,
            peer=peer,
            received=self._gateway.clock(),
            clock=asyncio.get_running_loop().time(),
        )


async def _refuse(
    sink: AsgiSink, format: Format | None, error: NewapiError, request_id: str, *, last: bool = False
) -> None:
    body = (format or formats.get("openai_chat")).write_error(error, request_id)
    headers = [("content-type", "application/json"), ("x-oneapi-request-id", request_id)]
    if last:
        headers.append(("connection", "close"))
    await sink.whole(error.status, headers, body)


def _with_cors(send: Send) -> Send:
    async def wrapped(message: Any) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message["headers"], *_CORS]
        await send(message)

    return wrapped
