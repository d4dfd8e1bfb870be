"""The arguments of a tool call, for formats that demand an object, and for vendors that know no free text."""

from __future__ import annotations

from typing import Any, cast

import msgspec
from msgspec import Raw

from newapi.ir.request import CustomTool, Tool

_FREE_TEXT = Raw(b'{"type":"object","properties":{"input":{"type":"string"}},"required":["input"]}')


def as_object(args: str, *, custom: bool = False) -> Raw | dict[str, Any]:
    """Return the arguments `args` as an object; what is none is kept under a name.

    Models break off in the middle of their arguments, and what they said must not end the conversation.

    Args:
        args: JSON text, or the free text of a custom tool.
        custom: Whether it is free text.
    """
    if custom:
        return {"input": args}
    text = args.strip()
    if not text or text == "null":
        return {}
    try:
        value: Any = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return {"arguments": args}
    return Raw(text.encode()) if isinstance(value, dict) else {"arguments": args}


def as_function(tool: CustomTool) -> Tool:
    """Return `tool` as a function whose one argument stands for the text it takes."""
    return Tool(tool.name, tool.description, _FREE_TEXT)


def free_text(args: str) -> str:
    """Return the text that a call of such a function gives, its arguments as they are where they are no such object."""
    try:
        value: Any = msgspec.json.decode(args)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return args
    text = cast("dict[str, Any]", value).get("input") if isinstance(value, dict) else None
    return text if isinstance(text, str) else args
