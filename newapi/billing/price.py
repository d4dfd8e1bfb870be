"""What one model costs."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Context, Decimal, DivisionByZero, InvalidOperation, Overflow
from functools import cached_property
from typing import Literal

from msgspec import Struct

ZERO, ONE = Decimal(0), Decimal(1)

HOUR_OVER_5M = Decimal("1.6")
"""An hour in Anthropic's cache costs 6 / 3.75 of what five minutes cost."""

EXACT = Context(prec=200, traps=[DivisionByZero, InvalidOperation, Overflow])
"""Digits enough for every product and sum here: a ratio may have 17, a rate is a product of four of them, and the
default of 28 would round before a bill does. Its methods cost a third of `decimal.localcontext`, which is for longer
formulas."""


class Rates(Struct, frozen=True, dict=True):
    """Quota for each token of a bucket. 1 is two US dollars a million tokens: New API's model ratio."""

    input: Decimal
    output: Decimal
    cache_read: Decimal
    cache_write: Decimal
    cache_write_1h: Decimal
    image: Decimal
    audio: Decimal
    audio_output: Decimal

    @cached_property
    def shown(self) -> Mapping[str, float]:
        """The ratios that every bill shows, under New API's names."""
        return {
            "model_ratio": float(self.input),
            "completion_ratio": self.over(self.output),
            "cache_ratio": self.over(self.cache_read),
            "cache_creation_ratio": self.over(self.cache_write),
        }

    def over(self, rate: Decimal) -> float:
        """Return a rate as people see it: over that of the prompt."""
        return float(rate / self.input) if self.input else 0.0


class PriceTier(Struct, frozen=True):
    """Rates for prompts of up to `up_to` tokens; None is "and above"."""

    up_to: int | None
    rates: Rates


class Price(Struct, frozen=True):
    """What one model costs, by call or by token.

    Attributes:
        model: As the caller names it.
        per_call: USD a call, None where tokens count.
        rates: Quota a token, of the last tier where there are tiers.
        tiers: By size of the prompt, growing; empty where the size does not matter.
        audio_priced: Whether sound has prices of its own in New API's tables: then a call with sound is billed by its
            audio formula, without a cache discount.
        audio_input_usd: USD a million tokens of sound in the prompt (Gemini), None where it costs what text costs.
        source: Where the price comes from.
    """

    model: str
    per_call: Decimal | None
    rates: Rates
    tiers: tuple[PriceTier, ...] = ()
    audio_priced: bool = False
    audio_input_usd: Decimal | None = None
    source: Literal["config", "builtin", "default"] = "builtin"

    def tier_for(self, prompt: int) -> PriceTier | None:
        """Return the tier of a prompt of `prompt` tokens, None where there are no tiers. The last one has no end."""
        for tier in self.tiers:
            if tier.up_to is None or prompt <= tier.up_to:
                return tier
        return self.tiers[-1] if self.tiers else None

    def rates_for(self, prompt: int) -> Rates:
        """Return the rates for a prompt of `prompt` tokens."""
        tier = self.tier_for(prompt)
        return self.rates if tier is None else tier.rates

    @property
    def free(self) -> bool:
        """Whether it costs nothing, however much is used."""
        if self.per_call is not None:
            return self.per_call == 0
        every = (*(t.rates for t in self.tiers), self.rates)
        return all(r.input == 0 and r.output == 0 for r in every)
