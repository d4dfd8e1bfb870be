"""What a request costs: one dot product of tokens and rates, exact to the unit."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from msgspec import Struct

from newapi.base.units import QUOTA_PER_USD, Quota
from newapi.billing.price import ONE, ZERO, Price, Rates
from newapi.ir.usage import Usage

_SEARCH_USD = Decimal("0.01")
_PREVIEW_SEARCH_USD = Decimal("0.025")
_PREVIEW_PREFIXES = ("gpt-4o", "gpt-4.1")
_SOUND_ENDPOINTS = ("speech", "transcription", "translation")
_PICTURES = ("images", "image_edits")


class Call(Struct, frozen=True, kw_only=True):
    """What a price depends on besides usage: endpoint, formats on both sides, a picture's number, size and quality."""

    endpoint: str = "chat"
    entry_format: str = ""
    upstream_format: str = ""
    provider: str = ""
    n: int = 1
    image_size: str = ""
    image_quality: str = ""


class Bill(Struct, frozen=True):
    """What a request costs in quota, every factor of it, and its tokens as New API logs them."""

    quota: Quota
    factors: dict[str, Any]
    prompt_tokens: int
    completion_tokens: int


def logged_prompt(usage: Usage, upstream_format: str) -> int:
    """Return the prompt tokens as New API logs them: Anthropic's without the cached, everyone else's all."""
    return usage.input if upstream_format == "anthropic_messages" else usage.prompt


def charge(usage: Usage, price: Price, *, group_ratio: Decimal = ONE, call: Call | None = None) -> Bill:
    """Return what one request costs.

    Halves are rounded up; a paid request that used any token costs at least 1, so that small requests are never free;
    no token, no charge, except where a call has a price of its own that is not about tokens (a picture).

    Args:
        usage: Tokens in disjoint buckets.
        price: Of the model as the caller named it.
        group_ratio: What the caller's group pays; 1 leaves the price alone.
        call: What else the price depends on.
    """
    call = call or Call()
    searches = _searches(usage, price, call)
    factors: dict[str, Any] = _factors(price, usage, group_ratio)
    if price.per_call is not None:
        exact = price.per_call * picture_ratio(price.model, call) * QUOTA_PER_USD
        if call.endpoint in _PICTURES:
            exact *= max(1, call.n)
            factors["n"] = max(1, call.n)
        exact = (exact + searches) * group_ratio
        paid = usage.total > 0 or call.endpoint != "chat"
        quota = _round(exact) if paid else 0
    else:
        lines = _lines(usage, price, call)
        factors["lines"] = {name: [tokens, str(rate)] for name, tokens, rate in lines if tokens}
        exact = (sum((tokens * rate for _, tokens, rate in lines), ZERO) + searches) * group_ratio
        quota = _round(exact)
        if usage.total == 0:
            quota = 0
        elif quota <= 0 and price.rates.input * group_ratio != 0:
            quota = 1
    if searches:
        factors["web_search"] = str(searches)
    return Bill(Quota(quota), factors, logged_prompt(usage, call.upstream_format), usage.completion)


def _lines(usage: Usage, price: Price, call: Call) -> list[tuple[str, int, Decimal]]:
    rates: Rates = price.rates_for(usage.prompt)
    sound = usage.input_audio or usage.output_audio
    if sound and price.audio_priced:
        # New API's audio formula has no cache discount.
        text = usage.prompt - usage.input_audio
        return [
            ("input", text, rates.input),
            ("input_audio", usage.input_audio, rates.audio),
            ("output", usage.completion - usage.output_audio, rates.output),
            ("output_audio", usage.output_audio, rates.audio_output),
        ]
    audio_rate = rates.input
    if price.audio_input_usd is not None:
        audio_rate = price.audio_input_usd * QUOTA_PER_USD / 1_000_000
    return [
        ("input", usage.input, rates.input),
        ("cache_read", usage.cache_read, rates.cache_read),
        ("cache_write_5m", usage.cache_write_5m, rates.cache_write),
        ("cache_write_1h", usage.cache_write_1h, rates.cache_write_1h),
        ("input_image", usage.input_image, rates.image),
        ("input_audio", usage.input_audio, audio_rate),
        ("output", usage.output, rates.output),
        ("reasoning", usage.reasoning, rates.output),
        ("output_image", usage.output_image, rates.output),
        ("output_audio", usage.output_audio, rates.output),
    ]


def _searches(usage: Usage, price: Price, call: Call) -> Decimal:
    """Return the quota of server-side web searches, before the group's ratio."""
    if usage.web_searches:
        return usage.web_searches * _SEARCH_USD * QUOTA_PER_USD
    if call.endpoint == "chat" and price.model.endswith("search-preview"):
        usd = _PREVIEW_SEARCH_USD if price.model.startswith(_PREVIEW_PREFIXES) else _SEARCH_USD
        return usd * QUOTA_PER_USD
    return ZERO


def picture_ratio(model: str, call: Call) -> Decimal:
    """Return what a picture's size and quality multiply the price of a call by: New API knows it for DALL·E."""
    if not model.startswith("dall-e") or call.endpoint not in _PICTURES:
        return ONE
    wide = call.image_size in ("1024x1792", "1792x1024")
    size = {"256x256": Decimal("0.4"), "512x512": Decimal("0.45")}.get(call.image_size, Decimal(2) if wide else ONE)
    if model == "dall-e-3" and call.image_quality == "hd":
        return size * (Decimal("1.5") if wide else Decimal(2))
    return size


def _factors(price: Price, usage: Usage, group_ratio: Decimal) -> dict[str, Any]:
    """Return New API's names for what goes into the bill; numbers as it shows them."""
    rates = price.rates_for(usage.prompt)
    base = rates.input

    def over(rate: Decimal) -> float:
        return float(rate / base) if base else 0.0

    return {
        "model_ratio": float(base),
        "completion_ratio": over(rates.output),
        "cache_ratio": over(rates.cache_read),
        "cache_creation_ratio": over(rates.cache_write),
        "model_price": -1 if price.per_call is None else float(price.per_call),
        "group_ratio": float(group_ratio),
        "cache_tokens": usage.cache_read,
        "cache_creation_tokens": usage.cache_write,
        "price_source": price.source,
    }


def _round(exact: Decimal) -> int:
    return int(exact.quantize(ONE, ROUND_HALF_UP))
