"""A live stream in a file, a line an event: written beside a watcher, and played again.

    {"t":0.25,"id":"5ca1ab1e.7","event":"stats","data":{"at":1790000000,"requests":12}}

`t` is the seconds since the first line. Bug reports, demonstrations and tests play them.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Iterable, Iterator
from pathlib import Path
from typing import IO

import msgspec
from msgspec import Struct

from newapi.base.errors import NewapiError
from newapi.ops.live import Link, Told, decode, encode, name_of

Sleep = Callable[[float], Awaitable[None]]


class NotARecording(NewapiError):
    """A file is not what `Recorder` writes."""

    code = "not_a_recording"


class _Line(Struct, frozen=True, omit_defaults=True):
    t: float
    event: str
    data: msgspec.Raw
    id: str = ""


_LINE = msgspec.json.Decoder(_Line)


class Recorder:
    """Writes events into a file as they come; each is in the file when `write` returns."""

    def __init__(self, file: IO[bytes], clock: Callable[[], float] = time.monotonic) -> None:
        """Write to `file`, opened for bytes; `clock` gives seconds."""
        self._file = file
        self._clock = clock
        self._began: float | None = None

    def write(self, told: Told) -> None:
        """Append an event. What the client says of its connection is recorded too.

        Raises:
            OSError: The file cannot be written.
        """
        now = self._clock()
        if self._began is None:
            self._began = now
        line = _Line(round(now - self._began, 3), name_of(told.event), msgspec.Raw(encode(told.event)), told.id)
        self._file.write(msgspec.json.encode(line) + b"\n")
        self._file.flush()


async def recorded(source: AsyncIterable[Told], recorder: Recorder) -> AsyncGenerator[Told]:
    """Yield what `source` yields, and record it."""
    async for told in source:
        recorder.write(told)
        yield told


def read(lines: Iterable[bytes]) -> Iterator[tuple[float, Told]]:
    """Yield the events of a recording with their time in seconds. Those of a newer version are passed over.

    A last line that was cut off, where the recorder was killed, ends it.

    Raises:
        NotARecording: A line is not an event.
    """
    for number, line in enumerate(lines, 1):
        try:
            found = _LINE.decode(line)
            event = decode(found.event, bytes(found.data))
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            if not line.endswith(b"\n") and number > 1:
                return
            raise NotARecording(f"line {number} is no event of a recorded stream: {error}") from None
        if event is not None:
            yield found.t, Told(found.id, event)


async def replay(path: Path, *, speed: float = 1.0, sleep: Sleep = asyncio.sleep) -> AsyncGenerator[Told]:
    """Yield the events of the recording at `path` as they came; at its end a `Link` says `ended`.

    Args:
        path: The file.
        speed: How many times faster than it was; 0 does not wait.
        sleep: How to wait.

    Raises:
        NotARecording: It is none.
        OSError: It cannot be read.
    """
    before = 0.0
    with path.open("rb") as file:
        for at, told in read(file):
            if at > before:
                # All at once is not all in one piece: whoever watches has other things to do as well.
                await sleep((at - before) / speed if speed else 0)
                before = at
            yield told
    yield Told("", Link("ended", str(path), "the recording ends here"))
