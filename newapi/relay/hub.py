"""What the processes of one gateway count together: limits, balances, and messages to one another.

The process that starts the others runs it (`serve_hub`) on a Unix socket; each of them holds one connection
(`relay.hub_client`). When one closes, that process is dead: its places among requests at once are free at once; what it
was lent, and what its requests had set aside of budgets, when its successor says what was in its journal (or nobody
does, for `escrow.HOLD_SECONDS`).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from newapi.relay import hub_wire as wire
from newapi.relay.escrow import HOLD_SECONDS, Account, Escrow, Lent
from newapi.relay.limits import Limiter, LimitReached, Ticket

RECALL_SECONDS = 0.5
"""How long other processes may take to give back what they do not need; they do it at once if they are not stuck."""

log = logging.getLogger("newapi")


class Hub:
    """The counts, and who is connected. All of it belongs to one event loop."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        """Take the clock: Unix seconds."""
        self.clock = clock
        self.limiter = Limiter(clock)
        self.escrow = Escrow()
        self.peers: dict[str, _Peer] = {}
        self._tickets: dict[str, dict[str, Ticket]] = {}
        self._died: dict[str, float] = {}
        self._recalls: dict[Account, _Recall] = {}
        self._recall_ids: dict[int, _Recall] = {}
        self._number = 0
        self._tasks: set[asyncio.Task[None]] = set()

    # -- who comes and goes ------------------------------------------------------------

    def joined(self, peer: _Peer) -> None:
        """Take note of a process that connected."""
        if peer.owner in self._died:  # it had lost its connection, and says anew what it holds
            self._bury(peer.owner, {})
        self.peers[peer.owner] = peer
        self._tickets[peer.owner] = {}

    def _buried(self, message: wire.Bury) -> None:
        """Take note of what processes had settled that died before."""
        for replay in message.replays:
            self.escrow.spend(replay.owner, (replay.segment,), replay.sums, first=False)
        for owner, at in tuple(self._died.items()):
            if at < message.began:
                self._bury(owner, message.charged)

    def left(self, owner: str) -> None:
        """Take note of a process that died: what it held of places at once is free."""
        del self.peers[owner]
        self._died[owner] = self.clock()
        for ticket in self._tickets[owner].values():
            self.limiter.free(ticket)
        for recall in tuple(self._recall_ids.values()):
            recall.answered(owner)

    def sweep(self) -> None:
        """Give up waiting for the successors of those that died long ago."""
        before = self.clock() - HOLD_SECONDS
        for owner, at in tuple(self._died.items()):
            if at < before:
                self._bury(owner, {})

    def _bury(self, owner: str, charged: Mapping[str, int]) -> None:
        del self._died[owner]
        for id, ticket in self._tickets.pop(owner, {}).items():
            self.limiter.correct(ticket, None, charged.get(id, 0))
        self.escrow.forget(owner)

    # -- what they say -----------------------------------------------------------------

    def heard(self, peer: _Peer, message: wire.ToHub) -> None:
        """Do what a process says."""
        owner = peer.owner
        match message:
            case wire.Enter():
                peer.send(self._enter(owner, message))
            case wire.Leave():
                ticket = self._tickets[owner].pop(message.ticket, None)
                if ticket is not None:
                    self.limiter.dismiss(ticket, message.tokens, message.quota)
            case wire.Learn():
                self.limiter.learn(message.key, message.spent)
            case wire.Publish():
                for other in self.peers.values():
                    if other is not peer:
                        other.send(message)
            case wire.Hello():
                raise ValueError("a process said twice who it is")
            case _:
                self._heard_of_money(peer, message)

    def _heard_of_money(
        self, peer: _Peer, message: wire.Lend | wire.GiveBack | wire.Overdraw | wire.Spend | wire.Bury
    ) -> None:
        owner = peer.owner
        match message:
            case wire.Lend():
                self._lend(peer, message)
            case wire.GiveBack():
                self.escrow.give_back(owner, message.account, message.amount)
                if recall := self._recall_ids.get(message.recall):
                    recall.answered(owner)
            case wire.Overdraw():
                self.escrow.overdraw(owner, message.account, message.known, message.amount)
            case wire.Spend():
                self.escrow.spend(owner, message.segments, message.sums, first=message.first)
                peer.send(wire.Done(message.id))
            case wire.Bury():
                self._buried(message)
                peer.send(wire.Done(message.id))

    def _enter(self, owner: str, message: wire.Enter) -> wire.Entered | wire.Refused:
        try:
            standing, ticket = self.limiter.admit(message.holders, message.tokens, message.quota)
        except LimitReached as error:
            wait = error.retry_after or 1.0
            return wire.Refused(message.id, error.message, error.code, error.type, wait, error.standing)
        self._tickets[owner][message.ticket] = ticket
        return wire.Entered(message.id, standing)

    # -- balances ----------------------------------------------------------------------

    def _lend(self, peer: _Peer, wish: wire.Lend) -> None:
        lent = self.escrow.lend(peer.owner, wish.account, wish.known, wish.need)
        others = [o for o in self.escrow.borrowers(wish.account) if o != peer.owner and o in self.peers]
        if lent.amount or not others:
            peer.send(wire.Granted(wish.id, lent.amount, lent.balance))
            return
        task = asyncio.get_running_loop().create_task(self._lend_after_recall(peer, wish, others))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _lend_after_recall(self, peer: _Peer, wish: wire.Lend, others: list[str]) -> None:
        recall = self._recalls.get(wish.account)
        if recall is None:
            self._number += 1
            recall = self._recalls[wish.account] = self._recall_ids[self._number] = _Recall(others)
            for other in others:
                self.peers[other].send(wire.Recall(self._number, wish.account))
            number = self._number
            asyncio.get_running_loop().call_later(RECALL_SECONDS, recall.done.set)
            await recall.done.wait()
            self._recalls.pop(wish.account, None)
            self._recall_ids.pop(number, None)
        else:
            await recall.done.wait()
        lent = Lent(0, 0)
        if self.peers.get(peer.owner) is peer:  # who died meanwhile is lent nothing
            lent = self.escrow.lend(peer.owner, wish.account, wish.known, wish.need)
        peer.send(wire.Granted(wish.id, lent.amount, lent.balance))


class _Recall:
    """A question to several processes for what they do not need, until all have answered."""

    def __init__(self, asked: list[str]) -> None:
        self._asked = set(asked)
        self.done = asyncio.Event()

    def answered(self, owner: str) -> None:
        self._asked.discard(owner)
        if not self._asked:
            self.done.set()


class _Peer(asyncio.Protocol):
    """One process's connection."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._unpacker = wire.Unpacker(wire.TO_HUB)
        self._transport: asyncio.Transport | None = None
        self.owner = ""
        self.is_open = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # a stream transport: it is a socket's

    def data_received(self, data: bytes) -> None:
        try:
            for message in self._unpacker.feed(data):
                if self.owner:
                    self._hub.heard(self, message)
                elif isinstance(message, wire.Hello) and message.owner not in self._hub.peers:
                    self.owner = message.owner
                    self._hub.joined(self)
                else:
                    raise ValueError("a process did not say who it is")
        except (ValueError, msgspec.MsgspecError) as error:
            log.warning("a process is cut off from the hub: %s", error)
            self.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport, self.is_open = None, False
        if self.owner and self._hub.peers.get(self.owner) is self:
            self._hub.left(self.owner)

    def send(self, message: wire.FromHub) -> None:
        """Send; what is meant for one that is gone is lost."""
        if self._transport is not None:
            self._transport.write(wire.pack(message))

    def close(self) -> None:
        """End the connection."""
        if self._transport is not None:
            self._transport.close()


@asynccontextmanager
async def serve_hub(path: Path, hub: Hub | None = None) -> AsyncIterator[Hub]:
    """Serve a hub at the Unix socket `path` (mode 0600) as long as the context lasts.

    Raises:
        OSError: The socket cannot be made there.
    """
    hub = hub or Hub()
    peers: list[_Peer] = []

    def connected() -> _Peer:
        peers[:] = [p for p in peers if p.is_open]
        peers.append(_Peer(hub))
        return peers[-1]

    before = os.umask(0o177)
    try:
        server = await asyncio.get_running_loop().create_unix_server(connected, str(path))
    finally:
        os.umask(before)
    sweeping = asyncio.get_running_loop().create_task(_sweep(hub))
    try:
        yield hub
    finally:
        sweeping.cancel()
        server.close()
        for peer in peers:
            peer.close()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)  # noqa: PTH108  (a moment, at the end)


async def _sweep(hub: Hub) -> None:
    while True:
        await asyncio.sleep(HOLD_SECONDS / 6)
        hub.sweep()
