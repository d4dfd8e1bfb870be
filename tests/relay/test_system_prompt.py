"""A channel's own system prompt in each format."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from newapi.base.body import Body
from newapi.relay.system_prompt import add

USER = {"role": "user", "content": "hi"}
TEXT = {"type": "text", "text": "own"}
OURS = {"type": "text", "text": "ours"}


def sys(content: Any, role: str = "system") -> dict[str, Any]:
    return {"role": role, "content": content}


@pytest.mark.parametrize(
    ("format", "body", "default", "prepended"),
    [
        ("openai_chat", {"messages": [USER]}, {"messages": [sys("ours"), USER]}, {"messages": [sys("ours"), USER]}),
        ("openai_chat", {"messages": [sys("own"), USER]}, None, {"messages": [sys("ours\nown"), USER]}),
        ("openai_chat", {"messages": [USER, sys("own")]}, None, {"messages": [USER, sys("ours\nown")]}),
        (
            "openai_chat",
            {"messages": [sys("own", "developer")]},
            None,
            {"messages": [sys("ours\nown", "developer")]},
        ),
        ("openai_chat", {"messages": [sys([TEXT])]}, None, {"messages": [sys([OURS, TEXT])]}),
        ("openai_chat", {}, {"messages": [sys("ours")]}, {"messages": [sys("ours")]}),
        ("openai_responses", {"input": "hi"}, {"input": "hi", "instructions": "ours"}, None),
        ("openai_responses", {"instructions": ""}, {"instructions": "ours"}, {"instructions": "ours"}),
        ("openai_responses", {"instructions": "own"}, None, {"instructions": "ours\nown"}),
        ("anthropic_messages", {"messages": [USER]}, {"messages": [USER], "system": "ours"}, None),
        ("anthropic_messages", {"system": "own"}, None, {"system": "ours\nown"}),
        ("anthropic_messages", {"system": [TEXT]}, None, {"system": [OURS, TEXT]}),
        (
            "gemini",
            {"contents": []},
            {"contents": [], "systemInstruction": {"parts": [{"text": "ours"}]}},
            None,
        ),
        (
            "gemini",
            {"systemInstruction": {"parts": [{"text": "own"}]}},
            None,
            {"systemInstruction": {"parts": [{"text": "ours\n"}, {"text": "own"}]}},
        ),
        (
            "gemini",
            {"system_instruction": {"role": "user", "parts": [{"text": "own"}]}},
            None,
            {"system_instruction": {"role": "user", "parts": [{"text": "ours\n"}, {"text": "own"}]}},
        ),
        ("embeddings", {"input": "hi"}, None, {"input": "hi"}),
    ],
)
def test_alone_or_before_the_caller_s(
    format: str, body: dict[str, Any], default: dict[str, Any] | None, prepended: dict[str, Any] | None
) -> None:
    """`default` of None leaves the body alone; `prepended` of None is as `default`."""
    raw = msgspec.json.encode(body)
    for prepend, wanted in ((False, default), (True, prepended or default)):
        edited = Body(raw)
        add(edited, format, "ours", prepend)
        assert msgspec.json.decode(edited.encode()) == (body if wanted is None else wanted)
        assert edited.changed is (wanted is not None and wanted != body)


def test_the_role_is_the_model_s() -> None:
    edited = Body(msgspec.json.encode({"messages": [USER]}))
    add(edited, "openai_chat", "ours", False, "developer")
    assert edited.get("messages")[0] == sys("ours", "developer")
