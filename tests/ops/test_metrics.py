from __future__ import annotations

import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families

from newapi.ops import metrics
from newapi.ops.live import ChannelRow, Process, System
from newapi.ops.live_hub import Balance
from newapi.ops.live_tick import LaneTick, ServedTick, Times
from newapi.ops.metrics import MODELS, Moment, Totals
from tests.ops.test_live_hub import cell, tick


def text(totals: Totals) -> str:
    system = System(
        1,
        (Process("p1", memory=5, in_flight=2, ledger_queue=3, ledger_lag=0.5),),
        generation=7,
        differences=1,
        applied_at=99.5,
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
    assert got["newapi_config_last_apply_timestamp_seconds"] == 99.5


PLACE = {"endpoint", "model", "channel"}
FAMILIES: dict[str, tuple[str, set[str]]] = {
    "newapi_http_requests": ("counter", {"method", "route", "status_class", "code"}),
    "newapi_http_request_duration_seconds": ("histogram", {"route"}),
    "newapi_http_requests_in_flight": ("gauge", {"route"}),
    "newapi_relay_requests": ("counter", PLACE | {"group", "outcome"}),
    "newapi_relay_attempts": ("counter", {"channel", "reason"}),
    "newapi_relay_duration_seconds": ("histogram", PLACE),
    "newapi_relay_time_to_first_token_seconds": ("histogram", PLACE),
    "newapi_relay_time_per_output_token_seconds": ("histogram", PLACE),
    "newapi_relay_overhead_seconds": ("histogram", {"endpoint"}),
    "newapi_tokens": ("counter", {"model", "channel", "type"}),
    "newapi_cost_usd": ("counter", {"model", "channel", "group"}),
    "newapi_usage_source": ("counter", {"source"}),
    "newapi_channel_state": ("gauge", {"channel", "state"}),
    "newapi_channel_keys": ("gauge", {"channel", "state"}),
    "newapi_channel_balance_usd": ("gauge", {"channel"}),
    "newapi_channel_balance_timestamp_seconds": ("gauge", {"channel"}),
    "newapi_channel_inflight": ("gauge", {"channel"}),
    "newapi_limit_rejections": ("counter", {"kind"}),
    "newapi_quota_reserved_usd": ("gauge", set()),
    "newapi_settlement_queue_depth": ("gauge", set()),
    "newapi_settlement_lag_seconds": ("gauge", set()),
    "newapi_stream_keepalives": ("counter", {"endpoint"}),
    "newapi_streams_open": ("gauge", set()),
    "newapi_requests_in_flight": ("gauge", set()),
    "newapi_stream_viewers": ("gauge", set()),
    "newapi_config_generation": ("gauge", set()),
    "newapi_config_last_apply_timestamp_seconds": ("gauge", set()),
    "newapi_config_drift_objects": ("gauge", set()),
    "newapi_database_size_bytes": ("gauge", set()),
    "newapi_db_query_duration_seconds": ("histogram", {"kind"}),
    "newapi_log_rows": ("counter", set()),
    "newapi_build_info": ("gauge", {"version"}),
    "newapi_event_loop_lag_seconds": ("gauge", {"process"}),
    "process_resident_memory_bytes": ("gauge", {"process"}),
    "process_start_time_seconds": ("gauge", {"process"}),
}
"""What is told, as Prometheus' own parser calls it (a counter without its `_total`): type, and labels but for `le`."""


def test_prometheus_own_parser_reads_every_family_with_its_help_type_and_labels() -> None:
    totals = Totals()
    odd = 'a"b\\c\nd'
    served = ServedTick([(("chat", "POST", 200), Times({0: 1}, 1))], {}, {"chat": Times({0: 1}, 9)}, {"chat": 1})
    served.database["read"] = Times({0: 1}, 9)
    one = cell(model=odd, quota=5, input=3, firsts={1: 1}, durations={1: 1}, paces={1: 1})
    totals.count(tick(cells=[one], served=served, lanes=[LaneTick(1, 2, {"timeout": 1})], settled=1), {1: "a"})
    told = text(totals)
    families = list(text_string_to_metric_families(told))
    assert {f.name: f.type for f in families} == {name: kind for name, (kind, _) in FAMILIES.items()}
    assert len(families) == len(FAMILIES) == told.count("# TYPE ") == told.count("# HELP ")
    for family in families:
        assert family.documentation
        assert family.samples, family.name
        series = [(s.name, tuple(sorted(s.labels.items()))) for s in family.samples]
        assert len(series) == len(set(series))
        for sample in family.samples:
            assert sample.labels.keys() - {"le"} == FAMILIES[family.name][1]
        if family.type == "histogram":
            below = [s.value for s in family.samples if s.name.endswith("_bucket")]
            assert below == sorted(below)
            assert below[-1] == next(s.value for s in family.samples if s.name.endswith("_count"))
    assert odd in {s.labels.get("model") for f in families for s in f.samples}
    assert told.endswith("\n")


def test_a_process_that_missed_something_counts_as_much_as_the_one_that_was_asked_before() -> None:
    first, second = Totals(), Totals()
    for totals, number in ((first, 2), (second, 1), (first, 1), (second, 3)):
        one = cell(requests=number, quota=number, durations={number: 1}, duration_ms=number)
        totals.count(tick(cells=[one], settled=number, lanes=[LaneTick(1, number)]), {1: "a"})
    before = values(text(over(first)))
    first.reach(over(second))
    after = values(text(first))
    assert all(after[name] >= value for name, value in before.items())
    assert after["newapi_log_rows_total"] == 4
    second.reach(over(first))
    assert values(text(second)) == after


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
