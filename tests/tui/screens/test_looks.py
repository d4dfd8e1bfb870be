"""Snapshots of the screens, at the three sizes that count and in a dark and a light theme."""

from __future__ import annotations

import itertools
import time
from pathlib import Path

import pytest

from newapi.ops import vault
from tests.support.live import START
from tests.tui.looks import same_look
from tests.tui.screens.gateway import dashboard

SIZES = [(80, 24), (120, 40), (200, 60)]
DIALOGS = {
    "channels-detail": ("channels", ("enter",)),
    "channels-disable": ("channels", ("space", "space", "d")),
    "channels-keys": ("channels", ("K",)),
    "channels-sort": ("channels", ("s",)),
    "tokens-new": ("tokens", ("n",)),
    "tokens-limits": ("tokens", ("L",)),
    "tokens-detail": ("tokens", ("enter",)),
    "users-topup": ("users", ("dollar_sign",)),
    "models-detail": ("models", ("enter",)),
    "models-quotation": ("models", ("Q",)),
    "config-detail": ("config", ("enter",)),
}


@pytest.fixture(autouse=True)
def _frozen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setattr(time, "time", lambda: START + 60.0)
    keys = itertools.count()
    monkeypatch.setattr(vault, "new_key", lambda: f"sk-{next(keys):048}")


@pytest.mark.parametrize("screen", ["channels", "tokens", "users", "models", "config"])
@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("theme", ["ansi-dark", "textual-light"])
async def test_looks(tmp_path: Path, screen: str, size: tuple[int, int], theme: str) -> None:
    async with dashboard(tmp_path, screen, size=size, theme=theme) as seen:
        await seen.settled()
        same_look(seen.app, f"{screen}-{size[0]}x{size[1]}-{theme}", tmp_path, frame=False)


@pytest.mark.parametrize("name", DIALOGS)
async def test_looks_of_dialogs(tmp_path: Path, name: str) -> None:
    screen, keys = DIALOGS[name]
    async with dashboard(tmp_path, screen, size=(80, 24), theme="ansi-dark") as seen:
        await seen.settled()
        await seen.press(*keys)
        if name.endswith("-detail"):
            await seen.until(lambda: len(seen.detail) > 5)
        for box in seen.app.screen.query("Input"):
            box.cursor_blink = False  # type: ignore[attr-defined]
        await seen.pilot.pause()
        same_look(seen.app, name, tmp_path, frame=False)
