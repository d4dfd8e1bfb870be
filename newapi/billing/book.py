"""The price of any model: what the configuration says, and New API's default tables for what it does not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal, localcontext
from functools import cache
from importlib import resources
from typing import Any, Literal, Protocol

import msgspec

from newapi.billing.price import EXACT, HOUR_OVER_5M, ONE, ZERO, Price, PriceTier, Rates

UNPRICED_RATIO = Decimal("37.5")
"""New API's ratio for a model that nobody priced."""
_WRITE = Decimal("1.25")
"""New API's price of writing to a cache over that of the prompt, where no table says it."""
_TWO = Decimal(2)
_COMPACT = "-openai-compact"
_REMEMBERED = 20_000
"""Names whose price is remembered; callers make names up, so there is a limit."""


class _Dollars(Protocol):
    """Prices besides the prompt's, USD a million tokens; None is "not said"."""

    @property
    def output(self) -> Decimal | None: ...
    @property
    def cached_input(self) -> Decimal | None: ...
    @property
    def cache_write(self) -> Decimal | None: ...


class TierWish(_Dollars, Protocol):
    """A tier as the configuration says it."""

    @property
    def up_to(self) -> int | None: ...
    @property
    def input(self) -> Decimal: ...


class PriceWish(_Dollars, Protocol):
    """A model's table in the configuration: dollars, or ratios, or a price a call, or tiers; None is "not said"."""

    @property
    def input(self) -> Decimal | None: ...
    @property
    def ratio(self) -> Decimal | None: ...
    @property
    def completion_ratio(self) -> Decimal | None: ...
    @property
    def cache_ratio(self) -> Decimal | None: ...
    @property
    def cache_write_ratio(self) -> Decimal | None: ...
    @property
    def image_ratio(self) -> Decimal | None: ...
    @property
    def audio_ratio(self) -> Decimal | None: ...
    @property
    def audio_completion_ratio(self) -> Decimal | None: ...
    @property
    def price(self) -> Decimal | None: ...
    @property
    def tiers(self) -> Sequence[TierWish]: ...


class Tables:
    """Price tables in New API's form: model name -> number, and the rules for completion ratios."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        def table(name: str) -> dict[str, Decimal]:
            return {k: Decimal(str(v)) for k, v in data.get(name, {}).items()}

        self.model_ratio = table("model_ratio")
        self.model_price = table("model_price")
        self.completion_ratio = table("completion_ratio")
        self.cache_ratio = table("cache_ratio")
        self.create_cache_ratio = table("create_cache_ratio")
        self.image_ratio = table("image_ratio")
        self.audio_ratio = table("audio_ratio")
        self.audio_completion_ratio = table("audio_completion_ratio")
        self._rules: list[dict[str, Any]] = data.get("hardcoded_completion_rules", [])
        self._audio_input: list[tuple[str, Decimal]] = [
            (p, Decimal(str(v))) for p, v in data.get("gemini_audio_input_usd_per_1m_prefix_rules", [])
        ]

    def completion(self, model: str) -> Decimal:
        """Return output price over input price of a normalised name: billing.md 2.4."""
        own = self.completion_ratio.get(model)
        if "/" in model and own is not None:
            return own
        ratio, locked = self._rule(model)
        return own if own is not None and not locked else ratio

    def audio_input(self, model: str) -> Decimal | None:
        """Return USD a million tokens of sound in the prompt, None where it costs what text costs."""
        return next((usd for prefix, usd in self._audio_input if model.startswith(prefix)), None)

    def _rule(self, model: str) -> tuple[Decimal, bool]:
        for rule in self._rules:
            if rule.get("default") or _applies(rule, model):
                return Decimal(str(rule["ratio"])), bool(rule.get("locked"))
        return ONE, False


def _applies(rule: Mapping[str, Any], model: str) -> bool:
    def said(kind: str) -> list[str]:
        return rule.get(kind) or []

    tests: list[bool] = []
    if said("exact"):
        tests.append(model in said("exact"))
    if said("prefix"):
        tests.append(model.startswith(tuple(said("prefix"))))
    if said("suffix"):
        tests.append(model.endswith(tuple(said("suffix"))))
    if said("contains"):
        tests.append(any(part in model for part in said("contains")))
    return all(tests) if rule.get("all_of") else any(tests)


@cache
def builtin() -> Tables:
    """Return New API's default tables (main of 2026-07-07), as shipped."""
    return Tables(msgspec.json.decode((resources.files("newapi.billing") / "default_prices.json").read_bytes()))


def _lookup(table: Mapping[str, Decimal], name: str) -> Decimal | None:
    """Return what `table` says of a normalised name; all names for compaction share an entry."""
    found = table.get(name)
    return table.get("*" + _COMPACT) if found is None and name.endswith(_COMPACT) else found


def normalise(model: str) -> str:
    """Return the name under which a family of names is priced: billing.md 2.2."""
    for family in ("gemini-2.5-flash-lite", "gemini-2.5-flash", "gemini-2.5-pro"):
        if model.startswith(family):
            return f"{family}-thinking-*" if "-thinking-" in model else model
    for family in ("gpt-4-gizmo", "gpt-4o-gizmo"):
        if model.startswith(family):
            return f"{family}-*"
    return model


class PriceBook:
    """Finds the price of a model. Lookups are remembered."""

    def __init__(
        self,
        models: Mapping[str, PriceWish],
        *,
        prices: str = "builtin",
        unpriced: str = "reject",
        tables: Tables | None = None,
    ) -> None:
        """Take what the configuration says.

        Args:
            models: `[models.*]`.
            prices: `billing.prices`: `builtin`, `none`, or anything else with `tables` given.
            unpriced: `billing.unpriced`: `reject` or `default`.
            tables: The tables of the file that `billing.prices` names.
        """
        self._models = models
        self._tables = tables or (builtin() if prices == "builtin" else Tables({}))
        self._unpriced = unpriced
        self._found: dict[str, Price | None] = {}

    def find(self, model: str) -> Price | None:
        """Return the price of `model`, None when it has none and such are rejected."""
        if model not in self._found:
            if len(self._found) >= _REMEMBERED:
                self._found.clear()
            self._found[model] = self._find(model)
        return self._found[model]

    def has_price(self, model: str) -> bool:
        """Return whether someone set a price for `model`."""
        price = self._find(model)
        return price is not None and price.source != "default"

    def names(self) -> tuple[str, ...]:
        """Return the names that have a price of their own."""
        tables = self._tables
        return tuple({*self._models, *tables.model_ratio, *tables.model_price})

    def _find(self, model: str) -> Price | None:
        tables, name = self._tables, normalise(model)
        wish = self._said(model, name)
        ratio = _lookup(tables.model_ratio, name)
        per_call = _lookup(tables.model_price, name)
        with localcontext(EXACT):
            if wish is not None:
                if wish.tiers:
                    tiers = tuple(PriceTier(t.up_to, self._rates(model, t.input / _TWO, wish, t)) for t in wish.tiers)
                    return self._price(model, wish.price, tiers[-1].rates, "config", wish, tiers)
                own = wish.ratio if wish.input is None else wish.input / _TWO
                if own is not None or wish.price is not None:
                    return self._price(model, wish.price, self._rates(model, own or ZERO, wish, wish), "config", wish)
            if per_call is not None:
                return self._price(model, per_call, self._rates(model, ZERO, wish, wish), "builtin", wish)
            if ratio is not None:
                return self._price(model, None, self._rates(model, ratio, wish, wish), "builtin", wish)
            if self._unpriced == "default":
                return self._price(model, None, self._rates(model, UNPRICED_RATIO, wish, wish), "default", wish)
        return None

    def _said(self, model: str, name: str) -> PriceWish | None:
        """Return what the configuration says of a model, or of the family that it belongs to."""
        found = self._models.get(model) or self._models.get(name)
        if found is None and model.endswith(_COMPACT):
            found = self._models.get("*" + _COMPACT)
        return found

    def _price(
        self,
        model: str,
        per_call: Decimal | None,
        rates: Rates,
        source: Literal["config", "builtin", "default"],
        wish: PriceWish | None,
        tiers: tuple[PriceTier, ...] = (),
    ) -> Price:
        tables, name = self._tables, normalise(model)
        audio = name in tables.audio_ratio or name in tables.audio_completion_ratio
        if wish is not None:
            audio = audio or wish.audio_ratio is not None or wish.audio_completion_ratio is not None
        return Price(model, per_call, rates, tiers, audio, tables.audio_input(model), source)

    def _rates(self, model: str, ratio: Decimal, wish: PriceWish | None, dollars: _Dollars | None) -> Rates:
        """Return the rates of a model whose prompt costs `ratio`.

        Of each factor what is said first counts: in dollars, as a ratio, by the tables.
        """
        tables, name = self._tables, normalise(model)

        def rate(dollar: str, factor: str, default: Decimal) -> Decimal:
            usd: Decimal | None = getattr(dollars, dollar, None)
            return ratio * said(factor, default) if usd is None else usd / _TWO

        def said(factor: str, default: Decimal) -> Decimal:
            own: Decimal | None = getattr(wish, factor, None)
            return default if own is None else own

        audio = ratio * said("audio_ratio", tables.audio_ratio.get(name, ONE))
        write = rate("cache_write", "cache_write_ratio", tables.create_cache_ratio.get(model, _WRITE))
        return Rates(
            input=ratio,
            output=rate("output", "completion_ratio", tables.completion(name)),
            cache_read=rate("cached_input", "cache_ratio", tables.cache_ratio.get(model, ONE)),
            cache_write=write,
            cache_write_1h=write * HOUR_OVER_5M,
            image=ratio * said("image_ratio", tables.image_ratio.get(model, ONE)),
            audio=audio,
            audio_output=audio * said("audio_completion_ratio", tables.audio_completion_ratio.get(name, ONE)),
        )
