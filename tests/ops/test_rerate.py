"""Past requests priced anew: the lines of the log and whom they were charged to change together."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from newapi.base.errors import NewapiError
from newapi.base.progress import watched
from newapi.billing.charge import charge
from newapi.billing.price import Price
from newapi.billing.quote import Call
from newapi.config.schema import BillingSpec, ChannelSpec, Config, ModelSpec, TokenSpec
from newapi.ir.usage import Usage
from newapi.ops import apply, channels, tokens, users
from newapi.ops.local import Local
from newapi.ops.rerate import Rerating, rerate
from newapi.relay.build import price_book
from newapi.store import audit, snapshot
from newapi.store.ledger import RecordFilter, Settlement, StoredRecord, UsageRecord, query_records, write_batch

ALL = RecordFilter()
NOW = 1_750_000_000.0
WRONG, RIGHT = {"m": ModelSpec(ratio=Decimal(1))}, {"m": ModelSpec(ratio=Decimal(3), completion_ratio=Decimal(2))}


def config(models: Mapping[str, ModelSpec], **more: Any) -> Config:
    channel = ChannelSpec(type="openai", key="env:CI", models=("*",))
    token = TokenSpec(quota=Decimal(10))
    return Config(models=dict(models), channels={"c": channel}, tokens={"t": token}, **more)


def served(local: Local, id: str, took: Usage, *, group_ratio: str = "1", call: Call | None = None, **more: Any) -> int:
    """Charge a request at the price in force, as the relay does; return its quota."""
    call = call or Call()
    model = more.get("model", "m")
    price = price_book(snapshot.load(local.db), pytest.fail, local.path.parent).find(model)
    assert isinstance(price, Price)
    bill = charge(took, price, group_ratio=Decimal(group_ratio), call=call)
    token, channel = tokens.get(local.db, "t"), channels.get(local.db, "c")
    values: dict[str, Any] = {
        "request_id": id,
        "created_at": NOW,
        "user_id": 1,
        "token_id": token.id,
        "channel_id": channel.id,
        "model": model,
        "endpoint": call.endpoint,
        "quota": bill.quota,
        "usage": msgspec.json.encode(took).decode(),
        "bill": msgspec.json.encode(bill.factors | {"user_group_ratio": -1}).decode(),
    }
    record = UsageRecord(**{**values, **more})
    write_batch(local.db, [Settlement(record, token.id, 1, channel.id, record.quota)])
    return bill.quota


def balances(local: Local) -> tuple[int, int, int, int]:
    """Return what the token has left and used, and what was used of the user and the channel."""
    token = tokens.get(local.db, "t")
    return token.remaining, token.used, users.get(local.db, "root").used, channels.get(local.db, "c").used


def line(local: Local, id: str) -> StoredRecord:
    (found,) = query_records(local.db, RecordFilter(request_id=id))
    return found


def test_lines_and_balances_change_together(local: Local) -> None:
    apply.apply(local, config(WRONG), who="ann")
    assert served(local, "r1", Usage(input=100, output=10), group_ratio="0.5") == 55
    apply.apply(local, config(RIGHT), who="ann")
    epoch = snapshot.generation(local.db)
    done = rerate(local.db, ALL, who="ann", now=NOW)
    assert (done.requests, done.changed, done.before, done.after, done.kept) == (1, 1, 55, 180, {})
    assert [(m.model, m.requests, m.before, m.after) for m in done.models] == [("m", 1, 55, 180)]
    assert balances(local) == (5_000_000 - 180, 180, 180, 180)
    changed = line(local, "r1")
    bill = msgspec.json.decode(changed.bill)
    assert (changed.quota, bill["model_ratio"], bill["group_ratio"], bill["user_group_ratio"]) == (180, 3.0, 0.5, -1)
    assert bill["rerated"] == {"from": 55, "at": round(NOW)}
    assert snapshot.generation(local.db) > epoch
    assert [(e.who, e.detail) for e in audit.entries(local.db, action="usage.rerate")] == [
        ("ann", {"requests": 1, "quota": 125})
    ]


def test_once_more_changes_nothing_and_another_price_keeps_the_first(local: Local) -> None:
    apply.apply(local, config(WRONG), who="ann")
    served(local, "r1", Usage(input=100))
    apply.apply(local, config(RIGHT), who="ann")
    assert rerate(local.db, ALL, who="ann").changed == 1
    assert rerate(local.db, ALL, who="ann").changed == 0
    apply.apply(local, config(WRONG), who="ann")
    assert rerate(local.db, ALL, who="ann", now=NOW).changed == 1
    assert balances(local) == (5_000_000 - 100, 100, 100, 100)
    assert msgspec.json.decode(line(local, "r1").bill)["rerated"] == {"from": 100, "at": round(NOW)}


def test_a_dry_run_says_the_same_and_does_nothing(local: Local) -> None:
    apply.apply(local, config(WRONG), who="ann")
    served(local, "r1", Usage(input=100))
    apply.apply(local, config(RIGHT), who="ann")
    before, row = balances(local), line(local, "r1")
    told = rerate(local.db, ALL, who="ann", dry_run=True)
    progress: list[tuple[str, int, int]] = []
    with watched(lambda *said: progress.append(said)):
        assert rerate(local.db, ALL, who="ann", dry_run=True) == told
    assert progress == [("Pricing requests", 0, 1)]
    assert (balances(local), line(local, "r1")) == (before, row)
    assert rerate(local.db, ALL, who="ann") == told


@pytest.mark.parametrize(
    ("more", "why"),
    [
        pytest.param({"usage": ""}, "the log does not say what it is the price of", id="imported"),
        pytest.param({"bill": ""}, "the log does not say what it is the price of", id="no bill"),
        pytest.param({"usage": '{"inp'}, "the log does not say what it is the price of", id="usage cut short"),
        pytest.param({"bill": '{"li'}, "the log does not say what it is the price of", id="bill cut short"),
        pytest.param({"usage": '{"source":"x"}'}, "the log does not say what it is the price of", id="a newer usage"),
        pytest.param({"request_id": "r9"}, "it was refunded", id="refunded"),
        pytest.param({"model": "gone"}, "its model has no price", id="no price"),
    ],
)
def test_what_cannot_be_priced_anew_stays_and_is_told(local: Local, more: dict[str, Any], why: str) -> None:
    apply.apply(local, config({**WRONG, "gone": ModelSpec(ratio=Decimal(1))}), who="ann")
    served(local, "r1", Usage(input=100), **more)
    refund = UsageRecord("r9/refund", NOW, kind="refund", quota=-1)
    write_batch(local.db, [Settlement(refund, 0, 0, 0, 0)])
    apply.apply(local, config(RIGHT), who="ann")
    before = balances(local)
    done = rerate(local.db, ALL, who="ann")
    assert (done.requests, done.changed, done.kept) == (1, 0, {why: 1})
    assert balances(local) == before


@pytest.mark.parametrize(
    ("wanted", "changed"),
    [
        (RecordFilter(since=NOW + 1), ["late"]),
        (RecordFilter(until=NOW + 1), ["early"]),
        (RecordFilter(model="other"), []),
        (RecordFilter(request_id="late"), ["late"]),
        (RecordFilter(limit=1, offset=1), ["early", "late"]),
    ],
)
def test_only_what_is_wanted(local: Local, wanted: RecordFilter, changed: list[str]) -> None:
    apply.apply(local, config(WRONG), who="ann")
    served(local, "early", Usage(input=100))
    served(local, "late", Usage(input=100), created_at=NOW + 5)
    apply.apply(local, config(RIGHT), who="ann")
    rerate(local.db, wanted, who="ann")
    assert [id for id in ("early", "late") if line(local, id).quota == 300] == changed


def test_more_lines_than_are_read_at_once(local: Local) -> None:
    apply.apply(local, config(WRONG), who="ann")
    for number in range(450):
        served(local, f"r{number}", Usage(input=1))
    apply.apply(local, config(RIGHT), who="ann")
    done = rerate(local.db, ALL, who="ann")
    assert (done.requests, done.changed, done.after) == (450, 450, 1350)
    assert balances(local)[1] == 1350


def test_pictures_keep_what_their_size_and_quality_made_of_the_price(local: Local) -> None:
    def priced(usd: str) -> Config:
        return config({"dall-e-3": ModelSpec(price=Decimal(usd))})

    apply.apply(local, priced("0.04"), who="ann")
    wide = Call(endpoint="images", n=2, image_size="1792x1024", image_quality="hd")
    assert served(local, "r1", Usage(), call=wide, model="dall-e-3") == 120_000
    apply.apply(local, priced("0.02"), who="ann")
    rerate(local.db, ALL, who="ann")
    assert line(local, "r1").quota == 60_000
    apply.apply(local, priced("0.04"), who="ann")
    rerate(local.db, ALL, who="ann")
    assert line(local, "r1").quota == 120_000


def test_a_file_of_prices_that_cannot_be_read_is_told(local: Local) -> None:
    apply.apply(local, config(WRONG), who="ann")
    served(local, "r1", Usage(input=100))
    apply.apply(local, config(RIGHT, billing=BillingSpec(prices="nowhere.json")), who="ann")
    with pytest.raises(NewapiError, match=r"nowhere\.json"):
        rerate(local.db, ALL, who="ann")
    assert line(local, "r1").quota == 100


def test_a_line_that_changed_meanwhile_is_left_alone(local: Local) -> None:
    from newapi.store.rerating import Repriced, reprice

    apply.apply(local, config(WRONG), who="ann")
    served(local, "r1", Usage(input=100))
    read = line(local, "r1")
    entry = audit.Entry(NOW, "ann", "usage.rerate")
    assert reprice(local.db, [Repriced(read, 300, "{}")], entry) == 1
    assert reprice(local.db, [Repriced(read, 500, "{}")], entry) == 0
    assert balances(local) == (5_000_000 - 300, 300, 300, 300)


tokens_used = st.builds(
    Usage, input=st.integers(0, 10**6), cache_read=st.integers(0, 10**6), output=st.integers(0, 10**5)
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.tuples(tokens_used, st.sampled_from(["0", "0.5", "1", "1.7"])), max_size=5))
def test_there_and_back_is_as_before(local: Local, requests: list[tuple[Usage, str]]) -> None:
    apply.apply(local, config(WRONG), who="ann")
    began = len(query_records(local.db, RecordFilter(limit=0)))
    for number, (usage, ratio) in enumerate(requests):
        served(local, f"{began}-{number}", usage, group_ratio=ratio)
    before = balances(local), [r.quota for r in query_records(local.db, RecordFilter(limit=0))]
    apply.apply(local, config(RIGHT), who="ann")
    there: Rerating = rerate(local.db, ALL, who="ann")
    assert sum(r.quota for r in query_records(local.db, RecordFilter(limit=0))) == balances(local)[1]
    apply.apply(local, config(WRONG), who="ann")
    back = rerate(local.db, ALL, who="ann")
    assert (back.before, back.after) == (there.after, there.before)
    assert (balances(local), [r.quota for r in query_records(local.db, RecordFilter(limit=0))]) == before
