"""Gemini's answers, whole and in chunks, read and written."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from google.genai import types
from hypothesis import given
from hypothesis import strategies as st

from newapi.base.errors import UpstreamError
from newapi.formats._gemini_read_answer import Reader, read_response, read_usage
from newapi.formats._gemini_write_answer import Writer, write_response
from newapi.formats.contract import WriterOptions
from newapi.formats.gemini import FORMAT
from newapi.frames.sse import Frame, SseFramer
from newapi.ir.check import check
from newapi.ir.events import Closed, Delta, Event, Failed, Finished, Metered, Opened, Started
from newapi.ir.fold import fold, unfold
from newapi.ir.request import Inline, Media, Native, Reasoning, Text, ToolCall
from newapi.ir.response import Choice, Response
from newapi.ir.seal import Seal
from newapi.ir.usage import Usage

OPTIONS = WriterOptions(model="asked", request_id="req")


def chunk(*parts: Any, finish: str | None = None, usage: Any = None, **more: Any) -> dict[str, Any]:
    candidate: dict[str, Any] = {"content": {"parts": list(parts), "role": "model"}, "index": 0}
    if finish:
        candidate["finishReason"] = finish
    body: dict[str, Any] = {"candidates": [candidate | more], "modelVersion": "up", "responseId": "r1"}
    return body | ({"usageMetadata": usage} if usage else {})


CALL = {"functionCall": {"name": "f", "args": {"a": [1, 2.5]}}}
THOUGHT = {"text": "hm", "thought": True}


def read(*chunks: Any) -> list[Event]:
    reader = Reader()
    events = [e for c in chunks for e in reader.feed(Frame("", msgspec.json.encode(c)))]
    return [*events, *reader.close()]


CASES = {
    "text": [chunk({"text": "Hi"}), chunk({"text": " there"}), chunk({"text": ""}, finish="STOP")],
    "thought": [chunk(THOUGHT), chunk(THOUGHT), chunk({"text": "42"}, finish="STOP")],
    "calls": [chunk(THOUGHT, CALL | {"thoughtSignature": "c2ln"}, CALL), chunk(finish="STOP")],
    "late signature": [chunk({"text": "a"}), chunk({"text": "", "thoughtSignature": "c2ln"}, finish="STOP")],
    "lone signature": [chunk(CALL), chunk({"text": "", "thoughtSignature": "c2ln"}, finish="STOP")],
    "picture": [chunk({"text": "see"}, {"inlineData": {"mimeType": "image/png", "data": "AA=="}}, finish="STOP")],
    "code": [chunk({"executableCode": {"code": "1"}}, {"codeExecutionResult": {"output": "1"}}, finish="STOP")],
    "finish in every chunk": [chunk({"text": "a"}, finish="STOP"), chunk({"text": "b"}, finish="STOP")],
    "blocked": [
        {"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 1, "totalTokenCount": 1}}
    ],
    "cut": [chunk({"text": "a"})],
    "error": [chunk({"text": "a"}), {"error": {"code": 503, "message": "busy", "status": "UNAVAILABLE"}}],
}


@pytest.mark.parametrize("name", CASES)
def test_every_prefix_keeps_the_grammar(name: str) -> None:
    events = read(*CASES[name])
    for n in range(len(events) + 1):
        assert check(events[:n]) == []


R = Seal("gemini", "c2ln")


@pytest.mark.parametrize(
    ("name", "parts", "finish"),
    [
        ("text", (Text("Hi there"),), "stop"),
        ("thought", (Reasoning("hmhm"), Text("42")), "stop"),
        (
            "calls",
            (
                Reasoning("hm"),
                ToolCall("call_r1_0", "f", '{"a":[1,2.5]}', seal=R),
                ToolCall("call_r1_1", "f", '{"a":[1,2.5]}'),
            ),
            "tool_calls",
        ),
        ("late signature", (Text("a", seal=R),), "stop"),
        ("picture", (Text("see"), Media("image", "image/png", Inline("AA=="))), "stop"),
        ("finish in every chunk", (Text("ab"),), "stop"),
    ],
)
def test_what_a_stream_says(name: str, parts: tuple[Any, ...], finish: str) -> None:
    response = fold(read(*CASES[name]))
    assert response.choices == (Choice(parts, finish),)  # type: ignore[arg-type]
    assert (response.id, response.model) == ("r1", "up")


def test_a_blocked_prompt() -> None:
    for response in (fold(read(*CASES["blocked"])), read_response(msgspec.json.encode(CASES["blocked"][0]))):
        assert response.choices == (Choice((), "filter"),)
        assert response.usage == Usage(input=1)


@pytest.mark.parametrize(
    ("name", "kind", "message"), [("cut", "cut", "before its end"), ("error", "error_event", "busy")]
)
def test_a_broken_stream(name: str, kind: str, message: str) -> None:
    last = read(*CASES[name])[-1]
    assert isinstance(last, Failed)
    assert last.error.kind == kind
    assert message in last.error.message


@pytest.mark.parametrize(
    ("reason", "finish"),
    [("MAX_TOKENS", "length"), ("SAFETY", "filter"), ("IMAGE_SAFETY", "filter"), ("MALFORMED_FUNCTION_CALL", "stop")],
)
def test_finish_reasons(reason: str, finish: str) -> None:
    assert list(read(chunk({"text": "a"}, finish=reason)))[-1] == Finished(finish)  # type: ignore[arg-type]


def test_usage_is_disjoint() -> None:
    said = {
        "promptTokenCount": 151,
        "toolUsePromptTokenCount": 18329,
        "candidatesTokenCount": 1089,
        "thoughtsTokenCount": 1120,
        "cachedContentTokenCount": 100,
        "totalTokenCount": 20689,
        "promptTokensDetails": [{"modality": "AUDIO", "tokenCount": 50}],
        "candidatesTokensDetails": [{"modality": "IMAGE", "tokenCount": 1000}],
    }
    usage = read_usage(msgspec.json.encode(chunk({"text": "a"}, usage=said)))
    assert usage == Usage(input=18330, cache_read=100, input_audio=50, output=89, output_image=1000, reasoning=1120)
    assert usage.total == 20689


@pytest.mark.parametrize("body", [b"not json", b"[]", b'{"error":{"code":400,"message":"no","status":"X"}}', b"{}"])
def test_nonsense_is_the_upstreams_fault(body: bytes) -> None:
    for function in (read_response, read_usage):
        with pytest.raises(UpstreamError):
            function(body)


def test_citations_count_characters() -> None:
    grounding = {
        "groundingChunks": [{"web": {"uri": "http://a", "title": "A"}}],
        "groundingSupports": [
            {"segment": {"startIndex": 2, "endIndex": 4, "text": "b"}, "groundingChunkIndices": [0, 9]}
        ],
    }
    response = fold(read(chunk({"text": "éb¢"}, finish="STOP", groundingMetadata=grounding)))
    (citation,) = response.choices[0].parts[0].citations  # type: ignore[union-attr]
    assert (citation.url, citation.start, citation.end) == ("http://a", 1, 2)


# -- out --------------------------------------------------------------------------------

FOREIGN = Seal("anthropic_messages", "sig")
_TEXTS = st.text(min_size=1, max_size=8)
PARTS = st.lists(
    st.one_of(
        st.builds(Text, _TEXTS),
        st.builds(Reasoning, _TEXTS, st.sampled_from([None, FOREIGN])),
        st.builds(ToolCall, st.sampled_from(["c1", "c2"]), st.just("f"), st.sampled_from(["{}", '{"a":"é"}'])),
        st.just(Media("image", "image/png", Inline("AA=="))),
        st.just(Native("gemini", msgspec.Raw(b'{"executableCode":{"code":"1"}}'))),
        st.just(Native("elsewhere", msgspec.Raw(b"{}"))),
    ),
    max_size=5,
).map(tuple)


def streamed(response: Response) -> list[dict[str, Any]]:
    writer = Writer(OPTIONS)
    out = b"".join([*(writer.write(e) for e in unfold(response)), writer.close()])
    framer = SseFramer()
    return [msgspec.json.decode(f.data) for f in (*framer.feed(out), *framer.close())]


def said_by(chunks: list[dict[str, Any]]) -> tuple[Any, ...]:
    texts: list[Any] = []
    for part in (p for c in chunks for p in c["candidates"][0]["content"]["parts"]):
        kind = "thought" if part.get("thought") else "text" if "text" in part else msgspec.json.encode(part)
        if texts and texts[-1][0] == kind and isinstance(kind, str):
            texts[-1] = (kind, texts[-1][1] + part["text"])
        elif part.get("text") != "":
            texts.append((kind, part.get("text")))
    return tuple(texts)


@given(PARTS)
def test_whole_and_streamed_say_the_same(parts: tuple[Any, ...]) -> None:
    response = Response("id", "m", (Choice(parts, "stop"),), Usage(input=3, output=2, reasoning=1, cache_read=4))
    whole = msgspec.json.decode(write_response(response, OPTIONS))
    chunks = streamed(response)
    for body in (whole, *chunks):
        types.GenerateContentResponse.model_validate(body)
    assert said_by([whole]) == said_by(chunks)
    assert chunks[-1]["usageMetadata"] == whole["usageMetadata"]
    assert whole["usageMetadata"]["promptTokenCount"] == 7
    assert whole["usageMetadata"]["candidatesTokenCount"] == 2
    assert chunks[-1]["candidates"][0]["finishReason"] == "STOP"


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        (
            (Reasoning("hm", FOREIGN), ToolCall("c", "f", "{}")),
            (Reasoning("hm", FOREIGN), ToolCall("c", "f", "{}")),
        ),
        ((Reasoning("hm", FOREIGN), Text("ab")), (Reasoning("hm", FOREIGN), Text("ab"))),
        ((Reasoning("hm", FOREIGN),), (Reasoning("hm", FOREIGN),)),
        ((ToolCall("c", "f", "{}", seal=R),), (ToolCall("c", "f", "{}", seal=R),)),
        ((Text("ab", seal=R),), (Text("ab", seal=R),)),
    ],
)
def test_seals_come_back_from_a_client(parts: tuple[Any, ...], said: tuple[Any, ...]) -> None:

    response = Response("id", "m", (Choice(parts, "stop"),))
    for chunks in ([msgspec.json.decode(write_response(response, OPTIONS))], streamed(response)):
        said_parts = [p for c in chunks for p in c["candidates"][0]["content"]["parts"]]
        # As Google's SDK keeps them in a chat's history: it writes base64 in another alphabet.
        sent = [types.Part.model_validate(p).model_dump(mode="json", exclude_none=True) for p in said_parts]
        body = msgspec.json.encode({"contents": [{"role": "model", "parts": sent}]})
        assert FORMAT.read_request is not None
        assert FORMAT.read_request(body, {}).messages[0].parts == said


def test_fragments_of_arguments_make_one_call() -> None:
    writer = Writer(OPTIONS)

    events = [Started("", ""), Opened(0, "tool_call", id="c", name="f"), Delta(0, '{"a"'), Delta(0, ":1}")]
    assert b"".join(writer.write(e) for e in events) == b""
    out = msgspec.json.decode(writer.write(Closed(0)).removeprefix(b"data: "))
    assert out["candidates"][0]["content"]["parts"] == [{"functionCall": {"id": "c", "name": "f", "args": {"a": 1}}}]
    assert (out["modelVersion"], out["responseId"]) == ("asked", "req")


def test_arguments_that_are_no_object_are_kept() -> None:
    body = write_response(Response("", "", (Choice((ToolCall("c", "f", "{oops"),)),)), OPTIONS)
    (part,) = msgspec.json.decode(body)["candidates"][0]["content"]["parts"]
    assert part["functionCall"]["args"] == {"arguments": "{oops"}


def test_a_failure_is_the_last_thing_said() -> None:
    writer = Writer(OPTIONS)
    out = writer.write(Failed(UpstreamError("busy", status=503)))
    assert msgspec.json.decode(out.removeprefix(b"data: "))["error"]["status"] == "UNAVAILABLE"
    assert writer.close() == b""


def test_usage_that_comes_after_the_end_is_said() -> None:
    writer = Writer(OPTIONS)
    for event in (Started("", ""), Finished("length"), Metered(Usage(input=1, output=2))):
        assert writer.write(event) == b""
    last = msgspec.json.decode(writer.close().removeprefix(b"data: "))
    assert last["candidates"][0]["finishReason"] == "MAX_TOKENS"
    assert last["usageMetadata"]["totalTokenCount"] == 3


@given(st.lists(st.integers(1, 60), max_size=6))
def test_where_the_bytes_are_cut_does_not_matter(cuts: list[int]) -> None:
    stream = b"".join(b"data: " + msgspec.json.encode(c) + b"\r\n\r\n" for c in CASES["calls"])
    framer, reader, events, at = SseFramer(), Reader(), [], 0
    for cut in [*cuts, len(stream)]:
        for frame in framer.feed(stream[at : at + cut]):
            events += reader.feed(frame)
        at += cut
    events += [e for f in framer.close() for e in reader.feed(f)]
    assert [*events, *reader.close()] == read(*CASES["calls"])
