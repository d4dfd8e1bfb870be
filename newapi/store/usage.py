"""Sums over the log: what was used, by whatever a line of it says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import peewee
from msgspec import Struct

from newapi.store.database import Database
from newapi.store.ledger import RecordFilter, conditions
from newapi.store.models import Record

By = Literal["model", "token", "user", "channel", "group", "day", "hour"]
BY: tuple[By, ...] = ("model", "token", "user", "channel", "group", "day", "hour")
CHARGED = ("consume", "refund")
"""Kinds of lines that say what was used."""
_SECONDS = {"day": 86_400, "hour": 3600}


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
    """Return what the requests used that `wanted` describes (but for its kinds, limit and offset), the dearest first.

    Args:
        db: The database.
        wanted: Which lines of the log.
        by: What each sum is for; empty for one sum of all.
        limit: How many sums at most; 0 for all.
    """
    columns: list[tuple[str, Any]] = []
    for name in dict.fromkeys(by):
        columns += _columns(db, name)
    requests = peewee.fn.SUM(peewee.Case(None, [(Record.kind == "consume", 1)], 0))
    quota = peewee.fn.SUM(Record.quota)
    totals = (requests, peewee.fn.SUM(Record.prompt_tokens), peewee.fn.SUM(Record.completion_tokens), quota)
    query = Record.select(*(column for _, column in columns), *totals)
    query = query.where(*conditions(wanted), Record.kind.in_(CHARGED))
    if columns:
        query = query.group_by(*(column for _, column in columns))
    query = query.order_by(quota.desc())
    if limit:
        query = query.limit(limit)
    with db.reading() as c:
        rows = list(query.tuples().execute(c))
    names = (*(name for name, _ in columns), "requests", "prompt_tokens", "completion_tokens", "quota")
    return [_sum(dict(zip(names, row, strict=True))) for row in rows]


def _sum(row: dict[str, Any]) -> UsageSum:
    # Sums come as None where nothing was found, and as Decimal from some databases.
    values: dict[str, Any] = {k: v if isinstance(v, str) else int(v or 0) for k, v in row.items()}
    return UsageSum(**values)


def _columns(db: Database, by: By) -> list[tuple[str, Any]]:
    match by:
        case "model":
            return [("model", Record.model)]
        case "group":
            return [("group", Record.group)]
        case "user":
            return [("user_id", Record.user_id), ("user", Record.user_name)]
        case "token":
            return [("token_id", Record.token_id), ("token", Record.token_name)]
        case "channel":
            return [("channel_id", Record.channel_id), ("channel", Record.channel_name)]
        case "day" | "hour":
            size = _SECONDS[by]
            # Written out: PostgreSQL takes two parameters for two values, and the column it is grouped by for another.
            # SQLite may lack FLOOR, and elsewhere a CAST rounds.
            whole = f"CAST(created_at / {size} AS INTEGER)" if db.dialect == "sqlite" else f"FLOOR(created_at / {size})"
            return [("at", peewee.SQL(f"{whole} * {size}"))]
