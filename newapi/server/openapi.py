"""The OpenAPI document of the management API: made from the routes themselves, and what they say they ask for."""

from __future__ import annotations

import re
import typing
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, cast

import msgspec
from litestar import Response
from litestar.handlers import HTTPRouteHandler

from newapi import __version__
from newapi.ops.operations import schema_of
from newapi.server.routes.account import account_routes
from newapi.server.routes.admin.auth import Reply
from newapi.server.routes.health import health_routes

JsonObject = dict[str, Any]

_ENVELOPE = "An object with `success`; `message` says why where it is false, also under status 200."
_QUERY: Mapping[str, tuple[JsonObject, str]] = {
    "p": ({"type": "integer", "minimum": 1}, "Which page; the first is 1."),
    "page_size": ({"type": "integer", "minimum": 1}, "Items on a page; 10 where nothing is said, 100 at most."),
    "ps": ({"type": "integer", "minimum": 1}, "Another name of `page_size`."),
    "size": ({"type": "integer", "minimum": 1}, "Another name of `page_size`."),
    "start_timestamp": ({"type": "integer", "minimum": 0}, "The first second, since 1970."),
    "end_timestamp": ({"type": "integer", "minimum": 0}, "The last second, since 1970."),
    "target_timestamp": ({"type": "integer", "minimum": 1}, "Everything before this second, since 1970."),
    "channel": ({"type": "integer", "minimum": 0}, "Id of a channel."),
    "key": ({"type": "string"}, "The token, for those who cannot send a header."),
    "role": ({"type": "integer", "enum": [1, 10, 100]}, "1: a user, 10: an administrator, 100: root."),
    "status": ({"type": "string"}, "A state: its number, of channels also `enabled` or `disabled`."),
    "type": ({"type": "string"}, "A kind: of lines of the log and of channels a number, of lists a name."),
    "sort_order": ({"type": "string", "enum": ["asc", "desc"]}, "Which way it is sorted."),
    "status_only": ({"type": "string"}, "`true`: only `status` is changed, whatever else the body says."),
    "id_sort": ({"type": "string"}, "`true`: the latest first."),
    "tag_mode": ({"type": "string"}, "`true`: pages are of tags, each with all of its channels."),
    "stream": ({"type": "string"}, "`true`: the answer is asked for as a stream."),
    "reset_balance": ({"type": "string"}, "`false`: the copy keeps what was used and the balance."),
    "month": ({"type": "string", "pattern": r"^\d{4}-\d\d$"}, "A month, as 2026-01."),
}
"""What a parameter of the query is, wherever it is read; one that is not here is a text."""

_USER: JsonObject = {
    "name": "New-Api-User",
    "in": "header",
    "schema": {"type": "string"},
    "description": "Id of whoever asks; needed with a session.",
}
_REFUSALS = {
    "nobody": "Nobody is signed in, or the token is none.",
    "refused": "Not allowed, too often, or a body that is too large.",
    "failed": "The database failed.",
}
"""Answers that many routes have."""
_REFUSED = {name: {"$ref": f"#/components/responses/{name}"} for name in _REFUSALS}


@cache
def document() -> JsonObject:
    """Return the document, OpenAPI 3.1: every path below `/api`, and `/health`."""
    paths: dict[str, JsonObject] = {}
    for handler in _handlers():
        for path in sorted(handler.paths):
            for method in sorted(handler.http_methods):
                paths.setdefault(plain(path), {})[method.lower()] = _operation(handler, plain(path), method)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "newapi",
            "version": __version__,
            "description": "The management API. A path means the same with a slash behind it, unless it says otherwise."
            f" Answers: {_ENVELOPE}",
        },
        "paths": dict(sorted(paths.items())),
        "components": {
            "parameters": {"user": _USER},
            "responses": {name: _refusal(why) for name, why in _REFUSALS.items()},
            "securitySchemes": {
                "session": {
                    "type": "apiKey",
                    "in": "cookie",
                    "name": "session",
                    "description": "Set by POST /api/user/login; the header New-Api-User has to name the user.",
                },
                "access_token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "Of GET /api/user/token; also without `Bearer`.",
                },
                "token": {"type": "http", "scheme": "bearer", "description": "A token for requests to models: sk-…"},
            },
        },
    }


def plain(path: str) -> str:
    """Return a path of the router as OpenAPI writes it: `/api/user/{id}`."""
    return re.sub(r"{(\w+):\w+}", r"{\1}", path)


def _handlers() -> list[HTTPRouteHandler]:
    from newapi.server.routes.admin import admin_routes  # noqa: PLC0415  (its module openapi imports this one)

    # Handlers use what they are given when they are called, and nobody calls these.
    nothing = cast(Any, None)
    return [*admin_routes(nothing), *account_routes(nothing, nothing), *health_routes(nothing)]


def _operation(handler: HTTPRouteHandler, path: str, method: str) -> JsonObject:
    asked, function = handler.opt.get("asked"), handler.opt.get("function")
    told = " ".join(((function or handler.fn).__doc__ or "").split())
    names = re.findall(r"{(\w+)}", path)
    parameters = [
        {"name": n, "in": "path", "required": True, "schema": {"type": "integer", "minimum": 0}} for n in names
    ]
    operation: JsonObject = {
        "operationId": _name(method, path),
        "summary": told.split(". ")[0].rstrip("."),
        "description": told,
        "tags": [path.split("/")[2]],
        "security": [],
    }
    statuses = {"200": _answer(function)}
    if asked is None:
        if path.startswith("/api/"):
            operation["security"] = [{"token": []}]
            parameters.append(_parameter("key"))
            statuses |= {"401": _REFUSED["nobody"], "403": _REFUSED["refused"]}
        elif path == "/health/ready":
            statuses["503"] = {"description": "What requests cost cannot be written."}
    else:
        parameters += [_parameter(name) for name in asked.query]
        if asked.role is not None:
            operation["security"] = [{"session": []}, {"access_token": []}]
            operation["x-role"] = asked.role
            parameters.append({"$ref": "#/components/parameters/user"})
            statuses["401"] = _REFUSED["nobody"]
        statuses |= {"4XX": _REFUSED["refused"], "5XX": _REFUSED["failed"]}
        if asked.body is not None:
            operation["requestBody"] = {"required": True, "content": _content(asked.body)}
    if parameters:
        operation["parameters"] = parameters
    return {**operation, "responses": statuses}


def _parameter(name: str) -> JsonObject:
    schema, told = _QUERY.get(name, ({"type": "string"}, ""))
    return {"name": name, "in": "query", "schema": schema, **({"description": told} if told else {})}


def _content(body: Any) -> JsonObject:
    if isinstance(body, str):
        return {body: {"schema": {"type": "string"}}}
    return {"application/json": {"schema": _schema(body)}}


def _name(method: str, path: str) -> str:
    words = re.findall(r"\w+", path.removeprefix("/api/"))
    return "_".join([method.lower(), *words])


def _answer(function: Callable[..., Any] | None) -> JsonObject:
    """Return what a route answers; of what its function says, as far as it says it."""
    if function is None:
        return {"description": "Done."}
    returned = typing.get_type_hints(function).get("return")
    type_ = typing.get_origin(returned) or returned
    if isinstance(type_, type) and issubclass(type_, Response):
        plain_text = "application/toml" if typing.get_args(returned) == (str,) else ""
        media = getattr(type_, "answers", plain_text) or "application/json"
        schemas = {"application/json": {"type": "object"}, "application/toml": {"type": "string"}}
        return {"description": "Done.", "content": {media: {"schema": schemas.get(media, {})}}}
    if returned is Reply:
        returned = Any  # the data of its own
    properties: JsonObject = {"success": {"type": "boolean"}, "message": {"type": "string"}}
    try:
        properties["data"] = {"anyOf": [_schema(returned), {"type": "null"}]}
    except TypeError:
        properties["data"] = {}
    schema = {"type": "object", "properties": properties, "required": ["success", "message"]}
    return {"description": _ENVELOPE, "content": {"application/json": {"schema": schema}}}


def _refusal(why: str) -> JsonObject:
    properties = {"success": {"const": False}, "message": {"type": "string"}}
    schema = {"type": "object", "properties": properties, "required": ["success", "message"]}
    return {"description": why, "content": {"application/json": {"schema": schema}}}


def _schema(shape: Any) -> JsonObject:
    """Return the JSON Schema of a type, whole: nothing here contains itself."""
    (schema,), there = msgspec.json.schema_components([shape], ref_template="{name}", schema_hook=schema_of)

    def whole(part: Any) -> Any:
        if isinstance(part, list):
            return [whole(p) for p in cast(list[Any], part)]
        if not isinstance(part, dict):
            return part
        found = cast(JsonObject, part)
        if "$ref" in found:
            return whole({k: v for k, v in there[found["$ref"]].items() if k != "title"})
        return {name: whole(p) for name, p in found.items()}

    return whole(schema)
