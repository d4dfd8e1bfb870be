"""Values as they are typed in a dialog, in the words of the configuration and of commands."""

from __future__ import annotations

import re
from datetime import datetime
from decimal import Decimal

from newapi.config.values import duration_text, money_text, parse_duration
from newapi.ops import typed
from newapi.ops.typed import dollars
from newapi.relay.limits import Period

_COUNT = re.compile(r"(\d+(?:\.\d+)?)([kMG]?)", re.ASCII)
_LARGE = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9}


def quota(text: str) -> Decimal | None:
    """Return the USD of an amount, None for `unlimited` or nothing.

    Raises:
        ValueError: It is neither.
    """
    return None if text in ("", "unlimited") else dollars(text)


def moment(text: str) -> float | datetime | None:
    """Return the seconds of `30d`, the moment of a date (UTC where it names no zone), None for `never` or nothing.

    Raises:
        ValueError: It is none of them.
    """
    return None if text in ("", "never") else typed.moment(text)


def duration(text: str) -> float:
    """Return the seconds of `2h`, 0 for nothing.

    Raises:
        ValueError: It is no duration.
    """
    try:
        return parse_duration(text) if text else 0
    except ValueError:
        raise ValueError(f"{text!r} is no duration: write 30m, 2h or 1d") from None


def budgets(text: str) -> dict[Period, Decimal]:
    """Return periods and USD of `day=$2 month=$40`; nothing for nothing.

    Raises:
        ValueError: It is no budget.
    """
    return dict(map(typed.budget, words(text)))


def count(text: str) -> int:
    """Return the number of `120k`, `2M` or `500`; 0 for nothing.

    Raises:
        ValueError: It is no number, or no whole one.
    """
    match = _COUNT.fullmatch(text or "0")
    value = Decimal(match[1]) * _LARGE[match[2]] if match else Decimal("0.5")
    if value != int(value):
        raise ValueError(f"{text!r} is no number: write 500, 120k or 2M")
    return int(value)


def networks(text: str) -> tuple[str, ...]:
    """Return addresses and networks.

    Raises:
        ValueError: One is none.
    """
    return tuple(map(typed.network, words(text)))


def words(text: str) -> tuple[str, ...]:
    """Return what is separated by commas or spaces."""
    return tuple(text.replace(",", " ").split())


def needed(text: str) -> str:
    """Return what has to be said.

    Raises:
        ValueError: It is not.
    """
    if not text:
        raise ValueError("This has to be said")
    return text


# -- and back ----------------------------------------------------------------------------------


def budget_words(budget: dict[Period, Decimal]) -> str:
    """Return budgets as they are typed."""
    return " ".join(f"{period}={money_text(usd)}" for period, usd in budget.items())


def moment_words(at: float | datetime | None) -> str:
    """Return when something expires as it is typed; what was a time from now on is that time."""
    if at is None:
        return ""
    return at.isoformat() if isinstance(at, datetime) else duration_text(at)
