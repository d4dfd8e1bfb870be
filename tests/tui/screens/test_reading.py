"""What all screens that are a table have in common: what is read when, and what is told when it cannot be."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.widgets import Static

from newapi.base.errors import NewapiError
from newapi.tui.source import Source
from newapi.tui.widgets.filter import parse
from tests.tui.screens.gateway import Seen, dashboard

SCREENS = ("channels", "tokens", "users", "models", "config")


def summary(seen: Seen) -> str:
    return str(seen.screen.query_one("#summary", Static).render())


@pytest.mark.parametrize("screen", SCREENS)
async def test_what_cannot_be_read_is_said_and_stays_as_it_was(
    tmp_path: Path, screen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with dashboard(tmp_path, screen) as seen:
        rows = seen.grid.total

        def broken(*_: object) -> None:
            raise NewapiError("the database is away\nfor good")

        with monkeypatch.context() as patch:
            patch.setattr(seen.screen, "read", broken)
            await seen.settled()
            await seen.until(lambda: "cannot be read: the database is away" in summary(seen))
            assert seen.grid.total == rows
            assert not seen.app._notifications
        await seen.settled()
        assert "cannot be read" not in summary(seen)


@pytest.mark.parametrize("screen", SCREENS)
async def test_another_gateway_begins_with_nothing(tmp_path: Path, screen: str) -> None:
    async with dashboard(tmp_path, screen) as seen:
        assert seen.app.source is not None
        seen.app.source = Source("other", "replay", seen.app.source.watch)
        seen.app.model = seen.app._fresh()
        seen.app.draw()
        assert seen.grid.total == 0


@pytest.mark.parametrize("screen", SCREENS)
async def test_every_column_can_be_sorted_filtered_and_exported(tmp_path: Path, screen: str) -> None:
    async with dashboard(tmp_path, screen) as seen:
        for name, kind in seen.grid.fields.items():
            seen.grid.sort(name)
            seen.grid.sort(name)
            assert parse(f"{name}:" if kind == "text" else f"{name}>0", seen.grid.fields)
        (first, *_) = seen.screen.rows()
        assert list(first) == list(seen.grid.fields)
        assert "name" in first or "number" in first


@pytest.mark.parametrize("screen", SCREENS)
@pytest.mark.parametrize("size", [(60, 15), (80, 24), (200, 60)])
async def test_every_size_has_room(tmp_path: Path, screen: str, size: tuple[int, int]) -> None:
    async with dashboard(tmp_path, screen, size=size) as seen:
        assert len(seen.lines()[0].split()) >= 4, "what matters most is there"
        await seen.press("w", "w", "enter", "down", "escape")
        assert seen.app.screen is seen.screen


async def test_the_log_of_a_thing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with dashboard(tmp_path, "channels") as seen:
        opened: list[tuple[str, str]] = []
        monkeypatch.setattr(seen.app, "open", lambda name, argument="": opened.append((name, argument)))
        await seen.press("l")
        assert opened == [("logs", "channel=openai-main")]
