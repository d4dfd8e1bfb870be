"""Where the dashboard gets what it shows, and what it acts on: a server, the database, or a recording."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Literal

from msgspec import Struct

from newapi.ops import live_record
from newapi.ops.gateway import Gateway
from newapi.ops.live import Series, Told

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


def replayed(path: Path, *, speed: float = 1.0) -> Source:
    """Return a recording as a source; `speed` times as fast as it was, 0 all at once."""
    return Source(path.name, "replay", lambda: live_record.replay(path, speed=speed))
