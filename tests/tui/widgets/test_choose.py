from __future__ import annotations

import pytest
from textual.app import App

from newapi.tui.widgets.choose import Choose


@pytest.mark.parametrize(
    ("keys", "chosen"),
    [
        (["enter"], "b"),
        (["down", "enter"], "c"),
        (["k", "enter"], "a"),
        (["j", "k", "k", "enter"], "a"),
        (["escape"], None),
        (["q"], None),
    ],
)
async def test_choose(keys: list[str], chosen: str | None) -> None:
    app: App[None] = App()
    found: list[str | None] = []
    async with app.run_test() as pilot:
        app.push_screen(Choose("Sort by", [("a", "[A]"), ("b", "B"), ("c", "C")], "b"), found.append)
        await pilot.pause()
        await pilot.press(*keys)
        await pilot.pause()
    assert found == [chosen]
