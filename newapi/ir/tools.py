"""The names of tools, as every vendor takes them.

OpenAI takes 64 of a few characters, Anthropic 128 of the same; Gemini takes dots and colons too. Names that somebody
refuses become others on the way out, and what they were on the way back.
Sources: https://platform.openai.com/docs/api-reference/chat/create#chat-create-tools,
https://docs.claude.com/en/docs/agents-and-tools/tool-use/implement-tool-use, https://ai.google.dev/api/caching#FunctionDeclaration
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from hashlib import sha256

from msgspec.structs import replace

from newapi.ir.request import SPACE, AnyTool, CustomTool, Message, Part, Request, Tool, ToolCall, ToolResult

_TAKEN = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_REFUSED = re.compile(r"[^a-zA-Z0-9_-]")


def fit(request: Request) -> tuple[Request, Mapping[str, str]]:
    """Return `request` with names of tools that every vendor takes, and what those were that had to become others."""
    said = {t.name for t in request.tools if isinstance(t, Tool | CustomTool)}
    said |= {p.name for m in request.messages for p in m.parts if isinstance(p, ToolCall)}
    names: dict[str, str] = {}
    for name in sorted(said):
        if name and not _TAKEN.fullmatch(name):
            names[name] = _fitting(name, said)
            said.add(names[name])
    if not names:
        return request, {}
    choice = request.tool_choice
    if choice is not None:
        choice = replace(
            choice, name=names.get(choice.name, choice.name), names=tuple(names.get(n, n) for n in choice.names)
        )
    request = replace(
        request,
        tools=tuple(_tool(t, names) for t in request.tools),
        tool_choice=choice,
        messages=tuple(_message(m, names) for m in request.messages),
    )
    return request, {new: old for old, new in names.items()}


def _fitting(name: str, taken: set[str]) -> str:
    """Return `space__tool` for a tool of a namespace, where no other has that; else a name like no other."""
    plain = name.replace(SPACE, "__")
    if plain != name and plain not in taken and _TAKEN.fullmatch(plain):
        return plain
    return f"{_REFUSED.sub('_', name)[:55]}_{sha256(name.encode()).hexdigest()[:8]}"


def _tool(tool: AnyTool, names: Mapping[str, str]) -> AnyTool:
    return replace(tool, name=names.get(tool.name, tool.name)) if isinstance(tool, Tool | CustomTool) else tool


def _message(message: Message, names: Mapping[str, str]) -> Message:
    if not any(isinstance(p, ToolCall | ToolResult) and p.name in names for p in message.parts):
        return message
    return replace(message, parts=tuple(_part(p, names) for p in message.parts))


def _part(part: Part, names: Mapping[str, str]) -> Part:
    if isinstance(part, ToolCall | ToolResult) and part.name in names:
        return replace(part, name=names[part.name])
    return part
