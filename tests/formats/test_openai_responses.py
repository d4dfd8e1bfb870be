"""OpenAI Responses, in every direction. What is sent and expected is written out; nothing is computed from the code."""

from __future__ import annotations

import warnings
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Raw

from newapi.base.errors import CallerError, Unsupported, UpstreamError
from newapi.formats.contract import Loss, Profile, WriterOptions
from newapi.formats.openai_responses import FORMAT, peek
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
from newapi.ir.request import (
    Citation,
    CustomTool,
    FileRef,
    Inline,
    Media,
    Message,
    Native,
    NativeTool,
    OutputWish,
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
from newapi.ir.response import Choice, Finish, Response
from newapi.ir.seal import Seal, pack
from newapi.ir.usage import Usage

NAME = "openai_responses"
OPTIONS = WriterOptions(model="gpt-5", request_id="req1", created=1700000000)
THINKS = Profile(reasoning="effort", efforts=("minimal", "low", "medium", "high"))
PNG = "iVBORw0KGgo="


def dump(value: Any) -> bytes:
    return msgspec.json.encode(value)


def load(raw: bytes) -> Any:
    return msgspec.json.decode(raw)


def read(**body: Any) -> Request:
    assert FORMAT.read_request is not None
    return FORMAT.read_request(dump({"model": "m", **body}), {})


def told(request: Request, profile: Profile = THINKS) -> dict[str, Any]:
    assert FORMAT.write_request is not None
    return load(FORMAT.write_request(request, profile).body)


def losses(request: Request, profile: Profile = THINKS) -> tuple[str, ...]:
    assert FORMAT.write_request is not None
    return tuple(loss.what for loss in FORMAT.write_request(request, profile).losses)


def asked(*messages: Message, **more: Any) -> Request:
    return Request("m", messages or (Message("user", (Text("hi"),), plain=True),), **more)


# -- peek -------------------------------------------------------------------------------------


def test_peek() -> None:
    seen = peek(dump({"model": "m", "input": [], "stream": True, "max_output_tokens": 9}), {})
    assert (seen.model, seen.stream, seen.max_output) == ("m", True, 9)


@pytest.mark.parametrize("more", [{"prompt": {"id": "p"}}, {"previous_response_id": "r"}, {"conversation": "c"}])
def test_peek_lets_state_stand_for_input(more: dict[str, Any]) -> None:
    assert peek(dump({"model": "m", **more}), {}).model == "m"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"{}", "model is required"),
        (b'{"model":"m"}', "input is required"),
        (b'{"model":"m","input":null}', "input is required"),
        (b'{"model":"m","input":""}', "input is required"),
        (b'{"model":"m","input":"x","max_output_tokens":2000000000}', "max_output_tokens is invalid"),
        (b"nonsense", "not a Responses request"),
        (b"[]", "not a Responses request"),
    ],
)
def test_peek_refuses(body: bytes, message: str) -> None:
    with pytest.raises(CallerError, match=message):
        peek(body, {})


# -- a request is read ---------------------------------------------------------------------------

ITEMS: list[tuple[str, list[Any], tuple[Message, ...]]] = [
    ("plain", [{"role": "user", "content": "Hi"}], (Message("user", (Text("Hi"),), plain=True),)),
    (
        "developer",
        [{"role": "developer", "content": [{"type": "input_text", "text": "Be terse."}]}],
        (Message("system", (Text("Be terse."),), developer=True),),
    ),
    (
        "media",
        [
            {
                "type": "message",
                "role": "user",
                "content": [
                    {"type": "input_image", "image_url": f"data:image/png;base64,{PNG}", "detail": "low"},
                    {"type": "input_image", "image_url": "https://x.example/a.png"},
                    {"type": "input_image", "file_id": "file-1"},
                    {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,QQ=="},
                    {"type": "input_file", "file_url": "https://x.example/a.pdf"},
                    {"type": "input_file", "file_id": "file-2"},
                    {"type": "input_audio", "input_audio": {"data": "QQ==", "format": "mp3"}},
                ],
            }
        ],
        (
            Message(
                "user",
                (
                    Media("image", "image/png", Inline(PNG), detail="low"),
                    Media("image", "", Url("https://x.example/a.png")),
                    Media("image", "", FileRef("file-1", NAME)),
                    Media("document", "application/pdf", Inline("QQ=="), "a.pdf"),
                    Media("document", "", Url("https://x.example/a.pdf")),
                    Media("document", "", FileRef("file-2", NAME)),
                    Media("audio", "audio/mpeg", Inline("QQ==")),
                ),
            ),
        ),
    ),
    (
        "assistant items in a row are one turn, results in a row another",
        [
            {
                "type": "reasoning",
                "id": "rs_1",
                "summary": [{"type": "summary_text", "text": "a"}, {"type": "summary_text", "text": "b"}],
                "encrypted_content": "E",
            },
            {"role": "assistant", "content": [{"type": "output_text", "text": "Let me see.", "annotations": []}]},
            {"type": "function_call", "call_id": "c1", "name": "f", "arguments": '{"a": 1}'},
            {"type": "custom_tool_call", "call_id": "c2", "name": "g", "input": "free"},
            {"type": "function_call_output", "call_id": "c1", "output": "one"},
            {"type": "custom_tool_call_output", "call_id": "c2", "output": [{"type": "input_text", "text": "two"}]},
            {"role": "user", "content": "Go on"},
        ],
        (
            Message(
                "assistant",
                (
                    Reasoning("a\n\nb", Seal(NAME, "E", "rs_1")),
                    Text("Let me see."),
                    ToolCall("c1", "f", '{"a": 1}'),
                    ToolCall("c2", "g", "free", custom=True),
                ),
            ),
            Message(
                "user",
                (
                    ToolResult("c1", (Text("one"),), "f"),
                    ToolResult("c2", (Text("two"),), "g", custom=True, plain=False),
                ),
            ),
            Message("user", (Text("Go on"),), plain=True),
        ),
    ),
    (
        "arguments said as an object",
        [{"type": "function_call", "call_id": "c", "name": "f", "arguments": {"a": 1}}],
        (Message("assistant", (ToolCall("c", "f", '{"a":1}'),)),),
    ),
    (
        "reasoning in full, without a seal",
        [{"type": "reasoning", "summary": [], "content": [{"type": "reasoning_text", "text": "so"}]}],
        (Message("assistant", (Reasoning("so"),)),),
    ),
    (
        "sealed only",
        [{"type": "reasoning", "id": "rs", "summary": [], "encrypted_content": "E"}],
        (Message("assistant", (Reasoning("", Seal(NAME, "E", "rs"), redacted=True),)),),
    ),
    (
        "another vendor's seal",
        [
            {
                "type": "reasoning",
                "id": "rs",
                "summary": [{"type": "summary_text", "text": "t"}],
                "encrypted_content": pack(Seal("anthropic_messages", "sig"), NAME),
            }
        ],
        (Message("assistant", (Reasoning("t", Seal("anthropic_messages", "sig")),)),),
    ),
    (
        "a seal that belongs to a call",
        [
            {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
            {
                "type": "reasoning",
                "id": "rs",
                "summary": [],
                "encrypted_content": pack(Seal("gemini", "sig", "c"), NAME),
            },
        ],
        (Message("assistant", (ToolCall("c", "f", "{}", seal=Seal("gemini", "sig")),)),),
    ),
    (
        "native items and a picture",
        [
            {"type": "item_reference", "id": "msg_1"},
            {"type": "image_generation_call", "id": "ig_1", "status": "completed", "result": PNG},
            {"type": "computer_call_output", "call_id": "c", "output": {"type": "computer_screenshot"}},
        ],
        (
            Message(
                "assistant",
                (
                    Native(NAME, Raw(b'{"type":"item_reference","id":"msg_1"}')),
                    Media("image", "image/png", Inline(PNG), id="ig_1"),
                ),
            ),
            Message(
                "user",
                (
                    Native(
                        NAME,
                        Raw(b'{"type":"computer_call_output","call_id":"c","output":{"type":"computer_screenshot"}}'),
                    ),
                ),
            ),
        ),
    ),
    (
        "refusal and sources",
        [
            {
                "type": "message",
                "role": "assistant",
                "content": [
                    {"type": "refusal", "refusal": "No."},
                    {
                        "type": "output_text",
                        "text": "See.",
                        "annotations": [
                            {
                                "type": "url_citation",
                                "url": "https://x",
                                "title": "X",
                                "start_index": 0,
                                "end_index": 3,
                            },
                            {"type": "file_citation", "file_id": "f", "index": 0, "filename": "f"},
                        ],
                    },
                ],
            }
        ],
        (
            Message(
                "assistant",
                (Refusal("No."), Text("See.", citations=(Citation("https://x", "X", start=0, end=3),))),
            ),
        ),
    ),
]


@pytest.mark.parametrize(("items", "messages"), [c[1:] for c in ITEMS], ids=[c[0] for c in ITEMS])
def test_items_are_read(items: list[Any], messages: tuple[Message, ...]) -> None:
    assert read(input=items).messages == messages


def test_instructions_come_first() -> None:
    assert read(instructions="Be terse.", input="Hi").messages == (
        Message("system", (Text("Be terse."),), plain=True),
        Message("user", (Text("Hi"),), plain=True),
    )


def test_every_field_is_read() -> None:
    request = read(
        input="x",
        stream=True,
        temperature=0.5,
        top_p=0.9,
        max_output_tokens=100,
        top_logprobs=2,
        reasoning={"effort": "low", "summary": "auto"},
        text={"verbosity": "low", "format": {"type": "json_schema", "name": "n", "schema": {"a": 1}, "strict": True}},
        user="u",
        metadata={"k": "v"},
        service_tier="flex",
        store=False,
        safety_identifier="s",
        prompt_cache_key="p",
        parallel_tool_calls=False,
        truncation="auto",
        include=["file_search_call.results"],
        background=False,
        previous_response_id=None,
        tools=[
            {"type": "function", "name": "f", "description": "d", "parameters": {"type": "object"}, "strict": True},
            {"type": "custom", "name": "g", "format": {"type": "text"}},
            {
                "type": "web_search",
                "search_context_size": "low",
                "user_location": {"type": "approximate", "city": "Paris", "region": None},
                "filters": {"allowed_domains": ["x.example"]},
            },
            {"type": "code_interpreter", "container": {"type": "auto"}},
        ],
        tool_choice={"type": "function", "name": "f"},
    )
    assert request == Request(
        model="m",
        messages=(Message("user", (Text("x"),), plain=True),),
        stream=True,
        tools=(
            Tool("f", "d", Raw(b'{"type":"object"}'), True),
            CustomTool("g", "", Raw(b'{"type":"text"}')),
            WebSearch(
                "low",
                None,
                ("x.example",),
                (),
                Raw(b'{"city":"Paris"}'),
                Raw(
                    b'{"type":"web_search","search_context_size":"low","user_location":{"type":"approximate",'
                    b'"city":"Paris","region":null},"filters":{"allowed_domains":["x.example"]}}'
                ),
                NAME,
            ),
            NativeTool(NAME, Raw(b'{"type":"code_interpreter","container":{"type":"auto"}}')),
        ),
        tool_choice=ToolChoice("named", "f"),
        parallel_tools=False,
        sampling=Sampling(temperature=0.5, top_p=0.9, max_output=100, logprobs=True, top_logprobs=2),
        reasoning=ReasoningWish(effort="low", summary="auto", show=True),
        output=OutputWish("schema", "n", "", Raw(b'{"a":1}'), True),
        verbosity="low",
        user="u",
        metadata=Raw(b'{"k":"v"}'),
        service_tier="flex",
        store=False,
        safety_identifier="s",
        prompt_cache_key="p",
        origin=NAME,
        extra={"truncation": Raw(b'"auto"'), "include": Raw(b'["file_search_call.results"]')},
    )


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ("required", ToolChoice("required")),
        ({"type": "custom", "name": "g"}, ToolChoice("named", "g")),
        # The vendor's own tools cannot be forced elsewhere.
        ({"type": "file_search"}, ToolChoice("auto")),
        (
            {"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "f"}]},
            ToolChoice("required", names=("f",)),
        ),
    ],
)
def test_tool_choice_is_read(choice: Any, expected: ToolChoice) -> None:
    assert read(input="x", tool_choice=choice).tool_choice == expected


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"previous_response_id": "r", "conversation": "c"}, "conversation, previous_response_id"),
        ({"prompt": {"id": "p"}}, "prompt"),
        ({"background": True}, "background"),
        ({"input": [{"role": "user", "content": [{"type": "input_smell"}]}]}, "input_smell"),
        ({"text": {"format": {"type": "grammar"}}}, "grammar"),
    ],
)
def test_what_no_other_format_can_say(body: dict[str, Any], words: str) -> None:
    with pytest.raises(Unsupported, match=words):
        read(**{"input": "x", **body})


@pytest.mark.parametrize(
    "body",
    [
        {"input": 3},
        {"input": [{"type": "function_call"}]},
        {"input": [{"role": "robot", "content": "x"}]},
        {"input": [{"role": "user", "content": [{"type": "input_image"}]}]},
        {"input": [{"role": "user", "content": [{"type": "input_file"}]}]},
        {"input": "x", "temperature": "hot"},
    ],
)
def test_nonsense_is_the_callers(body: dict[str, Any]) -> None:
    with pytest.raises(CallerError):
        read(**body)


# -- a request is written -----------------------------------------------------------------------


def test_include_that_is_no_list_is_the_callers() -> None:
    with pytest.raises(CallerError, match="include"):
        told(read(input="x", include="reasoning", store=False), THINKS)


def test_turns_are_written() -> None:
    body = told(
        asked(
            Message("system", (Text("One."),), plain=True),
            Message("user", (Text("Hi"), Media("image", "image/png", Inline(PNG), detail="high"))),
            Message("system", (Text(" Two. "),), developer=True),
            Message(
                "assistant",
                (
                    Reasoning("hm", Seal(NAME, "E", "rs_1")),
                    Text("So."),
                    ToolCall("c1", "f", ""),
                    ToolCall("c2", "g", "free", custom=True),
                ),
            ),
            Message(
                "user",
                (
                    ToolResult("c1", (Text("1"),)),
                    ToolResult("c2", (Text("2"), Media("image", "", Url("https://x"))), custom=True, plain=False),
                    Text("And?"),
                ),
            ),
            Message("assistant", (Text("Done."),), plain=True),
        ),
        Profile(),
    )
    assert body == {
        "model": "m",
        "instructions": "One.\n\nTwo.",
        "input": [
            {
                "role": "user",
                "content": [
                    {"type": "input_text", "text": "Hi"},
                    {"type": "input_image", "image_url": f"data:image/png;base64,{PNG}", "detail": "high"},
                ],
            },
            {
                "type": "reasoning",
                "id": "rs_1",
                "summary": [{"type": "summary_text", "text": "hm"}],
                "encrypted_content": "E",
            },
            {"role": "assistant", "content": [{"type": "output_text", "text": "So."}]},
            {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"},
            {"type": "custom_tool_call", "call_id": "c2", "name": "g", "input": "free"},
            {"type": "function_call_output", "call_id": "c1", "output": "1"},
            {
                "type": "custom_tool_call_output",
                "call_id": "c2",
                "output": [
                    {"type": "input_text", "text": "2"},
                    {"type": "input_image", "image_url": "https://x"},
                ],
            },
            {"role": "user", "content": [{"type": "input_text", "text": "And?"}]},
            {"role": "assistant", "content": "Done."},
        ],
    }


def test_a_system_turn_alone_is_answered() -> None:
    assert told(asked(Message("system", (Text("Joke."),))), Profile()) == {
        "model": "m",
        "input": [{"role": "developer", "content": "Joke."}],
    }


HI: dict[str, Any] = {"model": "m", "input": [{"role": "user", "content": "hi"}]}
KEPT: dict[str, Any] = {"store": False, "include": ["reasoning.encrypted_content"]}
FUNCTION = {"type": "function", "name": "f", "parameters": {"type": "object", "properties": {}}, "strict": False}
WRITTEN: list[tuple[str, dict[str, Any], Profile, dict[str, Any], tuple[str, ...]]] = [
    ("plain", {}, Profile(), {}, ()),
    ("encrypted reasoning is asked for", {}, THINKS, KEPT, ()),
    ("what is stored need not be", {"store": True}, THINKS, {"store": True}, ()),
    ("effort", {"reasoning": ReasoningWish(effort="low")}, THINKS, KEPT | {"reasoning": {"effort": "low"}}, ()),
    (
        "budget",
        {"reasoning": ReasoningWish(enabled=True, budget=4000)},
        THINKS,
        KEPT | {"reasoning": {"effort": "medium", "summary": "auto"}},
        (),
    ),
    ("no effort taken", {"reasoning": ReasoningWish(effort="low")}, Profile(), {}, ("reasoning",)),
    (
        "knobs",
        {"sampling": Sampling(0.0, 1.0, 40, 5, ("x",), 1, 0.0, 0.1)},
        Profile(),
        {"temperature": 0.0, "top_p": 1.0, "max_output_tokens": 16},
        ("sampling.top_k", "sampling.stop", "sampling.seed", "sampling.presence_penalty", "sampling.frequency_penalty"),
    ),
    ("no sampling taken", {"sampling": Sampling(0.5)}, Profile(sampling=False), {}, ("sampling.temperature",)),
    (
        "tools",
        {
            "tools": (Tool("f"), CustomTool("g"), WebSearch("low", 3, ("a",), ("b",), Raw(b'{"city":"P"}'))),
            "tool_choice": ToolChoice("named", "g"),
            "parallel_tools": False,
        },
        Profile(),
        {
            "tools": [
                FUNCTION,
                {"type": "custom", "name": "g"},
                {
                    "type": "web_search",
                    "search_context_size": "low",
                    "user_location": {"type": "approximate", "city": "P"},
                    "filters": {"allowed_domains": ["a"]},
                },
            ],
            "tool_choice": {"type": "custom", "name": "g"},
            "parallel_tool_calls": False,
        },
        ("web_search.max_uses", "web_search.blocked_domains"),
    ),
    (
        "one of these tools",
        {"tools": (Tool("f"),), "tool_choice": ToolChoice("required", names=("f",))},
        Profile(),
        {
            "tools": [FUNCTION],
            "tool_choice": {
                "type": "allowed_tools",
                "mode": "required",
                "tools": [{"type": "function", "name": "f"}],
            },
        },
        (),
    ),
    ("a choice among no tools", {"tool_choice": ToolChoice("required")}, Profile(), {}, ()),
    (
        "schema",
        {"output": OutputWish("schema", schema=Raw(b"{}"), strict=True), "verbosity": "low"},
        Profile(),
        {
            "text": {
                "format": {"type": "json_schema", "name": "response", "schema": {}, "strict": True},
                "verbosity": "low",
            }
        },
        (),
    ),
    ("json", {"output": OutputWish("json")}, Profile(), {"text": {"format": {"type": "json_object"}}}, ()),
    (
        "the rest",
        {
            "stream": True,
            "user": "u",
            "metadata": Raw(b'{"a":"b"}'),
            "service_tier": "flex",
            "safety_identifier": "s",
            "prompt_cache_key": "k",
        },
        Profile(),
        {
            "stream": True,
            "user": "u",
            "metadata": {"a": "b"},
            "service_tier": "flex",
            "safety_identifier": "s",
            "prompt_cache_key": "k",
        },
        (),
    ),
    ("another format's keys", {"origin": "openai_chat", "extra": {"x": Raw(b"1")}}, Profile(), {}, ("extra.x",)),
    ("a user of 64 characters", {"origin": "anthropic_messages", "user": "u" * 64}, Profile(), {"user": "u" * 64}, ()),
    ("a longer user", {"origin": "anthropic_messages", "user": "u" * 65}, Profile(), {}, ("user",)),
    ("a longer user of OpenAI's", {"origin": "openai_chat", "user": "u" * 65}, Profile(), {"user": "u" * 65}, ()),
    ("its own keys", {"origin": NAME, "extra": {"truncation": Raw(b'"auto"')}}, Profile(), {"truncation": "auto"}, ()),
]


@pytest.mark.parametrize(("more", "profile", "expected", "lost"), [c[1:] for c in WRITTEN], ids=[c[0] for c in WRITTEN])
def test_requests_are_written(
    more: dict[str, Any], profile: Profile, expected: dict[str, Any], lost: tuple[str, ...]
) -> None:
    assert told(asked(**more), profile) == HI | expected
    assert losses(asked(**more), profile) == lost


def test_what_only_another_vendor_knows_is_lost() -> None:
    native = Native("anthropic_messages", Raw(b"{}"))
    request = asked(Message("assistant", (native, Text("x"))), tools=(NativeTool("gemini", Raw(b"{}")),))
    assert losses(request, Profile()) == ("parts.native", "tools.native")
    assert "tools" not in told(request)


@pytest.mark.parametrize(
    ("part", "lost"),
    [
        (Reasoning("t", Seal("anthropic_messages", "sig")), "reasoning of earlier turns"),
        (Reasoning("t"), "reasoning of earlier turns"),
    ],
)
def test_reasoning_without_its_own_seal_is_lost(part: Reasoning, lost: str) -> None:
    assert losses(asked(Message("assistant", (part, Text("x")))), Profile()) == (lost,)


@pytest.mark.parametrize(
    "request_",
    [
        asked(sampling=Sampling(n=2)),
        asked(modalities=("text", "audio")),
        asked(Message("user", (Media("video", "video/mp4", Inline("QQ==")),))),
        asked(Message("user", (Media("image", "", FileRef("f", "gemini")),))),
        asked(Message("assistant", (Media("image", "image/png", Inline(PNG)),))),
    ],
)
def test_what_responses_cannot_say(request_: Request) -> None:
    with pytest.raises(Unsupported):
        told(request_)


NOT_SENT_BACK = ("another vendor's seal", "a seal that belongs to a call", "reasoning in full, without a seal")


@pytest.mark.parametrize("items", [c[1] for c in ITEMS if c[0] not in NOT_SENT_BACK])
def test_what_was_written_reads_the_same(items: list[Any]) -> None:
    request = read(input=items)
    again = read(**(told(request, Profile()) | {"model": "m"}))
    assert [(m.role, [_bare(p) for p in m.parts]) for m in again.messages if m.role != "system"] == [
        (m.role, [_bare(p) for p in m.parts]) for m in request.messages if m.role != "system"
    ]


def _bare(part: Any) -> Any:
    """A part without what a request has no need to repeat."""
    return Text(part.text) if isinstance(part, Text) else part


# -- an answer is read ----------------------------------------------------------------------------

USAGE = {
    "input_tokens": 2000,
    "input_tokens_details": {"cached_tokens": 1500, "cache_write_tokens": 100},
    "output_tokens": 300,
    "output_tokens_details": {"reasoning_tokens": 200},
    "total_tokens": 2300,
}
COUNTED = Usage(input=400, cache_read=1500, cache_write_5m=100, output=100, reasoning=200)
REASONING_ITEM = {
    "type": "reasoning",
    "id": "rs_1",
    "summary": [{"type": "summary_text", "text": "one"}, {"type": "summary_text", "text": "two"}],
    "encrypted_content": "E",
}
MESSAGE_ITEM = {
    "type": "message",
    "id": "msg_1",
    "role": "assistant",
    "status": "completed",
    "content": [
        {
            "type": "output_text",
            "text": "Hi there.",
            "annotations": [
                {"type": "url_citation", "url": "https://x", "title": "X", "start_index": 0, "end_index": 2}
            ],
        }
    ],
}
REFUSAL_ITEM = {
    "type": "message",
    "id": "msg_2",
    "role": "assistant",
    "content": [{"type": "refusal", "refusal": "No."}],
}
CALL_ITEM = {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "f", "arguments": '{"a":"x"}'}
CUSTOM_ITEM = {"type": "custom_tool_call", "id": "ctc_1", "call_id": "c2", "name": "g", "input": "free text"}
IMAGE_ITEM = {"type": "image_generation_call", "id": "ig_1", "status": "completed", "result": PNG}
SEARCH_ITEM = {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search"}}
SEALED_ITEM = {"type": "reasoning", "id": "rs_9", "summary": [], "encrypted_content": "E9"}
EMPTY_ITEM = {"type": "reasoning", "id": "rs_8", "summary": []}

PARTS: dict[str, tuple[dict[str, Any], tuple[Any, ...]]] = {
    "reasoning": (REASONING_ITEM, (Reasoning("one\n\ntwo", Seal(NAME, "E", "rs_1")),)),
    "message": (MESSAGE_ITEM, (Text("Hi there.", citations=(Citation("https://x", "X", start=0, end=2),)),)),
    "refusal": (REFUSAL_ITEM, (Refusal("No."),)),
    "call": (CALL_ITEM, (ToolCall("c1", "f", '{"a":"x"}'),)),
    "custom": (CUSTOM_ITEM, (ToolCall("c2", "g", "free text", custom=True),)),
    "image": (IMAGE_ITEM, (Media("image", "image/png", Inline(PNG), id="ig_1"),)),
    "search": (SEARCH_ITEM, (Native(NAME, Raw(dump(SEARCH_ITEM))),)),
    "sealed": (SEALED_ITEM, (Reasoning("", Seal(NAME, "E9", "rs_9"), redacted=True),)),
    "empty": (EMPTY_ITEM, ()),
}


def answer(*kinds: str, status: str = "completed", **more: Any) -> dict[str, Any]:
    items = [PARTS[k][0] for k in kinds]
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1700000001,
        "status": status,
        "model": "up",
        "output": items,
        "usage": USAGE,
        **more,
    }


def expected(*kinds: str, finish: Finish = "stop", searches: int = 0) -> Response:
    usage = msgspec.structs.replace(COUNTED, web_searches=searches)
    return Response("resp_1", "up", (Choice(tuple(p for k in kinds for p in PARTS[k][1]), finish),), usage, 1700000001)


ANSWERS: list[tuple[tuple[str, ...], dict[str, Any], Finish]] = [
    (("message",), {}, "stop"),
    (("reasoning", "message"), {}, "stop"),
    (("empty", "message"), {}, "stop"),
    (("sealed", "call", "custom"), {}, "tool_calls"),
    (("refusal",), {}, "stop"),
    (("search", "message", "image"), {}, "stop"),
    (("message",), {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}, "length"),
    (("message",), {"status": "incomplete", "incomplete_details": {"reason": "content_filter"}}, "filter"),
    (("message",), {"status": "incomplete", "incomplete_details": None}, "length"),
    ((), {}, "stop"),
]


@pytest.mark.parametrize(("kinds", "more", "finish"), ANSWERS)
def test_answers_are_read(kinds: tuple[str, ...], more: dict[str, Any], finish: Finish) -> None:
    assert FORMAT.read_response is not None
    searches = kinds.count("search")
    assert FORMAT.read_response(dump(answer(*kinds, **more))) == expected(*kinds, finish=finish, searches=searches)


def test_usage_is_read() -> None:
    assert FORMAT.read_usage(dump(answer("search"))) == msgspec.structs.replace(COUNTED, web_searches=1)
    assert FORMAT.read_usage(dump(answer("message", usage=None))) is None


def item(kind: str, **more: Any) -> dict[str, Any]:
    return {"type": kind, "id": f"{kind}_1", "status": "completed", **more}


SEARCHED = item("web_search_call", action={"type": "search"})
TOOL_USE: list[tuple[list[dict[str, Any]], list[dict[str, Any]], dict[str, Any]]] = [
    ([{"type": "web_search"}], [SEARCHED, item("web_search_call")], {"web_searches": 2}),
    ([{"type": "web_search"}], [item("web_search_call", action={"type": "open_page"})], {}),
    ([{"type": "web_search_preview_2025_03_11"}], [SEARCHED], {"preview_searches": 1}),
    ([{"type": "file_search"}], [item("file_search_call"), item("file_search_call")], {"file_searches": 2}),
    (
        [{"type": "image_generation"}],
        [
            item("image_generation_call", result=PNG, quality="low", size="1024x1024"),
            item("image_generation_call", result=PNG),
            {**item("image_generation_call", quality="low"), "status": "failed"},
        ],
        {"pictures": (("low", "1024x1024"),)},
    ),
]


@pytest.mark.parametrize(("tools", "output", "counted"), TOOL_USE)
def test_the_use_of_the_vendors_tools_is_counted(
    tools: list[dict[str, Any]], output: list[dict[str, Any]], counted: dict[str, Any]
) -> None:
    whole = answer(tools=tools, output=output)
    usage = msgspec.structs.replace(COUNTED, **counted)
    assert FORMAT.read_usage(dump(whole)) == usage
    events = [{"type": "response.output_item.done", "output_index": i, "item": o} for i, o in enumerate(output)]
    told = heard(sse([*events, {"type": "response.completed", "response": whole}]))
    assert [e.usage for e in told if isinstance(e, Metered)] == [usage]


@pytest.mark.parametrize(
    ("body", "message", "kind"),
    [
        (dump(answer(status="failed", error={"code": "server_error", "message": "Oh."})), "Oh.", "error_event"),
        (dump(answer(status="cancelled")), "cancelled", "error_event"),
        (b'{"error":{"message":"Busy.","code":"rate_limit_exceeded"}}', "Busy.", "error_event"),
        (b'{"error":"Busy."}', "Busy.", "error_event"),
        (b"{}", "makes no sense", "malformed"),
        (b"not json", "makes no sense", "malformed"),
        (b'{"object":"response","output":[{"type":"message","content":3}]}', "makes no sense", "malformed"),
    ],
)
def test_errors_are_read(body: bytes, message: str, kind: str) -> None:
    assert FORMAT.read_response is not None
    with pytest.raises(UpstreamError, match=message) as caught:
        FORMAT.read_response(body)
    assert caught.value.kind == kind


# -- a stream is read -----------------------------------------------------------------------------


def streamed(*kinds: str, status: str = "completed", listed: bool = True, **more: Any) -> list[dict[str, Any]]:
    """The events OpenAI sends for an answer."""
    final = answer(*kinds, status=status, **more)
    begun = {**final, "status": "in_progress", "output": [], "usage": None}
    out: list[dict[str, Any]] = [
        {"type": "response.created", "response": begun},
        {"type": "response.in_progress", "response": begun},
    ]
    for index, kind in enumerate(kinds):
        out += _item_events(index, PARTS[kind][0])
    out.append({"type": f"response.{status}", "response": final if listed else {**final, "output": []}})
    return [{"sequence_number": n, **e} for n, e in enumerate(out)]


def _item_events(index: int, item: dict[str, Any]) -> list[dict[str, Any]]:
    at = {"output_index": index, "item_id": item["id"]}
    blank = {
        k: ([] if isinstance(v, list) else "") for k, v in item.items() if k in ("content", "summary", "arguments")
    }
    out: list[dict[str, Any]] = [
        {"type": "response.output_item.added", "output_index": index, "item": {**item, **blank}}
    ]
    for n, part in enumerate(item.get("summary") or ()):
        there = {**at, "summary_index": n}
        out.append({"type": "response.reasoning_summary_part.added", **there, "part": {**part, "text": ""}})
        out += _deltas("response.reasoning_summary_text.delta", there, part["text"])
        out.append({"type": "response.reasoning_summary_text.done", **there, "text": part["text"]})
    for n, part in enumerate(item.get("content") or ()):
        there = {**at, "content_index": n}
        refusal = part["type"] == "refusal"
        name = "refusal" if refusal else "output_text"
        out.append({"type": "response.content_part.added", **there, "part": {"type": part["type"], "text": ""}})
        out += _deltas(f"response.{name}.delta", there, part["refusal" if refusal else "text"])
        for a, note in enumerate(part.get("annotations") or ()):
            out.append(
                {
                    "type": "response.output_text.annotation.added",
                    **there,
                    "annotation_index": a,
                    "annotation": note,
                }
            )
        out.append({"type": f"response.{name}.done", **there, "text": "ignored"})
    if "arguments" in item:
        out += _deltas("response.function_call_arguments.delta", at, item["arguments"])
    if "input" in item:
        out += _deltas("response.custom_tool_call_input.delta", at, item["input"])
    return [*out, {"type": "response.output_item.done", "output_index": index, "item": item}]


def _deltas(name: str, at: dict[str, Any], text: str) -> list[dict[str, Any]]:
    return [{"type": name, **at, "delta": piece} for piece in (text[:2], text[2:]) if piece]


def sse(events: list[dict[str, Any]]) -> bytes:
    return b"".join(write(dump(e), e["type"]) for e in events)


def heard(data: bytes, cuts: tuple[int, ...] = ()) -> list[Event]:
    assert FORMAT.reader is not None
    framer, reader, out = SseFramer(), FORMAT.reader(), []
    places = [0, *sorted(c % (len(data) + 1) for c in cuts), len(data)]
    for a, b in pairwise(places):
        for frame in framer.feed(data[a:b]):
            out += reader.feed(frame)
    for frame in framer.close():
        out += reader.feed(frame)
    return [*out, *reader.close()]


@pytest.mark.parametrize("listed", [True, False], ids=["full", "empty closing output"])
@pytest.mark.parametrize(("kinds", "more", "finish"), ANSWERS)
def test_a_stream_says_what_the_whole_says(
    kinds: tuple[str, ...], more: dict[str, Any], finish: Finish, listed: bool
) -> None:
    events = heard(sse(streamed(*kinds, listed=listed, **more)))
    assert check(events) == []
    assert fold(events) == expected(*kinds, finish=finish, searches=kinds.count("search"))


@pytest.mark.parametrize(("kinds", "more", "finish"), ANSWERS)
def test_the_closing_event_alone_says_everything(kinds: tuple[str, ...], more: dict[str, Any], finish: Finish) -> None:
    events = heard(sse(streamed(*kinds, **more)[-1:]))
    assert check(events) == []
    assert fold(events) == expected(*kinds, finish=finish, searches=kinds.count("search"))


def test_without_done_events_the_closing_event_fills_in() -> None:
    events = [e for e in streamed("reasoning", "message", "call") if not e["type"].endswith("item.done")]
    assert fold(heard(sse(events))) == expected("reasoning", "message", "call", finish="tool_calls")


def test_a_closing_event_in_another_order_repeats_nothing() -> None:
    events = streamed("message", "call")
    events[-1]["response"]["output"].reverse()
    assert fold(heard(sse(events))) == expected("message", "call", finish="tool_calls")


def test_parallel_calls_keep_apart() -> None:
    def added(index: int) -> dict[str, Any]:
        item = {"type": "function_call", "id": f"fc{index}", "call_id": f"c{index}", "name": "f", "arguments": ""}
        return {"type": "response.output_item.added", "output_index": index, "item": item}

    def delta(index: int, text: str) -> dict[str, Any]:
        return {
            "type": "response.function_call_arguments.delta",
            "output_index": index,
            "item_id": f"fc{index}",
            "delta": text,
        }

    events = heard(
        sse(
            [
                added(0),
                delta(0, "{"),
                added(1),
                delta(1, "["),
                delta(0, "}"),
                delta(1, "]"),
                {"type": "response.completed", "response": {"id": "r", "object": "response", "output": []}},
            ]
        )
    )
    assert check(events) == []
    assert fold(events).choices[0] == Choice((ToolCall("c0", "f", "{}"), ToolCall("c1", "f", "[]")), "tool_calls")


@pytest.mark.parametrize(
    ("at", "item"),
    [
        ({"output_index": 0, "item_id": "fc_1"}, {"output_index": 0}),
        ({"item_id": "fc_1"}, {"output_index": 0}),
    ],
    ids=["by index", "by id only"],
)
def test_arguments_before_their_call(at: dict[str, Any], item: dict[str, Any]) -> None:
    events = heard(
        sse(
            [
                {"type": "response.function_call_arguments.delta", **at, "delta": '{"a":'},
                {"type": "response.output_item.added", **item, "item": {**CALL_ITEM, "arguments": ""}},
                {"type": "response.function_call_arguments.delta", **at, "delta": '"x"}'},
                {"type": "response.output_item.done", **item, "item": CALL_ITEM},
                {"type": "response.completed", "response": answer()},
            ]
        )
    )
    assert fold(events).choices[0].parts == (ToolCall("c1", "f", '{"a":"x"}'),)


def test_arguments_whose_call_never_came() -> None:
    events = heard(
        sse(
            [
                {"type": "response.function_call_arguments.delta", "output_index": 2, "delta": "{}"},
                {"type": "response.completed", "response": answer()},
            ]
        )
    )
    assert check(events) == []
    assert fold(events).choices[0] == Choice((ToolCall("call_output_2", "", "{}"),), "tool_calls")


def test_reasoning_said_in_full() -> None:
    at = {"output_index": 0, "item_id": "rs_1"}
    events = heard(
        sse(
            [
                {"type": "response.reasoning_text.delta", **at, "content_index": 0, "delta": "a"},
                {"type": "response.reasoning_text.delta", **at, "content_index": 1, "delta": "b"},
                {"type": "response.reasoning_summary_text.delta", **at, "summary_index": 0, "delta": "again"},
                {"type": "response.completed", "response": answer()},
            ]
        )
    )
    assert fold(events).choices[0].parts == (Reasoning("a\n\nb"),)


@pytest.mark.parametrize(
    ("data", "message", "code", "kind"),
    [
        (
            {"type": "response.failed", "response": {"error": {"code": "server_error", "message": "Oh."}}},
            "Oh.",
            "server_error",
            "error_event",
        ),
        (
            {"type": "error", "code": "rate_limit_exceeded", "message": "Slow down.", "param": None},
            "Slow down.",
            "rate_limit_exceeded",
            "error_event",
        ),
        ({"type": "error", "error": {"code": "x", "message": "Nested."}}, "Nested.", "x", "error_event"),
        ({"error": {"code": "y", "message": "Untyped."}}, "Untyped.", "y", "error_event"),
        ({"type": "response.failed", "response": {}}, "failed", "bad_response", "error_event"),
        ({"type": "response.output_item.done", "item": {"type": 3}}, "makes no sense", "bad_response", "malformed"),
    ],
)
def test_a_stream_that_fails(data: dict[str, Any], message: str, code: str, kind: str) -> None:
    assert FORMAT.reader is not None
    reader = FORMAT.reader()
    (failed,) = reader.feed(Frame("", dump(data)))
    assert isinstance(failed, Failed)
    assert message in failed.error.message
    assert (failed.error.code, failed.error.kind) == (code, kind)
    assert [*reader.feed(Frame("", dump(data))), *reader.close()] == []


def test_a_stream_that_is_no_json_fails() -> None:
    (failed,) = heard(b"data: nonsense\n\n")
    assert isinstance(failed, Failed)
    assert failed.error.kind == "malformed"


def test_a_stream_that_stops_was_cut() -> None:
    events = heard(sse(streamed("message")[:-1]))
    assert isinstance(events[-1], Failed)
    assert events[-1].error.kind == "cut"
    assert check(events) == []


def test_unknown_events_say_nothing() -> None:
    assert heard(sse([{"type": "response.shell_call_output_content.delta", "delta": {"stdout": "x"}}]))[:-1] == []


WHOLE = sse(streamed("reasoning", "message", "call", "custom", "image", "refusal", "search"))


@settings(max_examples=40, deadline=None)
@given(st.tuples(*[st.integers(0, 100_000)] * 4))
def test_where_the_bytes_are_cut_does_not_matter(cuts: tuple[int, ...]) -> None:
    assert heard(WHOLE, cuts) == heard(WHOLE)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, len(WHOLE)))
def test_every_prefix_keeps_the_grammar(length: int) -> None:
    assert check(heard(WHOLE[:length])) == []


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_events_in_any_order_keep_the_grammar(data: st.DataObject) -> None:
    events = streamed("reasoning", "message", "call", "custom", "image")
    picked = data.draw(st.lists(st.sampled_from(events), max_size=30))
    assert check(heard(sse(picked))) == []


# -- an answer is written ---------------------------------------------------------------------------


def said(events: list[Event], options: WriterOptions = OPTIONS) -> list[dict[str, Any]]:
    """What a client sees, each event under its own name."""
    assert FORMAT.writer is not None
    writer = FORMAT.writer(options)
    raw = b"".join(map(writer.write, events)) + writer.close()
    framer = SseFramer()
    frames = [*framer.feed(raw), *framer.close()]
    out = [load(f.data) for f in frames]
    assert [f.event for f in frames] == [e["type"] for e in out]
    return out


RESPONSES = {
    "text": Response("resp_1", "up", (Choice((Text("Hi “there”.\n"),)),), COUNTED, 1700000001),
    "reasoning": Response(
        "resp_1", "up", (Choice((Reasoning("hm", Seal(NAME, "E", "rs_x")), Text("42"))),), COUNTED, 1700000001
    ),
    "foreign seals": Response(
        "resp_1",
        "up",
        (
            Choice(
                (
                    Reasoning("hm", Seal("anthropic_messages", "sig")),
                    Reasoning("", Seal("anthropic_messages", "dark", "redacted"), redacted=True),
                    Text("42"),
                )
            ),
        ),
        COUNTED,
        1700000001,
    ),
    "tools": Response(
        "resp_1",
        "up",
        (
            Choice(
                (
                    Text("So."),
                    ToolCall("c1", "f", '{"a": 1}'),
                    ToolCall("c2", "f", "{}"),
                    ToolCall("c3", "g", "x", custom=True),
                ),
                "tool_calls",
            ),
        ),
        COUNTED,
        1700000001,
    ),
    "refusal": Response("resp_1", "up", (Choice((Refusal("No."),)),), COUNTED, 1700000001),
    "image": Response(
        "resp_1", "up", (Choice((Media("image", "image/webp", Inline(PNG), id="ig_7"),)),), COUNTED, 1700000001
    ),
    "sources": Response(
        "resp_1",
        "up",
        (Choice((Text("See.", citations=(Citation("https://x", "X", start=0, end=3),)),)),),
        COUNTED,
        1700000001,
    ),
    "length": Response("resp_1", "up", (Choice((Text("cut"),), "length"),), COUNTED, 1700000001),
    "filter": Response("resp_1", "up", (Choice((Text("x"),), "filter"),), COUNTED, 1700000001),
    "nothing": Response("resp_1", "up", (Choice(()),), None, 1700000001),
    "native": Response(
        "resp_1",
        "up",
        (Choice((Native(NAME, Raw(dump(SEARCH_ITEM))), Text("x"))),),
        Usage(input=1, output=1, web_searches=1),
        1700000001,
    ),
}


@pytest.mark.parametrize("name", RESPONSES)
def test_what_is_written_reads_the_same(name: str) -> None:
    assert FORMAT.read_response is not None
    assert FORMAT.write_response is not None
    response = RESPONSES[name]
    assert FORMAT.read_response(FORMAT.write_response(response, OPTIONS)) == response
    again = heard(sse(said([*unfold(response)])))
    assert check(again) == []
    assert fold(again) == response


@pytest.mark.parametrize("name", RESPONSES)
def test_official_models_take_every_event(name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from openai.types.responses import Response as Official
        from openai.types.responses import ResponseStreamEvent
        from pydantic import TypeAdapter

    adapter: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
    events = said([*unfold(RESPONSES[name])])
    for event in events:
        adapter.validate_python(event)
    Official.model_validate(events[-1]["response"])
    assert [e["sequence_number"] for e in events] == list(range(len(events)))


def test_the_whole_is_what_the_stream_ends_with() -> None:
    assert FORMAT.write_response is not None
    for response in RESPONSES.values():
        assert load(FORMAT.write_response(response, OPTIONS)) == said([*unfold(response)])[-1]["response"]


def test_a_stream_in_full() -> None:
    events = said(
        [
            Started("up_1", ""),
            Opened(0, "reasoning"),
            Delta(0, "h"),
            Delta(0, "m"),
            Sealed(0, Seal(NAME, "E", "")),
            Closed(0),
            Opened(1, "text"),
            Opened(2, "tool_call", id="c1", name="f"),
            Delta(1, "Hi"),
            Closed(2),
            Cited(1, Citation("https://x")),
            Closed(1),
            Finished("tool_calls"),
            Metered(Usage(input=1, output=2)),
        ]
    )
    assert [e["type"].removeprefix("response.") for e in events] == [
        "created",
        "in_progress",
        "output_item.added",
        "reasoning_summary_part.added",
        "reasoning_summary_text.delta",
        "reasoning_summary_text.delta",
        "reasoning_summary_text.done",
        "reasoning_summary_part.done",
        "output_item.done",
        "output_item.added",
        "content_part.added",
        "output_item.added",
        "output_text.delta",
        "function_call_arguments.delta",
        "function_call_arguments.done",
        "output_item.done",
        "output_text.annotation.added",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "completed",
    ]
    assert [e["output_index"] for e in events if e["type"].endswith("item.done")] == [0, 2, 1]
    final = events[-1]["response"]
    assert (final["id"], final["model"], final["created_at"]) == ("resp_req1", "gpt-5", 1700000000)
    assert final["output"] == [
        {
            "id": "rs_req1_0",
            "type": "reasoning",
            "summary": [{"type": "summary_text", "text": "hm"}],
            "encrypted_content": "E",
        },
        {
            "id": "msg_req1_1",
            "type": "message",
            "status": "completed",
            "role": "assistant",
            "content": [
                {
                    "type": "output_text",
                    "text": "Hi",
                    "annotations": [
                        {"type": "url_citation", "url": "https://x", "title": "", "start_index": 0, "end_index": 2}
                    ],
                    "logprobs": [],
                }
            ],
        },
        {
            "id": "fc_req1_2",
            "type": "function_call",
            "status": "completed",
            "call_id": "c1",
            "name": "f",
            "arguments": "{}",
        },
    ]
    assert final["usage"] == {
        "input_tokens": 1,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": 2,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 3,
    }


def test_a_seal_of_a_call_comes_back_to_the_call() -> None:
    response = Response("resp_1", "up", (Choice((ToolCall("c", "f", "{}", seal=Seal("gemini", "sig")),)),))
    assert FORMAT.write_response is not None
    output = load(FORMAT.write_response(response, OPTIONS))["output"]
    assert [i["type"] for i in output] == ["function_call", "reasoning"]
    assert read(input=output).messages == (
        Message("assistant", (ToolCall("c", "f", "{}", seal=Seal("gemini", "sig")),)),
    )


@pytest.mark.parametrize(
    ("finish", "status", "details"),
    [
        ("length", "incomplete", {"reason": "max_output_tokens"}),
        ("context", "incomplete", {"reason": "max_output_tokens"}),
        ("filter", "incomplete", {"reason": "content_filter"}),
        ("stop_sequence", "completed", None),
        ("pause", "completed", None),
    ],
)
def test_how_it_ended(finish: Finish, status: str, details: Any) -> None:
    last = said([Started("", ""), Opened(0, "text"), Delta(0, "x"), Closed(0), Finished(finish)])[-1]
    assert last["type"] == f"response.{status}"
    assert (last["response"]["status"], last["response"]["incomplete_details"]) == (status, details)
    assert last["response"]["output"][0]["status"] == status


def test_only_the_first_alternative_has_a_place() -> None:
    response = Response("", "", (Choice((Text("a"),)), Choice((Text("b"),), "length")))
    assert [i["content"][0]["text"] for i in said([*unfold(response)])[-1]["response"]["output"]] == ["a"]


@pytest.mark.parametrize(
    ("value", "texts"),
    [
        (Media("audio", "audio/wav", Inline("QQ=="), transcript="spoken"), ["spoken"]),
        (Media("image", "", Url("https://x/a.png")), ["https://x/a.png"]),
        (Media("video", "video/mp4", Inline("QQ==")), []),
        (Native("anthropic_messages", Raw(b"{}")), []),
    ],
)
def test_what_has_no_item(value: Media | Native, texts: list[str]) -> None:
    last = said([Started("", ""), Whole(0, value), Finished("stop")])[-1]
    assert [i["content"][0]["text"] for i in last["response"]["output"]] == texts


def test_nothing_at_all_still_closes() -> None:
    assert [e["type"] for e in said([])] == ["response.created", "response.in_progress", "response.completed"]


# -- errors ---------------------------------------------------------------------------------------

ERROR = UpstreamError("Broken.", code="server_error", param="input")
ERROR_EVENT = {
    "type": "error",
    "code": "server_error",
    "message": "Broken. (request id: req1)",
    "param": "input",
    "error": {
        "type": "upstream_error",
        "code": "server_error",
        "message": "Broken. (request id: req1)",
        "param": "input",
    },
}


def test_errors_are_events() -> None:
    assert FORMAT.error_frame is not None
    assert FORMAT.writer is not None
    frame = FORMAT.error_frame(ERROR, "req1")
    assert frame.startswith(b"event: error\ndata: ")
    assert load(frame.partition(b"data: ")[2]) == {**ERROR_EVENT, "sequence_number": 0}
    writer = FORMAT.writer(OPTIONS)
    writer.write(Started("", ""))
    assert load(writer.write(Failed(ERROR)).partition(b"data: ")[2]) == {**ERROR_EVENT, "sequence_number": 2}


def test_losses_are_named() -> None:
    assert FORMAT.write_request is not None
    written = FORMAT.write_request(asked(Message("user", (Text("x"),), name="bob")), Profile())
    assert written.losses == (Loss("messages.name"),)


# -- the official SDK's own reading ----------------------------------------------------------------


def client(stream: bytes) -> Any:
    import httpx
    import openai

    def reply(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers={"content-type": "text/event-stream"}, content=stream)

    return openai.OpenAI(
        api_key="k", base_url="http://x/v1", http_client=httpx.Client(transport=httpx.MockTransport(reply))
    )


@pytest.mark.parametrize("name", [n for n in RESPONSES if n not in ("length", "filter")])
def test_the_official_sdk_gathers_the_stream(name: str) -> None:
    stream = sse(said([*unfold(RESPONSES[name])]))
    with client(stream) as sdk, sdk.responses.stream(model="m", input="x") as events:
        final = events.get_final_response()
    assert final.output_text == "".join(p.text for p in RESPONSES[name].choices[0].parts if isinstance(p, Text))
    calls = [i.arguments for i in final.output if i.type == "function_call"]
    assert calls == [p.args for p in RESPONSES[name].choices[0].parts if isinstance(p, ToolCall) and not p.custom]


def test_the_official_sdk_raises_on_an_error() -> None:
    import openai

    assert FORMAT.error_frame is not None
    with client(FORMAT.error_frame(ERROR, "req1")) as sdk, pytest.raises(openai.APIError, match="Broken"):
        list(sdk.responses.create(model="m", input="x", stream=True))


def test_tools_of_a_namespace_and_tools_that_come_as_an_item() -> None:
    """As Codex says them: https://developers.openai.com/api/docs/guides/tools-tool-search."""
    close = {"type": "function", "name": "close", "description": "Close it.", "parameters": {"type": "object"}}
    code = {"type": "custom", "name": "exec", "description": "Run it."}
    request = read(
        input=[
            {
                "type": "additional_tools",
                "role": "developer",
                "tools": [{"type": "namespace", "name": "functions", "description": "", "tools": [code, close]}],
            },
            {"role": "user", "content": "x"},
            {"type": "custom_tool_call", "call_id": "c1", "namespace": "functions", "name": "exec", "input": "1"},
            {"type": "custom_tool_call_output", "call_id": "c1", "output": "2"},
            {"type": "function_call", "call_id": "c2", "namespace": "agents", "name": "close", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c2", "output": "closed"},
        ],
        tools=[{"type": "namespace", "name": "agents", "description": "Sub-agents.", "tools": [close, code]}],
        reasoning={"effort": "low", "context": "all_turns"},
    )
    schema = Raw(b'{"type":"object"}')
    assert request.tools == (
        Tool("agents::close", "Sub-agents.\n\nClose it.", schema),
        CustomTool("agents::exec", "Run it."),
        CustomTool("functions::exec", "Run it."),
        Tool("functions::close", "Close it.", schema),
    )
    assert [p for m in request.messages for p in m.parts] == [
        Text("x"),
        ToolCall("c1", "functions::exec", "1", custom=True),
        ToolResult("c1", (Text("2"),), "functions::exec", custom=True),
        ToolCall("c2", "agents::close", "{}"),
        ToolResult("c2", (Text("closed"),), "agents::close"),
    ]
    assert request.extra == {"reasoning.context": Raw(b'"all_turns"')}


@pytest.mark.parametrize(("custom", "kind"), [(False, "function_call"), (True, "custom_tool_call")])
def test_a_call_says_its_namespace(custom: bool, kind: str) -> None:
    call = ToolCall("c1", "agents::close", "{}", custom=custom)
    assert FORMAT.write_response is not None
    assert FORMAT.read_response is not None
    answer = FORMAT.write_response(Response("r", "m", (Choice((call,)),)), OPTIONS)
    (item,) = load(answer)["output"]
    assert (item["type"], item["namespace"], item["name"]) == (kind, "agents", "close")
    assert FORMAT.read_response(answer).choices[0].parts == (call,)
