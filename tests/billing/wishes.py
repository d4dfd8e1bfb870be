"""A model's table as the configuration reads it, and rates written short."""

from __future__ import annotations

from decimal import Decimal

from msgspec import Struct

from newapi.billing.price import HOUR_OVER_5M, ONE, ZERO, Rates


class Tier(Struct, frozen=True, kw_only=True):
    up_to: int | None = None
    input: Decimal
    output: Decimal
    cached_input: Decimal | None = None
    cache_write: Decimal | None = None


class Wish(Struct, frozen=True, kw_only=True):
    input: Decimal | None = None
    output: Decimal | None = None
    cached_input: Decimal | None = None
    cache_write: Decimal | None = None
    ratio: Decimal | None = None
    completion_ratio: Decimal | None = None
    cache_ratio: Decimal | None = None
    cache_write_ratio: Decimal | None = None
    image_ratio: Decimal | None = None
    audio_ratio: Decimal | None = None
    audio_completion_ratio: Decimal | None = None
    price: Decimal | None = None
    tiers: tuple[Tier, ...] = ()


def rates(
    ratio: Decimal,
    completion: Decimal = ONE,
    *,
    cache: Decimal = ONE,
    write: Decimal = Decimal("1.25"),
    image: Decimal = ONE,
    audio: Decimal = ONE,
    spoken: Decimal = ONE,
) -> Rates:
    """Return the rates that New API's ratios mean."""
    return Rates(
        input=ratio,
        output=ratio * completion,
        cache_read=ratio * cache,
        cache_write=ratio * write,
        cache_write_1h=ratio * write * HOUR_OVER_5M,
        image=ratio * image,
        audio=ratio * audio,
        audio_output=ratio * audio * spoken,
    )


FREE = rates(ZERO)
