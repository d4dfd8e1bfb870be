"""A channel's own system prompt, put into a request in the upstream's format."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from newapi.base.body import Body


def add(body: Body, format: str, prompt: str, prepend: bool, role: str = "system") -> None:
    """Put `prompt` into `body`: alone where it has no system prompt; before its own where `prepend` says so.

    `role` is what OpenAI chat calls it for the model (`system` or `developer`). A format without a system prompt is
    left as it is.
    """
    if adder := _ADDERS.get(format):
        adder(body, prompt, prepend, role)


def _chat(body: Body, prompt: str, prepend: bool, role: str) -> None:
    messages: list[dict[str, Any]] = body.get("messages") or []
    found = next((m for m in messages if m.get("role") in ("system", "developer")), None)
    if found is None:
        body.set("messages", [{"role": role, "content": prompt}, *messages])
    elif prepend:
        content = found.get("content")
        if isinstance(content, list):
            found["content"] = [{"type": "text", "text": prompt}, *content]
        else:
            found["content"] = f"{prompt}\n{content or ''}"
        body.set("messages", messages)


def _responses(body: Body, prompt: str, prepend: bool, role: str) -> None:
    own = body.get("instructions")
    if not own:
        body.set("instructions", prompt)
    elif prepend:
        body.set("instructions", f"{prompt}\n{own}")


def _messages(body: Body, prompt: str, prepend: bool, role: str) -> None:
    own = body.get("system")
    if not own:
        body.set("system", prompt)
    elif prepend:
        body.set("system", [{"type": "text", "text": prompt}, *own] if isinstance(own, list) else f"{prompt}\n{own}")


def _gemini(body: Body, prompt: str, prepend: bool, role: str) -> None:
    key = "system_instruction" if "system_instruction" in body else "systemInstruction"
    own: dict[str, Any] = body.get(key) or {}
    parts: list[dict[str, Any]] = own.get("parts") or []
    if not any(p.get("text") for p in parts):
        body.set(key, {**own, "parts": [{"text": prompt}, *parts]})
    elif prepend:
        body.set(key, {**own, "parts": [{"text": f"{prompt}\n"}, *parts]})


_ADDERS: dict[str, Callable[[Body, str, bool, str], None]] = {
    "openai_chat": _chat,
    "openai_responses": _responses,
    "anthropic_messages": _messages,
    "gemini": _gemini,
}
