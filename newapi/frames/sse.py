"""Server-sent events. Source: https://html.spec.whatwg.org/multipage/server-sent-events.html"""

from __future__ import annotations

from msgspec import Struct

from newapi.base.errors import UpstreamError

MAX_FRAME = 128 * 1024 * 1024
"""Bytes one event may have: a whole inlined picture fits; a line that never ends does not eat the memory."""


class Frame(Struct, frozen=True, gc=False):
    """One event: its name ("" when it had none) and its data lines joined by newlines."""

    event: str
    data: bytes


class SseFramer:
    """Pieces of a stream in, whole events out; where the pieces are cut does not matter.

    Lines may end in LF, CRLF or CR. Comments, ids and retry times are dropped; an event without data is none. Vendors
    that forget the blank line at the very end are forgiven by `close`.
    """

    __slots__ = ("_buffer", "_data", "_event", "_skip_lf")

    def __init__(self) -> None:
        self._buffer = b""
        self._event = ""
        self._data: list[bytes] = []
        self._skip_lf = False

    def feed(self, piece: bytes) -> list[Frame]:
        """Return the events that `piece` completes.

        Raises:
            UpstreamError: An event is larger than `MAX_FRAME`.
        """
        if self._skip_lf:
            if piece[:1] == b"\n":
                piece = piece[1:]
            self._skip_lf = not piece
        buffer = self._buffer + piece if self._buffer else piece
        if b"\r" in buffer:
            # A CR that ends the piece may be half of a CRLF: take it as a line end now, and skip the LF to come.
            self._skip_lf = buffer.endswith(b"\r")
            buffer = buffer.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        lines = buffer.split(b"\n")
        self._buffer = lines.pop()
        if len(self._buffer) > MAX_FRAME:
            raise UpstreamError("the upstream sent an event that never ends", kind="malformed")
        frames: list[Frame] = []
        for line in lines:
            self._line(line, frames)
        return frames

    def close(self) -> list[Frame]:
        """Return the event that the end of the input completes, if any."""
        frames: list[Frame] = []
        if self._buffer:
            self._line(self._buffer, frames)
            self._buffer = b""
        self._line(b"", frames)
        return frames

    def _line(self, line: bytes, frames: list[Frame]) -> None:
        if not line:
            if self._data:
                data = self._data[0] if len(self._data) == 1 else b"\n".join(self._data)
                frames.append(Frame(self._event, data))
                self._data = []
            self._event = ""
        elif line.startswith(b"data:"):
            self._data.append(line[6:] if line[5:6] == b" " else line[5:])
        elif line.startswith(b"event:"):
            self._event = line[6:].strip().decode("utf-8", "replace")


def write(data: bytes, event: str = "") -> bytes:
    """Return one event as bytes. `data` must have no line breaks, as JSON has none."""
    return b"event: %s\ndata: %s\n\n" % (event.encode(), data) if event else b"data: %s\n\n" % data
