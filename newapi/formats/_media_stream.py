"""Streams of pictures, speech and transcripts: read for what they cost, and for whether they came to their end.

Sources: https://platform.openai.com/docs/api-reference/images-streaming and
https://platform.openai.com/docs/api-reference/audio/speech-audio-done-event
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from newapi.base.errors import NewapiError, UpstreamError
from newapi.formats._openai_errors import error_in, write_error
from newapi.formats._openai_usage import as_dict
from newapi.frames import sse
from newapi.frames.sse import Frame
from newapi.ir.events import Event, Failed, Finished, Metered, Started
from newapi.ir.usage import Usage

_ENDS = ("done", "completed")


class MeterReader:
    """Frames in, what they state out: never their content, since these streams are only passed on.

    The first frame says `Metered` with nothing in it, so that whoever waits for the first sign of an answer sees one:
    a picture's first sketch, or the first sound, long before anything is counted.
    """

    __slots__ = ("_done", "_finished", "_read", "_started")

    def __init__(self, read: Callable[[Any], Usage | None]) -> None:
        """Make a reader; `read` returns the usage that a decoded `usage` object states."""
        self._read = read
        self._started = False
        self._finished = False
        self._done = False

    def feed(self, frame: Frame) -> list[Event]:
        """Return what `frame` says of usage, of the end and of failure."""
        return [] if self._done else list(self._feed(frame))

    def _feed(self, frame: Frame) -> Iterator[Event]:
        if frame.data.strip() == b"[DONE]":
            yield from self._end()
            return
        try:
            event = msgspec.json.decode(frame.data)
        except (msgspec.DecodeError, UnicodeDecodeError):
            yield from self._fail(UpstreamError("the upstream sent an event that is not JSON", kind="malformed"))
            return
        said = as_dict(event)
        kind = said.get("type") or frame.event
        error = error_in(event)
        if error is None and kind in ("error", "upstream_error"):
            error = error_in({"error": said.get("message") or "the upstream failed"})
        if error is not None:
            yield from self._fail(error)
            return
        yield from self._start()
        usage = self._read(said.get("usage"))
        if usage is not None:
            yield Metered(usage)
        # Several pictures are completed one after the other: the stream goes on.
        if isinstance(kind, str) and kind.rpartition(".")[2] in _ENDS and not self._finished:
            self._finished = True
            yield Finished("stop")

    def close(self) -> list[Event]:
        """Return `Failed` (cut) where no picture, sound or text was ever said to be complete."""
        if self._done or self._finished:
            return []
        return list(self._fail(UpstreamError("the upstream's stream broke off", kind="cut")))

    def _start(self) -> Iterator[Event]:
        if not self._started:
            self._started = True
            yield Started("", "")
            yield Metered(Usage(source="none"))

    def _end(self) -> Iterator[Event]:
        yield from self._start()
        if not self._finished:
            self._finished = True
            yield Finished("stop")
        self._done = True

    def _fail(self, error: UpstreamError) -> Iterator[Event]:
        self._done = True
        yield Failed(error)


def error_frame(error: NewapiError, request_id: str) -> bytes:
    """Return the error as the event that ends such a stream."""
    return sse.write(write_error(error, request_id), "error")
