"""Channels one by one: found, made, changed and deleted by commands and the management API; their state."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Literal

import peewee
from msgspec import Struct

from newapi.store import clock
from newapi.store.database import Database
from newapi.store.models import Channel, Secret

State = Literal["enabled", "disabled", "tripped"]
_REFERRED = re.compile(r'"secret:([^"\\]+)"')


class ChannelRecord(Struct, frozen=True):
    """A channel as it is stored; `spec`, `key_states` and `legacy` are JSON, the last two may be None.

    Attributes:
        used: Quota.
        tested_at, balance_at: Unix seconds, 0 for never.
        balance: USD.
        disabled_until: Unix seconds; 0 where it is disabled until somebody enables it.
    """

    id: int
    name: str
    spec: str
    state: State
    state_reason: str
    used: int
    managed: str
    created_at: float
    updated_at: float
    tested_at: float
    response_ms: int
    balance: float
    balance_at: float
    key_states: str | None
    legacy: str | None
    disabled_until: float


_COLUMNS = (
    Channel.id,
    Channel.name,
    Channel.spec,
    Channel.state,
    Channel.state_reason,
    Channel.used_quota,
    Channel.managed,
    Channel.created_at,
    Channel.updated_at,
    Channel.tested_at,
    Channel.response_ms,
    Channel.balance,
    Channel.balance_at,
    Channel.key_states,
    Channel.legacy,
    Channel.disabled_until,
)


def select(
    c: peewee.Database, *, ids: Collection[int] | None = None, name: str | None = None, state: State | None = None
) -> list[ChannelRecord]:
    """Return the channels for which everything that is given holds, in the order they were made."""
    query = Channel.select(*_COLUMNS).order_by(Channel.id)
    if ids is not None:
        query = query.where(Channel.id.in_(list(ids)))
    if name is not None:
        query = query.where(Channel.name == name)
    if state is not None:
        query = query.where(Channel.state == state)
    return [ChannelRecord(*row) for row in query.tuples().execute(c)]


def due(db: Database, now: float) -> list[int]:
    """Return the ids of the channels that were disabled for a while, which is over."""
    waiting = (Channel.state == "disabled") & (Channel.disabled_until > 0) & (Channel.disabled_until <= now)
    with db.reading() as c:
        return [id for (id,) in Channel.select(Channel.id).where(waiting).tuples().execute(c)]


def balances(db: Database) -> list[tuple[str, float, float]]:
    """Return (channel, USD, unix seconds when its upstream said so) of those that ever told a balance, by name."""
    query = Channel.select(Channel.name, Channel.balance, Channel.balance_at).where(Channel.balance_at > 0)
    with db.reading() as c:
        return list(query.order_by(Channel.name).tuples().execute(c))


def names(c: peewee.Database) -> list[str]:
    """Return the names of all channels, sorted."""
    return [name for (name,) in Channel.select(Channel.name).order_by(Channel.name).tuples().execute(c)]


def insert(c: peewee.Database, columns: Mapping[str, Any]) -> int:
    """Insert a channel, tell running servers, and return its id."""
    clock.bump(c)
    return int(Channel.insert(**columns).execute(c))


def update(c: peewee.Database, id: int, columns: Mapping[str, Any]) -> None:
    """Change columns of a channel and tell running servers."""
    clock.bump(c)
    Channel.update(dict(columns)).where(Channel.id == id).execute(c)


def note(db: Database, id: int, columns: Mapping[str, Any]) -> None:
    """Write what was found out about a channel (a test, a balance), which changes nothing for running servers."""
    with db.writing() as c:
        Channel.update(dict(columns)).where(Channel.id == id).execute(c)


def delete(c: peewee.Database, ids: Sequence[int]) -> int:
    """Delete channels, tell running servers, and return how many there were; their records stay."""
    clock.bump(c)
    return Channel.delete().where(Channel.id.in_(list(ids))).execute(c)


def forget_secrets(c: peewee.Database, names: Collection[str]) -> None:
    """Delete what `secret:` references of channels named, but for what other channels still refer to."""
    if not names:
        return
    specs = Channel.select(Channel.spec).where(Channel.spec.contains('"secret:')).tuples().execute(c)
    kept = {name for (spec,) in specs for name in _REFERRED.findall(spec)}
    gone = [name for name in names if name not in kept]
    for start in range(0, len(gone), 500):
        Secret.delete().where(Secret.name.in_(gone[start : start + 500])).execute(c)


def set_state(db: Database, id: int, state: State, reason: str = "", *, expect: State | None = None) -> bool:
    """Put a channel into `state` and tell running servers.

    Args:
        db: The database.
        id: The channel.
        state: The state it is to have.
        reason: For people: why.
        expect: The state it must have now: of several processes that find a channel broken, one changes it.

    Returns:
        Whether it was changed.
    """
    query = Channel.update(state=state, state_reason=reason[:1000]).where(Channel.id == id, Channel.state != state)
    if expect is not None:
        query = query.where(Channel.state == expect)
    with db.writing() as c:
        changed = query.execute(c) == 1
        if changed:
            clock.bump(c)
    return changed
