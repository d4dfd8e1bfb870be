"""What can be declared in a configuration file, as it is in the database: read to compare, written to apply."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import peewee
from msgspec import Struct
from msgspec.structs import replace

from newapi.store.models import Channel, Clock, Generation, Group, Model, Setting, Token, User

_TABLES: Mapping[str, Any] = {"groups": Group, "models": Model, "channels": Channel, "tokens": Token}


class Row(Struct, frozen=True):
    """A declared object.

    Attributes:
        key: What its table finds it by: its id, or its name where it has none.
        spec: JSON.
        managed: "file" when an apply made it, "" when a command did.
    """

    key: int | str
    name: str
    spec: str
    managed: str


class ChannelRow(Row, frozen=True):
    """A channel and its state."""

    state: str
    state_reason: str


class TokenRow(Row, frozen=True):
    """A token and its balance, in quota."""

    user_id: int
    key_hash: str
    remaining: int
    used: int
    unlimited: bool
    expires_at: float
    state: str


class Declared(Struct, frozen=True):
    """The whole of it; objects by name.

    A token's name need not be unique, since users choose it. The first of a name is found by it, later ones by
    `<name>-<id>`.
    """

    generation: int
    sections: Mapping[str, str]
    groups: Mapping[str, Row]
    models: Mapping[str, Row]
    channels: Mapping[str, ChannelRow]
    tokens: Mapping[str, TokenRow]
    users: Mapping[str, int]
    """User name -> id."""

    def of(self, kind: str) -> Mapping[str, Any]:
        """Return the objects of a kind: groups, models, channels or tokens."""
        found: Mapping[str, Row] = getattr(self, kind)
        return found


def read(c: peewee.Database) -> Declared:
    """Return what is declared now."""
    groups = Group.select(Group.name, Group.spec, Group.managed).order_by(Group.name).tuples().execute(c)
    models = Model.select(Model.name, Model.spec, Model.managed).order_by(Model.name).tuples().execute(c)
    channels = (
        Channel.select(Channel.id, Channel.name, Channel.spec, Channel.managed, Channel.state, Channel.state_reason)
        .order_by(Channel.id)
        .tuples()
        .execute(c)
    )
    tokens = (
        Token.select(
            Token.id,
            Token.name,
            Token.spec,
            Token.managed,
            Token.user_id,
            Token.key_hash,
            Token.remaining_quota,
            Token.used_quota,
            Token.unlimited,
            Token.expires_at,
            Token.state,
        )
        .order_by(Token.managed.desc(), Token.id)  # the file's own come first: a name in it means them
        .tuples()
        .execute(c)
    )
    return Declared(
        generation=read_generation(c),
        sections=dict(Setting.select(Setting.section, Setting.value).tuples().execute(c)),
        groups={name: Row(name, name, spec, managed) for name, spec, managed in groups},
        models={name: Row(name, name, spec, managed) for name, spec, managed in models},
        channels={row[1]: ChannelRow(*row) for row in channels},
        tokens=_by_name(replace(TokenRow(*row), unlimited=bool(row[8])) for row in tokens),
        users=dict(User.select(User.name, User.id).tuples().execute(c)),
    )


def _by_name(rows: Iterable[TokenRow]) -> dict[str, TokenRow]:
    found: dict[str, TokenRow] = {}
    for row in rows:
        name = row.name if row.name and row.name not in found else f"{row.name}-{row.key}"
        found[name] = row
    return found


def insert(c: peewee.Database, kind: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert objects of a kind; every row has the same columns."""
    table = _TABLES[kind]
    for start in range(0, len(rows), 500):
        table.insert_many(rows[start : start + 500]).execute(c)


def update(c: peewee.Database, kind: str, key: int | str, changes: Mapping[str, Any]) -> None:
    """Change columns of one object."""
    table = _TABLES[kind]
    table.update(dict(changes)).where(table._meta.primary_key == key).execute(c)  # noqa: SLF001  (peewee's own way)


def delete(c: peewee.Database, kind: str, keys: Sequence[int | str]) -> None:
    """Delete objects of a kind."""
    table = _TABLES[kind]
    for start in range(0, len(keys), 500):
        table.delete().where(table._meta.primary_key.in_(keys[start : start + 500])).execute(c)  # noqa: SLF001


def put_section(c: peewee.Database, section: str, value: str) -> None:
    """Store a section's JSON."""
    if not Setting.update(value=value).where(Setting.section == section).execute(c):
        Setting.insert(section=section, value=value).execute(c)


class Applied(Struct, frozen=True):
    """One apply: `document` is the configuration as JSON, `diff` what it changed, JSON too."""

    id: int
    created_at: float
    who: str
    source: str
    document: str
    diff: str


def add_generation(c: peewee.Database, made: Applied) -> None:
    """Record an apply, as the one in force."""
    Generation.insert(
        id=made.id,
        created_at=made.created_at,
        who=made.who[:191],
        source=made.source[:1000],
        document=made.document,
        diff=made.diff,
    ).execute(c)
    Clock.update(generation=made.id).execute(c)


def generations(c: peewee.Database, *, limit: int = 0) -> list[Applied]:
    """Return the applies, the latest first."""
    query = Generation.select().order_by(Generation.id.desc())
    if limit:
        query = query.limit(limit)
    return [Applied(**row) for row in query.dicts().execute(c)]


def read_generation(c: peewee.Database) -> int:
    """Return the number of the apply that is in force, 0 before the first."""
    return int(Clock.select(Clock.generation).scalar(c))


def find_generation(c: peewee.Database, number: int) -> Applied | None:
    """Return one apply, None when there is none of that number."""
    for row in Generation.select().where(Generation.id == number).dicts().execute(c):
        return Applied(**row)
    return None
