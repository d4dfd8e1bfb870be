from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newapi.tui.widgets.bar import bar
from newapi.tui.widgets.tones import plain, width


@pytest.mark.parametrize(
    ("share", "said", "tone"),
    [
        (0, "────", "dim"),
        (0.001, "╸───", "good"),
        (0.5, "━━──", "good"),
        (0.8, "━━━─", "warn"),
        (0.999, "━━━╸", "warn"),
        (1, "━━━━", "bad"),
        (7, "━━━━", "bad"),
        (-1, "────", "dim"),
        (None, "┄┄┄┄", "dim"),
    ],
)
def test_bar(share: float | None, said: str, tone: str) -> None:
    line = bar(share, 4)
    assert (plain(line), line[0][1]) == (said, tone)


@given(st.none() | st.floats(), st.integers(0, 40), st.booleans())
def test_it_has_its_width(share: float | None, wide: int, ascii: bool) -> None:
    line = bar(share, wide, ascii=ascii)
    assert width(line) == wide
    assert plain(line).isascii() or not ascii


@given(st.floats(0, 1), st.floats(0, 1))
def test_more_is_never_less_filled(one: float, other: float) -> None:
    few, many = sorted((one, other))
    count = [plain(bar(share, 10, ascii=True)).count("#") for share in (few, many)]
    assert count == sorted(count)
