from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from newapi.ops import typed


@pytest.mark.parametrize(
    ("reader", "text", "value"),
    [
        ("dollars", "$10", Decimal(10)),
        ("dollars", "0.5", Decimal("0.5")),
        ("moment", "30d", 30 * 86_400.0),
        ("moment", "2030-12-31", datetime(2030, 12, 31, tzinfo=UTC)),
        ("moment", "2030-12-31T10:00:00Z", datetime(2030, 12, 31, 10, tzinfo=UTC)),
        ("network", "10.1.2.3/8", "10.1.2.3/8"),
        ("network", "::1", "::1"),
        ("budget", "day=$2", ("day", Decimal(2))),
        ("budget", "month=40", ("month", Decimal(40))),
    ],
)
def test_what_is_typed(reader: str, text: str, value: object) -> None:
    assert getattr(typed, reader)(text) == value


@pytest.mark.parametrize(
    ("reader", "text", "told"),
    [
        ("dollars", "ten", "'ten' is no amount: write"),
        ("moment", "2030-13-31", "is no date: write 2030-12-31"),
        ("moment", "soon", "is no time: write 30d, 12h or 2030-12-31"),
        ("network", "home", "'home' is no address or network"),
        ("budget", "year=$2", "is no budget: write day=\\$2"),
        ("budget", "day=", "is no budget"),
        ("budget", "day=x", "'x' is no amount"),
    ],
)
def test_what_cannot_be_read_is_told(reader: str, text: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        getattr(typed, reader)(text)
