"""What a request costs: the sum of its quotation, exact to the unit."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from msgspec import Struct

from newapi.base.units import QUOTA_PER_USD, Quota
from newapi.billing.price import ONE, Price
from newapi.billing.quote import Call, Line, by_sound, openrouter_usage, plain, quote, total
from newapi.ir.usage import Usage

__all__ = ["Bill", "Call", "charge", "logged_prompt"]

_ANTHROPIC = "anthropic_messages"


class Bill(Struct, frozen=True):
    """What a request costs in quota, every factor of it, and its tokens as New API logs them."""

    quota: Quota
    factors: dict[str, Any]
    prompt_tokens: int
    completion_tokens: int


def logged_prompt(usage: Usage, upstream_format: str) -> int:
    """Return the prompt tokens as New API logs them: Anthropic's without the cached, everyone else's all."""
    return usage.input if upstream_format == _ANTHROPIC else usage.prompt


def charge(usage: Usage, price: Price, *, group_ratio: Decimal = ONE, call: Call | None = None) -> Bill:
    """Return what one request costs.

    Halves are rounded up. Paid tokens cost at least 1, so that small requests are never free; New API knows no such
    minimum for the price of a call, nor where sound has prices of its own. No token, no charge, except for a call that
    has a price of its own and is not about tokens (a picture).

    Args:
        usage: Tokens in disjoint buckets.
        price: Of the model as the caller named it.
        group_ratio: What the caller's group pays; 1 leaves the price alone.
        call: What else the price depends on.
    """
    call = call or Call()
    if call.provider == "openrouter" and call.upstream_format == _ANTHROPIC:
        usage = openrouter_usage(usage, price)
    lines = quote(price, usage, group_ratio, call=call)
    exact = total(lines)
    quota = int(exact.to_integral_value(ROUND_HALF_UP))
    by_call = price.per_call is not None
    if usage.total == 0 and not (by_call and call.endpoint != "chat"):
        quota = 0
    elif quota == 0 and not by_call and not by_sound(usage, price, call):
        paid = exact > 0 or (price.rates_for(usage.prompt).input > 0 and group_ratio > 0)
        quota = 1 if paid else 0
    factors = _factors(price, usage, group_ratio, call) | _lines(lines) | {"exact": plain(exact)}
    return Bill(Quota(quota), factors, logged_prompt(usage, call.upstream_format), usage.completion)


def _factors(price: Price, usage: Usage, group_ratio: Decimal, call: Call) -> dict[str, Any]:
    """Return New API's names for what goes into the bill; numbers as it shows them, for people and for scripts."""
    tier = price.tier_for(usage.prompt)
    rates = price.rates if tier is None else tier.rates
    factors: dict[str, Any] = {
        **rates.shown,
        "model_price": -1 if price.per_call is None else float(price.per_call),
        "group_ratio": float(group_ratio),
        "cache_tokens": usage.cache_read,
        "cache_creation_tokens": usage.cache_write,
        "price_source": price.source,
    }
    if call.upstream_format == _ANTHROPIC:
        factors |= {"claude": True, "usage_semantic": "anthropic"}
    if usage.cache_write:
        factors["cache_write_tokens"] = usage.cache_write
    if usage.cache_write_1h:
        factors |= {
            "cache_creation_tokens_5m": usage.cache_write_5m,
            "cache_creation_ratio_5m": rates.over(rates.cache_write),
            "cache_creation_tokens_1h": usage.cache_write_1h,
            "cache_creation_ratio_1h": rates.over(rates.cache_write_1h),
        }
    if usage.input_image:
        factors |= {"image": True, "image_ratio": rates.over(rates.image), "image_output": usage.input_image}
    if by_sound(usage, price, call):
        factors |= {
            "audio": True,
            "audio_input": usage.input_audio,
            "audio_output": usage.output_audio,
            "text_input": usage.prompt - usage.input_audio,
            "text_output": usage.completion - usage.output_audio,
            "audio_ratio": rates.over(rates.audio),
            "audio_completion_ratio": float(rates.audio_output / rates.audio) if rates.audio else 0.0,
        }
    elif usage.input_audio and price.audio_input_usd is not None:
        factors |= {
            "audio_input_seperate_price": True,
            "audio_input_token_count": usage.input_audio,
            "audio_input_price": float(price.audio_input_usd),
        }
    if tier is not None:
        factors["tier"] = tier.up_to
    if call.multipliers:
        factors["multipliers"] = {name: float(value) for name, value in call.multipliers.items()}
    return factors


def _lines(lines: list[Line]) -> dict[str, Any]:
    """Return each line as [count, quota for one], and the vendor's tools under New API's names, USD a thousand."""
    said: dict[str, Any] = {"lines": {line.what: [line.count, plain(line.rate)] for line in lines}}
    for line in lines:
        if line.what in ("web_search", "preview_search", "file_search"):
            name = "file_search" if line.what == "file_search" else "web_search"
            usd = float(line.rate * 1000 / QUOTA_PER_USD)
            said |= {name: True, f"{name}_call_count": line.count, f"{name}_price": usd}
        elif line.what.startswith("tool_picture"):
            said |= {"image_generation_call": True, "image_generation_call_price": float(line.rate / QUOTA_PER_USD)}
        elif line.what == "call" and line.count > 1:
            said["n"] = line.count
    return said
