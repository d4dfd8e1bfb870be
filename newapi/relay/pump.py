"""An upstream's answer into the caller's: whole, or piece by piece."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from msgspec.structs import replace

from newapi.base.body import Body
from newapi.base.errors import UpstreamError
from newapi.formats.contract import Format, Reader, Writer, WriterOptions, estimate_due
from newapi.frames import sse
from newapi.frames.sse import Frame, SseFramer
from newapi.ir.events import Event, Failed, Metered
from newapi.ir.fold import fold, unfold
from newapi.ir.images import unfold_pictures
from newapi.ir.response import Response
from newapi.ir.usage import Usage
from newapi.net.client import Reply
from newapi.relay.filters import ThinkingToContent, ToolsAsAsked, thinking_to_content, tools_as_asked
from newapi.relay.metering import note_response, watch
from newapi.relay.values import Meter, Prepared

PLAIN_LIMIT = 256 * 1024 * 1024
"""Bytes a whole answer may have: pictures come inlined."""

Estimate = Callable[[], Usage]
"""Returns the usage to state where the upstream stated none."""
Filter = Callable[[Iterable[Event]], Iterable[Event]]
"""A step between a reader and a writer."""


class Answer:
    """How one prepared attempt's answer is told to the caller."""

    def __init__(self, prepared: Prepared, entry: Format, options: WriterOptions, meter: Meter) -> None:
        self._prepared = prepared
        self._entry = entry
        self._upstream = prepared.upstream
        self._options = options
        self._meter = meter
        self._tags = prepared.channel.spec.thinking_to_content
        self._tools = prepared.tools

    def _filters(self) -> list[Filter]:
        filters: list[Filter] = [ToolsAsAsked(self._tools)] if self._tools else []
        return [*filters, ThinkingToContent()] if self._tags else filters

    # -- whole -------------------------------------------------------------------------

    async def whole(self, reply: Reply, estimate: Estimate) -> bytes:
        """Return the caller's body.

        Raises:
            UpstreamError: The answer is an error, or makes no sense.
        """
        raw = await reply.read(PLAIN_LIMIT)
        if reply.headers.get("content-type", "").startswith("text/event-stream") and self._upstream.reader is not None:
            return self._folded(raw, estimate)
        upstream, entry = self._upstream, self._entry
        if self._prepared.verbatim:
            usage = upstream.read_usage(raw)
            if usage is not None and not estimate_due(usage):
                self._meter.usage, self._meter.stated = usage, True
                return raw
            if upstream.read_response is None or upstream.write_response is None:
                return raw
            response = upstream.read_response(raw)
            note_response(self._meter, response)
            return self._with_usage(raw, response, estimate())
        if upstream.read_response is None or entry.write_response is None:
            raise UpstreamError(f"a {upstream.name} answer cannot be told as {entry.name}", kind="malformed")
        return self._write(upstream.read_response(raw), estimate)

    def _folded(self, raw: bytes, estimate: Estimate) -> bytes:
        """An upstream that streams although it was not asked to."""
        assert self._upstream.reader is not None  # noqa: S101  (the caller looked)
        reader, framer = self._upstream.reader(), SseFramer()
        events = [e for f in (*framer.feed(raw), *framer.close()) for e in reader.feed(f)]
        return self._write(fold([*events, *reader.close()]), estimate)

    def _write(self, response: object, estimate: Estimate) -> bytes:
        note_response(self._meter, response)
        if estimate_due(response.usage):  # type: ignore[attr-defined]  # every canonical answer has one
            response = replace(response, usage=estimate())  # type: ignore[type-var]
        if self._tools:
            response = tools_as_asked(response, self._tools)  # type: ignore[arg-type]
        if self._tags:
            response = thinking_to_content(response)  # type: ignore[arg-type]
        assert self._entry.write_response is not None  # noqa: S101
        return self._entry.write_response(response, self._options)

    def _with_usage(self, raw: bytes, response: object, usage: Usage) -> bytes:
        """`raw` with the usage that the upstream did not state, in the format's own words."""
        assert self._upstream.write_response is not None  # noqa: S101
        told = Body(self._upstream.write_response(replace(response, usage=usage), self._options))  # type: ignore[type-var]
        body = Body(raw)
        for key in ("usage", "usageMetadata"):
            if key in told:
                body.set(key, told.get(key))
        return body.encode()

    # -- in pieces -------------------------------------------------------------------------

    def stream(self) -> Stream:
        """Return the translator of a stream."""
        entry, upstream = self._entry, self._upstream
        assert upstream.reader is not None  # noqa: S101  (formats without one do not stream)
        reader = upstream.reader()
        if self._prepared.verbatim:
            make = entry.frame_filter
            return VerbatimStream(reader, self._meter, entry, self._options, make(self._options) if make else None)
        assert entry.writer is not None  # noqa: S101
        return ConvertedStream(reader, self._meter, entry.writer(self._options), self._filters())

    def unfolded(self, raw: bytes, estimate: Estimate) -> bytes:
        """Return a whole stream for an upstream that answered at once although a stream was asked for.

        Raises:
            UpstreamError: The answer is an error, or makes no sense.
        """
        upstream, entry = self._upstream, self._entry
        if upstream.read_response is None or entry.writer is None:
            raise UpstreamError(f"a {upstream.name} answer cannot be told as a {entry.name} stream", kind="malformed")
        response = upstream.read_response(raw)
        events: Iterable[Event] = unfold(response) if isinstance(response, Response) else unfold_pictures(response)
        note_response(self._meter, response)
        if estimate_due(response.usage) and (usage := upstream.read_usage(raw)) is not None and usage.total:
            self._meter.usage, self._meter.stated = usage, True  # what the format says is billed where none is stated
        if isinstance(response, Response):
            for step in self._filters():
                events = step(events)
        writer = entry.writer(self._options)
        out = [writer.write(e) for e in events]
        if estimate_due(response.usage):
            out.append(writer.write(Metered(estimate())))
        return b"".join((*out, writer.close()))


class Stream:
    """Pieces of the upstream's stream in, pieces of the caller's out."""

    def __init__(self, reader: Reader, meter: Meter) -> None:
        self._reader = reader
        self._meter = meter
        self._framer = SseFramer()
        self.ended = False
        """Whether the upstream has said that nothing more will come; it may still keep the connection open."""

    def feed(self, piece: bytes) -> bytes:
        """Return what `piece` makes.

        Raises:
            Broken: The stream says that it failed.
        """
        return self._frames(self._framer.feed(piece))

    def close(self, estimate: Estimate) -> bytes:
        """Return what the end of the upstream's stream makes: the end of the caller's.

        Raises:
            Broken: The stream stopped before its end.
        """
        raise NotImplementedError

    def _frames(self, frames: Iterable[Frame]) -> bytes:
        raise NotImplementedError


class Broken(UpstreamError):
    """A stream failed; `before` is what of it may still go out."""

    def __init__(self, error: UpstreamError, before: bytes) -> None:
        super().__init__(
            error.message,
            kind=error.kind,
            upstream_status=error.upstream_status,
            status=error.status,
            code=error.code,
            type=error.type,
            param=error.param,
            retry_after=error.retry_after,
        )
        self.before = before


class VerbatimStream(Stream):
    """Both sides speak the same: whole frames go through, and are read on the way."""

    def __init__(
        self,
        reader: Reader,
        meter: Meter,
        format: Format,
        options: WriterOptions,
        keep: Callable[[Frame], bytes] | None,
    ) -> None:
        super().__init__(reader, meter)
        self._format = format
        self._options = options
        self._keep = keep
        self._ending = format.ending

    def _frames(self, frames: Iterable[Frame]) -> bytes:
        out: list[bytes] = []
        for frame in frames:
            if self._ending and frame.data == b"[DONE]":
                # Held back: a usage that the upstream did not state has to go out before it.
                self.ended = True
                break
            failed = watch(self._meter, self._reader.feed(frame))
            if failed is not None:
                raise Broken(failed.error, b"".join(out))
            out.append(self._keep(frame) if self._keep is not None else sse.write(frame.data, frame.event))
        return b"".join(out)

    def close(self, estimate: Estimate) -> bytes:
        out = [self._frames(self._framer.close())]
        if self.ended:
            for event in self._reader.feed(Frame("", b"[DONE]")):
                watch(self._meter, (event,))
        failed = watch(self._meter, self._reader.close())
        if failed is not None:
            raise Broken(failed.error, out[0])
        if self._format.usage_frame is not None and self._options.include_usage and not self._meter.usage.total:
            out.append(self._format.usage_frame(estimate(), self._options))
        out.append(self._ending)
        return b"".join(out)


class ConvertedStream(Stream):
    """The two sides speak differently: frames are read into events, and events written out of them."""

    def __init__(self, reader: Reader, meter: Meter, writer: Writer, filters: list[Filter]) -> None:
        super().__init__(reader, meter)
        self._writer = writer
        self._filters = filters

    def _frames(self, frames: Iterable[Frame]) -> bytes:
        out: list[bytes] = []
        for frame in frames:
            self._events(self._reader.feed(frame), out)
        return b"".join(out)

    def close(self, estimate: Estimate) -> bytes:
        out = [self._frames(self._framer.close())]
        self._events(self._reader.close(), out)
        if not self._meter.usage.total:
            out.append(self._writer.write(Metered(estimate())))
        out.append(self._writer.close())
        return b"".join(out)

    def _events(self, events: Iterable[Event], out: list[bytes]) -> None:
        taken: list[Event] = list(events)
        failed = watch(self._meter, taken)
        told: Iterable[Event] = taken
        for step in self._filters:
            told = step(told)
        for event in told:
            if not isinstance(event, Failed):
                out.append(self._writer.write(event))
        if failed is not None:
            raise Broken(failed.error, b"".join(out))
