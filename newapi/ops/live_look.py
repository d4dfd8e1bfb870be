"""What nobody tells and somebody has to look for: drift, budgets that run out, models without a price."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from newapi.base.errors import NewapiError
from newapi.base.units import usd
from newapi.ops import usage
from newapi.ops.apply import plan
from newapi.ops.live import Alert, Sync
from newapi.ops.live_hub import Balance, Look
from newapi.ops.local import Local, reopened
from newapi.relay.limits import Period
from newapi.relay.snapshot import Snapshot
from newapi.store import channels as store_channels
from newapi.store import clock, maintenance
from newapi.store.database import Database

NEAR = 0.8
"""The share of a budget from which on somebody is told."""


def look(local: Local, snapshot: Snapshot, now: float) -> Look:
    """Look at the file, the database and what is in force. Waits for the database: call it in a thread.

    Raises:
        StoreError: The database cannot be read.
    """
    generation, applied_at = clock.applied(local.db)
    sync, differences = _drift(local, generation)
    alerts = [*_unpriced(snapshot), *_budgets(local.db, snapshot, now)]
    if sync == "drifted":
        many = "1 object differs" if differences == 1 else f"{differences} objects differ"
        alerts.append(Alert("drift", "", f"{many} from the file"))
    balances = tuple(Balance(*told) for told in store_channels.balances(local.db))
    return Look(
        tuple(alerts),
        generation,
        sync,
        differences,
        sum(maintenance.sizes(local.db).values()),
        balances,
        applied_at,
    )


def _drift(local: Local, generation: int) -> tuple[Sync, int]:
    if not generation:
        return "never applied", 0
    try:
        differences = len(plan(local, reopened(local).config).changes)
    except NewapiError:  # the file is being edited, or is not on this machine: then nothing is said of it
        return "unknown", 0
    return ("drifted" if differences else "in sync"), differences


def _unpriced(snapshot: Snapshot) -> Iterable[Alert]:
    serving: defaultdict[str, list[str]] = defaultdict(list)
    for channel in snapshot.channels:
        for model in channel.models.exact:
            if snapshot.prices.find(model) is None:
                serving[model].append(channel.name)
    for model in sorted(serving):
        yield Alert("no_price", model, f"{', '.join(sorted(serving[model]))} would serve it: it is refused")


def _budgets(db: Database, snapshot: Snapshot, now: float) -> Iterable[Alert]:
    limited = {token.id: token for token in snapshot.tokens.values() if token.limit.budget and token.enabled}
    periods: set[Period] = {period for token in limited.values() for period in token.limit.budget}
    for period in sorted(periods):
        spent = usage.spent(db, period, now)
        for token in limited.values():
            budget, used = token.limit.budget.get(period, 0), spent.get(token.id, 0)
            if budget and used >= NEAR * budget:
                share = f"{100 * used // budget} %"
                level = "error" if used >= budget else "warning"
                yield Alert("budget", token.name, f"has spent {share} of {usd(budget)} a {period}", level)
