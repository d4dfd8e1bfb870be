"""Pictures of every screen at the three sizes that count, of its details, and of the dialogs, dark and light."""

from __future__ import annotations

import itertools
import re
import secrets
import time
from collections.abc import Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

import pytest
from textual.widgets import Input

from newapi.tui import screens
from newapi.tui.app import Options
from newapi.tui.screens._grid import GridScreen
from tests.support.screen_svg import told, written
from tests.tui import scene
from tests.tui.looks import LOOKS, difference
from tests.tui.screens.gateway import Seen, dashboard

SIZES = ((80, 24), (120, 40), (200, 60))
THEMES = {"dark": "ansi-dark", "light": "textual-light"}
"""What the dashboard has by itself, which are the terminal's own colours; and one of the light ones."""
DETAILS = {f"{name}-detail": (name, ("enter",)) for name in ("channels", "tokens", "users", "models", "config")}
"""Picture -> the screen, and what is pressed there."""
SHOWN = {**{name: (name, ()) for name in screens.names()}, **DETAILS, "logs-request": ("logs", ())}
DIALOGS = {
    "help": ("logs", ("question_mark",)),
    "palette": ("overview", ("colon",)),
    "palette-theme": ("overview", ("colon", *"theme", "space", *"no")),
    "filter": ("channels", ("slash", *"state", "colon", *"up", "space", *"x", "colon")),
    "marked": ("channels", ("space", "space")),
    "channels-disable": ("channels", ("space", "space", "d")),
    "channels-keys": ("channels", ("K",)),
    "channels-sort": ("channels", ("s",)),
    "channels-edit": ("channels", ("e",)),
    "tokens-new": ("tokens", ("n",)),
    "tokens-limits": ("tokens", ("L",)),
    "tokens-delete": ("tokens", ("ctrl+d", "x", "enter")),
    "tokens-key": ("tokens", ("o", "y")),
    "tokens-qr": ("tokens", ("o", "y", "r")),
    "users-topup": ("users", ("dollar_sign",)),
    "users-role": ("users", ("R",)),
    "models-quotation": ("models", ("Q",)),
    "models-quoted": ("models", ("Q", "tab", *"120k", "tab", *"2k", "enter")),
    "system-drain": ("system", ("D",)),
}
"""Picture -> the screen, and what is pressed there."""
ANSWERS = {"tokens-key": "not shown again", "tokens-qr": "not shown again", "models-quoted": "back"}
"""Picture of what is asked for first -> what stands in it when it is there."""
ONCE = {"overview-slow-line-80x24"}


def _names() -> set[str]:
    whole = {f"{name}-{w}x{h}-{theme}" for name in SHOWN for (w, h), theme in itertools.product(SIZES, THEMES)}
    return whole | {f"{name}-80x24-dark" for name in DIALOGS} | {f"{name}-120x40-light" for name in DIALOGS} | ONCE


@pytest.fixture(autouse=True)
def _frozen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.delenv("NO_COLOR")
        patch.setenv("TZ", "UTC")
        time.tzset()
        patch.setattr(time, "time", lambda: float(scene.AT))
        patch.setattr(secrets, "choice", Random(7).choice)
        patch.chdir(tmp_path)
        yield
    time.tzset()


@asynccontextmanager
async def shown(directory: Path, screen: str, *, low_bandwidth: bool = False):  # type: ignore[no-untyped-def]
    options = Options(theme=THEMES["dark"], low_bandwidth=low_bandwidth)
    known = {"events": scene.events(), "config": scene.CHANNELS, "before": scene.settle}
    async with dashboard(directory, screen, size=SIZES[0], options=options, **known) as seen:
        if isinstance(seen.screen, GridScreen):
            await seen.settled()
        yield seen


async def still(seen: Seen) -> None:
    """Wait until nothing moves any more."""
    for box in seen.app.screen.query(Input):
        box.cursor_blink = False
    seen.app.draw()
    await seen.pilot.pause()


@pytest.mark.parametrize("name", SHOWN)
async def test_screens(tmp_path: Path, name: str) -> None:
    screen, keys = SHOWN[name]
    found: list[str] = []
    async with shown(tmp_path, screen) as seen:
        await seen.press(*keys)
        if name == "logs-request":
            await scene.hold_request(seen)
        if name in DETAILS:
            await seen.until(lambda: len(seen.detail) > 5)
        for theme, (width, height) in itertools.product(THEMES, SIZES):
            seen.app.set_theme(THEMES[theme])
            await seen.pilot.resize_terminal(width, height)
            await still(seen)
            found.append(difference(seen.app, f"{name}-{width}x{height}-{theme}", tmp_path))
    assert not any(found), "\n\n".join(filter(None, found))


@pytest.mark.parametrize("name", DIALOGS)
async def test_dialogs(tmp_path: Path, name: str) -> None:
    screen, keys = DIALOGS[name]
    found: list[str] = []
    async with shown(tmp_path, screen) as seen:
        await seen.press(*keys)
        if name in ANSWERS:
            await seen.until(lambda: ANSWERS[name] in seen.dialog)
        for theme, (width, height) in zip(THEMES, SIZES, strict=False):
            seen.app.set_theme(THEMES[theme])
            await seen.pilot.resize_terminal(width, height)
            await still(seen)
            found.append(difference(seen.app, f"{name}-{width}x{height}-{theme}", tmp_path))
    assert not any(found), "\n\n".join(filter(None, found))


async def test_a_slow_line(tmp_path: Path) -> None:
    async with shown(tmp_path, "overview", low_bandwidth=True) as seen:
        await still(seen)
        assert not difference(seen.app, "overview-slow-line-80x24", tmp_path)


async def test_a_picture_says_what_the_terminal_does(tmp_path: Path) -> None:
    async with shown(tmp_path, "tokens") as seen:
        strips = seen.app.screen._compositor.render_strips()
        rows, styles = "\n".join(told(written(strips))).split("\n────────────────────\n")
    assert rows.split("\n") == [strip.text.rstrip() for strip in strips]
    assert "0: 1-6 b; 8-8 c2; 10-13 b" in styles, "bold, the terminal's green, bold"


def test_the_pictures_are_those_and_the_readme_has_some() -> None:
    assert {file.stem for file in LOOKS.glob("*.svg")} == _names()
    readme = (LOOKS.parents[2] / "README.md").read_text(encoding="utf-8")
    assert set(re.findall(r"tests/tui/looks/([\w-]+)\.svg", readme)) < _names()
