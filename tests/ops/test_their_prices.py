"""What models cost in a New API database they cost here, however its tables of prices were saved."""

from __future__ import annotations

from copy import copy
from decimal import Decimal

import msgspec
import pytest

from newapi.billing.book import PriceBook, builtin
from newapi.ops import options, their_prices
from newapi.ops.local import Local
from newapi.store import declared

BUILTIN = {option: dict(getattr(builtin(), table)) for option, table in their_prices.TABLES.items()}


def saved(**tables: dict[str, float]) -> dict[str, str]:
    return {option: msgspec.json.encode(entries).decode() for option, entries in tables.items()}


def theirs_of(tables: dict[str, str]) -> PriceBook:
    """Return the prices by New API's rule: a table that is saved stands in place of the whole built-in one."""
    there = copy(builtin())
    for option, text in tables.items():
        entries = {n: Decimal(str(v)) for n, v in msgspec.json.decode(text).items()}
        setattr(there, their_prices.TABLES[option], entries)
    return PriceBook({}, tables=there)


CASES = [
    saved(ModelRatio={"gpt-4o": 9, "mine": 2}),
    saved(ModelRatio={"mine": 2}, CompletionRatio={"mine": 3}, CacheRatio={"mine": 0.1}),
    saved(CacheRatio={}),
    saved(CreateCacheRatio={"claude-sonnet-4-5": 2}),
    saved(ModelPrice={}),
    saved(ModelPrice={"mine": 0.5}, ModelRatio={"mine": 2, "gpt-4o": 1.25}),
    saved(ModelPrice={"sora-2": 0.3}, ModelRatio={"sora-2": 1}),
    saved(ModelPrice={}, ModelRatio={"sora-2": 1, "gpt-4-gizmo-*": 15}),
    saved(CompletionRatio={"gpt-4-all": 7, "gpt-4o": 100, "vendor/gpt-4o": 2}, ModelRatio={"vendor/gpt-4o": 1}),
    saved(ImageRatio={}, AudioRatio={"gpt-4o-audio-preview": 3}, AudioCompletionRatio={}),
]


@pytest.mark.parametrize("tables", CASES, ids=" ".join)
def test_each_model_costs_what_it_costs_there(local: Local, tables: dict[str, str]) -> None:
    due = theirs_of(tables)
    with local.db.writing() as c:
        changed, book = their_prices.take(c, their_prices.read(tables))
        here = their_prices.book(c)
    for name in due.names():
        there, ours, told = due.find(name), here.find(name), book.find(name)
        assert there is not None
        assert ours is not None, name
        assert told is not None
        assert (ours.per_call, told.per_call) == (there.per_call, there.per_call), name
        if there.per_call is None:
            assert ours.rates == there.rates, name
    with local.db.writing() as c:
        assert their_prices.take(c, their_prices.read(tables))[0] == 0, "a second time changes nothing"
        assert len(declared.read(c).models) == changed


def test_the_built_in_tables_saved_as_they_are_say_nothing(local: Local) -> None:
    tables = {
        option: msgspec.json.encode({n: float(v) for n, v in t.items()}).decode() for option, t in BUILTIN.items()
    }
    with local.db.writing() as c:
        assert their_prices.take(c, their_prices.read(tables))[0] == 0
        assert declared.read(c).models == {}


def test_what_is_no_price_is_told_and_the_rest_is_taken() -> None:
    found = their_prices.read(
        {"ModelRatio": '{"a":1,"b":-1,"c":"x","d":true,"":1}', "ModelPrice": "oops", "CacheRatio": ""}
    )
    assert {option: dict(entries) for option, entries in found.saved.items()} == {
        "ModelRatio": {"a": Decimal(1)},
        "CacheRatio": {},
    }
    assert [option for option, _ in found.broken] == ["ModelPrice"]
    assert [(option, name) for option, name, _ in found.wrong] == [("ModelRatio", n) for n in ("b", "c", "d", "")]


def test_a_price_of_its_own_stays_where_their_tables_do_not_name_it(local: Local) -> None:
    options.put(local, "ModelRatio", '{"gpt-4o":9,"ours":4}', who="test")
    with local.db.writing() as c:
        their_prices.take(c, their_prices.read(saved(ModelRatio={"theirs": 2}, CacheRatio={})))
        here = their_prices.book(c)
    found = {name: price.rates.input for name in ("gpt-4o", "ours", "theirs") if (price := here.find(name))}
    assert found == {"gpt-4o": 9, "ours": 4, "theirs": 2}
