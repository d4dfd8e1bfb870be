"""The prices of a New API or One API database as prices here: what a model costs there, it costs here.

There, each table of ratios is an option that stands in place of the whole built-in table as soon as it is saved. Here a
model says how it differs from the built-in tables. So both are asked about each model, and the difference is said.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from copy import copy
from decimal import Decimal
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from newapi.billing.book import PriceBook, Tables, builtin, normalise
from newapi.billing.price import Price
from newapi.config.schema import BillingSpec, ModelSpec
from newapi.store import declared, specs
from newapi.store.database import Connection
from newapi.store.declared import Declared

TABLES: Mapping[str, str] = {
    "ModelPrice": "model_price",
    "ModelRatio": "model_ratio",
    "CompletionRatio": "completion_ratio",
    "CacheRatio": "cache_ratio",
    "CreateCacheRatio": "create_cache_ratio",
    "ImageRatio": "image_ratio",
    "AudioRatio": "audio_ratio",
    "AudioCompletionRatio": "audio_completion_ratio",
}
"""Options that are tables of prices, and the built-in table that each stands in place of."""
_ONE = Decimal(1)
_FACTORS: Mapping[str, Callable[[Tables, str], Decimal]] = {
    "completion_ratio": lambda t, name: t.completion(normalise(name)),
    "cache_ratio": lambda t, name: t.cache_ratio.get(name, _ONE),
    "cache_write_ratio": lambda t, name: t.create_cache_ratio.get(name, Decimal("1.25")),
    "image_ratio": lambda t, name: t.image_ratio.get(name, _ONE),
    "audio_ratio": lambda t, name: t.audio_ratio.get(normalise(name), _ONE),
    "audio_completion_ratio": lambda t, name: t.audio_completion_ratio.get(normalise(name), _ONE),
}
"""What a model says of its price besides that of its prompt, and what tables say of it."""
_BLANK: Mapping[str, None] = dict.fromkeys(
    ("price", "ratio", "input", "output", "cached_input", "cache_write", *_FACTORS)
)


class Read(Struct, frozen=True):
    """Their tables.

    Attributes:
        saved: The entries of each that is saved.
        broken: Options that are no table: name and why.
        wrong: Entries that are no price: option, model, value.
    """

    saved: Mapping[str, Mapping[str, Decimal]]
    broken: tuple[tuple[str, str], ...]
    wrong: tuple[tuple[str, str, str], ...]


def read(saved: Mapping[str, str]) -> Read:
    """Return the tables among the options that are saved, by name."""
    tables: dict[str, Mapping[str, Decimal]] = {}
    broken: list[tuple[str, str]] = []
    wrong: list[tuple[str, str, str]] = []
    for option in TABLES:
        if option not in saved:
            continue
        try:
            entries = msgspec.json.decode(saved[option].strip() or "{}", type=dict[str, Any])
        except msgspec.DecodeError as error:
            broken.append((option, f"it is no JSON of an object: {error}"))
            continue
        good = {name: value for name, value in entries.items() if _is_price(name, value)}
        tables[option] = {name: Decimal(str(value)) for name, value in good.items()}
        wrong += [(option, name, str(value)[:40]) for name, value in entries.items() if name not in good]
    return Read(tables, tuple(broken), tuple(wrong))


def take(c: Connection, theirs: Read, *, self_use: bool = False) -> tuple[int, PriceBook]:
    """Make models cost here what they cost there; within a transaction.

    A model that a configuration file declares keeps its price, and so does one with a price of its own here that none
    of their tables names.

    Args:
        c: The connection.
        theirs: Their tables.
        self_use: Whether they bill a model without a price, too.

    Returns:
        How many models changed, and their prices.
    """
    there = declared.read(c)
    base = builtin() if _billing(there).prices == "builtin" else Tables({})
    tables = copy(builtin())
    for option, entries in theirs.saved.items():
        setattr(tables, TABLES[option], dict(entries))
    book = PriceBook({}, tables=tables, unpriced="default" if self_use else "reject")
    if not theirs.saved:
        return 0, book
    changed, named = 0, {name for entries in theirs.saved.values() for name in entries}
    for name in sorted({*book.names(), *named}):
        row = there.models.get(name)
        before = ModelSpec() if row is None else specs.decode(row.spec, ModelSpec, f"model {name!r}")
        is_ours = before != ModelSpec() and name not in named
        if is_ours or before.tiers or len(name) > 191 or (row is not None and row.managed):
            continue
        after = replace(before, **{**_BLANK, **_said(name, tables, base)})
        if _costs(_price(name, before, base)) == _costs(_price(name, after, base)):
            continue
        changed += 1
        if row is None:
            declared.insert(c, "models", [{"name": name, "spec": specs.encode(after), "managed": ""}])
        elif after == ModelSpec():
            declared.delete(c, "models", [name])
        else:
            declared.update(c, "models", name, {"spec": specs.encode(after)})
    return changed, book


def book(c: Connection) -> PriceBook:
    """Return the prices here."""
    there = declared.read(c)
    models = {name: specs.decode(row.spec, ModelSpec, f"model {name!r}") for name, row in there.models.items()}
    billing = _billing(there)
    return PriceBook(models, prices=billing.prices, unpriced=billing.unpriced)


def declare_unpriced(c: Connection, names: Iterable[str]) -> None:
    """Say of models, where nothing is said of them yet, that they have no price; within a transaction."""
    there = declared.read(c).models
    rows = [{"name": n, "spec": specs.encode(ModelSpec()), "managed": ""} for n in names if n not in there]
    declared.insert(c, "models", rows)


def _billing(there: Declared) -> BillingSpec:
    text = there.sections.get("billing")
    return BillingSpec() if text is None else specs.decode(text, BillingSpec, "[billing]")


def _said(name: str, tables: Tables, base: Tables) -> dict[str, Decimal]:
    """Return what a model has to say, so that it costs by the tables `base` what it costs by `tables`."""
    family = normalise(name)
    per_call, ratio = tables.model_price.get(family), tables.model_ratio.get(family)
    if per_call is not None:
        return {"price": per_call}
    factors = {field: of(tables, name) for field, of in _FACTORS.items()}
    said = {field: value for field, value in factors.items() if value != _FACTORS[field](base, name)}
    is_builtin = family not in base.model_price and base.model_ratio.get(family) == ratio
    return said if ratio is None or is_builtin else {"ratio": ratio, **said}


def _price(name: str, spec: ModelSpec, base: Tables) -> Price | None:
    return PriceBook({name: spec}, tables=base, unpriced="default").find(name)


def _costs(price: Price | None) -> Any:
    """Return what two prices that cost the same have in common."""
    if price is None or price.per_call is not None:
        return price and price.per_call
    return price.rates, price.audio_priced, price.source == "default"


def _is_price(name: str, value: Any) -> bool:
    return bool(name) and isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e15
