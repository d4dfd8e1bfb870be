"""OpenAI chat completions: what is read, what is written, and that nothing is lost on the way."""

import itertools
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw
from msgspec.structs import replace

from newapi.base.errors import CallerError, NewapiError, Unsupported, UpstreamError
from newapi.formats.contract import Profile, WriterOptions
from newapi.formats.openai_chat import FORMAT
from newapi.frames import sse
from newapi.frames.sse import Frame, SseFramer
from newapi.ir.check import check
from newapi.ir.events import Event, Failed
from newapi.ir.fold import fold, unfold
from newapi.ir.request import (
    CacheMark,
    Citation,
    CustomTool,
    FileRef,
    Inline,
    Media,
    Message,
    Native,
    NativeTool,
    OutputWish,
    Part,
    Reasoning,
    ReasoningWish,
    Refusal,
    Request,
    Sampling,
    Text,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
    Url,
    WebSearch,
)
from newapi.ir.response import Choice, Response
from newapi.ir.seal import Seal
from newapi.ir.usage import Usage

assert FORMAT.read_request
assert FORMAT.write_request
assert FORMAT.read_response
assert FORMAT.write_response
assert FORMAT.reader
assert FORMAT.writer
assert FORMAT.error_frame
assert FORMAT.usage_frame
assert FORMAT.frame_filter
read_request, write_request = FORMAT.read_request, FORMAT.write_request
read_response, write_response = FORMAT.read_response, FORMAT.write_response
OPTIONS = WriterOptions(model="asked", request_id="r1", created=5)


def j(value: Any) -> bytes:
    return msgspec.json.encode(value)


def raw(value: Any) -> Raw:
    return Raw(j(value))


def user(*parts: Part, plain: bool = False) -> Message:
    return Message("user", parts, plain)


def stream(*chunks: Any) -> bytes:
    return b"".join(sse.write(c.encode() if isinstance(c, str) else j(c)) for c in chunks)


def read(*pieces: bytes) -> list[Event]:
    framer, reader = SseFramer(), FORMAT.reader()
    events = [e for piece in pieces for frame in framer.feed(piece) for e in reader.feed(frame)]
    events += [e for frame in framer.close() for e in reader.feed(frame)]
    return [*events, *reader.close()]


def delta(finish: str | None = None, index: int = 0, **fields: Any) -> dict[str, Any]:
    return {
        "id": "c1",
        "object": "chat.completion.chunk",
        "created": 7,
        "model": "up",
        "choices": [{"index": index, "delta": fields, "finish_reason": finish}],
    }


def call(index: Any = None, id: Any = None, name: Any = None, args: Any = None) -> dict[str, Any]:
    said = {"index": index, "id": id, "function": {"name": name, "arguments": args}}
    return {k: v for k, v in said.items() if v is not None}


def text_answer(*parts: Part, finish: Any = "stop", usage: Usage | None = None) -> Response:
    return Response("c1", "up", (Choice(parts, finish),), usage, 7)


USAGE = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}
OWN = Seal("openai_chat", '{"type":"reasoning.text","signature":"sig","index":0}')

STREAMS: dict[str, tuple[bytes, Response]] = {
    "text": (
        stream(delta(role="assistant", content=""), delta(content="Hi"), delta(content="!"), delta("stop"), "[DONE]"),
        text_answer(Text("Hi!")),
    ),
    "no done": (stream(delta(content="Hi"), delta("stop")), text_answer(Text("Hi"))),
    "done without a finish": (stream(delta(content="Hi"), "[DONE]"), text_answer(Text("Hi"))),
    "usage with the finish": (
        stream(delta(content="Hi"), delta("length") | {"usage": USAGE}, "[DONE]"),
        text_answer(Text("Hi"), finish="length", usage=Usage(input=11, output=7)),
    ),
    "usage alone": (
        stream(delta("stop", content="Hi"), {"choices": [], "usage": USAGE}, "[DONE]"),
        text_answer(Text("Hi"), usage=Usage(input=11, output=7)),
    ),
    "first chunk without names": (
        stream({"id": "", "choices": [], "prompt_filter_results": []}, delta("stop", content="Hi"), "[DONE]"),
        text_answer(Text("Hi")),
    ),
    "null everywhere": (
        stream(delta("stop", content="Hi", tool_calls=None, reasoning_content=None, images=None, annotations=None)),
        text_answer(Text("Hi")),
    ),
    "text after the finish": (
        stream(delta("stop", content="Hi"), delta(content=" there"), "[DONE]"),
        text_answer(Text("Hi there")),
    ),
    "reasoning_content": (
        stream(delta(reasoning_content="hm"), delta(reasoning_content="m"), delta("stop", content="42")),
        text_answer(Reasoning("hmm"), Text("42")),
    ),
    "reasoning": (
        stream(delta(reasoning="hm", content=""), delta("stop", content="42")),
        text_answer(Reasoning("hm"), Text("42")),
    ),
    "reasoning_details": (
        stream(
            delta(reasoning="hm", reasoning_details=[{"type": "reasoning.text", "text": "hm", "index": 0}]),
            delta(reasoning_details=[{"type": "reasoning.text", "signature": "sig", "index": 0}]),
            delta("stop", content="42"),
        ),
        text_answer(Reasoning("hm", OWN), Text("42")),
    ),
    "encrypted": (
        stream(
            delta(reasoning_details=[{"type": "reasoning.encrypted", "data": "xx", "id": "rs_1"}]),
            delta("stop", content="42"),
        ),
        text_answer(
            Reasoning(
                "", Seal("openai_chat", '{"type":"reasoning.encrypted","data":"xx","id":"rs_1"}', "rs_1"), redacted=True
            ),
            Text("42"),
        ),
    ),
    "thoughts in content": (
        stream(
            delta(content=[{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}]),
            delta("stop", content=[{"type": "text", "text": "42"}]),
        ),
        text_answer(Reasoning("hm"), Text("42")),
    ),
    "tool call": (
        stream(
            delta(tool_calls=[call(0, "a", "f", "")]),
            delta(tool_calls=[call(0, args='{"x"')]),
            delta(tool_calls=[call(0, args=":1}")]),
            delta("tool_calls"),
        ),
        text_answer(ToolCall("a", "f", '{"x":1}'), finish="tool_calls"),
    ),
    "interleaved": (
        stream(
            delta(tool_calls=[call(0, "a", "f", "["), call(1, "b", "g", "{")]),
            delta(tool_calls=[call(1, args="}")]),
            delta("stop", tool_calls=[call(0, args="]")]),
        ),
        text_answer(ToolCall("a", "f", "[]"), ToolCall("b", "g", "{}"), finish="tool_calls"),
    ),
    "every index zero": (
        stream(delta("tool_calls", tool_calls=[call(0, "a", "f", "{}")]), delta(tool_calls=[call(0, "b", "f", "[]")])),
        text_answer(ToolCall("a", "f", "{}"), ToolCall("b", "f", "[]"), finish="tool_calls"),
    ),
    "no index and no id": (
        stream(
            delta(tool_calls=[call(name="f", args="{")]),
            delta(tool_calls=[call(args="}")]),
            delta("tool_calls", tool_calls=[call(name="g", args="{}")]),
        ),
        text_answer(ToolCall("call_0", "f", "{}"), ToolCall("call_1", "g", "{}"), finish="tool_calls"),
    ),
    "name after the arguments": (
        stream(delta(tool_calls=[call(0, "a", args="{")]), delta("stop", tool_calls=[call(0, name="f", args="}")])),
        text_answer(ToolCall("a", "f", "{}"), finish="tool_calls"),
    ),
    "arguments as an object": (
        stream(delta("tool_calls", tool_calls=[call(0, "a", "f", {"x": 1})])),
        text_answer(ToolCall("a", "f", '{"x":1}'), finish="tool_calls"),
    ),
    "function_call": (
        stream(
            delta(function_call={"name": "f", "arguments": ""}),
            delta("function_call", function_call={"arguments": "{}"}),
        ),
        text_answer(ToolCall("call_0", "f", "{}"), finish="tool_calls"),
    ),
    "custom tool": (
        stream(
            delta(tool_calls=[{"index": 0, "id": "a", "type": "custom", "custom": {"name": "f", "input": "x"}}]),
            delta("tool_calls", tool_calls=[{"index": 0, "custom": {"input": "y"}}]),
        ),
        text_answer(ToolCall("a", "f", "xy", custom=True), finish="tool_calls"),
    ),
    "google's signature": (
        stream(
            delta(
                "stop",
                tool_calls=[call(0, "a", "f", "{}") | {"extra_content": {"google": {"thought_signature": "sig"}}}],
            )
        ),
        text_answer(ToolCall("a", "f", "{}", seal=Seal("gemini", "sig")), finish="tool_calls"),
    ),
    "images": (
        stream(
            delta(content="See:"),
            delta("stop", images=[{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]),
        ),
        text_answer(Text("See:"), Media("image", "image/png", Inline("AAAA"))),
    ),
    "audio": (
        stream(
            delta(audio={"id": "au", "transcript": "he"}),
            delta(audio={"data": "YQ=="}),
            delta("stop", audio={"data": "Yg==", "transcript": "y"}),
        ),
        text_answer(Media("audio", "", Inline("YWI="), transcript="hey", id="au")),
    ),
    "refusal": (stream(delta(refusal="No"), delta("stop", refusal=".")), text_answer(Refusal("No."))),
    "annotations": (
        stream(
            delta(content="a"),
            delta(
                "stop",
                annotations=[
                    {
                        "type": "url_citation",
                        "url_citation": {"url": "u", "title": "t", "start_index": 0, "end_index": 1},
                    }
                ],
            ),
        ),
        text_answer(Text("a", citations=(Citation("u", "t", start=0, end=1),))),
    ),
    "perplexity's sources": (
        stream(delta("stop", content="a") | {"citations": ["u"], "search_results": [{"url": "u", "title": "t"}]}),
        text_answer(Text("a", citations=(Citation("u", "t"),))),
    ),
    "two choices": (
        stream(delta(content="a"), delta(index=1, content="b"), delta("stop", 1), delta("length"), "[DONE]"),
        Response("c1", "up", (Choice((Text("a"),), "length"), Choice((Text("b"),))), None, 7),
    ),
    "stop sequence": (
        stream({"id": "c1", "created": 7, "model": "up", "choices": [
            {"index": 0, "delta": {"content": "a"}, "finish_reason": "stop", "stop_reason": "END"}]}),
        Response("c1", "up", (Choice((Text("a"),), "stop_sequence", "END"),), None, 7),
    ),
    "legacy text": (
        stream({"id": "c1", "created": 7, "model": "up", "choices": [{"text": "a", "finish_reason": "stop"}]}),
        text_answer(Text("a")),
    ),
}  # fmt: skip

FAILURES: dict[str, tuple[bytes, str, str]] = {
    "cut": (stream(delta(content="Hi")), "cut", "before its end"),
    "nothing": (b"", "cut", "before its end"),
    "only done": (stream("[DONE]"), "malformed", "no choices"),
    "not JSON": (stream(delta(content="Hi"), "oops"), "malformed", "no sense"),
    "error": (
        stream(delta(content="Hi"), {"error": {"message": "quota", "type": "t", "code": 429}}),
        "error_event",
        "quota",
    ),
    "vllm": (stream({"object": "error", "message": "too long", "code": 400}), "error_event", "too long"),
    "error as a text": (stream({"error": "quota"}), "error_event", "quota"),
    "error in an array": (stream([{"error": {"code": 400, "message": "bad"}}]), "error_event", "bad"),
    "minimax": (stream({"base_resp": {"status_code": 1004, "status_msg": "auth"}}), "error_event", "auth"),
    "openrouter": (
        stream({"choices": [{"delta": {}, "finish_reason": "error", "error": {"message": "m", "code": 502}}]}),
        "error_event",
        "m",
    ),
    "zhipu": (stream(delta("network_error")), "error_event", "broke off"),
}


@pytest.mark.parametrize(("bytes_", "expected"), STREAMS.values(), ids=STREAMS.keys())
def test_a_stream_says(bytes_: bytes, expected: Response) -> None:
    events = read(bytes_)
    assert check(events) == []
    assert fold(events) == expected


@pytest.mark.parametrize(("bytes_", "kind", "message"), FAILURES.values(), ids=FAILURES.keys())
def test_a_stream_fails(bytes_: bytes, kind: str, message: str) -> None:
    events = read(bytes_)
    assert check(events) == []
    failed = events[-1]
    assert isinstance(failed, Failed)
    assert failed.error.kind == kind
    assert message in failed.error.message


ALL = {**{k: v[0] for k, v in STREAMS.items()}, **{k: v[0] for k, v in FAILURES.items()}}


def same(events: list[Event]) -> list[object]:
    return [(type(e), str(e.error)) if isinstance(e, Failed) else e for e in events]


@pytest.mark.parametrize("bytes_", ALL.values(), ids=ALL.keys())
@given(data=st.data())
def test_where_a_stream_is_cut_does_not_matter(bytes_: bytes, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(bytes_)), max_size=6)))
    pieces = [bytes_[a:b] for a, b in itertools.pairwise([0, *cuts, len(bytes_)])]
    assert same(read(*pieces)) == same(read(bytes_))


@pytest.mark.parametrize("bytes_", ALL.values(), ids=ALL.keys())
@given(data=st.data())
def test_every_prefix_keeps_the_grammar(bytes_: bytes, data: st.DataObject) -> None:
    assert check(read(bytes_[: data.draw(st.integers(0, len(bytes_)))])) == []


nonsense = st.none() | st.integers(0, 2) | st.text(max_size=2) | st.fixed_dictionaries({"name": st.text(max_size=2)})
nonsense_calls = st.lists(
    st.dictionaries(st.sampled_from(["index", "id", "function", "type"]), nonsense, max_size=3), max_size=3
)
nonsense_delta = st.dictionaries(
    st.sampled_from(["content", "reasoning", "tool_calls", "function_call", "refusal", "audio", "annotations"]),
    nonsense | nonsense_calls,
    max_size=3,
)


@given(st.lists(nonsense_delta, max_size=6))
def test_no_nonsense_breaks_the_grammar(deltas: list[dict[str, Any]]) -> None:
    assert check(read(stream(*(delta(**d) for d in deltas), "[DONE]"))) == []


# -- usage -------------------------------------------------------------------------------

USAGES: dict[str, tuple[dict[str, Any], Usage | None]] = {
    "plain": ({"usage": USAGE}, Usage(input=11, output=7)),
    "none": ({}, None),
    "null": ({"usage": None}, None),
    "zeros": ({"usage": {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}}, None),
    "strings": ({"usage": {"prompt_tokens": "11", "completion_tokens": "7"}}, Usage(input=11, output=7)),
    "openai": (
        {
            "usage": {
                "prompt_tokens": 2000,
                "completion_tokens": 300,
                "prompt_tokens_details": {"cached_tokens": 1500, "audio_tokens": 100},
                "completion_tokens_details": {"reasoning_tokens": 200, "audio_tokens": 10},
            }
        },
        Usage(input=400, cache_read=1500, input_audio=100, output=90, reasoning=200, output_audio=10),
    ),
    "deepseek": (
        {"usage": {"prompt_tokens": 10, "completion_tokens": 1, "prompt_cache_hit_tokens": 4}},
        Usage(input=6, cache_read=4, output=1),
    ),
    "kimi": (
        {"usage": {"prompt_tokens": 10, "completion_tokens": 1, "cached_tokens": 4}},
        Usage(input=6, cache_read=4, output=1),
    ),
    "moonshot": (
        {"choices": [{"usage": {"prompt_tokens": 10, "completion_tokens": 1, "cached_tokens": 4}}]},
        Usage(input=6, cache_read=4, output=1),
    ),
    "zhipu": (
        {"usage": {"prompt_tokens": 10, "completion_tokens": 1, "input_tokens_details": {"cached_tokens": 4}}},
        Usage(input=6, cache_read=4, output=1),
    ),
    "llama.cpp": (
        {"usage": {"prompt_tokens": 10, "completion_tokens": 1}, "timings": {"cache_n": 4}},
        Usage(input=6, cache_read=4, output=1),
    ),
    "xai": (
        {
            "usage": {
                "prompt_tokens": 10,
                "completion_tokens": 5,
                "total_tokens": 35,
                "completion_tokens_details": {"reasoning_tokens": 20},
            }
        },
        Usage(input=10, output=5, reasoning=20),
    ),
    "openrouter": (
        {
            "usage": {
                "prompt_tokens": 10,
                "completion_tokens": 5,
                "cost": 0.25,
                "prompt_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 3},
            }
        },
        Usage(input=7, cache_write_5m=3, output=5, cost_usd=0.25),
    ),
    "new api": (
        {
            "usage": {
                "prompt_tokens": 10,
                "completion_tokens": 5,
                "prompt_tokens_details": {"cached_creation_tokens": 6},
                "claude_cache_creation_1_h_tokens": 2,
            }
        },
        Usage(input=4, cache_write_5m=4, cache_write_1h=2, output=5),
    ),
    "responses' words": ({"usage": {"input_tokens": 3, "output_tokens": 2}}, Usage(input=3, output=2)),
}


@pytest.mark.parametrize(("said", "expected"), USAGES.values(), ids=USAGES.keys())
def test_usage(said: dict[str, Any], expected: Usage | None) -> None:
    body = {"choices": [{"message": {"content": "a"}, "finish_reason": "stop"}]}
    body["choices"][0] |= (said.get("choices") or [{}])[0]
    body |= {k: v for k, v in said.items() if k != "choices"}
    assert FORMAT.read_usage(j(body)) == expected
    assert read_response(j(body)).usage == expected


counts = st.integers(0, 10**6)


@given(*[counts] * 10)
def test_usage_survives(a: int, b: int, c: int, d: int, e: int, f: int, g: int, h: int, i: int, k: int) -> None:
    usage = Usage(a, b, c, d, e, f, g, h, i, k)
    back = read_response(write_response(text_answer(Text("a"), usage=usage), OPTIONS)).usage
    assert back == (usage if usage.total else None)


@given(st.dictionaries(st.sampled_from([*USAGES["openai"][0]["usage"], "total_tokens"]),
    st.none() | st.integers(-5, 99) | st.text(max_size=2) | st.floats() | st.dictionaries(
    st.sampled_from(["reasoning_tokens", "cached_tokens"]), st.integers(-5, 99)), max_size=5))  # fmt: skip
def test_no_usage_is_negative(said: dict[str, Any]) -> None:
    usage = FORMAT.read_usage(j({"choices": [{}], "usage": said}))
    assert usage is None or min(v for v in msgspec.structs.astuple(usage) if isinstance(v, int)) >= 0


# -- whole answers -----------------------------------------------------------------------

RESPONSES: dict[str, tuple[dict[str, Any], Response]] = {
    "text": ({"content": "Hi"}, text_answer(Text("Hi"))),
    "text and reasoning": ({"content": "42", "reasoning_content": "hm"}, text_answer(Reasoning("hm"), Text("42"))),
    "tool calls": (
        {"content": None, "tool_calls": [call(id="a", name="f", args="{}"), call(id="b", name="g", args="[]")]},
        text_answer(ToolCall("a", "f", "{}"), ToolCall("b", "g", "[]"), finish="tool_calls"),
    ),
    "sealed": (
        {
            "content": "42",
            "reasoning": "hm",
            "reasoning_details": [{"type": "reasoning.text", "text": "hm", "signature": "sig", "index": 0}],
        },
        text_answer(Reasoning("hm", OWN), Text("42")),
    ),
    "images": (
        {"content": "a", "images": [{"type": "image_url", "image_url": {"url": "https://x/y.png"}}]},
        text_answer(Text("a"), Media("image", "", Url("https://x/y.png"))),
    ),
    "audio": (
        {"content": None, "audio": {"id": "au", "data": "AAAA", "transcript": "hey"}},
        text_answer(Media("audio", "", Inline("AAAA"), transcript="hey", id="au")),
    ),
    "nothing": ({"content": ""}, text_answer()),
}


@pytest.mark.parametrize(("message", "expected"), RESPONSES.values(), ids=RESPONSES.keys())
def test_an_answer_says(message: dict[str, Any], expected: Response) -> None:
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": "stop"}
    assert read_response(j({"id": "c1", "created": 7, "model": "up", "choices": [choice]})) == expected


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", "malformed"),
        (b"<html>", "malformed"),
        (b"{}", "malformed"),
        (b'{"choices":[]}', "malformed"),
        (b'{"error":{"message":"no"}}', "error_event"),
        (b'{"base_resp":{"status_code":1004,"status_msg":"no"}}', "error_event"),
    ],
)
def test_what_is_no_answer(body: bytes, kind: str) -> None:
    for function in (read_response, FORMAT.read_usage):
        with pytest.raises(UpstreamError) as caught:
            function(body)
        assert caught.value.kind == kind
        assert caught.value.status == 502


said = st.text(min_size=1, max_size=6)
# What a message can tell: thoughts, then one text, then calls.
calls = st.builds(ToolCall, said, said, st.just("{}"), seal=st.none() | st.builds(Seal, st.just("gemini"), said))
answers = st.builds(
    lambda thoughts, text, calls: (*thoughts, *text, *calls),
    st.lists(st.builds(lambda t, s: Reasoning(t, Seal("gemini", s)), said, said), max_size=2),
    st.lists(st.builds(Text, said), max_size=1),
    st.lists(calls, max_size=2, unique_by=lambda c: c.id),
)


@given(st.lists(answers, min_size=1, max_size=2))
def test_what_is_written_is_read_whole_and_in_pieces(choices: list[tuple[Part, ...]]) -> None:
    made = tuple(Choice(p, "tool_calls" if any(isinstance(x, ToolCall) for x in p) else "stop") for p in choices)
    response = Response("c1", "up", made, Usage(input=3, output=2), 7)
    assert read_response(write_response(response, OPTIONS)) == response
    writer = FORMAT.writer(OPTIONS)
    written = b"".join([*(writer.write(e) for e in unfold(response)), writer.close()])
    events = read(written)
    assert check(events) == []
    assert fold(events) == response


def test_chunks_to_the_letter() -> None:
    response = text_answer(
        Reasoning("hm"), Text("a", citations=(Citation("u", "t"),)), ToolCall("x", "f", "{}"),
        finish="tool_calls", usage=Usage(input=11, output=7),
    )  # fmt: skip
    writer = FORMAT.writer(OPTIONS)
    frames = SseFramer().feed(b"".join([*(writer.write(e) for e in unfold(response)), writer.close()]))
    assert frames.pop().data == b"[DONE]"
    chunks = [msgspec.json.decode(f.data) for f in frames]
    for chunk in chunks:
        assert {k: chunk.pop(k) for k in ("id", "object", "created", "model")} == {
            "id": "c1",
            "object": "chat.completion.chunk",
            "created": 7,
            "model": "up",
        }
    usage = chunks.pop()
    assert usage["choices"] == []
    assert usage["usage"]["total_tokens"] == 18
    assert all(c["choices"][0].keys() == {"index", "delta", "finish_reason", "logprobs"} for c in chunks)
    assert [c["choices"][0]["delta"] for c in chunks] == [
        {"role": "assistant", "content": ""},
        {"reasoning_content": "hm"},
        {"content": "a"},
        {"annotations": [{"type": "url_citation", "url_citation": {"url": "u", "title": "t"}}]},
        {"tool_calls": [{"index": 0, "id": "x", "type": "function", "function": {"name": "f", "arguments": ""}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": "{}"}}]},
        {},
    ]
    assert [c["choices"][0]["finish_reason"] for c in chunks] == [None] * 6 + ["tool_calls"]


def test_usage_is_told_only_to_who_wants_it() -> None:
    writer = FORMAT.writer(replace(OPTIONS, include_usage=False))
    written = b"".join([*(writer.write(e) for e in unfold(text_answer(Text("a"), usage=Usage(1)))), writer.close()])
    assert b"usage" not in written
    assert written.endswith(b"data: [DONE]\n\n")


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ((Text("a"),), {"content": "a"}),
        ((ToolCall("x", "f", ""),), {"content": None}),
        ((Reasoning("hm"),), {"content": "", "reasoning_content": "hm"}),
        ((Media("image", "image/png", Inline("AA")),), {"content": "![image](data:image/png;base64,AA)"}),
        ((Refusal("no"),), {"refusal": "no"}),
    ],
)
def test_messages(parts: tuple[Part, ...], message: dict[str, Any]) -> None:
    told = msgspec.json.decode(write_response(text_answer(*parts), OPTIONS))["choices"][0]["message"]
    assert message.items() <= told.items()


def test_names_are_made_up_where_the_upstream_named_nothing() -> None:
    told = msgspec.json.decode(write_response(Response("", "", (Choice((Text("a"),)),)), OPTIONS))
    assert (told["id"], told["model"], told["created"]) == ("chatcmpl-r1", "asked", 5)


# -- requests ----------------------------------------------------------------------------

REQUESTS: dict[str, tuple[dict[str, Any], Request]] = {
    "string": (
        {"messages": [{"role": "user", "content": "Hi"}], "stream": True, "min_p": 0.1},
        Request("m", (user(Text("Hi"), plain=True),), True, extra={"min_p": raw(0.1)}),
    ),
    "parts": (
        {
            "messages": [
                {"role": "system", "content": "S"},
                {"role": "developer", "content": [{"type": "text", "text": "D"}]},
                {
                    "role": "user",
                    "name": "ann",
                    "content": [
                        {"type": "text", "text": "a", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
                        {"type": "image_url", "image_url": {"url": "https://x/y", "detail": "low"}},
                        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
                        {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
                        {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,AA"}},
                        {"type": "file", "file": {"file_id": "file-1"}},
                        {"type": "video_url", "video_url": {"url": "https://x/v.mp4"}},
                        {"type": "new_thing", "x": 1},
                    ],
                },
            ]
        },
        Request(
            "m",
            (
                Message("system", (Text("S"),), plain=True),
                Message("system", (Text("D"),), developer=True),
                Message(
                    "user",
                    (
                        Text("a", CacheMark("1h")),
                        Media("image", "", Url("https://x/y"), detail="low"),
                        Media("image", "image/png", Inline("AAAA")),
                        Media("audio", "audio/wav", Inline("AAAA")),
                        Media("document", "application/pdf", Inline("AA"), name="a.pdf"),
                        Media("document", "", FileRef("file-1", "openai_chat")),
                        Media("video", "", Url("https://x/v.mp4")),
                        Native("openai_chat", raw({"type": "new_thing", "x": 1})),
                    ),
                    name="ann",
                ),
            ),
        ),
    ),
    "tools": (
        {
            "messages": [
                {"role": "user", "content": "w?"},
                {
                    "role": "assistant",
                    "content": None,
                    "tool_calls": [
                        {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}},
                        {"id": "b", "type": "custom", "custom": {"name": "c", "input": "x"}},
                    ],
                },
                {"role": "tool", "tool_call_id": "a", "content": "1"},
                {"role": "tool", "tool_call_id": "b", "content": [{"type": "text", "text": "2"}]},
                {"role": "user", "content": "and?"},
            ],
            "tools": [
                {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}, "strict": True}},
                {"type": "custom", "custom": {"name": "c"}},
            ],
            "tool_choice": {"type": "function", "function": {"name": "f"}},
            "parallel_tool_calls": False,
        },
        Request(
            "m",
            (
                user(Text("w?"), plain=True),
                Message("assistant", (ToolCall("a", "f", "{}"), ToolCall("b", "c", "x", custom=True))),
                user(ToolResult("a", (Text("1"),), "f"), ToolResult("b", (Text("2"),), "c", plain=False)),
                user(Text("and?"), plain=True),
            ),
            tools=(Tool("f", schema=raw({"type": "object"}), strict=True), CustomTool("c")),
            tool_choice=ToolChoice("named", "f"),
            parallel_tools=False,
        ),
    ),
    "legacy functions": (
        {
            "messages": [
                {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}},
                {"role": "function", "name": "f", "content": "1"},
            ],
            "functions": [{"name": "f"}],
            "function_call": {"name": "f"},
        },
        Request(
            "m",
            (
                Message("assistant", (ToolCall("call_0", "f", "{}"),)),
                user(ToolResult("call_0", (Text("1"),), "f")),
            ),
            tools=(Tool("f"),),
            tool_choice=ToolChoice("named", "f"),
        ),
    ),
    "calls and answers without ids": (
        {
            "messages": [
                {
                    "role": "assistant",
                    "tool_calls": [
                        {"id": "", "type": "function", "function": {"name": "f", "arguments": "{}"}},
                        {"type": "function", "function": {"name": "g", "arguments": "{}"}},
                    ],
                },
                {"role": "tool", "tool_call_id": "", "name": "g", "content": "2"},
                {"role": "tool", "content": "1"},
            ]
        },
        Request(
            "m",
            (
                Message("assistant", (ToolCall("call_0", "f", "{}"), ToolCall("call_1", "g", "{}"))),
                user(ToolResult("call_1", (Text("2"),), "g"), ToolResult("call_0", (Text("1"),), "f")),
            ),
        ),
    ),
    "a picture in the words of the Responses API": (
        {
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {"type": "input_text", "text": "x"},
                        {"type": "input_image", "image_url": "https://a/b.png", "detail": "low"},
                    ],
                }
            ]
        },
        Request("m", (user(Text("x"), Media("image", "", Url("https://a/b.png"), detail="low")),)),
    ),
    "reasoning sent back": (
        {
            "messages": [
                {
                    "role": "assistant",
                    "content": "42",
                    "reasoning_content": "hm",
                    "reasoning_details": [{"type": "reasoning.text", "signature": "sig", "index": 0}],
                }
            ]
        },
        Request("m", (Message("assistant", (Reasoning("hm", OWN), Text("42")), plain=True),)),
    ),
    "knobs": (
        {
            "messages": [{"role": "user", "content": "x"}],
            "max_tokens": 5,
            "max_completion_tokens": 9,
            "temperature": 0,
            "top_p": 0.5,
            "stop": "END",
            "seed": 0,
            "n": 2,
            "reasoning_effort": "high",
            "response_format": {"type": "json_schema", "json_schema": {"name": "s", "schema": {}, "strict": True}},
            "user": "u",
            "web_search_options": {"search_context_size": ""},
            "stream_options": {"include_usage": True},
        },
        Request(
            "m",
            (user(Text("x"), plain=True),),
            tools=(WebSearch("medium", body=raw({"search_context_size": ""}), origin="openai_chat"),),
            sampling=Sampling(temperature=0, top_p=0.5, max_output=9, stop=("END",), seed=0, n=2),
            reasoning=ReasoningWish(effort="high"),
            output=OutputWish("schema", "s", schema=raw({}), strict=True),
            user="u",
            include_usage=True,
        ),
    ),
    "thinking in others' words": (
        {"messages": [{"role": "user", "content": "x"}], "thinking": {"type": "enabled", "budget_tokens": 9}},
        Request(
            "m",
            (user(Text("x"), plain=True),),
            reasoning=ReasoningWish(enabled=True, budget=9),
            extra={"thinking": raw({"type": "enabled", "budget_tokens": 9})},
        ),
    ),
    "google's thinking": (
        {
            "messages": [{"role": "user", "content": "x"}],
            "extra_body": {"google": {"thinking_config": {"thinking_budget": 512, "include_thoughts": True}}},
        },
        Request(
            "m",
            (user(Text("x"), plain=True),),
            reasoning=ReasoningWish(budget=512, show=True),
            extra={
                "extra_body": raw({"google": {"thinking_config": {"thinking_budget": 512, "include_thoughts": True}}})
            },
        ),
    ),
}


@pytest.mark.parametrize(("body", "expected"), REQUESTS.values(), ids=REQUESTS.keys())
def test_a_request_asks(body: dict[str, Any], expected: Request) -> None:
    assert read_request(j({"model": "m", **body}), {}) == replace(expected, origin="openai_chat")


FULL = Profile(
    reasoning="effort", reasoning_echo="optional", top_k=True, cache_marks=True, dialect="openrouter",
    system_role="developer", custom_tools=True,
)  # fmt: skip


@pytest.mark.parametrize("expected", [r[1] for r in REQUESTS.values()], ids=REQUESTS.keys())
def test_a_request_comes_back(expected: Request) -> None:
    request = replace(expected, origin="openai_chat")
    written = write_request(request, FULL)
    # The wish is told in OpenRouter's words, a chat request always wants to know its usage, and a first system turn is
    # the developer's.
    first, *rest = request.messages
    again = read_request(written.body, {})
    if first.role == "system":
        first = replace(first, developer=True)
    assert again.messages == (first, *rest)
    assert written.losses == ()
    same = {"messages": (), "reasoning": None, "include_usage": None}
    assert replace(again, **same) == replace(request, **same)
    if request.reasoning:
        assert again.reasoning
        assert (again.reasoning.effort, again.reasoning.budget) == (request.reasoning.effort, request.reasoning.budget)


BAD: dict[str, tuple[Any, str]] = {
    "no messages": ({"model": "m"}, "messages"),
    "empty messages": ({"model": "m", "messages": []}, "messages"),
    "messages of a wrong type": ({"model": "m", "messages": "x"}, "messages"),
    "no model": ({"messages": [{"role": "user", "content": "x"}]}, "model"),
    "model of a wrong type": ({"model": 1, "messages": [{}]}, "model"),
    "max_tokens as a text": ({"model": "m", "messages": [{}], "max_tokens": "100"}, "max_tokens"),
    "max_tokens too large": ({"model": "m", "messages": [{}], "max_tokens": 1073741824}, "max_tokens"),
    "max_tokens negative": ({"model": "m", "messages": [{}], "max_completion_tokens": -1}, "max_completion_tokens"),
    "stream as a text": ({"model": "m", "messages": [{}], "stream": "true"}, "stream"),
    "temperature as a text": ({"model": "m", "messages": [{}], "temperature": "hot"}, "temperature"),
    "tools that are no list": ({"model": "m", "messages": [{}], "tools": {}}, "tools"),
    "no such size of a search": (
        {"model": "m", "messages": [{}], "web_search_options": {"search_context_size": "huge"}},
        "web_search_options.search_context_size",
    ),
}
BAD_INSIDE: dict[str, tuple[dict[str, Any], str]] = {
    "role": ({"messages": [{"role": "boss", "content": "x"}]}, "messages[0].role"),
    "content": ({"messages": [{"role": "user", "content": 5}]}, "messages[0].content"),
    "part": ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "messages[0].content[0]"),
    "tool": ({"messages": [{}], "tools": [{"type": "function"}]}, "tools[0].function.name"),
    "tool choice": ({"messages": [{}], "tool_choice": 5}, "tool_choice"),
    "format": ({"messages": [{}], "response_format": {"type": "xml"}}, "response_format.type"),
}


@pytest.mark.parametrize(("body", "param"), BAD.values(), ids=BAD.keys())
def test_a_bad_request_is_the_callers_fault(body: Any, param: str) -> None:
    for function in (FORMAT.peek, read_request):
        with pytest.raises(CallerError) as caught:
            function(j(body), {})
        assert (caught.value.status, caught.value.param) == (400, param)


@pytest.mark.parametrize(("body", "param"), BAD_INSIDE.values(), ids=BAD_INSIDE.keys())
def test_a_bad_field_is_named(body: dict[str, Any], param: str) -> None:
    with pytest.raises(CallerError) as caught:
        read_request(j({"model": "m", **body}), {})
    assert caught.value.param == param


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", b"5"])
def test_what_is_not_json_is_the_callers_fault(body: bytes) -> None:
    for function in (FORMAT.peek, read_request):
        with pytest.raises(CallerError):
            function(body, {})


def test_peek() -> None:
    body = j({"model": "m", "messages": [{}], "stream": True, "max_tokens": 5, "n": 3})
    peek = FORMAT.peek(body, {})
    assert (peek.model, peek.stream, peek.max_output, peek.n, peek.include_usage) == ("m", True, 5, 3, False)
    wants = j({"model": "m", "messages": [{}], "stream_options": {"include_usage": True}})
    assert FORMAT.peek(wants, {}).include_usage


# -- requests of other formats, written -----------------------------------------------------


def sent(request: Request, profile: Profile | None = None) -> dict[str, Any]:
    return msgspec.json.decode(write_request(request, profile or Profile()).body)


def asked(*messages: Message, **more: Any) -> Request:
    return Request("m", messages, origin=more.pop("origin", "anthropic_messages"), **more)


WRITTEN: dict[str, tuple[Request, Profile, dict[str, Any]]] = {
    "a bare string": (
        asked(user(Text("Hi"), plain=True)),
        Profile(),
        {"messages": [{"role": "user", "content": "Hi"}]},
    ),
    "a list stays one": (
        asked(user(Text("Hi"))),
        Profile(),
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}]},
    ),
    "system blocks": (
        asked(Message("system", (Text("S1", CacheMark()), Text("S2"))), user(Text("x"), plain=True)),
        Profile(),
        {"messages": [{"role": "system", "content": "S1S2"}, {"role": "user", "content": "x"}]},
    ),
    "system blocks with marks": (
        asked(Message("system", (Text("S1", CacheMark()), Text("S2")))),
        Profile(cache_marks=True),
        {
            "messages": [
                {
                    "role": "system",
                    "content": [
                        {"type": "text", "text": "S1", "cache_control": {"type": "ephemeral"}},
                        {"type": "text", "text": "S2"},
                    ],
                }
            ]
        },
    ),
    "the first system turn is the developer's": (
        asked(Message("system", (Text("S"),), plain=True), Message("system", (Text("T"),), plain=True)),
        Profile(system_role="developer"),
        {"messages": [{"role": "developer", "content": "S"}, {"role": "system", "content": "T"}]},
    ),
    "tool round trip": (
        asked(
            Message("assistant", (Text("Looking."), ToolCall("t1", "f", '{"a":1}'), ToolCall("t2", "g", ""))),
            user(
                Text("and?"),
                ToolResult("t1", (Text("18C"),)),
                ToolResult("t2", (Text("no"),), error=True, plain=False),
            ),
        ),
        Profile(),
        {
            "messages": [
                {
                    "role": "assistant",
                    "content": "Looking.",
                    "tool_calls": [
                        {"id": "t1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}},
                        {"id": "t2", "type": "function", "function": {"name": "g", "arguments": "{}"}},
                    ],
                },
                {"role": "tool", "tool_call_id": "t1", "content": "18C", "name": "f"},
                {"role": "tool", "tool_call_id": "t2", "content": '[{"type":"text","text":"no"}]', "name": "g"},
                {"role": "user", "content": [{"type": "text", "text": "and?"}]},
            ]
        },
    ),
    "a picture out of a tool": (
        asked(
            user(ToolResult("t", (Media("image", "image/png", Inline("AA")),), plain=False)), origin="openai_responses"
        ),
        Profile(),
        {
            "messages": [
                {"role": "tool", "tool_call_id": "t", "content": "(the media of this answer are in the next message)"},
                {
                    "role": "user",
                    "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}}],
                },
            ]
        },
    ),
    "calls alone": (
        asked(Message("assistant", (Reasoning("hm"), ToolCall("t", "f", "{}")))),
        Profile(),
        {
            "messages": [
                {
                    "role": "assistant",
                    "content": None,
                    "tool_calls": [{"id": "t", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
                }
            ]
        },
    ),
    "reasoning echoed": (
        asked(Message("assistant", (Reasoning("hm"), Text("a")), plain=True)),
        Profile(reasoning_echo="required"),
        {"messages": [{"role": "assistant", "content": "a", "reasoning_content": "hm"}]},
    ),
    "reasoning echoed to openrouter": (
        asked(Message("assistant", (Reasoning("hm", Seal("openai_chat", OWN.data)), Text("a")), plain=True)),
        Profile(reasoning_echo="optional", reasoning_field="reasoning", dialect="openrouter"),
        {
            "messages": [
                {
                    "role": "assistant",
                    "content": "a",
                    "reasoning": "hm",
                    "reasoning_details": [{"type": "reasoning.text", "signature": "sig", "index": 0, "text": "hm"}],
                }
            ]
        },
    ),
    "one stop": (
        asked(user(Text("x"), plain=True), sampling=Sampling(stop=("A",), top_k=5, max_output=3)),
        Profile(max_tokens_field="max_completion_tokens"),
        {"messages": [{"role": "user", "content": "x"}], "max_completion_tokens": 3, "stop": "A"},
    ),
    "more stops": (
        asked(user(Text("x"), plain=True), sampling=Sampling(stop=("A", "B"), top_k=5, temperature=1)),
        Profile(top_k=True, sampling=False),
        {"messages": [{"role": "user", "content": "x"}], "top_k": 5, "stop": ["A", "B"]},
    ),
    "streaming": (
        asked(user(Text("x"), plain=True), stream=True),
        Profile(),
        {"messages": [{"role": "user", "content": "x"}], "stream": True, "stream_options": {"include_usage": True}},
    ),
    "thinking that is not taken": (
        asked(user(Text("x"), plain=True), reasoning=ReasoningWish(enabled=True, budget=2000)),
        Profile(),
        {"messages": [{"role": "user", "content": "x"}]},
    ),
    "thinking as an effort": (
        asked(user(Text("x"), plain=True), reasoning=ReasoningWish(enabled=True, budget=2000)),
        Profile(reasoning="effort"),
        {"messages": [{"role": "user", "content": "x"}], "reasoning_effort": "medium"},
    ),
    "thinking at openrouter": (
        asked(user(Text("x"), plain=True), reasoning=ReasoningWish(enabled=True, budget=2000)),
        Profile(dialect="openrouter"),
        {"messages": [{"role": "user", "content": "x"}], "reasoning": {"enabled": True, "max_tokens": 2000}},
    ),
    "any of two tools": (
        asked(
            user(Text("x"), plain=True),
            tools=(Tool("f", schema=raw({"type": "object"})), Tool("g")),
            tool_choice=ToolChoice("required", names=("f",)),
            origin="gemini",
        ),
        Profile(),
        {
            "stream": False,
            "messages": [{"role": "user", "content": "x"}],
            "tools": [
                {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}},
                {"type": "function", "function": {"name": "g"}},
            ],
            "tool_choice": {"type": "function", "function": {"name": "f"}},
        },
    ),
    "web search": (
        asked(user(Text("x"), plain=True), tools=(WebSearch("low", user_location=raw({"city": "Paris"})),)),
        Profile(web_search=True),
        {
            "messages": [{"role": "user", "content": "x"}],
            "web_search_options": {
                "search_context_size": "low",
                "user_location": {"type": "approximate", "approximate": {"city": "Paris"}},
            },
        },
    ),
    "no schema": (
        asked(user(Text("x"), plain=True), output=OutputWish("schema", schema=raw({}))),
        Profile(json_schema=False),
        {"messages": [{"role": "user", "content": "x"}], "response_format": {"type": "json_object"}},
    ),
    "a vendor's part beside text": (
        asked(Message("assistant", (Text("a"), Native("anthropic_messages", raw({}))))),
        Profile(),
        {"messages": [{"role": "assistant", "content": [{"type": "text", "text": "a"}]}]},
    ),
    "a vendor's part before a call": (
        asked(Message("assistant", (Native("openai_responses", raw({})), ToolCall("c", "f", "{}")))),
        Profile(),
        {
            "messages": [
                {
                    "role": "assistant",
                    "content": None,
                    "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
                }
            ]
        },
    ),
    "a vendor's part alone": (
        asked(user(Text("x"), plain=True), Message("assistant", (Native("openai_responses", raw({})),))),
        Profile(),
        {"messages": [{"role": "user", "content": "x"}]},
    ),
    "a tool of free text, where only functions are known": (
        asked(
            user(Text("x"), plain=True),
            Message("assistant", (ToolCall("c", "sh", "ls", custom=True),)),
            tools=(CustomTool("sh", "run"),),
            tool_choice=ToolChoice("named", "sh"),
        ),
        Profile(),
        {
            "messages": [
                {"role": "user", "content": "x"},
                {
                    "role": "assistant",
                    "content": None,
                    "tool_calls": [
                        {"id": "c", "type": "function", "function": {"name": "sh", "arguments": '{"input":"ls"}'}}
                    ],
                },
            ],
            "tools": [
                {
                    "type": "function",
                    "function": {
                        "name": "sh",
                        "description": "run",
                        "parameters": {
                            "type": "object",
                            "properties": {"input": {"type": "string"}},
                            "required": ["input"],
                        },
                    },
                }
            ],
            "tool_choice": {"type": "function", "function": {"name": "sh"}},
        },
    ),
    "one of several tools, where only one or any can be named": (
        asked(
            user(Text("x"), plain=True),
            tools=(Tool("f"), Tool("g")),
            tool_choice=ToolChoice("required", names=("f", "g")),
        ),
        Profile(),
        {
            "messages": [{"role": "user", "content": "x"}],
            "tools": [
                {"type": "function", "function": {"name": "f"}},
                {"type": "function", "function": {"name": "g"}},
            ],
            "tool_choice": "required",
        },
    ),
    "as many stop sequences as are taken": (
        asked(user(Text("x"), plain=True), sampling=Sampling(stop=("a", "b", "c", "d", "e"))),
        Profile(max_stop=4),
        {"messages": [{"role": "user", "content": "x"}], "stop": ["a", "b", "c", "d"]},
    ),
}


@pytest.mark.parametrize(("request_", "profile", "expected"), WRITTEN.values(), ids=WRITTEN.keys())
def test_a_request_is_written(request_: Request, profile: Profile, expected: dict[str, Any]) -> None:
    assert sent(request_, profile) == {"model": "m", **expected}


def test_nine_letter_ids() -> None:
    messages = (Message("assistant", (ToolCall("toolu_1", "f", "{}"),)), user(ToolResult("toolu_1", (Text("1"),))))
    first, second = sent(asked(*messages), Profile(tool_call_id="nine"))["messages"]
    assert first["tool_calls"][0]["id"] == second["tool_call_id"]
    assert len(second["tool_call_id"]) == 9


LOST = {
    "tool_result.error": asked(user(ToolResult("t", (Text("x"),), error=True))),
    "sampling.top_k": asked(user(Text("x")), sampling=Sampling(top_k=1)),
    "reasoning": asked(user(Text("x")), reasoning=ReasoningWish(effort="high")),
    "cache": asked(user(Text("x", CacheMark()))),
    "user": asked(user(Text("x")), user="u"),
    "web_search": asked(user(Text("x")), tools=(WebSearch("low", max_uses=1),)),
    "parts.native": asked(user(Text("x"), Native("gemini", raw({})))),
    "tools.native": asked(user(Text("x")), tools=(NativeTool("gemini", raw({})),)),
    "tools.custom.format": asked(user(Text("x")), tools=(CustomTool("sh", format=raw({"type": "text"})),)),
    "tool_choice.names": asked(
        user(Text("x")), tools=(Tool("f"), Tool("g")), tool_choice=ToolChoice("required", names=("f", "g"))
    ),
}


@pytest.mark.parametrize(("what", "request_"), LOST.items(), ids=LOST.keys())
def test_what_is_left_out_is_told(what: str, request_: Request) -> None:
    assert [loss.what for loss in write_request(request_, Profile()).losses] == [what]


@pytest.mark.parametrize(
    "request_",
    [
        asked(user(Media("document", "application/pdf", Url("https://x/a.pdf")))),
        asked(user(Media("audio", "audio/wav", Url("https://x/a.wav")))),
        asked(user(Media("image", "", FileRef("f", "anthropic_messages")))),
    ],
)
def test_what_would_vanish_is_refused(request_: Request) -> None:
    with pytest.raises(Unsupported):
        write_request(request_, Profile())


# -- errors ------------------------------------------------------------------------------

ERRORS: dict[str, tuple[int, bytes, tuple[int, str, str, str]]] = {
    "openai": (
        400,
        j({"error": {"message": "bad", "type": "invalid_request_error", "param": "x", "code": "c"}}),
        (400, "bad", "invalid_request_error", "c"),
    ),
    "no code": (
        429,
        j({"error": {"message": "slow", "type": "requests", "code": None}}),
        (429, "slow", "requests", "requests"),
    ),
    "anthropic": (
        529,
        j({"type": "error", "error": {"type": "overloaded_error", "message": "busy"}}),
        (529, "busy", "overloaded_error", "overloaded_error"),
    ),
    "google": (
        400,
        j({"error": {"code": 400, "message": "bad", "status": "INVALID_ARGUMENT"}}),
        (400, "bad", "upstream_error", "INVALID_ARGUMENT"),
    ),
    "google's array": (
        400,
        j([{"error": {"code": 400, "message": "bad", "status": "INVALID_ARGUMENT"}}]),
        (400, "bad", "upstream_error", "INVALID_ARGUMENT"),
    ),
    "openrouter": (200, j({"error": {"code": 429, "message": "slow"}}), (429, "slow", "upstream_error", "429")),
    "string": (500, j({"error": "boom"}), (500, "boom", "upstream_error", "bad_response_status_code")),
    "message": (404, j({"message": "gone"}), (404, "gone", "upstream_error", "bad_response_status_code")),
    "detail": (422, j({"detail": "wrong"}), (422, "wrong", "upstream_error", "bad_response_status_code")),
    "text": (
        500,
        b"exploded at https://secret.example/v1?key=abc",
        (500, "bad response status code 500", "bad_response_status_code", "bad_response_status_code"),
    ),
    "empty": (
        502,
        b"",
        (502, "bad response status code 502", "bad_response_status_code", "bad_response_status_code"),
    ),
}


@pytest.mark.parametrize(("status", "body", "expected"), ERRORS.values(), ids=ERRORS.keys())
def test_an_error_is_read(status: int, body: bytes, expected: tuple[int, str, str, str]) -> None:
    error = FORMAT.read_error(status, body)
    assert (error.status, error.message, error.type, error.code) == expected
    assert error.upstream_status == status


@given(st.integers(100, 599), st.binary(max_size=20))
def test_reading_an_error_never_raises(status: int, body: bytes) -> None:
    assert FORMAT.read_error(status, body).message


json_values: Any = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(["error", "message", "code", "type", "response", "header"]), inner, max_size=3
        )
    ),
    max_leaves=6,
)


@given(st.sampled_from([200, 400, 503]), json_values)
def test_no_json_breaks_the_error_reader(status: int, value: Any) -> None:
    assert FORMAT.read_error(status, j(value)).message


def test_an_error_is_written() -> None:
    error = NewapiError("no quota", status=403, code="insufficient_user_quota")
    expected = {
        "message": "no quota (request id: r1)",
        "type": "new_api_error",
        "param": "",
        "code": "insufficient_user_quota",
    }
    assert msgspec.json.decode(FORMAT.write_error(error, "r1")) == {"error": expected}
    frames = SseFramer().feed(FORMAT.error_frame(error, "r1"))
    assert [msgspec.json.decode(frames[0].data), frames[1].data] == [{"error": expected}, b"[DONE]"]


# -- the verbatim lane ---------------------------------------------------------------------


def test_the_filter_keeps_usage_from_who_did_not_ask() -> None:
    assert FORMAT.frame_filter(OPTIONS) is None
    keep = FORMAT.frame_filter(replace(OPTIONS, include_usage=False))
    assert keep
    plain, both = j(delta(content="Hi")), delta("stop")
    assert keep(Frame("", plain)) == sse.write(plain)
    assert keep(Frame("", j({"choices": [], "usage": USAGE}))) == b""
    assert keep(Frame("", j(both | {"usage": USAGE}))) == sse.write(j(both))
    nothing = j(both | {"usage": None})
    assert keep(Frame("", nothing)) == sse.write(nothing)
    assert keep(Frame("", b'oops "usage"')) == sse.write(b'oops "usage"')


def test_the_usage_frame() -> None:
    (frame,) = SseFramer().feed(FORMAT.usage_frame(Usage(input=1, output=2), OPTIONS))
    chunk = msgspec.json.decode(frame.data)
    assert chunk["choices"] == []
    assert chunk["usage"]["total_tokens"] == 3
