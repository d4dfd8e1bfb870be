from __future__ import annotations

from pathlib import Path

import pytest
from rich.segment import Segment
from textual.color import Color

from newapi.tui import screens
from newapi.tui.app import Options
from newapi.tui.glyphs import InAscii
from tests.tui.screens.test_system import Server
from tests.tui.watching import watching


def drawn(app) -> str:  # type: ignore[no-untyped-def]
    return "\n".join(strip.text for strip in app.screen._compositor.render_strips())


def signs(app) -> set[str]:  # type: ignore[no-untyped-def]
    """Return what is drawn that is neither ASCII nor a letter of a name that people gave."""
    return {sign for sign in drawn(app) if not sign.isascii() and not sign.isalnum()}


@pytest.mark.parametrize("size", [(80, 24), (200, 60)], ids=str)
async def test_over_a_slow_line_every_screen_is_ascii(tmp_path: Path, size: tuple[int, int]) -> None:
    options = Options(low_bandwidth=True)
    async with watching(tmp_path, size=size, options=options) as seen:
        for name in screens.names():
            seen.app.open(name)
            await seen.pilot.pause()
            seen.app.draw()
            for keys in ((), ("enter",), ("question_mark",), ("escape", "colon")):
                await seen.press(*keys)
                assert not signs(seen.app), (name, keys)
            await seen.press("escape")


async def test_over_a_slow_line_a_dialog_is_ascii(tmp_path: Path) -> None:
    options = Options(low_bandwidth=True)
    async with watching(tmp_path, "system", size=(80, 24), options=options, acts_on=Server()) as seen:
        await seen.press("D")
        assert "Let the server come to its end?" in drawn(seen.app)
        assert not signs(seen.app)


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("… 60×15 – ⏎ → ●", "~ 60x15 - = > *"),
        ("Größe 你好", "Größe 你好"),
        ("plain", "plain"),
        ("a\xa0b ¿", "a b ?"),
    ],
)
def test_signs_are_drawn_in_ascii_and_letters_stay(text: str, seen: str) -> None:
    (segment,) = InAscii().apply([Segment(text)], Color(0, 0, 0))
    assert segment.text == seen
