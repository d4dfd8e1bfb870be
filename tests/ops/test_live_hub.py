"""What is made of the ticks of several processes; the seconds are data."""

from __future__ import annotations

from typing import Any

import pytest

from newapi.ir.usage import Usage
from newapi.ops.live import Alert, Alerts, Channels, Event, Logs, Process, Stats, System
from newapi.ops.live_hub import Hub, Look
from newapi.ops.live_movers import KEPT, SHOWN, Movers
from newapi.ops.live_tick import CellTick, ChannelTick, LaneTick, Tick, decode, encode, log_row
from tests.relay.test_tally import record

START = 1_790_000_000


def process(id: str = "p1", **about: Any) -> Process:
    return Process(id, started_at={"p1": 1.0, "p2": 2.0}[id], **about)


def cell(outcome: str = "ok", **about: Any) -> CellTick:
    known = {"endpoint": "chat", "model": "m", "channel": "c1", "token": "t", "group": "g"}
    return CellTick(**{**known, "outcome": outcome, "requests": 1, **about})


def tick(id: str = "p1", **about: Any) -> Tick:
    process_about = about.pop("process", {})
    return Tick(process(id, **process_about), float(START), **about)


def channel(id: int = 1, state: str = "up", **about: Any) -> ChannelTick:
    return ChannelTick(id, f"c{id}", state, **about)  # type: ignore[arg-type]


def closed(hub: Hub, second: int, *ticks: Tick) -> list[Event]:
    for one in ticks:
        hub.take(one, START + second)
    return hub.close(START + second, START + second + 1.0)[0]


def of(kind: type[Any], events: list[Event]) -> Any:
    return next((e for e in events if isinstance(e, kind)), None)


def test_a_tick_comes_over_the_bus_as_it_went() -> None:
    sent = tick(cells=[cell(firsts={3: 1})], lanes=[LaneTick(1, 2, {"timeout": 1}, "x", 5.0)], channels=[channel()])
    assert decode(encode(sent)) == sent


def test_what_another_version_sends_is_passed_over() -> None:
    hub = Hub()
    assert hub.hear(b"\x93\x01\x02\x03", 1.0) is None
    assert hub.hear(b"", 1.0) is None
    assert hub.processes() == ()


def test_processes_are_summed_and_their_worst_state_is_told() -> None:
    hub = Hub()
    events = closed(
        hub,
        0,
        tick(
            "p1",
            process={"in_flight": 2, "streams": 1},
            cells=[cell(quota=5, input=3, output=2, durations={4: 1})],
            channels=[channel(1, in_flight=2, keys_up=2, keys=2), channel(2)],
            full=True,
            refused={"invalid": 1},
        ),
        tick(
            "p2",
            process={"in_flight": 3},
            cells=[cell("upstream_error", quota=0), cell("client_abort", quota=1, cache_read=4)],
            channels=[channel(1, "resting", in_flight=3, keys_up=0, keys=2, rests_until=9.0), channel(2)],
            full=True,
            lanes=[LaneTick(1, 2, {"status": 1}, "overloaded", START + 0.5)],
        ),
    )
    stats = of(Stats, events)
    assert (stats.requests, stats.errors, stats.rejected, stats.quota, stats.in_flight, stats.streams) == (
        *(3, 1, 1, 6),
        *(5, 1),
    )
    assert (stats.tokens_in, stats.tokens_out, stats.tokens_cached) == (7, 2, 4)
    assert stats.models[0].errors == 1
    one, two = of(Channels, events).rows
    assert (one.state, one.keys_up, one.in_flight, one.rests_until) == ("resting", 0, 5, 9.0)
    assert (one.requests_per_second, one.errors_per_minute, one.last_error) == (0.2, 1, "overloaded")
    assert two.state == "up"
    assert [a.subject for a in of(Alerts, events).alerts] == ["c1"]
    assert [p.id for p in of(System, events).processes] == ["p1", "p2"]


def test_only_what_changed_is_told_and_what_is_gone() -> None:
    hub = Hub()
    closed(hub, 1, tick(channels=[channel(1), channel(2)], full=True))
    assert of(Channels, closed(hub, 2, tick())) is None
    changed = of(Channels, closed(hub, 3, tick(channels=[channel(2, "disabled")])))
    assert [(r.id, r.state) for r in changed.rows] == [(2, "disabled")]
    gone = of(Channels, closed(hub, 4, tick(channels=[channel(1)], full=True)))
    assert (gone.rows, gone.gone) == ((), (2,))


def test_figures_of_a_channel_fade() -> None:
    hub = Hub()
    closed(hub, 0, tick(channels=[channel()], full=True))
    busy = tick(cells=[cell(quota=7, firsts={6: 1}, durations={12: 1})], lanes=[LaneTick(1, 10, {"cut": 1}, "x", 1.0)])
    row = of(Channels, closed(hub, 1, busy)).rows[0]
    assert (row.requests_per_second, row.errors_per_minute, row.quota_per_hour) == (1.0, 1, 7)
    assert row.first_p50_ms
    assert row.p95_ms
    seen = {}
    for second in range(2, 3700):
        if (changed := of(Channels, closed(hub, second, tick()))) is not None:
            (now,) = changed.rows
            for name in ("requests_per_second", "errors_per_minute", "p95_ms", "quota_per_hour"):
                if not getattr(now, name):
                    seen.setdefault(name, second)
    assert seen["requests_per_second"] == 11
    assert seen["errors_per_minute"] == 61
    assert 240 < seen["p95_ms"] <= 302
    assert 3540 < seen["quota_per_hour"] <= 3602
    assert of(Channels, closed(hub, 3701, tick(channels=[channel(1, "disabled")]))).rows[0].last_error == "x"


def test_a_process_that_stops_ticking_drops_out() -> None:
    hub = Hub()
    closed(hub, 0, tick("p1"), tick("p2", process={"in_flight": 9}, channels=[channel(7)], full=True))
    for second in range(1, 5):
        closed(hub, second, tick("p1"))
    assert len(hub.processes()) == 2
    events = closed(hub, 6, tick("p1"))
    assert [p.id for p in hub.processes()] == ["p1"]
    assert of(Stats, events).in_flight == 0
    assert of(Channels, events).gone == (7,)


def test_of_a_busy_second_some_rows_are_told_and_the_others_counted() -> None:
    hub = Hub()
    rows = [log_row(record(i), Usage(), 1) for i in range(150)]
    events = closed(hub, 0, tick("p1", rows=rows, settled=400), tick("p2", rows=rows, settled=150))
    logs = of(Logs, events)
    assert (len(logs.rows), logs.left_out) == (200, 350)
    assert [r.at for r in logs.rows] == sorted(r.at for r in logs.rows)


def test_an_alert_keeps_its_beginning_and_goes_when_it_is_over() -> None:
    hub = Hub()
    look = Look((Alert("budget", "t", "80 %"),), 4, "drifted", 2, 100)
    hub.looked(look)
    first = of(Alerts, closed(hub, 0, tick(channels=[channel(1, "tripped", reason="no money")], full=True)))
    assert {a.kind: a.since for a in first.alerts} == {"budget": START + 1.0, "channel_tripped": START + 1.0}
    assert next(a.message for a in first.alerts if a.kind == "channel_tripped") == "no money"
    assert of(Alerts, closed(hub, 1, tick())) is None
    hub.looked(Look((Alert("budget", "t", "90 %"),), 4, "in sync", 0, 100))
    later = of(Alerts, closed(hub, 2, tick(channels=[channel(1)])))
    assert [(a.kind, a.since, a.message) for a in later.alerts] == [("budget", START + 1.0, "90 %")]
    failing = tick(process={"ledger_failures": 1, "ledger_queue": 12})
    assert "12 settlements" in of(Alerts, closed(hub, 3, failing)).alerts[0].message
    system = hub.system(1)
    assert (system.generation, system.sync, system.differences, system.database_bytes) == (4, "in sync", 0, 100)


@pytest.mark.parametrize("watched", [True, False])
def test_alerts_are_known_whoever_watches(watched: bool) -> None:
    hub = Hub()
    hub.looked(Look((Alert("budget", "t", "80 %"),), 4, "drifted", 2, 100))
    for second, states in enumerate((("tripped", "up"), ("up", "resting"), ("up", "up"))):
        hub.take(tick(channels=[channel(id, state) for id, state in enumerate(states, 1)], full=True), START + second)
        hub.close(START + second, START + second + 1.0, watched=watched)
        known = {(a.kind, a.subject, a.since) for a in hub.alerts(START + second, START + second + 1.0)}
        expected = {("budget", "t", START + 1.0)}
        expected |= {("channel_tripped", "c1", START + 1.0)} if second == 0 else set()
        expected |= {("channel_resting", "c2", START + 2.0)} if second == 1 else set()
        assert known == expected


def test_what_nobody_watches_is_counted_and_not_told() -> None:
    hub = Hub()
    hub.take(tick(cells=[cell(quota=3)], channels=[channel()], full=True), START)
    events, _ = hub.close(START, START + 1.0, watched=False)
    assert events == []
    hello = hub.hello(("stats", "channels"), "5m", START + 1.0)
    assert sum(hello.history.requests) == 1
    assert [c.name for c in hello.channels] == ["c1"]
    assert hello.tops.models[0].quota == 3


@pytest.mark.parametrize("many", [5, 1000])
def test_movers_are_the_dearest_first_and_bounded(many: int) -> None:
    movers = Movers()
    movers.count(cell(model=f"m{i}", quota=i, token="", channel="") for i in range(many))
    models, tokens, _ = movers.dearest()
    assert [m.quota for m in models] == list(range(many - 1, many - 1 - min(many, SHOWN), -1))
    assert tokens == ()
    movers.cut()
    assert len(movers.models) == min(many, KEPT)


def test_a_restart_keeps_history_tops_and_what_was_spent() -> None:
    hub = Hub()
    rows: list[Any] = []
    for second in range(200):
        hub.take(tick(cells=[cell(quota=2)]), START + second)
        rows += hub.close(START + second, START + second + 1.0, watched=False)[1]
    again = Hub()
    again.restore(rows + hub.rows(), START + 200)
    hub.take(tick(), START + 200)
    again.take(tick(), START + 200)
    for one in (hub, again):
        one.close(START + 200, START + 201.0, watched=False)
    before, after = (h.hello(("stats",), "1h", START + 201.0) for h in (hub, again))
    assert after.history == before.history
    assert after.tops == before.tops
    assert after.stats.today == before.stats.today == 400
