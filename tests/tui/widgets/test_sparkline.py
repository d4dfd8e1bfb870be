from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newapi.tui.widgets.sparkline import sparkline


@pytest.mark.parametrize(
    ("values", "width", "more", "said"),
    [
        ([0, 1, 2, 3, 4, 5, 6], 7, {}, "▁▂▃▄▅▆▇"),
        ([0, 1, 2, 3, 4, 5, 6, 7], 8, {"ascii": True}, "_.-=+*#@"),
        ([1, 2], 5, {}, "   ▄▇"),
        ([0, 0], 2, {}, "▁▁"),
        ([None, 4], 2, {}, " ▇"),
        ([1, 1, 3, 3], 2, {}, "▃▇"),
        ([5], 1, {"top": 10}, "▄"),
        ([0.001, 100], 2, {}, "▂▇"),
        ([], 3, {"gap": "·"}, "···"),
    ],
)
def test_sparkline(values, width, more, said) -> None:  # type: ignore[no-untyped-def]
    assert sparkline(values, width, **more) == said


@given(st.lists(st.none() | st.floats(), max_size=50), st.integers(0, 30), st.booleans())
def test_it_has_its_width(values: list[float | None], width: int, ascii: bool) -> None:
    said = sparkline(values, width, ascii=ascii)
    assert len(said) == width
    assert said.isascii() or not ascii
