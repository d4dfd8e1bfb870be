"""Legacy completions: a prompt in, text out."""

from typing import Any

import msgspec
import pytest
from msgspec import Raw

from newapi.base.errors import CallerError, Unsupported, UpstreamError
from newapi.formats.contract import Profile, WriterOptions
from newapi.formats.openai_completions import FORMAT
from newapi.frames.sse import SseFramer
from newapi.ir.check import check
from newapi.ir.events import Failed
from newapi.ir.fold import fold, unfold
from newapi.ir.request import Inline, Media, Message, Reasoning, ReasoningWish, Request, Sampling, Text, ToolCall
from newapi.ir.response import Choice, Response
from newapi.ir.usage import Usage

assert FORMAT.read_request
assert FORMAT.write_request
assert FORMAT.read_response
assert FORMAT.write_response
assert FORMAT.reader
assert FORMAT.writer
assert FORMAT.usage_frame
OPTIONS = WriterOptions(model="asked", request_id="r1", created=5)


def j(value: Any) -> bytes:
    return msgspec.json.encode(value)


def turn(text: str) -> tuple[Message, ...]:
    return (Message("user", (Text(text),), plain=True),)


REQUESTS: dict[str, tuple[dict[str, Any], Request]] = {
    "prompt": ({"prompt": "Once"}, Request("m", turn("Once"), origin="openai_completions")),
    "list of one": ({"prompt": ["Once"]}, Request("m", turn("Once"), origin="openai_completions")),
    "knobs": (
        {"prompt": "a", "suffix": "b", "echo": True, "logprobs": 3, "max_tokens": 5, "stop": ["x"], "stream": True},
        Request(
            "m",
            turn("a"),
            True,
            sampling=Sampling(max_output=5, stop=("x",)),
            origin="openai_completions",
            extra={"suffix": Raw(b'"b"'), "echo": Raw(b"true"), "logprobs": Raw(b"3")},
        ),
    ),
}


@pytest.mark.parametrize(("body", "expected"), REQUESTS.values(), ids=REQUESTS.keys())
def test_a_request_asks_and_comes_back(body: dict[str, Any], expected: Request) -> None:
    read, write = FORMAT.read_request, FORMAT.write_request
    assert read
    assert write
    assert read(j({"model": "m", **body}), {}) == expected
    written = write(expected, Profile())
    assert written.losses == ()
    again = read(written.body, {})
    assert msgspec.structs.replace(again, include_usage=None) == expected


@pytest.mark.parametrize("prompt", ["", [], ["a", "b"], [1, 2], 5])
def test_prompts_that_cannot_be_taken(prompt: Any) -> None:
    assert FORMAT.read_request
    with pytest.raises(CallerError) as caught:
        FORMAT.read_request(j({"model": "m", "prompt": prompt}), {})
    assert caught.value.param == "prompt"


def test_a_missing_prompt_is_an_empty_one() -> None:
    assert FORMAT.read_request
    assert FORMAT.read_request(j({"model": "m"}), {}).messages == turn("")


def test_peek() -> None:
    peek = FORMAT.peek(j({"model": "m", "prompt": "x", "max_tokens": 9, "n": 2}), {})
    assert (peek.model, peek.max_output, peek.n, peek.stream, peek.include_usage) == ("m", 9, 2, False, False)
    with pytest.raises(CallerError):
        FORMAT.peek(j({"model": "m", "prompt": ""}), {})


def test_a_conversation_is_no_prompt() -> None:
    assert FORMAT.write_request
    with pytest.raises(Unsupported):
        FORMAT.write_request(Request("m", (*turn("a"), Message("assistant", (Text("b"),)))), Profile())


def test_what_a_prompt_cannot_ask_is_told() -> None:
    assert FORMAT.write_request
    request = Request("m", turn("a"), reasoning=ReasoningWish(effort="high"), sampling=Sampling(max_output=5))
    profile = Profile(reasoning="effort", max_tokens_field="max_completion_tokens")
    written = FORMAT.write_request(request, profile)
    assert msgspec.json.decode(written.body) == {"model": "m", "max_tokens": 5, "prompt": "a"}
    assert [loss.what for loss in written.losses] == ["reasoning_effort"]


ANSWER = Response("c1", "up", (Choice((Text("Hi"),), "length"), Choice((Text("Ho"),))), Usage(input=2, output=1), 7)


def test_a_whole_answer_comes_back() -> None:
    assert FORMAT.write_response
    assert FORMAT.read_response
    body = FORMAT.write_response(ANSWER, OPTIONS)
    assert msgspec.json.decode(body)["object"] == "text_completion"
    assert FORMAT.read_response(body) == ANSWER
    assert FORMAT.read_usage(body) == ANSWER.usage


def test_a_stream_comes_back() -> None:
    assert FORMAT.reader
    writer, reader = FORMAT.writer(OPTIONS), FORMAT.reader()  # type: ignore[misc]
    written = b"".join([*(writer.write(e) for e in unfold(ANSWER)), writer.close()])
    events = [e for f in SseFramer().feed(written) for e in reader.feed(f)]
    events += reader.close()
    assert check(events) == []
    assert fold(events) == ANSWER


def test_only_text_has_a_form_here() -> None:
    parts = (
        Reasoning("hm"),
        Text("a"),
        ToolCall("t", "f", "{}"),
        Media("image", "image/png", Inline("AA")),
        Media("audio", "", Inline("AA"), transcript="b"),
    )
    response = Response("", "", (Choice(parts),))
    assert FORMAT.write_response
    assert FORMAT.writer
    whole = msgspec.json.decode(FORMAT.write_response(response, OPTIONS))
    assert (whole["id"], whole["model"], whole["created"]) == ("cmpl-r1", "asked", 5)
    text = "a![image](data:image/png;base64,AA)b"
    assert whole["choices"] == [{"text": text, "index": 0, "logprobs": None, "finish_reason": "stop"}]
    writer = FORMAT.writer(OPTIONS)
    *chunks, done = SseFramer().feed(b"".join([*(writer.write(e) for e in unfold(response)), writer.close()]))
    assert done.data == b"[DONE]"
    assert "".join(msgspec.json.decode(c.data)["choices"][0]["text"] for c in chunks) == text


def test_a_failure_is_told() -> None:
    assert FORMAT.writer
    written = FORMAT.writer(OPTIONS).write(Failed(UpstreamError("broke")))
    frames = SseFramer().feed(written)
    assert msgspec.json.decode(frames[0].data)["error"]["message"] == "broke (request id: r1)"
    assert frames[1].data == b"[DONE]"


def test_the_usage_frame() -> None:
    assert FORMAT.usage_frame
    (frame,) = SseFramer().feed(FORMAT.usage_frame(Usage(input=1), OPTIONS))
    assert msgspec.json.decode(frame.data)["object"] == "text_completion"
