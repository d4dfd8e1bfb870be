"""Gemini generateContent. Source: https://ai.google.dev/api/generate-content"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from newapi.mock.script import SIGNATURE, Asked, Refused, Said, only, words

_UNKNOWN = 'Invalid JSON payload received. Unknown name "{}": Cannot find field.'
_TOP = words(
    "contents tools toolConfig safetySettings systemInstruction generationConfig cachedContent labels "
    "store model serviceTier"
)
_CONFIG = words(
    "temperature topP topK maxOutputTokens candidateCount stopSequences responseMimeType responseSchema "
    "responseJsonSchema _responseJsonSchema presencePenalty frequencyPenalty responseLogprobs logprobs "
    "seed responseModalities thinkingConfig speechConfig imageConfig mediaResolution "
    "enableEnhancedCivicAnswers audioTimestamp"
)
_PART = words(
    "text thought thoughtSignature inlineData fileData functionCall functionResponse executableCode "
    "codeExecutionResult videoMetadata mediaResolution partMetadata"
)
_SCHEMA = words(
    "type format title description nullable enum maxItems minItems properties required minProperties "
    "maxProperties minLength maxLength pattern example anyOf propertyOrdering default items minimum "
    "maximum"
)
_DUMMIES = ("context_engineering_is_the_way_to_go", "skip_thought_signature_validator")
"""Signatures that Google documents for turns another model made."""


def read(body: dict[str, Any], model: str, stream: bool) -> Asked:
    """Check a generateContent request as Google does, and return what it asks. Raises Refused."""
    body = _camel(body)
    only(body, _TOP, "", unknown=_UNKNOWN)
    contents = body.get("contents")
    if not isinstance(contents, list) or not contents:
        raise Refused("* GenerateContentRequest.contents: contents is not specified")
    config = body.get("generationConfig") or {}
    only(config, _CONFIG, "generation_config", unknown=_UNKNOWN)
    asked = Asked(model, stream)
    thinking = config.get("thinkingConfig") or {}
    only(
        thinking,
        frozenset(("thinkingBudget", "includeThoughts", "thinkingLevel")),
        "generation_config.thinking_config",
        unknown=_UNKNOWN,
    )
    if thinking and "2.0" in model:
        raise Refused("Thinking is not enabled for this model")
    asked.thinking = bool(thinking.get("includeThoughts"))
    _contents(contents, asked)
    asked.tools = tuple(_tools(body.get("tools")))
    if asked.tools and "gemini-3" not in model and any("functionDeclarations" not in t for t in body["tools"]):
        raise Refused("Built-in tools and Function Calling cannot be combined in the same request.")
    calling = (body.get("toolConfig") or {}).get("functionCallingConfig") or {}
    if calling.get("mode") == "ANY":
        if not asked.tools:
            raise Refused("Function calling config is set without function_declarations.")
        asked.forced = (calling.get("allowedFunctionNames") or ["*"])[0]
    if config.get("responseSchema") is not None:
        _schema(config["responseSchema"], "generation_config.response_schema")
    if (config.get("responseSchema") or config.get("responseJsonSchema")) and config.get(
        "responseMimeType"
    ) != "application/json":
        raise Refused("response_schema is only supported with response_mime_type application/json")
    asked.schema = config.get("responseMimeType") == "application/json"
    if len(config.get("stopSequences") or []) > 5:
        raise Refused("The number of stop sequences must be at most 5")
    return asked


def _camel(value: Any) -> Any:
    """Google takes every field in snake case too. What a caller names itself (properties, arguments) stays as it is."""
    if isinstance(value, list):
        return [_camel(v) for v in value]
    if not isinstance(value, dict):
        return value
    out: dict[str, Any] = {}
    for key, inner in value.items():
        name = re.sub(r"_([a-z])", lambda m: m[1].upper(), key) if not key.startswith("_") else key
        if name == "properties":
            out[name] = {k: _camel(v) for k, v in inner.items()} if isinstance(inner, dict) else inner
        else:
            out[name] = (
                inner if name in ("args", "response", "parametersJsonSchema", "responseJsonSchema") else _camel(inner)
            )
    return out


def _contents(contents: list[Any], asked: Asked) -> None:
    calls: list[str] = []
    for i, content in enumerate(contents):
        only(content, frozenset(("role", "parts")), f"contents[{i}]", unknown=_UNKNOWN)
        role = content.get("role", "user")
        if role not in ("user", "model", "function"):
            raise Refused("Please use a valid role: user, model.")
        parts = content.get("parts")
        if not parts:
            raise Refused(f"* GenerateContentRequest.contents[{i}].parts: contents.parts must not be empty.")
        results = [p["functionResponse"]["name"] for p in parts if "functionResponse" in p]
        if results or calls:
            if sorted(results) != sorted(calls):
                raise Refused(
                    "Please ensure that the number of function response parts is equal to the number of function call "
                    "parts of the function call turn."
                )
            calls = []
        if role != "model":
            asked.text, asked.results = "", len(results)
        for j, part in enumerate(parts):
            _part(part, f"contents[{i}].parts[{j}]", role, asked)
        calls += [p["functionCall"]["name"] for p in parts if "functionCall" in p]
        first = next((p for p in parts if "functionCall" in p), None)
        if first is not None and "gemini-3" in asked.model and not first.get("thoughtSignature"):
            raise Refused(f"Function call is missing a thought_signature in functionCall parts: contents[{i}]")


def _part(part: dict[str, Any], where: str, role: str, asked: Asked) -> None:
    only(part, _PART, where, unknown=_UNKNOWN)
    signature = part.get("thoughtSignature")
    if signature is not None and signature not in (SIGNATURE, *_DUMMIES):
        raise Refused("Corrupted thought signature.")
    if "text" in part:
        asked.prompt_chars += len(part["text"])
        if role != "model" and not part.get("thought"):
            asked.text += part["text"]
    elif "inlineData" in part:
        only(part["inlineData"], frozenset(("mimeType", "data", "displayName")), "inline_data", unknown=_UNKNOWN)
        asked.images += 1
    elif "fileData" in part:
        asked.images += 1
    elif "functionCall" in part:
        if not isinstance(part["functionCall"].get("args", {}), dict):
            raise Refused("Invalid value at 'function_call.args'")
    elif "functionResponse" in part and not isinstance(part["functionResponse"].get("response"), dict):
        raise Refused("Invalid value at 'function_response.response' (type.googleapis.com/google.protobuf.Struct)")


def _tools(tools: Any) -> Iterator[str]:
    for tool in tools or []:
        only(
            tool,
            frozenset(
                (
                    "functionDeclarations",
                    "googleSearch",
                    "googleSearchRetrieval",
                    "codeExecution",
                    "urlContext",
                    "googleMaps",
                    "computerUse",
                    "fileSearch",
                )
            ),
            "tools[]",
            unknown=_UNKNOWN,
        )
        for f in tool.get("functionDeclarations") or []:
            only(
                f,
                frozenset(
                    (
                        "name",
                        "description",
                        "parameters",
                        "parametersJsonSchema",
                        "response",
                        "responseJsonSchema",
                        "behavior",
                    )
                ),
                "tools[].function_declarations[]",
                unknown=_UNKNOWN,
            )
            if f.get("parameters") is not None:
                _schema(f["parameters"], "tools[].function_declarations[].parameters")
                if (f["parameters"].get("type") or "").upper() == "OBJECT" and f["parameters"].get("properties") == {}:
                    raise Refused(
                        "* GenerateContentRequest.tools[0].function_declarations[0].parameters.properties: should be "
                        "non-empty for OBJECT type"
                    )
            yield f["name"]


def _schema(schema: Any, where: str) -> None:
    only(schema, _SCHEMA, where, unknown=_UNKNOWN)
    if isinstance(schema.get("type"), list):
        raise Refused(f"Proto field is not repeating, cannot start list: {where}.type")
    for name, inner in (schema.get("properties") or {}).items():
        _schema(inner, f"{where}.properties[{name}]")
    if schema.get("items") is not None:
        _schema(schema["items"], f"{where}.items")
    for inner in schema.get("anyOf") or []:
        _schema(inner, f"{where}.any_of")


def _usage(said: Said) -> dict[str, Any]:
    usage = {
        "promptTokenCount": said.prompt,
        "candidatesTokenCount": said.completion - said.reasoning,
        "totalTokenCount": said.prompt + said.completion,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": said.prompt}],
    }
    if said.reasoning:
        usage["thoughtsTokenCount"] = said.reasoning
    if said.cached:
        usage["cachedContentTokenCount"] = said.cached
    return usage


def _chunk(asked: Asked, said: Said, parts: list[dict[str, Any]], finish: str | None) -> dict[str, Any]:
    candidate: dict[str, Any] = {"content": {"parts": parts, "role": "model"}, "index": 0}
    if finish:
        candidate["finishReason"] = finish
    return {
        "candidates": [candidate],
        "usageMetadata": _usage(said),
        "modelVersion": asked.model,
        "responseId": "mock-response",
    }


def _calls(said: Said) -> list[dict[str, Any]]:
    parts: list[dict[str, Any]] = [{"functionCall": {"name": n, "args": msgspec.json.decode(a)}} for n, a in said.calls]
    if said.thought and parts:
        parts[0]["thoughtSignature"] = SIGNATURE
    return parts


def answer(asked: Asked, said: Said) -> dict[str, Any]:
    """Return a whole answer."""
    parts: list[dict[str, Any]] = [{"text": said.thought, "thought": True}] if said.thought else []
    if said.text:
        parts.append({"text": said.text} | ({"thoughtSignature": SIGNATURE} if said.thought else {}))
    return _chunk(asked, said, [*parts, *_calls(said)], "STOP")


def stream(asked: Asked, said: Said, body: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield (event name, data) of a stream."""
    if said.thought:
        yield "", _chunk(asked, said, [{"text": said.thought, "thought": True}], None)
    for piece in said.pieces:
        yield "", _chunk(asked, said, [{"text": piece}], None)
    for part in _calls(said):
        yield "", _chunk(asked, said, [part], None)
    last: dict[str, Any] = {"text": ""}
    if said.thought and not said.calls:
        last["thoughtSignature"] = SIGNATURE
    yield "", _chunk(asked, said, [last], "STOP")


def error(status: int, message: str) -> dict[str, Any]:
    """Return Google's error object."""
    names = {
        400: "INVALID_ARGUMENT",
        401: "UNAUTHENTICATED",
        403: "PERMISSION_DENIED",
        404: "NOT_FOUND",
        429: "RESOURCE_EXHAUSTED",
        503: "UNAVAILABLE",
    }
    return {"error": {"code": status, "message": message, "status": names.get(status, "INTERNAL")}}
