"""Units of account."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import NewType

Quota = NewType("Quota", int)
"""Whole units of account, the only money the database stores. 500,000 are one US dollar."""

QUOTA_PER_USD = 500_000
"""New API's `QuotaPerUnit`: quota in one US dollar."""


def usd(quota: int) -> str:
    """Return `quota` as dollars for people: two decimals, or as many as a small amount needs, up to six."""
    amount = Decimal(quota) / QUOTA_PER_USD
    text = f"{amount.quantize(Decimal('0.000001'), ROUND_HALF_UP):f}"
    whole, _, fraction = text.partition(".")
    fraction = fraction.rstrip("0").ljust(2, "0")
    return f"-${whole[1:]}.{fraction}" if whole.startswith("-") else f"${whole}.{fraction}"
