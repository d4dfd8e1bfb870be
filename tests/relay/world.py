"""A gateway in memory for the relay's tests: channels, tokens and prices as data, a sink that remembers."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

import msgspec

from newapi import formats, providers
from newapi.base.secret import Secret
from newapi.billing.book import PriceBook
from newapi.config.schema import BillingSpec, ChannelSpec, GroupSpec, HealthSpec, ModelSpec, RoutingSpec, TokenSpec
from newapi.relay.gateway import Gateway, Limits
from newapi.relay.journal import Journal
from newapi.relay.ledger import Balances, Ledger
from newapi.relay.override import compile_operations
from newapi.relay.snapshot import Channel, Snapshot, TokenEntry, UserEntry
from newapi.relay.values import Ingress
from newapi.store.keys import hash_key
from newapi.store.ledger import Settlement

KEY = "sk-" + "k" * 48
NOW = 1_700_000_000.0


def channel(
    id: int = 1, *, name: str = "", type: str = "openai", keys: Sequence[str] = ("up-1",), **spec: Any
) -> Channel:
    """Return a channel that serves `gpt-4o`, unless `spec` says otherwise."""
    made = msgspec.convert({"type": type, "models": ["gpt-4o"], **spec}, ChannelSpec, strict=False)
    operations = compile_operations(made.param_operations) if made.param_operations else None
    secrets = tuple(Secret(k) for k in keys)
    return Channel(id, name or f"c{id}", made, providers.get(type), secrets, operations)


def token(id: int = 1, **about: Any) -> TokenEntry:
    """Return a token of user 1."""
    spec = msgspec.convert(about.pop("spec", {}), TokenSpec, strict=False)
    known = {"name": f"t{id}", "user_id": 1, "group": "", "unlimited": True, "expires_at": 0.0, "enabled": True}
    return TokenEntry(id=id, spec=spec, **{**known, **about})


def user(id: int = 1, **about: Any) -> UserEntry:
    """Return a common user in the group `default`."""
    known = {"name": f"u{id}", "role": "common", "group": "default", "unlimited": True, "enabled": True}
    return UserEntry(id=id, **{**known, **about})


def snapshot(
    channels: Iterable[Channel] = (),
    *,
    tokens: Mapping[str, TokenEntry] | None = None,
    users: Iterable[UserEntry] = (),
    groups: Mapping[str, Any] | None = None,
    models: Mapping[str, Any] | None = None,
    routing: Mapping[str, Any] | None = None,
    billing: Mapping[str, Any] | None = None,
) -> Snapshot:
    """Return a snapshot; without `tokens` one token is found by `KEY`."""
    found = {KEY: token()} if tokens is None else tokens
    priced = msgspec.convert(models or {}, dict[str, ModelSpec], strict=False)
    return Snapshot(
        epoch=1,
        channels=channels,
        tokens={hash_key(k): t for k, t in found.items()},
        users={u.id: u for u in (tuple(users) or (user(),))},
        groups=msgspec.convert(groups or {"default": {}}, dict[str, GroupSpec], strict=False),
        prices=PriceBook(priced),
        fallbacks={name: model.fallback for name, model in priced.items() if model.fallback},
        routing=msgspec.convert(routing or {}, RoutingSpec, strict=False),
        health=HealthSpec(),
        billing=msgspec.convert(billing or {}, BillingSpec, strict=False),
    )


class World:
    """A gateway, and what it has written to its database."""

    def __init__(self, directory: Path, snapshot: Snapshot, limits: Limits | None = None, *, left: int = 10**9) -> None:
        self.written: list[Settlement] = []
        self.ledger = Ledger(self.written.extend, Journal(directory / "journal"))
        self.ledger.load(lambda: Balances({1: left}, {1: left}))
        self.gateway = Gateway(snapshot, self.ledger, limits or Limits(), rng=Random(1), clock=lambda: NOW)

    def rows(self) -> list[Settlement]:
        """Return everything settled so far."""
        self.ledger.flush()
        return self.written

    async def close(self) -> None:
        await self.gateway.close()


def ingress(
    format: str, body: Any, *, path: str = "", headers: Mapping[str, str] | None = None, **params: str
) -> Ingress:
    """Return a request in `format` with the token's key; `path` chooses one of the format's routes."""
    entry = formats.get(format)
    route = next((r for r in entry.routes if r.path == path), entry.routes[0])
    return Ingress(
        request_id="req-1",
        format=entry,
        route=route,
        method="POST",
        path=path or route.path,
        params={"content-type": "application/json", **params},
        query=(),
        headers={"authorization": f"Bearer {KEY}", "content-type": "application/json", **(headers or {})},
        body=body if isinstance(body, bytes) else msgspec.json.encode(body),
        peer="192.0.2.7",
        received=NOW,
        clock=asyncio.get_running_loop().time(),
    )


class FakeSink:
    """Remembers an answer; complains about one that ASGI would not take."""

    def __init__(self) -> None:
        self.started = False
        self.ended = False
        self.status = 0
        self.headers: dict[str, str] = {}
        self.pieces: list[bytes] = []
        self.wrote = asyncio.Event()
        """Set with every piece that goes out."""

    @property
    def body(self) -> bytes:
        return b"".join(self.pieces)

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.body)

    async def start(self, status: int, headers: list[tuple[str, str]]) -> None:
        assert not self.started, "an answer begins once"
        self.started, self.status, self.headers = True, status, dict(headers)
        assert len(headers) == len(self.headers), f"a header twice: {headers}"

    async def write(self, data: bytes) -> None:
        assert self.started, "nothing before the head"
        assert not self.ended, "nothing after the end"
        self.pieces.append(data)
        self.wrote.set()

    async def end(self, data: bytes = b"") -> None:
        assert self.started
        assert not self.ended, "an answer ends once"
        if data:
            await self.write(data)
        self.ended = True

    async def whole(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        await self.start(status, headers)
        await self.end(body)
