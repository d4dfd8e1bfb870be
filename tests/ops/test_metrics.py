from __future__ import annotations

import re

import msgspec
import pytest

from newapi.ops import metrics
from newapi.ops.live import ChannelRow, Process, System
from newapi.ops.live_hub import Balance
from newapi.ops.live_tick import LaneTick, ServedTick, Times
from newapi.ops.metrics import MODELS, Moment, Totals
from tests.ops.test_live_hub import cell, tick

LINE = re.compile(r'([a-z_]+)(?:\{((?:[a-z_]+="(?:[^"\\\n]|\\["\\n])*",?)*)\})? (\S+)')


def text(totals: Totals) -> str:
    system = System(
        1, (Process("p1", memory=5, in_flight=2, ledger_queue=3, ledger_lag=0.5),), generation=7, differences=1
    )
    channels = [ChannelRow(1, "a", "resting", keys_up=1, keys=3), ChannelRow(2, 'odd "name"\\\n')]
    moment = Moment(system, tuple(channels), (Balance("a", 12.5, 1000.0),), {"chat": 2, "manage": 1})
    return metrics.text(totals, moment)


def values(text: str) -> dict[str, float]:
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in text.splitlines() if line[0] != "#"}


def test_what_happened_is_counted() -> None:
    totals = Totals()
    one = tick(
        cells=[
            cell(quota=500_000, input=5, cache_read=2, firsts={2: 1}, durations={9: 1}, first_ms=20, duration_ms=300),
            cell("upstream_error", requests=2, uncounted=2, durations={40: 2}, duration_ms=2_000_000),
            cell(requests=3, estimated=1),
        ],
        lanes=[LaneTick(1, 5, {"timeout": 2})],
        refused={"rejected_rate": 4, "no_channel": 1},
    )
    totals.count(one, {1: "a"})
    totals.count(one, {1: "a"})
    got = values(text(totals))
    labels = 'endpoint="chat",model="m",channel="c1"'
    assert got[f'newapi_relay_requests_total{{{labels},group="g",outcome="ok"}}'] == 8
    assert got[f'newapi_relay_requests_total{{{labels},group="g",outcome="upstream_error"}}'] == 4
    assert got['newapi_relay_attempts_total{channel="a",reason="timeout"}'] == 4
    assert got['newapi_relay_attempts_total{channel="a",reason="ok"}'] == 6
    assert got['newapi_tokens_total{model="m",channel="c1",type="cache_read"}'] == 4
    assert got['newapi_cost_usd_total{model="m",channel="c1",group="g"}'] == 2.0
    assert got['newapi_usage_source_total{source="upstream"}'] == 6
    assert got['newapi_usage_source_total{source="none"}'] == 4
    assert got['newapi_limit_rejections_total{kind="rate"}'] == 8
    first = f"newapi_relay_time_to_first_token_seconds_bucket{{{labels},le="
    assert got[first + '"0.01"}'] == 0
    assert got[first + '"0.025"}'] == got[first + '"+Inf"}'] == 2
    took = f"newapi_relay_duration_seconds_bucket{{{labels},le="
    assert got[took + '"600"}'] == 2
    assert got[took + '"+Inf"}'] == 6
    assert got[f"newapi_relay_duration_seconds_sum{{{labels}}}"] == pytest.approx(4000.6)
    assert got['newapi_channel_state{channel="a",state="resting"}'] == 1
    assert got['newapi_channel_state{channel="a",state="up"}'] == 0
    assert got['newapi_channel_keys{channel="a",state="down"}'] == 2
    assert got["newapi_settlement_queue_depth"] == 3
    assert got["newapi_config_generation"] == 7


def test_every_line_is_of_the_format_and_every_family_is_declared_once() -> None:
    totals = Totals()
    totals.count(tick(cells=[cell(model='a"b\\c\nd', firsts={1: 1})]), {})
    families: list[str] = []
    for line in text(totals).splitlines():
        if line.startswith("# TYPE "):
            families.append(line.split()[2])
        elif not line.startswith("#"):
            found = LINE.fullmatch(line)
            assert found, line
            assert re.sub("_(bucket|sum|count)$", "", found[1]) in families or found[1] in families
            float(found[3])
    assert len(families) == len(set(families))
    assert text(totals).endswith("\n")


def test_names_that_callers_make_up_do_not_grow_without_an_end() -> None:
    totals = Totals()
    totals.count(tick(cells=[cell(model=f"made-up-{i}") for i in range(MODELS * 3)]), {})
    assert len({labels[1] for labels in totals.requests}) == MODELS + 1
    assert sum(totals.requests.values()) == MODELS * 3
    totals.count(tick(cells=[cell(model="made-up-0")]), {})
    assert totals.requests["chat", "made-up-0", "c1", "g", "ok"] == 2


def over(totals: Totals) -> Totals:
    """Return counters as another process gets them."""
    return msgspec.msgpack.decode(msgspec.msgpack.encode(totals), type=Totals)


def test_counters_go_over_to_another_process() -> None:
    totals = Totals()
    totals.count(tick(cells=[cell(quota=3, firsts={1: 1}, durations={2: 1}, output=1)], refused={"invalid": 1}), {})
    assert over(totals) == totals


def test_what_http_was_served_is_counted_and_labels_stay_few() -> None:
    totals = Totals()
    served = ServedTick(
        requests=[
            (("chat", "POST", 200), Times({0: 2, 6: 1}, 160)),
            (("chat", "POST", 0), Times({0: 1}, 1)),
            (("local", "BREW", 777), Times({0: 1}, 1)),
        ],
        overheads={"chat": Times({0: 1, 5: 1}, 2540)},
        keepalives={"chat": 3},
        database={"write": Times({8: 1}, 20_000)},
    )
    one = tick(served=served, settled=4, cells=[cell(paces={7: 2}, pace_us=9000)])
    totals.count(one, {})
    totals.count(one, {})
    got = values(text(totals))
    assert got['newapi_http_requests_total{method="POST",route="chat",status_class="2xx",code="200"}'] == 6
    assert got['newapi_http_requests_total{method="POST",route="chat",status_class="4xx",code="499"}'] == 2
    assert got['newapi_http_requests_total{method="other",route="local",status_class="other",code="other"}'] == 2
    took = "newapi_http_request_duration_seconds"
    assert got[f'{took}_bucket{{route="chat",le="0.005"}}'] == 6
    assert got[f'{took}_bucket{{route="chat",le="0.25"}}'] == got[f'{took}_count{{route="chat"}}'] == 8
    assert got[f'{took}_sum{{route="chat"}}'] == pytest.approx(0.322)
    assert got['newapi_http_requests_in_flight{route="chat"}'] == 2
    assert got['newapi_http_requests_in_flight{route="local"}'] == 0
    assert got['newapi_relay_overhead_seconds_bucket{endpoint="chat",le="5e-05"}'] == 2
    assert got['newapi_relay_overhead_seconds_bucket{endpoint="chat",le="0.0025"}'] == 4
    assert got['newapi_relay_overhead_seconds_sum{endpoint="chat"}'] == pytest.approx(0.00508)
    assert got['newapi_stream_keepalives_total{endpoint="chat"}'] == 6
    assert got['newapi_db_query_duration_seconds_sum{kind="write"}'] == pytest.approx(0.04)
    labels = 'endpoint="chat",model="m",channel="c1"'
    assert got[f"newapi_relay_time_per_output_token_seconds_count{{{labels}}}"] == 4
    assert got["newapi_log_rows_total"] == 8
    assert got["newapi_settlement_lag_seconds"] == 0.5
    assert got['newapi_channel_balance_usd{channel="a"}'] == 12.5
    assert over(totals) == totals
