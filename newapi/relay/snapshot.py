"""An immutable picture of what the gateway is: channels, tokens, prices. Swapped whole when something is applied."""

from __future__ import annotations

import fnmatch
import hashlib
import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from functools import cached_property

from newapi.base.secret import Secret
from newapi.base.units import QUOTA_PER_USD
from newapi.billing.book import PriceBook
from newapi.config.schema import BillingSpec, ChannelSpec, GroupSpec, HealthSpec, RoutingSpec, TokenSpec
from newapi.formats.contract import Endpoint
from newapi.providers.contract import Provider
from newapi.relay.limits import Limit, Period
from newapi.relay.override import Compiled
from newapi.store.rests import RestRow

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_GLOB = re.compile(r"[*?\[]")
_CACHE_MODELS = 20_000
"""(group, model) pairs whose channels are remembered: a caller who makes names up must not fill the memory."""


class Models:
    """A list of models: exact names and globs."""

    def __init__(self, patterns: Iterable[str]) -> None:
        patterns = tuple(patterns)
        self.exact = frozenset(p for p in patterns if not _GLOB.search(p))
        globs = [p for p in patterns if _GLOB.search(p)]
        self._glob = re.compile("|".join(fnmatch.translate(p) for p in globs)) if globs else None
        self.globs = tuple(globs)

    def __contains__(self, model: object) -> bool:
        if model in self.exact:
            return True
        return self._glob is not None and isinstance(model, str) and self._glob.match(model) is not None


def mapped(mapping: Mapping[str, str], model: str) -> str:
    """Follow a `model_mapping`, a chain of names, from `model` to its end (cycles are refused when it is applied)."""
    seen = {model}
    while (name := mapping.get(model)) and name not in seen:
        seen.add(name)
        model = name
    return model


class Channel:
    """One upstream account, ready for use: its provider loaded, its keys resolved, its overrides compiled."""

    def __init__(
        self,
        id: int,
        name: str,
        spec: ChannelSpec,
        provider: Provider,
        keys: tuple[Secret, ...],
        operations: Compiled | None,
        positions: tuple[int, ...] = (),
    ) -> None:
        self.id = id
        self.name = name
        self.spec = spec
        self.provider = provider
        self.keys = keys
        self.positions = positions or tuple(range(len(keys)))
        """Of `keys` among all that the channel has: those that are disabled are not here."""
        self.operations = operations
        self.base_url = (spec.base_url or provider.base_url).rstrip("/")
        self.models = Models(spec.models)
        self.priority = spec.priority
        self.weight = spec.weight
        self.limit = Limit(spec.requests_per_minute, spec.tokens_per_minute, spec.concurrency)
        self.key_limit = Limit(spec.key_requests_per_minute, spec.key_tokens_per_minute, spec.key_concurrency)
        self.limited = bool(self.limit or self.key_limit)
        self.formats = spec.formats
        self.options = {**spec.options, "organization": spec.organization}

    @cached_property
    def prints(self) -> tuple[str, ...]:
        """What tells its keys apart, and says nothing of them: many keys have the same."""
        return tuple(hashlib.sha256(f"{self.id}:{k.reveal()}".encode()).hexdigest()[:8] for k in self.keys)

    def map_model(self, model: str) -> str:
        """Return what the upstream calls `model`."""
        return mapped(self.spec.model_mapping, model)


class TokenEntry:
    """What a caller's key allows."""

    def __init__(
        self,
        *,
        id: int,
        name: str,
        user_id: int,
        group: str,
        spec: TokenSpec,
        unlimited: bool,
        expires_at: float,
        enabled: bool,
    ) -> None:
        self.id = id
        self.name = name
        self.user_id = user_id
        self.group = group
        self.unlimited = unlimited
        self.expires_at = expires_at
        self.enabled = enabled
        self.models = Models(spec.models) if spec.models else None
        self.limit = Limit(
            spec.requests_per_minute,
            spec.tokens_per_minute,
            spec.concurrency,
            _quota(spec.budget),
        )
        self._allow_ips = spec.allow_ips

    @cached_property
    def networks(self) -> tuple[Network, ...]:
        """The addresses it may be used from; empty means any."""
        return tuple(ipaddress.ip_network(a, strict=False) for a in self._allow_ips)


class UserEntry:
    """Who owns a token."""

    def __init__(self, *, id: int, name: str, role: str, group: str, unlimited: bool, enabled: bool) -> None:
        self.id = id
        self.name = name
        self.role = role
        self.group = group
        self.unlimited = unlimited
        self.enabled = enabled


class Snapshot:
    """Everything a request needs to know, in memory."""

    def __init__(
        self,
        *,
        epoch: int,
        channels: Iterable[Channel],
        away: Iterable[ChannelSpec] = (),
        tokens: Mapping[str, TokenEntry],
        users: Mapping[int, UserEntry],
        groups: Mapping[str, GroupSpec],
        prices: PriceBook,
        fallbacks: Mapping[str, tuple[str, ...]] | None = None,
        routing: RoutingSpec,
        health: HealthSpec,
        billing: BillingSpec,
        rests: tuple[RestRow, ...] = (),
    ) -> None:
        self.epoch = epoch
        self.channels = tuple(channels)
        self.tokens = tokens
        """By the SHA-256 of the key, hexadecimal."""
        self.users = users
        self.groups = groups
        self.group_limits = {
            name: Limit(g.requests_per_minute, g.tokens_per_minute, g.concurrency, _quota(g.budget))
            for name, g in groups.items()
        }
        """What each user of a group may ask for."""
        self.prices = prices
        self.fallbacks = fallbacks or {}
        """By model, what is tried when nobody serves it."""
        self.routing = routing
        self.health = health
        self.billing = billing
        self.rests = rests
        """What was kept of health when it was read."""
        self._by_group: dict[str, tuple[Channel, ...]] = {}
        for channel in self.channels:
            for group in channel.spec.groups:
                self._by_group[group] = (*self._by_group.get(group, ()), channel)
        self._routes: dict[tuple[str, str], tuple[tuple[Channel, ...], ...]] = {}
        self._away = tuple((frozenset(spec.groups), Models(spec.models)) for spec in away)
        """Groups and models of the channels that serve nobody now: they are disabled, or lack a key."""

    def of_group(self, group: str) -> tuple[Channel, ...]:
        """Return the channels that serve `group`."""
        return self._by_group.get(group, ())

    def members(self, group: str) -> tuple[str, ...]:
        """Return the groups that a list of groups has, in order; () for a group that is none."""
        spec = self.groups.get(group)
        return spec.members if spec is not None else ()

    def route(self, group: str, model: str) -> tuple[tuple[Channel, ...], ...]:
        """Return the channels that serve `model` to `group`, in tiers: the highest priority first."""
        key = (group, model)
        tiers = self._routes.get(key)
        if tiers is None:
            found = [c for c in self.of_group(group) if model in c.models]
            priorities = sorted({c.priority for c in found}, reverse=True)
            tiers = tuple(tuple(c for c in found if c.priority == p) for p in priorities)
            if len(self._routes) >= _CACHE_MODELS:
                self._routes.clear()
            self._routes[key] = tiers
        return tiers

    def group_ratio(self, user_group: str, group: str) -> tuple[Decimal, Decimal | None]:
        """Return what `user_group` pays in `group`, and the special ratio it comes from, None when there is none."""
        own = self.groups.get(user_group)
        special = own.ratio_for.get(group) if own else None
        if special is not None:
            return special, special
        spec = self.groups.get(group)
        return (spec.ratio if spec else Decimal(1)), None

    def is_away(self, group: str, model: str) -> bool:
        """Return whether a channel that serves nobody now has `model` for `group`: it exists, and may be back."""
        return any(group in groups and model in models for groups, models in self._away)

    def models_of(self, group: str) -> list[str]:
        """Return the models that `group` may call, sorted: exact names, and of the globs' those with a price."""
        names: set[str] = set()
        priced = self.prices.names()
        for channel in (c for g in self.members(group) or (group,) for c in self.of_group(g)):
            names |= channel.models.exact
            if channel.models.globs:
                names |= {n for n in priced if n in channel.models}
        return sorted(names)


def speaks(channel: Channel, endpoint: Endpoint, path_of: Callable[[str], str], model: str) -> Mapping[str, str]:
    """Return what `channel` can be asked at `endpoint` of `model` (mapped): format -> path, the preferred one first.

    The channel's `formats` say what its upstream speaks in a chat where that is not what its type speaks; a format that
    the type has no path for is asked at the format's own (`path_of`).
    """
    provider = channel.provider
    spoken = provider.speaks_for(model, channel.base_url) if provider.speaks_for else provider.speaks
    own = spoken.get(endpoint, {})
    if endpoint != "chat" or not channel.formats:
        return own
    return {name: own.get(name) or path_of(name) for name in channel.formats}


def _quota(budget: Mapping[Period, Decimal]) -> dict[Period, int]:
    """Return a budget's USD as quota."""
    return {period: int(usd * QUOTA_PER_USD) for period, usd in budget.items()}
