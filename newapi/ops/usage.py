"""What was used: by model, user, token, channel, group, by hour and day; and how much there is at the moment."""

from __future__ import annotations

import time
from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from newapi.relay.limits import Period, beginning
from newapi.store.database import Database
from newapi.store.ledger import RecordFilter
from newapi.store.usage import BY, By, UsageSum, sums

__all__ = ["BY", "By", "Rate", "UsageSum", "rate", "spent", "usage"]
_RATE_SECONDS = 60


class Rate(Struct, frozen=True):
    """What requests cost together (quota), and those of the last minute: how many, and their tokens."""

    quota: int
    requests_per_minute: int
    tokens_per_minute: int


def usage(db: Database, wanted: RecordFilter, by: Sequence[By] = (), *, limit: int = 0) -> list[UsageSum]:
    """Return what was used, the dearest first; by hour or day, the earliest first.

    Args:
        db: The database.
        wanted: Which requests.
        by: What each sum is for; empty for one sum of all.
        limit: How many sums at most; 0 for all.
    """
    found = sums(db, wanted, by, limit=limit)
    return sorted(found, key=lambda s: s.at) if {"day", "hour"} & {*by} else found


def rate(db: Database, wanted: RecordFilter, *, now: float | None = None) -> Rate:
    """Return what the requests cost that `wanted` describes, and how many of them were in the last minute."""
    now = time.time() if now is None else now
    total = sums(db, wanted, ())
    latest = replace(wanted, since=now - _RATE_SECONDS, until=None)
    last = sums(db, latest, ())
    return Rate(
        quota=sum(s.quota for s in total),
        requests_per_minute=sum(s.requests for s in last),
        tokens_per_minute=sum(s.tokens for s in last),
    )


def spent(db: Database, period: Period, now: float) -> dict[int, int]:
    """Return what each token, by its id, has spent (quota) since the period began that `now` is in."""
    return {total.token_id: total.quota for total in sums(db, RecordFilter(since=beginning(period, now)), ("token",))}
