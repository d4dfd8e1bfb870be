"""Anthropic Messages. Source: https://docs.claude.com/en/api/messages"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from newapi.mock.script import SIGNATURE, Asked, Refused, Said, fragments, lower_types, only, tool_name, words

VERSIONS = ("2023-06-01", "2026-10-21")
_TOP = words(
    "cache_control container context_management inference_geo max_tokens mcp_servers messages metadata "
    "model output_config output_format service_tier speed stop_sequences stream system temperature "
    "thinking tool_choice tools top_k top_p"
)
_BLOCKS = {
    "text": frozenset(("type", "text", "cache_control", "citations")),
    "image": frozenset(("type", "source", "cache_control")),
    "document": frozenset(("type", "source", "cache_control", "title", "context", "citations")),
    "tool_use": frozenset(("type", "id", "name", "input", "cache_control", "caller")),
    "tool_result": frozenset(("type", "tool_use_id", "content", "is_error", "cache_control")),
    "thinking": frozenset(("type", "thinking", "signature")),
    "redacted_thinking": frozenset(("type", "data")),
    "server_tool_use": frozenset(("type", "id", "name", "input", "cache_control")),
    "web_search_tool_result": frozenset(("type", "tool_use_id", "content", "cache_control")),
}
_EXTRA = "{}: Extra inputs are not permitted"
_ID = re.compile(r"^[a-zA-Z0-9_-]+$")


def check_headers(headers: Mapping[str, str]) -> None:
    """Refuse a call without its key or its version. Raises Refused."""
    if not headers.get("x-api-key") and not headers.get("authorization"):
        raise Refused("x-api-key header is required", status=401)
    if headers.get("anthropic-version") not in VERSIONS:
        raise Refused("anthropic-version: header is required")


def read(body: dict[str, Any]) -> Asked:
    """Check a Messages request as Anthropic does, and return what it asks. Raises Refused."""
    only(body, _TOP, "", unknown=_EXTRA)
    model = body.get("model")
    if not isinstance(model, str):
        raise Refused("model: Field required", "model")
    limit = body.get("max_tokens")
    if not isinstance(limit, int) or limit < 1:
        raise Refused("max_tokens: Field required", "max_tokens")
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise Refused("messages: at least one message is required", "messages")
    asked = Asked(model, bool(body.get("stream")))
    _thinking(body, limit, asked)
    _messages(messages, asked)
    system = body.get("system")
    for block in system if isinstance(system, list) else []:
        only(block, _BLOCKS["text"], "system", unknown=_EXTRA)
        if not block.get("text"):
            raise Refused("system: text content blocks must be non-empty", "system")
    asked.tools = tuple(_tools(body.get("tools")))
    choice = body.get("tool_choice") or {}
    only(choice, frozenset(("type", "name", "disable_parallel_tool_use")), "tool_choice", unknown=_EXTRA)
    if choice and not body.get("tools") and choice.get("type") != "none":
        raise Refused("tool_choice: may only be specified while providing tools", "tool_choice")
    if choice.get("type") in ("any", "tool"):
        asked.forced = choice.get("name", "*")
        if asked.thinking:
            raise Refused("Thinking may not be enabled when tool_choice forces tool use.", "tool_choice")
    config = body.get("output_config") or {}
    only(config, frozenset(("effort", "format")), "output_config", unknown=_EXTRA)
    wanted = config.get("format") or body.get("output_format")
    if wanted:
        only(wanted, frozenset(("type", "schema")), "output_config.format", unknown=_EXTRA)
        if "claude-3" in model:
            raise Refused(f"'{model}' does not support output format.", "output_config.format")
        asked.schema = True
    return asked


def _thinking(body: dict[str, Any], limit: int, asked: Asked) -> None:
    thinking = body.get("thinking") or {"type": "disabled"}
    only(thinking, frozenset(("type", "budget_tokens", "display")), "thinking", unknown=_EXTRA)
    asked.thinking = thinking["type"] != "disabled"
    if thinking["type"] == "enabled":
        budget = thinking.get("budget_tokens")
        if not isinstance(budget, int) or budget < 1024:
            raise Refused("thinking.enabled.budget_tokens: Input should be greater than or equal to 1024", "thinking")
        if budget >= limit:
            raise Refused("`max_tokens` must be greater than `thinking.budget_tokens`", "max_tokens")
    temperature = body.get("temperature")
    if temperature is not None and not 0 <= temperature <= 1:
        raise Refused("temperature: range: 0..1", "temperature")
    if asked.thinking and temperature not in (None, 1):
        raise Refused("`temperature` may only be set to 1 when thinking is enabled.", "temperature")
    if asked.thinking and body.get("top_k") is not None:
        raise Refused("`top_k` must be unset when thinking is enabled.", "top_k")
    if asked.thinking and (body.get("top_p") or 1) < 0.95:
        raise Refused("`top_p` must be greater than or equal to 0.95 or unset when thinking is enabled.", "top_p")


def _messages(messages: list[Any], asked: Asked) -> None:
    waiting: list[str] = []
    for i, m in enumerate(messages):
        only(m, frozenset(("role", "content")), f"messages.{i}", unknown=_EXTRA)
        role, content = m.get("role"), m.get("content")
        if role == "system" and i and content:
            continue  # of beta mid-conversation-system-2026-04-07
        if role not in ("user", "assistant"):
            raise Refused(f"messages.{i}.role: Input should be 'user' or 'assistant'", "messages")
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content or []
        if not blocks and i < len(messages) - 1:
            raise Refused(
                f"messages.{i}: all messages must have non-empty content except for the final assistant message"
            )
        results = [b["tool_use_id"] for b in blocks if b.get("type") == "tool_result"]
        if role == "user":
            if missing := [w for w in waiting if w not in results]:
                raise Refused(
                    f"messages.{i}: `tool_use` ids were found without `tool_result` blocks immediately after: "
                    + ", ".join(missing)
                )
            if extra := [r for r in results if r not in waiting]:
                raise Refused(
                    f"messages.{i}: unexpected `tool_use_id` found in `tool_result` blocks: {', '.join(extra)}"
                )
            if results and any(b["type"] != "tool_result" for b in blocks[: len(results)]):
                raise Refused(f"messages.{i}: `tool_result` blocks must come first")
            asked.text, asked.results = "", len(results)
            waiting = []
        for j, block in enumerate(blocks):
            _block(block, f"messages.{i}.content.{j}", role, asked)
        if role == "assistant":
            waiting = [b["id"] for b in blocks if b["type"] == "tool_use"]
            if waiting and asked.thinking and blocks[0]["type"] not in ("thinking", "redacted_thinking"):
                raise Refused(
                    f"messages.{i}.content.0.type: Expected `thinking` or `redacted_thinking`, but found "
                    f"`{blocks[0]['type']}`. When `thinking` is enabled, a final assistant message must start with it."
                )
    if waiting:
        raise Refused("`tool_use` ids were found without `tool_result` blocks immediately after")
    if messages[0]["role"] != "user":
        raise Refused('messages: first message must use the "user" role')


def _block(block: dict[str, Any], where: str, role: str, asked: Asked) -> None:
    kind = block.get("type")
    if kind not in _BLOCKS:
        raise Refused(f"{where}: Input tag '{kind}' found using 'type' does not match any of the expected tags")
    only(block, _BLOCKS[kind], where, unknown=_EXTRA)
    match kind:
        case "text":
            if not block["text"].strip():
                raise Refused("messages: text content blocks must contain non-whitespace text")
            asked.prompt_chars += len(block["text"])
            if role == "user":
                asked.text += block["text"]
        case "image":
            source = block["source"]
            if source.get("type") == "base64" and source.get("media_type") not in (
                "image/png",
                "image/jpeg",
                "image/gif",
                "image/webp",
            ):
                raise Refused(f"{where}.source.media_type: Input should be an image type")
            asked.images += 1
        case "tool_use":
            if not _ID.match(block.get("id", "")):
                raise Refused(f"{where}.id: String should match pattern '^[a-zA-Z0-9_-]+$'")
            if not isinstance(block.get("input"), dict):
                raise Refused(f"{where}.input: Input should be a valid dictionary")
        case "thinking":
            if block.get("signature") != SIGNATURE:
                raise Refused(f"{where}: Invalid `signature` in `thinking` block")
        case "redacted_thinking":
            if block.get("data") == SIGNATURE:
                raise Refused(f"{where}: Invalid `data` in `redacted_thinking` block")
        case _:
            pass


def _tools(tools: Any) -> Iterator[str]:
    for i, tool in enumerate(tools or []):
        if "input_schema" not in tool:
            if not tool.get("type"):
                raise Refused(f"tools.{i}.input_schema: Field required")
            continue
        only(
            tool,
            frozenset(
                (
                    "name",
                    "description",
                    "input_schema",
                    "cache_control",
                    "type",
                    "strict",
                    "defer_loading",
                    "input_examples",
                    "eager_input_streaming",
                    "allowed_callers",
                )
            ),
            f"tools.{i}",
            unknown=_EXTRA,
        )
        if tool["input_schema"].get("type") != "object":
            raise Refused(f"tools.{i}.input_schema.type: Field required")
        tool_name(tool.get("name"), 128, f"tools.{i}.name")
        lower_types(tool["input_schema"], f"tools.{i}.input_schema")
        yield tool["name"]


def _usage(said: Said, output: int) -> dict[str, Any]:
    return {
        "input_tokens": said.prompt - said.cached,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": said.cached,
        "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
        "output_tokens": output,
        "service_tier": "standard",
    }


def _blocks(said: Said) -> list[dict[str, Any]]:
    blocks: list[dict[str, Any]] = []
    if said.thought:
        blocks.append({"type": "thinking", "thinking": said.thought, "signature": SIGNATURE})
    if said.text:
        blocks.append({"type": "text", "text": said.text})
    for i, (name, args) in enumerate(said.calls):
        blocks.append({"type": "tool_use", "id": f"toolu_mock{i}", "name": name, "input": msgspec.json.decode(args)})
    return blocks


def answer(asked: Asked, said: Said) -> dict[str, Any]:
    """Return a message."""
    return {
        "id": "msg_mock",
        "type": "message",
        "role": "assistant",
        "model": asked.model,
        "content": _blocks(said),
        "stop_reason": "tool_use" if said.calls else "end_turn",
        "stop_sequence": None,
        "usage": _usage(said, said.completion),
    }


def stream(asked: Asked, said: Said, body: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield (event name, data) of a stream."""

    def event(kind: str, **data: Any) -> tuple[str, Any]:
        return kind, {"type": kind, **data}

    start = {**answer(asked, said), "content": [], "stop_reason": None, "usage": _usage(said, 1)}
    yield event("message_start", message=start)
    yield event("ping")
    for index, block in enumerate(_blocks(said)):
        match block["type"]:
            case "thinking":
                yield event(
                    "content_block_start",
                    index=index,
                    content_block={"type": "thinking", "thinking": "", "signature": ""},
                )
                deltas = [{"type": "thinking_delta", "thinking": p} for p in fragments(said.thought)]
                deltas.append({"type": "signature_delta", "signature": SIGNATURE})
            case "text":
                yield event("content_block_start", index=index, content_block={"type": "text", "text": ""})
                deltas = [{"type": "text_delta", "text": p} for p in said.pieces]
            case _:
                yield event("content_block_start", index=index, content_block={**block, "input": {}})
                args = said.calls[int(block["id"].removeprefix("toolu_mock"))][1]
                deltas = [{"type": "input_json_delta", "partial_json": p} for p in ("", *fragments(args))]
        for delta in deltas:
            yield event("content_block_delta", index=index, delta=delta)
        yield event("content_block_stop", index=index)
    stop = {"stop_reason": "tool_use" if said.calls else "end_turn", "stop_sequence": None}
    yield event("message_delta", delta=stop, usage={"output_tokens": said.completion})
    yield event("message_stop")


def error(status: int, message: str) -> dict[str, Any]:
    """Return Anthropic's error object."""
    kinds = {
        400: "invalid_request_error",
        401: "authentication_error",
        404: "not_found_error",
        429: "rate_limit_error",
        529: "overloaded_error",
    }
    return {
        "type": "error",
        "error": {"type": kinds.get(status, "api_error"), "message": message},
        "request_id": "req_mock",
    }
