"""Where the dashboard gets what it shows, and what it acts on: a server, the database, or a recording."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, cast

from msgspec import Struct

from newapi.ops import live_record
from newapi.ops.gateway import Gateway, LocalGateway
from newapi.ops.live import Range, Series, Told

Kind = Literal["server", "database", "replay"]


class Source(Struct, frozen=True):
    """One gateway, or the recording of one.

    Attributes:
        name: What the head calls it: the context.
        kind: What it is.
        watch: Begins the stream.
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


def of_gateway(name: str, gateway: Gateway, config: Path | None) -> Source:
    """Return a gateway as a source: a server, or without one its database."""
    kind: Kind = "database" if isinstance(gateway, LocalGateway) else "server"
    return Source(name, kind, gateway.watch, gateway, lambda span: gateway.series(cast(Range, span)), config)


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
