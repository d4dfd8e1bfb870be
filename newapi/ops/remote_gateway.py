"""A gateway behind a server: the same functions of `ops/`, asked for through the management API."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, Literal, TypeVar
from urllib.parse import quote, urlencode

import msgspec
from msgspec.structs import asdict, replace

from newapi.base.errors import CallerError, ConfigError, Conflict, NewapiError, NotFound, Problem
from newapi.base.secret import Secret
from newapi.config.findings import Places, undotted
from newapi.config.schema import LogLevel, TokenSpec
from newapi.ops import live_client, logs, operations
from newapi.ops.apply import Applied, NewToken
from newapi.ops.channels import ChannelView
from newapi.ops.export import document
from newapi.ops.gateway import ACCOUNT, Wanted, Who
from newapi.ops.history import Generation
from newapi.ops.live import TOPICS, Range, Series, Told, Topic
from newapi.ops.operations import Operation
from newapi.ops.plan import Change, Plan
from newapi.ops.plan_text import exact
from newapi.ops.processes import Processes, Verbosity
from newapi.ops.remote import Answer, call, check
from newapi.ops.tokens import TokenView
from newapi.store.ledger import RecordFilter, StoredRecord

_SECONDS = 60.0

T = TypeVar("T")


class RemoteGateway:
    """What a server serves. Every method may raise `Unreachable`, and CallerError (401, 403) for who may not."""

    def __init__(self, server: str, token: Secret | None, account: str = "", *, seconds: float = _SECONDS) -> None:
        """Talk to a server.

        Args:
            server: Its URL, `host:port`, or `unix:/path`.
            token: A user's access token; the admin socket wants none.
            account: Who asks, for the audit log, where no token says it.
            seconds: How long it may take to answer.
        """
        self._seconds = seconds
        self._server, self._token = server, token
        self._headers = {ACCOUNT: quote(account)} if token is None and account else {}

    def whoami(self) -> Who:
        return replace(self._get(Who, "manage/whoami"), where=self._server)

    def export(self, only: Sequence[str] = ()) -> str:
        return self._get(str, "config/export", {"only": ",".join(only)})

    def plan(self, wanted: Wanted, *, prune: bool = True, only: Sequence[str] = ()) -> Plan:
        query = {"prune": prune, "only": ",".join(only)}
        return _exact(self._post(Plan, "config/diff", query, document(wanted.config).encode(), wanted.places))

    def apply(
        self,
        wanted: Wanted,
        *,
        source: str = "",
        prune: bool = True,
        only: Sequence[str] = (),
        base: int | None = None,
    ) -> Applied:
        query = {"prune": prune, "only": ",".join(only), "source": source, "base": base}
        data = self._post(dict[str, Any], "config/apply", query, document(wanted.config).encode(), wanted.places)
        return _applied(data)

    def history(self, limit: int = 0) -> list[Generation]:
        return self._get(list[Generation], "config/history", {"limit": limit})

    def changes_of(self, generation: int) -> list[Change]:
        return list(exact(self._get(list[Change], f"config/history/{generation}")))

    def rollback_plan(self, generation: int | None) -> tuple[int, Plan]:
        body = msgspec.json.encode({"generation": generation, "dry_run": True})
        data = self._post(dict[str, Any], "config/rollback", {}, body)
        return data["generation"], _exact(_converted(data["plan"], Plan))

    def rollback(self, generation: int, *, base: int | None = None) -> Applied:
        body = msgspec.json.encode({"generation": generation, "base": base})
        return _applied(self._post(dict[str, Any], "config/rollback", {}, body))

    def create_token(self, name: str, spec: TokenSpec) -> tuple[TokenView, Secret]:
        body = msgspec.json.encode({"name": name, "spec": spec})
        data = self._post(dict[str, Any], "manage/tokens", {}, body)
        return _converted(data["token"], TokenView), Secret(data["key"])

    def tokens(self, user: str | None = None) -> list[TokenView]:
        return self._get(list[TokenView], "manage/tokens", {"user": user})

    def token(self, name: str) -> TokenView:
        return self._get(TokenView, f"manage/tokens/{quote(name, safe='')}")

    def delete_token(self, name: str) -> TokenView:
        return self._ask(TokenView, "DELETE", f"manage/tokens/{quote(name, safe='')}")

    def channels(self) -> list[ChannelView]:
        return self._get(list[ChannelView], "manage/channels")

    def channel(self, name: str) -> ChannelView:
        return self._get(ChannelView, f"manage/channels/{quote(name, safe='')}")

    def switch(
        self, ids: Collection[int], state: Literal["enabled", "disabled"], *, reason: str = "", until: float = 0
    ) -> int:
        body = msgspec.json.encode({"ids": list(ids), "state": state, "reason": reason, "until": until})
        return self._post(int, "manage/channels", {}, body)

    def records(self, wanted: RecordFilter) -> list[StoredRecord]:
        return self._get(list[StoredRecord], "manage/logs", {**asdict(wanted), "kinds": None})

    def follow(self, wanted: RecordFilter, wait: Callable[[], None]) -> Iterator[StoredRecord]:
        return logs.followed(self.records, lambda: self._get(int, "manage/last-log"), wanted, wait)

    def workers(self) -> Processes:
        """Return the processes of the server."""
        return self._get(Processes, "manage/workers")

    def reload(self) -> Processes:
        """Make it read `[server]`, `[limits]` and `[log]` again; return its processes of before."""
        return self._post(Processes, "manage/reload", {}, b"")

    def drain(self) -> Processes:
        """Let it come to its end; return its processes."""
        return self._post(Processes, "manage/drain", {}, b"")

    def log_level(self, level: LogLevel) -> None:
        """Let every process of it tell what is `level` or worse, until it reloads or ends."""
        self._post(Verbosity, "manage/log-level", {}, msgspec.json.encode(Verbosity(level)))

    def do(self, operation: Operation[T]) -> T:
        kind = type(operation)
        path = f"manage/run/{operations.name_of(kind)}"
        told = self._data("POST", path, body=operations.encoded(operation), seconds=operations.seconds_of(kind))
        return _converted(told, operations.answer_of(kind))

    def watch(self, topics: Collection[Topic] = TOPICS, range: Range = "15m") -> AsyncGenerator[Told]:
        return live_client.watch(self._server, self._token, topics=topics, range=range)

    def series(self, range: Range) -> Series:
        return self._get(Series, "stream/series", {"range": range})

    def _get(self, type_: type[T], path: str, query: Mapping[str, Any] | None = None) -> T:
        return self._ask(type_, "GET", path, query)

    def _post(
        self, type_: type[T], path: str, query: Mapping[str, Any], body: bytes, places: Places | None = None
    ) -> T:
        return self._ask(type_, "POST", path, query, body, places)

    def _ask(
        self,
        type_: type[T],
        method: str,
        path: str,
        query: Mapping[str, Any] | None = None,
        body: bytes | None = None,
        places: Places | None = None,
    ) -> T:
        return _converted(self._data(method, path, query, body, places), type_)

    def _data(
        self,
        method: str,
        path: str,
        query: Mapping[str, Any] | None = None,
        body: bytes | None = None,
        places: Places | None = None,
        *,
        seconds: float | None = None,
    ) -> Any:
        """Return the data of an answer. What is "" or None in the query is left out."""
        asked = {name: str(value) for name, value in (query or {}).items() if value not in (None, "")}
        url = f"/api/{path}?{urlencode(asked)}" if asked else f"/api/{path}"
        limit = self._seconds if seconds is None else seconds
        answer = call(self._server, method, url, self._token, body, timeout=limit, headers=self._headers)
        _check(answer, places)
        return answer.body if isinstance(answer.body, str) else answer.body["data"]


def _converted(data: Any, type_: type[T]) -> T:
    try:
        return operations.converted(data, type_)
    except msgspec.ValidationError as error:
        raise NewapiError(f"The server's answer is not understood by this version: {error}") from None


def _exact(plan: Plan) -> Plan:
    return replace(plan, changes=exact(plan.changes))


def _applied(data: dict[str, Any]) -> Applied:
    new = tuple(NewToken(token["name"], Secret(token["key"])) for token in data.pop("new_tokens"))
    done = _converted({**data, "new_tokens": []}, Applied)
    return replace(done, changes=exact(done.changes), new_tokens=new)


def _check(answer: Answer, places: Places | None) -> None:
    """Raise what went wrong on the server as if it had gone wrong here.

    Problems of a configuration that was sent are where this side's file has them; without `places` they are of the
    server's own file.

    Raises:
        NewapiError: It did.
    """
    body: Any = answer.body
    if answer.status < 400 or not isinstance(body, dict) or "code" not in body:
        check(answer)
        return
    message, code = str(body["message"]), str(body["code"])
    error: NewapiError
    if "problems" in body:
        raise ConfigError([_placed(problem, places) for problem in body["problems"]])
    if answer.status == NotFound.status:
        error = NotFound(message, code=code)
    elif answer.status == Conflict.status:
        error = Conflict(message, code=code)
    elif answer.status < 500:
        error = CallerError(message, status=answer.status, code=code)
    else:
        error = NewapiError(message, status=answer.status, code=code)
    error.hint = body.get("hint", "")
    raise error


def _placed(told: dict[str, Any], places: Places | None) -> Problem:
    if places is None:
        return Problem(**told)
    return places.problem(undotted(told["key"]), told["message"], told["hint"])
