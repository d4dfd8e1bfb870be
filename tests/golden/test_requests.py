"""Every pair of formats: what a caller asks arrives upstream, and the upstream, strict as the real one, takes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
from msgspec import Raw

from newapi import formats, providers
from newapi.ir.request import (
    CacheMark,
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
)
from newapi.ir.seal import Seal
from newapi.mock import anthropic, gemini, openai, responses
from newapi.mock.script import SIGNATURE, THOUGHT, Asked

UPSTREAMS = {
    "openai_chat": ("openai", "gpt-5-mini"),
    "openai_responses": ("openai", "gpt-5-mini"),
    "anthropic_messages": ("anthropic", "claude-sonnet-4-5"),
    "gemini": ("gemini", "gemini-2.5-flash"),
}
PAIRS = [(entry, upstream) for entry in UPSTREAMS for upstream in UPSTREAMS]
SCHEMA = Raw(b'{"type":"object","properties":{"city":{"type":"string"},"days":{"type":"integer"}},"required":["city"]}')
STRICT = Raw(
    b'{"type":"object","properties":{"name":{"type":"string"}},"required":["name"],"additionalProperties":false}'
)
TOOLS = (Tool("get_weather", "Weather of a city", SCHEMA), Tool("no_arguments", "Takes none"))
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


def user(*parts: Any) -> Message:
    return Message("user", tuple(Text(p) if isinstance(p, str) else p for p in parts))


def bot(*parts: Any) -> Message:
    return Message("assistant", tuple(Text(p) if isinstance(p, str) else p for p in parts))


def call(id: str, city: str) -> ToolCall:
    return ToolCall(id, "get_weather", f'{{"city":"{city}"}}')


def result(id: str, text: str) -> ToolResult:
    return ToolResult(id, (Text(text),), name="get_weather")


SYSTEM = Message("system", (Text("Be brief."),))
ASK = user("What is the weather?")


def request(*messages: Message, **more: Any) -> Request:
    return Request(model="m", messages=messages, **more)


def cases(upstream: str) -> Mapping[str, Request]:
    signed = Reasoning(THOUGHT, Seal(upstream, SIGNATURE, "rs_mock" if upstream == "openai_responses" else ""))
    return {
        "text": request(SYSTEM, user("hello")),
        "turns": request(SYSTEM, user("one"), bot("two"), user("three")),
        "two users in a row": request(user("one"), user("two")),
        "picture": request(user("what?", Media("image", "image/png", Inline(PNG)))),
        "tools": request(ASK, tools=TOOLS),
        "must call": request(ASK, tools=TOOLS, tool_choice=ToolChoice("required")),
        "must call this": request(ASK, tools=TOOLS, tool_choice=ToolChoice("named", "get_weather")),
        "must not call": request(ASK, tools=TOOLS, tool_choice=ToolChoice("none")),
        "round trip": request(ASK, bot(call("call_1", "Paris")), user(result("call_1", "18C")), tools=TOOLS),
        "parallel round trip": request(
            ASK,
            bot("Let me see.", call("call_1", "Paris"), call("call_2", "Rome")),
            user(result("call_1", "18C"), result("call_2", "25C")),
            tools=TOOLS,
        ),
        "results and a question": request(
            ASK, bot(call("call_1", "Paris")), user(result("call_1", "18C"), "and tomorrow?"), tools=TOOLS
        ),
        "signed reasoning before a call": request(
            ASK,
            bot(signed, call("call_1", "Paris")),
            user(result("call_1", "18C")),
            tools=TOOLS,
            reasoning=ReasoningWish(enabled=True, budget=2000, effort=None),
            sampling=Sampling(max_output=8000),
        ),
        "foreign reasoning is left out": request(
            user("hello"), bot(Reasoning("mine", Seal("elsewhere", "sealed")), "hi"), user("go on")
        ),
        "effort": request(user("think"), reasoning=ReasoningWish(effort="high"), sampling=Sampling(max_output=9000)),
        "schema": request(user("who?"), output=OutputWish("schema", name="person", schema=STRICT, strict=True)),
        "knobs": request(
            user("x"), sampling=Sampling(temperature=1.0, top_p=0.96, max_output=100, stop=("END",), seed=7)
        ),
        "cache marks": request(
            Message("system", (Text("Long.", CacheMark()),)), user(Text("q", CacheMark("1h"))), tools=TOOLS
        ),
        "stream": request(user("hello"), stream=True),
    }


CASES = tuple(cases("gemini"))
READ: Mapping[str, Any] = {
    "openai_chat": openai.read,
    "openai_responses": responses.read,
    "anthropic_messages": anthropic.read,
    "gemini": lambda body: gemini.read(body, "gemini-2.5-flash", stream=False),
}


def through(entry: str, upstream: str, asked: Request) -> tuple[Request, bytes]:
    """Return what the caller's request says, and the bytes that go upstream."""
    kind, model = UPSTREAMS[upstream]
    entry_format, upstream_format = formats.get(entry), formats.get(upstream)
    # The caller writes in its own format, for a model of the widest profile that its vendor has.
    own_kind, own_model = UPSTREAMS[entry]
    body = entry_format.write_request(asked, providers.get(own_kind).profile(own_model)).body  # type: ignore[misc]
    params = {"model": model, "action": "streamGenerateContent" if asked.stream else "generateContent"}
    said: Request = entry_format.read_request(body, params)  # type: ignore[misc]
    sent = upstream_format.write_request(  # type: ignore[misc]
        msgspec.structs.replace(said, model=model), providers.get(kind).profile(model)
    )
    return said, sent.body


def turns(request: Request) -> list[tuple[str, list[Any]]]:
    """What is said turn by turn, as far as every format can say it."""
    out: list[tuple[str, list[Any]]] = []
    names: dict[str, str] = {}
    for message in request.messages:
        if message.role == "system":
            continue
        for part in message.parts:
            match part:
                case Text(text=text) if text not in ("", "..."):
                    told: Any = text
                case ToolCall():
                    names[part.id] = part.name
                    told = (part.name, msgspec.json.decode(part.args or "{}"))
                case ToolResult():
                    told = (names.get(part.id, part.name), "".join(p.text for p in part.parts if isinstance(p, Text)))
                case Media(source=Inline(data=data)):
                    told = data
                case _:
                    continue
            if not out or out[-1][0] != message.role:
                out.append((message.role, []))
            out[-1][1].append(told)
    return [(role, ["".join(p.split()) if isinstance(p, str) else p for p in parts]) for role, parts in out]


def joined(told: list[tuple[str, list[Any]]]) -> list[tuple[str, list[Any]]]:
    """Texts in a row are one text: how they are joined is the converter's choice."""
    out = []
    for role, parts in told:
        merged: list[Any] = []
        for part in parts:
            if isinstance(part, str) and merged and isinstance(merged[-1], str):
                merged[-1] += part
            else:
                merged.append(part)
        # Formats order a picture, a call and a text of one turn differently.
        out.append((role, sorted(merged, key=repr)))
    return out


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize(("entry", "upstream"), PAIRS, ids=[f"{e}>{u}" for e, u in PAIRS])
def test_what_is_asked_arrives_and_is_taken(entry: str, upstream: str, case: str) -> None:
    asked = cases(upstream)[case]
    _, body = through(entry, upstream, asked)
    taken: Asked = READ[upstream](msgspec.json.decode(body))  # refuses what the real provider would
    assert set(taken.tools) == {t.name for t in asked.tools if isinstance(t, Tool)}
    got: Request = formats.get(upstream).read_request(body, {"model": "m", "action": "generateContent"})  # type: ignore[misc]
    assert joined(turns(got)) == joined(turns(asked))
    system = "".join(p.text for m in asked.messages if m.role == "system" for p in m.parts if isinstance(p, Text))
    assert "".join(p.text for m in got.messages if m.role == "system" for p in m.parts if isinstance(p, Text)) == system
    if asked.tool_choice is not None:
        assert got.tool_choice is not None
        wanted = asked.tool_choice
        mode = "named" if wanted.mode == "required" and len(wanted.names) == 1 else wanted.mode
        assert (got.tool_choice.mode, got.tool_choice.name) == (mode, wanted.name)
    if asked.sampling.max_output:
        assert got.sampling.max_output
    if asked.output is not None:
        assert got.output is not None
        assert got.output.kind == "schema"


@pytest.mark.parametrize("format", [f for f in UPSTREAMS if f != "openai_chat"])
def test_signed_reasoning_is_sent_back_to_who_signed_it(format: str) -> None:
    """In another vendor's client it lies in an envelope, which the SDK tests send back. OpenAI chat signs nothing."""
    _, body = through(format, format, cases(format)["signed reasoning before a call"])
    assert SIGNATURE in body.decode()


@pytest.mark.parametrize(("entry", "upstream"), PAIRS, ids=[f"{e}>{u}" for e, u in PAIRS])
def test_a_wish_to_think_is_told(entry: str, upstream: str) -> None:
    _, body = through(entry, upstream, cases(upstream)["effort"])
    got: Request = formats.get(upstream).read_request(body, {"model": "m", "action": "generateContent"})  # type: ignore[misc]
    assert got.reasoning is not None
    # A budget stands between Anthropic's callers and OpenAI's efforts: Claude's "high" is New API's 4,096 tokens, which
    # Google's mapping calls medium.
    wanted = ("high", "medium") if entry == "anthropic_messages" else ("high",)
    assert got.reasoning.effort in wanted or (got.reasoning.budget or 0) >= 2048
