"""Snapshots of the frame with the overview and the log, at the three sizes that count, dark and light."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from newapi.tui.app import Options
from tests.tui.looks import same_look
from tests.tui.watching import watching

SIZES = [(80, 24), (120, 40), (200, 60)]


@pytest.fixture(autouse=True)
def _frozen(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.delenv("NO_COLOR")
        patch.setenv("TZ", "UTC")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.parametrize("screen", ["overview", "logs", "system"])
@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("theme", ["ansi-dark", "textual-light"])
async def test_looks(tmp_path: Path, screen: str, size: tuple[int, int], theme: str) -> None:
    async with watching(tmp_path, screen, size=size, options=Options(theme=theme)) as seen:
        same_look(seen.app, f"{screen}-{size[0]}x{size[1]}-{theme}", tmp_path)


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
async def test_looks_of_one_request(tmp_path: Path, size: tuple[int, int]) -> None:
    async with watching(tmp_path, "logs", size=size, options=Options(theme="ansi-dark")) as seen:
        await seen.press("n")
        same_look(seen.app, f"logs-request-{size[0]}x{size[1]}", tmp_path)


async def test_looks_over_a_slow_line(tmp_path: Path) -> None:
    options = Options(theme="ansi-dark", low_bandwidth=True)
    async with watching(tmp_path, size=(80, 24), options=options) as seen:
        same_look(seen.app, "overview-80x24-low-bandwidth", tmp_path)
