"""A New API (or One API) database taken over: channels, groups, prices, users, tokens, codes, options, and its log.

What is there already stays as it is, so that a second import doubles nothing; what cannot be taken over is told row by
row. The source is opened read-only.
"""

from __future__ import annotations

import ipaddress
import re
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from newapi import secrets
from newapi.base.errors import CallerError, NewapiError, StoreError
from newapi.base.progress import each
from newapi.base.secret import Secret
from newapi.base.units import QUOTA_PER_USD
from newapi.billing.book import PriceBook
from newapi.config.schema import TokenSpec
from newapi.ops import catalog, channels, legacy, one_api, options, past, their_channels, their_prices
from newapi.ops.export import export
from newapi.ops.local import Local
from newapi.ops.sessions import hash_access_token
from newapi.ops.their_channels import MARK, Weights, mark_of
from newapi.store import audit, clock, foreign, ledger, redemption, rollups, specs
from newapi.store import catalog as catalog_store
from newapi.store import channels as channel_store
from newapi.store import tokens as token_store
from newapi.store import users as user_store
from newapi.store.catalog import Kind
from newapi.store.copying import last_id, set_last_id
from newapi.store.database import Connection, Database, is_server
from newapi.store.foreign import Foreign, Row, json_object
from newapi.store.keys import hash_key

_ROOT = 100
_ROLES = {_ROOT: "root", 10: "admin", 1: "user"}
_CODE_STATES = {1: "enabled", 2: "disabled", 3: "used"}
_BOUND = {
    **dict.fromkeys(
        ("github_id", "discord_id", "oidc_id", "wechat_id", "telegram_id", "linux_do_id", "lark_id"),
        "signing in with it is not taken over",
    ),
    "stripe_customer": "payments are not taken over",
}
"""What else a user's row may name, and why it is not taken over."""
_CATALOG: Mapping[str, Kind] = {"vendors": "vendor", "models": "model", "prefill_groups": "prefill"}
_WHOLE = (
    *("options", "users", "channels", "tokens", "redemptions", "checkins", "vendors", "models", "prefill_groups"),
    *("subscription_plans", "user_subscriptions", "two_fas", "passkey_credentials", "custom_oauth_providers"),
    *("user_oauth_bindings", "casbin_rule", "authz_roles"),
)
"""Tables that are read at once, as of one moment."""
_EACH_TOLD: Mapping[str, tuple[str, str]] = {
    "subscription_plans": ("title", "subscriptions are not taken over"),
    "user_subscriptions": ("", "subscriptions are not taken over: what is left of it is in no balance"),
    "two_fas": ("", "the second factor has to be set up anew: until then the password is enough"),
    "passkey_credentials": ("", "the passkey has to be made anew"),
    "custom_oauth_providers": ("name", "signing in with another provider is not taken over"),
    "user_oauth_bindings": ("", "signing in with another provider is not taken over"),
    "casbin_rule": ("v0", "permissions of single administrators are not taken over: a role has what its role has"),
    "authz_roles": ("name", "roles besides user, admin and root are not taken over"),
}
"""Tables whose rows are told one by one: the column that names one, the name of its user where it is "", and why."""
_NOT_TAKEN = {
    "top_ups": "payments: their sums are in the balances",
    "subscription_orders": "subscriptions are not taken over",
    "two_fa_backup_codes": "second factors have to be set up anew",
    "midjourneys": "jobs of the past are not taken over",
    "tasks": "jobs of the past are not taken over",
    "quota_data": "sums by the hour: they are made of the log here",
}
"""Tables of the past, of which the numbers of the first rows are told, and why."""
_OF_THE_PROGRAM = frozenset(
    {
        *("logs", "abilities", "setups", "perf_metrics", "system_instances", "system_tasks", "system_task_locks"),
        *("subscription_pre_consume_records", "sqlite_sequence", "sqlite_stat1"),
    }
)
"""Tables that are made anew by whoever serves, and mean nothing to anybody else; and the log, which may be wanted."""
_MADE = {"users": "created_at", "tokens": "created_time", "channels": "created_time"}
"""Where each row says when it was made."""
_IDS_TOLD = 20
_NAME_LIMIT = 191
_MOST = 2**53
_GLOB = re.compile(r"[*?\[]")
_NEVER = -1
_NO_SUCH = {
    **dict.fromkeys(
        ("billing_setting.billing_mode", "billing_setting.billing_expr"),
        "prices by an expression are not taken over: the models have those of the tables",
    ),
    "TopupGroupRatio": "payments are not taken over",
    "tool_price_setting.prices": "tools have the built-in prices here",
}
"""Options that this gateway has not, where more can be said of them."""
_THEIR_GROUPS = {"default": 1, "svip": 1, "vip": 1}
"""Groups that New API and One API have before anybody says which there are."""
_THEIR_CHOICE = {"default": "默认分组", "vip": "vip分组"}
"""Those of them that users may choose for their tokens, before anybody says which."""
_RATIOS = {"GroupRatio", "group_ratio_setting.group_ratio"}
_SPECIAL_RATIOS = {"GroupGroupRatio", "group_ratio_setting.group_group_ratio"}
_LONG_AGO = 1.0
_LAST_MOMENT = 253_402_300_799  # the end of the year 9999
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
        theirs = opened.enter_context(foreign.opened(_named(local, source), _WHOLE))
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
            done = Imported(work.program, counts, tuple(work.left), export(local.db))
            if not dry_run:
                work.numbered()
        if dry_run:
            work.not_numbered()
    while not dry_run and logs_since is not None and rollups.catch_up(local.db):
        pass
    return done


def _named(local: Local, source: str) -> str:
    """Return a source, or what the reference to one refers to."""
    if secrets.is_reference(source) and not is_server(source) and not Path(source).exists():
        return local.resolve(source).reveal()
    return source


class _Numbers:
    """Gives rows the numbers that they have there, as long as nothing here ever had them: scripts name them."""

    def __init__(self, db: Database, c: Connection, table: str) -> None:
        self._db, self._c, self._table = db, c, table
        self._before = self._last = last_id(c, table, db.dialect)
        self._most = 0

    def next(self, wanted: int) -> int:
        """Return the number of a row whose number there is `wanted`."""
        self._last = wanted if self._last < wanted < _MOST else max(self._last, self._most) + 1
        return self._last

    def behind(self, theirs: Iterable[int]) -> int:
        """Return a number behind all of theirs."""
        self._most = max(self._last, *theirs) + 1
        return self._most

    def forget(self) -> None:
        """Have the database go on as before; the others than MySQL do so when a transaction is undone."""
        if self._db.dialect == "mysql":
            with self._db.reading() as c:
                set_last_id(c, self._table, self._before, self._db.dialect)

    def keep(self) -> None:
        """Have the database go on behind them; the others than PostgreSQL do by themselves."""
        if self._db.dialect == "postgresql" and (last := max(self._last, self._most)):
            set_last_id(self._c, self._table, last, self._db.dialect)


class _Work:
    """One import: each kind in turn, each row by itself, so that one that fails leaves the others alone."""

    def __init__(self, local: Local, theirs: Foreign, c: Connection, who: str, now: float) -> None:
        self._local, self._theirs, self._c, self._who, self._now = local, theirs, c, who, now
        self._is_one_api = one_api.is_one_api(theirs.tables)
        self.program = "One API" if self._is_one_api else "New API"
        self.counts: dict[str, Count] = {}
        self.left: list[Left] = []
        self._saved = {str(row["key"]): _text(row, "value") for row in theirs.rows("options")}
        self._names = {row["id"]: _text(row, "username") for row in theirs.rows("users")}
        self._numbers = {
            table: _Numbers(local.db, c, table) for table in ("users", "channels", "tokens", "redemptions")
        }
        self._users: dict[int, tuple[int, str, str]] = {}
        """The source's id -> id, name and group here."""
        self._fresh: set[int] = set()
        """Those of them that this import made."""
        self._new_channels: set[int] = set()
        self._marks: dict[str, channels.ChannelView] = {}
        """Channels here that came by an import, by which row they were."""
        self._channels: dict[int, tuple[int, str]] = {}
        self._tokens: dict[int, tuple[int, str]] = {}
        self._vendors: dict[int, int] = {}
        """The source's id -> id (and name) here."""
        self._groups = self._groups_there()
        """The groups that the source says there are."""

    def run(self) -> None:
        self._declare_groups()
        prices = self._options()
        self._each("users", "username", self._user, one_api.user)
        self._invited()
        self._marks = {
            str(view.legacy[MARK]): view for view in channels.list_channels(self._local.db) if MARK in view.legacy
        }
        rows = self._like_new_api("channels", one_api.channel)
        weights = Weights(rows)
        lists = {name for name, spec in options.groups(self._c).items() if spec.members}
        self._each("channels", "name", lambda row: self._channel(row, weights, lists), one_api.channel)
        self._unpriced(rows, prices)
        self._each("tokens", "name", self._token, one_api.token)
        self._each("redemptions", "name", self._code)
        self._each("checkins", "checkin_date", self._checkin)
        self._each("vendors", "name", self._described("vendors", "name"))
        self._each("models", "model_name", self._described("models", "model_name"))
        self._each("prefill_groups", "name", self._described("prefill_groups", "name"))

    def numbered(self) -> None:
        """Have new rows numbered behind those that were taken over."""
        for numbers in self._numbers.values():
            numbers.keep()

    def not_numbered(self) -> None:
        """Have new rows numbered as before, after what was only tried."""
        for numbers in self._numbers.values():
            numbers.forget()

    def tell_tables(self) -> None:
        """Tell what of the other tables is not taken over: row by row, or of the past the first numbers."""
        for table, (column, reason) in _EACH_TOLD.items():
            for row in self._theirs.rows(table):
                if _is_told(table, row):
                    name = _text(row, column) if column else self._names.get(row["user_id"], "")
                    self.left.append(Left(table, str(row["id"]), name, reason))
        known = {*_WHOLE, *_EACH_TOLD, *_OF_THE_PROGRAM}
        for table in (*_NOT_TAKEN, *sorted(self._theirs.tables.keys() - known - _NOT_TAKEN.keys())):
            number, ids = self._theirs.sample(table, _IDS_TOLD)
            if number:
                told = ", ".join(ids) + (" …" if 0 < len(ids) < number else "")
                reason = _NOT_TAKEN.get(table, "nothing is known of this table")
                self.left.append(Left(table, told, "", f"{number} rows: {reason}"))

    def _count(self, kind: str) -> Count:
        return self.counts.setdefault(kind, Count(kind))

    def _each(
        self, kind: str, name: str, take: Callable[[Row], bool], alike: Callable[[Row], Row] | None = None
    ) -> None:
        """Take the rows of a table; `take` says whether one is new, `alike` makes one of One API's what it expects."""
        count = self._count(kind)
        rows = self._theirs.rows(kind)
        for row in each(f"Importing {kind}", rows, len(rows)):
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

    def _like_new_api(self, kind: str, alike: Callable[[Row], Row]) -> list[Row]:
        """Return the rows of a table as New API would have them, those that it could have."""
        found: list[Row] = []
        for row in self._theirs.rows(kind):
            with suppress(CallerError):  # told when the row is taken
                found.append(alike(row) if self._is_one_api else row)
        return found

    def _leave_it(self, kind: str, name: str, reason: str) -> None:
        self.left.append(Left(kind, name, name, reason))

    def _leave(self, kind: str, row: Row, name: str, reason: str) -> None:
        self.left.append(Left(kind, str(row.get("id", "")), str(row.get(name) or ""), reason))

    # -- options, and with them groups and prices ------------------------------------------------

    def _groups_there(self) -> set[str]:
        saved = next((self._saved[name] for name in sorted(_RATIOS) if name in self._saved), None)
        return {"default", *(_THEIR_GROUPS if saved is None else json_object(saved))}

    def _declare_groups(self) -> None:
        """Make the groups that users, channels and tokens name, whether the source says that there are such or not."""
        found: dict[str, None] = {}
        for table in ("users", "channels", "tokens"):
            for row in self._theirs.rows(table):
                if row.get("deleted_at") is None:
                    found |= dict.fromkeys(legacy.split(_text(row, "group")))
        wanted = [name for name in found if name != options.AUTO and len(name) <= _NAME_LIMIT]
        for name in options.ensure_groups(self._c, wanted):
            if name not in self._groups:
                self._leave_it("groups", name, "no GroupRatio says there is such a group: it has the ratio 1, as there")
        if options.AUTO in found or options.AUTO in json_object(self._saved.get("UserUsableGroups")):
            options.ensure_auto(self._c)

    def _options(self) -> PriceBook:
        """Take the options over, and return the prices there."""
        saved = dict(self._saved)
        if not self._is_one_api and "UserUsableGroups" not in saved:
            there = options.groups(self._c)
            free = {n for n in ("default", *there) if n not in there or not there[n].selectable}
            chosen = {name: text for name, text in _THEIR_CHOICE.items() if name in free}
            saved["UserUsableGroups"] = msgspec.json.encode(chosen).decode()
        count, here = self._count("options"), options.everything(self._local.db)
        book = self._prices(count)
        for name in sorted(saved, key=lambda name: (name not in _RATIOS, name)):
            if name in their_prices.TABLES:
                continue
            if name not in here:
                self._leave_it("options", name, _NO_SUCH.get(name, "this gateway has no such option"))
                continue
            try:
                # Groups that are here and not there stay.
                wanted = self._over(name, here[name], saved[name])
                if _same(wanted, here[name]):
                    count.there += name in self._saved
                    continue
                options.put(self._local, name, wanted, who=self._who, now=self._now)
            except CallerError as error:
                self._leave_it("options", name, error.message)
                continue
            before, here = here, options.everything(self._local.db)  # several may say the same thing
            count.new += name in self._saved and here[name] != before[name]
            count.there += name in self._saved and here[name] == before[name]
        return book

    def _over(self, name: str, here: str, value: str) -> str:
        """Return an option's value; where it is a table by name, with what is here and not there."""
        said = json_object(value)
        if name in _SPECIAL_RATIOS:
            known = {"default", *options.groups(self._c)}
            told = {group: {to: r for to, r in inner.items() if to in known} for group, inner in said.items()}
            for group, inner in said.items():
                for to in inner.keys() - told[group].keys():
                    self._leave_it("options", name, f"{group!r} pays otherwise in {to!r}: there is no such group")
            said = {group: inner for group, inner in told.items() if inner}
        if here[:1] == "{" and value[:1] in ("{", ""):
            return msgspec.json.encode({**json_object(here), **said}).decode()
        return value

    def _prices(self, count: Count) -> PriceBook:
        read = their_prices.read(self._saved)
        for option, error in read.broken:
            self._leave_it("options", option, error)
        for option, model, value in read.wrong:
            self._leave_it("options", option, f"{model!r}: {value} is no price")
        self_use = self._saved.get("SelfUseModeEnabled") == "true"
        changed, book = their_prices.take(self._c, read, self_use=self_use)
        count.new += len(read.saved) if changed else 0
        count.there += 0 if changed else len(read.saved)
        return book

    def _unpriced(self, rows: Sequence[Row], theirs: PriceBook) -> None:
        """Tell which models of new channels have no price, here or there, and declare that they have none here."""
        ours, found = their_prices.book(self._c), set[str]()
        for row in rows:
            if row["id"] not in self._new_channels:
                continue
            models = [m for m in legacy.split(_text(row, "models")) if not _GLOB.search(m)]
            if none := [m for m in models if ours.find(m) is None]:
                self._leave("channels", row, "name", f"models without a price, refused as there: {', '.join(none)}")
                found |= {m for m in none if len(m) <= _NAME_LIMIT}
            if only_here := [m for m in models if theirs.find(m) is None and m not in none]:
                told = ", ".join(only_here)
                self._leave(
                    "channels", row, "name", f"models without a price there, with the built-in one here: {told}"
                )
        their_prices.declare_unpriced(self._c, sorted(found))

    # -- users ---------------------------------------------------------------------------------

    def _user(self, row: Row) -> bool:
        name = str(row["username"] or "")
        if not name or len(name) > 191:
            raise CallerError("its name is empty or too long")
        there = user_store.find(self._c, name=name)
        fresh = there is not None and there.role == "root" and not there.password_hash and row["role"] == _ROOT
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
            id = user_store.insert(self._c, {**columns, "id": self._vacated(row) or self._number("users", row)})
        self._users[row["id"]] = (id, name, columns["group"])
        self._fresh.add(row["id"])
        if id != row["id"] and columns["access_token_hash"]:
            self._leave("users", row, "username", f"its number is {id} here: who sends New-Api-User has to say so")
        for bound, reason in _BOUND.items():
            if row.get(bound):
                self._leave("users", row, "username", f"{bound}: {reason}")
        return True

    def _number(self, table: str, row: Row) -> int:
        return self._numbers[table].next(row["id"])

    def _vacated(self, row: Row) -> int:
        """Return the number of a root of another name, whose place the root that nobody has used yet then leaves."""
        there = user_store.find(self._c, id=row["id"]) if row["role"] == _ROOT else None
        if (
            there is None
            or there.role != "root"
            or there.password_hash
            or token_store.select(self._c, user_id=there.id)
        ):
            return 0
        user_store.renumber(self._c, there.id, self._numbers["users"].behind(self._names))
        return there.id

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

    def _channel(self, row: Row, weights: Weights, lists: Collection[str]) -> bool:
        if there := self._marks.get(mark_of(row)):
            self._channels[row["id"]] = (there.id, there.name)
            return False
        taken = their_channels.take(row, weights, lists, self._number("channels", row), self._now)
        (made,) = channels.create(self._local, [taken.draft], who=self._who, now=self._now)
        channel_store.update(self._c, made.id, taken.columns)
        self._channels[row["id"]] = (made.id, made.name)
        self._new_channels.add(row["id"])
        if made.name != taken.draft.name:
            self._leave("channels", row, "name", f"another channel has that name: it is called {made.name!r} here")
        if made.id != row["id"]:
            self._leave("channels", row, "name", f"its number is {made.id} here")
        for note in taken.notes:
            self._leave("channels", row, "name", note)
        return True

    # -- tokens and codes --------------------------------------------------------------------------

    def _token(self, row: Row) -> bool:
        key = _text(row, "key").strip().removeprefix("sk-")
        if not key:
            raise CallerError("it has no key")
        owner = self._users.get(row["user_id"])
        if owner is None:
            name = self._names.get(row["user_id"])
            raise CallerError(
                f"its owner, user {row['user_id']}, {f'{name}, is deleted' if name else 'does not exist'}"
            )
        user_id, user, own_group = owner
        for there in token_store.select(self._c, key_hash=hash_key(key)):
            self._tokens[row["id"]] = (there.id, there.name)
            return False
        group = _text(row, "group")
        unlimited = bool(row.get("unlimited_quota"))
        remaining, expires_at = _number(row, "remain_quota"), _expiry(row)
        models, addresses = legacy.split(_text(row, "model_limits")), self._addresses(row)
        spec = TokenSpec(
            user=user,
            group=group or own_group,
            quota=None if unlimited else Decimal(max(0, remaining)) / QUOTA_PER_USD,
            unlimited=unlimited,
            expires=datetime.fromtimestamp(expires_at, UTC) if expires_at else None,
            models=models if row.get("model_limits_enabled") else (),
            allow_ips=addresses,
            enabled=self._enabled(row) and not self._refused(row, models, addresses),
        )
        columns = {
            "id": self._number("tokens", row),
            "name": _text(row, "name")[:_NAME_LIMIT],
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

    def _refused(self, row: Row, models: Collection[str], addresses: Collection[str]) -> bool:
        """Say whether New API refuses a token whatever its status, and tell why: a list of nothing is no leave."""
        group, limited = _text(row, "group"), bool(row.get("model_limits_enabled"))
        reasons: list[str] = []
        if limited and not models:
            reasons.append("its list of models has none")
        if _text(row, "allow_ips").strip() and not addresses:
            reasons.append("none of its addresses is one")
        if group and group != options.AUTO and group not in self._groups:
            reasons.append(f"there is no group {group!r} there")
        for reason in reasons:
            self._leave("tokens", row, "name", f"{reason}: it is disabled")
        if models and not limited:
            self._leave("tokens", row, "name", "its list of models is not in force, and left out")
        return bool(reasons)

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

    def _addresses(self, row: Row) -> tuple[str, ...]:
        """Return the addresses a token may be used from."""
        said = [a for line in _text(row, "allow_ips").splitlines() for a in legacy.split(line.replace(" ", ""))]
        for wrong in (a for a in said if not _is_network(a)):
            self._leave("tokens", row, "name", f"{wrong!r} is no address or network")
        return tuple(a for a in said if _is_network(a))

    def _code(self, row: Row) -> bool:
        code = _text(row, "key").strip()
        state = _CODE_STATES.get(_number(row, "status"))
        if not code or state is None:
            raise CallerError("it has no code" if not code else f"its status is {row['status']}")
        columns = self._local.vault.columns(Secret(code))
        if redemption.find(self._c, key_hash=columns["key_hash"]) is not None:
            return False
        if state == "enabled" and _number(row, "quota") <= 0:
            raise CallerError("it would take quota away")
        redemption.insert(
            self._c,
            {
                "id": self._number("redemptions", row),
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
                    said["items"] = items if isinstance(items, list) else [items] if items else []
                if "vendor_id" in said:
                    said["vendor_id"] = self._vendors.get(said["vendor_id"], 0)
                id = catalog.create(self._local.db, kind, named, said, who=self._who, now=self._now).id
                if made := _number(row, "created_time"):
                    catalog_store.date(self._c, id, made, _number(row, "updated_time") or made)
            else:
                id = there
            if kind == "vendor":
                self._vendors[row["id"]] = id
            return there is None

        return take

    def log(self, theirs: Foreign, since: int) -> None:
        """Take the log over from `since` on, unix seconds; after what its lines name."""
        count = self._count("logs")
        made = {
            table: {row["id"]: _number(row, column) for row in self._theirs.rows(table)}
            for table, column in _MADE.items()
        }
        repeated = theirs.repeated("logs", "request_id", "type", past.CONSUME)
        names = past.Names(self._users, self._tokens, self._channels, made, repeated)
        number = theirs.count("logs", "created_at", since)
        rows: Iterable[Row] = each("Importing lines of the log", theirs.since("logs", "created_at", since), number)
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
    """Return when a token expires, 0 for never: New API's -1, and what no calendar has. Its 0 is long ago."""
    if row.get("expired_time") is None:
        return 0
    at = _number(row, "expired_time")
    return 0 if at == _NEVER or at > _LAST_MOMENT else max(float(at), _LONG_AGO)


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return True


def _is_told(table: str, row: Row) -> bool:
    """Say whether a row means something to somebody."""
    if row.get("deleted_at") is not None:
        return False
    match table:
        case "two_fas":
            return bool(row.get("is_enabled"))
        case "casbin_rule":
            return _text(row, "v0").startswith("user:")
        case "authz_roles":
            return not row.get("built_in")
        case _:
            return True


def _same(one: str, other: str) -> bool:
    return one == other or (one[:1] in "{[" and _json(one) == _json(other))


def _json(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text
