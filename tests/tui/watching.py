"""The dashboard over a recording that stands still, as a server that cannot be asked anything."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from newapi.ops.gateway import Gateway
from newapi.ops.live import Told
from newapi.tui.app import Options, Tui
from newapi.tui.source import Source
from tests.tui.screens.gateway import Seen, here, recorded


@asynccontextmanager
async def watching(  # type: ignore[no-untyped-def]
    directory: Path,
    screen: str = "overview",
    *,
    events: Sequence[Told] | None = None,
    size: tuple[int, int] = (120, 40),
    options: Options | None = None,
    acts_on: Gateway | None = None,
):
    """Run the dashboard with `screen` in front, after these events; without any, two minutes of the recording.

    With `acts_on` it can ask, do, and finds the configuration's file.
    """
    gateway, local, path = here(directory)
    file = path if acts_on is not None else None

    async def watch() -> AsyncGenerator[Told]:
        for told in recorded(2) if events is None else events:
            yield told
        await asyncio.Event().wait()

    app = Tui(lambda name: Source(name, "server", watch, acts_on, config=file), "prod", options)
    async with app.run_test(size=size) as pilot:
        seen = Seen(app, pilot, gateway, local, path)
        await seen.until(lambda: app.model.is_known)
        app.open(screen)
        await pilot.pause()
        app.draw()
        await pilot.pause()
        yield seen
    local.db.close()


def line(seen: Seen, kind: str) -> str:
    """Return what a line of the frame says: `Head`, `Tabs`, `Foot`, or an id with a #."""
    return str(seen.app.front.query_one(kind).render())


def told(seen: Seen) -> str:
    """Return what the pane beside the log says."""
    return str(seen.app.front.query_one("#told").render())
