"""OpenAI chat completions and legacy completions. Source: https://platform.openai.com/docs/api-reference/chat"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from newapi.mock.script import SIGNATURE, Asked, Refused, Said, fragments, lower_types, only, short, tool_name, words

_TOP = words(
    "audio frequency_penalty function_call functions logit_bias logprobs max_completion_tokens max_tokens "
    "messages metadata modalities model n parallel_tool_calls prediction presence_penalty "
    "prompt_cache_key prompt_cache_retention reasoning_effort response_format safety_identifier seed "
    "service_tier stop store stream stream_options temperature tool_choice tools top_logprobs top_p user "
    "verbosity web_search_options"
)
_MESSAGE = {
    "system": frozenset(("role", "content", "name")),
    "developer": frozenset(("role", "content", "name")),
    "user": frozenset(("role", "content", "name")),
    "assistant": frozenset(
        (
            "role",
            "content",
            "name",
            "tool_calls",
            "function_call",
            "refusal",
            "audio",
            "annotations",
            "reasoning_content",
            "reasoning_details",
        )
    ),
    "tool": frozenset(("role", "content", "tool_call_id", "name")),
    "function": frozenset(("role", "content", "name")),
}
"""An assistant's reasoning fields are not OpenAI's, but those of vendors that speak its format and give them out."""
_PART = {
    "text": frozenset(("type", "text")),
    "image_url": frozenset(("type", "image_url")),
    "input_audio": frozenset(("type", "input_audio")),
    "file": frozenset(("type", "file")),
    "refusal": frozenset(("type", "refusal")),
}


def read(body: dict[str, Any]) -> Asked:
    """Check a chat request as OpenAI does, and return what it asks. Raises Refused."""
    only(body, _TOP, "")
    model, messages = body.get("model"), body.get("messages")
    if not isinstance(model, str):
        raise Refused("you must provide a model parameter", "model")
    if not isinstance(messages, list) or not messages:
        raise Refused("Missing required parameter: 'messages'.", "messages")
    short(body, "user", "safety_identifier", "prompt_cache_key")
    thinks = model.startswith(("o1", "o3", "o4", "gpt-5", "gpt-6"))
    if thinks and body.get("max_tokens") is not None:
        raise Refused("Unsupported parameter: 'max_tokens' is not supported with this model.", "max_tokens")
    if thinks and body.get("temperature") not in (None, 1):
        raise Refused("Unsupported value: 'temperature' does not support this value with this model.", "temperature")
    if not thinks and body.get("reasoning_effort") is not None:
        raise Refused("Unrecognized request argument supplied: reasoning_effort", "reasoning_effort")
    asked = Asked(model, bool(body.get("stream")), thinking=body.get("reasoning_effort") not in (None, "none"))
    _messages(messages, asked)
    asked.tools = tuple(_tools(body.get("tools")))
    _choice(body.get("tool_choice"), asked)
    wanted: dict[str, Any] = body.get("response_format") or {"type": "text"}
    if wanted.get("type") == "json_schema":
        if not (wanted.get("json_schema") or {}).get("name"):
            raise Refused("Missing required parameter: 'response_format.json_schema.name'.", "response_format")
        lower_types(wanted["json_schema"].get("schema"), "response_format")
    asked.schema = wanted.get("type") in ("json_schema", "json_object")
    if isinstance(body.get("stop"), list) and len(body["stop"]) > 4:
        raise Refused("Invalid 'stop': array too long. Expected an array with maximum length 4.", "stop")
    return asked


def _messages(messages: list[Any], asked: Asked) -> None:
    waiting: set[str] = set()
    for i, m in enumerate(messages):
        role = m.get("role") if isinstance(m, dict) else None
        if role not in _MESSAGE:
            raise Refused(f"Invalid value: '{role}'.", f"messages[{i}].role")
        only(m, _MESSAGE[role], f"messages[{i}]")
        if waiting and role != "tool":
            raise Refused(
                "An assistant message with 'tool_calls' must be followed by tool messages responding to each "
                f"'tool_call_id'. The following did not have response messages: {', '.join(sorted(waiting))}",
                f"messages[{i}].role",
            )
        if role == "tool":
            if m.get("tool_call_id") not in waiting:
                raise Refused(
                    "messages with role 'tool' must be a response to a preceding message with 'tool_calls'.",
                    f"messages[{i}].role",
                )
            waiting.discard(m["tool_call_id"])
            asked.results += 1
        if role == "user":
            asked.results, asked.text = 0, ""
        for call in m.get("tool_calls") or []:
            if not call.get("id") or call.get("type") not in ("function", "custom"):
                raise Refused("Missing required parameter: 'tool_calls[].id'.", f"messages[{i}].tool_calls")
            if not isinstance(call.get("function", {}).get("arguments", ""), str):
                raise Refused("Invalid type for 'arguments': expected a string.", f"messages[{i}].tool_calls")
            waiting.add(call["id"])
        if role == "assistant" and m.get("content") is None and not m.get("tool_calls") and not m.get("refusal"):
            raise Refused("Invalid value for 'content': expected a string, got null.", f"messages[{i}].content")
        for detail in m.get("reasoning_details") or []:
            if (detail.get("signature") or detail.get("data") or SIGNATURE) != SIGNATURE:
                raise Refused("Invalid signature in reasoning_details", f"messages[{i}].reasoning_details")
        _content(m.get("content"), role, i, asked)
    if waiting:
        raise Refused("An assistant message with 'tool_calls' must be followed by tool messages.", "messages")


def _content(content: Any, role: str, i: int, asked: Asked) -> None:
    parts: list[Any] = [{"type": "text", "text": content}] if isinstance(content, str) else content or []
    for part in parts:
        kind: Any = part.get("type")
        if kind not in _PART:
            raise Refused(f"Invalid value: '{kind}'.", f"messages[{i}].content")
        only(part, _PART[kind], f"messages[{i}].content[]")
        if kind == "text":
            asked.prompt_chars += len(part["text"])
            if role == "user":
                asked.text += part["text"]
        if kind == "image_url":
            only(part["image_url"], frozenset(("url", "detail")), f"messages[{i}].content[].image_url")
            if not part["image_url"]["url"].startswith(("http://", "https://", "data:image/")):
                raise Refused("Invalid image URL", f"messages[{i}].content")
            asked.images += 1
        if kind == "input_audio":
            only(part["input_audio"], frozenset(("data", "format")), f"messages[{i}].content[].input_audio")


def _tools(tools: Any) -> Iterator[str]:
    for tool in tools or []:
        if tool.get("type") not in ("function", "custom"):
            raise Refused(
                f"Invalid value: '{tool.get('type')}'. Supported values are: 'function' and 'custom'.", "tools"
            )
        only(tool, frozenset(("type", "function", "custom")), "tools[]")
        inner = tool.get("function") or tool.get("custom") or {}
        only(inner, frozenset(("name", "description", "parameters", "strict", "format")), "tools[].function")
        tool_name(inner.get("name"), 64, "tools[].function.name")
        lower_types(inner.get("parameters"), f"function '{inner.get('name')}'")
        if inner.get("parameters") is not None and inner["parameters"].get("type") != "object":
            raise Refused("Invalid schema for function: schema must be a JSON Schema of 'type: \"object\"'", "tools")
        yield inner["name"]


def _choice(choice: Any, asked: Asked) -> None:
    if choice is not None and not asked.tools:
        raise Refused(
            "Invalid value for 'tool_choice': 'tool_choice' is only allowed when 'tools' are specified.", "tool_choice"
        )
    if choice == "required":
        asked.forced = "*"
    elif isinstance(choice, dict):
        asked.forced = (choice.get("function") or choice.get("custom") or {}).get("name", "*")
        if asked.forced != "*" and asked.forced not in asked.tools:
            raise Refused(f"Tool choice '{asked.forced}' not found in 'tools' parameter.", "tool_choice")


def usage(said: Said) -> dict[str, Any]:
    """Return OpenAI's usage object."""
    return {
        "prompt_tokens": said.prompt,
        "completion_tokens": said.completion,
        "total_tokens": said.prompt + said.completion,
        "prompt_tokens_details": {"cached_tokens": said.cached, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": said.reasoning, "audio_tokens": 0},
    }


def _details(said: Said) -> list[dict[str, Any]]:
    return [{"type": "reasoning.text", "text": said.thought, "signature": SIGNATURE, "index": 0, "format": "unknown"}]


def answer(asked: Asked, said: Said) -> dict[str, Any]:
    """Return a chat completion."""
    message: dict[str, Any] = {"role": "assistant", "content": said.text if not said.calls else None, "refusal": None}
    if said.thought:
        message |= {"reasoning_content": said.thought, "reasoning_details": _details(said)}
    if said.calls:
        message["tool_calls"] = [
            {"id": f"call_mock{i}", "type": "function", "function": {"name": n, "arguments": a}}
            for i, (n, a) in enumerate(said.calls)
        ]
    return {
        "id": "chatcmpl-mock",
        "object": "chat.completion",
        "created": 1700000000,
        "model": asked.model,
        "choices": [
            {"index": 0, "message": message, "logprobs": None, "finish_reason": "tool_calls" if said.calls else "stop"}
        ],
        "usage": usage(said),
        "system_fingerprint": "fp_mock",
    }


def stream(asked: Asked, said: Said, body: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield (event name, data) of a stream; data is JSON, or the text `[DONE]`."""
    head = {
        "id": "chatcmpl-mock",
        "object": "chat.completion.chunk",
        "created": 1700000000,
        "model": asked.model,
        "system_fingerprint": "fp_mock",
    }
    wanted = (body.get("stream_options") or {}).get("include_usage")
    tail = {"usage": None} if wanted else {}

    def chunk(delta: dict[str, Any], finish: str | None = None) -> tuple[str, Any]:
        return "", {
            **head,
            "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}],
            **tail,
        }

    yield chunk({"role": "assistant", "content": "" if not said.calls else None})
    if said.thought:
        for piece in fragments(said.thought):
            yield chunk({"reasoning_content": piece})
        yield chunk(
            {"reasoning_details": [{"type": "reasoning.text", "signature": SIGNATURE, "index": 0, "format": "unknown"}]}
        )
    for piece in said.pieces:
        yield chunk({"content": piece})
    for i, (name, _) in enumerate(said.calls):
        yield chunk(
            {
                "tool_calls": [
                    {"index": i, "id": f"call_mock{i}", "type": "function", "function": {"name": name, "arguments": ""}}
                ]
            }
        )
    # Interleaved, as parallel calls may be.
    pieces = [fragments(args) for _, args in said.calls]
    for step in range(max(map(len, pieces), default=0)):
        for i, parts in enumerate(pieces):
            if step < len(parts):
                yield chunk({"tool_calls": [{"index": i, "function": {"arguments": parts[step]}}]})
    yield chunk({}, "tool_calls" if said.calls else "stop")
    if wanted:
        yield "", {**head, "choices": [], "usage": usage(said)}
    yield "", "[DONE]"


def error(status: int, message: str, param: str = "") -> dict[str, Any]:
    """Return OpenAI's error object."""
    kind = {400: "invalid_request_error", 401: "invalid_request_error", 429: "requests"}.get(status, "server_error")
    code = {401: "invalid_api_key", 429: "rate_limit_exceeded"}.get(status)
    return {"error": {"message": message, "type": kind, "param": param or None, "code": code}}
