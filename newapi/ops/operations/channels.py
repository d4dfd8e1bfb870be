"""Channels: their upstreams asked, their keys, made, changed and deleted."""

from __future__ import annotations

from typing import ClassVar

from msgspec import Struct

from newapi.base.errors import Conflict, NewapiError
from newapi.base.secret import Secret
from newapi.config.schema import ChannelSpec
from newapi.ops import breakers, channel_probe, channels
from newapi.ops.channel_probe import Tested
from newapi.ops.channels import ChannelView, Draft
from newapi.ops.legacy import Told
from newapi.ops.local import Local
from newapi.ops.online import draft_view

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


class ProbeDrafts(Struct, frozen=True):
    """Ask channels something small that are nowhere yet: with the specs that they are to have."""

    SECONDS: ClassVar[float] = _SECONDS
    channels: dict[str, ChannelSpec]

    def run(self, local: Local, who: str) -> list[Tested]:
        """Do `ops.channel_probe.probe_all`."""
        return channel_probe.probe_all(local, [draft_view(name, spec) for name, spec in self.channels.items()])


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


class CreateChannel(Struct, frozen=True):
    """Make a channel; `keys` are kept encrypted, where its spec refers to none."""

    name: str
    spec: ChannelSpec
    keys: tuple[Secret, ...] = ()

    def run(self, local: Local, who: str) -> ChannelView:
        """Do `ops.channels.create`.

        Raises:
            Conflict: There is one of that name.
        """
        with local.db.writing():
            if any(view.name == self.name for view in channels.list_channels(local.db)):
                raise Conflict(f"There is a channel {self.name!r} already")
            draft = Draft(self.name, Told(self.spec), self.keys, several=len(self.keys) > 1)
            return channels.create(local, [draft], who=who)[0]


class EditChannel(Struct, frozen=True):
    """Make a channel what `spec` says, if it is as it was at `read_at` (its `updated_at`).

    Keys that are given are kept encrypted, in the place of those it has, or with `append` behind them.
    """

    name: str
    spec: ChannelSpec
    read_at: float
    rename: str | None = None
    keys: tuple[Secret, ...] = ()
    append: bool = False

    def run(self, local: Local, who: str) -> ChannelView:
        """Do `ops.channels.edit`, and `switch` where it is enabled or disabled.

        Raises:
            Conflict: It was changed meanwhile, or there is one of the new name.
        """

        def change(before: ChannelView) -> Told:
            if before.updated_at != self.read_at:
                raise Conflict(f"Channel {before.name!r} was changed meanwhile")
            return Told(self.spec, before.legacy)

        view = channels.get(local.db, self.name)
        with local.db.writing():
            edited = channels.edit(
                local, view.id, change, who=who, name=self.rename, keys=self.keys, append=self.append
            )
            if self.spec.enabled != view.spec.enabled:
                channels.switch(local.db, [view.id], "enabled" if self.spec.enabled else "disabled", who=who)
                edited = channels.find(local.db, view.id)
        return edited


class DeleteChannels(Struct, frozen=True):
    """Delete channels, and the keys that were kept for them."""

    ids: tuple[int, ...]

    def run(self, local: Local, who: str) -> int:
        """Do `ops.channels.delete`."""
        return channels.delete(local.db, self.ids, who=who)


class SwitchKeys(Struct, frozen=True):
    """Enable or disable keys of a channel; none said are all."""

    name: str
    enabled: bool
    positions: tuple[int, ...] = ()
    reason: str = ""

    def run(self, local: Local, who: str) -> ChannelView:
        """Do `ops.channels.switch_keys`."""
        id = channels.get(local.db, self.name).id
        return channels.switch_keys(
            local.db, id, self.positions or None, enabled=self.enabled, who=who, reason=self.reason
        )


class DeleteKeys(Struct, frozen=True):
    """Take keys out of a channel; one has to be left."""

    name: str
    positions: tuple[int, ...]

    def run(self, local: Local, who: str) -> int:
        """Do `ops.channels.delete_keys`."""
        return channels.delete_keys(local.db, channels.get(local.db, self.name).id, self.positions, who=who)


OPERATIONS = (
    *(ProbeChannels, ProbeDrafts, FetchModels, AskBalances),
    *(CreateChannel, EditChannel, DeleteChannels, SwitchKeys, DeleteKeys),
)
