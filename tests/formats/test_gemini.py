"""Gemini's format: peek, errors, requests in and out."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from msgspec import Raw

from newapi.base.body import Body
from newapi.base.errors import CallerError, NewapiError, Unsupported, UpstreamError
from newapi.formats import _gemini_seals as seals
from newapi.formats._gemini_seals import DUMMY_SIGNATURE, pack
from newapi.formats.contract import Profile
from newapi.formats.gemini import FORMAT
from newapi.formats.gemini_count_tokens import FORMAT as COUNT
from newapi.ir.request import (
    CustomTool,
    Inline,
    Media,
    Message,
    OutputWish,
    Reasoning,
    ReasoningWish,
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
from newapi.ir.seal import Seal

BUDGET = Profile(reasoning="budget", budget_min=128, budget_max=1000, can_disable=False)
LEVEL = Profile(reasoning="level", efforts=("low", "high"), can_disable=False)
SAYS = b'{"contents":[{"parts":[{"text":"x"}]}]}'
CALL = {"functionCall": {"name": "f", "args": {"a": 1}}}


def read(body: dict[str, Any], **params: str) -> Request:
    assert FORMAT.read_request is not None
    return FORMAT.read_request(msgspec.json.encode(body), {"model": "m", "action": "generateContent", **params})


def parts(*said: Any, role: str = "user") -> tuple[Any, ...]:
    request = read({"contents": [{"role": role, "parts": list(said)}]})
    return request.messages[0].parts if request.messages else ()


def write(request: Request, profile: Profile = BUDGET) -> dict[str, Any]:
    assert FORMAT.write_request is not None
    return msgspec.json.decode(FORMAT.write_request(request, profile).body)


def turn(*messages: Message, **fields: Any) -> Request:
    return Request("m", messages, origin="openai_chat", **fields)


USER = Message("user", (Text("hi"),))


@pytest.mark.parametrize(
    ("params", "stream"),
    [
        ({"action": "generateContent"}, False),
        ({"action": "streamGenerateContent"}, True),
        ({"action": "generateContent", "alt": "sse"}, True),
    ],
)
def test_the_path_says_whether_it_streams(params: dict[str, str], stream: bool) -> None:
    assert FORMAT.peek(SAYS, {"model": "m", **params}).stream is stream


@pytest.mark.parametrize("key", ["generationConfig", "generation_config"])
@pytest.mark.parametrize("names", [("maxOutputTokens", "candidateCount"), ("max_output_tokens", "candidate_count")])
def test_peek_reads_the_limits(key: str, names: tuple[str, str]) -> None:
    body = {"contents": [{"parts": []}], key: {names[0]: 7, names[1]: 2}}
    seen = FORMAT.peek(msgspec.json.encode(body), {"model": "m"})
    assert (seen.model, seen.max_output, seen.n) == ("m", 7, 2)


def test_numbers_may_be_strings() -> None:
    """Proto JSON takes them so. Source: https://protobuf.dev/programming-guides/json/"""
    config = {"maxOutputTokens": "100", "temperature": "0.5", "topK": "3", "thinkingConfig": {"thinkingBudget": "-1"}}
    body = {"contents": [{"parts": [{"text": "x"}]}], "generationConfig": config}
    assert FORMAT.peek(msgspec.json.encode(body), {"model": "m"}).max_output == 100
    request = read(body)
    assert request.sampling == Sampling(max_output=100, temperature=0.5, top_k=3)
    assert request.reasoning == ReasoningWish(enabled=True)


@pytest.mark.parametrize(
    "body",
    [
        b"nope",
        b"{}",
        b'{"contents":[ ]}',
        b'{"contents":null}',
        b'{"contents":[{}],"generationConfig":{"maxOutputTokens":1073741824}}',
        b'{"contents":[{}],"generationConfig":{"maxOutputTokens":-1}}',
    ],
)
def test_peek_refuses_what_makes_no_sense(body: bytes) -> None:
    with pytest.raises(CallerError):
        FORMAT.peek(body, {"model": "m"})


@pytest.mark.parametrize(
    ("error", "word"),
    [
        (CallerError("x"), "INVALID_ARGUMENT"),
        (CallerError("x", status=401), "UNAUTHENTICATED"),
        (CallerError("x", status=418), "INVALID_ARGUMENT"),
        (UpstreamError("x", status=429), "RESOURCE_EXHAUSTED"),
        (UpstreamError("x", status=400, code="FAILED_PRECONDITION"), "FAILED_PRECONDITION"),
        (NewapiError("x"), "INTERNAL"),
    ],
)
def test_errors_have_googles_shape(error: NewapiError, word: str) -> None:
    body = msgspec.json.decode(FORMAT.write_error(error, "r1"))
    assert body == {"error": {"code": error.status, "message": "x (request id: r1)", "status": word}}


def test_contents_are_required() -> None:
    with pytest.raises(CallerError, match="contents is required"):
        read({"generationConfig": {}})


@pytest.mark.parametrize("snake", [False, True])
def test_generation_config_in_either_case(snake: bool) -> None:
    config = {"maxOutputTokens": 5, "topP": 0.0, "topK": 3.0, "stopSequences": ["a"], "responseModalities": ["IMAGE"]}
    if snake:
        config = {
            "max_output_tokens": 5,
            "top_p": 0.0,
            "top_k": 3,
            "stop_sequences": ["a"],
            "response_modalities": ["IMAGE"],
        }
    request = read(
        {"contents": [{"parts": [{"text": "x"}]}], "generation_config" if snake else "generationConfig": config}
    )
    assert request.sampling == Sampling(max_output=5, top_p=0.0, top_k=3, stop=("a",))
    assert request.modalities == ("image",)
    assert request.messages == (Message("user", (Text("x"),), plain=True),)


@pytest.mark.parametrize(
    ("said", "wish"),
    [
        ({"thinkingBudget": -1}, ReasoningWish(enabled=True)),
        ({"thinkingBudget": 0}, ReasoningWish(enabled=False, budget=0)),
        ({"thinking_budget": 9, "include_thoughts": True}, ReasoningWish(enabled=True, budget=9, show=True)),
        ({"thinkingLevel": "HIGH"}, ReasoningWish(enabled=True, effort="high")),
        ({"includeThoughts": False}, ReasoningWish(show=False)),
    ],
)
def test_thinking_is_read(said: dict[str, Any], wish: ReasoningWish) -> None:
    request = read({"contents": [{"parts": [{"text": "x"}]}], "generationConfig": {"thinkingConfig": said}})
    assert request.reasoning == wish


def test_calls_and_results_get_ids_that_match() -> None:
    request = read(
        {
            "contents": [
                {"role": "model", "parts": [CALL, {"functionCall": {"name": "g"}}, CALL]},
                {
                    "role": "user",
                    "parts": [
                        {"functionResponse": {"name": "g", "response": {"output": "G"}}},
                        {"functionResponse": {"name": "f", "response": {"error": "E"}}},
                        {"functionResponse": {"name": "f", "response": {"x": 1}}},
                    ],
                },
            ]
        }
    )
    calls, results = (m.parts for m in request.messages)
    assert [c.id for c in calls] == ["call_0", "call_1", "call_2"]
    assert [(r.id, r.parts[0].text, r.error) for r in results] == [
        ("call_1", "G", False),
        ("call_0", "E", True),
        ("call_2", '{"x":1}', False),
    ]


FOREIGN = Seal("anthropic_messages", "sig")


@pytest.mark.parametrize(
    ("said", "read_as"),
    [
        ([{"text": "a", "thoughtSignature": "s"}], (Text("a", seal=Seal("gemini", "s")),)),
        ([{"text": "a"}, {"text": "", "thoughtSignature": "s"}], (Text("a", seal=Seal("gemini", "s")),)),
        ([CALL | {"thoughtSignature": "s"}], (ToolCall("call_0", "f", '{"a":1}', seal=Seal("gemini", "s")),)),
        (
            [
                {"text": "h", "thought": True},
                {"text": "m", "thought": True},
                CALL | {"thoughtSignature": pack(FOREIGN)},
            ],
            (Reasoning("hm", FOREIGN), ToolCall("call_0", "f", '{"a":1}')),
        ),
        (
            [CALL | {"thought_signature": pack(FOREIGN)}],
            (Reasoning("", FOREIGN, redacted=True), ToolCall("call_0", "f", '{"a":1}')),
        ),
    ],
)
def test_signatures_find_their_part(said: list[Any], read_as: tuple[Any, ...]) -> None:
    assert parts(*said, role="model") == read_as


def test_media_is_read() -> None:
    assert parts(
        {"inline_data": {"mime_type": "image/png", "data": "AA=="}},
        {"fileData": {"fileUri": "https://www.youtube.com/watch?v=1"}},
    ) == (
        Media("image", "image/png", Inline("AA==")),
        Media("video", "video/webm", Url("https://www.youtube.com/watch?v=1")),
    )


def test_types_in_capitals_are_json_schemas_all_the_same() -> None:
    schema = {"type": "OBJECT", "properties": {"type": {"type": "STRING", "enum": ["A"]}}, "anyOf": [{"type": "NULL"}]}
    request = read(
        {
            "contents": [{"parts": [{"text": "x"}]}],
            "tools": [{"functionDeclarations": [{"name": "f", "parametersJsonSchema": schema}]}],
            "generationConfig": {"responseMimeType": "application/json", "responseJsonSchema": schema},
        }
    )
    said = {"type": "object", "properties": {"type": {"type": "string", "enum": ["A"]}}, "anyOf": [{"type": "null"}]}
    tool = request.tools[0]
    assert isinstance(tool, Tool)
    assert request.output is not None
    for raw in (tool.schema, request.output.schema):
        assert raw is not None
        assert msgspec.json.decode(raw) == said


def test_tools_and_their_choice_are_read() -> None:
    request = read(
        {
            "contents": [{"parts": [{"text": "x"}]}],
            "tools": [
                {"functionDeclarations": [{"name": "f", "parameters": {"type": "OBJECT", "nullable": True}}]},
                {"googleSearch": {}},
            ],
            "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["f"]}},
        }
    )
    assert request.tools[0] == Tool("f", schema=Raw(b'{"type":["object","null"]}'))
    assert isinstance(request.tools[1], WebSearch)
    assert request.tool_choice == ToolChoice("named", "f")


# -- out --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wish", "profile", "config"),
    [
        (ReasoningWish(effort="high"), BUDGET, {"thinkingBudget": 1000, "includeThoughts": True}),
        (ReasoningWish(enabled=True, budget=50), BUDGET, {"thinkingBudget": 128, "includeThoughts": True}),
        (ReasoningWish(enabled=False), BUDGET, {"thinkingBudget": 128, "includeThoughts": False}),
        (ReasoningWish(effort="none"), Profile(reasoning="budget"), {"thinkingBudget": 0, "includeThoughts": False}),
        (ReasoningWish(adaptive=True), BUDGET, {"thinkingBudget": -1, "includeThoughts": True}),
        (ReasoningWish(effort="minimal"), LEVEL, {"thinkingLevel": "low", "includeThoughts": True}),
        (
            ReasoningWish(enabled=True, budget=9000, show=False),
            LEVEL,
            {"thinkingLevel": "high", "includeThoughts": False},
        ),
        (ReasoningWish(effort="high"), Profile(), None),
    ],
)
def test_thinking_is_told_in_the_models_words(wish: ReasoningWish, profile: Profile, config: Any) -> None:
    assert write(turn(USER, reasoning=wish), profile)["generationConfig"].get("thinkingConfig") == config


def assistant(*said: Any) -> list[dict[str, Any]]:
    return write(turn(USER, Message("assistant", said)))["contents"][1]["parts"]


A, B = ToolCall("1", "f", "{}"), ToolCall("2", "g", '{"x":1}')
SEALED = ToolCall("1", "f", "{}", seal=Seal("gemini", "real"))


@pytest.mark.parametrize(
    ("said", "signatures"),
    [
        ((Text("t"),), [DUMMY_SIGNATURE]),
        ((Text("t"), A, B), [None, DUMMY_SIGNATURE, None]),
        ((SEALED, B), ["real", None]),
        ((Reasoning("hm", Seal("gemini", "thought")), A), ["thought"]),
        ((Reasoning("hm", Seal("anthropic_messages", "other")), A), [DUMMY_SIGNATURE]),
        ((Text("t", seal=Seal("gemini", "text")), A), ["text", DUMMY_SIGNATURE]),
    ],
)
def test_turns_are_signed(said: tuple[Any, ...], signatures: list[str | None]) -> None:
    assert [p.get("thoughtSignature") for p in assistant(*said)] == signatures


def test_results_come_together_and_text_after_them() -> None:
    contents = write(
        turn(
            USER,
            Message("assistant", (A, B)),
            Message("user", (ToolResult("1", (Text("[1]"),)),)),
            Message("user", (ToolResult("2", (Text("no"),), error=True), Text("and?"))),
        )
    )["contents"]
    assert contents[2:] == [
        {
            "role": "user",
            "parts": [
                {"functionResponse": {"name": "f", "response": {"result": [1]}}},
                {"functionResponse": {"name": "g", "response": {"error": "no"}}},
            ],
        },
        {"role": "user", "parts": [{"text": "and?"}]},
    ]


@pytest.mark.parametrize(
    ("text", "response"),
    [("18C", {"content": "18C"}), ('{"a":1}', {"a": 1}), ("[2]", {"result": [2]}), ("3", {"content": "3"})],
)
def test_a_results_shape(text: str, response: Any) -> None:
    contents = write(turn(Message("assistant", (A,)), Message("user", (ToolResult("1", (Text(text),)),))))["contents"]
    assert contents[1]["parts"][0]["functionResponse"]["response"] == response


def test_a_gif_is_refused() -> None:
    with pytest.raises(Unsupported, match="image/gif"):
        write(turn(Message("user", (Media("image", "image/gif", Inline("AA==")),))))


@pytest.mark.parametrize("args", ["nope", '{"a":', "[1]", '"x"'])
def test_arguments_that_are_no_object_are_kept_under_a_name(args: str) -> None:
    """A model that broke off in its arguments has said so for good: the conversation must go on."""
    assert assistant(ToolCall("1", "f", args))[0]["functionCall"] == {"name": "f", "args": {"arguments": args}}


def test_a_conversation_of_system_turns_gets_a_turn() -> None:
    body = write(turn(Message("system", (Text("be brief"),))))
    assert body["contents"] == [{"role": "user", "parts": [{"text": "..."}]}]


def test_a_tool_of_free_text_is_a_function() -> None:
    body = write(turn(tools=(CustomTool("sh", "run", Raw(b'{"type":"text"}')),)))
    (function,) = body["tools"][0]["functionDeclarations"]
    assert function["parameters"]["properties"] == {"input": {"type": "STRING"}}


@pytest.mark.parametrize(
    ("google", "config"),
    [
        (
            {"thinking_config": {"thinking_budget": 0}},
            {"thinkingConfig": {"thinkingBudget": 0, "includeThoughts": False}},
        ),
        ({"thinking_config": {"thinking_level": "low"}}, {"thinkingConfig": {"thinkingLevel": "low"}}),
        (
            {"image_config": {"aspect_ratio": "1:1", "image_size": "2K"}},
            {"imageConfig": {"aspectRatio": "1:1", "imageSize": "2K"}},
        ),
    ],
)
def test_extra_body_google(google: Any, config: Any) -> None:
    extra = {"extra_body": Raw(msgspec.json.encode({"google": google}))}
    assert write(turn(USER, extra=extra))["generationConfig"] == config


@pytest.mark.parametrize(
    ("google", "message"),
    [
        ({"thinkingConfig": {}}, "use extra_body.google.thinking_config instead"),
        ({"thinking_config": {"thinking_budget": "1"}}, "must be an integer"),
        ({"thinking_config": {"include_thoughts": 1}}, "must be a boolean"),
        ({"image_config": {"imageSize": "1K"}}, "use extra_body.google.image_config.image_size instead"),
    ],
)
def test_extra_body_google_that_makes_no_sense(google: Any, message: str) -> None:
    with pytest.raises(CallerError, match=message):
        write(turn(USER, extra={"extra_body": Raw(msgspec.json.encode({"google": google}))}))


def test_what_gemini_cannot_say_is_a_loss() -> None:
    assert FORMAT.write_request is not None
    request = turn(USER, sampling=Sampling(presence_penalty=1.0, stop=tuple("abcdefg")), user="u")
    written = FORMAT.write_request(request, BUDGET)
    assert {loss.what for loss in written.losses} == {"sampling.presence_penalty", "sampling.stop", "user"}
    assert msgspec.json.decode(written.body)["generationConfig"]["stopSequences"] == list("abcde")


def test_a_schema_and_pictures() -> None:
    wish = OutputWish("schema", schema=Raw(b'{"type":"object","title":"T","properties":{"a":{"type":"integer"}}}'))
    config = write(turn(USER, output=wish), Profile(image_output=True))["generationConfig"]
    assert config == {
        "responseMimeType": "application/json",
        "responseSchema": {"type": "object", "properties": {"a": {"type": "integer"}}},
        "responseModalities": ["TEXT", "IMAGE"],
    }


@pytest.mark.parametrize(
    "body",
    [
        {"contents": [{"parts": [{"functionCall": "f"}]}]},
        {"contents": [{"parts": [{"functionResponse": ["f"]}]}]},
        {"contents": [{"parts": [{"text": "a"}]}], "tools": [{"functionDeclarations": ["f"]}]},
    ],
)
def test_what_is_no_object_is_the_callers(body: dict[str, Any]) -> None:
    with pytest.raises(CallerError, match="is not an object"):
        read(body)


@pytest.mark.parametrize(
    "body", [b"", b"null", b"[1]", b'{"generateContentRequest": 3}', b'{"generateContentRequest": {}}']
)
def test_what_cannot_be_counted_is_the_callers(body: bytes) -> None:
    with pytest.raises(CallerError):
        COUNT.read_request(body, {"model": "m"})  # type: ignore[misc]


def test_a_request_that_is_null_is_none() -> None:
    body = b'{"generateContentRequest": null, "contents": [{"parts": [{"text": "a"}]}]}'
    assert COUNT.read_request(body, {"model": "m"}).messages[0].parts == (Text("a"),)  # type: ignore[misc]


class TestForeignSignatures:
    """A conversation that another vendor had a part in, and that goes to Gemini as it came."""

    @pytest.mark.parametrize("key", ["thoughtSignature", "thought_signature"])
    def test_become_what_google_has_for_them(self, key: str) -> None:
        foreign = seals.pack(Seal("anthropic_messages", "c2ln"))
        said = {"functionCall": {"name": "f", "args": {"a": 1.5}}}
        body = Body(
            msgspec.json.encode(
                {
                    "contents": [
                        {"role": "user", "parts": [{"text": "x"}]},
                        {"role": "model", "parts": [{**said, key: foreign}, {**said, key: "b3du"}, "odd"]},
                        {"role": "user"},
                        "odd",
                    ]
                }
            )
        )
        seals.drop_foreign_signatures(body)
        assert body.get("contents") == [
            {"role": "user", "parts": [{"text": "x"}]},
            {"role": "model", "parts": [{**said, key: DUMMY_SIGNATURE}, {**said, key: "b3du"}, "odd"]},
            {"role": "user"},
            "odd",
        ]

    @pytest.mark.parametrize("contents", [[{"parts": [{"text": "x", "thoughtSignature": "b3du"}]}], "bmV3YXBpL", None])
    def test_googles_own_stay_byte_for_byte(self, contents: object) -> None:
        body = Body(msgspec.json.encode({"contents": contents}))
        seals.drop_foreign_signatures(body)
        assert not body.changed
