"""A snapshot out of what the database holds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from msgspec.structs import replace

from newapi import providers, secrets
from newapi.base.errors import NewapiError
from newapi.base.secret import Secret
from newapi.billing.book import PriceBook
from newapi.config.load import price_tables
from newapi.config.schema import ChannelSpec
from newapi.providers.contract import Provider
from newapi.relay.ledger import Balances
from newapi.relay.override import compile_operations
from newapi.relay.snapshot import Channel, Snapshot, TokenEntry, UserEntry
from newapi.store.snapshot import Stored, StoredChannel

Resolve = Callable[[str], Secret]
"""Returns the secret that a reference names; raises NewapiError where it cannot."""
Warn = Callable[[str], None]


def build(stored: Stored, resolve: Resolve, warn: Warn, directory: Path | None = None) -> Snapshot:
    """Return the snapshot of `stored`.

    A channel whose key cannot be resolved is left out, and `warn` says which and why: the others go on serving. So with
    a file of prices that cannot be read: models with a price of their own are served. `directory` is the
    configuration's.
    """
    channels: list[Channel] = []
    away: list[ChannelSpec] = []
    for row in stored.channels:
        if row.state == "enabled" and row.spec.enabled:
            try:
                channels.append(_channel(row, resolve))
                continue
            except (NewapiError, LookupError) as error:
                warn(f"channel {row.name!r} is left out: {error}")
        away.append(row.spec)
    users = {
        u.id: UserEntry(
            id=u.id, name=u.name, role=u.role, group=u.group, unlimited=u.unlimited, enabled=u.state == "enabled"
        )
        for u in stored.users
    }
    tokens = {
        t.key_hash: TokenEntry(
            id=t.id,
            name=t.name,
            user_id=t.user_id,
            group=t.group,
            spec=t.spec,
            unlimited=t.unlimited,
            expires_at=t.expires_at,
            enabled=t.state == "enabled",
        )
        for t in stored.tokens
    }
    return Snapshot(
        epoch=stored.epoch,
        channels=channels,
        away=away,
        tokens=tokens,
        users=users,
        groups=stored.groups,
        prices=price_book(stored, warn, directory or Path()),
        fallbacks={name: model.fallback for name, model in stored.models.items() if model.fallback},
        routing=stored.routing,
        health=stored.health,
        billing=stored.billing,
        rests=stored.rests,
    )


def price_book(stored: Stored, warn: Warn, directory: Path) -> PriceBook:
    """Return the prices of `stored`, and of the file that they come from where they come from one."""
    prices = stored.billing.prices
    try:
        tables = price_tables(prices, directory)
    except (OSError, ValueError) as error:
        warn(f"the prices in {prices} cannot be read: {error}")
        tables = None
    return PriceBook(stored.models, prices=prices, unpriced=stored.billing.unpriced, tables=tables)


def _channel(row: StoredChannel, resolve: Resolve) -> Channel:
    spec = row.spec
    references = spec.keys or ((spec.key,) if spec.key else ())
    used = [(i, r) for i, r in enumerate(references) if i not in row.resting]
    if references and not used:
        raise LookupError("all its keys are disabled")
    keys = tuple(resolve(r) for _, r in used) or (Secret(""),)
    return ready(row.id, row.name, spec, providers.get(spec.type), keys, resolve, tuple(i for i, _ in used))


def ready(
    id: int,
    name: str,
    spec: ChannelSpec,
    provider: Provider,
    keys: tuple[Secret, ...],
    resolve: Resolve,
    positions: tuple[int, ...] = (),
) -> Channel:
    """Return a channel to send requests to: its overrides compiled, its proxy resolved.

    Raises:
        NewapiError: Its overrides make no sense, or its proxy cannot be resolved.
    """
    if secrets.is_reference(spec.proxy):
        spec = replace(spec, proxy=resolve(spec.proxy).reveal())
    operations = compile_operations(spec.param_operations) if spec.param_operations else None
    return Channel(id, name, spec, provider, keys, operations, positions)


def balances(stored: Stored) -> Balances:
    """Return what tokens and users have left and have used."""
    return Balances(
        {t.id: t.remaining for t in stored.tokens if not t.unlimited},
        {u.id: u.quota for u in stored.users if not u.unlimited},
        {t.id: t.used for t in stored.tokens},
        {t.id: t.settled for t in stored.tokens},
        {u.id: u.settled for u in stored.users},
        stored.epoch,
    )
