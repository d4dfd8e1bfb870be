"""What the dashboard shows of tokens and users: more than a list of them says, in few questions to the database."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

from newapi.base.errors import NotFound
from newapi.base.units import QUOTA_PER_USD
from newapi.config.schema import TokenSpec
from newapi.ops import channels as ops_channels
from newapi.ops import tokens as ops_tokens
from newapi.ops import usage
from newapi.ops import users as ops_users
from newapi.ops.tokens import TokenView
from newapi.ops.users import UserView
from newapi.relay.limits import Period
from newapi.store import audit, channels, specs
from newapi.store import tokens as store_tokens
from newapi.store.database import Database


class Spending(Struct, frozen=True):
    """What is spent of a budget since the period began: quota of quota."""

    period: Period
    spent: int
    budget: int

    @property
    def share(self) -> float:
        """What is spent, as a share of 1; all of a budget of nothing."""
        return self.spent / self.budget if self.budget else 1.0


class BoardToken(Struct, frozen=True):
    """A token, what it was declared or made as, and what it has spent of its budgets."""

    view: TokenView
    spec: TokenSpec
    spending: tuple[Spending, ...] = ()


class BoardUser(Struct, frozen=True):
    """A user, how many tokens there are, and when one of them was used last (unix seconds, 0 for never)."""

    view: UserView
    tokens: int = 0
    seen_at: float = 0.0


def tokens(db: Database, *, now: float | None = None) -> list[BoardToken]:
    """Return all tokens, in the order they were made."""
    now = time.time() if now is None else now
    views = {view.id: view for view in ops_tokens.list_tokens(db, now=now)}
    with db.reading() as c:
        records = store_tokens.select(c)
    told = {r.id: specs.decode(r.spec, TokenSpec, f"token {r.name!r}") for r in records}
    periods: set[Period] = {period for spec in told.values() for period in spec.budget}
    spent: dict[Period, dict[int, int]] = {period: usage.spent(db, period, now) for period in periods}
    return [BoardToken(view, told[id], _spending(told[id], id, spent)) for id, view in views.items() if id in told]


def _spending(spec: TokenSpec, id: int, spent: Mapping[Period, Mapping[int, int]]) -> tuple[Spending, ...]:
    return tuple(
        Spending(period, spent[period].get(id, 0), int(usd * QUOTA_PER_USD)) for period, usd in spec.budget.items()
    )


def users(db: Database) -> list[BoardUser]:
    """Return the users, but for those that are deleted."""
    with db.reading() as c:
        records = store_tokens.select(c)
    counted: dict[str, int] = {}
    seen: dict[str, float] = {}
    for record in records:
        counted[record.user] = counted.get(record.user, 0) + 1
        seen[record.user] = max(seen.get(record.user, 0.0), record.accessed_at)
    found, _ = ops_users.list_users(db)
    return [BoardUser(view, counted.get(view.name, 0), seen.get(view.name, 0.0)) for view in found]


def detach(db: Database, kind: Literal["channel", "token"], name: str, *, who: str, now: float | None = None) -> str:
    """Let commands manage what a file declared: an apply leaves it alone once the file does not name it any more.

    Args:
        db: The database.
        kind: What it is.
        name: Its name, or its id.
        who: Who does it.
        now: Unix seconds.

    Returns:
        Its name.

    Raises:
        NotFound: There is none, or no file manages it.
        Conflict: Several users have a token of that name.
    """
    now = time.time() if now is None else now
    with db.writing() as c:
        view = ops_channels.get(db, name) if kind == "channel" else ops_tokens.get(db, name)
        if not view.managed:
            raise NotFound(f"No file manages {kind} {name!r}")
        (channels if kind == "channel" else store_tokens).update(c, view.id, {"managed": ""})
        audit.note(c, audit.Entry(now, who, f"{kind}.detach", view.name))
    return view.name
