"""Every key of every screen and dialog, and every command of the palette, does something that is seen.

What there is to press is asked of the classes: a binding that is added is pressed here from then on.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from textual.binding import Binding
from textual.screen import ModalScreen

from newapi.tui import screens
from newapi.tui.app import Tui
from newapi.tui.help import Help
from newapi.tui.palette import Palette, commands
from newapi.tui.screen import LiveScreen
from newapi.tui.screens._grid import GridScreen
from newapi.tui.screens._keys import KeysDialog
from newapi.tui.widgets.ask import Ask, Tell
from newapi.tui.widgets.choose import Choose
from newapi.tui.widgets.grid import Grid
from tests.tui import scene
from tests.tui.screens.gateway import Seen, dashboard

OPENED = {
    Tui: ("channels",),
    LiveScreen: ("channels",),
    GridScreen: ("channels",),
    Grid: ("channels",),
    Ask: ("channels", "u"),
    Tell: ("tokens", "o", "y"),
    Choose: ("channels", "s"),
    KeysDialog: ("channels", "K"),
    Help: ("channels", "question_mark"),
    Palette: ("channels", "colon"),
    **{screens.get(name): (name,) for name in screens.names()},
}
"""Whose keys -> the screen, and what is pressed there until they are in force."""
FIRST = {
    "app.channels": ("1",),
    "screen.back": ("enter",),
    "app.last": ("3", "2"),
    "grid.up": ("down",),
    "grid.page-up": ("end",),
    "grid.first": ("end",),
    "grid.left": ("w", "right"),
    "grid.right": ("w",),
    "grid.turn": ("s", "enter"),
    "channels.wake": ("down", "down"),
    "config.rollback": ("down",),
    "logs.follow": ("up",),
    "palette.up": ("down",),
    "choose.up": ("down",),
}
"""Id -> what is pressed before, for what does nothing at first."""
ELSEWHERE = {
    "app.quit": "test_quit",
    "tell.down": "test_what_is_told_is_scrolled",
    "tell.up": "test_what_is_told_is_scrolled",
    "tell.page-down": "test_what_is_told_is_scrolled",
    "tell.page-up": "test_what_is_told_is_scrolled",
    "ask.send": "test_a_form_is_sent",
}
"""Id -> the test of what needs another dialog than its like."""
ARGUMENTS = {"theme": "nord", "context": "local", "range": "1h", "filter": "state:up"}


def bindings(owner: type[Any]) -> list[Binding]:
    """Return what a class itself binds."""
    found = [b if isinstance(b, Binding) else Binding(*b) for b in vars(owner).get("BINDINGS", ())]
    return [binding for binding in found if binding.id not in ELSEWHERE]


def owners() -> Iterator[type[Any]]:
    """Yield every class of the dashboard that binds keys."""
    waiting: list[type[Any]] = [Tui, LiveScreen, ModalScreen, Grid]
    while waiting:
        owner = waiting.pop()
        waiting += owner.__subclasses__()
        if owner.__module__.startswith("newapi.tui") and vars(owner).get("BINDINGS"):
            yield owner


def looks(seen: Seen) -> list[object]:
    """Return what can be seen, and what a terminal or a gateway is told."""
    app = seen.app
    rows = [list(strip) for strip in app.screen._compositor.render_strips()]
    told = [note.message for note in app._notifications]
    read_at = getattr(app.front, "_read_at", 0)
    return [rows, told, app.clipboard, app.focused, app.theme, read_at, app.screen, app.current_mode]


async def begin(seen: Seen, keys: tuple[str, ...]) -> None:
    """Go to a screen with nothing open in it, and press keys there."""
    while len(seen.app.screen_stack) > 1:
        seen.app.pop_screen()
    seen.app.clear_notifications()
    seen.app.is_paused = False
    seen.app.open(keys[0])
    await seen.pilot.pause()
    screen = seen.app.front
    while screen.go_back():
        await seen.pilot.pause()
    screen.focus_body()
    seen.app.draw()
    await seen.pilot.pause()
    for grid in screen.query(Grid):
        grid._wide = False
        grid.action_end(-1)
    if isinstance(screen, GridScreen):
        await seen.until(lambda: screen.grid.total)
    for key in keys[1:]:
        await seen.press(key)
    if keys == OPENED[Tell]:
        await seen.until(lambda: isinstance(seen.app.screen, Tell))


@pytest.fixture
def _somewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


def running(directory: Path) -> Any:
    """Run the dashboard with what the pictures show."""
    known = {"events": scene.events(), "config": scene.CHANNELS, "before": scene.settle}
    return dashboard(directory, "overview", size=(100, 24), **known)


@pytest.mark.usefixtures("_somewhere")
@pytest.mark.parametrize("owner", OPENED, ids=lambda owner: owner.__name__)
async def test_every_key_does_something(tmp_path: Path, owner: type[Any]) -> None:
    idle: list[str] = []
    async with running(tmp_path) as seen:
        for binding in bindings(owner):
            await begin(seen, (*OPENED[owner], *FIRST.get(binding.id or "", ())))
            before = looks(seen)
            await seen.press(binding.key.partition(",")[0])
            try:
                await seen.until(lambda before=before: looks(seen) != before)
            except AssertionError:
                idle.append(f"{binding.id}: {binding.key} ({binding.action})")
    assert not idle


def test_there_are_no_other_keys() -> None:
    assert set(owners()) == {owner for owner in OPENED if bindings(owner)}
    pressed = {binding.id for owner in OPENED for binding in bindings(owner)}
    assert not [owner for owner in OPENED if None in {b.id for b in bindings(owner)}], "each has an id"
    assert set(FIRST) <= pressed


@pytest.mark.usefixtures("_somewhere")
async def test_every_command_does_something(tmp_path: Path) -> None:
    idle: list[str] = []
    async with running(tmp_path) as seen:
        for command in commands(seen.app):
            if command.name == "quit":
                continue
            await begin(seen, ("overview" if command.name in ("channels", "range") else "channels",))
            before = looks(seen)
            await seen.press("colon")
            seen.app.screen.query_one("Input").value = f"{command.name} {ARGUMENTS.get(command.name, '')}"  # type: ignore[attr-defined]
            await seen.pilot.pause()
            await seen.press("enter")
            try:
                await seen.until(lambda before=before: looks(seen) != before)
            except AssertionError:
                idle.append(command.name)
    assert not idle


@pytest.mark.parametrize("keys", [("q",), ("colon", *"quit", "enter")], ids=["key", "command"])
async def test_quit(tmp_path: Path, keys: tuple[str, ...]) -> None:
    async with running(tmp_path) as seen:
        await seen.press(*keys)
        assert seen.app._exit


async def test_a_form_is_sent(tmp_path: Path) -> None:
    async with running(tmp_path) as seen:
        await begin(seen, ("users", "dollar_sign", "5", "ctrl+s"))
        await seen.told("Topped up 1")


async def test_what_is_told_is_scrolled(tmp_path: Path) -> None:
    async with running(tmp_path) as seen:
        seen.app.push_screen(Tell("Much", [str(n) for n in range(60)]))
        await seen.pilot.pause()
        box = seen.app.screen.query_one("VerticalScroll")
        heights = [0.0]
        for key in ("j", "down", "pagedown", "pageup", "up", "k"):
            await seen.press(key)
            heights.append(box.scroll_y)
        assert heights == [0, 1, 2, 12, 2, 1, 0]
