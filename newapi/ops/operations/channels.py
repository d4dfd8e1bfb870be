"""Channels: their upstreams asked, their keys, made, changed and deleted."""

from __future__ import annotations

from typing import ClassVar

from msgspec import Struct

from newapi.base.errors import NewapiError
from newapi.ops import breakers, channel_probe, channels
from newapi.ops.channel_probe import Tested
from newapi.ops.local import Local

_SECONDS = 600.0
"""Upstreams take their time, and there may be many of them."""


class ProbeChannels(Struct, frozen=True):
    """Ask channels something small; none named is all that are not disabled by hand."""

    SECONDS: ClassVar[float] = _SECONDS
    names: tuple[str, ...] = ()
    model: str = ""
    stream: bool = False
    key: int | None = None

    def run(self, local: Local, who: str) -> list[Tested]:
        """Do `ops.breakers.check_all`, or with a key `ops.channel_probe.probe`: what answers has recovered."""
        chosen = [channels.get(local.db, name) for name in self.names] or [
            view for view in channels.list_channels(local.db) if view.state != "disabled"
        ]
        if self.key is None:
            return breakers.check_all(local, chosen, model=self.model, stream=self.stream, who=who)
        found: list[Tested] = []
        for view in chosen:
            tested = channel_probe.probe(local, view, model=self.model, stream=self.stream, key=self.key)
            if not tested.error:
                breakers.recovered(local, view, self.key, tested.model, who=who)
            found.append(tested)
        return found


class FetchModels(Struct, frozen=True):
    """Ask a channel's upstream which models it has."""

    name: str

    def run(self, local: Local, who: str) -> list[str]:
        """Do `ops.channel_probe.fetch_models`."""
        return channel_probe.fetch_models(local, channels.get(local.db, self.name))


class Balance(Struct, frozen=True):
    """What an upstream account has left, USD; `error` says why it is not known, "" where it is."""

    channel: str
    usd: float | None
    error: str = ""


class AskBalances(Struct, frozen=True):
    """Ask upstreams what is left; none named is all that tell."""

    SECONDS: ClassVar[float] = _SECONDS
    names: tuple[str, ...] = ()

    def run(self, local: Local, who: str) -> list[Balance]:
        """Do `ops.channel_probe.balance` for each."""
        chosen = [channels.get(local.db, name) for name in self.names] or [
            view
            for view in channels.list_channels(local.db)
            if view.state != "disabled" and channel_probe.tells_balance(view)
        ]
        found: list[Balance] = []
        for view in chosen:
            try:
                found.append(Balance(view.name, channel_probe.balance(local, view)))
            except NewapiError as error:
                found.append(Balance(view.name, None, error.message))
        return found


OPERATIONS = (ProbeChannels, FetchModels, AskBalances)
