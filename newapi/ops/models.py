"""Models: which there are, who serves them, what they cost, and what a request of a given size would."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal, localcontext
from typing import Literal

from msgspec import Struct

from newapi.base.errors import NotFound
from newapi.base.nearest import did_you_mean
from newapi.base.secret import Secret
from newapi.base.units import QUOTA_PER_USD
from newapi.billing.charge import charge
from newapi.billing.price import EXACT, ONE, Price, Rates
from newapi.billing.quote import Call, plain, quote, total
from newapi.ir.usage import Usage
from newapi.ops import tokens, users
from newapi.relay.build import build
from newapi.relay.snapshot import Models, Snapshot
from newapi.store import snapshot as stored
from newapi.store.database import Database

_USD_PER_RATIO = 2
"""Quota of 1 a token is two US dollars a million tokens."""


class RatesView(Struct, frozen=True):
    """USD a million tokens, the group's ratio applied, every digit; `up_to` is the tier's largest prompt, or None."""

    up_to: int | None
    input: str
    output: str
    cached_input: str
    cache_write: str


class ModelView(Struct, frozen=True):
    """A model for people and programs.

    Attributes:
        source: Where its price comes from; "none" when it has no price.
        ratio: The group's, which the prices contain.
        per_call: USD a call, None where tokens count.
        rates: Prices by size of the prompt, one without tiers, none where a call has a price or nothing is known.
        channels: The enabled ones that serve it.
        groups: Whose requests those serve.
        fallback: Models that are tried when no channel of this one answers.
    """

    name: str
    source: Literal["config", "builtin", "default", "none"]
    ratio: str
    per_call: str | None
    rates: tuple[RatesView, ...]
    channels: tuple[str, ...]
    groups: tuple[str, ...]
    fallback: tuple[str, ...]


class LineView(Struct, frozen=True):
    """One line of a quotation: `count` of `unit` at `usd_each` dollars, times `factor`, make `usd`."""

    what: str
    unit: str
    count: int
    usd_each: str
    factor: str
    usd: str


class Quotation(Struct, frozen=True):
    """What a request would cost.

    Attributes:
        tier: The largest prompt of the tier that applies, None where there is no such limit.
        exact: Quota, every digit of it.
        quota: What is charged: `exact` rounded, and at least 1 for paid tokens.
        usd: `exact` in dollars.
    """

    model: str
    group: str
    group_ratio: str
    source: str
    tier: int | None
    lines: tuple[LineView, ...]
    exact: str
    quota: int
    usd: str


class _Payer(Struct, frozen=True):
    """Who asks: the group that is billed, what it pays, and the models it may ask for (None: all)."""

    group: str
    ratio: Decimal
    models: Models | None = None


def list_models(db: Database, *, token: str = "", unpriced: bool = False) -> list[ModelView]:
    """Return the models that channels serve, by name.

    Args:
        db: The database.
        token: Only what this token may call, at what its owner pays; by name or id.
        unpriced: Only those that nobody priced: they are refused, or billed at the default ratio.

    Raises:
        NotFound: There is no such token.
    """
    there = stored.load(db)
    picture = _picture(there)
    payer = _payer_of(db, picture, token) if token else _Payer("", ONE)
    names: Iterable[str] = picture.models_of(payer.group) if token else _all(picture)
    if payer.models is not None:
        names = [n for n in names if n in payer.models]
    found = [_view(picture, there, name, payer) for name in names]
    if unpriced:
        return [model for model in found if model.source in ("none", "default")]
    return [model for model in found if model.source != "none"] if token else found


def get(db: Database, name: str, *, group: str = "") -> ModelView:
    """Return one model: served, or priced.

    Args:
        db: The database.
        name: As callers say it.
        group: With the prices that this group pays.

    Raises:
        NotFound: No channel serves it and nothing is known of its price; or there is no such group.
    """
    there = stored.load(db)
    picture = _picture(there)
    found = _view(picture, there, name, _payer_in(picture, group))
    if not found.channels and found.source in ("none", "default") and name not in there.models:
        near = did_you_mean(name, [*_all(picture), *picture.prices.names()])
        raise NotFound(f"There is no model {name!r}{near}")
    return found


def price(db: Database, name: str, usage: Usage, *, group: str = "default", call: Call | None = None) -> Quotation:
    """Return what a request would cost, with every factor.

    Args:
        db: The database.
        name: The model.
        usage: What it would take.
        group: Whose price.
        call: What else the price depends on.

    Raises:
        NotFound: The model has no price, or there is no such group.
    """
    picture = _picture(stored.load(db))
    payer = _payer_in(picture, group)
    found = picture.prices.find(name)
    if found is None:
        raise NotFound(f"Model {name!r} has no price{did_you_mean(name, picture.prices.names())}")
    lines = quote(found, usage, payer.ratio, call=call)
    exact = total(lines)
    tier = found.tier_for(usage.prompt)
    with localcontext(EXACT):
        shown = tuple(
            LineView(
                what=line.what,
                unit=line.unit,
                count=line.count,
                usd_each=plain(line.rate / QUOTA_PER_USD),
                factor=plain(line.factor),
                usd=plain(line.quota / QUOTA_PER_USD),
            )
            for line in lines
        )
        dollars = plain(exact / QUOTA_PER_USD)
    return Quotation(
        model=name,
        group=payer.group,
        group_ratio=plain(payer.ratio),
        source=found.source,
        tier=tier.up_to if tier else None,
        lines=shown,
        exact=plain(exact),
        quota=charge(usage, found, group_ratio=payer.ratio, call=call).quota,
        usd=dollars,
    )


def _picture(there: stored.Stored) -> Snapshot:
    """Return what a server would see, but for secrets: prices and lists of models need none."""
    return build(there, lambda _: Secret(""), lambda _: None)


def _payer_of(db: Database, picture: Snapshot, token: str) -> _Payer:
    view = tokens.get(db, token)
    own = users.get(db, view.user).group
    group = view.group or own
    return _Payer(group, picture.group_ratio(own, group)[0], Models(view.models) if view.models else None)


def _payer_in(picture: Snapshot, group: str) -> _Payer:
    if group and group != "default" and group not in picture.groups:
        raise NotFound(f"There is no group {group!r}{did_you_mean(group, picture.groups)}")
    return _Payer(group, picture.group_ratio(group, group)[0])


def _all(picture: Snapshot) -> list[str]:
    return sorted({name for group in _groups(picture) for name in picture.models_of(group)})


def _groups(picture: Snapshot) -> set[str]:
    return {group for channel in picture.channels for group in channel.spec.groups}


def _view(picture: Snapshot, there: stored.Stored, name: str, payer: _Payer) -> ModelView:
    serving = [c for c in picture.channels if name in c.models and (not payer.group or payer.group in c.spec.groups)]
    found = picture.prices.find(name)
    spec = there.models.get(name)
    with localcontext(EXACT):
        per_call = None if found is None or found.per_call is None else plain(found.per_call * payer.ratio)
        rates = () if found is None or per_call is not None else _rates(found, payer.ratio)
    return ModelView(
        name=name,
        source=found.source if found else "none",
        ratio=plain(payer.ratio),
        per_call=per_call,
        rates=rates,
        channels=tuple(c.name for c in serving),
        groups=tuple(sorted({g for c in serving for g in c.spec.groups})),
        fallback=spec.fallback if spec else (),
    )


def _rates(price: Price, ratio: Decimal) -> tuple[RatesView, ...]:
    tiers = [(t.up_to, t.rates) for t in price.tiers] or [(None, price.rates)]
    return tuple(_rates_view(up_to, rates, ratio * _USD_PER_RATIO) for up_to, rates in tiers)


def _rates_view(up_to: int | None, rates: Rates, factor: Decimal) -> RatesView:
    return RatesView(
        up_to=up_to,
        input=plain(rates.input * factor),
        output=plain(rates.output * factor),
        cached_input=plain(rates.cache_read * factor),
        cache_write=plain(rates.cache_write * factor),
    )
