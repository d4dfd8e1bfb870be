"""What rests of channels, until when and why: kept so that a restart does not forget it, and for whoever looks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import peewee
from msgspec import Struct

from newapi.store import clock
from newapi.store.database import Database
from newapi.store.models import Rest

Kind = Literal["broken", "asked", "dead", "reset"]
"""`broken`: it failed too often; `asked`: the upstream said how long to wait; `dead`: waiting does not help (that is
not kept here: a channel's own state, and its keys', say so); `reset`: someone woke it at `since`.
"""
EVERYTHING = "*"
"""In place of a key: all of a channel."""
_FORGOTTEN = 86_400.0
_MODEL, _REASON = 191, 500


class RestRow(Struct, frozen=True):
    """One rest.

    Attributes:
        channel_id: The channel.
        key_print: Which of its keys, by its `newapi.relay.snapshot.Channel.prints`; "" is the channel itself, whatever
            the key.
        model: For which model, as the upstream calls it; "" is all.
        kind: Why it rests, or that it does not any more.
        since, until: Unix seconds.
        reason: What the upstream said, without secrets.
    """

    channel_id: int
    key_print: str
    model: str
    kind: Kind
    since: float
    until: float
    reason: str = ""


def load(c: peewee.Database) -> tuple[RestRow, ...]:
    """Return all there are, those of before yesterday too."""
    columns = (Rest.channel_id, Rest.key_print, Rest.model, Rest.kind, Rest.since, Rest.until, Rest.reason)
    return tuple(RestRow(*row) for row in Rest.select(*columns).order_by(Rest.since).tuples().execute(c))


def put(db: Database, row: RestRow) -> None:
    """Write one down; of a place there is one. Running servers are not told: whoever finds out tells them.

    Those that were over a day ago are forgotten.
    """
    with db.writing() as c:
        Rest.delete().where(Rest.until < row.since - _FORGOTTEN).execute(c)
        _put(c, row)


def end(db: Database, places: Iterable[tuple[int, str, str]]) -> None:
    """Forget rests by (channel, key, model)."""
    with db.writing() as c:
        for channel_id, key_print, model in places:
            _delete(c, channel_id, key_print, model)


def reset(c: peewee.Database, channel_id: int, now: float, places: Iterable[tuple[str, str]] | None = None) -> None:
    """Wake a channel, or some (key, model)s of it, and tell running servers.

    Args:
        c: Within a transaction.
        channel_id: The channel.
        now: Unix seconds: what was held against it before is forgotten.
        places: None is everything.
    """
    if places is None:
        Rest.delete().where(Rest.channel_id == channel_id).execute(c)
        places = [(EVERYTHING, "")]
    for key_print, model in places:
        _put(c, RestRow(channel_id, key_print, model, "reset", now, now))
    clock.bump(c)


def _put(c: peewee.Database, row: RestRow) -> None:
    _delete(c, row.channel_id, row.key_print, row.model)
    Rest.insert(
        channel_id=row.channel_id,
        key_print=row.key_print,
        model=row.model[:_MODEL],
        kind=row.kind,
        since=row.since,
        until=row.until,
        reason=row.reason[:_REASON],
    ).execute(c)


def _delete(c: peewee.Database, channel_id: int, key_print: str, model: str) -> None:
    here = (Rest.channel_id == channel_id) & (Rest.key_print == key_print) & (Rest.model == model[:_MODEL])
    Rest.delete().where(here).execute(c)
