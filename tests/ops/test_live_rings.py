from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newapi.ops.live import RANGES
from newapi.ops.live_rings import BOUNDS_MS, KEEP, Rings, Sum, count, quantile

START = 1_790_000_040
"""In the middle of a minute, and of an hour."""


def feed(rings: Rings, seconds: int, *, start: int = START) -> list[tuple[str, int, bytes]]:
    rows: list[tuple[str, int, bytes]] = []
    for i in range(seconds):
        one = Sum(start + i, requests=2, errors=1, quota=10, in_flight=i % 7, firsts={8: 1}, durations={12: 2})
        rows += rings.add(one)
    return rows


@given(times=st.lists(st.integers(0, 700_000), min_size=1), share=st.floats(0.01, 1))
def test_a_quantile_is_within_its_class(times: list[int], share: float) -> None:
    histogram: dict[int, int] = {}
    count(histogram, times)
    exact = sorted(times)[max(0, -(-int(share * len(times) * 1e9) // 10**9) - 1)]
    got = quantile(histogram, share)
    edges = [0, *BOUNDS_MS, BOUNDS_MS[-1]]
    below = max(e for e in edges if e < exact or e == 0)
    above = min((e for e in BOUNDS_MS if e >= exact), default=BOUNDS_MS[-1])
    assert below <= got <= above or got == BOUNDS_MS[-1]


def test_of_nothing_there_is_no_quantile() -> None:
    assert quantile({}, 0.5) == 0


@pytest.mark.parametrize("name", RANGES)
def test_history_has_no_holes_and_ends_now(name: str) -> None:
    rings = Rings()
    feed(rings, 300)
    feed(rings, 30, start=START + 400)  # a server that was away for a while
    now = START + 429
    told = rings.series(name, now)
    length, step = RANGES[name]
    assert len(told) == length // step
    points = told.points()
    assert [p.at for p in points] == list(range(told.since, told.since + length, step))
    assert points[-1].at == (now if step == 1 else now - now % step)
    expected = (
        660 if length > 430 else sum(2 for at in range(now - 299, now + 1) if not START + 300 <= at < START + 400)
    )
    assert sum(told.requests) == expected
    assert sum(told.errors) * 2 == expected
    assert max(told.in_flight) == 6
    assert max(told.first_p50_ms) > 0


def test_an_empty_history_is_zeros() -> None:
    assert sum(Rings().series("24h", START).requests) == 0
    assert len(Rings().series("15m", START)) == 900


def test_what_was_written_down_is_there_after_a_restart_and_goes_on() -> None:
    rings = Rings()
    rows = feed(rings, 4000)
    now = START + 4000
    rows += rings.rows()
    again = Rings()
    stored = {(kind, at): value for kind, at, value in rows}  # as the table does: the later value
    for kind in ("second", "minute", "hour"):
        again.load(kind, [(at, v) for (k, at), v in stored.items() if k == kind], now)
    again.last = rings.last
    for name in RANGES:
        assert again.series(name, now) == rings.series(name, now)
    feed(rings, 100, start=now)
    feed(again, 100, start=now)
    for name in RANGES:
        assert again.series(name, now + 99) == rings.series(name, now + 99)
    assert again.spent(0) == 4100 * 10


def test_a_row_of_another_version_is_left_out() -> None:
    rings = Rings()
    for kind in ("second", "minute", "hour"):
        rings.load(kind, [(START, b"[]"), (START, b'{"requests":"x"}'), (START, b"\xff")], START)
    assert not rings.has_hours


def test_what_is_old_is_forgotten() -> None:
    rings = Rings()
    hour = 3600
    for i in range(KEEP["hour"] // hour * 2):
        rings.add(Sum(START + i * hour, requests=1, quota=1))
    assert rings.spent(0) <= KEEP["hour"] // hour + 2
    assert len(rings._seconds) < 3
    assert len(rings._minutes.points) <= 26


def test_what_was_spent_since_a_time() -> None:
    rings = Rings()
    midnight = START - START % 86_400
    rings.put("hour", midnight - 3600, Sum(quota=5), START)
    rings.put("hour", midnight, Sum(quota=7), START)
    feed(rings, 2)
    assert rings.spent(midnight) == 27
    assert rings.spent(0) == 32
