"""Values of tokens as people write them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from newapi.cli.commands._options import dollars, seconds

if TYPE_CHECKING:
    from datetime import datetime
    from decimal import Decimal

Period = Literal["day", "week", "month"]
_PERIODS: tuple[Period, ...] = ("day", "week", "month")


def moment(text: str) -> float | datetime:
    """Return the seconds of `30d`, or the moment of a date (UTC where it names no zone).

    Raises:
        ValueError: It is neither.
    """
    from datetime import UTC, datetime

    if text[:4].isdecimal() and "-" in text:
        try:
            at = datetime.fromisoformat(text)
        except ValueError:
            raise ValueError(f"{text!r} is no date: write 2030-12-31") from None
        return at if at.tzinfo else at.replace(tzinfo=UTC)
    return seconds(text)


def network(text: str) -> str:
    """Return an address or network as it is.

    Raises:
        ValueError: It is none.
    """
    import ipaddress

    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise ValueError(f"{text!r} is no address or network: write 10.0.0.0/8") from None
    return text


def budget_of(text: str) -> tuple[Period, Decimal]:
    """Return the period and the USD of `day=$2`.

    Raises:
        ValueError: It is no budget.
    """
    name, _, amount = text.partition("=")
    for period in _PERIODS:
        if period == name and amount:
            return period, dollars(amount)
    raise ValueError(f"{text!r} is no budget: write day=$2, week=$10 or month=$40")
