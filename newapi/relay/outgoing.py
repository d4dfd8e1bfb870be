"""What goes out to a caller, in its own format: heads of answers, signs of life, refusals."""

from __future__ import annotations

import math

from newapi.base.errors import NewapiError, UpstreamError
from newapi.base.standing import Standing
from newapi.net.client import Reply
from newapi.relay.gateway import Gateway
from newapi.relay.limits import LimitReached
from newapi.relay.values import Ingress, Sink

PASSED_ON = ("retry-after", "retry-after-ms", "openai-processing-ms")
_LIMIT_HEADERS = ("x-ratelimit-", "anthropic-ratelimit-", "ratelimit")
_STREAM_HEADERS = (("content-type", "text/event-stream"), ("cache-control", "no-cache"), ("x-accel-buffering", "no"))


class Outgoing:
    """The way of one request's answer to its caller. The pieces of a stream go into the sink as they are."""

    def __init__(self, ingress: Ingress, gateway: Gateway, sink: Sink) -> None:
        """Take the request, what the process shares, and where the answer goes."""
        self._ingress = ingress
        self._gateway = gateway
        self._sink = sink
        self.standing: Standing | None = None
        """Where the caller stands with its limits, None where nothing limits it."""
        self.model = ""
        """Who is asked, where that is not the model that the caller asked for."""

    async def whole(self, reply: Reply, kind: str, body: bytes) -> None:
        """Tell an upstream's answer at once; `kind` is its content type."""
        await self._sink.whole(200, [("content-type", kind), *self._about(reply)], body)

    async def begin(self, reply: Reply) -> None:
        """Begin the stream of an upstream's answer, unless it has begun."""
        if not self._sink.started:
            await self._sink.start(200, [*_STREAM_HEADERS, *self._about(reply)])

    async def keepalive(self) -> None:
        """Show that the request is alive while its upstream is silent, where the format has a word for that."""
        if not self._ingress.format.keepalive:
            return
        if not self._sink.started:
            await self._sink.start(200, [*_STREAM_HEADERS, self._id(), *self._limits(self.standing)])
        await self._sink.write(self._ingress.format.keepalive)
        self._gateway.tally.kept_alive(self._ingress.route.endpoint)

    async def counted(self, tokens: int) -> None:
        """Tell a number of tokens that we counted ourselves; the format has a way to say it."""
        assert self._ingress.format.write_count is not None  # noqa: S101  (the caller looked)
        body = self._ingress.format.write_count(tokens)
        await self._sink.whole(200, [("content-type", "application/json"), self._id()], body)

    async def refuse(self, error: NewapiError) -> None:
        """Tell what went wrong: as an answer, or as the end of a stream begun."""
        entry, request_id = self._ingress.format, self._ingress.request_id
        if self._sink.started:
            await self._sink.end(entry.error_frame(error, request_id) if entry.error_frame else b"")
            return
        headers = [("content-type", "application/json"), self._id()]
        if isinstance(error, UpstreamError):
            headers += error.headers
        elif isinstance(error, LimitReached):
            headers += self._limits(error.standing)
        if error.retry_after is not None and not any(k == "retry-after" for k, _ in headers):
            headers.append(("retry-after", str(max(1, math.ceil(error.retry_after)))))
        await self._sink.whole(error.status, headers, entry.write_error(error, request_id))

    def _about(self, reply: Reply) -> list[tuple[str, str]]:
        headers = [self._id()]
        if self.model:
            headers.append(("x-newapi-model", self.model))
        if self.standing is None:
            return headers + passed_on(reply)
        # The caller's own limits are what it is to go by, not those of the channel.
        headers += [(k, v) for k, v in reply.headers.items() if k in PASSED_ON]
        return headers + self._limits(self.standing)

    def _id(self) -> tuple[str, str]:
        return "x-oneapi-request-id", self._ingress.request_id

    def _limits(self, standing: Standing | None) -> list[tuple[str, str]]:
        return [] if standing is None else self._ingress.format.limit_headers(standing, self._gateway.clock())


def passed_on(reply: Reply) -> list[tuple[str, str]]:
    """Return the headers of an upstream that are meant for the caller: when to come again, and its limits."""
    return [(k, v) for k, v in reply.headers.items() if k in PASSED_ON or k.startswith(_LIMIT_HEADERS)]


def content_type(reply: Reply, body: bytes) -> str:
    """Return what an answer is: JSON, whatever the upstream calls it; a transcript may be text or subtitles."""
    return "application/json" if body[:1] in (b"{", b"[") else reply.headers.get("content-type", "application/json")


def is_json(reply: Reply) -> bool:
    """Return whether an answer says that it is JSON."""
    return reply.headers.get("content-type", "").startswith("application/json")


def is_text(reply: Reply) -> bool:
    """Return whether an answer is JSON, or may be: some upstreams name no content type, or a wrong one."""
    kind = reply.headers.get("content-type", "")
    return not kind.startswith(("audio/", "image/", "video/", "application/octet-stream"))
