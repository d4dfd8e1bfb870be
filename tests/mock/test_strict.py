"""The mock refuses what the real providers refuse, and takes what they take."""

from __future__ import annotations

from typing import Any

import pytest

from newapi.mock import anthropic, gemini, openai, responses
from newapi.mock.script import SIGNATURE, Asked, Refused, decide

TOOL = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
CAPITAL = {"type": "OBJECT", "properties": {"city": {"type": "STRING"}}}


def chat(*messages: Any, **more: Any) -> dict[str, Any]:
    return {"model": "gpt-4o-mini", "messages": list(messages) or [{"role": "user", "content": "hi"}], **more}


def call(id: str = "c1") -> dict[str, Any]:
    return {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": id, "type": "function", "function": {"name": "f", "arguments": "{}"}}],
    }


USER = {"role": "user", "content": "hi"}

CHAT = {
    "foreign field": (chat(top_k=3), "Unknown parameter: 'top_k'"),
    "cache mark": (
        chat({"role": "user", "content": [{"type": "text", "text": "x", "cache_control": {}}]}),
        "cache_control",
    ),
    "capital types": (chat(tools=[{"type": "function", "function": {"name": "f", "parameters": CAPITAL}}]), "OBJECT"),
    "unmatched result": (chat(USER, {"role": "tool", "tool_call_id": "c9", "content": "x"}), "must be a response"),
    "unanswered call": (chat(USER, call(), USER), "did not have response messages"),
    "max_tokens of a thinker": (chat(max_tokens=5) | {"model": "gpt-5-mini"}, "max_tokens"),
    "choice without tools": (chat(tool_choice="auto"), "tool_choice"),
    "five stops": (chat(stop=list("abcde")), "maximum length 4"),
}


@pytest.mark.parametrize("name", CHAT)
def test_openai_chat_refuses(name: str) -> None:
    body, message = CHAT[name]
    with pytest.raises(Refused) as caught:
        openai.read(body)
    assert message in str(caught.value)


def test_openai_chat_takes_a_round_trip() -> None:
    asked = openai.read(chat(USER, call(), {"role": "tool", "tool_call_id": "c1", "content": "x"}))
    assert asked.results == 1


RESPONSES: dict[str, tuple[dict[str, Any], str]] = {
    "stop": ({"model": "gpt-4o", "input": "x", "stop": ["a"]}, "Unknown parameter: 'stop'"),
    "assistant says input_text": (
        {"model": "gpt-4o", "input": [{"role": "assistant", "content": [{"type": "input_text", "text": "x"}]}]},
        "input_text",
    ),
    "output without call": (
        {"model": "gpt-4o", "input": [{"type": "function_call_output", "call_id": "c", "output": "x"}]},
        "No tool call found",
    ),
    "nested function": (
        {"model": "gpt-4o", "input": "x", "tools": [{"type": "function", "function": {"name": "f"}}]},
        "Unknown parameter",
    ),
    "foreign reasoning": (
        {"model": "gpt-5", "input": [{"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "other"}]},
        "could not be verified",
    ),
}


@pytest.mark.parametrize("name", RESPONSES)
def test_responses_refuses(name: str) -> None:
    body, message = RESPONSES[name]
    with pytest.raises(Refused) as caught:
        responses.read(body)
    assert message in str(caught.value)


def messages(*turns: Any, **more: Any) -> dict[str, Any]:
    return {"model": "claude-sonnet-4-5", "max_tokens": 2000, "messages": list(turns) or [USER], **more}


USE = {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "f", "input": {}}]}
RESULT = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "x"}]}
ANTHROPIC: dict[str, tuple[dict[str, Any], str]] = {
    "no max_tokens": ({"model": "c", "messages": [USER]}, "max_tokens"),
    "system role": (messages({"role": "system", "content": "x"}), "role"),
    "empty text": (messages({"role": "user", "content": ""}), "non-whitespace"),
    "assistant first": (messages({"role": "assistant", "content": "x"}), "first message"),
    "unanswered use": (messages(USER, USE, USER), "without `tool_result`"),
    "unsigned thinking": (
        messages(USER, {"role": "assistant", "content": [{"type": "thinking", "thinking": "x", "signature": ""}]}),
        "signature",
    ),
    "foreign field": (messages(frequency_penalty=1), "Extra inputs"),
    "small budget": (messages(thinking={"type": "enabled", "budget_tokens": 500}), "1024"),
    "warm thinking": (messages(thinking={"type": "enabled", "budget_tokens": 1024}, temperature=0.5), "temperature"),
    "thought before a use is missing": (
        messages(USER, USE, RESULT, thinking={"type": "enabled", "budget_tokens": 1024}),
        "thinking",
    ),
}


@pytest.mark.parametrize("name", ANTHROPIC)
def test_anthropic_refuses(name: str) -> None:
    body, message = ANTHROPIC[name]
    with pytest.raises(Refused) as caught:
        anthropic.read(body)
    assert message in str(caught.value)


def test_anthropic_takes_a_signed_round_trip() -> None:
    thought = {"type": "thinking", "thinking": "x", "signature": SIGNATURE}
    use = {"role": "assistant", "content": [thought, *USE["content"]]}
    asked = anthropic.read(messages(USER, use, RESULT, thinking={"type": "enabled", "budget_tokens": 1024}))
    assert asked.results == 1


def contents(*turns: Any, **more: Any) -> dict[str, Any]:
    return {"contents": list(turns) or [{"role": "user", "parts": [{"text": "hi"}]}], **more}


GEMINI: dict[str, tuple[dict[str, Any], str]] = {
    "foreign field": (contents(max_tokens=5), "maxTokens"),
    "assistant role": (contents({"role": "assistant", "parts": [{"text": "x"}]}), "valid role"),
    "additionalProperties": (
        contents(
            tools=[{"functionDeclarations": [{"name": "f", "parameters": {**TOOL, "additionalProperties": False}}]}]
        ),
        "additionalProperties",
    ),
    "union types": (
        contents(tools=[{"functionDeclarations": [{"name": "f", "parameters": {"type": ["string", "null"]}}]}]),
        "not repeating",
    ),
    "result without call": (
        contents({"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {}}}]}),
        "number of function response parts",
    ),
    "empty parts": (contents({"role": "user", "parts": []}), "must not be empty"),
    "corrupted signature": (
        contents({"role": "model", "parts": [{"text": "x", "thoughtSignature": "zzz"}]}),
        "Corrupted",
    ),
}


@pytest.mark.parametrize("name", GEMINI)
def test_gemini_refuses(name: str) -> None:
    body, message = GEMINI[name]
    with pytest.raises(Refused) as caught:
        gemini.read(body, "gemini-2.5-flash", stream=False)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("text", "calls"),
    [
        ('Read. mock:call read {"path": "a b"}', (("read", '{"path": "a b"}'),)),
        ('mock:call read {}\nmock:call write {"x": {}}\n', (("read", "{}"), ("write", '{"x": {}}'))),
        ('mock:call other {"path": "a"}', ()),
        ("mock:call read {broken}", ()),
    ],
)
def test_a_call_may_be_dictated(text: str, calls: tuple[tuple[str, str], ...]) -> None:
    asked = Asked("m", stream=False, text=text, tools=("read", "write"))
    assert decide(asked).calls == calls
    asked.results = 1
    assert decide(asked).calls == ()


@pytest.mark.parametrize("name", ["a.b", "x" * 65, "", None])
def test_a_tools_name_is_of_few_characters(name: object) -> None:
    tool = {"name": name, "parameters": TOOL}
    with pytest.raises(Refused):
        openai.read(chat(tools=[{"type": "function", "function": tool}]))
    with pytest.raises(Refused):
        responses.read({"model": "gpt-5-mini", "input": "x", "tools": [{"type": "function", **tool}]})


def test_a_user_is_short() -> None:
    with pytest.raises(Refused, match="maximum length 64"):
        responses.read({"model": "gpt-5-mini", "input": "x", "user": "u" * 65})


def test_gemini_searches_or_calls() -> None:
    tools = [{"functionDeclarations": [{"name": "f"}]}, {"googleSearch": {}}]
    body = {"contents": [{"parts": [{"text": "x"}]}], "tools": tools}
    with pytest.raises(Refused, match="cannot be combined"):
        gemini.read(body, "gemini-2.5-flash", stream=False)
    assert gemini.read(body, "gemini-3-pro", stream=False).tools == ("f",)


def test_anthropic_takes_a_system_turn_after_the_first() -> None:
    user, system = {"role": "user", "content": "x"}, {"role": "system", "content": "S"}
    said = {"model": "claude-sonnet-5", "max_tokens": 9}
    assert anthropic.read({**said, "messages": [user, system]}).text == "x"
    with pytest.raises(Refused):
        anthropic.read({**said, "messages": [system, user]})
