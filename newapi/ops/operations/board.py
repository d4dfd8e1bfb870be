"""What the dashboard asks, and what its keys do, beyond what a command of its own is for."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from newapi.ops import board, channels
from newapi.ops.board import BoardToken, BoardUser
from newapi.ops.channels import ChannelView
from newapi.ops.legacy import Told
from newapi.ops.local import Local


class BoardTokens(Struct, frozen=True):
    """List tokens with what they have spent of their budgets."""

    def run(self, local: Local, who: str) -> list[BoardToken]:
        """Do `ops.board.tokens`."""
        return board.tokens(local.db)


class BoardUsers(Struct, frozen=True):
    """List users with their tokens counted."""

    def run(self, local: Local, who: str) -> list[BoardUser]:
        """Do `ops.board.users`."""
        return board.users(local.db)


class RankChannels(Struct, frozen=True):
    """Give channels another priority or weight, by so much more or less; a weight is never below 0."""

    ids: tuple[int, ...]
    priority: int = 0
    weight: int = 0

    def run(self, local: Local, who: str) -> list[ChannelView]:
        """Do `ops.channels.edit` for each."""

        def moved(view: ChannelView) -> Told:
            spec = view.spec
            weight = max(0, spec.weight + self.weight)
            return Told(replace(spec, priority=spec.priority + self.priority, weight=weight), view.legacy)

        with local.db.writing():
            return [channels.edit(local, id, moved, who=who) for id in self.ids]


class Detach(Struct, frozen=True):
    """Let commands manage a channel or a token that a file declared."""

    kind: Literal["channel", "token"]
    name: str

    def run(self, local: Local, who: str) -> str:
        """Do `ops.board.detach`."""
        return board.detach(local.db, self.kind, self.name, who=who)


OPERATIONS = (BoardTokens, BoardUsers, RankChannels, Detach)
