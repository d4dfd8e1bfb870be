"""What requests cost: written in batches, and read for the log."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import peewee
from msgspec import Struct
from msgspec.structs import astuple

from newapi.store import rollups
from newapi.store.database import Database, insert
from newapi.store.models import Record, Rollup, User

ROWS = 200
"""Rows in one INSERT."""


class UsageRecord(Struct, frozen=True, omit_defaults=True):
    """One line of the log.

    Attributes:
        request_id: Ours. Not empty: it is what makes a settlement count once. A refund of the same request has its own
            (`refund_of`).
        created_at: Unix seconds.
        kind: `consume`, `error`, `topup`, `manage`, `refund`, `system`.
        model, upstream_model: As asked for, and as sent upstream.
        status: HTTP status the caller got.
        quota: What it cost; negative for a refund.
        usage: Tokens in every bucket, a JSON object, or "". Its `source` says who counted them: `upstream`, `estimate`
            (we did) or `none`.
        bill: Every factor of the price by name, a JSON object, or "".
        tries: The attempts in order, a JSON array of `{channel, channel_id, key, ms, status, kind, message}`, or "".
        first_token_ms, duration_ms: Milliseconds; 0 when there was no answer.
        end_reason: How it ended: `done`, `client_gone`, `upstream_broken`, `stopped` or `error`.
        error: Message of a failure, "" without one.
        losses: What the conversion dropped, a JSON array of texts, or "".
    """

    request_id: str
    created_at: float
    kind: str = "consume"
    user_id: int = 0
    user_name: str = ""
    token_id: int = 0
    token_name: str = ""
    channel_id: int = 0
    channel_name: str = ""
    group: str = ""
    model: str = ""
    upstream_model: str = ""
    entry_format: str = ""
    upstream_format: str = ""
    endpoint: str = ""
    stream: bool = False
    status: int = 0
    quota: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    usage: str = ""
    bill: str = ""
    tries: str = ""
    first_token_ms: int = 0
    duration_ms: int = 0
    end_reason: str = ""
    ip: str = ""
    error: str = ""
    losses: str = ""


class StoredRecord(UsageRecord, frozen=True, kw_only=True):
    """A line of the log with its place in it: later lines have greater numbers."""

    id: int


class Settlement(Struct, frozen=True):
    """A request that is over: its line in the log, and whom it is charged to.

    Attributes:
        token_id, user_id, channel_id: 0 charges none.
        quota: Taken from the token and the user, counted for the channel; negative gives back.
    """

    record: UsageRecord
    token_id: int
    user_id: int
    channel_id: int
    quota: int


class RecordFilter(Struct, frozen=True, kw_only=True):
    """Which lines of the log; every condition that is set must hold.

    Attributes:
        since, until: Unix seconds; `until` itself is not included.
        channel, user: Names.
        kinds: Any of these.
        patterns: Whether a `%` in `model` and `user` stands for any text.
        status: `error` (400 and above, or none), `ok`, or a number.
        min_quota: What it cost at least.
        min_ms: How long it took at least, milliseconds.
        after_id: Only later lines than this one, oldest first: to follow the log. Without it, the latest first.
        limit: How many at most; 0 for all.
    """

    since: float | None = None
    until: float | None = None
    model: str | None = None
    channel: str | None = None
    channel_id: int | None = None
    token_id: int | None = None
    token: str | None = None
    user_id: int | None = None
    user: str | None = None
    group: str | None = None
    kind: str | None = None
    kinds: tuple[str, ...] = ()
    patterns: bool = False
    status: str | None = None
    request_id: str | None = None
    min_quota: int | None = None
    min_ms: int | None = None
    after_id: int | None = None
    limit: int = 100
    offset: int = 0


def refund_of(request_id: str) -> str:
    """Return the id under which the log has what was given back of a request."""
    return request_id + "/refund"


_FIELDS = UsageRecord.__struct_fields__
_TEXT_LIMIT = 64_000
"""Characters that are kept of what has no limit of its own."""
_LENGTHS = {
    f.name: int(f.max_length) if isinstance(f, peewee.CharField) else _TEXT_LIMIT
    for f in Record._meta.sorted_fields  # type: ignore[attr-defined]  # noqa: SLF001
}


def write_batch(db: Database, settlements: Sequence[Settlement]) -> None:
    """Write lines of the log and charge for them, in one transaction.

    A request whose line is there already (a journal is replayed after a crash) is neither written nor charged again.

    Raises:
        StoreError: Nothing was written.
    """
    if not settlements:
        return

    def work(c: peewee.Database) -> None:
        fresh = _not_yet_there(c, settlements)
        for chunk in _chunks(fresh, ROWS):
            _insert(c, [s.record for s in chunk])
        _charge(c, fresh)

    db.write(work)


def write_record(db: Database, record: UsageRecord) -> None:
    """Write one line of the log that charges nobody."""
    with db.writing() as c:
        _insert(c, [record])


def add_past(c: peewee.Database, records: Sequence[UsageRecord]) -> int:
    """Write lines of another program's log, those that are not there yet, and charge nobody; return how many."""
    fresh = _not_yet_there(c, [Settlement(record, 0, 0, 0, 0) for record in records])
    for chunk in _chunks(fresh, ROWS):
        _insert(c, [s.record for s in chunk])
    return len(fresh)


def query_records(db: Database, wanted: RecordFilter) -> list[StoredRecord]:
    """Return the lines of the log that `wanted` describes: the latest first, or after `after_id` the oldest first."""
    query = Record.select().where(*conditions(wanted))
    query = query.order_by(Record.id.asc() if wanted.after_id is not None else Record.id.desc())
    if wanted.limit:
        query = query.limit(wanted.limit)
    if wanted.offset:
        query = query.offset(wanted.offset)
    with db.reading() as c:
        rows: list[dict[str, Any]] = list(query.dicts().execute(c))
    return [_stored(row) for row in rows]


def prune_records(db: Database, before: float) -> int:
    """Delete the lines older than `before` (unix seconds), a thousand at a time; return how many."""
    deleted = 0
    while True:
        with db.writing() as c:
            oldest = Record.select(Record.id).where(Record.created_at < before).order_by(Record.id).limit(1000)
            ids = [id for (id,) in oldest.tuples().execute(c)]
            if not ids:
                return deleted
            rollups.forget(c, ids)
            Record.delete().where(Record.id.in_(ids)).execute(c)
        deleted += len(ids)


def last_record_id(db: Database) -> int:
    """Return the number of the latest line of the log, 0 when there is none."""
    with db.reading() as c:
        return int(Record.select(peewee.fn.MAX(Record.id)).scalar(c) or 0)


def conditions(wanted: RecordFilter) -> list[Any]:
    """Return what `wanted` says as conditions of a query."""
    found = [*who_and_what(wanted, Record), *between(Record.created_at, wanted.since, wanted.until)]
    if wanted.request_id is not None:
        found.append(Record.request_id == wanted.request_id)
    if wanted.min_quota is not None:
        found.append(Record.quota >= wanted.min_quota)
    if wanted.min_ms is not None:
        found.append(Record.duration_ms >= wanted.min_ms)
    if wanted.after_id is not None:
        found.append(Record.id > wanted.after_id)
    if wanted.status == "error":
        found.append((Record.kind == "error") | (Record.status >= 400))
    elif wanted.status == "ok":
        found.append((Record.kind != "error") & (Record.status < 400))
    elif wanted.status is not None:
        found.append(Record.status == int(wanted.status))
    return found or [Record.id > 0]


def who_and_what(wanted: RecordFilter, table: type[Record | Rollup], *, indexed: bool = True) -> list[Any]:
    """Return what `wanted` says that lines of the log and their sums both have, as conditions on one of their tables.

    Args:
        wanted: What is said.
        table: Which one.
        indexed: Whether the database may look lines up by user or token, instead of by their time or number.
    """
    equal: list[tuple[Any, Any]] = [
        (table.channel_id, wanted.channel_id),
        (table.channel_name, wanted.channel),
        (table.token_id if indexed else table.token_id + 0, wanted.token_id),
        (table.token_name, wanted.token),
        (table.user_id if indexed else table.user_id + 0, wanted.user_id),
        (table.group, wanted.group),
        (table.kind, wanted.kind),
    ]
    found: list[Any] = [field == value for field, value in equal if value is not None]
    for field, value in ((table.model, wanted.model), (table.user_name, wanted.user)):
        if value is not None:
            pattern = wanted.patterns and "%" in value
            found.append(field**value if pattern else field == value)  # LIKE: `%` would be GLOB in SQLite
    if wanted.kinds:
        found.append(table.kind.in_(wanted.kinds))
    return found


def between(column: Any, since: float | None, until: float | None) -> list[Any]:
    """Return that `column` is at least `since`, and less than `until`, as conditions: of those that are said."""
    found: list[Any] = [] if since is None else [column >= since]
    return found if until is None else [*found, column < until]


def _stored(row: dict[str, Any]) -> StoredRecord:
    return StoredRecord(**{**row, "stream": bool(row["stream"])})


def _not_yet_there(c: peewee.Database, settlements: Sequence[Settlement]) -> list[Settlement]:
    ids = list({s.record.request_id for s in settlements})
    there: set[str] = set()
    left, right = c.quote
    for chunk in _chunks(ids, 500):
        # By hand, as `_insert`: most of the time went into building it.
        wanted = ", ".join([c.param] * len(chunk))
        found = c.execute_sql(f"SELECT request_id FROM {left}records{right} WHERE request_id IN ({wanted})", chunk)  # noqa: S608
        there.update(id for (id,) in found.fetchall())
    fresh: list[Settlement] = []
    for settlement in settlements:
        if settlement.record.request_id not in there:
            there.add(settlement.record.request_id)
            fresh.append(settlement)
    return fresh


def _insert(c: peewee.Database, records: Sequence[UsageRecord]) -> None:
    insert(c, "records", _FIELDS, [tuple(_row(record)) for record in records])


def _row(record: UsageRecord) -> Iterable[Any]:
    for name, value in zip(_FIELDS, astuple(record), strict=True):
        if value.__class__ is str and (len(value) > _LENGTHS[name] or not value.isascii() or "\0" in value):
            # Callers choose some of these; one that the database would refuse must not hold up the others.
            yield value[: _LENGTHS[name]].replace("\0", "").encode("utf-8", "replace").decode()
        else:
            yield value


def _charge(c: peewee.Database, settlements: Sequence[Settlement]) -> None:
    tokens: defaultdict[int, list[Any]] = defaultdict(lambda: [0, 0.0])
    users: defaultdict[int, list[int]] = defaultdict(lambda: [0, 0])
    channels: defaultdict[int, int] = defaultdict(int)
    for s in settlements:
        token, user = tokens[s.token_id], users[s.user_id]
        token[0] += s.quota
        token[1] = max(token[1], s.record.created_at)
        user[0] += s.quota
        user[1] += 1
        channels[s.channel_id] += s.quota
    p, (left, right) = c.param, c.quote
    # In the order of their ids, so that two processes wait for each other instead of locking each other out.
    for id, (quota, at) in sorted(tokens.items()):
        if id:
            c.execute_sql(
                f"UPDATE {left}tokens{right} SET remaining_quota = remaining_quota - {p}, "  # noqa: S608
                f"used_quota = used_quota + {p}, settled_quota = settled_quota + {p}, "
                f"accessed_at = CASE WHEN accessed_at < {p} THEN {p} ELSE accessed_at END WHERE id = {p}",
                (quota, quota, quota, at, at, id),
            )
    for id, (quota, requests) in sorted(users.items()):
        if id:
            taken = peewee.Case(None, [(User.unlimited == True, 0)], quota)  # noqa: E712
            used, made = User.used_quota + quota, User.requests + requests
            columns = {User.quota: User.quota - taken, User.settled_quota: User.settled_quota + taken}
            query = User.update({**columns, User.used_quota: used, User.requests: made})
            query.where(User.id == id).execute(c)
    for id, quota in sorted(channels.items()):
        if id and quota:
            c.execute_sql(
                f"UPDATE {left}channels{right} SET used_quota = used_quota + {p} WHERE id = {p}",  # noqa: S608
                (quota, id),
            )


def _chunks(items: Sequence[Any], size: int) -> Iterable[Sequence[Any]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
