from __future__ import annotations

import pytest

from newapi.cli.commands._options import when
from newapi.ops.local import Local
from newapi.store.ledger import UsageRecord, write_record
from tests.cli.commands.conftest import Run
from tests.support.traced import one_record

NOW = 1_800_000_000.0


@pytest.fixture
def traced(run: Run, local: Local) -> Run:
    record = one_record(NOW, "slow\ndown")
    write_record(local.db, record)
    write_record(local.db, UsageRecord("req-1/refund", NOW, kind="refund", quota=-record.quota))
    write_record(local.db, UsageRecord("req-2", NOW, kind="error", model="o3", user_name="ann", error="no channel"))
    return run


def test_a_request_for_people(traced: Run) -> None:
    done = traced("trace", "req-1")
    assert done.code == 0, done.err
    assert done.out.splitlines() == [
        f"req-1  {when(NOW)}  200 done",
        "  who     ann with token ci, group vip, from 10.0.0.1",
        "  asked   chat gpt-4o, sent as gpt-4o-2024-11-20, streamed",
        "  format  anthropic_messages -> openai_chat",
        "  lost    top_k",
        "attempts",
        "  1  main   key 0  ████████                           300 ms  429 status: slow down",
        "  2  spare  key 1         ███████████████             600 ms  200 as mini in vip",
        "  first   token after 950 ms",
        "  all     1200 ms",
        "bill",
        "  input: 1000 x $0.0000025 = $0.0025",
        "  cache_read: 400 x $0.00000125 = $0.0005",
        "  output: 100 x $0.00001 = $0.001",
        "  model_ratio = 1.25",
        "  completion_ratio = 4.0",
        "  cache_ratio = 0.5",
        "  cache_creation_ratio = 1.25",
        "  model_price = -1",
        "  group_ratio = 1.0",
        "  cache_tokens = 400",
        "  cache_creation_tokens = 0",
        "  price_source = builtin",
        "  exact = 2000",
        "  charged 2000 quota = $0.004",
        "  given back 2000 quota = $0.004",
    ]


def test_a_request_for_programs(traced: Run) -> None:
    found = traced("trace", "1", "-o", "json").json()
    assert found["attempts"] == [
        {
            "channel": "main",
            "key": 0,
            "start_ms": 0,
            "ms": 300,
            "status": 429,
            "kind": "status",
            "message": "slow\ndown",
            "model": "",
            "group": "",
        },
        {
            "channel": "spare",
            "key": 1,
            "start_ms": 300,
            "ms": 600,
            "status": 200,
            "kind": "",
            "message": "",
            "model": "mini",
            "group": "vip",
        },
    ]
    assert (found["losses"], found["quota"], found["refunded"]) == (["top_k"], 2000, 2000)
    assert isinstance(found["lines"], list)
    assert found["lines"][2] == {"what": "output", "count": 100, "usd_each": "0.00001", "factor": "1", "usd": "0.001"}


def test_a_request_that_failed(traced: Run) -> None:
    assert traced("trace", "req-2").out.splitlines()[1:] == [
        "  who     ann with token , group ",
        "  asked   o3",
        "  error   no channel",
        "bill",
        "  charged 0 quota = $0.00",
    ]


@pytest.mark.parametrize("id", ["req-9", "77", "0", "9" * 30])
def test_no_such_request(traced: Run, id: str) -> None:
    done = traced("trace", id)
    assert (done.code, done.out) == (5, "")
    assert id in done.err
