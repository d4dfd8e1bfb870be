from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from newapi.ops.gateway import LocalGateway
from newapi.ops.live import Link, Stats, Told
from newapi.ops.local import Local
from newapi.store.database import open_database
from newapi.tui.app import Tui
from newapi.tui.source import Source, of_gateway
from tests.tui.screens.gateway import Seen, here, recorded
from tests.tui.watching import line


async def test_a_database_is_watched_until_a_server_answers(tmp_path: Path) -> None:
    gateway, local, _ = here(tmp_path)
    looks = [False, True]
    source = of_gateway("local", gateway, None, lambda: looks.pop(0))
    assert source.kind == "database"
    seconds = [told async for told in source.watch() if isinstance(told.event, Stats | Link)]
    assert (len(seconds), looks) == (6, [])
    local.db.close()


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="open files are listed there")
async def test_a_database_is_closed_when_a_server_is_shown_instead(tmp_path: Path) -> None:
    gateway, local, path = here(tmp_path)
    local.db.close()
    config, starts = local.config, asyncio.Event()

    def open_files() -> int:
        gc.collect()  # a reading that was under way at the change may have held the database for a moment longer
        files = [file.readlink() for file in Path("/proc/self/fd").iterdir() if file.exists()]
        return sum(file.is_relative_to(tmp_path) for file in files)

    async def server() -> AsyncGenerator[Told]:
        for told in recorded(1):
            yield told
        await asyncio.Event().wait()

    def connect(_: str) -> Source:
        if starts.is_set():
            return Source("local", "server", server)
        db = open_database(f"sqlite:///{tmp_path / 'gateway.db'}")
        return of_gateway("local", LocalGateway(Local(db, config, local.vault, path), "tester"), None, starts.is_set)

    app = Tui(connect, "local")
    async with app.run_test(size=(120, 40)) as pilot:
        seen = Seen(app, pilot, gateway, local, path)
        await seen.until(lambda: app.link == "database")
        app.open("tokens")
        await pilot.pause()
        app.draw()
        await seen.until(lambda: seen.grid.total)
        assert open_files() > 0
        starts.set()
        await seen.until(lambda: app.link == "live")
        app.open("overview")
        await seen.until(lambda: open_files() == 0)


async def test_the_dashboard_goes_over_to_a_server_that_starts(tmp_path: Path) -> None:
    gateway, local, path = here(tmp_path)
    starts = asyncio.Event()

    async def database() -> AsyncGenerator[Told]:
        for told in recorded(1):
            yield told
        await starts.wait()

    async def server() -> AsyncGenerator[Told]:
        for told in recorded(1):
            yield told
        await asyncio.Event().wait()

    sources = [Source("local", "database", database), Source("local", "server", server)]
    app = Tui(lambda _: sources.pop(0), "local")
    async with app.run_test(size=(120, 40)) as pilot:
        seen = Seen(app, pilot, gateway, local, path)
        await seen.until(lambda: app.model.is_known)
        app.draw()
        assert "no server runs" in line(seen, "Head")
        starts.set()
        await seen.until(lambda: app.link == "live")
        await seen.told("A server runs now")
        app.draw()
        assert "no server runs" not in line(seen, "Head")
        assert line(seen, "Head").startswith("newapi ● local")
    local.db.close()
