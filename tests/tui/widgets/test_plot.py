from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.app import App, ComposeResult

from newapi.tui.widgets.plot import Plot, Series, plot, resample, ticks
from newapi.tui.widgets.tones import plain, width

NUMBERS = st.none() | st.floats(allow_nan=True, allow_infinity=True) | st.integers(-1000, 1000).map(float)
SERIES = st.builds(Series, st.sampled_from(["", "ok", "first token"]), st.lists(NUMBERS, max_size=80), st.booleans())


@given(
    st.lists(SERIES, max_size=4),
    st.integers(0, 90),
    st.integers(0, 20),
    st.sampled_from(["count", "/s", "ms", "$", "%", "tokens"]),
    st.sampled_from([0, 5, 300, 3600, 86_400, 604_800]),
    st.sampled_from(["", "requests"]),
    st.booleans(),
)
def test_a_plot_has_its_size_whatever_it_shows(series, wide, high, unit, span, title, ascii) -> None:  # type: ignore[no-untyped-def]
    lines = plot(series, wide, high, unit=unit, span=span, title=title, ascii=ascii)
    assert len(lines) == (high if wide else 0)
    assert {width(line) for line in lines} <= {wide}
    if ascii:
        assert all(text.isascii() or "–" in text for line in lines for text, _ in line)


@given(st.floats(-1e9, 1e9), st.floats(0, 1e9), st.integers(2, 12))
def test_ticks_enclose_and_are_evenly_apart(low: float, more: float, count: int) -> None:
    found = ticks(low, low + more, count)
    assert 2 <= len(found) <= max(2, count)
    slack = max(abs(low), more, 1) * 1e-6
    assert found[0] <= low + slack
    assert found[-1] >= low + more - slack
    steps = [b - a for a, b in itertools.pairwise(found)]
    assert max(steps) - min(steps) <= slack


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=60), st.integers(1, 120))
def test_resampling_stays_within_what_there_was(values: list[float], count: int) -> None:
    found = resample(values, count)
    assert len(found) == count
    assert all(v is not None and min(values) - 1e-6 <= v <= max(values) + 1e-6 for v in found)


def test_a_line_that_rises() -> None:
    head, *area = [plain(line) for line in plot([Series("", [0, 10])], 21, 4, title="x")]
    assert head == "x                ● 10"
    assert [line[:3] for line in area] == ["10┤", "  │", " 0┤"]
    first = [next(i for i, sign in enumerate(line[3:]) if sign != " ") for line in area]
    assert first == sorted(first, reverse=True), "the higher, the later"


def test_what_is_filled_is_full_below() -> None:
    *_, last = plot([Series("", [5, 5, 5], fill=True)], 20, 4)
    assert plain(last) == "0┤" + "⣿" * 18


def test_a_line_is_seen_on_what_is_filled() -> None:
    lines = plot([Series("all", [9, 9], fill=True), Series("errors", [5, 5])], 20, 8)
    assert any(tone == "s2" and set(text) <= set("⠉⠒⠤⣀") for line in lines[1:] for text, tone in line)


def test_gaps_stay_empty() -> None:
    lines = plot([Series("", [4, 4, None, None, 4, 4])], 26, 5)
    line = next(line for line in map(plain, lines) if set(line) & set("⠉⠒⠤⣀"))
    assert "  " in line.strip().split("│")[-1].split("┤")[-1].strip()


@pytest.mark.parametrize(
    ("span", "said"),
    [(300, ["-4m", "-2m", "now"]), (3600, ["-30m", "now"]), (604_800, ["-6d", "-4d", "-2d", "now"])],
)
def test_the_axis_of_time(span: float, said: list[str]) -> None:
    *_, last = plot([Series("", [1, 2, 3])], 40, 8, span=span)
    assert [word for word in plain(last).split() if word in said] == said
    assert plain(last).endswith("now")


@pytest.mark.parametrize(
    ("unit", "values", "axis"),
    [
        ("%", [0.018, 0.4], "40 %"),
        ("ms", [300, 1900], "2 s"),
        ("$", [0.004], "$0.004"),
        ("/s", [1234], "1.5k"),
        ("tokens", [2_500_000], "3M"),
    ],
)
def test_the_axis_has_round_numbers_in_the_unit(unit, values, axis) -> None:  # type: ignore[no-untyped-def]
    assert plain(plot([Series("", values)], 40, 8, unit=unit)[0]).strip().startswith(axis)


def test_now_is_the_last_that_is_known() -> None:
    head = plain(plot([Series("p50", [1, 200, None]), Series("p95", [math.nan])], 60, 6, unit="ms", title="wait")[0])
    assert head.startswith("wait ")
    assert head.endswith("● p50 200 ms  ● p95 –")


class _App(App[None]):
    def compose(self) -> ComposeResult:
        yield Plot("requests", "/s")


async def test_the_widget_draws_again_only_for_something_else() -> None:
    app = _App()
    async with app.run_test(size=(60, 12)) as pilot:
        widget = app.query_one(Plot)
        widget.show([Series("ok", [1, 2, 3])], 300)
        await pilot.pause()
        assert "requests" in widget.render().plain
        assert len(widget.render().plain.split("\n")) == 12
        drawn: list[int] = []
        widget.refresh = lambda *_, **__: drawn.append(1) or widget  # type: ignore[method-assign]
        widget.show([Series("ok", [1, 2, 3])], 300)
        assert not drawn
        widget.show([Series("ok", [1, 2, 4])], 300)
        assert drawn == [1]
