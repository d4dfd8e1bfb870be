from __future__ import annotations

from newapi.ops.live import Gap, Hello, LogRow, Logs, Mover, Point, Series, Stats, Top, Tops, series
from newapi.tui.model import LOG_ROWS, Model
from tests.support.live import START, recording


def fed(minutes: int = 3) -> Model:
    model = Model()
    for told in recording(minutes=minutes):
        model.apply(told.event)
    return model


def test_of_a_recording() -> None:
    model = fed()
    assert model.now == START + 180
    assert 9 < model.per_second < 16
    assert 0 <= model.error_share < 0.2
    assert model.usd_per_hour > 0
    assert model.channels[2].name == "azure-eu"
    assert model.channels[2].state == "up"
    assert [alert.kind for alert in model.alerts] == ["budget", "no_price"]


def test_ranges_have_a_point_for_every_step() -> None:
    model = fed()
    assert [len(model.points(name)) for name in ("5m", "1h", "24h", "7d")] == [300, 60, 1440, 168]
    five = model.points("5m")
    assert five[-1] == Point(*(getattr(model.stats, name) for name in Point.__struct_fields__))
    assert all(point is not None for point in five)
    assert [point.at for point in model.points("1h") if point] == [START // 60 * 60 + 60 * i for i in range(4)]


def test_seconds_add_up_to_minutes() -> None:
    model = Model()
    model.apply(Hello("1", now=6000.0))
    model.apply(Stats(6000, requests=1, first_p50_ms=100, in_flight=3))
    model.apply(Stats(6001, requests=3, first_p50_ms=200, in_flight=2))
    minute = model.points("1h")[-1]
    assert minute is not None
    assert (minute.requests, minute.first_p50_ms, minute.in_flight) == (4, 175, 3)


def test_history_that_was_asked_for_keeps_what_came_since() -> None:
    model = Model()
    model.apply(Hello("1", now=6000.0))
    model.apply(Stats(6120, requests=7))
    model.load(series("1h", 60, [Point(at, requests=1) for at in (5940, 6000, 6060)]))
    assert [p.requests for p in model.points("1h") if p] == [1, 1, 1, 7]
    model.load(Series())
    assert len([p for p in model.points("1h") if p]) == 4


def test_tops_are_of_the_last_hour() -> None:
    model = Model()
    model.apply(Hello("1", now=600_000.0, tops=Tops(models=(Top("old", 6, quota=60, spark=(0,) * 59 + (6,)),))))
    model.apply(Stats(600_000, models=(Mover("new", 1, quota=100), Mover("old", 1, quota=10))))
    assert [(top.name, top.requests, top.quota) for top in model.tops("models", 5)] == [("new", 1, 100), ("old", 7, 70)]
    assert len(model.tops("models", 5)[0].spark) == 60
    assert [model.top("models", top.name) for top in model.tops("models", 5)] == model.tops("models", 5)
    assert model.top("models", "other") is None
    model.apply(Stats(600_000 + 3600, models=(Mover("late", 1),)))
    assert [top.name for top in model.tops("models", 5)] == ["late"]


def test_a_second_hello_replaces_the_picture_and_repeats_no_row() -> None:
    model = fed()
    logged = model.logged
    model.apply(Gap("restart"))
    model.apply(Hello("2", now=START + 200.0, logs=(model.logs[-1], LogRow(START + 190.0, "new"))))
    assert model.logged == logged + 1
    assert model.gaps == 1
    assert model.channels == {}
    assert model.version == "2"


def test_everything_is_bounded() -> None:
    model = Model()
    model.apply(Hello("1", now=0.0))
    for second in range(3700):
        model.apply(Stats(second, requests=500, models=(Mover(f"m{second}", 1),)))
        model.apply(Logs(second, tuple(LogRow(float(second), f"{second}-{i}") for i in range(5)), 495))
    assert len(model.logs) == LOG_ROWS
    assert len(model.tops("models", 10_000)) <= 3600
    assert model.left_out == 3700 * 495
    assert model.rows_since(model.logged - 3)[-1].request_id == "3699-4"
    assert len(model.rows_since(0)) == LOG_ROWS
