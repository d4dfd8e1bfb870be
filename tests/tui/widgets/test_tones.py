from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.app import App

from newapi.tui.widgets import tones
from newapi.tui.widgets.tones import fit, plain, width

PIECES = st.lists(st.tuples(st.text(st.characters(categories=["L", "N"]), max_size=8), st.just("dim")), max_size=5)


@given(PIECES, st.integers(0, 30), st.booleans())
def test_a_line_fits(line: list[tuple[str, str]], cells: int, right: bool) -> None:
    found = fit(line, cells, right=right)
    assert width(found) == cells
    if width(line) <= cells:
        assert plain(found).strip() == plain(line).strip()
    elif cells:
        assert plain(found).rstrip().endswith("…")


def test_wide_characters_are_cut_where_they_end() -> None:
    assert plain(fit([("日本語", "")], 4)) == "日 …" or plain(fit([("日本語", "")], 4)) == "日…"[:1] + " …"


@pytest.mark.parametrize("theme", ["ansi-dark", "ansi-light", "textual-dark", "textual-light", "nord"])
async def test_every_tone_is_a_colour_of_every_theme(theme: str) -> None:
    app: App[None] = App()
    async with app.run_test() as pilot:
        app.theme = theme
        await pilot.pause()
        for tone in ("good", "warn", "bad", "accent", "cursor", "header", "marked", *tones.SERIES):
            assert tones.style(app, tone).color is not None, tone
        assert tones.style(app, "bad dim").dim
        with pytest.raises(LookupError):
            tones.style(app, "mauve")


async def test_the_colours_change_with_the_theme() -> None:
    app: App[None] = App()
    async with app.run_test() as pilot:
        app.theme = "textual-dark"
        await pilot.pause()
        before = tones.style(app, "good")
        app.theme = "textual-light"
        await pilot.pause()
        assert tones.style(app, "good") != before
