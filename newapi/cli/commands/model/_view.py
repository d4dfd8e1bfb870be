"""A model as a row of a table, and amounts as people write them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from newapi.ops.models import ModelView

_UNITS = {"": 1, "k": 1_000, "m": 1_000_000}


def row(model: ModelView) -> dict[str, Any]:
    """Return what people look for: dollars a million tokens, of the first tier where there are several."""
    first = model.rates[0] if model.rates else None
    return {
        "name": model.name,
        "input": f"${first.input}" if first else "",
        "output": f"${first.output}" if first else "",
        "cached": f"${first.cached_input}" if first else "",
        "per_call": f"${model.per_call}" if model.per_call is not None else "",
        "tiers": len(model.rates) if len(model.rates) > 1 else "",
        "price_from": model.source,
        "channels": ", ".join(model.channels),
    }


def amount(text: str) -> int:
    """Return the number of `120k`, `1.5M` or `800`.

    Raises:
        ValueError: It is no such number, or not a whole one.
    """
    from decimal import Decimal, InvalidOperation

    body = text.strip().replace("_", "").lower()
    unit = body[-1:] if body[-1:] in ("k", "m") else ""
    try:
        value = Decimal(body.removesuffix(unit)) * _UNITS[unit]
        if value.is_finite() and value >= 0 and value == int(value):
            return int(value)
    except InvalidOperation:
        pass
    raise ValueError(f"{text!r} is no number of tokens: write 800, 120k or 1.5M")
