from __future__ import annotations

import time
from decimal import Decimal

import msgspec
import pytest

from newapi.billing.charge import charge
from newapi.billing.price import Price
from newapi.cli.output import ExitCode
from newapi.ir.usage import Usage
from newapi.ops import apply
from newapi.ops.local import Local
from newapi.relay.build import price_book
from newapi.store import snapshot
from newapi.store.ledger import RecordFilter, Settlement, UsageRecord, query_records, write_batch
from tests.cli.commands.conftest import Run


@pytest.fixture
def served(run: Run, local: Local, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A request for a thousand tokens, billed at a price that was wrong, and one whose bill nobody knows."""
    apply.apply(local, local.config, who="ann")
    price = price_book(snapshot.load(local.db), pytest.fail, local.path.parent).find("my-model")
    assert isinstance(price, Price)
    wrong = msgspec.structs.replace(price, rates=msgspec.structs.replace(price.rates, input=Decimal(100)))
    usage = Usage(input=1000)
    bill = charge(usage, wrong)
    row = UsageRecord("r1", time.time() - 60, model="my-model", user_id=1, token_id=1, quota=bill.quota)
    told = {"usage": msgspec.json.encode(usage).decode(), "bill": msgspec.json.encode(bill.factors).decode()}
    rows = [msgspec.structs.replace(row, **told), msgspec.structs.replace(row, request_id="r2", quota=7)]
    write_batch(local.db, [Settlement(r, r.token_id, r.user_id, 0, r.quota) for r in rows])
    return run


def quota(local: Local, id: str = "r1") -> int:
    return query_records(local.db, RecordFilter(request_id=id))[0].quota


def test_what_would_change_is_told_and_nothing_done(served: Run, local: Local) -> None:
    done = served("usage", "rerate", "--since", "1h", "-n")
    assert (done.code, done.out) == (0, "my-model\t1\t$0.20\t$0.0025\t-$0.1975\n")
    assert "1 request left at the price that is there: the log does not say what it is the price of." in done.err
    assert "Would change 1 request of 2: -$0.1975." in done.err
    assert quota(local) == 100_000


def test_it_asks_and_then_changes(served: Run, local: Local) -> None:
    asked = served("usage", "rerate", "--since", "1h", "--no-input")
    assert asked.code == ExitCode.UNCONFIRMED
    assert quota(local) == 100_000
    done = served("usage", "rerate", "--since", "1h", "--yes", "-o", "json")
    assert done.code == 0
    told = done.json()
    assert (told["changed"], told["before"], told["after"]) == (1, 100_000, 1_250)
    assert "Changed 1 request: -$0.1975." in done.err
    assert (quota(local), quota(local, "r2")) == (1_250, 7)
    again = served("usage", "rerate", "--since", "1h", "--yes")
    assert (again.code, again.out) == (0, "")
    assert "None of 2 requests changes its price." in again.err


@pytest.mark.parametrize(
    "flags", [("--since", "1s"), ("--since", "1h", "--until", "10m"), ("--since", "1h", "--model", "x")]
)
def test_only_what_was_asked_for(served: Run, local: Local, flags: tuple[str, ...]) -> None:
    done = served("usage", "rerate", *flags, "--yes")
    assert "None of 0 requests changes its price." in done.err
    assert quota(local) == 100_000


def test_how_far_back_must_be_said(run: Run) -> None:
    done = run("usage", "rerate", "--yes")
    assert done.code == ExitCode.USAGE
    assert "--since" in done.err
