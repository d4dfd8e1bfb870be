"""The configuration: exported, compared, applied, gone back to; and what else commands do on a server, under
`/api/manage/`. New API has none of these paths: they are root's, and errors are told under their own HTTP status.

`diff` and `apply` take the configuration as TOML in the body, and their options in the query: `prune=false`,
`only=KIND/NAME,…`, `source=…`, `base=N` (the generation of the plan that was shown). References are resolved here, on
the server.
"""

from __future__ import annotations

import tomllib
from contextlib import suppress
from typing import Any, Literal

import msgspec
from litestar import Response
from litestar.handlers import HTTPRouteHandler
from msgspec import Struct
from msgspec.structs import asdict

from newapi.base.errors import CallerError
from newapi.config.load import load
from newapi.config.schema import TokenSpec
from newapi.ops.apply import Applied
from newapi.ops.gateway import LocalGateway, Wanted
from newapi.server.routes.admin.auth import Call, Door, number
from newapi.server.runtime import Runtime
from newapi.store.ledger import RecordFilter, last_record_id

_TOML = "application/toml"
_FILTER = " ".join(name for name in RecordFilter.__struct_fields__ if name != "kinds")


class Back(Struct, frozen=True):
    """A rollback: None is the generation before the last."""

    generation: int | None = None
    dry_run: bool = False
    base: int | None = None


class NewToken(Struct, frozen=True):
    """A token to be made."""

    name: str
    spec: TokenSpec


class Switch(Struct, frozen=True):
    """Channels to be enabled, or disabled: for good or `until` a moment, unix seconds."""

    ids: tuple[int, ...]
    state: Literal["enabled", "disabled"]
    reason: str = ""
    until: float = 0


def routes(runtime: Runtime) -> list[HTTPRouteHandler]:
    """Return the handlers."""
    door = Door(runtime, explicit=True)
    return [
        door.get("/api/config/export", export, "root", query="only"),
        door.post("/api/config/diff", diff, "root", query="prune only", body=_TOML),
        door.post("/api/config/apply", apply, "root", query="prune only source base", body=_TOML),
        door.get("/api/config/history", history, "root", query="limit"),
        door.get("/api/config/history/{generation:str}", changes, "root"),
        door.post("/api/config/rollback", rollback, "root", body=Back),
        door.get("/api/manage/whoami", whoami, "user"),
        door.get("/api/manage/tokens", tokens, "root", query="user"),
        door.post("/api/manage/tokens", create_token, "root", body=NewToken),
        door.get("/api/manage/tokens/{name:path}", token, "root"),
        door.delete("/api/manage/tokens/{name:path}", delete_token, "root"),
        door.get("/api/manage/channels", channels, "root"),
        door.get("/api/manage/channels/{name:path}", channel, "root"),
        door.post("/api/manage/channels", switch, "root", body=Switch),
        door.get("/api/manage/logs", logs, "root", query=" ".join(RecordFilter.__struct_fields__)),
        door.get("/api/manage/last-log", last_log, "root"),
    ]


def export(call: Call) -> Response[str]:
    """Return the database as a configuration file: TOML, references, never secrets."""
    return Response(_gateway(call).export(_only(call)), media_type=_TOML)


def diff(call: Call) -> Any:
    """Return the plan: what `apply` would change."""
    return _gateway(call).plan(_wanted(call), prune=_prune(call), only=_only(call))


def apply(call: Call) -> dict[str, Any]:
    """Make the database what the body says. The keys of new tokens are in this answer and nowhere else."""
    base = call.query.get("base")
    return _applied(
        _gateway(call).apply(
            _wanted(call),
            source=call.query.get("source", ""),
            prune=_prune(call),
            only=_only(call),
            base=None if base is None else number(base),
        )
    )


def history(call: Call) -> Any:
    """Return the applies, the latest first: `limit` of them, or all."""
    return _gateway(call).history(number(call.query.get("limit", "0")))


def changes(call: Call) -> Any:
    """Return what a generation changed."""
    return _gateway(call).changes_of(call.id("generation"))


def rollback(call: Call) -> dict[str, Any]:
    """Apply again what an earlier generation applied, or say (`dry_run`) what that would change."""
    back = call.read(Back)
    gateway = _gateway(call)
    generation, plan = gateway.rollback_plan(back.generation)
    if back.dry_run:
        return {"generation": generation, "plan": plan}
    return _applied(gateway.rollback(generation, base=back.base))


def whoami(call: Call) -> Any:
    """Return who asks."""
    return _gateway(call).whoami()


def tokens(call: Call) -> Any:
    """Return all tokens, or those of `user`."""
    return _gateway(call).tokens(call.query.get("user"))


def token(call: Call) -> Any:
    """Return one token by its name or id."""
    return _gateway(call).token(_name(call))


def create_token(call: Call) -> dict[str, Any]:
    """Make a token; its key is in this answer and nowhere else."""
    new = call.read(NewToken)
    made, key = _gateway(call).create_token(new.name, new.spec)
    return {"token": made, "key": key.reveal()}


def delete_token(call: Call) -> Any:
    """Delete a token by its name or id."""
    return _gateway(call).delete_token(_name(call))


def channels(call: Call) -> Any:
    """Return all channels."""
    return _gateway(call).channels()


def channel(call: Call) -> Any:
    """Return one channel by its name or id."""
    return _gateway(call).channel(_name(call))


def switch(call: Call) -> int:
    """Enable or disable channels; return how many changed."""
    wanted = call.read(Switch)
    return _gateway(call).switch(wanted.ids, wanted.state, reason=wanted.reason, until=wanted.until)


def logs(call: Call) -> Any:
    """Return lines of the log, the oldest first; those after `after_id` where it is given."""
    try:
        wanted = msgspec.convert(dict(call.query), RecordFilter, strict=False)
    except msgspec.ValidationError as error:
        raise CallerError(f"Invalid parameters: {error}") from None
    status = wanted.status or ""
    if wanted.status not in (None, "ok", "error") and not (status.isascii() and status.isdecimal() and len(status) < 5):
        raise CallerError("status is ok, error or a number", param="status")
    if wanted.limit < 0 or wanted.offset < 0:
        raise CallerError("limit and offset are 0 or more", param="limit")
    return _gateway(call).records(wanted)


def last_log(call: Call) -> int:
    """Return the number of the last line of the log."""
    return last_record_id(call.db)


def _gateway(call: Call) -> LocalGateway:
    return LocalGateway(call.runtime.local, call.who, call.asker.role)


def _wanted(call: Call) -> Wanted:
    try:
        text = call.body.decode()
    except UnicodeDecodeError:
        raise CallerError("The configuration is not UTF-8") from None
    with suppress(tomllib.TOMLDecodeError, RecursionError):  # that is told below, with its place
        if "include" in tomllib.loads(text):
            # They would be this machine's, and what is wrong with them would show what is in them.
            raise CallerError("A configuration that is sent includes no files: send what they say together")
    return Wanted.of(load(call.runtime.local.path, text))


def _prune(call: Call) -> bool:
    return call.query.get("prune", "true").lower() not in ("false", "0")


def _only(call: Call) -> tuple[str, ...]:
    return tuple(part.strip() for part in call.query.get("only", "").split(",") if part.strip())


def _name(call: Call) -> str:
    return str(call.path["name"]).removeprefix("/")


def _applied(done: Applied) -> dict[str, Any]:
    new = [{"name": made.name, "key": made.key.reveal()} for made in done.new_tokens]
    return {**asdict(done), "new_tokens": new}
