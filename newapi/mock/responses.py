"""OpenAI Responses. Source: https://platform.openai.com/docs/api-reference/responses"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from newapi.mock.script import SIGNATURE, Asked, Refused, Said, fragments, lower_types, only, short, tool_name, words

_TOP = words(
    "background client_metadata context_management conversation include input instructions max_output_tokens "
    "max_tool_calls metadata model parallel_tool_calls previous_response_id prompt prompt_cache_key "
    "prompt_cache_retention reasoning safety_identifier service_tier store stream stream_options "
    "temperature text tool_choice tools top_logprobs top_p truncation user"
)
_ITEMS = {
    "message": frozenset(("type", "role", "content", "id", "status", "phase")),
    "function_call": frozenset(("type", "id", "call_id", "name", "namespace", "arguments", "status")),
    "function_call_output": frozenset(("type", "id", "call_id", "output", "status")),
    "custom_tool_call": frozenset(("type", "id", "call_id", "name", "namespace", "input", "status")),
    "custom_tool_call_output": frozenset(("type", "id", "call_id", "output")),
    "reasoning": frozenset(("type", "id", "summary", "content", "encrypted_content", "status")),
    "additional_tools": frozenset(("type", "id", "role", "tools")),
    "item_reference": frozenset(("type", "id")),
}
_PARTS = {
    "user": frozenset(("input_text", "input_image", "input_file", "input_audio")),
    "system": frozenset(("input_text",)),
    "developer": frozenset(("input_text",)),
    "assistant": frozenset(("output_text", "refusal")),
}
_PART_KEYS = {
    "input_text": frozenset(("type", "text")),
    "output_text": frozenset(("type", "text", "annotations", "logprobs")),
    "refusal": frozenset(("type", "refusal")),
    "input_image": frozenset(("type", "image_url", "file_id", "detail")),
    "input_file": frozenset(("type", "file_id", "filename", "file_data", "file_url")),
    "input_audio": frozenset(("type", "input_audio")),
}


def read(body: dict[str, Any]) -> Asked:
    """Check a Responses request as OpenAI does, and return what it asks. Raises Refused."""
    only(body, _TOP, "")
    model, given = body.get("model"), body.get("input")
    if not isinstance(model, str):
        raise Refused("Missing required parameter: 'model'.", "model")
    if given is None:
        raise Refused("Missing required parameter: 'input'.", "input")
    thinks = model.startswith(("o1", "o3", "o4", "gpt-5", "gpt-6"))
    if thinks and body.get("temperature") not in (None, 1):
        raise Refused("Unsupported parameter: 'temperature' is not supported with this model.", "temperature")
    if not thinks and body.get("reasoning"):
        raise Refused("Unsupported parameter: 'reasoning.effort' is not supported with this model.", "reasoning.effort")
    only(body.get("reasoning") or {}, frozenset(("context", "effort", "summary", "generate_summary")), "reasoning")
    short(body, "user", "safety_identifier", "prompt_cache_key")
    if body.get("max_output_tokens") is not None and body["max_output_tokens"] < 16:
        raise Refused(
            "Invalid 'max_output_tokens': integer below minimum value. Expected a value >= 16.", "max_output_tokens"
        )
    asked = Asked(model, bool(body.get("stream")))
    asked.thinking = bool(body.get("reasoning")) and (body["reasoning"].get("effort") or "medium") != "none"
    if isinstance(given, str):
        asked.text, asked.prompt_chars = given, len(given)
    else:
        _items(given, asked)
    added = [i for i in given if i.get("type") == "additional_tools"] if isinstance(given, list) else []
    asked.tools = tuple(_tools([*(body.get("tools") or ()), *(t for i in added for t in i["tools"])]))
    choice = body.get("tool_choice")
    if choice == "required":
        asked.forced = "*"
    elif isinstance(choice, dict):
        asked.forced = choice.get("name", "*")
        if choice.get("type") == "function" and asked.forced not in asked.tools:
            raise Refused(f"Tool choice '{asked.forced}' not found in 'tools' parameter.", "tool_choice")
    text = body.get("text") or {}
    only(text, frozenset(("format", "verbosity")), "text")
    wanted = text.get("format") or {"type": "text"}
    only(wanted, frozenset(("type", "name", "schema", "strict", "description")), "text.format")
    if wanted["type"] == "json_schema" and not wanted.get("name"):
        raise Refused("Missing required parameter: 'text.format.name'.", "text.format.name")
    lower_types(wanted.get("schema"), "text.format")
    asked.schema = wanted["type"] in ("json_schema", "json_object")
    return asked


def _items(items: list[Any], asked: Asked) -> None:
    calls: set[str] = set()
    answered: set[str] = set()
    for i, item in enumerate(items):
        where = f"input[{i}]"
        kind = item.get("type", "message")
        if kind not in _ITEMS:
            raise Refused(f"Invalid value: '{kind}'.", where)
        only(item, _ITEMS[kind], where)
        match kind:
            case "message":
                _message(item, where, asked)
            case "function_call" | "custom_tool_call":
                if not isinstance(item.get("arguments", item.get("input")), str) or not item.get("call_id"):
                    raise Refused("Missing required parameter: 'call_id' or 'arguments'.", where)
                calls.add(item["call_id"])
            case "function_call_output" | "custom_tool_call_output":
                if item.get("call_id") not in calls:
                    raise Refused(
                        f"No tool call found for function call output with call_id {item.get('call_id')}.", where
                    )
                answered.add(item["call_id"])
                asked.results += 1
            case "reasoning":
                if not str(item.get("id", "")).startswith("rs_"):
                    raise Refused(
                        f"Invalid '{where}.id': '{item.get('id')}'. Expected an ID that begins with 'rs'.", where
                    )
                if item.get("encrypted_content", SIGNATURE) not in (SIGNATURE, None):
                    raise Refused("The encrypted content could not be verified.", where)
                if not isinstance(item.get("summary"), list):
                    raise Refused(f"Missing required parameter: '{where}.summary'.", where)
    if calls - answered:
        raise Refused(f"No tool output found for function call {min(calls - answered)}.", "input")


def _message(item: dict[str, Any], where: str, asked: Asked) -> None:
    role = item.get("role")
    if role not in _PARTS:
        raise Refused(f"Invalid value: '{role}'.", f"{where}.role")
    content = item.get("content")
    if role == "user":
        asked.text, asked.results = "", 0
    if isinstance(content, str):
        asked.prompt_chars += len(content)
        if role == "user":
            asked.text = content
        return
    for part in content or []:
        kind = part.get("type")
        if kind not in _PARTS[role]:
            raise Refused(f"Invalid value: '{kind}'. Supported values are: {sorted(_PARTS[role])}.", f"{where}.content")
        only(part, _PART_KEYS[kind], f"{where}.content[]")
        if kind == "input_text":
            asked.prompt_chars += len(part["text"])
            if role == "user":
                asked.text += part["text"]
        if kind == "input_image":
            if not str(part.get("image_url") or "data:image/").startswith(("http", "data:image/")):
                raise Refused("Invalid image_url", where)
            asked.images += 1


def _tools(tools: Any) -> Iterator[str]:
    for tool in tools or []:
        kind = tool.get("type")
        if kind == "function":
            only(tool, frozenset(("type", "name", "description", "parameters", "strict")), "tools[]")
            if "name" not in tool:
                raise Refused("Missing required parameter: 'tools[0].name'.", "tools")
            tool_name(tool["name"], 64, "tools[].name")
            lower_types(tool.get("parameters"), f"function '{tool['name']}'")
            if tool.get("strict") and (tool.get("parameters") or {}).get("additionalProperties") is not False:
                raise Refused(
                    "Invalid schema: 'additionalProperties' is required to be supplied and to be false.", "tools"
                )
            yield tool["name"]
        elif kind == "custom":
            yield tool["name"]
        elif kind == "namespace":
            yield from _tools(tool.get("tools"))
        elif kind not in (
            "tool_search",
            "web_search",
            "web_search_preview",
            "file_search",
            "code_interpreter",
            "image_generation",
            "mcp",
        ):
            raise Refused(f"Invalid value: '{kind}'.", "tools[0].type")


def _usage(said: Said) -> dict[str, Any]:
    return {
        "input_tokens": said.prompt,
        "input_tokens_details": {"cached_tokens": said.cached},
        "output_tokens": said.completion,
        "output_tokens_details": {"reasoning_tokens": said.reasoning},
        "total_tokens": said.prompt + said.completion,
    }


def _output(said: Said) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    if said.thought:
        summary = [{"type": "summary_text", "text": said.thought}]
        items.append({"id": "rs_mock", "type": "reasoning", "summary": summary, "encrypted_content": SIGNATURE})
    if said.text:
        part = {"type": "output_text", "text": said.text, "annotations": [], "logprobs": []}
        items.append(
            {"id": "msg_mock", "type": "message", "status": "completed", "role": "assistant", "content": [part]}
        )
    for i, (name, args) in enumerate(said.calls):
        items.append(
            {
                "id": f"fc_mock{i}",
                "type": "function_call",
                "status": "completed",
                "call_id": f"call_mock{i}",
                "name": name,
                "arguments": args,
            }
        )
    return items


def answer(
    asked: Asked, said: Said, *, status: str = "completed", output: list[dict[str, Any]] | None = None
) -> dict[str, Any]:
    """Return a response object."""
    done = status == "completed"
    return {
        "id": "resp_mock",
        "object": "response",
        "created_at": 1700000000,
        "status": status,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "model": asked.model,
        "output": _output(said) if output is None else output,
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "store": False,
        "temperature": 1.0,
        "top_p": 1.0,
        "usage": _usage(said) if done else None,
    }


def stream(asked: Asked, said: Said, body: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield (event name, data) of a stream."""
    number = -1

    def event(kind: str, **data: Any) -> tuple[str, Any]:
        nonlocal number
        number += 1
        return kind, {"type": kind, "sequence_number": number, **data}

    yield event("response.created", response=answer(asked, said, status="in_progress", output=[]))
    yield event("response.in_progress", response=answer(asked, said, status="in_progress", output=[]))
    for index, item in enumerate(_output(said)):
        at = {"output_index": index, "item_id": item["id"]}
        match item["type"]:
            case "reasoning":
                yield event(
                    "response.output_item.added",
                    output_index=index,
                    item={**item, "summary": [], "encrypted_content": ""},
                )
                yield event(
                    "response.reasoning_summary_part.added",
                    **at,
                    summary_index=0,
                    part={"type": "summary_text", "text": ""},
                )
                for piece in fragments(said.thought):
                    yield event("response.reasoning_summary_text.delta", **at, summary_index=0, delta=piece)
                yield event("response.reasoning_summary_text.done", **at, summary_index=0, text=said.thought)
                yield event("response.reasoning_summary_part.done", **at, summary_index=0, part=item["summary"][0])
            case "message":
                empty = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
                yield event(
                    "response.output_item.added",
                    output_index=index,
                    item={**item, "status": "in_progress", "content": []},
                )
                yield event("response.content_part.added", **at, content_index=0, part=empty)
                for piece in said.pieces:
                    yield event("response.output_text.delta", **at, content_index=0, delta=piece, logprobs=[])
                yield event("response.output_text.done", **at, content_index=0, text=said.text, logprobs=[])
                yield event("response.content_part.done", **at, content_index=0, part=item["content"][0])
            case _:
                yield event(
                    "response.output_item.added",
                    output_index=index,
                    item={**item, "status": "in_progress", "arguments": ""},
                )
                for piece in fragments(item["arguments"]):
                    yield event("response.function_call_arguments.delta", **at, delta=piece)
                yield event(
                    "response.function_call_arguments.done", **at, arguments=item["arguments"], name=item["name"]
                )
        yield event("response.output_item.done", output_index=index, item=item)
    yield event("response.completed", response=answer(asked, said))
