"""What the nodes of a gateway share in Valkey (`server.cache`), to one process of one of them.

The counts are those of `relay.limits` and `relay.escrow`, in scripts (`net/valkey.lua`). A process says every few
seconds that it is there; when it does not for `LEASE_SECONDS` its places among requests at once are free, and what it
was lent `escrow.HOLD_SECONDS` later, or as soon as its journal is replayed. Messages and recalls go through a channel.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, get_args

import msgspec

from newapi.base.standing import Gauge, Standing
from newapi.net.valkey import Call, Unreachable, Valkey
from newapi.relay.escrow import HOLD_SECONDS, PART, Account, Away, Known, Lent, Replay
from newapi.relay.hub import RECALL_SECONDS
from newapi.relay.limits import (
    Holder,
    Key,
    Period,
    Spent,
    beginning,
    budget_reached,
    ending,
    minute_reached,
)
from newapi.relay.shared import Shared, backoff

LEASE_SECONDS = 15.0
BEAT_SECONDS = 5.0
TELL_SECONDS = 5.0
"""How long a thread waits until something is told."""
_PERIODS: tuple[Period, ...] = get_args(Period)
_RECALL, _RETURNED = "\0recall", "\0returned"
"""Topics of our own; no other begins so."""

log = logging.getLogger("newapi")


class ValkeyClient(Shared):
    """What the nodes share, to one process."""

    def __init__(self, url: str, owner: str, *, clock: Callable[[], float] | None = None) -> None:
        """Prepare; `start` connects.

        Args:
            url: Where Valkey is.
            owner: This process's name among all of all nodes: the one its journal has.
            clock: Unix seconds; None for Valkey's own, which all nodes agree on.

        Raises:
            MissingDriver: The driver is not installed.
        """
        super().__init__(clock or time.time)
        self._clock = clock
        self._valkey = Valkey(url)
        self._url = url
        self._owner = owner
        self._calls: list[tuple[Call, asyncio.Future[Any] | None]] = []
        self._wake = asyncio.Event()
        self._recalls: dict[int, tuple[set[str], asyncio.Event]] = {}
        self._number = 0
        self._reached = False
        self._ending = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def connected(self) -> bool:
        """Whether Valkey is reached."""
        return self._reached

    async def start(self) -> None:
        """Connect, and stay connected until `stop`; see `Shared.start`."""
        self._loop = asyncio.get_running_loop()
        try:
            await self._connect()
        except Unreachable as error:
            log.warning("server.cache cannot be reached, limits are this process's alone: %s", error)
        self._task = self._loop.create_task(self._stay_connected())

    async def stop(self) -> None:
        """Disconnect; what was said before still arrives."""
        if self._task is None:
            return
        if self._reached:
            with contextlib.suppress(Away):
                await self._ask("bye", {"periods": self._periods()})
        await self._abandon()

    async def _abandon(self) -> None:
        """Let go of the connection, and of whoever waits for an answer."""
        assert self._task is not None  # noqa: S101  (it was started)
        self._ending = True
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        self._reached = False
        self._fail_waiting()
        await self._valkey.close()

    # -- limits ------------------------------------------------------------------------

    async def _enter(self, ticket: str, holders: Sequence[Holder], tokens: int, quota: int) -> Standing:
        now = self._now()
        said = [
            {
                "key": _name(key),
                "requests": limit.requests,
                "tokens": limit.tokens,
                "at_once": limit.at_once,
                "budgets": [[p, beginning(p, now), most, ending(p, now)] for p, most in limit.budget.items()],
            }
            for key, limit in holders
        ]
        try:
            answer = await self._ask("enter", {"ticket": ticket, "holders": said, "tokens": tokens, "quota": quota})
        except asyncio.CancelledError:
            self._leave(ticket, 0, 0)  # the caller is gone, and may have been let in
            raise
        standing = Standing(*(Gauge(int(g[0]), int(g[1]), float(g[2])) if g else None for g in answer["standing"]))
        if no := answer.get("no"):
            kind, most, value = no
            if kind in _PERIODS:
                raise budget_reached(kind, int(most), int(value), now, standing)
            raise minute_reached(kind, int(most), float(value), standing)
        return standing

    def _leave(self, ticket: str, tokens: int, quota: int) -> None:
        self._say("leave", {"ticket": ticket, "tokens": tokens, "quota": quota, "periods": self._periods()})

    def _learn(self, key: Key, spent: Spent) -> None:
        told = [[p, start, quota, ending(p, start)] for p, (start, quota) in spent.items()]
        self._say("learn", {"key": _name(key), "spent": told})

    # -- balances ----------------------------------------------------------------------

    async def lend(self, account: Account, known: Known, need: int) -> Lent:
        """Lend a part of a balance; see `Lender.lend`."""
        wish = {"account": account, "known": known, "need": need, "part": PART}
        answer = await self._ask("lend", wish)
        if not answer["amount"] and answer["others"]:
            await self._recall(account, answer["others"])
            answer = await self._ask("lend", wish)
        return Lent(int(answer["amount"]), int(answer["balance"]))

    def give_back(self, account: Account, amount: int) -> None:
        """Return a part of what was lent."""
        self._say("give_back", {"account": account, "amount": amount})

    def overdraw(self, account: Account, known: Known, amount: int) -> None:
        """Take what was spent beyond what was lent."""
        self._say("overdraw", {"account": account, "known": known, "amount": amount})

    def spend(self, segments: Sequence[str], sums: Mapping[Account, int], *, first: bool) -> None:
        """Say what was settled; see `Lender.spend`. Waits: called in a thread."""
        self._tell("spend", {"segments": segments, "sums": sums, "first": first})

    def bury(self, replays: Sequence[Replay], charged: Mapping[str, int], began: float) -> None:
        """Say what dead processes had settled; see `Lender.bury`. Waits: called in a thread.

        Whose journal was found is dead. Others may be another node's, whose journal is there: they are waited for.
        """
        self._tell("bury", {"replays": replays, "charged": charged, "periods": self._periods()})

    def _tell(self, name: str, arguments: dict[str, Any]) -> None:
        if self._loop is None or not self._reached:
            raise Away
        asyncio.run_coroutine_threadsafe(self._ask(name, arguments), self._loop).result(TELL_SECONDS)

    async def _recall(self, account: Account, others: Sequence[str]) -> None:
        """Ask other processes for what they do not need of an account; wait until they have answered."""
        self._number += 1
        number, done = self._number, asyncio.Event()
        self._recalls[number] = (set(others), done)
        try:
            self._send(_RECALL, msgspec.msgpack.encode((number, account)))
            async with asyncio.timeout(RECALL_SECONDS):
                await done.wait()
        except TimeoutError:
            pass  # one that is stuck: what it holds is not free
        finally:
            del self._recalls[number]

    # -- the bus -----------------------------------------------------------------------

    def _publish(self, topic: str, message: bytes) -> None:
        self._send(topic, message)

    def _send(self, topic: str, message: bytes) -> None:
        self._enqueue(("publish", msgspec.msgpack.encode((self._owner, topic, message))), None)

    def _heard(self, data: bytes) -> None:
        sender, topic, message = msgspec.msgpack.decode(data, type=tuple[str, str, bytes])
        if sender == self._owner:
            return
        if topic == _RECALL:
            number, account = msgspec.msgpack.decode(message, type=tuple[int, str])
            if free := self.recall(account):
                self.give_back(account, free)
            self._send(_RETURNED, msgspec.msgpack.encode((number, sender)))  # in this order: it is given back by then
        elif topic == _RETURNED:
            number, asker = msgspec.msgpack.decode(message, type=tuple[int, str])
            if asker == self._owner and number in self._recalls:
                asked, done = self._recalls[number]
                asked.discard(sender)
                if not asked:
                    done.set()
        else:
            self._bus.publish(topic, message)

    # -- the connection ----------------------------------------------------------------

    def _now(self) -> float:
        return (self._clock or time.time)()

    def _periods(self) -> dict[str, tuple[float, float]]:
        """Return by period the beginning and the end of the one that is now."""
        return _periods_of(int(self._now() // 3600))

    def _say(self, name: str, arguments: dict[str, Any]) -> None:
        self._enqueue((name, self._dressed(arguments)), None)

    async def _ask(self, name: str, arguments: dict[str, Any]) -> Any:
        if not self._reached or self._loop is None:
            raise Away
        answer: asyncio.Future[Any] = self._loop.create_future()
        self._enqueue((name, self._dressed(arguments)), answer)
        return await answer

    def _dressed(self, arguments: dict[str, Any]) -> dict[str, Any]:
        return {"now": self._clock() if self._clock else None, "owner": self._owner, **arguments}

    def _enqueue(self, call: Call, answer: asyncio.Future[Any] | None) -> None:
        if self._reached:
            self._calls.append((call, answer))
            self._wake.set()

    async def _connect(self) -> None:
        await self._valkey.connect()
        await self._valkey.run([("hello", self._dressed(self._lease()))])
        self._reached = True

    def _lease(self) -> dict[str, Any]:
        return {"lease": LEASE_SECONDS, "hold": HOLD_SECONDS, "periods": self._periods()}

    async def _stay_connected(self) -> None:
        while True:
            if self._reached:
                try:
                    await self._serve()
                except Unreachable as error:
                    if self._ending:  # a connection that is cut off may say so instead of that it was cancelled
                        return
                    log.warning("server.cache is gone, until it is back limits are this process's alone: %s", error)
                self._reached = False
                self._fail_waiting()
                self.changed(False)
            attempt = 0
            while not self._reached:
                await asyncio.sleep(backoff(attempt))
                attempt += 1
                try:
                    await self._valkey.close()
                    self._valkey = Valkey(self._url)
                    await self._connect()
                except Unreachable:
                    continue
                log.info("server.cache is back")
                self.changed(True)

    async def _serve(self) -> None:
        """Send what is said, hear what others say, and say that this process is there; until it breaks.

        Raises:
            Unreachable: It broke.
        """
        loop = asyncio.get_running_loop()
        works = (self._pump(), self._valkey.listen(self._heard), self._beat())
        tasks = [loop.create_task(work) for work in works]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            # More than once: the driver may swallow a cancellation that comes while it reads.
            while pending := [task for task in tasks if not task.done()]:
                for task in pending:
                    task.cancel()
                await asyncio.wait(pending, timeout=0.1)
            for task in tasks:
                if not task.cancelled():
                    task.exception()  # one reason is enough

    async def _pump(self) -> None:
        """Send what has gathered, in order."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            calls, self._calls = self._calls, []
            try:
                answers = await self._valkey.run([call for call, _ in calls])
            except BaseException:
                self._calls[:0] = calls  # whoever waits for one of them is told
                raise
            for (_, waiting), answer in zip(calls, answers, strict=True):
                if waiting is not None and not waiting.done():
                    waiting.set_result(answer)

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(BEAT_SECONDS)
            self._say("beat", self._lease())

    def _fail_waiting(self) -> None:
        calls, self._calls = self._calls, []
        for _, waiting in calls:
            if waiting is not None and not waiting.done():
                waiting.set_exception(Away())


def _name(key: Key) -> str:
    return ":".join(map(str, key))


@lru_cache(maxsize=1)
def _periods_of(hour: int) -> dict[str, tuple[float, float]]:
    """Return the periods that an hour (since 1970, UTC) lies in."""
    return {p: (beginning(p, hour * 3600.0), ending(p, hour * 3600.0)) for p in _PERIODS}
