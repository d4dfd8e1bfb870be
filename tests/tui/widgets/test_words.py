from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newapi.tui.widgets import words


@pytest.mark.parametrize(
    ("function", "value", "said"),
    [
        ("compact", 0, "0"),
        ("compact", 950, "950"),
        ("compact", 999.7, "1k"),
        ("compact", 1234, "1.23k"),
        ("compact", 34_000, "34k"),
        ("compact", 1_250_000, "1.25M"),
        ("compact", 0.25, "0.25"),
        ("compact", None, "–"),
        ("percent", 0.018, "1.8 %"),
        ("percent", 1.0, "100 %"),
        ("percent", 0.9999, "100 %"),
        ("percent", math.nan, "–"),
        ("millis", 0, "0 ms"),
        ("millis", 340.4, "340 ms"),
        ("millis", 1234, "1.2 s"),
        ("millis", 34_500, "34.5 s"),
        ("millis", 125_000, "2m5s"),
        ("dollars", 4.214, "$4.21"),
        ("dollars", 0, "$0.00"),
        ("dollars", 0.0042, "$0.0042"),
        ("dollars", 12_345, "$12.3k"),
        ("dollars", -3, "-$3.00"),
        ("span", 5, "5s"),
        ("span", 125, "2m5s"),
        ("span", 3600, "1h"),
        ("span", 90_000, "1d1h"),
        ("span", 86_460, "1d"),
        ("ago", 59.9, "59s"),
        ("ago", -3, "0s"),
        ("ago", 7300, "2h"),
        ("cost", 2_107_000, "$4.21"),
        ("cost", 2100, "$0.0042"),
        ("about", 0, "$0.00"),
        ("about", 2100, "<$0.01"),
        ("about", 5500, "$0.011"),
        ("about", 49_997_400, "$99.99"),
        ("about", 61_725_000, "$123"),
        ("about", 6_172_500_000, "$12.3k"),
        ("size", 512, "512 B"),
        ("size", 1234, "1.2 kB"),
        ("size", 183_500_800, "183.5 MB"),
        ("size", 2 * 10**12, "2.0 TB"),
        ("date", 1_764_000_827, "2025-11-24 16:13 UTC"),
        ("date", 0, "never"),
        ("stamp", 1_764_000_827, "20251124-161347"),
    ],
)
def test_words(function: str, value: float | None, said: str) -> None:
    assert getattr(words, function)(value) == said


@given(st.floats(-1e14, 1e14))
def test_a_number_is_short(value: float) -> None:
    assert len(words.compact(value)) <= 9
    if 1 <= abs(value) < 9e14:
        assert len(words.compact(abs(value))) <= 5
