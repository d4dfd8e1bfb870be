"""Anthropic's answers, whole and in events, read and written."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import msgspec
import pytest
from anthropic import types
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw
from msgspec.structs import replace
from pydantic import TypeAdapter

from newapi.base.errors import UpstreamError
from newapi.formats._anthropic_read_answer import Reader, read_response, read_usage
from newapi.formats._anthropic_write_answer import Writer, write_response
from newapi.formats.anthropic_messages import FORMAT
from newapi.formats.contract import WriterOptions
from newapi.frames.sse import Frame, SseFramer, write
from newapi.ir.check import check
from newapi.ir.events import (
    Cited,
    Closed,
    Delta,
    Event,
    Failed,
    Finished,
    Metered,
    Opened,
    Sealed,
    Started,
    Whole,
)
from newapi.ir.fold import fold, unfold
from newapi.ir.request import Citation, FileRef, Inline, Media, Native, Reasoning, Refusal, Text, ToolCall, Url
from newapi.ir.response import Choice, Finish, Response
from newapi.ir.seal import Seal, pack, unpack
from newapi.ir.usage import Usage

NAME = "anthropic_messages"
OPTIONS = WriterOptions(model="asked", request_id="req", prompt_tokens=7)
SIGNED = Seal(NAME, "c2ln")
FOREIGN = Seal("gemini", "Zm9y")
USAGE: dict[str, Any] = {"input_tokens": 11, "output_tokens": 7}
SEARCH: dict[str, Any] = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "x"}}
FOUND: dict[str, Any] = {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []}
CITED: dict[str, Any] = {
    "type": "web_search_result_location",
    "url": "https://u",
    "title": "T",
    "cited_text": "c",
    "encrypted_index": "e",
}


def event(kind: str, **data: Any) -> dict[str, Any]:
    return {"type": kind, **data}


def start(**usage: Any) -> dict[str, Any]:
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "up", "content": []}
    return event("message_start", message={**message, "usage": {"input_tokens": 11, "output_tokens": 1, **usage}})


def begin(index: int, **block: Any) -> dict[str, Any]:
    return event("content_block_start", index=index, content_block=block)


def more(index: int, kind: str, **delta: Any) -> dict[str, Any]:
    return event("content_block_delta", index=index, delta={"type": kind, **delta})


def stop(index: int) -> dict[str, Any]:
    return event("content_block_stop", index=index)


def end(reason: str | None = "end_turn", sequence: str | None = None, **usage: Any) -> list[dict[str, Any]]:
    said = event(
        "message_delta",
        delta={"stop_reason": reason, "stop_sequence": sequence},
        usage={"output_tokens": 7, **usage},
    )
    return [said, event("message_stop")]


def words(index: int, *pieces: str) -> list[dict[str, Any]]:
    deltas = [more(index, "text_delta", text=p) for p in pieces]
    return [begin(index, type="text", text=""), *deltas, stop(index)]


def call(index: int, id: str, *pieces: str) -> list[dict[str, Any]]:
    deltas = [more(index, "input_json_delta", partial_json=p) for p in pieces]
    return [begin(index, type="tool_use", id=id, name="f", input={}), *deltas, stop(index)]


def thought(index: int, *pieces: str, signature: str = "c2ln") -> list[dict[str, Any]]:
    deltas = [more(index, "thinking_delta", thinking=p) for p in pieces]
    signed = more(index, "signature_delta", signature=signature)
    return [begin(index, type="thinking", thinking="", signature=""), *deltas, signed, stop(index)]


STREAMS: dict[str, list[Any]] = {
    "text": [start(), event("ping"), *words(0, "Hi", " there"), *end()],
    "thinking": [start(), *thought(0, "h", "m"), *words(1, "42"), *end()],
    "omitted thinking": [start(), *thought(0), *words(1, "42"), *end()],
    "redacted": [start(), begin(0, type="redacted_thinking", data="c2ln"), stop(0), *words(1, "a"), *end()],
    "calls": [
        start(),
        *words(0, "Let me see."),
        *call(1, "t1", "", '{"a":', "1}"),
        *call(2, "t2"),
        *end("tool_use"),
    ],
    "call with its input at once": [
        start(),
        begin(0, type="tool_use", id="t1", name="f", input={"a": 1}),
        more(0, "input_json_delta", partial_json=""),
        stop(0),
        *end("tool_use"),
    ],
    "search": [
        start(),
        begin(0, **{**SEARCH, "input": {}}),
        more(0, "input_json_delta", partial_json='{"query":'),
        more(0, "input_json_delta", partial_json='"x"}'),
        stop(0),
        begin(1, **FOUND),
        stop(1),
        begin(2, type="text", text="", citations=[]),
        more(2, "citations_delta", citation=CITED),
        more(2, "text_delta", text="It is so."),
        stop(2),
        *end(server_tool_use={"web_search_requests": 2}),
    ],
    "stop sequence": [start(), *words(0, "a"), *end("stop_sequence", "END")],
    "length": [start(), *words(0, "a"), *end("max_tokens")],
    "refusal": [start(), *words(0, "a"), *end("refusal")],
    "pause": [start(), *words(0, "a"), *end("pause_turn")],
    "window": [start(), *words(0, "a"), *end("model_context_window_exceeded")],
    "nothing": [start(), *end()],
}
WHOLE: dict[str, tuple[list[Any], str, str | None, dict[str, Any]]] = {
    "text": ([{"type": "text", "text": "Hi there"}], "end_turn", None, {}),
    "thinking": (
        [{"type": "thinking", "thinking": "hm", "signature": "c2ln"}, {"type": "text", "text": "42"}],
        "end_turn",
        None,
        {},
    ),
    "omitted thinking": (
        [{"type": "thinking", "thinking": "", "signature": "c2ln"}, {"type": "text", "text": "42"}],
        "end_turn",
        None,
        {},
    ),
    "redacted": (
        [{"type": "redacted_thinking", "data": "c2ln"}, {"type": "text", "text": "a"}],
        "end_turn",
        None,
        {},
    ),
    "calls": (
        [
            {"type": "text", "text": "Let me see."},
            {"type": "tool_use", "id": "t1", "name": "f", "input": {"a": 1}},
            {"type": "tool_use", "id": "t2", "name": "f", "input": {}},
        ],
        "tool_use",
        None,
        {},
    ),
    "call with its input at once": (
        [{"type": "tool_use", "id": "t1", "name": "f", "input": {"a": 1}}],
        "tool_use",
        None,
        {},
    ),
    "search": (
        [SEARCH, FOUND, {"type": "text", "text": "It is so.", "citations": [CITED]}],
        "end_turn",
        None,
        {"server_tool_use": {"web_search_requests": 2}},
    ),
    "stop sequence": ([{"type": "text", "text": "a"}], "stop_sequence", "END", {}),
    "length": ([{"type": "text", "text": "a"}], "max_tokens", None, {}),
    "refusal": ([{"type": "text", "text": "a"}], "refusal", None, {}),
    "pause": ([{"type": "text", "text": "a"}], "pause_turn", None, {}),
    "window": ([{"type": "text", "text": "a"}], "model_context_window_exceeded", None, {}),
    "nothing": ([], "end_turn", None, {}),
}
FINISHES: dict[str, Finish] = {
    "calls": "tool_calls",
    "call with its input at once": "tool_calls",
    "stop sequence": "stop_sequence",
    "length": "length",
    "refusal": "filter",
    "pause": "pause",
    "window": "context",
}
BROKEN: dict[str, list[Any]] = {
    "cut in a block": STREAMS["text"][:4],
    "cut in a call": STREAMS["calls"][:7],
    "cut in a search": STREAMS["search"][:3],
    "cut before the reason": STREAMS["text"][:-2],
    "error": [*STREAMS["text"][:4], event("error", error={"type": "overloaded_error", "message": "Overloaded"})],
    "error at once": [event("error", error={"type": "api_error", "message": "x"})],
    "OpenAI's error": [start(), {"error": {"message": "x", "type": "server_error"}}],
    "not JSON": [start(), "nonsense"],
    "wrong type": [start(), event("content_block_delta", index="x")],
    "wrong block": [start(), begin(0, type=3)],
}


def whole(name: str) -> bytes:
    content, reason, sequence, usage = WHOLE[name]
    return msgspec.json.encode(
        {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": "up",
            "content": content,
            "stop_reason": reason,
            "stop_sequence": sequence,
            "usage": {**USAGE, **usage},
        }
    )


def frames(events: list[Any]) -> list[Frame]:
    return [
        Frame(e.get("type", ""), msgspec.json.encode(e)) if isinstance(e, dict) else Frame("", e.encode())
        for e in events
    ]


def read(events: list[Any]) -> list[Event]:
    reader = Reader()
    told = [e for f in frames(events) for e in reader.feed(f)]
    return [*told, *reader.close()]


def bare(value: Any) -> Any:
    """Raw JSON decoded, so that answers can be compared."""
    if isinstance(value, Raw):
        return msgspec.json.decode(value)
    if isinstance(value, msgspec.Struct):
        return (type(value).__name__, *(bare(getattr(value, f)) for f in value.__struct_fields__))
    return [bare(v) for v in value] if isinstance(value, tuple | list) else value


# -- read -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*STREAMS, *BROKEN])
def test_every_prefix_keeps_the_grammar(name: str) -> None:
    events = (STREAMS | BROKEN)[name]
    for cut in range(len(events) + 1):
        assert check(read(events[:cut])) == []


@pytest.mark.parametrize("name", STREAMS)
def test_plain_and_streamed_say_the_same(name: str) -> None:
    assert bare(fold(read(STREAMS[name]))) == bare(read_response(whole(name)))


@pytest.mark.parametrize("name", STREAMS)
def test_why_it_ended(name: str) -> None:
    choice = read_response(whole(name)).choices[0]
    assert choice.finish == FINISHES.get(name, "stop")
    assert choice.stop_sequence == ("END" if name == "stop sequence" else "")


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("text", (Text("Hi there"),)),
        ("thinking", (Reasoning("hm", SIGNED), Text("42"))),
        ("redacted", (Reasoning("", Seal(NAME, "c2ln", "redacted"), redacted=True), Text("a"))),
        ("calls", (Text("Let me see."), ToolCall("t1", "f", '{"a":1}'), ToolCall("t2", "f", "{}"))),
        (
            "search",
            (
                Native(NAME, Raw(msgspec.json.encode(SEARCH))),
                Native(NAME, Raw(msgspec.json.encode(FOUND))),
                Text("It is so.", citations=(Citation("https://u", "T", "c"),)),
            ),
        ),
    ],
)
def test_parts(name: str, parts: Any) -> None:
    assert bare(read_response(whole(name)).choices[0].parts) == bare(parts)


@pytest.mark.parametrize("name", BROKEN)
def test_what_breaks_off_fails(name: str) -> None:
    events = read(BROKEN[name])
    assert isinstance(events[-1], Failed)
    assert not any(isinstance(e, Finished) for e in events)


@pytest.mark.parametrize(
    ("name", "kind", "status", "type"),
    [
        ("cut in a block", "cut", 502, "upstream_error"),
        ("error", "error_event", 529, "overloaded_error"),
        ("error at once", "error_event", 500, "api_error"),
        ("OpenAI's error", "error_event", 502, "server_error"),
        ("not JSON", "malformed", 502, "upstream_error"),
    ],
)
def test_how_it_failed(name: str, kind: str, status: int, type: str) -> None:
    (failed,) = [e for e in read(BROKEN[name]) if isinstance(e, Failed)]
    assert (failed.error.kind, failed.error.status, failed.error.type) == (kind, status, type)


def test_nothing_follows_a_failure() -> None:
    reader = Reader()
    for frame in frames(BROKEN["error"]):
        list(reader.feed(frame))
    assert list(reader.feed(frames(STREAMS["text"])[0])) == []
    assert list(reader.close()) == []


@pytest.mark.parametrize(
    "events",
    [
        [start(), *words(0, "a"), end()[0]],  # no message_stop
        [start(), *words(0, "a"), event("message_stop")],  # no reason
        [start(), *words(0, "a")[:-1], *end()],  # a block left open
        [*words(0, "a"), *end()],  # no message_start
        [start(), more(0, "text_delta", text="a"), *end()],  # no start of the block
        [start(), *words(0, "a"), *end(), "[DONE]"],
        [start(), *words(0, "a"), event("something_new"), *end()],
        [start(), *words(0, "a"), more(5, "new_delta"), event("content_block_delta", index=0), stop(9), *end()],
        [start(), *words(0, "a")[:-1], begin(0, type="text", text=""), *end()],  # an index twice
    ],
)
def test_vendors_that_bend_the_rules(events: list[Any]) -> None:
    told = read(events)
    assert check(told) == []
    answer = fold(told)
    assert "".join(p.text for p in answer.choices[0].parts if isinstance(p, Text)) == "a"
    assert answer.choices[0].finish == "stop"


def test_a_call_without_a_reason_is_a_call() -> None:
    assert fold(read([start(), *call(0, "t"), event("message_stop")])).choices[0].finish == "tool_calls"


@pytest.mark.parametrize(
    ("said", "usage"),
    [
        ({}, Usage(input=11, output=7)),
        ({"cache_read_input_tokens": 5}, Usage(input=11, cache_read=5, output=7)),
        ({"cache_creation_input_tokens": 9}, Usage(input=11, cache_write_5m=9, output=7)),
        (
            {
                "cache_creation_input_tokens": 9,
                "cache_creation": {"ephemeral_5m_input_tokens": 2, "ephemeral_1h_input_tokens": 4},
            },
            Usage(input=11, cache_write_5m=5, cache_write_1h=4, output=7),
        ),
        (
            {"cache_creation": {"ephemeral_5m_input_tokens": 2, "ephemeral_1h_input_tokens": 4}},
            Usage(input=11, cache_write_5m=2, cache_write_1h=4, output=7),
        ),
        ({"output_tokens_details": {"thinking_tokens": 3}}, Usage(input=11, output=4, reasoning=3)),
        ({"output_tokens_details": {"thinking_tokens": 30}}, Usage(input=11, reasoning=7)),
        ({"server_tool_use": {"web_search_requests": 2}}, Usage(input=11, output=7, web_searches=2)),
        ({"cache_read_input_tokens": None, "server_tool_use": None}, Usage(input=11, output=7)),
    ],
)
def test_usage(said: dict[str, Any], usage: Usage) -> None:
    body = msgspec.json.encode({"type": "message", "content": [], "usage": {**USAGE, **said}})
    assert read_usage(body) == read_response(body).usage == usage
    # In a stream some of it comes at the start, some at the end.
    assert fold(read([start(**said), *end(**said)])).usage == usage


def test_the_end_takes_nothing_back() -> None:
    told = read([start(cache_read_input_tokens=5), *end(input_tokens=0, cache_read_input_tokens=0)])
    assert fold(told).usage == Usage(input=11, cache_read=5, output=7)
    assert sum(isinstance(e, Metered) for e in told) == 2


def test_no_usage() -> None:
    body = b'{"type":"message","content":[]}'
    assert read_usage(body) is None
    assert read_response(body).usage is None


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", "malformed"),
        (b"nonsense", "malformed"),
        (b"[]", "malformed"),
        (b'{"id":3}', "malformed"),
        (b'{"content":[{"type":3}]}', "malformed"),
        (b'{"choices":[]}', "malformed"),
        (b'{"type":"error","error":{"type":"overloaded_error","message":"x"}}', "error_event"),
        (b'{"id":3,"error":{"message":"x"}}', "error_event"),
    ],
)
def test_bodies_that_are_no_answer(body: bytes, kind: str) -> None:
    with pytest.raises(UpstreamError) as caught:
        read_response(body)
    assert caught.value.kind == kind


@given(data=st.data())
def test_where_the_bytes_are_cut_does_not_matter(data: st.DataObject) -> None:
    events = STREAMS[data.draw(st.sampled_from(list(STREAMS)))]
    raw = b"".join(write(msgspec.json.encode(e), e["type"]) for e in events)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(raw)), max_size=9)))
    framer, reader = SseFramer(), Reader()
    told: list[Event] = []
    for a, b in pairwise([0, *cuts, len(raw)]):
        for frame in framer.feed(raw[a:b]):
            told += reader.feed(frame)
    assert bare([*told, *reader.close()]) == bare(read(events))


@given(st.lists(st.binary(max_size=60), max_size=5))
def test_any_bytes_keep_the_grammar(pieces: list[bytes]) -> None:
    reader = Reader()
    told = [e for p in pieces for e in reader.feed(Frame("", p))]
    assert check([*told, *reader.close()]) == []


# -- written ---------------------------------------------------------------------------------

ANSWER = Response(
    id="msg_1",
    model="up",
    choices=(
        Choice(
            (Reasoning("hm", SIGNED), Text("Hi"), ToolCall("t1", "f", '{"a":1}'), ToolCall("t2", "g", "{}")),
            "tool_calls",
        ),
    ),
    usage=Usage(input=5, cache_read=3, cache_write_5m=2, cache_write_1h=1, output=4, reasoning=6, web_searches=2),
)


def written(response: Response) -> dict[str, Any]:
    return msgspec.json.decode(write_response(response, OPTIONS))


def one(part: Any) -> list[Any]:
    return written(Response("", "", (Choice((part,)),)))["content"]


def stream(events: list[Event], options: WriterOptions = OPTIONS) -> list[dict[str, Any]]:
    """Write `events`; check the grammar of what comes out, and that the SDK knows every event."""
    writer = Writer(options)
    raw = b"".join(writer.write(e) for e in events) + writer.close()
    framer = SseFramer()
    told: list[dict[str, Any]] = []
    for frame in (*framer.feed(raw), *framer.close()):
        data = msgspec.json.decode(frame.data)
        assert data["type"] == frame.event
        told.append(data)
    hold_to_grammar(told)
    return told


EVENTS: TypeAdapter[Any] = TypeAdapter(types.RawMessageStreamEvent)


def hold_to_grammar(told: list[dict[str, Any]]) -> None:
    """One message, one open block at a time, numbered from 0, closed before the end; nothing after an error."""
    open_block: int | None = None
    blocks = 0
    for place, said in enumerate(told):
        kind = said["type"]
        assert (kind == "message_start") == (place == 0 and kind != "error")
        if kind != "error":
            EVENTS.validate_python(said, strict=True)
        match kind:
            case "content_block_start":
                assert open_block is None
                assert said["index"] == blocks
                open_block, blocks = blocks, blocks + 1
            case "content_block_delta":
                assert said["index"] == open_block
            case "content_block_stop":
                assert said["index"] == open_block
                open_block = None
            case "message_delta":
                assert open_block is None
                assert [t["type"] for t in told[place:]] == ["message_delta", "message_stop"]
            case "error":
                assert place == len(told) - 1
            case _:
                pass
    assert told[-1]["type"] in ("message_stop", "error")


def test_a_whole_answer() -> None:
    assert written(ANSWER) == {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "up",
        "content": [
            {"type": "thinking", "thinking": "hm", "signature": "c2ln"},
            {"type": "text", "text": "Hi"},
            {"type": "tool_use", "id": "t1", "name": "f", "input": {"a": 1}},
            {"type": "tool_use", "id": "t2", "name": "g", "input": {}},
        ],
        "stop_reason": "tool_use",
        "stop_sequence": None,
        "usage": {
            "input_tokens": 5,
            "cache_creation_input_tokens": 3,
            "cache_read_input_tokens": 3,
            "cache_creation": {"ephemeral_5m_input_tokens": 2, "ephemeral_1h_input_tokens": 1},
            "output_tokens": 10,
            "output_tokens_details": {"thinking_tokens": 6},
            "server_tool_use": {"web_search_requests": 2, "web_fetch_requests": 0},
        },
    }


@pytest.mark.parametrize(
    ("part", "blocks"),
    [
        (Text(""), []),
        (
            Text("a", citations=(Citation("https://u", "T", "c"), Citation("", "D", "d"))),
            [{"type": "text", "text": "a", "citations": [CITED | {"encrypted_index": ""}]}],
        ),
        (Refusal("no"), [{"type": "text", "text": "no"}]),
        (Refusal(""), []),
        (Reasoning("hm"), [{"type": "thinking", "thinking": "hm", "signature": ""}]),
        (Reasoning(""), []),
        (Reasoning("hm", FOREIGN), [{"type": "thinking", "thinking": "hm", "signature": pack(FOREIGN, NAME)}]),
        (Reasoning("", SIGNED), [{"type": "thinking", "thinking": "", "signature": "c2ln"}]),
        (Reasoning("", SIGNED, redacted=True), [{"type": "redacted_thinking", "data": "c2ln"}]),
        (
            ToolCall("a:b", "f", "{}", seal=FOREIGN),
            [
                {"type": "redacted_thinking", "data": pack(FOREIGN, NAME)},
                {"type": "tool_use", "id": "a_b", "name": "f", "input": {}},
            ],
        ),
        (
            ToolCall("t", "f", "free", custom=True),
            [{"type": "tool_use", "id": "t", "name": "f", "input": {"input": "free"}}],
        ),
        (
            Media("image", "image/png", Inline("AA==")),
            [{"type": "text", "text": "![image](data:image/png;base64,AA==)"}],
        ),
        (Media("image", "", Url("https://u")), [{"type": "text", "text": "![image](https://u)"}]),
        (Media("image", "", FileRef("f", "x")), []),
        (Media("audio", "audio/wav", Inline("AA=="), transcript="hello"), [{"type": "text", "text": "hello"}]),
        (Native(NAME, Raw(msgspec.json.encode(SEARCH))), [SEARCH]),
        (Native("gemini", Raw(b"{}")), []),
    ],
)
def test_each_part_whole_and_in_events(part: Any, blocks: Any) -> None:
    assert one(part) == blocks
    assert accumulated(stream(list(unfold(Response("", "", (Choice((part,)),)))))) == blocks


def accumulated(told: list[dict[str, Any]]) -> list[Any]:
    """The content as a client puts it together."""
    content: list[Any] = []
    partial = ""
    for said in told:
        if said["type"] == "content_block_start":
            content.append(dict(said["content_block"]))
            partial = ""
        elif said["type"] == "content_block_delta":
            delta, block = said["delta"], content[-1]
            match delta["type"]:
                case "text_delta":
                    block["text"] += delta["text"]
                case "thinking_delta":
                    block["thinking"] += delta["thinking"]
                case "signature_delta":
                    block["signature"] = delta["signature"]
                case "input_json_delta":
                    partial += delta["partial_json"]
                    with_input = partial.endswith("}") and msgspec.json.decode(partial)
                    block["input"] = with_input or block["input"]
                case "citations_delta":
                    block.setdefault("citations", []).append(delta["citation"])
                case _:
                    raise AssertionError(delta)
    return content


@pytest.mark.parametrize(
    ("finish", "reason"),
    [
        ("stop", "end_turn"),
        ("length", "max_tokens"),
        ("tool_calls", "tool_use"),
        ("filter", "refusal"),
        ("stop_sequence", "stop_sequence"),
        ("pause", "pause_turn"),
        ("context", "model_context_window_exceeded"),
    ],
)
def test_why_it_ended_is_told(finish: Finish, reason: str) -> None:
    sequence = "END" if finish == "stop_sequence" else ""
    response = Response("", "", (Choice((Text("a"),), finish, sequence),))
    body = written(response)
    assert (body["stop_reason"], body["stop_sequence"]) == (reason, sequence or None)
    assert stream(list(unfold(response)))[-2]["delta"] == {"stop_reason": reason, "stop_sequence": sequence or None}


@pytest.mark.parametrize("response", [ANSWER, Response("", "", ()), Response("", "", (Choice((Text("a"),)),))])
def test_the_sdk_takes_it(response: Response) -> None:
    types.Message.model_validate(written(response), strict=True)


def test_what_the_upstream_does_not_say_is_filled_in() -> None:
    body = written(Response("", "", (Choice((Text("a"),)),)))
    assert (body["id"], body["model"], body["usage"]["input_tokens"]) == ("msg_req", "asked", 7)


def test_only_the_first_alternative() -> None:
    response = Response("", "", (Choice((Text("a"),)), Choice((Text("b"), ToolCall("t", "f", "{}")), "length")))
    assert written(response)["content"] == [{"type": "text", "text": "a"}]
    told = stream(list(unfold(response)))
    assert accumulated(told) == [{"type": "text", "text": "a"}]
    assert told[-2]["delta"]["stop_reason"] == "end_turn"


@pytest.mark.parametrize("name", STREAMS)
def test_what_is_read_is_written_again(name: str) -> None:
    """Plain, and as events; where a citation came from is not told to other formats, so it is compared without."""
    response = read_response(whole(name))
    again = read_response(write_response(response, OPTIONS))
    assert bare(again) == bare(response)
    told = stream(read(STREAMS[name]))
    assert bare(fold(read(told))) == bare(response)


def test_the_usage_comes_at_the_end_and_at_the_start_where_it_is_known() -> None:
    known = stream(
        [Started("m", "x"), Metered(Usage(input=5, cache_read=3)), Opened(0, "text"), Delta(0, "a"), Closed(0)]
    )
    assert known[0]["message"]["usage"] == {
        "input_tokens": 5,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 3,
        "output_tokens": 0,
    }
    late = stream(
        [
            Started("m", "x"),
            Opened(0, "text"),
            Delta(0, "a"),
            Closed(0),
            Finished("stop"),
            Metered(Usage(input=5, cache_read=3, cache_write_1h=2, output=4)),
        ]
    )
    assert late[0]["message"]["usage"]["input_tokens"] == 7
    assert late[-2]["usage"] == {
        "input_tokens": 5,
        "cache_creation_input_tokens": 2,
        "cache_read_input_tokens": 3,
        "output_tokens": 4,
    }


def test_nothing_comes_after_an_error() -> None:
    error = Failed(UpstreamError("busy", status=529, type="overloaded_error"))
    told = stream([Started("m", "x"), Opened(0, "text"), Delta(0, "a"), error])
    assert told[-1]["error"] == {"type": "overloaded_error", "message": "busy (request id: req)"}
    assert [t["type"] for t in stream([error])] == ["error"]


def test_calls_at_once_come_one_after_the_other() -> None:
    told = stream(
        [
            Started("m", "x"),
            Opened(0, "tool_call", 0, "t1", "f"),
            Opened(1, "tool_call", 0, "t2", "g"),
            Delta(1, '{"b"'),
            Delta(0, '{"a"'),
            Delta(1, ":2}"),
            Closed(1),
            Delta(0, ":1}"),
            Closed(0),
            Finished("tool_calls"),
        ]
    )
    assert accumulated(told) == [
        {"type": "tool_use", "id": "t1", "name": "f", "input": {"a": 1}},
        {"type": "tool_use", "id": "t2", "name": "g", "input": {"b": 2}},
    ]


def test_a_part_left_open_is_closed() -> None:
    told = stream([Started("m", "x"), Opened(0, "text"), Delta(0, "a"), Opened(1, "text"), Delta(1, "b")])
    assert accumulated(told) == [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]


def test_an_empty_stream_is_an_empty_message() -> None:
    assert [t["type"] for t in stream([])] == ["message_start", "message_delta", "message_stop"]


def test_a_delta_is_written_at_once() -> None:
    writer = Writer(OPTIONS)
    for e in (Started("m", "x"), Opened(0, "text"), Delta(0, "a")):
        writer.write(e)
    assert writer.write(Delta(0, 'b"')) == (
        b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,'
        b'"delta":{"type":"text_delta","text":"b\\""}}\n\n'
    )
    assert writer.write(Delta(0, "")) == b""


def test_the_keepalive_is_a_ping() -> None:
    (frame,) = SseFramer().feed(FORMAT.keepalive)
    assert (frame.event, msgspec.json.decode(frame.data)) == ("ping", {"type": "ping"})


PARTS = st.one_of(
    st.builds(Text, st.text(max_size=8)),
    st.builds(Text, st.just("a"), citations=st.just((Citation("https://u", "T", "c"),))),
    st.builds(Reasoning, st.text(max_size=5), st.sampled_from([None, SIGNED, FOREIGN])),
    st.just(Reasoning("", SIGNED, redacted=True)),
    st.builds(Refusal, st.text(max_size=5)),
    st.builds(ToolCall, st.just("t"), st.just("f"), st.sampled_from(["", "{}", '{"a":[1,2]}'])),
    st.builds(ToolCall, st.just("t"), st.just("f"), st.just('{"a":1}'), seal=st.just(FOREIGN)),
    st.builds(ToolCall, st.just("t"), st.just("f"), st.text(max_size=5), custom=st.just(True)),
    st.just(Media("image", "image/png", Inline("AA=="))),
    st.just(Native(NAME, Raw(msgspec.json.encode(SEARCH)))),
    st.just(Native("gemini", Raw(b"{}"))),
)


@given(parts=st.lists(PARTS, max_size=6), data=st.data())
def test_however_parts_are_interleaved(parts: list[Any], data: st.DataObject) -> None:
    """The blocks are those of the whole answer, in its order, in the strict grammar."""
    response = Response("m", "x", (Choice(tuple(parts)),))
    queues: list[list[Event]] = [[] for _ in parts]
    for e in unfold(response):
        # The seal of a call must not come later than after its first fragment, where Gemini has it.
        sealed = isinstance(e, Delta) and getattr(parts[e.part], "seal", None) == FOREIGN
        if isinstance(e, Delta) and len(e.text) > 1 and not sealed:
            at = data.draw(st.integers(0, len(e.text)))
            queues[e.part] += [replace(e, text=e.text[:at]), replace(e, text=e.text[at:])]
        elif not isinstance(e, Started | Finished | Metered):
            queues[e.part].append(e)
    events: list[Event] = [Started("m", "x")]
    opened = 0
    while any(queues):
        ready = [n for n, q in enumerate(queues) if q and n <= opened]
        number = data.draw(st.sampled_from(ready))
        events.append(queues[number].pop(0))
        opened = max(opened, number + 1)
    events.append(Finished("stop"))
    assert check(events) == []
    assert accumulated(stream(events)) == written(response)["content"]


@given(st.text(max_size=30))
def test_a_foreign_seal_comes_back_whole(data: str) -> None:
    held = Seal("openai_responses", data, "rs_1")
    (block,) = one(Reasoning("hm", held))
    assert unpack(block["signature"], NAME) == held


def test_cited_before_any_text() -> None:
    told = stream([Started("", ""), Opened(0, "text"), Cited(0, Citation("https://u")), Delta(0, "a"), Closed(0)])
    assert accumulated(told)[0]["citations"][0]["url"] == "https://u"


def test_a_seal_of_a_call_that_comes_after_its_first_fragment() -> None:
    told = stream(
        [
            Started("", ""),
            Opened(0, "tool_call", 0, "t", "f"),
            Delta(0, "{}"),
            Sealed(0, FOREIGN),
            Closed(0),
            Whole(1, Native(NAME, Raw(msgspec.json.encode(FOUND)))),
        ]
    )
    assert [b["type"] for b in accumulated(told)] == ["redacted_thinking", "tool_use", "web_search_tool_result"]
