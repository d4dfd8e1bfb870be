"""Everything a serving process needs to know, read at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import peewee
from msgspec import Struct

from newapi.base.errors import StoreError
from newapi.config.schema import (
    BillingSpec,
    ChannelSpec,
    GroupSpec,
    HealthSpec,
    ModelSpec,
    RoutingSpec,
    TasksSpec,
    TokenSpec,
)
from newapi.store import clock, rests, specs
from newapi.store.database import Database
from newapi.store.models import Channel, Clock, Group, Model, Setting, Token, User
from newapi.store.rests import RestRow

_ATTEMPTS = 5

T = TypeVar("T")


class StoredChannel(Struct, frozen=True):
    """A channel: what was declared, and the state it is in (enabled, disabled, tripped).

    `resting` are the positions of keys that are not used.
    """

    id: int
    name: str
    spec: ChannelSpec
    state: str
    state_reason: str
    used: int = 0
    resting: frozenset[int] = frozenset()


class StoredToken(Struct, frozen=True):
    """A token; money in quota, `settled` being what requests took from `remaining`.

    `expires_at` is unix seconds or 0, `state` enabled or disabled.
    """

    id: int
    name: str
    user_id: int
    key_hash: str
    group: str
    spec: TokenSpec
    remaining: int
    used: int
    unlimited: bool
    expires_at: float
    state: str
    created_at: float = 0
    accessed_at: float = 0
    key_hint: str = ""
    settled: int = 0


class StoredUser(Struct, frozen=True):
    """A user. `quota` is what is left, `settled` what requests took from it, `used` what was spent.

    `state` is enabled or disabled.
    """

    id: int
    name: str
    role: str
    group: str
    quota: int
    used: int
    unlimited: bool
    state: str
    requests: int = 0
    settled: int = 0


class Stored(Struct, frozen=True):
    """What was applied and what commands made, with the balances of this moment.

    Attributes:
        epoch: What `generation` returned before it was read: when that has grown, read again.
        generation: The number of the last apply.
    """

    epoch: int
    generation: int
    routing: RoutingSpec
    health: HealthSpec
    billing: BillingSpec
    tasks: TasksSpec
    groups: Mapping[str, GroupSpec]
    models: Mapping[str, ModelSpec]
    channels: tuple[StoredChannel, ...]
    tokens: tuple[StoredToken, ...]
    users: tuple[StoredUser, ...]
    rests: tuple[RestRow, ...] = ()


generation = clock.generation


def load(db: Database) -> Stored:
    """Return what the database holds, of one moment: nothing was applied while it was read.

    Raises:
        StoreError: The database cannot be reached, or holds what this version does not understand.
    """
    for _ in range(_ATTEMPTS):
        with db.reading() as c:
            stored = _load(c)
        if clock.generation(db) == stored.epoch:
            return stored
    raise StoreError("The database changed again and again while it was read")


def _load(c: peewee.Database) -> Stored:
    epoch, applied = next(iter(Clock.select(Clock.epoch, Clock.generation).tuples().execute(c)))
    sections: dict[str, str] = dict(Setting.select(Setting.section, Setting.value).tuples().execute(c))

    def section(name: str, type_: type[T]) -> T:
        return specs.decode(sections[name], type_, f"[{name}]") if name in sections else type_()

    return Stored(
        epoch=epoch,
        generation=applied,
        routing=section("routing", RoutingSpec),
        health=section("health", HealthSpec),
        billing=section("billing", BillingSpec),
        tasks=section("tasks", TasksSpec),
        groups=_named(c, Group, GroupSpec, "group"),
        models=_named(c, Model, ModelSpec, "model"),
        channels=tuple(
            _channel(*row)
            for row in Channel.select(
                Channel.id,
                Channel.name,
                Channel.spec,
                Channel.key_states,
                Channel.state,
                Channel.state_reason,
                Channel.used_quota,
            )
            .order_by(Channel.id)
            .tuples()
            .execute(c)
        ),
        tokens=tuple(_token(row) for row in Token.select().order_by(Token.id).dicts().execute(c)),
        users=tuple(_user(row) for row in User.select().order_by(User.id).dicts().execute(c)),
        rests=rests.load(c),
    )


def _named(c: peewee.Database, table: Any, type_: type[T], what: str) -> dict[str, T]:
    rows = table.select(table.name, table.spec).order_by(table.name).tuples().execute(c)
    return {name: specs.decode(spec, type_, f"{what} {name!r}") for name, spec in rows}


def _channel(id: int, name: str, spec: str, key_states: str | None, *rest: Any) -> StoredChannel:
    what = f"channel {name!r}"
    resting = frozenset(specs.decode(key_states, dict[int, Any], what)) if key_states else frozenset[int]()
    return StoredChannel(id, name, specs.decode(spec, ChannelSpec, what), *rest, resting=resting)


def _token(row: dict[str, Any]) -> StoredToken:
    return StoredToken(
        id=row["id"],
        name=row["name"],
        user_id=row["user_id"],
        key_hash=row["key_hash"],
        group=row["group"],
        spec=specs.decode(row["spec"], TokenSpec, f"token {row['name']!r}"),
        remaining=row["remaining_quota"],
        used=row["used_quota"],
        unlimited=bool(row["unlimited"]),
        expires_at=row["expires_at"],
        state=row["state"],
        created_at=row["created_at"],
        accessed_at=row["accessed_at"],
        key_hint=row["key_hint"],
        settled=row["settled_quota"],
    )


def _user(row: dict[str, Any]) -> StoredUser:
    return StoredUser(
        id=row["id"],
        name=row["name"],
        role=row["role"],
        group=row["group"],
        quota=row["quota"],
        used=row["used_quota"],
        unlimited=bool(row["unlimited"]),
        state=row["state"],
        requests=row["requests"],
        settled=row["settled_quota"],
    )
