from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

from newapi.ops.live import Link, Stats, Told
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
