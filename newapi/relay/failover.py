"""From one channel to the next until one answers: whom to ask, when, and what the caller is told in the end."""

from __future__ import annotations

from asyncio import get_running_loop, sleep
from collections.abc import Callable, Generator, Iterator

from msgspec import Struct
from msgspec.structs import replace

from newapi.base.errors import Busy, NewapiError, NoChannel, UpstreamError
from newapi.relay.gateway import Gateway
from newapi.relay.limits import Holder, LimitReached
from newapi.relay.retry import too_long, worth_another
from newapi.relay.route import Passed, Preferred
from newapi.relay.snapshot import Channel, Snapshot
from newapi.relay.values import Caller

_PAUSE, _LONGEST_PAUSE = 0.1, 2.0
"""Seconds, about, before the second try of one upstream, and before any; each is twice as long as the one before it."""
_KEYS_ALONE = (401, 402, 403)
"""After these the next key of an upstream is asked at once: the upstream itself is well."""


class Candidate(Struct, frozen=True):
    """Whom to ask next: a channel with one of its keys, for a model, for a caller in one of its groups.

    `ticket` is its share of the channel's limits, "" where it has none.
    """

    channel: Channel
    key: int
    model: str
    caller: Caller
    ticket: str = ""


class Failover:
    """The tries of one request."""

    def __init__(
        self,
        gateway: Gateway,
        snapshot: Snapshot,
        caller: Caller,
        model: str,
        *,
        stream: bool,
        request_id: str,
        tokens: int,
        prefers: Callable[[Caller, str], Preferred | None],
    ) -> None:
        """Take what is in force for the request.

        Args:
            gateway: What all requests share.
            snapshot: Whom there is to ask, and how.
            caller: Who asks.
            model: For what.
            stream: Whether as a stream.
            request_id: The request's.
            tokens: About how many it takes.
            prefers: Knows which conversation it belongs to.
        """
        self._gateway = gateway
        self._snapshot = snapshot
        self._caller = caller
        self._model = model
        self._stream = stream
        self._request_id = request_id
        self._tokens = tokens
        self._prefers = prefers
        self._loop = get_running_loop()
        budget = self._snapshot.routing.time_budget
        self._deadline = self._loop.time() + budget if budget else float("inf")
        self._waits_until = 0.0
        """How long it may wait for a place, on the loop's clock, once it does."""
        self._tries: dict[str, int] = {}
        """By model."""
        self._tickets = 0
        self._last: NewapiError | None = None
        self._passed = Passed()
        self._over = False
        """Whether nobody else may be asked."""
        self._done: set[str] = set()
        """Models for which nobody else is asked."""
        self._refused: set[tuple[str, int]] = set()
        """(model, channel) that are not asked again, whichever key."""
        self._failed: dict[str, int] = {}
        """Failures of upstreams, by their address."""
        self._asked = False
        """Whether anybody was asked for the model that it is at."""
        self._looks_again = False
        """Whether, after waiting, it is worth to look for a place."""
        self._steps = self._walk()

    def close(self) -> None:
        """Ask nobody else. The walk and this hold one another: unless it ends, only a search for rubbish finds them."""
        self._steps.close()

    def left(self) -> float:
        """Return the seconds until the answer has to have begun; a moment where there are none."""
        return max(0.001, self._deadline - self._loop.time())

    async def next(self) -> Candidate | None:
        """Return whom to ask, after the pause that is due, None where nobody is left; `failed` is told before the next.

        The model that was asked for comes first, in each of the caller's groups; then, where nobody answered, what it
        falls back to; and what rests at the very end, since an answer that may fail is better than none.
        """
        if self._over:
            return None
        for step in self._steps:
            if isinstance(step, Passed):
                self._looks_again = await self._wait(step.until)
                continue
            candidate, passed = step
            if not await self._pause(candidate.channel):
                return None
            if candidate.channel.limited:
                ticket = await self._enter(candidate.channel, candidate.key, passed)
                if ticket is None:
                    continue
                candidate = replace(candidate, ticket=ticket)
            self._asked = True
            return candidate
        return None

    def _walk(self) -> Generator[tuple[Candidate, Passed] | Passed, None, None]:
        """Yield whom to ask, and where to note that it was passed over; what was, where it may be worth to wait."""
        fallbacks = () if self._caller.channel_id is not None else self._snapshot.fallbacks.get(self._model, ())
        resting: list[Candidate] = []
        for model in (self._model, *fallbacks):
            self._asked = False
            while True:
                passed = Passed()
                found: list[Candidate] = []
                yield from self._of_model(model, passed, found)
                if passed.until:
                    self._passed.note(passed.until, full=passed.full)
                if self._asked or not passed.until:
                    break
                yield passed
                if not self._looks_again:
                    break
            resting += found
        for candidate in resting:
            if self._may_be_asked(candidate):
                yield candidate, self._passed

    def _of_model(
        self, model: str, passed: Passed, resting: list[Candidate]
    ) -> Iterator[tuple[Candidate, Passed] | Passed]:
        for caller in self._caller.in_groups():
            later: list[tuple[Channel, int]] = []
            for channel, key in self._gateway.router.candidates(
                self._snapshot,
                caller,
                model,
                stream=self._stream,
                prefers=self._prefers,
                passed=passed,
                resting=later,
            ):
                candidate = Candidate(channel, key, model, caller)
                if self._may_be_asked(candidate):
                    yield candidate, passed
                elif model in self._done:
                    return
            resting += (Candidate(channel, key, model, caller) for channel, key in later)

    def _may_be_asked(self, candidate: Candidate) -> bool:
        return candidate.model not in self._done and (candidate.model, candidate.channel.id) not in self._refused

    async def _enter(self, channel: Channel, key: int, passed: Passed) -> str | None:
        """Take a place at a channel and at its key; return the ticket, None where one of them is at a limit."""
        holders: list[Holder] = []
        if channel.limit:
            holders.append((("channel", channel.id, ""), channel.limit))
        if channel.key_limit:
            holders.append((("key", channel.id, channel.prints[key]), channel.key_limit))
        self._tickets += 1
        ticket = f"{self._request_id}/{self._tickets}"
        try:
            await self._gateway.limiter.enter(ticket, holders, self._tokens, 0)
        except LimitReached as reached:
            passed.note(self._gateway.clock() + (reached.retry_after or 1.0), full=True)
            return None
        return ticket

    def leave(self, candidate: Candidate, tokens: int | None) -> None:
        """Give a place back.

        Args:
            candidate: Who was asked.
            tokens: What it took; None where that is not known, and the estimate stands.
        """
        if candidate.ticket:
            self._gateway.limiter.leave(candidate.ticket, self._tokens if tokens is None else tokens, 0)
            self._gateway.waiting.freed()

    async def _wait(self, until: float) -> bool:
        """Wait for a place, or until an upstream may be asked again; return whether it is worth looking."""
        now, gateway = self._loop.time(), self._gateway
        if not self._waits_until:
            self._waits_until = min(now + self._snapshot.routing.queue, self._deadline)
        left, due = self._waits_until - now, until - gateway.clock()
        # One that is at its limit of requests at once may have room at any moment; it says a second.
        if left <= 0 or (due > left and due > 1.0) or gateway.waiting.full:
            return False
        await gateway.waiting.wait(min(left, max(due, 0.001)))
        return True

    async def _pause(self, channel: Channel) -> bool:
        """Wait before an upstream that has failed is asked again; return whether there is time for a try."""
        if self._last is None:
            return True
        failures = self._failed.get(channel.base_url, 0)
        pause = 0.0
        if failures:
            pause = min(_PAUSE * 2 ** (failures - 1), _LONGEST_PAUSE) * (0.5 + self._gateway.rng.random())
        if pause >= self._deadline - self._loop.time():
            return False
        if pause:
            await sleep(pause)
        return True

    def skip(self, candidate: Candidate) -> None:
        """Note that the candidate's model cannot be asked for at all."""
        self._done.add(candidate.model)

    def failed(self, candidate: Candidate, error: NewapiError, *, begun: bool) -> None:
        """Note how a try ended.

        Args:
            candidate: Who was asked.
            error: Why it failed.
            begun: Whether the caller has been told a part of the answer: then nobody else is asked.
        """
        sent = isinstance(error, UpstreamError)
        # Of several reasons the upstream's is worth more than that a channel could not be asked at all.
        if self._last is None or sent or not isinstance(self._last, UpstreamError):
            self._last = error
        if begun:
            self._over = True
            return
        if too_long(error):
            self._over = candidate.caller.channel_id is not None or not self._snapshot.fallbacks.get(self._model)
            self._done.add(candidate.model)
            return
        if not worth_another(error, self._snapshot.routing.retry_on):
            self._over = True
            return
        place = (candidate.model, candidate.channel.id)
        if not sent:
            self._refused.add(place)  # the request does not fit this channel, whichever key it uses
            return
        tries = self._tries[candidate.model] = self._tries.get(candidate.model, 0) + 1
        if tries > self._snapshot.routing.retries:
            self._done.add(candidate.model)
        if isinstance(error, UpstreamError) and error.kind == "connect":
            self._refused.add(place)  # its other keys are asked at the same place
        if isinstance(error, UpstreamError) and error.upstream_status not in _KEYS_ALONE:
            address = candidate.channel.base_url
            self._failed[address] = self._failed.get(address, 0) + 1

    def verdict(self) -> NewapiError:
        """Return what to tell the caller: what the last upstream said, or why none was asked."""
        if self._last is not None:
            return self._last
        if self._passed.until:
            why = "is at its limit" if self._passed.full else "was told by its upstream to wait"
            wait = self._passed.until - self._gateway.clock()
            return Busy(f"Every channel for model {self._model} {why}", retry_after=max(1.0, wait))
        group = self._caller.list_name or self._caller.group
        return NoChannel(f"No available channel for model {self._model} under group {group}")
