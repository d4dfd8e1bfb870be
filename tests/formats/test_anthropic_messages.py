"""Anthropic Messages: requests read and written."""

from __future__ import annotations

import contextlib
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw
from msgspec.structs import replace

from newapi.base.body import Body
from newapi.base.errors import CallerError, NoChannel, Unsupported, UpstreamError
from newapi.formats._anthropic_schema import accepted, is_accepted, is_closed
from newapi.formats._anthropic_seals import drop_foreign_thoughts, think_no_more
from newapi.formats._anthropic_turns import safe_id
from newapi.formats.anthropic_messages import FORMAT
from newapi.formats.contract import Profile
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
from newapi.ir.seal import Seal, pack

NAME = "anthropic_messages"
SIGNED = Seal(NAME, "c2ln")
DARK = Seal(NAME, "c2ln", "redacted")
FOREIGN = Seal("gemini", "Zm9y")
HI: dict[str, Any] = {"role": "user", "content": "hi"}


def encoded(value: Any) -> bytes:
    return msgspec.json.encode(value)


def read(messages: list[Any] | None = None, **more: Any) -> Request:
    assert FORMAT.read_request is not None
    request: Request = FORMAT.read_request(encoded({"model": "m", "messages": messages or [HI], **more}), {})
    return request


def plain(value: Any) -> Any:
    """A canonical value with its raw JSON decoded, so that two can be compared."""
    if isinstance(value, Raw):
        return ("raw", msgspec.json.decode(value))
    if isinstance(value, msgspec.Struct):
        return (type(value).__name__, {f: plain(getattr(value, f)) for f in value.__struct_fields__})
    if isinstance(value, tuple | list):
        return [plain(v) for v in value]
    return {k: plain(v) for k, v in value.items()} if isinstance(value, dict) else value


def read_part(block: dict[str, Any], role: str = "user") -> Any:
    (message,) = read([{"role": role, "content": [block]}]).messages
    return message.parts


PDF: dict[str, Any] = {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="}
NATIVE: dict[str, Any] = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "x"}}


class TestRead:
    def test_a_string_stays_a_plain_turn(self) -> None:
        assert read().messages == (Message("user", (Text("hi"),), plain=True),)

    @pytest.mark.parametrize(
        ("system", "expected"),
        [
            ("S", Message("system", (Text("S"),), plain=True)),
            (
                [{"type": "text", "text": "a", "cache_control": {"type": "ephemeral", "ttl": "1h"}}],
                Message("system", (Text("a", CacheMark("1h")),)),
            ),
            ([{"type": "text", "text": "a", "cache_control": None}], Message("system", (Text("a"),))),
        ],
    )
    def test_system(self, system: Any, expected: Message) -> None:
        assert read(system=system).messages[0] == expected

    def test_the_line_for_the_vendors_accounts_is_left_out(self) -> None:
        line = "x-anthropic-billing-header: cc_version=2.1.197.7d4; cc_entrypoint=sdk-cli;"
        request = read(system=[{"type": "text", "text": line}, {"type": "text", "text": "S"}])
        assert request.messages[0] == Message("system", (Text("S"),))
        assert list(request.extra) == ["x-anthropic-billing-header"]
        assert [m.role for m in read(system=line).messages] == ["user"]

    def test_a_system_turn_in_the_middle_stays_there(self) -> None:
        messages = read([HI, {"role": "system", "content": "now be brief"}, HI]).messages
        assert [m.role for m in messages] == ["user", "system", "user"]

    @pytest.mark.parametrize("system", ["absent", None, []])
    def test_no_system(self, system: Any) -> None:
        request = read() if system == "absent" else read(system=system)
        assert [m.role for m in request.messages] == ["user"]

    @pytest.mark.parametrize(
        ("block", "parts"),
        [
            ({"type": "text", "text": "x"}, (Text("x"),)),
            (
                {"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}},
                (Text("x", CacheMark()),),
            ),
            (
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA=="}},
                (Media("image", "image/png", Inline("AA==")),),
            ),
            (
                {"type": "image", "source": {"type": "url", "url": "https://a/b.png"}},
                (Media("image", "", Url("https://a/b.png")),),
            ),
            (
                {"type": "image", "source": {"type": "file", "file_id": "file_1"}},
                (Media("image", "", FileRef("file_1", NAME)),),
            ),
            (
                {"type": "document", "source": PDF, "title": "T", "cache_control": {"type": "ephemeral"}},
                (Media("document", "application/pdf", Inline("JVBERi0="), name="T", cache=CacheMark()),),
            ),
            (
                {"type": "document", "source": {"type": "url", "url": "https://a/b.pdf"}},
                (Media("document", "application/pdf", Url("https://a/b.pdf")),),
            ),
            (
                {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "héy"}},
                (Media("document", "text/plain", Inline("aMOpeQ==")),),
            ),
            (
                {
                    "type": "document",
                    "source": {"type": "content", "content": [{"type": "text", "text": "a"}]},
                    "citations": {"enabled": True},
                },
                (Text("a"),),
            ),
            ({"type": "document", "source": {"type": "content", "content": "a"}}, (Text("a"),)),
            (
                {
                    "type": "search_result",
                    "source": "https://s",
                    "title": "T",
                    "content": [{"type": "text", "text": "found"}],
                },
                (Text("T\nhttps://s"), Text("found")),
            ),
            (
                {"type": "tool_result", "tool_use_id": "t", "content": "18C"},
                (ToolResult("t", (Text("18C"),)),),
            ),
            (
                {"type": "tool_result", "tool_use_id": "t"},
                (ToolResult("t", ()),),
            ),
            (
                {
                    "type": "tool_result",
                    "tool_use_id": "t",
                    "is_error": True,
                    "cache_control": {"type": "ephemeral"},
                    "content": [
                        {"type": "text", "text": "see"},
                        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA=="}},
                    ],
                },
                (
                    ToolResult(
                        "t",
                        (Text("see"), Media("image", "image/png", Inline("AA=="))),
                        error=True,
                        cache=CacheMark(),
                        plain=False,
                    ),
                ),
            ),
            ({"type": "image"}, ()),
        ],
    )
    def test_user_blocks(self, block: dict[str, Any], parts: Any) -> None:
        assert read_part(block) == parts

    @pytest.mark.parametrize(
        ("block", "parts"),
        [
            ({"type": "thinking", "thinking": "hm", "signature": "c2ln"}, (Reasoning("hm", SIGNED),)),
            ({"type": "thinking", "thinking": "hm", "signature": ""}, (Reasoning("hm"),)),
            (
                {"type": "thinking", "thinking": "hm", "signature": pack(FOREIGN, NAME)},
                (Reasoning("hm", FOREIGN),),
            ),
            ({"type": "redacted_thinking", "data": "c2ln"}, (Reasoning("", DARK, redacted=True),)),
            (
                {"type": "tool_use", "id": "t", "name": "f", "input": {"b": 1, "a": [1.50, "ü"]}},
                (ToolCall("t", "f", '{"b":1,"a":[1.5,"ü"]}'),),
            ),
            ({"type": "tool_use", "id": "t", "name": "f", "input": None}, (ToolCall("t", "f", "{}"),)),
            (
                {
                    "type": "text",
                    "text": "x",
                    "citations": [
                        {
                            "type": "web_search_result_location",
                            "url": "https://u",
                            "title": "T",
                            "cited_text": "c",
                            "encrypted_index": "e",
                        },
                        {"type": "char_location", "cited_text": "d", "document_title": "D", "start_char_index": 1},
                    ],
                },
                (Text("x", citations=(Citation("https://u", "T", "c"), Citation("", "D", "d"))),),
            ),
        ],
    )
    def test_assistant_blocks(self, block: dict[str, Any], parts: Any) -> None:
        assert read_part(block, "assistant") == parts

    def test_what_only_anthropic_knows_is_kept_as_it_came(self) -> None:
        (part,) = read_part(NATIVE, "assistant")
        assert part.origin == NAME
        assert msgspec.json.decode(part.body) == NATIVE

    def test_tools(self) -> None:
        search = {
            "type": "web_search_20250305",
            "name": "web_search",
            "max_uses": 3,
            "allowed_domains": ["a.com"],
            "user_location": {"type": "approximate", "city": "Paris", "region": None},
        }
        bash = {"type": "bash_20250124", "name": "bash"}
        request = read(
            tools=[
                {
                    "name": "f",
                    "description": "d",
                    "input_schema": {"type": "object"},
                    "strict": True,
                    "cache_control": {"type": "ephemeral"},
                },
                {"type": "custom", "name": "g"},
                search,
                bash,
            ]
        )
        assert plain(request.tools) == plain(
            (
                Tool("f", "d", Raw(b'{"type":"object"}'), True, CacheMark()),
                Tool("g"),
                WebSearch(
                    max_uses=3,
                    allowed_domains=("a.com",),
                    user_location=Raw(b'{"city":"Paris"}'),
                    body=Raw(encoded(search)),
                    origin=NAME,
                ),
                NativeTool(NAME, Raw(encoded(bash))),
            )
        )

    @pytest.mark.parametrize(
        ("said", "choice", "parallel"),
        [
            ({"type": "auto"}, ToolChoice("auto"), None),
            ({"type": "any", "disable_parallel_tool_use": True}, ToolChoice("required"), False),
            ({"type": "tool", "name": "f"}, ToolChoice("named", "f"), None),
            ({"type": "none"}, ToolChoice("none"), None),
            ({"type": "auto", "disable_parallel_tool_use": False}, ToolChoice("auto"), True),
            (None, None, None),
        ],
    )
    def test_tool_choice(self, said: Any, choice: Any, parallel: Any) -> None:
        request = read(tool_choice=said)
        assert (request.tool_choice, request.parallel_tools) == (choice, parallel)

    @pytest.mark.parametrize(
        ("said", "wish"),
        [
            ({}, None),
            (
                {"thinking": {"type": "enabled", "budget_tokens": 2000}},
                ReasoningWish(enabled=True, budget=2000, show=True),
            ),
            (
                {"thinking": {"type": "adaptive", "display": "omitted"}, "output_config": {"effort": "max"}},
                ReasoningWish(enabled=True, effort="max", adaptive=True, show=False),
            ),
            ({"thinking": {"type": "adaptive"}}, ReasoningWish(enabled=True, adaptive=True, show=True)),
            ({"thinking": {"type": "disabled"}}, ReasoningWish(enabled=False)),
            ({"thinking": {"type": "between_tools"}}, ReasoningWish(enabled=False)),
            ({"output_config": {"effort": "low"}}, ReasoningWish(effort="low")),
        ],
    )
    def test_thinking(self, said: Any, wish: Any) -> None:
        assert read(**said).reasoning == wish

    @pytest.mark.parametrize("key", ["output_config", "output_format"])
    @pytest.mark.parametrize(
        ("schema", "strict"),
        [
            ({"type": "object", "properties": {"a": {}}, "required": ["a"], "additionalProperties": False}, True),
            ({"type": "object", "properties": {"a": {}}, "additionalProperties": False}, None),
        ],
    )
    def test_output(self, key: str, schema: Any, strict: Any) -> None:
        form = {"type": "json_schema", "schema": schema}
        wish = read(**{key: {"format": form} if key == "output_config" else form}).output
        assert wish is not None
        assert (wish.kind, wish.strict, msgspec.json.decode(wish.schema or b"")) == ("schema", strict, schema)

    def test_knobs_and_the_rest(self) -> None:
        request = read(
            max_tokens=7,
            temperature=0,
            top_p=0.5,
            top_k=3,
            stop_sequences=["END"],
            stream=True,
            metadata={"user_id": "u1", "x": 1},
            service_tier="auto",
            container=None,
            mcp_servers=[1],
        )
        assert request.sampling == Sampling(temperature=0, top_p=0.5, top_k=3, max_output=7, stop=("END",))
        assert (request.stream, request.user, request.service_tier, request.origin) == (True, "u1", "auto", NAME)
        assert plain(request.metadata) == ("raw", {"x": 1})
        assert plain(request.extra) == {"mcp_servers": ("raw", [1])}

    @pytest.mark.parametrize(("said", "limit"), [({}, 8192), ({"max_tokens": None}, 8192), ({"max_tokens": 0}, 0)])
    def test_a_missing_limit(self, said: Any, limit: int) -> None:
        assert read(**said).sampling.max_output == limit

    @pytest.mark.parametrize(
        ("body", "param"),
        [
            ({"messages": [{"role": "tool", "content": "x"}]}, "messages"),
            ({"messages": [{"role": "user", "content": 3}]}, "messages"),
            ({"messages": [{"role": "user", "content": [{"type": 3}]}]}, "messages"),
            ({"messages": [{"role": "user", "content": [3]}]}, "messages"),
            (
                {"messages": [{"role": "user", "content": [{"type": "image", "source": {"type": 1}}]}]},
                "messages",
            ),
            ({"messages": "x"}, "messages"),
            ({"messages": [HI], "max_tokens": "x"}, "max_tokens"),
            ({"messages": [HI], "tools": [{"name": 3}]}, "tools"),
            ({"messages": [HI], "thinking": 3}, "thinking"),
            ({"messages": [HI], "system": 3}, "system"),
        ],
    )
    def test_nonsense_is_the_callers(self, body: Any, param: str) -> None:
        assert FORMAT.read_request is not None
        with pytest.raises(CallerError) as caught:
            FORMAT.read_request(encoded({"model": "m", **body}), {})
        assert caught.value.param == param

    def test_no_json(self) -> None:
        assert FORMAT.read_request is not None
        with pytest.raises(CallerError):
            FORMAT.read_request(b"[1", {})


class TestPeek:
    def test_what_routing_needs(self) -> None:
        peek = FORMAT.peek(encoded({"model": "m", "stream": True, "max_tokens": 5, "messages": [HI]}), {})
        assert (peek.model, peek.stream, peek.max_output) == ("m", True, 5)

    @pytest.mark.parametrize(
        "body",
        [
            b"{",
            b"[]",
            b'{"messages":[{}]}',
            b'{"model":"m"}',
            b'{"model":"m","messages":[]}',
            b'{"model":"m","messages":[ \n]}',
            b'{"model":"m","messages":null}',
            b'{"model":"m","messages":"x"}',
            b'{"model":3,"messages":[{}]}',
            b'{"model":"m","messages":[{}],"max_tokens":-1}',
            b'{"model":"m","messages":[{}],"max_tokens":1073741824}',
            b'{"model":"m","messages":[{}],"temperature":"0.5"}',
        ],
    )
    def test_nonsense_is_the_callers(self, body: bytes) -> None:
        with pytest.raises(CallerError):
            FORMAT.peek(body, {})

    @given(st.binary(max_size=80))
    def test_any_bytes_are_peeked_or_refused(self, body: bytes) -> None:
        with contextlib.suppress(CallerError):
            FORMAT.peek(body, {})


# -- written ------------------------------------------------------------------------------

PLAIN = Profile()
BUDGET = Profile(reasoning="budget", budget_max=32_000)
ADAPTIVE = Profile(reasoning="adaptive", efforts=("low", "medium", "high", "xhigh", "max"), sampling=False)
SCHEMA = Raw(b'{"type":"object","properties":{"a":{"type":"string"}}}')


def user(*parts: Any) -> Message:
    return Message("user", tuple(Text(p) if isinstance(p, str) else p for p in parts))


def bot(*parts: Any) -> Message:
    return Message("assistant", tuple(Text(p) if isinstance(p, str) else p for p in parts))


def said(role: Any, text: str) -> Message:
    return Message(role, (Text(text),), plain=True)


def write(*messages: Message, profile: Profile = PLAIN, **more: Any) -> tuple[dict[str, Any], set[str]]:
    assert FORMAT.write_request is not None
    written = FORMAT.write_request(Request(model="m", messages=messages or (said("user", "hi"),), **more), profile)
    return msgspec.json.decode(written.body), {loss.what for loss in written.losses}


def turns(*messages: Message, profile: Profile = PLAIN, **more: Any) -> Any:
    return write(*messages, profile=profile, **more)[0]["messages"]


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words}


CALL = ToolCall("c1", "f", '{"a":1}')
USE: dict[str, Any] = {"type": "tool_use", "id": "c1", "name": "f", "input": {"a": 1}}
RESULT = ToolResult("c1", (Text("18C"),))
GOT: dict[str, Any] = {"type": "tool_result", "tool_use_id": "c1", "content": "18C"}


class TestTurns:
    @pytest.mark.parametrize(
        ("origin", "messages", "expected"),
        [
            ("openai_chat", [said("user", "a"), said("user", "b")], [{"role": "user", "content": "a b"}]),
            ("gemini", [said("user", "a"), said("user", "b")], [{"role": "user", "content": [text("a"), text("b")]}]),
            (
                "openai_chat",
                [user("a", "b"), said("user", "c")],
                [{"role": "user", "content": [text("a"), text("b")]}, {"role": "user", "content": "c"}],
            ),
            (
                "openai_chat",
                [said("user", "q"), bot(CALL), user(RESULT), said("user", "and?")],
                [
                    {"role": "user", "content": "q"},
                    {"role": "assistant", "content": [text("..."), USE]},
                    {"role": "user", "content": [GOT]},
                    {"role": "user", "content": "and?"},
                ],
            ),
            (
                "openai_responses",
                [
                    said("user", "q"),
                    bot(CALL),
                    bot(replace(CALL, id="c2")),
                    user(RESULT),
                    user(replace(RESULT, id="c2")),
                ],
                [
                    {"role": "user", "content": "q"},
                    {"role": "assistant", "content": [USE, {**USE, "id": "c2"}]},
                    {"role": "user", "content": [GOT, {**GOT, "tool_use_id": "c2"}]},
                ],
            ),
            (
                "openai_chat",
                [
                    said("user", "q"),
                    bot(CALL),
                    bot(replace(CALL, id="c2")),
                    user(RESULT),
                    user(replace(RESULT, id="c2")),
                ],
                [
                    {"role": "user", "content": "q"},
                    {"role": "assistant", "content": [text("..."), USE, {**USE, "id": "c2"}]},
                    {"role": "user", "content": [GOT, {**GOT, "tool_use_id": "c2"}]},
                ],
            ),
            # Tools answer first, whatever the order was.
            (
                "gemini",
                [said("user", "q"), bot("Let me see.", CALL), user("by the way", RESULT)],
                [
                    {"role": "user", "content": "q"},
                    {"role": "assistant", "content": [text("Let me see."), USE]},
                    {"role": "user", "content": [GOT, text("by the way")]},
                ],
            ),
            (
                "gemini",
                [bot("hello"), said("user", "hi")],
                [
                    {"role": "user", "content": [text("...")]},
                    {"role": "assistant", "content": [text("hello")]},
                    {"role": "user", "content": "hi"},
                ],
            ),
            ("openai_chat", [said("user", "")], [{"role": "user", "content": "..."}]),
            (
                "openai_chat",
                [said("user", "q"), Message("assistant", ()), said("user", "r")],
                [
                    {"role": "user", "content": "q"},
                    {"role": "assistant", "content": "..."},
                    {"role": "user", "content": "r"},
                ],
            ),
            ("gemini", [user("", "a", " "), bot("")], [{"role": "user", "content": [text("a")]}]),
            # A prefill must not end in white space.
            (
                "gemini",
                [said("user", "q"), said("assistant", "It is \n")],
                [{"role": "user", "content": "q"}, {"role": "assistant", "content": "It is"}],
            ),
            ("gemini", [said("user", "q"), bot(Refusal("no"))], None),
        ],
    )
    def test_shapes(self, origin: str, messages: list[Message], expected: Any) -> None:
        if expected is None:
            expected = [{"role": "user", "content": "q"}, {"role": "assistant", "content": [text("no")]}]
        assert turns(*messages, origin=origin) == expected

    def test_system_turns_are_gathered(self) -> None:
        body, _ = write(
            Message("system", (Text("a", CacheMark("1h")),)),
            said("user", "q"),
            Message("system", (Text("b"), Text("")), developer=True),
        )
        assert body["system"] == [
            {"type": "text", "text": "a", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
            text("b"),
        ]
        assert body["messages"] == [{"role": "user", "content": "q"}]

    @pytest.mark.parametrize(
        ("part", "block"),
        [
            (Text("x", CacheMark()), {"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}),
            (
                Media("image", "image/png", Inline("AA==")),
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA=="}},
            ),
            (
                Media("image", "", Url("https://a/b.png")),
                {"type": "image", "source": {"type": "url", "url": "https://a/b.png"}},
            ),
            (
                Media("image", "", FileRef("file_1", NAME)),
                {"type": "image", "source": {"type": "file", "file_id": "file_1"}},
            ),
            (
                Media("document", "application/pdf", Inline("AA=="), name="a.pdf", cache=CacheMark()),
                {
                    "type": "document",
                    "source": {"type": "base64", "media_type": "application/pdf", "data": "AA=="},
                    "title": "a.pdf",
                    "cache_control": {"type": "ephemeral"},
                },
            ),
            (
                Media("document", "text/csv; charset=utf-8", Inline("aMOpeQ==")),
                {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "héy"}},
            ),
            # What Anthropic does not take is Anthropic's to refuse.
            (
                Media("audio", "audio/wav", Inline("AA==")),
                {"type": "image", "source": {"type": "base64", "media_type": "audio/wav", "data": "AA=="}},
            ),
            (
                ToolResult("c 1", (Text("a"), Media("image", "", Inline("AA=="))), error=True, plain=False),
                {
                    "type": "tool_result",
                    "tool_use_id": "c_1",
                    "is_error": True,
                    "content": [
                        text("a"),
                        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA=="}},
                    ],
                },
            ),
            (
                ToolResult("c1", (Text("a"),), cache=CacheMark()),
                {
                    "type": "tool_result",
                    "tool_use_id": "c1",
                    "content": "a",
                    "cache_control": {"type": "ephemeral"},
                },
            ),
        ],
    )
    def test_user_parts(self, part: Any, block: Any) -> None:
        assert turns(user(part)) == [{"role": "user", "content": [block]}]

    def test_jpg_is_no_type_that_anthropic_knows(self) -> None:
        picture = Media("image", "image/jpg", Inline("AA=="))
        assert turns(user(picture))[0]["content"][0]["source"]["media_type"] == "image/jpeg"

    def test_openai_callers_documents_have_no_title(self) -> None:
        document = Media("document", "application/pdf", Inline("AA=="), name="a.pdf")
        assert "title" not in turns(user(document), origin="openai_chat")[0]["content"][0]

    @pytest.mark.parametrize(
        ("source", "error"),
        [(FileRef("f", "openai_chat"), Unsupported), (Inline("A"), CallerError)],
    )
    def test_what_cannot_be_told(self, source: Any, error: type[CallerError]) -> None:
        with pytest.raises(error):
            write(user(Media("document", "text/plain", source)))

    @pytest.mark.parametrize(
        ("args", "custom", "input"),
        [
            ('{"a": 1}', False, {"a": 1}),
            ("", False, {}),
            ("null", False, {}),
            ("  ", False, {}),
            ("[1]", False, {"arguments": "[1]"}),
            ('{"a":', False, {"arguments": '{"a":'}),
            ("free text", True, {"input": "free text"}),
        ],
    )
    def test_arguments_are_an_object(self, args: str, custom: bool, input: Any) -> None:
        messages = turns(user("q"), bot(ToolCall("c1", "f", args, custom=custom)), user(RESULT))
        assert messages[1]["content"] == [{**USE, "input": input}]

    def test_ids_are_made_safe_alike(self) -> None:
        messages = turns(user("q"), bot(replace(CALL, id="a:b|c")), user(replace(RESULT, id="a:b|c")))
        assert messages[1]["content"][0]["id"] == messages[2]["content"][0]["tool_use_id"] == "a_b_c"

    @given(st.text(max_size=20))
    def test_every_id_is_taken(self, id: str) -> None:
        assert safe_id(id)
        assert all(c.isascii() and (c.isalnum() or c in "_-") for c in safe_id(id))

    @pytest.mark.parametrize(
        ("part", "blocks", "lost"),
        [
            (Reasoning("hm", SIGNED), [{"type": "thinking", "thinking": "hm", "signature": "c2ln"}], set()),
            (Reasoning("", SIGNED), [{"type": "thinking", "thinking": "", "signature": "c2ln"}], set()),
            (Reasoning("", DARK, redacted=True), [{"type": "redacted_thinking", "data": "c2ln"}], set()),
            # Its text was left out by a client that keeps signatures alone.
            (Reasoning("", SIGNED, redacted=True), [{"type": "thinking", "thinking": "", "signature": "c2ln"}], set()),
            (Reasoning("hm", FOREIGN), [], {"parts.reasoning"}),
            (Reasoning("hm"), [], {"parts.reasoning"}),
            (Native(NAME, Raw(encoded(NATIVE))), [NATIVE], set()),
            (Native("gemini", Raw(b"{}")), [], {"parts.native"}),
        ],
    )
    def test_thoughts_and_natives(self, part: Any, blocks: Any, lost: set[str]) -> None:
        body, losses = write(user("q"), bot(part, "a"))
        assert body["messages"][1]["content"] == [*blocks, text("a")]
        assert losses == lost

    def test_a_vendor_that_does_not_sign_gets_its_thoughts_back(self) -> None:
        profile = Profile(reasoning_echo="required")
        messages = turns(user("q"), bot(Reasoning("hm"), CALL), user(RESULT), profile=profile)
        assert messages[1]["content"] == [{"type": "thinking", "thinking": "hm", "signature": ""}, USE]


class TestTools:
    @pytest.mark.parametrize(
        ("tool", "written"),
        [
            (Tool("f", "d", SCHEMA), {"name": "f", "description": "d", "input_schema": msgspec.json.decode(SCHEMA)}),
            (Tool("f"), {"name": "f", "input_schema": {"type": "object", "properties": {}}}),
            (Tool("f", schema=Raw(b"null")), {"name": "f", "input_schema": {"type": "object", "properties": {}}}),
            (
                Tool("f", schema=Raw(b'{"properties":{"a":{}},"type":null}'), cache=CacheMark()),
                {
                    "name": "f",
                    "input_schema": {"type": "object", "properties": {"a": {}}},
                    "cache_control": {"type": "ephemeral"},
                },
            ),
            (
                CustomTool("f", "d"),
                {
                    "name": "f",
                    "description": "d",
                    "input_schema": {
                        "type": "object",
                        "properties": {"input": {"type": "string"}},
                        "required": ["input"],
                    },
                },
            ),
            (WebSearch(), {"type": "web_search_20250305", "name": "web_search"}),
            (
                WebSearch("high", blocked_domains=("a.com",), user_location=Raw(b'{"city":"Paris","x":1}')),
                {
                    "type": "web_search_20250305",
                    "name": "web_search",
                    "max_uses": 10,
                    "blocked_domains": ["a.com"],
                    "user_location": {"type": "approximate", "city": "Paris"},
                },
            ),
            (WebSearch(max_uses=2, body=Raw(b'{"own":1}'), origin=NAME), {"own": 1}),
            (NativeTool(NAME, Raw(b'{"type":"bash_20250124"}')), {"type": "bash_20250124"}),
        ],
    )
    def test_tools(self, tool: Any, written: Any) -> None:
        assert write(tools=(tool,))[0]["tools"] == [written]

    def test_what_another_vendor_runs_is_lost(self) -> None:
        body, losses = write(tools=(NativeTool("gemini", Raw(b"{}")),), tool_choice=ToolChoice("required"))
        assert losses == {"tools.native"}
        assert not {"tools", "tool_choice"} & set(body)

    @pytest.mark.parametrize(
        ("schema", "profile", "strict"),
        [
            (b'{"type":"object","properties":{},"additionalProperties":false}', Profile(), True),
            (b'{"type":"object","properties":{},"additionalProperties":false}', Profile(json_schema=False), None),
            (b'{"type":"object","properties":{"a":{"type":"integer","minimum":1}}}', Profile(), None),
        ],
    )
    def test_strict_where_anthropic_compiles_it(self, schema: bytes, profile: Profile, strict: Any) -> None:
        body, losses = write(tools=(Tool("f", schema=Raw(schema), strict=True),), profile=profile)
        assert body["tools"][0].get("strict") == strict
        assert losses == (set() if strict else {"tools.strict"})

    @pytest.mark.parametrize(
        ("choice", "parallel", "written"),
        [
            (ToolChoice("auto"), None, {"type": "auto"}),
            (ToolChoice("required"), False, {"type": "any", "disable_parallel_tool_use": True}),
            (ToolChoice("none"), False, {"type": "none"}),
            (ToolChoice("named", "f"), None, {"type": "tool", "name": "f"}),
            (ToolChoice("required", names=("f",)), None, {"type": "tool", "name": "f"}),
            (ToolChoice("required", names=("f", "g")), None, {"type": "any"}),
            (None, False, {"type": "auto", "disable_parallel_tool_use": True}),
            (None, True, {"type": "auto"}),
            (None, None, None),
        ],
    )
    def test_choice(self, choice: Any, parallel: Any, written: Any) -> None:
        body, _ = write(tools=(Tool("f"),), tool_choice=choice, parallel_tools=parallel)
        assert body.get("tool_choice") == written


class TestThinking:
    @pytest.mark.parametrize(
        ("wish", "profile", "limit", "thinking", "max_tokens"),
        [
            (ReasoningWish(effort="low"), BUDGET, None, {"type": "enabled", "budget_tokens": 1280}, 8192),
            (ReasoningWish(effort="high"), BUDGET, None, {"type": "enabled", "budget_tokens": 4096}, 8192),
            (
                ReasoningWish(effort="medium", budget=2000),
                BUDGET,
                1000,
                {"type": "enabled", "budget_tokens": 2000},
                3000,
            ),
            (ReasoningWish(budget=1), BUDGET, None, {"type": "enabled", "budget_tokens": 1024}, 8192),
            (ReasoningWish(budget=99_999), BUDGET, None, {"type": "enabled", "budget_tokens": 32_000}, 40_192),
            (
                ReasoningWish(enabled=True, budget=2000, show=False),
                BUDGET,
                None,
                {"type": "enabled", "budget_tokens": 2000, "display": "omitted"},
                8192,
            ),
            (ReasoningWish(enabled=False), BUDGET, None, None, 8192),
            (ReasoningWish(show=True), BUDGET, None, None, 8192),
            (ReasoningWish(effort="none"), ADAPTIVE, None, {"type": "disabled"}, 8192),
            (ReasoningWish(effort="high"), Profile(), None, None, 8192),
        ],
    )
    def test_told(self, wish: Any, profile: Profile, limit: Any, thinking: Any, max_tokens: int) -> None:
        body, _ = write(profile=profile, reasoning=wish, sampling=Sampling(max_output=limit))
        assert (body.get("thinking"), body["max_tokens"]) == (thinking, max_tokens)

    @pytest.mark.parametrize(
        ("wish", "profile", "thinking", "effort"),
        [
            (ReasoningWish(effort="xhigh"), ADAPTIVE, "summarized", "xhigh"),
            (ReasoningWish(effort="minimal", show=False), ADAPTIVE, "omitted", "low"),
            (ReasoningWish(budget=4000), ADAPTIVE, "summarized", "medium"),
            (ReasoningWish(enabled=True, adaptive=True), ADAPTIVE, "summarized", None),
            (ReasoningWish(summary="auto"), ADAPTIVE, None, None),
            (ReasoningWish(enabled=False), replace(ADAPTIVE, can_disable=False), None, "low"),
        ],
    )
    def test_adaptive(self, wish: Any, profile: Profile, thinking: Any, effort: Any) -> None:
        body, _ = write(profile=profile, reasoning=wish)
        assert body.get("thinking") == ({"type": "adaptive", "display": thinking} if thinking else None)
        assert body.get("output_config", {}).get("effort") == effort

    @pytest.mark.parametrize("profile", [BUDGET, ADAPTIVE])
    def test_a_forced_call_goes_before_thinking(self, profile: Profile) -> None:
        body, losses = write(
            profile=profile,
            reasoning=ReasoningWish(effort="high"),
            tools=(Tool("f"),),
            tool_choice=ToolChoice("required"),
        )
        assert "thinking" not in body
        assert losses == {"reasoning"}

    @pytest.mark.parametrize(
        ("messages", "thinks"),
        [
            ((user("q"), bot(CALL), user(RESULT)), False),
            ((user("q"), bot(Reasoning("hm", SIGNED), CALL), user(RESULT)), True),
            ((user("q"), bot(Reasoning("hm", FOREIGN), CALL), user(RESULT)), False),
            # What the user said himself since then ends the matter.
            ((user("q"), bot(CALL), user(RESULT), bot("a"), user("r")), True),
            (
                (user("q"), bot(Reasoning("", SIGNED), CALL), user(RESULT), bot(replace(CALL, id="c2")), user(RESULT)),
                False,
            ),
        ],
    )
    def test_no_thinking_about_the_answer_to_a_thoughtless_call(self, messages: Any, thinks: bool) -> None:
        body, losses = write(*messages, profile=BUDGET, reasoning=ReasoningWish(effort="high"), origin="gemini")
        assert ("thinking" in body) == thinks
        assert ("reasoning" in losses) == (not thinks)

    @pytest.mark.parametrize(
        ("sampling", "profile", "wish", "kept", "lost"),
        [
            (Sampling(temperature=1.7, top_p=0.5), Profile(), None, {"temperature": 1, "top_p": 0.5}, set()),
            (Sampling(temperature=0, top_k=0), Profile(), None, {"temperature": 0, "top_k": 0}, set()),
            (Sampling(temperature=0.3, top_p=0.9, top_k=2), BUDGET, "high", {}, {"temperature", "top_p", "top_k"}),
            (Sampling(temperature=1, top_p=0.96), BUDGET, "high", {"temperature": 1, "top_p": 0.96}, set()),
            (Sampling(temperature=0.3, top_p=0.9), ADAPTIVE, None, {}, {"temperature", "top_p"}),
            (
                Sampling(temperature=0.3, top_p=0.9),
                Profile(top_p_beside_temperature=False),
                None,
                {"temperature": 0.3},
                {"top_p"},
            ),
            (Sampling(seed=1, n=2, logit_bias=Raw(b"{}"), frequency_penalty=0.1), Profile(), None, {}, None),
        ],
    )
    def test_sampling(self, sampling: Sampling, profile: Profile, wish: Any, kept: Any, lost: Any) -> None:
        reasoning = ReasoningWish(effort=wish) if wish else None
        body, losses = write(profile=profile, sampling=sampling, reasoning=reasoning)
        assert {k: v for k, v in body.items() if k in ("temperature", "top_p", "top_k")} == kept
        expected = ("seed", "n", "logit_bias", "frequency_penalty") if lost is None else lost
        assert losses == {f"sampling.{k}" for k in expected}


class TestTheRest:
    def test_white_space_stops_nothing(self) -> None:
        """Anthropic answers `each stop sequence must contain non-whitespace`."""
        body, losses = write(sampling=Sampling(stop=("\n", "END", "")))
        assert (body["stop_sequences"], losses) == (["END"], {"sampling.stop"})
        assert "stop_sequences" not in write(sampling=Sampling(stop=("\n",)))[0]

    @pytest.mark.parametrize(
        ("wish", "profile", "form", "lost"),
        [
            (
                OutputWish("schema", schema=SCHEMA),
                Profile(),
                {
                    "type": "json_schema",
                    "schema": {
                        "type": "object",
                        "properties": {"a": {"type": "string"}},
                        "additionalProperties": False,
                    },
                },
                set(),
            ),
            (OutputWish("schema", schema=SCHEMA), Profile(json_schema=False), None, {"output.schema"}),
            (OutputWish("json"), Profile(), None, {"output.json"}),
            (OutputWish(), Profile(), None, set()),
        ],
    )
    def test_output(self, wish: OutputWish, profile: Profile, form: Any, lost: set[str]) -> None:
        body, losses = write(profile=profile, output=wish)
        assert body.get("output_config", {}).get("format") == form
        assert losses == lost

    def test_the_user_and_what_is_lost(self) -> None:
        body, losses = write(
            user="u1",
            metadata=Raw(b"{}"),
            service_tier="flex",
            store=True,
            verbosity="low",
            modalities=("text", "audio"),
        )
        assert body["metadata"] == {"user_id": "u1"}
        assert losses == {"metadata", "service_tier", "store", "verbosity", "modalities"}

    def test_its_own_fields_come_back(self) -> None:
        body, losses = write(origin=NAME, extra={"container": Raw(b'"c"')}, service_tier="auto", stream=True)
        assert (body["container"], body["service_tier"], body["stream"]) == ("c", "auto", True)
        assert losses == set()

    def test_a_request_survives_the_round_trip(self) -> None:
        assert FORMAT.read_request is not None
        assert FORMAT.write_request is not None
        request = read(
            [
                {"role": "user", "content": "q"},
                {
                    "role": "assistant",
                    "content": [
                        {"type": "thinking", "thinking": "hm", "signature": "c2ln"},
                        {"type": "text", "text": "Let me see."},
                        {"type": "tool_use", "id": "t1", "name": "f", "input": {"a": 1}},
                        NATIVE,
                    ],
                },
                {
                    "role": "user",
                    "content": [
                        {"type": "tool_result", "tool_use_id": "t1", "content": "18C", "is_error": True},
                        {"type": "image", "source": {"type": "url", "url": "https://a/b.png"}},
                        {"type": "text", "text": "and?", "cache_control": {"type": "ephemeral"}},
                    ],
                },
            ],
            system=[{"type": "text", "text": "S"}],
            tools=[{"name": "f", "input_schema": {"type": "object", "properties": {}}}],
            tool_choice={"type": "auto", "disable_parallel_tool_use": True},
            thinking={"type": "enabled", "budget_tokens": 2000},
            max_tokens=4000,
            stop_sequences=["END"],
            metadata={"user_id": "u"},
        )
        written = FORMAT.write_request(request, BUDGET)
        assert written.losses == ()
        assert plain(FORMAT.read_request(written.body, {})) == plain(request)


class TestSchema:
    @pytest.mark.parametrize(
        ("schema", "made"),
        [
            ({"type": "string", "format": "email"}, {"type": "string", "format": "email"}),
            (
                {"type": "integer", "minimum": 1, "description": "d"},
                {"type": "integer", "description": "d\n\n{minimum: 1}"},
            ),
            ({"type": "string", "format": "odd"}, {"type": "string", "description": '{format: "odd"}'}),
            ({"oneOf": [{"type": "null"}]}, {"anyOf": [{"type": "null"}]}),
            (
                {"type": "array", "items": {"type": "object"}, "minItems": 1, "uniqueItems": True},
                {
                    "type": "array",
                    "items": {"type": "object", "properties": {}, "additionalProperties": False},
                    "minItems": 1,
                    "description": "{uniqueItems: true}",
                },
            ),
            (
                {"$schema": "x", "$defs": {"a": {"type": "object", "additionalProperties": True}}, "$ref": "#/$defs/a"},
                {
                    "$defs": {"a": {"type": "object", "properties": {}, "additionalProperties": False}},
                    "$ref": "#/$defs/a",
                },
            ),
        ],
    )
    def test_accepted(self, schema: Any, made: Any) -> None:
        assert accepted(schema) == made
        assert is_accepted(made)

    @pytest.mark.parametrize(
        ("schema", "closed"),
        [
            ({"type": "string"}, True),
            ({"type": "object", "additionalProperties": False}, True),
            ({"type": "object"}, False),
            ({"anyOf": [{"type": "object"}]}, False),
            ({"$defs": {"a": {"properties": {"b": {}}, "additionalProperties": False}}}, False),
        ],
    )
    def test_closed(self, schema: Any, closed: bool) -> None:
        assert is_closed(schema) == closed


class TestForeignThoughts:
    @pytest.mark.parametrize(
        ("content", "kept"),
        [
            ([{"type": "thinking", "thinking": "h", "signature": ""}, text("a")], [text("a")]),
            ([{"type": "thinking", "thinking": "h", "signature": pack(FOREIGN, NAME)}, text("a")], [text("a")]),
            ([{"type": "redacted_thinking", "data": pack(FOREIGN, NAME)}, text("a")], [text("a")]),
            ([{"type": "thinking", "thinking": "h", "signature": ""}], None),
        ],
    )
    def test_are_taken_out(self, content: Any, kept: Any) -> None:
        body = Body(encoded({"messages": [HI, {"role": "assistant", "content": content}]}))
        drop_foreign_thoughts(body)
        assert body.get("messages") == [HI, *([{"role": "assistant", "content": kept}] if kept else [])]

    @pytest.mark.parametrize(
        "content",
        [
            [{"type": "thinking", "thinking": "h", "signature": "c2ln"}],
            [{"type": "text", "text": '"signature": ""'}],
            "plain",
        ],
    )
    def test_anthropics_own_stay_byte_for_byte(self, content: Any) -> None:
        body = Body(encoded({"messages": [{"role": "assistant", "content": content}]}))
        drop_foreign_thoughts(body)
        assert not body.changed


THOUGHT = {"type": "thinking", "thinking": "h", "signature": "c2ln"}
CALLED = {"type": "tool_use", "id": "t", "name": "f", "input": {}}
ANSWERED = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "x"}]}


class TestThinkNoMore:
    """A conversation that another vendor had a part in: it went on with Anthropic when that one failed."""

    @staticmethod
    def left(*messages: Any, **more: Any) -> Any:
        wish = {"thinking": {"type": "enabled", "budget_tokens": 2000}, **more}
        body = Body(encoded({"messages": list(messages), **wish}))
        think_no_more(body)
        left = msgspec.json.decode(body.encode())
        del left["messages"]
        return "as it was" if not body.changed else left

    def test_a_call_without_thoughts_before_it(self) -> None:
        messages = (HI, {"role": "assistant", "content": [CALLED]}, ANSWERED)
        assert self.left(*messages) == {}
        clear = {"type": "clear_thinking_20251015", "keep": "all"}
        tools = {"type": "clear_tool_uses_20250919"}
        assert self.left(*messages, context_management={"edits": [clear]}) == {}
        assert self.left(*messages, context_management={"edits": [clear, tools]}) == {
            "context_management": {"edits": [tools]}
        }

    @pytest.mark.parametrize(
        "messages",
        [
            (HI,),
            (HI, {"role": "assistant", "content": [THOUGHT, CALLED]}, ANSWERED),
            (HI, {"role": "assistant", "content": [CALLED]}, ANSWERED, {"role": "assistant", "content": "done"}, HI),
            (HI, {"role": "assistant"}),
            (HI, {"role": "assistant", "content": None}),
            (1,),
        ],
    )
    def test_others_stay_byte_for_byte(self, messages: Any) -> None:
        assert self.left(*messages) == "as it was"

    def test_a_model_that_thinks_as_it_likes_may_also_not_have_thought(self) -> None:
        messages = (HI, {"role": "assistant", "content": [CALLED]}, ANSWERED)
        assert self.left(*messages, thinking={"type": "adaptive"}) == "as it was"


class TestErrors:
    @pytest.mark.parametrize(
        ("error", "kind"),
        [
            (CallerError("x"), "invalid_request_error"),
            (CallerError("x", status=401), "authentication_error"),
            (CallerError("x", status=402), "billing_error"),
            (CallerError("x", status=403), "permission_error"),
            (CallerError("x", status=404), "not_found_error"),
            (CallerError("x", status=413), "request_too_large"),
            (CallerError("x", status=422), "invalid_request_error"),
            (CallerError("x", status=429), "rate_limit_error"),
            (NoChannel("x"), "api_error"),
            (UpstreamError("x", status=504), "timeout_error"),
            (UpstreamError("x", status=529), "overloaded_error"),
            (UpstreamError("x", status=401, type="invalid_request_error"), "authentication_error"),
            (UpstreamError("x", status=500, type="overloaded_error"), "overloaded_error"),
            (UpstreamError("x", status=500, type="server_error"), "api_error"),
        ],
    )
    def test_types(self, error: Any, kind: str) -> None:
        body = msgspec.json.decode(FORMAT.write_error(error, "r1"))
        assert body == {
            "type": "error",
            "error": {"type": kind, "message": "x (request id: r1)"},
            "request_id": "r1",
        }

    def test_without_a_request_id(self) -> None:
        body = msgspec.json.decode(FORMAT.write_error(CallerError("x"), ""))
        assert body == {"type": "error", "error": {"type": "invalid_request_error", "message": "x"}}

    def test_as_an_event(self) -> None:
        assert FORMAT.error_frame is not None
        assert FORMAT.error_frame(CallerError("x"), "").startswith(b'event: error\ndata: {"type":"error"')

    def test_what_anthropic_says_comes_back(self) -> None:
        error = FORMAT.read_error(529, b'{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}')
        assert (error.status, error.type, error.message) == (529, "overloaded_error", "Overloaded")


@pytest.mark.parametrize(
    ("schema", "closed"),
    [
        ({"type": "object", "properties": [["a"]], "additionalProperties": False}, True),
        ({"type": "object", "properties": {"a": {}}, "required": [["a"], {}], "additionalProperties": False}, False),
        ({"type": "object", "properties": {"a": {}}, "required": 3, "additionalProperties": False}, False),
        ({"type": "object", "properties": {"a": {}}, "required": ["a", []], "additionalProperties": False}, True),
    ],
)
def test_schemas_that_are_none_are_judged_all_the_same(schema: dict[str, Any], closed: bool) -> None:
    assert is_closed(schema) is closed
    assert accepted({**schema, "format": ["date"]})["additionalProperties"] is False
