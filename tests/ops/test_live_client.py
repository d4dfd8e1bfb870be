from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newapi.base.errors import CallerError, NewapiError, NotFound
from newapi.base.secret import Secret
from newapi.ops import live_client
from newapi.ops.live import Gap, Hello, Link, Stats, Told, sse
from newapi.ops.live_client import WAITS, Blocks, watch
from tests.support.live import recording
from tests.support.stack import on_a_port

TOLD = list(recording(1))
WIRE = b": hello\n\n" + b"".join(sse(t.event, t.id) for t in TOLD)


class Scripted:
    """A server that gives each connection the next of its answers: (status, content type, body)."""

    def __init__(self, *answers: tuple[int, str, bytes]) -> None:
        self.answers = list(answers)
        self.asked: list[dict[str, str]] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        headers = {k.decode(): v.decode() for k, v in scope["headers"]}
        self.asked.append({**headers, "path": scope["path"], "query": scope["query_string"].decode()})
        status, kind, body = self.answers.pop(0) if self.answers else (503, "text/plain", b"")
        sent = [(b"content-type", kind.encode())]
        await send({"type": "http.response.start", "status": status, "headers": sent})
        await send({"type": "http.response.body", "body": body})


def stream(*told: Told) -> tuple[int, str, bytes]:
    return 200, "text/event-stream; charset=utf-8", b"".join(sse(t.event, t.id) for t in told)


class Waits:
    """Takes no time; after so many waits the test is over."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)
        if len(self.seconds) == self.most:
            raise EOFError


async def gather(events: AsyncIterator[Told]) -> list[Told]:
    got: list[Told] = []
    try:
        async for told in events:
            got.append(told)
    except EOFError:
        pass
    return got


async def test_what_is_told_arrives_and_a_broken_connection_goes_on_where_it_broke() -> None:
    server = Scripted(stream(*TOLD[:5]), stream(*TOLD[5:8]))
    waits = Waits(2)
    with on_a_port(server) as url:
        got = await gather(watch(url, Secret("t"), topics=("stats", "logs"), range="1h", sleep=waits))
    assert [t for t in got if not isinstance(t.event, Link)] == TOLD[:8]
    links = [t.event.state for t in got if isinstance(t.event, Link)]
    assert links == ["connecting", "connected", "lost"] * 2
    first, second = server.asked
    assert (first["path"], first["query"]) == ("/api/stream", "topics=stats%2Clogs&range=1h")
    assert first["authorization"] == "Bearer t"
    assert "last-event-id" not in first
    assert second["last-event-id"] == TOLD[4].id
    assert waits.seconds == [WAITS[0], WAITS[0]]  # what was told in between makes it begin again


async def test_a_server_that_is_away_is_waited_for_longer_and_longer_and_it_is_said() -> None:
    waits = Waits(len(WAITS) + 2)
    with on_a_port(Scripted()) as url:
        pass
    got = await gather(watch(url, sleep=waits))
    assert waits.seconds == [*WAITS, WAITS[-1], WAITS[-1]]
    lost = [t.event for t in got if isinstance(t.event, Link) and t.event.state == "lost"]
    assert [link.retry_in for link in lost] == waits.seconds
    assert all(link.message and link.where == url for link in lost)


@pytest.mark.parametrize(
    ("answer", "error", "says"),
    [
        ((401, "application/json", b'{"success":false,"message":"who"}'), CallerError, "who"),
        ((403, "application/json", b'{"success":false,"message":"not you"}'), CallerError, "not you"),
        ((200, "application/json", b'{"success":false,"message":"invalid access token"}'), CallerError, "invalid"),
        ((404, "application/json", b'{"success":false,"message":"Invalid URL"}'), NotFound, "Invalid URL"),
        ((200, "text/html", b"<html>"), NewapiError, "no live stream"),
        ((200, "text/event-stream", b'event: stats\ndata: {"at":"x"}\n\n'), CallerError, "not understood"),
    ],
)
async def test_a_refusal_is_final(answer: tuple[int, str, bytes], error: type[Exception], says: str) -> None:
    with on_a_port(Scripted(answer)) as url, pytest.raises(error, match=says):
        await gather(watch(url, sleep=Waits(1)))


@pytest.mark.parametrize("status", [500, 502, 503])
async def test_a_server_that_cannot_at_the_moment_is_asked_again(status: int) -> None:
    server = Scripted((status, "text/plain", b"busy"), stream(*TOLD[:1]))
    with on_a_port(server) as url:
        got = await gather(watch(url, sleep=Waits(2)))
    assert TOLD[0] in got
    assert f"answered {status}" in next(t.event.message for t in got if isinstance(t.event, Link) and t.event.message)


async def test_a_socket_without_a_server_is_a_server_that_is_away(tmp_path: Any) -> None:
    got = await gather(watch(f"unix:{tmp_path}/none.sock", sleep=Waits(1)))
    assert [t.event.state for t in got if isinstance(t.event, Link)] == ["connecting", "lost"]


async def test_silence_is_a_lost_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_client, "SILENCE_SECONDS", 0.05)

    async def silent(scope: Any, receive: Any, send: Any) -> None:
        head = [(b"content-type", b"text/event-stream")]
        await send({"type": "http.response.start", "status": 200, "headers": head})
        await send({"type": "http.response.body", "body": sse(TOLD[0].event, "a.1"), "more_body": True})
        while (await receive())["type"] != "http.disconnect":
            pass

    with on_a_port(silent) as url:
        got = await gather(watch(url, sleep=Waits(1)))
    assert isinstance(got[2].event, Hello)
    assert isinstance(got[-1].event, Link)
    assert "nothing for" in got[-1].event.message


async def test_closing_the_watch_hangs_up() -> None:
    gone: list[bool] = []

    async def endless(scope: Any, receive: Any, send: Any) -> None:
        head = [(b"content-type", b"text/event-stream")]
        await send({"type": "http.response.start", "status": 200, "headers": head})
        await send({"type": "http.response.body", "body": sse(Gap("old"), "a.1"), "more_body": True})
        await receive()
        gone.append((await receive())["type"] == "http.disconnect")

    with on_a_port(endless) as url:
        async with aclosing(watch(url)) as events:
            async for told in events:
                if isinstance(told.event, Gap):
                    break
    assert gone == [True]


@given(cuts=st.lists(st.integers(0, len(WIRE)), max_size=8))
def test_where_the_bytes_are_cut_does_not_matter(cuts: list[int]) -> None:
    blocks, places = Blocks(), [0, *sorted(cuts), len(WIRE)]
    pieces = [WIRE[a:b] for a, b in itertools.pairwise(places)]
    got = [event for piece in pieces for event in blocks.feed(piece)]
    assert [id for id, _, _ in got] == [t.id for t in TOLD]


async def test_line_separators_of_unicode_are_not_lines() -> None:
    told = Told("a.1", Stats(at=1, models=()))
    odd = Told("a.2", Link("lost", "x", "one two\x85three"))
    with on_a_port(Scripted(stream(told, odd))) as url:
        got = await gather(watch(url, sleep=Waits(1)))
    assert odd in got
