"""Every way a request can end: what it costs, who counted, and what the log says."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from newapi.relay.limits import Limit
from newapi.relay.pipeline import STOPPING, relay
from tests.relay.test_pipeline import (
    COST,
    DONE,
    ROLE,
    STATED,
    STREAMED,
    Conversation,
    Handler,
    Stage,
    Staging,
    answers,
    cancelled_after,
    chunk,
    entry,
    event,
    fails,
    says,
    silent_later,
    staged,
    whole,
)
from tests.relay.world import FakeSink

__all__ = ["staged"]

HELLO = event({"content": "hello there, whoever you are"})
BROKE = b'data: {"error": {"message": "broke", "type": "server_error"}}\n\n'
POLICIES = ("received", "prompt", "nothing")


def named(name: str, **more: Any) -> bytes:
    return f"event: {name}\ndata: ".encode() + msgspec.json.encode({"type": name, **more}) + b"\n\n"


def responses(last: str, usage: dict[str, int] | None) -> Handler:
    """A stream of OpenAI's Responses that says a little, and then ends as `last` says."""
    head = {"id": "r", "object": "response", "created_at": 1, "model": "gpt-4o", "output": [], "status": "in_progress"}
    item = {"type": "message", "id": "m", "role": "assistant", "content": [], "status": "in_progress"}
    part = {"type": "output_text", "text": "", "annotations": []}
    tail = {**head, "status": last.removeprefix("response."), "usage": usage}
    if last == "response.failed":
        tail["error"] = {"code": "server_error", "message": "broke"}
    return says(
        named("response.created", response=head),
        named("response.output_item.added", output_index=0, item=item),
        named("response.content_part.added", output_index=0, item_id="m", content_index=0, part=part),
        named("response.output_text.delta", output_index=0, item_id="m", content_index=0, delta="hello there"),
        named(last, response=tail),
    )


def claude(*frames: bytes, end: bool = True) -> Handler:
    """A stream of Anthropic's that states the prompt at once, and says a little."""
    message = {"id": "m", "type": "message", "role": "assistant", "model": "c", "content": []}
    return says(
        named("message_start", message={**message, "usage": {"input_tokens": 10, "output_tokens": 1}}),
        named("content_block_start", index=0, content_block={"type": "text", "text": ""}),
        named("content_block_delta", index=0, delta={"type": "text_delta", "text": "hello there, whoever"}),
        *frames,
        end=end,
    )


RESPONSES = {"input_tokens": 10, "output_tokens": 4, "total_tokens": 14}
TERMINAL = named("message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": 40})


class Ending:
    """What the upstream does, and what is to come of it.

    Attributes:
        end, source: Of the line of the log.
        quota: What it costs exactly; None for an estimate, which is more than nothing.
        policies: Whether `billing.broken_stream` decides: then `prompt` charges no answer, and `nothing` nothing.
    """

    def __init__(
        self, handler: Handler, end: str, source: str, quota: int | None = None, *, policies: bool = False, **spec: Any
    ) -> None:
        self.handler, self.end, self.source, self.quota = handler, end, source, quota
        self.policies, self.spec = policies, spec


AS_RESPONSES: dict[str, Any] = {"formats": ["openai_responses"]}
AS_CLAUDE: dict[str, Any] = {"type": "anthropic", "formats": []}
STREAMS = {
    "whole": Ending(STREAMED, "done", "upstream", COST),
    "whole, without usage": Ending(says(ROLE, HELLO, event({}, "stop"), DONE), "done", "estimate"),
    "whole, with a usage of nothing": Ending(
        says(ROLE, HELLO, event({}, "stop"), STATED.replace(b"10", b"0").replace(b"4,", b"0,"), DONE),
        "done",
        "estimate",
    ),
    "cut": Ending(says(ROLE, HELLO, end=False), "upstream_broken", "estimate", policies=True),
    "no end": Ending(says(ROLE, HELLO), "upstream_broken", "estimate", policies=True),
    "an error": Ending(says(ROLE, HELLO, BROKE), "upstream_broken", "estimate", policies=True),
    "cut after the usage": Ending(says(ROLE, HELLO, STATED, end=False), "upstream_broken", "estimate", policies=True),
    "responses, whole": Ending(responses("response.completed", RESPONSES), "done", "upstream", COST, **AS_RESPONSES),
    "responses, incomplete": Ending(
        responses("response.incomplete", RESPONSES), "done", "upstream", COST, **AS_RESPONSES
    ),
    "responses, failed with a usage": Ending(
        responses("response.failed", RESPONSES), "upstream_broken", "upstream", COST, policies=True, **AS_RESPONSES
    ),
    "responses, failed": Ending(
        responses("response.failed", None), "upstream_broken", "estimate", policies=True, **AS_RESPONSES
    ),
    "claude, cut": Ending(claude(end=False), "upstream_broken", "estimate", policies=True, **AS_CLAUDE),
    "claude, cut after the last count": Ending(
        claude(TERMINAL, end=False), "upstream_broken", "upstream", 10 + 4 * 40, policies=True, **AS_CLAUDE
    ),
    "claude, whole": Ending(
        claude(named("content_block_stop", index=0), TERMINAL, named("message_stop")),
        "done",
        "upstream",
        10 + 4 * 40,
        **AS_CLAUDE,
    ),
}


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("name", STREAMS)
async def test_a_stream_ends(staged: Staging, name: str, policy: str) -> None:
    ending = STREAMS[name]
    stage = await staged(ending.handler, billing={"broken_stream": policy}, **ending.spec)
    await stage.ask(entry("openai_chat", stream=True))
    check(stage, ending, policy)


@pytest.mark.parametrize("policy", POLICIES)
async def test_a_caller_hangs_up(staged: Staging, policy: str) -> None:
    stage = await staged(silent_later, billing={"broken_stream": policy})
    await cancelled_after(stage, entry("openai_chat", stream=True), b"hel")
    check(stage, Ending(silent_later, "client_gone", "estimate", policies=True), policy)


async def test_a_caller_hangs_up_after_the_usage(staged: Staging) -> None:
    async def lingers(c: Conversation) -> None:
        await says(ROLE, event({"content": "hel"}), STATED, end=False)(c)
        await c.gone()

    stage = await staged(lingers)
    await cancelled_after(stage, entry("openai_chat", stream=True, stream_options={"include_usage": True}), b"total")
    row = stage.row()
    assert (row.end_reason, msgspec.json.decode(row.usage)["source"], row.quota) == ("client_gone", "upstream", COST)


@pytest.mark.parametrize("policy", POLICIES)
async def test_the_server_stops(staged: Staging, policy: str) -> None:
    stage = await staged(silent_later, billing={"broken_stream": policy})
    task = asyncio.create_task(relay(entry("openai_chat", stream=True), stage.world.gateway, stage.sink))
    async with asyncio.timeout(10):
        while b"hel" not in stage.sink.body:
            await stage.sink.wrote.wait()
            stage.sink.wrote.clear()
    task.cancel(STOPPING)
    await task
    check(stage, Ending(silent_later, "stopped", "estimate", policies=True), policy)


@pytest.mark.parametrize(
    ("handler", "end", "source", "quota"),
    [
        (answers(whole()), "done", "upstream", COST),
        (answers(whole(usage=None)), "done", "estimate", None),
        (fails(500), "error", "", 0),
        (answers(b"{"), "error", "", 0),
    ],
    ids=["whole", "no usage", "refused", "nonsense"],
)
async def test_a_plain_answer_ends(staged: Staging, handler: Handler, end: str, source: str, quota: int | None) -> None:
    stage = await staged(handler)
    await stage.ask(entry("openai_chat", stream=False))
    check(stage, Ending(handler, end, source, quota), "received")


async def test_this_server_fails_after_the_first_word(staged: Staging, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fails_then(c: Conversation) -> None:
        await c.request()
        await c.send(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
        await c.send(chunk(ROLE + HELLO))
        await c.gone()

    stage = await staged(fails_then)
    write = stage.sink.write

    async def breaks(data: bytes) -> None:
        await write(data)
        raise RuntimeError("a bug")

    monkeypatch.setattr(stage.sink, "write", breaks)
    with pytest.raises(RuntimeError):
        await relay(entry("openai_chat", stream=True), stage.world.gateway, stage.sink)
    check(stage, Ending(fails_then, "error", "estimate"), "received")


def check(stage: Stage, ending: Ending, policy: str) -> None:
    row = stage.row()
    assert row.end_reason == ending.end
    usage = msgspec.json.decode(row.usage) if row.usage else {}
    if not ending.policies or policy == "received":
        assert usage.get("source", "") == ending.source
        assert row.quota == ending.quota if ending.quota is not None else row.quota > 0
        return
    assert (usage["output"], row.completion_tokens) == (0, 0)
    assert (row.quota > 0) == (policy == "prompt")
    assert usage["source"] == ("estimate" if policy == "prompt" else "none")


@pytest.mark.parametrize(
    ("format", "mark"),
    [
        ("openai_chat", "x-ratelimit-remaining-requests"),
        ("openai_responses", "x-ratelimit-remaining-requests"),
        ("anthropic_messages", "anthropic-ratelimit-requests-remaining"),
        ("gemini", ""),
    ],
)
async def test_a_limited_caller_is_told_where_it_stands(staged: Staging, format: str, mark: str) -> None:
    theirs = "content-type: application/json\r\nx-ratelimit-remaining-requests: 999\r\n"
    stage = await staged(answers(whole(), headers=theirs))
    about = next(iter(stage.world.gateway.snapshot.tokens.values()))
    about.limit = Limit(requests=1)
    sink = await stage.ask(entry(format, stream=False))
    assert (sink.status, sink.headers.get(mark, "0")) == (200, "0")
    stage.sink = FakeSink()
    sink = await stage.ask(entry(format, stream=False))
    assert (sink.status, sink.headers["retry-after"], sink.headers.get(mark, "0")) == (429, "60", "0")
    if format == "gemini":
        assert sink.json["error"]["details"][0]["retryDelay"] == "60s"
    assert not [name for name in sink.headers if "ratelimit" in name and not mark]
