"""Pieces in, pieces out: where they are cut does not matter, and no end is made up."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from newapi import formats
from newapi.billing.estimate import TextCounter
from newapi.formats.contract import Format, WriterOptions
from newapi.ir.usage import Usage
from newapi.relay.attempt import Attempts
from newapi.relay.pump import Answer, Broken, Stream
from newapi.relay.values import Ingress, Meter
from tests.relay.world import KEY, NOW, channel

HELD = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 5, "model": "gpt-4o"}
USAGE = {"prompt_tokens": 10, "completion_tokens": 4, "total_tokens": 14}
ESTIMATE = Usage(input=70, output=7, source="estimate")
ENTRIES = ("openai_chat", "openai_responses", "anthropic_messages", "gemini")


def frame(value: Any) -> bytes:
    return b"data: %s\n\n" % (value if isinstance(value, bytes) else msgspec.json.encode(value))


def chunk(delta: dict[str, Any], finish: str | None = None) -> bytes:
    return frame({**HELD, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})


BODY = chunk({"role": "assistant", "content": ""}) + chunk({"content": "hé"}) + chunk({"content": "llo"})
END = chunk({}, "stop")
STATED = frame({**HELD, "choices": [], "usage": USAGE})
DONE = frame(b"[DONE]")
ERROR = frame({"error": {"message": "broke", "type": "server_error"}})


def answer(
    entry: str, *, include_usage: bool = True, more: dict[str, Any] | None = None, **spec: Any
) -> tuple[Answer, Meter]:
    format: Format = formats.get(entry)
    body: dict[str, Any] = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 9}
    body |= {"input": "hi", "contents": [{"role": "user", "parts": [{"text": "hi"}]}]}
    if entry != "openai_responses":
        body.pop("input")
    body |= more or {}
    request = Ingress(
        request_id="req-1",
        format=format,
        route=format.routes[0],
        method="POST",
        path=format.routes[0].path,
        params={"content-type": "application/json", "model": "gpt-4o", "action": "streamGenerateContent"},
        query=(),
        headers={"authorization": f"Bearer {KEY}"},
        body=msgspec.json.encode(body),
        peer="",
        received=NOW,
    )
    to = channel(base_url="http://up.test", formats=["openai_chat"], **spec)
    prepared = Attempts(request, "gpt-4o", True).prepare(to, 0)
    meter = Meter(TextCounter("gpt-4o"))
    options = WriterOptions("gpt-4o", "req-1", 5, include_usage=include_usage)
    return Answer(prepared, format, options, meter), meter


def stream(entry: str, **about: Any) -> tuple[Stream, Meter]:
    made, meter = answer(entry, **about)
    return made.stream(), meter


def told(entry: str, *pieces: bytes, **about: Any) -> tuple[bytes, Meter]:
    made, meter = stream(entry, **about)
    out = b"".join([made.feed(p) for p in pieces])
    return out + made.close(lambda: ESTIMATE), meter


@pytest.mark.parametrize("entry", ENTRIES)
@given(cuts=st.lists(st.integers(0, len(BODY + END + STATED + DONE)), max_size=8))
def test_where_it_is_cut_does_not_matter(entry: str, cuts: list[int]) -> None:
    data = BODY + END + STATED + DONE
    places = [0, *sorted(cuts), len(data)]
    pieces = [data[a:b] for a, b in pairwise(places)]
    (cut, one), (whole, other) = told(entry, *pieces), told(entry, data)
    assert cut == whole
    assert (one.usage, one.chunks, one.finishes) == (other.usage, other.chunks, other.finishes)


def test_verbatim_frames_go_through_as_they_came() -> None:
    data = BODY + END + STATED + DONE
    assert told("openai_chat", data)[0] == data


@pytest.mark.parametrize("entry", ENTRIES)
def test_a_usage_that_was_stated_is_noted_and_passed_on(entry: str) -> None:
    out, meter = told(entry, BODY + END + STATED + DONE)
    assert (meter.usage.prompt, meter.usage.completion, meter.stated) == (10, 4, True)
    assert b"10" in out
    assert b"70" not in out


@pytest.mark.parametrize("entry", ENTRIES)
def test_a_usage_that_was_not_is_estimated(entry: str) -> None:
    out, meter = told(entry, BODY + END + DONE)
    assert b"70" in out
    assert not meter.stated


def test_no_usage_for_who_asked_for_none() -> None:
    assert told("openai_chat", BODY + END + DONE, include_usage=False)[0] == BODY + END + DONE
    assert told("openai_chat", BODY + END + STATED + DONE, include_usage=False)[0] == BODY + END + DONE


def test_an_end_that_was_forgotten_is_added() -> None:
    assert told("openai_chat", BODY + END + STATED)[0] == BODY + END + STATED + DONE


def test_the_estimate_goes_before_the_end_and_the_end_is_there_once() -> None:
    out, _ = told("openai_chat", BODY + END + DONE)
    assert out.startswith(BODY + END)
    assert out.endswith(DONE)
    assert out.count(b"[DONE]") == 1
    assert out.index(b'"usage"') < out.index(b"[DONE]")


def test_after_the_end_nothing_is_read() -> None:
    made, meter = stream("openai_chat")
    made.feed(BODY + END + DONE + chunk({"content": "late"}))
    assert made.ended
    assert b"late" not in made.close(lambda: ESTIMATE)
    assert meter.chunks == 2


@pytest.mark.parametrize("entry", ENTRIES)
def test_an_error_breaks_it_and_what_came_before_may_go_out(entry: str) -> None:
    made, meter = stream(entry)
    with pytest.raises(Broken, match="broke") as caught:
        made.feed(BODY + ERROR + END)
    assert b"llo" in caught.value.before
    assert caught.value.kind == "error_event"
    assert meter.chunks == 2


@pytest.mark.parametrize("entry", ENTRIES)
@pytest.mark.parametrize(
    ("data", "kind"),
    [(b"", "cut"), (BODY, "cut"), (BODY[:-3], "malformed"), (chunk({"role": "assistant"}), "cut")],
    ids=["nothing", "text", "half an event", "the role"],
)
def test_what_did_not_end_was_cut(entry: str, data: bytes, kind: str) -> None:
    made, _ = stream(entry)
    made.feed(data)
    with pytest.raises(Broken) as caught:
        made.close(lambda: ESTIMATE)
    assert caught.value.kind == kind


@pytest.mark.parametrize("entry", ENTRIES)
def test_a_whole_answer_is_told_as_a_stream_of_it_is(entry: str) -> None:
    made, meter = answer(entry)
    message = {"role": "assistant", "content": "héllo"}
    body = {
        **HELD,
        "object": "chat.completion",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
    }
    out = made.unfolded(msgspec.json.encode({**body, "usage": USAGE}), lambda: ESTIMATE)
    assert "héllo".encode() in out
    assert (meter.usage.prompt, meter.stated) == (10, True)
    again, other = answer(entry)
    assert b"70" in again.unfolded(msgspec.json.encode(body), lambda: ESTIMATE)
    assert not other.stated


def test_thinking_is_told_as_text_where_the_channel_says_so() -> None:
    thinks = chunk({"role": "assistant", "reasoning_content": "why"})
    out, _ = told("openai_chat", thinks + BODY + END + STATED + DONE, thinking_to_content=True)
    text = "".join(
        c["delta"].get("content") or ""
        for line in out.split(b"\n\n")
        if line.startswith(b"data: {")
        for c in msgspec.json.decode(line.removeprefix(b"data: "))["choices"]
    )
    assert text == "<think>\nwhy\n</think>\nhéllo"
    assert b"reasoning_content" not in out


def test_a_tool_of_free_text_is_called_with_free_text() -> None:
    call = {"index": 0, "id": "c1", "type": "function", "function": {"name": "sh", "arguments": ""}}
    calls = [chunk({"tool_calls": [call]})]
    calls += [
        chunk({"tool_calls": [{"index": 0, "function": {"arguments": a}}]}) for a in ('{"inp', 'ut":"ls \\"x', '\\""}')
    ]
    more = {"tools": [{"type": "custom", "name": "sh"}]}
    out, _ = told("openai_responses", *calls, chunk({}, "tool_calls"), STATED, DONE, more=more)
    events = [msgspec.json.decode(line[5:]) for line in out.splitlines() if line.startswith(b"data:")]
    (item,) = events[-1]["response"]["output"]
    assert (item["type"], item["call_id"], item["name"], item["input"]) == ("custom_tool_call", "c1", "sh", 'ls "x"')
    deltas = [e["delta"] for e in events if e["type"] == "response.custom_tool_call_input.delta"]
    assert "".join(deltas) == 'ls "x"'


def test_broken_keeps_what_the_error_says() -> None:
    made, _ = stream("openai_chat")
    with pytest.raises(Broken) as caught:
        made.feed(frame({"error": {"message": "slow down", "type": "rate_limit_error", "code": "429"}}))
    assert (caught.value.type, caught.value.code, caught.value.before) == ("rate_limit_error", "429", b"")
