"""A New API (or One API) database taken over: channels, groups, prices, users, tokens, codes, options, and its log.

What is there already stays as it is, so that a second import doubles nothing; what cannot be taken over is told row by
row. The source is opened read-only.
"""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any, cast

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from newapi import secrets
from newapi.base.errors import CallerError, NewapiError, StoreError
from newapi.base.secret import Secret
from newapi.base.units import QUOTA_PER_USD
from newapi.config.schema import TokenSpec
from newapi.ops import catalog, channels, legacy, one_api, options, past
from newapi.ops.channels import Draft, KeyState
from newapi.ops.export import export
from newapi.ops.legacy import Told
from newapi.ops.local import Local
from newapi.ops.sessions import hash_access_token
from newapi.store import audit, clock, foreign, ledger, redemption, specs
from newapi.store import catalog as catalog_store
from newapi.store import channels as channel_store
from newapi.store import tokens as token_store
from newapi.store import users as user_store
from newapi.store.catalog import Kind
from newapi.store.database import Connection, Database, is_server
from newapi.store.foreign import Foreign, Row, json_object
from newapi.store.keys import hash_key

_ROLES = {100: "root", 10: "admin", 1: "user"}
_CODE_STATES = {1: "enabled", 2: "disabled", 3: "used"}
_MARK = "imported"
"""In what a channel keeps of New API's: which row it was, so that a second import knows it."""
_BOUND = ("github_id", "discord_id", "oidc_id", "wechat_id", "telegram_id", "linux_do_id", "lark_id")
_CATALOG: Mapping[str, Kind] = {"vendors": "vendor", "models": "model", "prefill_groups": "prefill"}
_NOT_TAKEN = {
    "top_ups": "payments: their sums are in the balances",
    "subscription_plans": "subscriptions are not taken over",
    "subscription_orders": "subscriptions are not taken over",
    "user_subscriptions": "subscriptions are not taken over: what is left of them is in no balance",
    "two_fas": "second factors have to be set up anew",
    "two_fa_backup_codes": "second factors have to be set up anew",
    "passkey_credentials": "passkeys have to be made anew",
    "custom_oauth_providers": "signing in with another provider is not taken over",
    "user_oauth_bindings": "signing in with another provider is not taken over",
    "midjourneys": "jobs of the past are not taken over",
    "tasks": "jobs of the past are not taken over",
}
"""Tables whose rows mean something to people and have no place here, and why."""
_IDS_TOLD = 20
_EVEN_WEIGHT = 100
_NEVER = -1
_LONG_AGO = 1.0
_PAGE = 1000


class Left(Struct, frozen=True):
    """A row, or a part of one, that was not taken over, and why; of a whole table, `id` lists the first of them."""

    kind: str
    id: str
    name: str
    reason: str


class Count(Struct):
    """Of one kind: `new` ones, those that are `there` already, and those that the source has deleted."""

    kind: str
    new: int = 0
    there: int = 0
    deleted: int = 0


class Imported(Struct, frozen=True):
    """What an import did, or would do.

    Attributes:
        program: Whose database it is: `New API` or `One API`.
        counts: By kind, those that the source has any of.
        left: What was not taken over.
        toml: The database afterwards, as a configuration file.
    """

    program: str
    counts: tuple[Count, ...]
    left: tuple[Left, ...]
    toml: str


class _Undo(Exception):
    """Ends a transaction that was only tried."""


@contextmanager
def importing(db: Database, *, dry_run: bool) -> Iterator[Connection]:
    """Give the connection within a transaction, which is undone at its end where it was only tried."""
    with suppress(_Undo), db.writing() as c:
        yield c
        if dry_run:
            raise _Undo


def import_database(
    local: Local,
    source: str,
    *,
    logs_since: float | None = None,
    logs_from: str = "",
    dry_run: bool = False,
    who: str,
    now: float | None = None,
) -> Imported:
    """Take a database over, in one transaction.

    Args:
        local: Where to.
        source: A SQLite file, or the URL of a database, or a reference to one.
        logs_since: Take the lines of the log from then on over too, unix seconds.
        logs_from: The database that has the log, where it is another one (New API's `LOG_SQL_DSN`).
        dry_run: Do it, see what comes of it, and undo it.
        who: Who does it.
        now: Unix seconds.

    Raises:
        StoreError: The source cannot be read, or is no such database; nothing was changed.
    """
    now = time.time() if now is None else now
    with ExitStack() as opened:
        theirs = opened.enter_context(foreign.opened(_named(local, source)))
        elsewhere = opened.enter_context(foreign.opened(_named(local, logs_from))) if logs_from else theirs
        if "logs" not in elsewhere.tables and logs_since is not None:
            raise StoreError(f"{elsewhere.shown} has no log of New API or One API")
        if not {"channels", "tokens", "users", "options"} <= theirs.tables.keys() or "schema_version" in theirs.tables:
            raise StoreError(f"{theirs.shown} is no database of New API or One API")
        with importing(local.db, dry_run=dry_run) as c:
            work = _Work(local, theirs, c, who, now)
            work.run()
            if logs_since is not None:
                work.log(elsewhere, int(logs_since))
            work.tell_tables()
            clock.bump(c)
            audit.note(c, audit.Entry(now, who, "import", theirs.shown.rpartition("/")[2]))
            counts = tuple(count for count in work.counts.values() if count.new + count.there + count.deleted)
            return Imported(work.program, counts, tuple(work.left), export(local.db))


def _named(local: Local, source: str) -> str:
    """Return a source, or what the reference to one refers to."""
    if secrets.is_reference(source) and not is_server(source) and not Path(source).exists():
        return local.resolve(source).reveal()
    return source


class _Work:
    """One import: each kind in turn, each row by itself, so that one that fails leaves the others alone."""

    def __init__(self, local: Local, theirs: Foreign, c: Connection, who: str, now: float) -> None:
        self._local, self._theirs, self._c, self._who, self._now = local, theirs, c, who, now
        self._is_one_api = one_api.is_one_api(theirs.tables)
        self.program = "One API" if self._is_one_api else "New API"
        self.counts: dict[str, Count] = {}
        self.left: list[Left] = []
        self._users: dict[int, tuple[int, str, str]] = {}
        """The source's id -> id, name and group here."""
        self._fresh: set[int] = set()
        """Those of them that this import made."""
        self._even: set[int] = set()
        """Priorities at which no channel has a weight: New API then gives all of them equal shares."""
        self._marks: dict[str, channels.ChannelView] = {}
        """Channels here that came by an import, by which row they were."""
        self._channels: dict[int, tuple[int, str]] = {}
        self._tokens: dict[int, tuple[int, str]] = {}
        self._vendors: dict[int, int] = {}
        """The source's id -> id (and name) here."""

    def run(self) -> None:
        self._options()
        self._each("users", "username", self._user, one_api.user)
        self._invited()
        rows = self._theirs.rows("channels")
        # One API has weights, and goes by none.
        weighted = {row.get("priority") or 0 for row in rows if row.get("weight") and not self._is_one_api}
        self._even = {row.get("priority") or 0 for row in rows} - weighted
        self._marks = {
            str(view.legacy[_MARK]): view for view in channels.list_channels(self._local.db) if _MARK in view.legacy
        }
        self._each("channels", "name", self._channel, one_api.channel)
        self._each("tokens", "name", self._token, one_api.token)
        self._each("redemptions", "name", self._code)
        self._each("checkins", "checkin_date", self._checkin)
        self._each("vendors", "name", self._described("vendors", "name"))
        self._each("models", "model_name", self._described("models", "model_name"))
        self._each("prefill_groups", "name", self._described("prefill_groups", "name"))

    def tell_tables(self) -> None:
        """Tell the tables that are not taken over, each with the ids of its rows."""
        for table, reason in _NOT_TAKEN.items():
            if ids := self._theirs.ids(table):
                told = ", ".join(ids[:_IDS_TOLD]) + (" …" if len(ids) > _IDS_TOLD else "")
                self.left.append(Left(table, told, "", f"{len(ids)} rows: {reason}"))

    def _count(self, kind: str) -> Count:
        return self.counts.setdefault(kind, Count(kind))

    def _each(
        self, kind: str, name: str, take: Callable[[Row], bool], alike: Callable[[Row], Row] | None = None
    ) -> None:
        """Take the rows of a table; `take` says whether one is new, `alike` makes one of One API's what it expects."""
        count = self._count(kind)
        for row in self._theirs.rows(kind):
            try:
                row = alike(row) if alike and self._is_one_api else row
                if row.get("deleted_at") is not None:
                    count.deleted += 1
                    continue
                with self._local.db.writing():
                    new = take(row)
            except NewapiError as error:
                self._leave(kind, row, name, error.message)
                continue
            count.new += new
            count.there += not new

    def _leave(self, kind: str, row: Row, name: str, reason: str) -> None:
        self.left.append(Left(kind, str(row.get("id", "")), str(row.get(name) or ""), reason))

    # -- options, and with them groups and prices ------------------------------------------------

    def _options(self) -> None:
        here = options.everything(self._local.db)
        count = self._count("options")
        for row in self._theirs.rows("options"):
            name, value = str(row["key"]), str(row["value"] or "")
            if name not in here:
                self.left.append(Left("options", name, name, "this gateway has no such option"))
                continue
            try:
                # Groups and prices that are here and not there stay.
                wanted = _over(here[name], value)
                if _same(wanted, here[name]):
                    count.there += 1
                    continue
                options.put(self._local, name, wanted, who=self._who, now=self._now)
            except CallerError as error:
                self.left.append(Left("options", name, name, error.message))
                continue
            count.new += 1
            here = options.everything(self._local.db)  # several may say the same thing

    # -- users ---------------------------------------------------------------------------------

    def _user(self, row: Row) -> bool:
        name = str(row["username"] or "")
        if not name or len(name) > 191:
            raise CallerError("its name is empty or too long")
        there = user_store.find(self._c, name=name)
        fresh = there is not None and there.role == "root" and not there.password_hash and row["role"] == 100
        if there is not None and not fresh:
            if there.deleted_at:
                raise CallerError("a user of that name was deleted here")
            self._users[row["id"]] = (there.id, there.name, there.group)
            return False
        columns = self._user_columns(row, name)
        if there is not None:
            user_store.update(self._c, there.id, columns)
            id = there.id
        else:
            id = user_store.insert(self._c, columns)
        self._users[row["id"]] = (id, name, columns["group"])
        self._fresh.add(row["id"])
        for bound in _BOUND:
            if row.get(bound):
                self._leave("users", row, "username", f"{bound}: signing in with it is not taken over")
        return True

    def _user_columns(self, row: Row, name: str) -> dict[str, Any]:
        aff_code, access_token = _text(row, "aff_code") or None, _text(row, "access_token").strip()
        hashed = hash_access_token(access_token) if access_token else None
        if aff_code and user_store.find(self._c, aff_code=aff_code) is not None:
            self._leave("users", row, "username", f"aff_code {aff_code} is another user's here")
            aff_code = None
        if hashed and user_store.find(self._c, access_token_hash=hashed) is not None:
            self._leave("users", row, "username", "its access token is another user's here")
            hashed = None
        role = _ROLES.get(row["role"], "user")
        if row["role"] not in _ROLES:
            self._leave("users", row, "username", f"role {row['role']} is taken for a user's, and disabled")
        return {
            "name": name,
            "role": role,
            "group": _text(row, "group") or "default",
            "quota": _number(row, "quota"),
            "used_quota": _number(row, "used_quota"),
            "requests": _number(row, "request_count"),
            "unlimited": False,
            "state": "enabled" if row["status"] == 1 and row["role"] in _ROLES else "disabled",
            "created_at": _number(row, "created_at") or self._now,
            "password_hash": _text(row, "password"),
            "display_name": _text(row, "display_name")[:191] or name,
            "email": _text(row, "email").lower()[:191],
            "access_token_hash": hashed,
            "aff_code": aff_code,
            "aff_count": _number(row, "aff_count"),
            "aff_quota": _number(row, "aff_quota"),
            "aff_history": _number(row, "aff_history"),
            "remark": _text(row, "remark"),
            "setting": _text(row, "setting") or None,
            "last_login_at": _number(row, "last_login_at"),
        }

    def _invited(self) -> None:
        for row in self._theirs.rows("users"):
            mine, inviter = self._users.get(row["id"]), self._users.get(row.get("inviter_id") or 0)
            if row["id"] in self._fresh and mine and inviter:
                user_store.update(self._c, mine[0], {"invited_by": inviter[0]}, seen=False)

    # -- channels --------------------------------------------------------------------------------

    def _channel(self, row: Row) -> bool:
        mark = f"{row['id']}/{_number(row, 'created_time')}"
        if there := self._marks.get(mark):
            self._channels[row["id"]] = (there.id, there.name)
            return False
        said = {**row, "openai_organization": row.get("open_ai_organization")}
        if _number(row, "priority") in self._even:
            said["weight"] = _EVEN_WEIGHT
        told = legacy.new(said, unserved=True)
        info = json_object(row.get("channel_info"))
        several = bool(info.get("is_multi_key"))
        key = _text(row, "key")
        keys = legacy.key_lines(key) if several else [key]
        state = legacy.STATUS.get(_number(row, "status"), "disabled")
        mode = "random" if info.get("multi_key_mode") == "random" else "round-robin"
        spec = replace(told.spec, enabled=state != "disabled", key_choice=mode if several else "round-robin")
        told = Told(spec, {**told.kept, _MARK: mark})
        name = _text(row, "name").strip() or f"channel-{row['id']}"
        draft = Draft(name, told, [Secret(one) for one in keys], several=several)
        (made,) = channels.create(self._local, [draft], who=self._who, now=self._now)
        columns: dict[str, Any] = {
            "state": state,
            "state_reason": made.state_reason,
            "used_quota": _number(row, "used_quota"),
            "created_at": _number(row, "created_time") or self._now,
            "tested_at": _number(row, "test_time"),
            "response_ms": _number(row, "response_time"),
            "balance": float(row.get("balance") or 0),
            "balance_at": _number(row, "balance_updated_time"),
        }
        if state == "tripped":
            columns["state_reason"] = str(json_object(row.get("other_info")).get("status_reason", ""))[:1000]
        if resting := _key_states(info, len(keys)):
            columns["key_states"] = msgspec.json.encode(resting).decode()
        channel_store.update(self._c, made.id, columns)
        self._channels[row["id"]] = (made.id, made.name)
        if made.name != name:
            self._leave("channels", row, "name", f"another channel has that name: it is called {made.name!r} here")
        if spec.type in legacy.UNSERVED.values():
            self._leave("channels", row, "name", f"type {spec.type!r} is not served here: it is kept, and not used")
        return True

    # -- tokens and codes --------------------------------------------------------------------------

    def _token(self, row: Row) -> bool:
        key = _text(row, "key").strip()
        if not key:
            raise CallerError("it has no key")
        owner = self._users.get(row["user_id"])
        if owner is None:
            raise CallerError(f"its owner, user {row['user_id']}, does not exist")
        user_id, user, own_group = owner
        for there in token_store.select(self._c, key_hash=hash_key(key)):
            self._tokens[row["id"]] = (there.id, there.name)
            return False
        group = _text(row, "group")
        if group == options.AUTO:
            options.ensure_auto(self._c)
        enabled, unlimited = self._enabled(row), bool(row.get("unlimited_quota"))
        addresses, usable = self._addresses(row)
        remaining, expires_at = _number(row, "remain_quota"), _expiry(row)
        limited = bool(row.get("model_limits_enabled"))
        spec = TokenSpec(
            user=user,
            group=group or own_group,
            quota=None if unlimited else Decimal(remaining) / QUOTA_PER_USD,
            unlimited=unlimited,
            expires=datetime.fromtimestamp(expires_at, UTC) if expires_at else None,
            models=legacy.split(_text(row, "model_limits")) if limited else (),
            allow_ips=addresses,
            enabled=enabled and usable,
        )
        columns = {
            "name": _text(row, "name")[:191],
            "user_id": user_id,
            "group": group,
            "spec": specs.encode(spec),
            "remaining_quota": remaining,
            "used_quota": _number(row, "used_quota"),
            "unlimited": unlimited,
            "expires_at": expires_at,
            "state": "enabled" if spec.enabled else "disabled",
            "created_at": _number(row, "created_time") or self._now,
            "accessed_at": _number(row, "accessed_time"),
            **self._local.vault.columns(Secret(f"sk-{key}")),
        }
        self._tokens[row["id"]] = (token_store.insert(self._c, columns), columns["name"])
        return True

    def _enabled(self, row: Row) -> bool:
        """Say whether a token is; one that New API found expired or spent is, where that is plain from its row."""
        match _number(row, "status"):
            case 1:
                return True
            case 3:
                return 0 < _expiry(row) <= self._now
            case 4:
                return not row.get("unlimited_quota") and _number(row, "remain_quota") <= 0
            case _:
                return False

    def _addresses(self, row: Row) -> tuple[tuple[str, ...], bool]:
        """Return the addresses a token may be used from, and whether it may be used: a list of nothing is no leave."""
        said = [a for line in _text(row, "allow_ips").splitlines() for a in legacy.split(line.replace(" ", ""))]
        found = tuple(a for a in said if _is_network(a))
        for wrong in (a for a in said if a not in found):
            self._leave("tokens", row, "name", f"{wrong!r} is no address or network")
        if said and not found:
            self._leave("tokens", row, "name", "none of its addresses is one: it is disabled")
        return found, bool(found) or not said

    def _code(self, row: Row) -> bool:
        code = _text(row, "key").strip()
        state = _CODE_STATES.get(_number(row, "status"))
        if not code or state is None:
            raise CallerError("it has no code" if not code else f"its status is {row['status']}")
        columns = self._local.vault.columns(Secret(code))
        if redemption.find(self._c, key_hash=columns["key_hash"]) is not None:
            return False
        redemption.insert(
            self._c,
            {
                "name": _text(row, "name")[:191],
                "quota": _number(row, "quota"),
                "state": state,
                "created_by": self._users.get(row["user_id"], (0, "", ""))[0],
                "created_at": _number(row, "created_time") or self._now,
                "expires_at": _number(row, "expired_time"),
                "used_by": self._users.get(_number(row, "used_user_id"), (0, "", ""))[0],
                "used_at": _number(row, "redeemed_time"),
                **columns,
            },
        )
        return True

    # -- what else there is ------------------------------------------------------------------------

    def _checkin(self, row: Row) -> bool:
        owner = self._users.get(row["user_id"])
        if owner is None:
            raise CallerError(f"its user, {row['user_id']}, does not exist")
        day = _text(row, "checkin_date")[:10]
        if any(there.day == day for there in redemption.checkins(self._c, owner[0], day[:7])):
            return False
        redemption.add_checkin(self._c, owner[0], day, _number(row, "quota_awarded"), _number(row, "created_at"))
        return True

    def _described(self, table: str, name: str) -> Callable[[Row], bool]:
        """Return what takes a description of a vendor, a model, or a list of models over."""
        kind = _CATALOG[table]

        def take(row: Row) -> bool:
            named = _text(row, name)
            there = catalog_store.taken(self._c, kind, named)
            if there is None:
                said: dict[str, Any] = {
                    field: row[field] for field in catalog.FIELDS[kind] if row.get(field) is not None
                }
                if kind == "prefill":
                    items = _json(_text(row, "items"))
                    said["items"] = items if isinstance(items, list) else [_text(row, "items")]
                if "vendor_id" in said:
                    said["vendor_id"] = self._vendors.get(said["vendor_id"], 0)
                id = catalog.create(self._local.db, kind, named, said, who=self._who, now=self._now).id
            else:
                id = there
            if kind == "vendor":
                self._vendors[row["id"]] = id
            return there is None

        return take

    def log(self, theirs: Foreign, since: int) -> None:
        """Take the log over from `since` on, unix seconds; after what its lines name."""
        count = self._count("logs")
        names = past.Names(self._users, self._tokens, self._channels)
        rows: Iterable[Row] = theirs.since("logs", "created_at", since)
        records = (past.record(one_api.log(row) if self._is_one_api else row, names) for row in rows)
        while page := list(islice(records, _PAGE)):
            new = ledger.add_past(self._c, page)
            count.new += new
            count.there += len(page) - new


# -- values ------------------------------------------------------------------------------------------


def _text(row: Mapping[str, Any], name: str) -> str:
    value = row.get(name)
    return str(value) if value is not None else ""


def _number(row: Mapping[str, Any], name: str) -> int:
    try:
        return int(row.get(name) or 0)
    except (TypeError, ValueError):
        raise CallerError(f"{name} is no number") from None


def _expiry(row: Row) -> float:
    """Return when a token expires, 0 for never: New API's -1. Its 0 is a moment long ago."""
    if row.get("expired_time") is None:
        return 0
    at = _number(row, "expired_time")
    return 0 if at == _NEVER else float(at) or _LONG_AGO


def _key_states(info: Mapping[str, Any], number: int) -> dict[str, KeyState]:
    """Return the keys of a channel that are not used, by position."""

    def of(name: str) -> dict[str, Any]:
        value: Any = info.get(name)
        return cast(dict[str, Any], value) if isinstance(value, dict) else {}

    reasons, times = of("multi_key_disabled_reason"), of("multi_key_disabled_time")
    return {
        at: KeyState("tripped" if status == 3 else "disabled", str(reasons.get(at, "")), float(times.get(at, 0)))
        for at, status in of("multi_key_status_list").items()
        if status != 1 and at.isdecimal() and int(at) < number
    }


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return True


def _over(now: str, value: str) -> str:
    """Return an option's value; where it is a table by name, with what is here and not there."""
    here, there = json_object(now), json_object(value)
    return msgspec.json.encode({**here, **there}).decode() if here and there else value


def _same(one: str, other: str) -> bool:
    return one == other or (one[:1] in "{[" and _json(one) == _json(other))


def _json(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text
