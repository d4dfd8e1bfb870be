"""Values of tokens as people type them, in an option of a command or in a dialog."""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime
from decimal import Decimal

from newapi.config.values import parse_amount, parse_duration
from newapi.relay.limits import Period

_PERIODS: tuple[Period, ...] = ("day", "week", "month")


def dollars(text: str) -> Decimal:
    """Return the USD of `$10`, or of `10`.

    Raises:
        ValueError: It is no amount.
    """
    return parse_amount(text, "$10 or $0.50")


def moment(text: str) -> float | datetime:
    """Return the seconds of `30d`, or the moment of a date (UTC where it names no zone).

    Raises:
        ValueError: It is neither.
    """
    if text[:4].isdecimal() and "-" in text:
        try:
            at = datetime.fromisoformat(text)
        except ValueError:
            raise ValueError(f"{text!r} is no date: write 2030-12-31") from None
        return at if at.tzinfo else at.replace(tzinfo=UTC)
    try:
        return parse_duration(text)
    except ValueError:
        raise ValueError(f"{text!r} is no time: write 30d, 12h or 2030-12-31") from None


def network(text: str) -> str:
    """Return an address or network as it is.

    Raises:
        ValueError: It is none.
    """
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise ValueError(f"{text!r} is no address or network: write 10.0.0.0/8") from None
    return text


def budget(text: str) -> tuple[Period, Decimal]:
    """Return the period and the USD of `day=$2`.

    Raises:
        ValueError: It is no budget.
    """
    name, _, amount = text.partition("=")
    for period in _PERIODS:
        if period == name and amount:
            return period, dollars(amount)
    raise ValueError(f"{text!r} is no budget: write day=$2, week=$10 or month=$40")
