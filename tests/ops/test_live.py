from __future__ import annotations

import msgspec
import pytest

from newapi.ops.live import (
    COLUMNS,
    EVENTS,
    RANGES,
    Gap,
    Hello,
    Link,
    Point,
    Stats,
    decode,
    encode,
    name_of,
    series,
    sse,
)
from tests.support.live import CHANNELS, START, recording


def test_each_event_comes_back_from_the_wire_as_it_went() -> None:
    told = [*recording(minutes=3), *(t for r in RANGES for t in recording(0, history=r))]
    events = [*(t.event for t in told), Gap("slow", 3), Link("lost", "unix:/x", "gone", 1.5)]
    assert {name_of(e) for e in events} == set(EVENTS)
    for event in events:
        assert decode(name_of(event), encode(event)) == event
        assert b"\n" not in encode(event)


def test_the_example_is_the_same_at_every_call() -> None:
    assert list(recording(1)) == list(recording(1))
    assert list(recording(1)) != list(recording(1, seed=8))


def test_the_example_tells_every_second_and_of_the_channel_that_fails() -> None:
    events = [t.event for t in recording(3)]
    assert [e.at for e in events if isinstance(e, Stats)] == list(range(START, START + 180))
    states = [
        row.state for e in events if isinstance(e, EVENTS["channels"]) for row in e.rows if row.name == "azure-eu"
    ]
    assert {"up", "resting", "half_open"} == set(states)
    hello = events[0]
    assert isinstance(hello, Hello)
    assert [row.name for row in hello.channels] == list(CHANNELS)


@pytest.mark.parametrize("points", [[], [Point(60, 3, quota=9), Point(120, 4, errors=1, first_p95_ms=7)]])
def test_columns_are_the_points_again(points: list[Point]) -> None:
    told = series("1h", 60, points)
    assert told.points() == points
    assert {len(getattr(told, name)) for name in COLUMNS} == {len(told)}


def test_a_block_of_the_stream_has_its_id_name_and_one_line() -> None:
    assert sse(Gap("slow", 2), "a.1") == b'id: a.1\nevent: gap\ndata: {"reason":"slow","missed":2}\n\n'
    assert sse(Gap("old")) == b'event: gap\ndata: {"reason":"old"}\n\n'


def test_an_event_of_a_newer_server_is_passed_over_and_a_wrong_one_told() -> None:
    assert decode("orders", b"{}") is None
    with pytest.raises(msgspec.ValidationError):
        decode("stats", b'{"at":"now"}')
