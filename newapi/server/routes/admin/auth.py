"""Who asks the management API, and how it is answered.

A module of this package declares its routes so:

    def routes(runtime: Runtime) -> list[HTTPRouteHandler]:
        door = Door(runtime)
        return [
            door.get("/api/token", list_all, "user", query="p page_size"),
            door.post("/api/user/", create, "admin", body=_New),
        ]

    def show(call: Call) -> Any:
        "What the route does."
        return {...}

`query` names the parameters that are read from the query, `body` is the shape of the JSON body (or the media type of
one that is no JSON): the OpenAPI document tells them. The function runs in a thread, so it may wait for the database.
What it returns is `data` of the envelope (a `Reply` says more, a `Response` is sent as it is); a NewapiError it raises
is told under status 200 with `success: false`, as New API does, unless it is a `Refused`, or the door is
`Door(runtime, explicit=True)`. After a request that may change something, what it changed is in force.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, Literal, TypeVar
from urllib.parse import unquote

import msgspec
from litestar import Request, Response, route
from litestar.datastructures import Cookie
from litestar.enums import HttpMethod
from litestar.exceptions import HTTPException
from litestar.handlers import HTTPRouteHandler
from msgspec import Struct

from newapi.base.errors import CallerError, ConfigError, NewapiError, StoreError
from newapi.ops import users
from newapi.ops.gateway import ACCOUNT
from newapi.ops.local import master_key
from newapi.ops.options import DEFAULTS
from newapi.ops.sessions import SESSION_SECONDS, Failures, Sessions
from newapi.ops.users import RANK, UserView
from newapi.secrets import NoSecret
from newapi.server.ids import caller_address, new_request_id
from newapi.server.runtime import Runtime
from newapi.store import options

Role = Literal["user", "admin", "root"]
COOKIE = "session"
PAGE_SIZE = 10
MAX_PAGE_SIZE = 100
MAX_BODY = 8 * 1024 * 1024
"""Bytes of a request body."""
_SAFE = ("GET", "HEAD")
ROOT = "newapi.root"
"""In the ASGI scope of requests that came through the admin socket: whoever could open it is root. Only the server
itself puts it there; nothing that a caller sends does."""

log = logging.getLogger("newapi")

T = TypeVar("T")


class Refused(CallerError):
    """Told under its own HTTP status: 401 for nobody, 403 for somebody who may not, 429 for too often."""

    status = 403
    code = "access_denied"
    type = "permission_error"


class Page(Struct, frozen=True):
    """Which part of a list: `number` counts from 1, `size` is 1 to 100."""

    number: int
    size: int

    @property
    def offset(self) -> int:
        """Items before this page."""
        return (self.number - 1) * self.size

    def of(self, items: list[Any], total: int) -> dict[str, Any]:
        """Return the page as New API gives it."""
        return {"page": self.number, "page_size": self.size, "total": total, "items": items}


class Reply(Struct, frozen=True):
    """An answer of which more is to be said than its data; `extra` stands beside `data` in the envelope."""

    data: Any = None
    message: str = ""
    cookies: tuple[Cookie, ...] = ()
    extra: Mapping[str, Any] = {}


class Call:
    """One request, and who makes it."""

    def __init__(self, door: Door, request: Request[Any, Any, Any], body: bytes) -> None:
        self.door = door
        self.runtime = door.runtime
        self.db = door.runtime.local.db
        self.method: str = request.method
        self.headers: Mapping[str, str] = {k.lower(): v for k, v in request.headers.items()}
        self.cookies: Mapping[str, str] = request.cookies
        self.path: Mapping[str, Any] = request.path_params
        """Parameters of the path, texts."""
        self.query: Mapping[str, str] = dict(request.query_params.items())
        self.url_path: str = request.scope["raw_path"].decode("latin-1") or request.scope["path"]
        """The path as it was sent: with its last slash, if it has one."""
        self.body = body
        self.now = time.time()
        peer = request.client.host if request.client else ""
        self.address = caller_address(peer, dict(self.headers), door.runtime.trusted)
        """Where it comes from."""
        self.is_root: bool = request.scope.get(ROOT) is True
        """Whether it came through the admin socket."""
        self._asker: UserView | None = None

    @property
    def who(self) -> str:
        """Who asks, for the audit log: a user, or whom the admin socket names."""
        return (self.is_root and unquote(self.headers.get(ACCOUNT, ""))) or self.asker.name

    @property
    def asker(self) -> UserView:
        """Who asks; only on routes that not everybody may use."""
        if self._asker is None:
            raise _nobody()
        return self._asker

    @cached_property
    def somebody(self) -> UserView | None:
        """Who asks, where the route is open to everybody; None for a stranger."""
        try:
            return self._asker or self.door.identify(self)
        except NewapiError:
            return None

    def require(self, role: Role) -> None:
        """Let in who has `role`, or a higher one.

        Raises:
            Refused: 401: nobody signed in.
            CallerError: Told under 200, as New API does: an unknown access token, a banned user, a lower role.
        """
        user = self.door.identify(self)
        if user.state != "enabled":
            raise CallerError("User has been banned", status=403)
        if RANK[user.role] < RANK[role]:
            raise CallerError("Unauthorized, insufficient privileges", status=403)
        self._asker = user

    def read(self, type: type[T]) -> T:
        """Return the body as `type`; texts stand for numbers where those are due.

        Raises:
            CallerError: It is none.
        """
        try:
            return msgspec.convert(msgspec.json.decode(self.body), type, strict=False)
        except (msgspec.DecodeError, msgspec.ValidationError) as error:
            raise CallerError(f"Invalid parameters: {error}") from None
        except UnicodeDecodeError:
            raise CallerError("Invalid parameters: the body is not UTF-8") from None
        except RecursionError:
            raise CallerError("Invalid parameters: nested too deeply") from None

    def id(self, name: str = "id") -> int:
        """Return a number of the path.

        Raises:
            CallerError: It is none.
        """
        return number(str(self.path[name]))

    def page(self) -> Page:
        """Return the page that is asked for: `p`, and `page_size`, `ps` or `size`."""
        sizes = (_int(self.query.get(name, "")) for name in ("page_size", "ps", "size"))
        size = next((s for s in sizes if s), PAGE_SIZE)
        return Page(min(max(_int(self.query.get("p", "")), 1), 10**9), min(max(size, 1), MAX_PAGE_SIZE))


Handler = Callable[[Call], Any]


class Asked(Struct, frozen=True):
    """What a route asks for: a role, parameters of the query, a JSON body of a shape or one of a media type."""

    role: Role | None = None
    query: tuple[str, ...] = ()
    body: Any = None


class Door:
    """Makes route handlers: whom they let in, and the envelope they answer with."""

    def __init__(self, runtime: Runtime, *, explicit: bool = False) -> None:
        """Prepare to make handlers; with `explicit`, errors are told under their own HTTP status, with their code."""
        self.runtime = runtime
        self._explicit = explicit
        self.failures = Failures(*_login_limit())

    @cached_property
    def sessions(self) -> Sessions:
        """Makes and reads session cookies."""
        return Sessions(master_key(self.runtime.local))

    def get(self, path: str, function: Handler, role: Role | None = None, *, query: str = "") -> HTTPRouteHandler:
        """Return a handler of GET for those with `role`, for everybody without one; it reads `query`, names apart."""
        return self._handler(HttpMethod.GET, path, function, Asked(role, tuple(query.split())))

    def post(
        self, path: str, function: Handler, role: Role | None = None, *, query: str = "", body: Any = None
    ) -> HTTPRouteHandler:
        """Return a handler of POST."""
        return self._handler(HttpMethod.POST, path, function, Asked(role, tuple(query.split()), body))

    def put(
        self, path: str, function: Handler, role: Role | None = None, *, query: str = "", body: Any = None
    ) -> HTTPRouteHandler:
        """Return a handler of PUT."""
        return self._handler(HttpMethod.PUT, path, function, Asked(role, tuple(query.split()), body))

    def delete(
        self, path: str, function: Handler, role: Role | None = None, *, query: str = "", body: Any = None
    ) -> HTTPRouteHandler:
        """Return a handler of DELETE."""
        return self._handler(HttpMethod.DELETE, path, function, Asked(role, tuple(query.split()), body))

    def option(self, name: str) -> str:
        """Return an option by New API's name: what was set, or what it is when nobody set it."""
        return options.read(self.runtime.local.db, [name]).get(name, DEFAULTS.get(name, ""))

    def session_cookie(self, user_id: int, epoch: int, now: float) -> Cookie:
        """Return the cookie of somebody who signed in just now."""
        return self._cookie(self.sessions.make(user_id, epoch, now), SESSION_SECONDS)

    def no_cookie(self) -> Cookie:
        """Return the cookie that takes the session's away."""
        return self._cookie("", 0)

    def identify(self, call: Call) -> UserView:
        """Return whose session, or whose access token, a request shows.

        Raises:
            Refused: 401: it shows none, or `New-Api-User` names somebody else.
            CallerError: The access token is nobody's.
        """
        db = self.runtime.local.db
        if call.is_root:
            return users.root(db)
        cookie = call.cookies.get(COOKIE, "")
        session = self.sessions.read(cookie, call.now) if cookie else None
        user = users.of_session(db, session) if session else None
        named = call.headers.get("new-api-user", "")
        if user is None:
            shown = call.headers.get("authorization", "")
            token = shown[7:].strip() if shown[:7].lower() == "bearer " else shown.strip()
            if not token:
                raise _nobody()
            user = users.of_access_token(db, token)
            if user is None:
                raise CallerError("Unauthorized, invalid access token", status=401)
        elif not named:
            # A browser sends the cookie by itself, this header only where our own page asks.
            raise Refused("Unauthorized, New-Api-User header not provided", status=401)
        if named and named.strip() != str(user.id):
            raise Refused("Unauthorized, New-Api-User does not match logged in user", status=401)
        return user

    def _cookie(self, value: str, seconds: int) -> Cookie:
        secure = self.runtime.local.config.server.public_url.startswith("https://")
        return Cookie(
            key=COOKIE, value=value, max_age=seconds, path="/", httponly=True, samesite="strict", secure=secure
        )

    def _handler(self, method: HttpMethod, path: str, function: Handler, asked: Asked) -> HTTPRouteHandler:
        async def handle(request: Request[Any, Any, Any]) -> Response[Any]:
            request_id = new_request_id()
            try:
                body = await self._body(request)
                answer = await asyncio.to_thread(self._answer, request, body, function, asked.role)
            except HTTPException as error:  # the body: too large, too slow, or cut off
                answer = envelope({"success": False, "message": error.detail}, error.status_code)
                answer.headers.update(error.headers or {})
            except Exception:
                log.exception("%s %s (%s)", request.method, request.url.path, request_id)
                answer = envelope({"success": False, "message": f"Internal error (request id: {request_id})"}, 500)
            answer.headers["x-oneapi-request-id"] = request_id
            return answer

        handle.__doc__ = function.__doc__
        told = {"asked": asked, "function": function}
        return route(path, http_method=[method], status_code=200, request_max_body_size=MAX_BODY, opt=told)(handle)

    async def _body(self, request: Request[Any, Any, Any]) -> bytes:
        """Return the body of a request.

        Raises:
            HTTPException: It is too large, came too slowly, or was cut off.
        """
        try:
            async with asyncio.timeout(self.runtime.gateway.limits.body_timeout):
                return await request.body()
        except TimeoutError:
            detail = "The body of the request came too slowly"
            raise HTTPException(status_code=408, detail=detail, headers={"connection": "close"}) from None

    def _answer(
        self, request: Request[Any, Any, Any], body: bytes, function: Handler, role: Role | None
    ) -> Response[Any]:
        try:
            call = Call(self, request, body)
            if role is not None:
                call.require(role)
                self.runtime.ledger.flush()  # what was answered already counts in what is read now
            try:
                given = function(call)
            finally:
                if call.method not in _SAFE:
                    self.runtime.refresh()
        except NewapiError as error:
            status = error.status if isinstance(error, Refused | StoreError) else 200
            if isinstance(error, StoreError):
                log.error("%s %s: %s", request.method, request.url.path, error.message)
            if self._explicit:
                return _explicit(error)
            return envelope({"success": False, "message": error.message}, status)
        except OverflowError:
            return envelope({"success": False, "message": "Invalid parameters: a number is too large"})
        if isinstance(given, Response):
            return given
        reply = given if isinstance(given, Reply) else Reply(given)
        said = {"success": True, "message": reply.message, "data": reply.data, **reply.extra}
        return envelope(said, 200, reply.cookies)


def envelope(content: Mapping[str, Any], status: int = 200, cookies: tuple[Cookie, ...] = ()) -> Response[bytes]:
    """Return a JSON answer."""
    body = msgspec.json.encode(content)
    return Response(body, status_code=status, media_type="application/json", cookies=list(cookies))


def _explicit(error: NewapiError) -> Response[bytes]:
    """Return an error as programs want it."""
    told: dict[str, Any] = {"success": False, "message": error.message, "code": error.code}
    told["hint"] = getattr(error, "hint", "")
    status = error.status
    if isinstance(error, NoSecret):
        status = 400  # a reference of theirs that does not resolve on this server
    if isinstance(error, ConfigError):
        status = 400
        names = ("message", "file", "line", "column", "key", "hint", "source")
        told["problems"] = [{name: getattr(problem, name) for name in names} for problem in error.problems]
    return envelope(told, status)


def unknown_path(request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    """Return what a path that is none, or a method that it does not have, is answered with: OpenAI's error."""
    message = f"Invalid URL ({request.method} {request.url.path})"
    told = {"message": message, "type": "invalid_request_error", "param": "", "code": ""}
    return envelope({"error": told}, error.status_code)


def number(text: str) -> int:
    """Return the id that `text` is.

    Raises:
        CallerError: It is none.
    """
    if not (text.isascii() and text.isdecimal() and len(text) < 19):
        raise CallerError(f"Invalid parameters: {text[:40]!r} is no id")
    return int(text)


def _int(text: str) -> int:
    """Return a number of the query, 0 for what is none."""
    bare = text.removeprefix("-")
    return int(text) if bare.isascii() and bare.isdecimal() and len(bare) < 19 else 0


def _nobody() -> Refused:
    return Refused("Unauthorized, not logged in and no access token provided", status=401)


def _login_limit() -> tuple[int, float]:
    """Return how many logins may fail in how many seconds: New API's names and numbers."""
    if os.environ.get("CRITICAL_RATE_LIMIT_ENABLE", "true").lower() in ("false", "0"):
        return 0, 0
    return int(os.environ.get("CRITICAL_RATE_LIMIT", "20")), float(
        os.environ.get("CRITICAL_RATE_LIMIT_DURATION", "1200")
    )
