"""How much a token, and each user of a group, may ask for in a time: requests, tokens, at once, and in money.

Kept in this process, in memory; money spent before it started is read from the log. Windows of a minute slide: at no
moment have more than the limit passed in the sixty seconds before. Budgets are of the calendar, UTC: a day, a week from
Monday, a month.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Literal

from msgspec import Struct

from newapi.base.errors import CallerError
from newapi.base.units import usd

WINDOW = 60.0
Period = Literal["day", "week", "month"]


class Limit(Struct, frozen=True):
    """What is allowed: requests and tokens in a minute, requests at once, 0 for no limit; quota in a period."""

    requests: int = 0
    tokens: int = 0
    at_once: int = 0
    budget: Mapping[Period, int] = {}

    def __bool__(self) -> bool:
        return bool(self.requests or self.tokens or self.at_once or self.budget)


class _Used:
    """What one holder of a limit has used of it."""

    __slots__ = ("at_once", "spent", "starts", "tokens", "tokens_sum")

    def __init__(self) -> None:
        self.at_once = 0
        self.starts: deque[float] = deque()
        self.tokens: deque[list[float]] = deque()
        """[when, how many], the estimate at first and then what it was."""
        self.tokens_sum = 0.0
        self.spent: dict[Period, tuple[float, int]] = {}
        """The period's beginning, and the quota spent or set aside in it."""

    def forget(self, now: float) -> None:
        while self.starts and self.starts[0] <= now - WINDOW:
            self.starts.popleft()
        while self.tokens and self.tokens[0][0] <= now - WINDOW:
            self.tokens_sum -= self.tokens.popleft()[1]


class Ticket:
    """One request's share of every limit it is under, until `Limiter.leave`."""

    __slots__ = ("entries", "open", "quota")

    def __init__(self, quota: int) -> None:
        self.entries: list[tuple[_Used, list[float], Limit]] = []
        self.quota = quota
        self.open = True


Spent = Callable[[int, float], int]
"""(token id, Unix seconds) -> quota that its requests have cost since then."""


class Limiter:
    """Lets requests in, or says when to come again."""

    def __init__(self, spent: Spent) -> None:
        """Take what knows of money spent before this process began."""
        self._used: dict[tuple[str, int, str], _Used] = {}
        self._spent = spent

    def known(self, token_id: int) -> bool:
        """Return whether the money this token has spent is known."""
        return ("token", token_id, "") in self._used

    def learn(self, token_id: int, limit: Limit, now: float) -> None:
        """Read what a token has spent of its budgets. Waits for the database: call it in a thread."""
        used = self._of(("token", token_id, ""))
        for period in limit.budget:
            start = beginning(period, now)
            if used.spent.get(period, (0.0, 0))[0] != start:
                used.spent[period] = (start, self._spent(token_id, start))

    def enter(
        self, holders: Iterator[tuple[tuple[str, int, str], Limit]], tokens: int, quota: int, now: float
    ) -> Ticket | None:
        """Let a request in; None where nothing limits it.

        Args:
            holders: Who is limited to what; each must have room, or none is touched.
            tokens: An estimate of what it will take.
            quota: The same, of what it will cost.
            now: Unix seconds.

        Raises:
            CallerError: 429, with the seconds until there is room (`retry_after`).
        """
        ticket: Ticket | None = None
        entries: list[tuple[_Used, Limit]] = []
        for key, limit in holders:
            if limit:
                used = self._of(key)
                used.forget(now)
                _check(used, limit, tokens, quota, now)
                entries.append((used, limit))
        for used, limit in entries:
            ticket = ticket or Ticket(quota)
            entry = [now, float(tokens)]
            used.at_once += 1
            if limit.requests:
                used.starts.append(now)
            if limit.tokens:
                used.tokens.append(entry)
                used.tokens_sum += tokens
            for period in limit.budget:
                start, before = used.spent[period]
                used.spent[period] = (start, before + quota)
            ticket.entries.append((used, entry, limit))
        return ticket

    def leave(self, ticket: Ticket, tokens: int, quota: int) -> None:
        """Take note of what a request took in the end. Does nothing the second time."""
        if not ticket.open:
            return
        ticket.open = False
        for used, entry, limit in ticket.entries:
            used.at_once -= 1
            if limit.tokens:
                # What has left the window already no longer counts, whatever it was.
                if any(e is entry for e in used.tokens):
                    used.tokens_sum += tokens - entry[1]
                entry[1] = float(tokens)
            for period in limit.budget:
                start, before = used.spent[period]
                used.spent[period] = (start, before + quota - ticket.quota)

    def _of(self, key: tuple[str, int, str]) -> _Used:
        used = self._used.get(key)
        if used is None:
            used = self._used[key] = _Used()
        return used


def _check(used: _Used, limit: Limit, tokens: int, quota: int, now: float) -> None:
    if limit.at_once and used.at_once >= limit.at_once:
        raise _refuse(f"{limit.at_once} requests at once are allowed, and that many are under way", 1.0)
    if limit.requests and len(used.starts) >= limit.requests:
        wait = used.starts[-limit.requests] + WINDOW - now
        raise _refuse(f"{limit.requests} requests a minute are allowed", wait)
    if limit.tokens and used.tokens and used.tokens_sum + tokens > limit.tokens:
        raise _refuse(f"{limit.tokens} tokens a minute are allowed", used.tokens[0][0] + WINDOW - now)
    for period, most in limit.budget.items():
        start = beginning(period, now)
        known, spent = used.spent.get(period, (start, 0))
        if known != start:  # a new day, week or month
            spent = 0
        used.spent[period] = (start, spent)
        if spent + quota > most or spent >= most:
            raise CallerError(
                f"The budget of {usd(most)} a {period} is used up: {usd(spent)} is spent or under way",
                status=429,
                code="budget_exceeded",
                type="insufficient_quota",
                retry_after=ending(period, now) - now,
            )


def _refuse(message: str, wait: float) -> CallerError:
    return CallerError(
        message, status=429, code="rate_limit_exceeded", type="rate_limit_error", retry_after=max(1.0, wait)
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
