"""Where the dashboard gets what it shows, and what it acts on: a server, the database, or a recording."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing, contextmanager
from pathlib import Path
from typing import Literal, cast

from msgspec import Struct

from newapi.ops import live_record
from newapi.ops.gateway import Gateway, LocalGateway
from newapi.ops.live import Link, Range, Series, Stats, Told

Kind = Literal["server", "database", "replay"]

_LOOK_EVERY = 3
"""Seconds of a database after which a server is looked for again."""


class Source(Struct, frozen=True):
    """One gateway, or the recording of one.

    Attributes:
        name: What the head calls it: the context.
        kind: What it is.
        watch: Begins the stream. That of a database ends when a server is there: connect again.
        gateway: What questions and deeds go to; None for a recording, which can be asked nothing.
        history: Returns the points of a range, one of `newapi.tui.model.RANGES`; it waits. None where nothing can tell.
        config: The configuration's file where this machine has it: what manages objects can be opened.
    """

    name: str
    kind: Kind
    watch: Callable[[], AsyncGenerator[Told]]
    gateway: Gateway | None = None
    history: Callable[[str], Series] | None = None
    config: Path | None = None


def of_gateway(name: str, gateway: Gateway, config: Path | None, answers: Callable[[], bool] = lambda: False) -> Source:
    """Return a gateway as a source: a server, or without one its database, until a server of it `answers`."""
    is_database = isinstance(gateway, LocalGateway)
    kind: Kind = "database" if is_database else "server"

    def watch() -> AsyncGenerator[Told]:
        return _until(gateway.watch(), answers) if is_database else gateway.watch()

    return Source(name, kind, watch, gateway, lambda span: gateway.series(cast(Range, span)), config)


async def _until(stream: AsyncGenerator[Told], answers: Callable[[], bool]) -> AsyncGenerator[Told]:
    """Yield what a database tells, which is something every second, until a server answers."""
    seconds = 0
    async with aclosing(stream) as events:
        async for told in events:
            yield told
            if isinstance(told.event, Stats | Link):
                seconds += 1
                if seconds % _LOOK_EVERY == 0 and await asyncio.to_thread(answers):
                    return


Record = Callable[[AsyncGenerator[Told]], AsyncGenerator[Told]]


@contextmanager
def recording(file: Path | None) -> Iterator[Record | None]:
    """Give what records a stream into a new file, as long as the context lasts; None without a file.

    Raises:
        OSError: It cannot be made, or is there already.
    """
    if file is None:
        yield None
        return
    with file.open("xb") as out:
        recorder = live_record.Recorder(out)
        yield lambda stream: live_record.recorded(stream, recorder)


def replayed(path: Path, *, speed: float = 1.0) -> Source:
    """Return a recording as a source; `speed` times as fast as it was, 0 all at once."""
    return Source(path.name, "replay", lambda: live_record.replay(path, speed=speed))
