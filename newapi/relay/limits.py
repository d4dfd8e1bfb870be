"""How much a token, and each user of a group, may ask for in a time: requests, tokens, at once, and in money.

Windows of a minute slide: at no moment have more than the limit passed in the sixty seconds before. Budgets are of the
calendar, UTC: a day, a week from Monday, a month.

`Limiter` counts in memory, for whoever asks it: one process for itself, or a hub for several (`relay.hub`). Its
`Ticket` is one request's share of every limit it is under, from `enter` to `leave`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Literal, Protocol

from msgspec import Struct

from newapi.base.errors import CallerError
from newapi.base.standing import Gauge, Standing
from newapi.base.units import usd

WINDOW = 60.0
_HOLDERS = 1000
"""So many are counted for before those are looked for of whom nothing is to be remembered."""
Period = Literal["day", "week", "month"]
Key = tuple[str, int, str]
"""Whose limit it is: `("token", id, "")`, `("user", id, "")`, `("group", user id, group)`."""


class Limit(Struct, frozen=True, omit_defaults=True):
    """What is allowed: requests and tokens in a minute, requests at once, 0 for no limit; quota in a period."""

    requests: int = 0
    tokens: int = 0
    at_once: int = 0
    budget: Mapping[Period, int] = {}

    def __bool__(self) -> bool:
        return bool(self.requests or self.tokens or self.at_once or self.budget)


Holder = tuple[Key, Limit]
Spent = Mapping[Period, tuple[float, int]]
"""By period: its beginning (Unix seconds), and the quota spent since."""


class LimitReached(CallerError):
    """429: there is no room. `retry_after` is when there may be; `standing` is for the answer's headers."""

    status = 429

    def __init__(
        self, message: str, wait: float, standing: Standing, *, code: str = "rate_limit_exceeded", type: str = ""
    ) -> None:
        super().__init__(message, code=code, type=type or "rate_limit_error", retry_after=max(1.0, wait))
        self.standing = standing


class LimitCounts(Protocol):
    """Counts what is used of limits: in this process, in the hub of its processes, or in what several nodes share."""

    async def enter(self, ticket: str, holders: Sequence[Holder], tokens: int, quota: int) -> Standing:
        """Let a request in.

        Args:
            ticket: The request's id, for `leave`.
            holders: Who is limited to what; each must have room, or none is touched.
            tokens: An estimate of what it will take.
            quota: The same, of what it will cost.

        Raises:
            LimitReached: There is no room.
        """
        ...

    def leave(self, ticket: str, tokens: int, quota: int) -> None:
        """Take note of what a request took in the end. Does not wait, and does nothing the second time."""
        ...

    def learn(self, key: Key, spent: Spent) -> None:
        """Take note of money that is known to be spent, so that a budget is not counted from nothing."""
        ...


class _Used:
    """What one holder of a limit has used of it."""

    __slots__ = ("at_once", "spent", "starts", "tokens", "tokens_sum")

    def __init__(self) -> None:
        self.at_once = 0
        self.starts: deque[float] = deque()
        self.tokens: deque[list[float]] = deque()
        """[when, how many, whether it still counts]: the estimate at first, and then what it was."""
        self.tokens_sum = 0.0
        self.spent: dict[Period, tuple[float, int]] = {}
        """The period's beginning, and the quota spent or set aside in it."""

    def forget(self, now: float) -> None:
        while self.starts and self.starts[0] <= now - WINDOW:
            self.starts.popleft()
        while self.tokens and self.tokens[0][0] <= now - WINDOW:
            entry = self.tokens.popleft()
            self.tokens_sum -= entry[1]
            entry[2] = 0.0

    def idle(self, now: float) -> bool:
        """Return whether there is nothing to remember: nothing under way, in the window, or of a budget."""
        self.forget(now)
        return not (self.at_once or self.starts or self.tokens or self.spent)

    def spent_in(self, period: Period, start: float) -> int:
        """Return what is spent in the period that began at `start`; of a new one that is nothing."""
        known, spent = self.spent.get(period, (start, 0))
        return spent if known == start else 0


class Ticket:
    """One request's share of every limit it is under."""

    __slots__ = ("entries", "quota")

    def __init__(self, quota: int) -> None:
        self.entries: list[tuple[_Used, list[float], Limit, dict[Period, float]]] = []
        self.quota = quota


class Limiter:
    """Counts in memory: lets requests in, or says when to come again."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """Take the clock: Unix seconds."""
        self._clock = clock
        self._used: dict[Key, _Used] = {}
        self._look_at = _HOLDERS
        """How many there are when the idle ones are forgotten: twice as many as were left the last time."""
        self._tickets: dict[str, Ticket] = {}

    async def enter(self, ticket: str, holders: Sequence[Holder], tokens: int, quota: int) -> Standing:
        """Let a request in; see `LimitCounts.enter`. Never waits."""
        standing, self._tickets[ticket] = self.admit(holders, tokens, quota)
        return standing

    def leave(self, ticket: str, tokens: int, quota: int) -> None:
        """Take note of what a request took; see `LimitCounts.leave`."""
        entered = self._tickets.pop(ticket, None)
        if entered is not None:
            self.dismiss(entered, tokens, quota)

    def learn(self, key: Key, spent: Spent) -> None:
        """Take note of money spent; see `LimitCounts.learn`. What was counted here already is at least as much."""
        used = self._of(key)
        for period, (start, amount) in spent.items():
            used.spent[period] = (start, max(amount, used.spent_in(period, start)))

    def admit(self, holders: Iterable[Holder], tokens: int, quota: int) -> tuple[Standing, Ticket]:
        """Let a request in; return where its caller stands, and its ticket.

        Raises:
            LimitReached: There is no room; nothing is touched.
        """
        now = self._clock()
        if len(self._used) >= self._look_at:
            self._used = {key: used for key, used in self._used.items() if not used.idle(now)}
            self._look_at = max(_HOLDERS, 2 * len(self._used))
        entries = [(self._of(key), limit) for key, limit in holders]
        for used, _ in entries:
            used.forget(now)
        for used, limit in entries:
            _check(used, limit, tokens, quota, now, entries)
        ticket = Ticket(quota)
        for used, limit in entries:
            entry = [now, float(tokens), 1.0]
            used.at_once += 1
            if limit.requests:
                used.starts.append(now)
            if limit.tokens:
                used.tokens.append(entry)
                used.tokens_sum += tokens
            starts: dict[Period, float] = {period: beginning(period, now) for period in limit.budget}
            for period, start in starts.items():
                used.spent[period] = (start, used.spent_in(period, start) + quota)
            ticket.entries.append((used, entry, limit, starts))
        return _standing(entries, now), ticket

    def dismiss(self, ticket: Ticket, tokens: int, quota: int) -> None:
        """Take note of what a request took in the end. Once: a second time counts again."""
        self.free(ticket)
        self.correct(ticket, tokens, quota)

    def free(self, ticket: Ticket) -> None:
        """Give back the places among those at once, of a request that is no more; what it takes is not known yet."""
        for used, _, _, _ in ticket.entries:
            used.at_once -= 1

    def correct(self, ticket: Ticket, tokens: int | None, quota: int) -> None:
        """Replace the estimates by what it was; None leaves that of the tokens."""
        now = self._clock()
        for used, entry, limit, starts in ticket.entries:
            if tokens is not None and limit.tokens and entry[2]:  # what has left the window no longer counts
                used.tokens_sum += tokens - entry[1]
                entry[1] = float(tokens)
            for period, start in starts.items():
                known, before = used.spent.get(period, (start, 0))
                # The log has it in the period it ended in: where a new one began meanwhile, all of it is there.
                aside = ticket.quota if known == start else 0
                current = beginning(period, now)
                if current != known:
                    before, aside = 0, 0
                used.spent[period] = (current, before + quota - aside)

    def _of(self, key: Key) -> _Used:
        used = self._used.get(key)
        if used is None:
            used = self._used[key] = _Used()
        return used


def _check(
    used: _Used, limit: Limit, tokens: int, quota: int, now: float, entries: Sequence[tuple[_Used, Limit]]
) -> None:
    if limit.at_once and used.at_once >= limit.at_once:
        raise minute_reached("at_once", limit.at_once, 1.0, _standing(entries, now))
    if limit.requests and len(used.starts) >= limit.requests:
        wait = used.starts[-limit.requests] + WINDOW - now
        raise minute_reached("requests", limit.requests, wait, _standing(entries, now))
    if limit.tokens and used.tokens and used.tokens_sum + tokens > limit.tokens:
        wait = _until_fits(used, limit.tokens - tokens) - now
        raise minute_reached("tokens", limit.tokens, wait, _standing(entries, now))
    for period, most in limit.budget.items():
        spent = used.spent_in(period, beginning(period, now))
        if spent + quota > most or spent >= most:
            raise budget_reached(period, most, spent, now, _standing(entries, now))


def _until_fits(used: _Used, most: int) -> float:
    """Return when no more than `most` tokens are left in the window, or none where that is never enough."""
    total, at = used.tokens_sum, 0.0
    for when, count, _ in used.tokens:
        if total <= most:
            break
        total -= count
        at = when + WINDOW
    return at


def _standing(entries: Sequence[tuple[_Used, Limit]], now: float) -> Standing:
    requests: Gauge | None = None
    tokens: Gauge | None = None
    for used, limit in entries:
        if limit.requests:
            left = max(0, limit.requests - len(used.starts))
            if requests is None or left < requests.left:
                reset = max(0.0, used.starts[-1] + WINDOW - now) if used.starts else 0.0
                requests = Gauge(limit.requests, left, reset)
        if limit.tokens:
            left = max(0, limit.tokens - int(used.tokens_sum))
            if tokens is None or left < tokens.left:
                reset = max(0.0, used.tokens[-1][0] + WINDOW - now) if used.tokens else 0.0
                tokens = Gauge(limit.tokens, left, reset)
    return Standing(requests, tokens)


_SAID = {
    "at_once": "{} requests at once are allowed, and that many are under way",
    "requests": "{} requests a minute are allowed",
    "tokens": "{} tokens a minute are allowed",
}


def minute_reached(kind: str, most: int, wait: float, standing: Standing) -> LimitReached:
    """Return the refusal by a limit of `requests` or `tokens` in a minute, or of requests `at_once`."""
    return LimitReached(_SAID[kind].format(most), wait, standing)


def budget_reached(period: Period, most: int, spent: int, now: float, standing: Standing) -> LimitReached:
    """Return the refusal of a request for which a budget has no room."""
    return LimitReached(
        f"The budget of {usd(most)} a {period} is used up: {usd(spent)} is spent or under way",
        ending(period, now) - now,
        standing,
        code="budget_exceeded",
        type="insufficient_quota",
    )


def beginning(period: Period, now: float) -> float:
    """Return when the period that `now` lies in began, Unix seconds."""
    day = datetime.fromtimestamp(now, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    if period == "week":
        day -= timedelta(days=day.weekday())
    elif period == "month":
        day = day.replace(day=1)
    return day.timestamp()


def ending(period: Period, now: float) -> float:
    """Return when the period that `now` lies in ends, Unix seconds."""
    start = datetime.fromtimestamp(beginning(period, now), UTC)
    if period == "day":
        return (start + timedelta(days=1)).timestamp()
    if period == "week":
        return (start + timedelta(days=7)).timestamp()
    return (start.replace(day=28) + timedelta(days=4)).replace(day=1).timestamp()
