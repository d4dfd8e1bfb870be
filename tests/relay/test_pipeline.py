"""One request from end to end: real sockets upstream, a sink that remembers, a ledger that counts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from newapi.relay.gateway import Limits
from newapi.relay.ledger import Balances
from newapi.relay.pipeline import STOPPING, relay
from newapi.relay.snapshot import Channel, Models
from newapi.relay.values import Ingress
from tests.relay.world import KEY, FakeSink, World, channel, ingress, snapshot, token, user
from tests.support.upstream import Conversation, Handler, Upstream, serving

MODELS = {"gpt-4o": {"input": "2", "output": "8"}, "paint": {"price": "0.04"}}
CHAT = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}]}
ENTRIES = {
    "openai_chat": CHAT,
    "openai_responses": {"model": "gpt-4o", "input": "hi"},
    "anthropic_messages": {"model": "gpt-4o", "max_tokens": 99, "messages": [{"role": "user", "content": "hi"}]},
    "gemini": {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]},
}
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
HELD = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 5, "model": "gpt-4o"}
USAGE = {"prompt_tokens": 10, "completion_tokens": 4, "total_tokens": 14}
COST = 10 * 1 + 4 * 4
"""Quota of `USAGE`: $2 and $8 a million tokens are 1 and 4 a token."""


def entry(format: str, *, stream: bool, **more: Any) -> Ingress:
    body = {**ENTRIES[format], **more}
    if format != "gemini":
        return ingress(format, {**body, "stream": stream} if stream else body)
    action = "streamGenerateContent" if stream else "generateContent"
    path = f"/v1beta/models/{{model}}:{action}"
    return ingress(format, body, path=path, model="gpt-4o", action=action, alt="sse" if stream else "")


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def event(delta: dict[str, Any], finish: str | None = None, **more: Any) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return b"data: %s\n\n" % msgspec.json.encode({**HELD, "choices": [choice], **more})


ROLE = event({"role": "assistant", "content": ""})
STATED = b"data: %s\n\n" % msgspec.json.encode({**HELD, "choices": [], "usage": USAGE})
DONE = b"data: [DONE]\n\n"


def whole(text: str = "hello", **more: Any) -> bytes:
    message = {"role": "assistant", "content": text}
    body = {
        **HELD,
        "object": "chat.completion",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": USAGE,
    }
    return msgspec.json.encode({**body, **more})


def says(*frames: bytes, end: bool = True) -> Handler:
    """Stream `frames`, each a chunk; `end` ends the body, otherwise the connection breaks."""

    async def handler(c: Conversation) -> None:
        await c.request()
        await c.send(HEAD)
        for frame in frames:
            await c.send(chunk(frame))
        if end:
            await c.send(b"0\r\n\r\n")

    return handler


def answers(body: bytes, status: int = 200, headers: str = "content-type: application/json\r\n") -> Handler:
    async def handler(c: Conversation) -> None:
        while True:
            await c.request()
            await c.answer(body, status=status, headers=headers)

    return handler


def fails(status: int, message: str = "no", headers: str = "content-type: application/json\r\n") -> Handler:
    return answers(msgspec.json.encode({"error": {"message": message, "type": "t", "code": "c"}}), status, headers)


async def hangs_up(c: Conversation) -> None:
    await c.request()


STREAMED = says(ROLE, event({"content": "hel"}), event({"content": "lo"}), event({}, "stop"), STATED, DONE)


class Stage:
    """A gateway whose channels are scripted: the first handler has the highest priority, and so on."""

    def __init__(self, world: World, upstreams: list[Upstream]) -> None:
        self.world = world
        self.upstreams = upstreams
        self.sink = FakeSink()

    async def ask(self, request: Ingress) -> FakeSink:
        await relay(request, self.world.gateway, self.sink)
        assert self.sink.ended
        return self.sink

    async def again(self) -> FakeSink:
        """Ask for a plain answer once more."""
        self.sink = FakeSink()
        return await self.ask(entry("openai_chat", stream=False))

    def row(self) -> Any:
        (settlement,) = self.world.rows()
        assert self.world.ledger._held_tokens[1] == self.world.ledger._held_users[1] == 0
        return settlement.record

    def tried(self) -> list[str]:
        """Return the channels that were asked, of all requests."""
        return [t["channel"] for s in self.world.rows() for t in msgspec.json.decode(s.record.tries)]


Staging = Callable[..., Awaitable[Stage]]


@pytest.fixture
async def staged(tmp_path: Path) -> AsyncIterator[Staging]:
    async with AsyncExitStack() as exits:

        async def make(
            *handlers: Handler,
            limits: Limits | None = None,
            routing: dict[str, Any] | None = None,
            billing: dict[str, Any] | None = None,
            prices: dict[str, Any] | None = None,
            each: dict[int, dict[str, Any]] | None = None,
            **spec: Any,
        ) -> Stage:
            upstreams: list[Upstream] = []
            channels: list[Channel] = []
            for n, handler in enumerate(handlers):
                up = await exits.enter_async_context(serving(handler))
                upstreams.append(up)
                about = {"models": ["*"], "formats": ["openai_chat"], "priority": -n, **spec, **(each or {}).get(n, {})}
                channels.append(channel(n + 1, base_url=up.url, **about))
            picture = snapshot(
                channels,
                tokens={KEY: token(unlimited=False)},
                users=[user(unlimited=False)],
                models=prices or MODELS,
                routing=routing,
                billing=billing,
            )
            world = World(tmp_path, picture, limits)
            exits.callback(world.ledger.stop)
            exits.push_async_callback(world.close)
            return Stage(world, upstreams)

        yield make


# -- it works --------------------------------------------------------------------------------


@pytest.mark.parametrize("format", ENTRIES)
async def test_a_plain_answer(staged: Staging, format: str) -> None:
    stage = await staged(answers(whole()))
    sink = await stage.ask(entry(format, stream=False))
    assert (sink.status, sink.headers["content-type"]) == (200, "application/json")
    assert sink.headers["x-oneapi-request-id"] == "req-1"
    assert b"hello" in sink.body
    row = stage.row()
    assert (row.status, row.kind, row.quota, row.end_reason) == (200, "consume", COST, "done")
    assert (row.prompt_tokens, row.completion_tokens, row.channel_name) == (10, 4, "c1")


@pytest.mark.parametrize("format", ENTRIES)
async def test_a_streamed_answer(staged: Staging, format: str) -> None:
    stage = await staged(STREAMED)
    sink = await stage.ask(entry(format, stream=True))
    assert (sink.status, sink.headers["content-type"]) == (200, "text/event-stream")
    assert b"hel" in sink.body
    row = stage.row()
    assert (row.quota, row.end_reason, row.stream) == (COST, "done", True)


async def test_our_own_text_goes_through_verbatim(staged: Staging) -> None:
    body = whole(odd={"kept": [1.50, "é"]})
    sink = await (await staged(answers(body))).ask(entry("openai_chat", stream=False))
    assert sink.body == body


# -- failover ----------------------------------------------------------------------------------


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    "bad",
    [
        fails(500),
        fails(429),
        fails(401),
        hangs_up,
        answers(b"<html>not JSON</html>"),
        answers(b'{"error": {"message": "overloaded", "type": "server_error"}}'),
    ],
    ids=["500", "429", "401", "hangs up", "nonsense", "error inside 200"],
)
async def test_another_channel_answers_for_one_that_fails(staged: Staging, bad: Handler, stream: bool) -> None:
    stage = await staged(bad, STREAMED if stream else answers(whole()))
    sink = await stage.ask(entry("openai_chat", stream=stream))
    assert sink.status == 200
    assert b"overloaded" not in sink.body
    assert stage.tried() == ["c1", "c2"]
    assert stage.row().quota == COST
    assert stage.row().channel_name == "c2"


@pytest.mark.parametrize(
    "bad",
    [
        says(ROLE, end=False),
        says(end=False),
        says(ROLE),
        says(b'data: {"error": {"message": "overloaded", "type": "server_error"}}\n\n'),
        says(ROLE, b'data: {"error": {"message": "overloaded", "type": "server_error"}}\n\n'),
        says(b"data: nonsense\n\n"),
    ],
    ids=["cut after the role", "cut at once", "ends after the role", "error", "error after the role", "nonsense"],
)
@pytest.mark.parametrize("format", ENTRIES)
async def test_a_stream_that_fails_before_it_says_anything_is_another_s(
    staged: Staging, bad: Handler, format: str
) -> None:
    stage = await staged(bad, STREAMED)
    sink = await stage.ask(entry(format, stream=True))
    assert sink.status == 200
    assert b"hel" in sink.body
    assert b"overloaded" not in sink.body
    assert stage.tried() == ["c1", "c2"]
    assert stage.row().quota == COST


async def test_channels_are_tried_in_order_until_the_tries_are_used_up(staged: Staging) -> None:
    stage = await staged(fails(500), fails(502), fails(503, "the third"), fails(500), routing={"retries": 2})
    sink = await stage.ask(entry("openai_chat", stream=False))
    assert stage.tried() == ["c1", "c2", "c3"]
    assert [u.connections for u in stage.upstreams] == [1, 1, 1, 0]
    assert sink.status == 503
    assert "the third" in sink.json["error"]["message"]
    row = stage.row()
    assert (row.kind, row.quota, row.status, row.end_reason) == ("error", 0, 503, "error")


@pytest.mark.parametrize("status", [400, 404, 413, 422])
async def test_what_is_the_caller_s_fault_is_not_tried_again(staged: Staging, status: int) -> None:
    stage = await staged(fails(status), answers(whole()))
    sink = await stage.ask(entry("openai_chat", stream=False))
    assert sink.status == status
    assert stage.upstreams[1].connections == 0


async def test_nothing_is_tried_again_after_the_first_word(staged: Staging) -> None:
    stage = await staged(says(ROLE, event({"content": "hel"}), end=False), STREAMED)
    sink = await stage.ask(entry("openai_chat", stream=True))
    assert stage.tried() == ["c1"]
    assert stage.upstreams[1].connections == 0
    assert sink.body.count(b'"hel"') == 1


@pytest.mark.parametrize(
    "cut",
    [
        says(ROLE, event({"content": "hel"}), end=False),
        says(ROLE, event({"content": "hel"})),
        says(ROLE, event({"content": "hel"}), b'data: {"error": {"message": "broke", "type": "server_error"}}\n\n'),
        says(ROLE, event({"content": "hel"}) + b'data: {"error": {"message": "broke", "type": "server_error"}}\n\n'),
    ],
    ids=["connection", "end missing", "error", "error in the same read"],
)
@pytest.mark.parametrize(
    ("format", "mark"),
    [
        ("openai_chat", b'data: {"error":'),
        ("openai_responses", b"event: error\n"),
        ("anthropic_messages", b"event: error\n"),
        ("gemini", b'"error":'),
    ],
)
async def test_a_cut_after_the_first_word_is_told_in_the_caller_s_format(
    staged: Staging, cut: Handler, format: str, mark: bytes
) -> None:
    stage = await staged(cut)
    sink = await stage.ask(entry(format, stream=True))
    assert sink.status == 200
    before, found, _ = sink.body.partition(mark)
    assert found
    assert b"hel" in before
    assert sink.body.count(mark) == 1
    row = stage.row()
    assert (row.status, row.kind, row.end_reason) == (200, "consume", "upstream_broken")
    assert row.quota > 0
    assert row.error


@pytest.mark.parametrize(("broken", "charged"), [("received", True), ("prompt", True), ("nothing", False)])
async def test_what_a_broken_stream_costs_is_the_operator_s_choice(staged: Staging, broken: str, charged: bool) -> None:
    stage = await staged(says(ROLE, event({"content": "hello there"}), end=False), billing={"broken_stream": broken})
    await stage.ask(entry("openai_chat", stream=True))
    row = stage.row()
    assert (row.quota > 0) is charged
    assert (row.completion_tokens > 0) is (broken == "received")


async def test_an_upstream_that_says_how_long_to_wait_is_left_alone_so_long(staged: Staging) -> None:
    wait = "content-type: application/json\r\nretry-after: 7\r\n"
    stage = await staged(fails(429, headers=wait), answers(whole()))
    for sink in [await stage.ask(entry("openai_chat", stream=False)), await stage.again()]:
        assert sink.status == 200
    assert stage.tried() == ["c1", "c2", "c2"]


async def test_where_everybody_said_to_wait_they_are_asked_all_the_same(staged: Staging) -> None:
    wait = "content-type: application/json\r\nretry-after: 7\r\n"
    stage = await staged(fails(429, headers=wait), fails(429, headers=wait.replace("7", "9")), models=["gpt-4o", "x"])
    for sink in [await stage.ask(entry("openai_chat", stream=False)), await stage.again()]:
        assert (sink.status, sink.headers["retry-after"]) == (429, "9")
    assert stage.tried() == ["c1", "c2", "c1", "c2"]


async def test_what_one_channel_cannot_say_goes_to_the_next(staged: Staging) -> None:
    """Rerank is nothing that Anthropic has a path for."""
    ranked = b'{"results": [{"index": 0, "relevance_score": 0.5}], "usage": {"total_tokens": 3, "prompt_tokens": 3}}'
    stage = await staged(
        hangs_up, answers(ranked), formats=[], each={0: {"type": "anthropic"}, 1: {"type": "siliconflow"}}
    )
    body = {"model": "gpt-4o", "query": "q", "documents": ["d"]}
    sink = await stage.ask(ingress("rerank", body))
    assert sink.status == 200
    assert stage.upstreams[0].connections == 0
    assert stage.tried() == ["c1", "c2"]


async def test_a_channel_that_cannot_say_it_uses_up_no_try(staged: Staging) -> None:
    stage = await staged(
        hangs_up, fails(500, "the upstream's own"), formats=[], routing={"retries": 0}, each={0: {"type": "anthropic"}}
    )
    sink = await stage.ask(ingress("embeddings", {"model": "gpt-4o", "input": "x"}))
    assert stage.tried() == ["c1", "c2"]
    assert "own" in sink.json["error"]["message"]


async def test_where_no_channel_can_say_it_the_reason_is_told(staged: Staging) -> None:
    stage = await staged(hangs_up, formats=[], type="anthropic")
    sink = await stage.ask(ingress("embeddings", {"model": "gpt-4o", "input": "x"}))
    assert (sink.status, sink.json["error"]["code"]) == (503, "unsupported_endpoint")
    assert stage.row().quota == 0


async def test_the_other_key_of_a_channel_comes_after_the_other_channels(staged: Staging) -> None:
    seen: list[str] = []

    async def picky(c: Conversation) -> None:
        while True:
            _, headers, _ = await c.request()
            seen.append(headers["authorization"])
            good = headers["authorization"].endswith("good")
            await c.answer(whole() if good else b'{"error": {"message": "bad key"}}', status=200 if good else 401)

    stage = await staged(picky, keys=("up-bad", "up-good"))
    assert (await stage.ask(entry("openai_chat", stream=False))).status == 200
    assert seen == ["Bearer up-bad", "Bearer up-good"]


# -- errors ------------------------------------------------------------------------------------


async def test_a_status_is_mapped_and_the_log_has_the_upstream_s(staged: Staging) -> None:
    stage = await staged(fails(404), status_mapping={"404": 418})
    assert (await stage.ask(entry("openai_chat", stream=False))).status == 418
    assert msgspec.json.decode(stage.row().tries)[0]["status"] == 404


async def test_a_mapped_status_decides_about_the_next_channel_too(staged: Staging) -> None:
    stage = await staged(fails(404), answers(whole()), each={0: {"status_mapping": {"404": 500}}})
    assert (await stage.ask(entry("openai_chat", stream=False))).status == 200


LIMITS = (
    "content-type: application/json\r\nretry-after: 7\r\nx-ratelimit-remaining-requests: 0\r\n"
    "anthropic-ratelimit-tokens-limit: 9\r\nx-request-id: theirs\r\nset-cookie: a=b\r\nserver: cloud\r\n"
)
PASSED = {"retry-after": "7", "x-ratelimit-remaining-requests": "0", "anthropic-ratelimit-tokens-limit": "9"}


@pytest.mark.parametrize("handler", [fails(429, headers=LIMITS), answers(whole(), headers=LIMITS)], ids=["429", "200"])
async def test_limits_are_passed_on_and_nothing_else(staged: Staging, handler: Handler) -> None:
    sink = await (await staged(handler)).ask(entry("openai_chat", stream=False))
    assert PASSED.items() <= sink.headers.items()
    assert not {"x-request-id", "set-cookie", "server"} & sink.headers.keys()


@pytest.mark.parametrize("stream", [False, True])
async def test_keys_of_any_shape_and_addresses_are_hidden(staged: Staging, stream: bool) -> None:
    key = "unusual:Key/of+no=shape"
    stage = await staged(fails(400, f"the key {key} of http://upstream.example.com/x is bad"), keys=(key,))
    sink = await stage.ask(entry("openai_chat", stream=stream))
    row = stage.row()
    for text in (sink.body.decode(), row.error, row.tries):
        assert "is bad" in text
        assert key not in text
        assert "upstream.example" not in text


@pytest.mark.parametrize("format", ENTRIES)
async def test_a_key_inside_a_stream_is_hidden_too(staged: Staging, format: str) -> None:
    key = "unusual:Key/of+no=shape"
    broken = msgspec.json.encode({"error": {"message": f"bad {key}", "type": "server_error"}})
    stage = await staged(says(ROLE, event({"content": "hel"}), b"data: " + broken + b"\n\n"), keys=(key,))
    sink = await stage.ask(entry(format, stream=True))
    assert b"bad ***" in sink.body
    assert key not in sink.body.decode() + stage.row().error + stage.row().tries


async def test_a_failure_of_ours_is_not_logged_as_the_caller_s(
    staged: Staging, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = await staged(answers(whole()))

    def fail(*_: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("newapi.relay.attempt.Attempts.prepare", fail)
    with pytest.raises(ZeroDivisionError):
        await relay(entry("openai_chat", stream=False), stage.world.gateway, stage.sink)
    row = stage.row()
    assert (row.status, row.kind, row.end_reason, row.quota) == (500, "error", "error", 0)


@pytest.mark.parametrize("format", ENTRIES)
@pytest.mark.parametrize(("inner", "said"), [(b"[" * 900 + b"]" * 900, b"nested"), (b'"\xff"', b"UTF-8")])
async def test_what_no_reader_takes_is_the_caller_s_fault(
    staged: Staging, monkeypatch: pytest.MonkeyPatch, format: str, inner: bytes, said: bytes
) -> None:
    stage = await staged(answers(whole()))
    told = entry(format, stream=False)
    told = replace(told, body=told.body[:-1] + b',"x":' + inner + b"}")

    def fail(*_: Any) -> None:
        raise RecursionError

    monkeypatch.setattr("newapi.relay.attempt.Attempts.prepare", fail)
    await relay(told, stage.world.gateway, stage.sink)
    assert stage.sink.status == 400
    assert said in stage.sink.body
    assert stage.row().quota == 0


async def test_nothing_stays_set_aside_when_the_bill_cannot_be_made(
    staged: Staging, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = await staged(answers(whole()))

    def fail(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("newapi.relay.settle.charge", fail)
    with pytest.raises(ZeroDivisionError):
        await relay(entry("openai_chat", stream=False), stage.world.gateway, stage.sink)
    assert stage.world.ledger._held_tokens[1] == 0


@pytest.mark.parametrize(
    ("model", "status", "code"), [("nobody", 404, "model_not_found"), ("unpriced", 400, "model_price_error")]
)
async def test_a_model_without_channel_or_price(staged: Staging, model: str, status: int, code: str) -> None:
    stage = await staged(hangs_up, models=["gpt-4o", "unpriced"])
    sink = await stage.ask(entry("openai_chat", stream=False, model=model))
    assert (sink.status, sink.json["error"]["code"]) == (status, code)
    assert stage.world.rows() == []


async def test_who_has_too_little_is_told_before_anything_is_sent(staged: Staging) -> None:
    stage = await staged(hangs_up)
    stage.world.ledger.load(lambda: Balances({1: 3}, {1: 10**9}))
    sink = await stage.ask(entry("openai_chat", stream=False))
    assert sink.status == 403
    assert stage.upstreams[0].connections == 0
    assert stage.world.rows() == []


# -- the other kind of answer --------------------------------------------------------------------


@pytest.mark.parametrize("format", ENTRIES)
async def test_json_for_a_stream_is_told_as_a_stream(staged: Staging, format: str) -> None:
    stage = await staged(answers(whole()))
    more = {"stream_options": {"include_usage": True}} if format == "openai_chat" else {}
    sink = await stage.ask(entry(format, stream=True, **more))
    assert sink.headers["content-type"] == "text/event-stream"
    assert b"hello" in sink.body
    assert sink.body.count(b"data: ") > 1 or format == "gemini"
    assert stage.row().quota == COST


@pytest.mark.parametrize("format", ENTRIES)
async def test_a_stream_for_a_plain_request_is_told_whole(staged: Staging, format: str) -> None:
    stage = await staged(STREAMED)
    sink = await stage.ask(entry(format, stream=False))
    assert sink.headers["content-type"] == "application/json"
    assert "hello" in msgspec.json.encode(sink.json).decode()
    assert stage.row().quota == COST


@pytest.mark.parametrize("format", ENTRIES)
async def test_a_broken_stream_for_a_plain_request_is_another_channel_s(staged: Staging, format: str) -> None:
    stage = await staged(says(ROLE, event({"content": "hel"}), end=False), answers(whole()))
    sink = await stage.ask(entry(format, stream=False))
    assert sink.status == 200
    assert b"hello" in sink.body
    assert stage.tried() == ["c1", "c2"]


PAINTED = {"created": 7, "data": [{"b64_json": "QQ=="}, {"url": "http://x.test/1.png", "revised_prompt": "a cat"}]}
PAINT_USAGE = {"input_tokens": 5, "output_tokens": 6, "total_tokens": 11, "input_tokens_details": {"image_tokens": 2}}


@pytest.mark.parametrize(
    ("format", "name"), [("images", "image_generation.completed"), ("image_edits", "image_edit.completed")]
)
@pytest.mark.parametrize("usage", [None, PAINT_USAGE])
async def test_pictures_at_once_for_a_stream_are_one_event_each(
    staged: Staging, format: str, name: str, usage: dict[str, Any] | None
) -> None:
    stage = await staged(answers(msgspec.json.encode({**PAINTED, **({"usage": usage} if usage else {})})), formats=[])
    sink = await stage.ask(ingress(format, {"model": "paint", "prompt": "p", "stream": True, "n": 2}))
    *events, done, rest = sink.body.split(b"\n\n")
    assert (done, rest) == (b"data: [DONE]", b"")
    told = []
    for one in events:
        line, data = one.split(b"\n")
        assert line.decode() == f"event: {name}"
        told.append(msgspec.json.decode(data.removeprefix(b"data: ")))
    assert [t.pop("usage", None) is not None for t in told] == [False, usage is not None]
    assert told == [{"type": name, "created_at": 7, **p} for p in PAINTED["data"]]  # type: ignore[dict-item]
    assert stage.row().quota == 2 * 20_000


# -- silence and hang-ups ----------------------------------------------------------------------------


def impatient(keepalive: float) -> Limits:
    return Limits(first_byte_timeout=0.3, stream_idle_timeout=0.3, keepalive=keepalive)


@pytest.fixture
def _swept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("newapi.net.client.SWEEP_SECONDS", 0.01)


async def silent(c: Conversation) -> None:
    await c.request()
    await c.gone()


async def silent_later(c: Conversation) -> None:
    await c.request()
    await c.send(HEAD + chunk(ROLE + event({"content": "hel"})))
    await c.gone()


@pytest.mark.usefixtures("_swept")
async def test_a_silent_upstream_is_given_up(staged: Staging) -> None:
    stage = await staged(silent, limits=impatient(60))
    sink = await stage.ask(entry("openai_chat", stream=False))
    assert (sink.status, sink.json["error"]["code"]) == (504, "timeout")
    assert stage.row().quota == 0


@pytest.mark.usefixtures("_swept")
@pytest.mark.parametrize("handler", [silent, silent_later])
async def test_a_silent_stream_is_kept_alive_and_then_given_up(staged: Staging, handler: Handler) -> None:
    stage = await staged(handler, limits=impatient(0.05))
    sink = await stage.ask(entry("openai_chat", stream=True))
    assert b": keepalive\n\n" in sink.pieces
    assert b'"code":"timeout"' in sink.pieces[-1]
    assert stage.row().end_reason == ("error" if handler is silent else "upstream_broken")


@pytest.mark.usefixtures("_swept")
async def test_after_keepalives_another_channel_may_still_answer(staged: Staging) -> None:
    stage = await staged(silent, STREAMED, limits=impatient(0.05))
    sink = await stage.ask(entry("openai_chat", stream=True))
    assert sink.pieces[0] == b": keepalive\n\n"
    assert sink.body.endswith(DONE)
    assert stage.tried() == ["c1", "c2"]


TRANSCRIPT = (
    b'--b\r\ncontent-disposition: form-data; name="model"\r\n\r\ngpt-4o\r\n'
    b'--b\r\ncontent-disposition: form-data; name="stream"\r\n\r\ntrue\r\n'
    b'--b\r\ncontent-disposition: form-data; name="file"; filename="a.wav"\r\n\r\nRIFF\r\n--b--\r\n'
)


def transcription() -> Ingress:
    request, kind = ingress("transcriptions", TRANSCRIPT), "multipart/form-data; boundary=b"
    headers = {**request.headers, "content-type": kind}
    return msgspec.structs.replace(request, params={"content-type": kind}, headers=headers)


async def test_what_has_no_events_is_passed_on_as_it_is(staged: Staging) -> None:
    stage = await staged(answers(b'{"text": "hello"}'), formats=[])
    sink = await stage.ask(transcription())
    assert (sink.status, sink.body) == (200, b'{"text": "hello"}')
    assert sink.headers["content-type"] == "application/json"


async def test_sound_for_a_stream_of_sound_is_passed_on(staged: Staging) -> None:
    stage = await staged(answers(b"\xff\xfbsound", headers="content-type: audio/mpeg\r\n"), formats=[])
    body = {"model": "gpt-4o", "input": "hello", "voice": "alloy", "stream_format": "sse"}
    sink = await stage.ask(ingress("speech", body))
    assert (sink.status, sink.body, sink.headers["content-type"]) == (200, b"\xff\xfbsound", "audio/mpeg")


@pytest.mark.usefixtures("_swept")
async def test_what_has_no_events_cannot_follow_keepalives(staged: Staging) -> None:
    async def slow(c: Conversation) -> None:
        await c.request()
        while b": keepalive" not in stage.sink.body:
            await stage.sink.wrote.wait()
        await c.answer(b'{"text": "hello"}')

    stage = await staged(slow, limits=impatient(0.03), formats=[])
    sink = await stage.ask(transcription())
    assert b"event: error" in sink.pieces[-1]
    assert stage.row().quota == 0


async def cancelled_after(stage: Stage, request: Ingress, word: bytes) -> None:
    """Ask, and hang up once `word` has arrived."""
    task = asyncio.create_task(relay(request, stage.world.gateway, stage.sink))
    async with asyncio.timeout(10):
        while word not in stage.sink.body:
            await stage.sink.wrote.wait()
            stage.sink.wrote.clear()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize("format", ENTRIES)
async def test_a_caller_who_hangs_up_pays_once_for_what_came(staged: Staging, format: str) -> None:
    gone = asyncio.Event()

    async def endless(c: Conversation) -> None:
        await silent_later(c)
        gone.set()

    stage = await staged(endless)
    await cancelled_after(stage, entry(format, stream=True), b"hel")
    async with asyncio.timeout(10):
        await gone.wait()  # the upstream is told to stop
    row = stage.row()
    assert (row.status, row.kind, row.end_reason) == (200, "consume", "client_gone")
    assert row.completion_tokens == 1
    assert row.quota == row.prompt_tokens + 4
    assert not stage.sink.ended


class Watching(FakeSink):
    """Notes whether the request was charged when its end went out."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.charged: list[bool] = []
        self._world = world

    async def write(self, data: bytes) -> None:
        self.charged.append(bool(self._world.ledger._queue))
        await super().write(data)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("format", ENTRIES)
@pytest.mark.parametrize("handler", [STREAMED, answers(whole()), answers(b"{}", status=500)], ids=["s", "w", "e"])
async def test_who_has_seen_the_end_is_charged(staged: Staging, format: str, stream: bool, handler: Handler) -> None:
    stage = await staged(handler)
    stage.sink = sink = Watching(stage.world)
    await stage.ask(entry(format, stream=stream))
    assert sink.charged[-1]
    stage.row()


@pytest.mark.parametrize("format", ENTRIES)
async def test_a_server_that_cannot_wait_any_longer_tells_so(staged: Staging, format: str) -> None:
    stage = await staged(silent_later)
    task = asyncio.create_task(relay(entry(format, stream=True), stage.world.gateway, stage.sink))
    async with asyncio.timeout(10):
        while b"hel" not in stage.sink.body:
            await stage.sink.wrote.wait()
            stage.sink.wrote.clear()
    task.cancel(STOPPING)
    await task
    assert b"being stopped" in stage.sink.pieces[-1]
    row = stage.row()
    assert (row.status, row.kind, row.completion_tokens) == (200, "consume", 1)


async def test_a_caller_who_hangs_up_before_anything_came_pays_nothing(staged: Staging) -> None:
    asked, gone = asyncio.Event(), asyncio.Event()

    async def handler(c: Conversation) -> None:
        await c.request()
        asked.set()
        await c.gone()
        gone.set()

    stage = await staged(handler)
    task = asyncio.create_task(relay(entry("openai_chat", stream=True), stage.world.gateway, stage.sink))
    async with asyncio.timeout(10):
        await asked.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await gone.wait()
    row = stage.row()
    assert (row.status, row.kind, row.quota, row.end_reason) == (499, "error", 0, "client_gone")


@pytest.mark.parametrize(("model", "status"), [("gone-1", 503), ("nobody", 404)])
async def test_a_model_whose_channel_is_away_may_be_asked_for_again(staged: Staging, model: str, status: int) -> None:
    stage = await staged(hangs_up, models=["gpt-4o"])
    stage.world.gateway.snapshot._away = ((frozenset(("default",)), Models(["gone-*"])),)
    sink = await stage.ask(entry("openai_chat", stream=False, model=model))
    assert (sink.status, sink.json["error"]["code"]) == (status, "model_not_found")
