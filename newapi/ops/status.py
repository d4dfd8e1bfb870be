"""How the gateway is doing, on one screen."""

from __future__ import annotations

import time
from collections import Counter
from datetime import UTC, datetime
from typing import Literal

from msgspec import Struct

from newapi import __version__
from newapi.ops.apply import plan
from newapi.ops.channels import list_channels
from newapi.ops.health import NotHealthy, ask
from newapi.ops.local import Local
from newapi.ops.processes import Worker
from newapi.ops.workers import running
from newapi.store import clock
from newapi.store.ledger import RecordFilter
from newapi.store.usage import count_records, sums

Sync = Literal["in sync", "drifted", "never applied"]


class Status(Struct, frozen=True, kw_only=True):
    """How the gateway is doing.

    Attributes:
        generation: The last apply, 0 before the first.
        sync: Whether the database is what the file says.
        differences: Objects that an apply would change.
        serving: Whether the server of the configuration answers and serves.
        workers: The processes that serve, as the server's admin socket tells; none when it does not answer.
        channels: How many channels are `enabled`, `disabled` and `tripped`.
        since: Unix seconds: the beginning of today, UTC. `requests`, `errors` and `spend` are from there on.
        spend: Quota; 500,000 are one US dollar.
    """

    version: str
    generation: int
    sync: Sync
    differences: int
    serving: bool
    workers: tuple[Worker, ...]
    channels: dict[str, int]
    since: float
    requests: int
    errors: int
    spend: int


def status(local: Local, *, now: float | None = None, timeout: float = 2.0) -> Status:
    """Return how the gateway is doing.

    Args:
        local: The whole configuration, and the database.
        now: Unix seconds.
        timeout: Seconds that the server may take to answer.

    Raises:
        ConfigError: The file cannot be applied to this database.
    """
    now = time.time() if now is None else now
    since = datetime.fromtimestamp(now, UTC).replace(hour=0, minute=0, second=0, microsecond=0).timestamp()
    db = local.db
    (generation, _), changes = clock.applied(db), plan(local, local.config).changes
    states = Counter(channel.state for channel in list_channels(db))
    today = RecordFilter(since=since, kinds=("consume", "error"))
    return Status(
        version=__version__,
        generation=generation,
        sync="never applied" if not generation else "drifted" if changes else "in sync",
        differences=len(changes),
        serving=_serves(local.config.server.listen, timeout),
        workers=_workers(local, timeout),
        channels={state: states[state] for state in ("enabled", "disabled", "tripped")},
        since=since,
        requests=count_records(db, today)[0],
        errors=count_records(db, RecordFilter(since=since, kinds=("consume", "error"), status="error"))[0],
        spend=sum(total.quota for total in sums(db, RecordFilter(since=since), ())),
    )


def _serves(listen: str, timeout: float) -> bool:
    try:
        ask(listen, "ready", timeout=timeout)
    except NotHealthy:
        return False
    return True


def _workers(local: Local, timeout: float) -> tuple[Worker, ...]:
    found = running(local, timeout=timeout)
    return found.workers if found is not None else ()
