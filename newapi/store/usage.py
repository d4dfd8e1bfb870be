"""Sums over the log: what was used, by whatever a line of it says.

What lies in whole hours and days is taken from their sums (`newapi.store.rollups`), the rest from the log itself, all
in one statement: of one moment.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, TypeAlias

import peewee
from msgspec import Struct

from newapi.store.database import Database
from newapi.store.ledger import RecordFilter, between, conditions, who_and_what
from newapi.store.models import Clock, Record, Rollup
from newapi.store.rollups import DAY, HOUR

By = Literal["model", "token", "user", "channel", "group", "day", "hour"]
BY: tuple[By, ...] = ("model", "token", "user", "channel", "group", "day", "hour")
CHARGED = ("consume", "refund")
"""Kinds of lines that say what was used."""
_SECONDS = {"day": DAY, "hour": HOUR}


class UsageSum(Struct, frozen=True, kw_only=True):
    """What some requests used together.

    Attributes:
        at: The beginning of the hour or day (UTC), unix seconds; 0 when it is not by those.
        user_id, user, …: What it is the sum for; 0 and "" for what it is not by.
        requests: How many.
        quota: What they cost; 500,000 are one US dollar.
    """

    at: int = 0
    user_id: int = 0
    user: str = ""
    token_id: int = 0
    token: str = ""
    channel_id: int = 0
    channel: str = ""
    group: str = ""
    model: str = ""
    requests: int
    prompt_tokens: int
    completion_tokens: int
    quota: int

    @property
    def tokens(self) -> int:
        """Tokens in both directions."""
        return self.prompt_tokens + self.completion_tokens


def sums(db: Database, wanted: RecordFilter, by: Sequence[By], *, limit: int = 0) -> list[UsageSum]:
    """Return what the requests used that `wanted` describes (but for its limit and offset), the dearest first.

    Args:
        db: The database.
        wanted: Which lines of the log.
        by: What each sum is for; empty for one sum of all.
        limit: How many sums at most; 0 for all.
    """
    used = {"requests": _requests, "prompt_tokens": None, "completion_tokens": None, "quota": None}
    return [UsageSum(**row) for row in _add_up(db, wanted, by, used, CHARGED, limit)]


def count_records(db: Database, wanted: RecordFilter) -> tuple[int, int]:
    """Return how many lines `wanted` describes, whatever its limit, and the quota they cost together."""
    (row,) = _add_up(db, wanted, (), {"number": _number, "quota": None})
    return row["number"], row["quota"]


_Table: TypeAlias = type[Record | Rollup]
_Sum: TypeAlias = Callable[[_Table], Any] | None
"""What is added up of a table, None for the column of that name."""


def _number(table: _Table) -> Any:
    return table.number if issubclass(table, Rollup) else 1


def _requests(table: _Table) -> Any:
    return peewee.Case(None, [(table.kind == "consume", _number(table))], 0)


def _add_up(
    db: Database,
    wanted: RecordFilter,
    by: Sequence[By],
    added: Mapping[str, _Sum],
    kinds: Sequence[str] = (),
    limit: int = 0,
) -> list[dict[str, Any]]:
    # By time first: so it lies in the database, and little is left to sort. Who asks by hour and day is told hours.
    groups: list[By] = [name for name in BY[::-1] if name in by and not (name == "day" and "hour" in by)]
    parts: list[Any] = []
    for table, where in _tables(wanted, by):
        columns = [column for name in groups for column in _columns(db, name, table)]
        totals = [peewee.fn.SUM(f(table) if f else getattr(table, name)).alias(name) for name, f in added.items()]
        query = table.select(*(column.alias(name) for name, column in columns), *totals)
        query = query.where(*where, *([table.kind.in_(kinds)] if kinds else []))
        parts.append(query.group_by(*(column for _, column in columns)) if columns else query)
    names = [name for group in groups for name, _ in _columns(db, group, Record)]
    found = functools.reduce(lambda one, other: one.union_all(other), parts).alias("found")
    grouped = [getattr(found.c, name) for name in names]
    outer = peewee.Select([found], [*grouped, *(peewee.fn.SUM(getattr(found.c, name)) for name in added)])
    outer = outer.group_by(*grouped) if grouped else outer
    outer = outer.order_by(peewee.fn.SUM(found.c.quota).desc())
    with db.reading() as c:
        rows = list((outer.limit(limit) if limit else outer).tuples().execute(c))
    return [
        dict(zip(("at" if n == _BEGAN else n for n in (*names, *added)), map(_plain, row), strict=True)) for row in rows
    ]


def _plain(value: Any) -> str | int:
    # Sums come as None where nothing was found, and as Decimal from some databases.
    return value if isinstance(value, str) else int(value or 0)


def _tables(wanted: RecordFilter, by: Sequence[By]) -> list[tuple[_Table, list[Any]]]:
    """Return what the sums of `wanted` are added up from: tables, and the conditions on their rows."""
    if any(getattr(wanted, name) is not None for name in _OF_LINES):
        return [(Record, conditions(wanted))]
    first, last = _whole(wanted.since, wanted.until, HOUR)
    if first is not None and last is not None and first >= last:
        return [(Record, conditions(wanted))]
    parts: list[tuple[_Table, list[Any]]] = []
    said, of_line = who_and_what(wanted, Rollup), who_and_what(wanted, Record, indexed=False)
    begin, end = _whole(first, last, DAY)
    if "hour" in by or (begin is not None and end is not None and begin >= end):
        parts.append((Rollup, [Rollup.step == HOUR, *between(Rollup.at, first, last), *said]))
    else:
        parts.append((Rollup, [Rollup.step == DAY, *between(Rollup.at, begin, end), *said]))
        for since, until in ((first, begin), (end, last)):
            if since is not None and until is not None and since < until:
                parts.append((Rollup, [Rollup.step == HOUR, *between(Rollup.at, since, until), *said]))
    later = Record.id > Clock.select(Clock.summed)
    # Few lines came later: not by their time is the quick way to them.
    parts.append((Record, [later, *between(Record.created_at + 0, first, last), *of_line]))
    for since, until in ((wanted.since, first), (last, wanted.until)):
        if since is not None and until is not None and since < until:
            parts.append((Record, [*between(Record.created_at, since, until), *of_line]))
    return parts


_OF_LINES = ("status", "request_id", "min_quota", "min_ms", "after_id")
"""What can be said only of a line, not of an hour of them."""


def _whole(since: float | None, until: float | None, step: int) -> tuple[int | None, int | None]:
    """Return the first and the last bound of hours or days that lie between; None where there is no bound."""
    first = None if since is None else math.ceil(since / step) * step
    return first, None if until is None else math.floor(until / step) * step


_BEGAN = "began"
"""The name for `at` within the statement, where a column is called so."""


def _columns(db: Database, by: By, table: _Table) -> list[tuple[str, Any]]:
    match by:
        case "model":
            return [("model", table.model)]
        case "group":
            return [("group", table.group)]
        # Not by the number alone: the index on it would be read, of the whole log, instead of the few lines.
        case "user":
            return [("user_id", peewee.SQL("user_id + 0")), ("user", table.user_name)]
        case "token":
            return [("token_id", peewee.SQL("token_id + 0")), ("token", table.token_name)]
        case "channel":
            return [("channel_id", table.channel_id), ("channel", table.channel_name)]
        case "day" | "hour":
            if by == "hour" and issubclass(table, Rollup):
                return [(_BEGAN, table.at)]
            size, column = _SECONDS[by], "created_at" if table is Record else "at"
            # Written out: PostgreSQL takes two parameters for two values, and the column it is grouped by for another.
            # SQLite may lack FLOOR, and elsewhere a CAST rounds.
            whole = f"CAST({column} / {size} AS INTEGER)" if db.dialect == "sqlite" else f"FLOOR({column} / {size})"
            return [(_BEGAN, peewee.SQL(f"{whole} * {size}"))]
