"""Gemini's requests into the canonical form. Keys are read in camelCase and in snake_case, as Google reads them.

Sources: https://ai.google.dev/api/generate-content, https://ai.google.dev/gemini-api/docs/function-calling
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, cast

import msgspec
from msgspec import Raw, Struct, field
from msgspec.structs import replace

from newapi.base.errors import CallerError
from newapi.formats import _gemini_schema as schemas
from newapi.formats import _gemini_seals as seals
from newapi.formats._gemini_read_answer import media_kind
from newapi.formats._output_limit import check_limit
from newapi.formats.contract import Params, Peek
from newapi.ir.request import (
    AnyTool,
    Inline,
    Media,
    Message,
    Native,
    NativeTool,
    OutputWish,
    Part,
    Reasoning,
    ReasoningWish,
    Request,
    Role,
    Sampling,
    Text,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
    Url,
    WebSearch,
)
from newapi.ir.seal import Seal

Json = dict[str, Any]

_RESULT_KEYS = ("output", "result", "content", "error")
"""Keys that only carry a result's text. Source: https://ai.google.dev/api/caching#FunctionResponse"""
_CONFIG = frozenset(
    (
        "temperature",
        "topP",
        "topK",
        "maxOutputTokens",
        "stopSequences",
        "seed",
        "presencePenalty",
        "frequencyPenalty",
        "candidateCount",
        "responseLogprobs",
        "logprobs",
        "thinkingConfig",
        "responseMimeType",
        "responseSchema",
        "responseJsonSchema",
        "responseModalities",
    )
)
_TOP = frozenset(("contents", "systemInstruction", "tools", "toolConfig", "generationConfig", "model"))


class _PeekConfig(Struct, rename="camel"):
    max_output_tokens: int | None = None
    candidate_count: int | None = None


class _PeekSnake(Struct):
    max_output_tokens: int | None = None
    candidate_count: int | None = None


class _PeekBody(Struct):
    contents: Raw = Raw()
    config: Raw = field(name="generationConfig", default=Raw())
    snake_config: Raw = field(name="generation_config", default=Raw())


_PEEK = msgspec.json.Decoder(_PeekBody)


def peek(body: bytes, params: Params) -> Peek:
    """Return the model, which is in the path, and whether the path or `alt=sse` asks for a stream.

    Raises:
        CallerError: The body is no JSON object, has no `contents`, or a limit that makes no sense.
    """
    limits: list[_PeekConfig | _PeekSnake] = []
    try:
        found = _PEEK.decode(body)
        raw = bytes(found.config) or bytes(found.snake_config)
        if raw not in (b"", b"null"):
            # Proto JSON takes numbers as strings too.
            limits = [msgspec.json.decode(raw, type=t, strict=False) for t in (_PeekConfig, _PeekSnake)]
    except (msgspec.DecodeError, UnicodeDecodeError) as e:
        raise CallerError(f"the body is not a Gemini request: {e}", code="invalid_json") from None
    if memoryview(found.contents)[:64].tobytes().strip(b" \t\r\n[]") in (b"", b"null"):
        raise CallerError("contents is required", param="contents")
    stream = params.get("action") == "streamGenerateContent" or params.get("alt") == "sse"
    max_output = next((p.max_output_tokens for p in limits if p.max_output_tokens), 0)
    check_limit("maxOutputTokens", max_output)
    return Peek(
        model=params.get("model", ""),
        stream=stream,
        max_output=max_output,
        n=next((p.candidate_count for p in limits if p.candidate_count), 1),
    )


@cache
def _snake(name: str) -> str:
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name)


def _get(node: Mapping[str, Any], name: str) -> Any:
    value = node.get(name)
    return node.get(_snake(name)) if value is None else value


def _object(node: Mapping[str, Any], name: str) -> Json:
    value = _get(node, name)
    return cast(Json, value) if isinstance(value, dict) else {}


def _due(value: Any, name: str) -> Json:
    if not isinstance(value, dict):
        raise CallerError(f"{name} is not an object", param=name)
    return cast(Json, value)


def _list(node: Mapping[str, Any], name: str) -> list[Any]:
    value = _get(node, name)
    if isinstance(value, dict):
        return [value]
    return cast("list[Any]", value) if isinstance(value, list) else []


def _text(node: Mapping[str, Any], name: str) -> str:
    value = _get(node, name)
    return value if isinstance(value, str) else ""


def _raw(value: Any) -> Raw:
    return Raw(msgspec.json.encode(value))


def read_request(body: bytes, params: Params) -> Request:
    """Return a generateContent request.

    Raises:
        CallerError: It is not JSON, has no `contents`, or a part that makes no sense.
    """
    try:
        whole: Any = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as e:
        raise CallerError(f"the body is not JSON: {e}", code="invalid_json") from None
    if not isinstance(whole, dict):
        raise CallerError("the body is not a JSON object", code="invalid_json")
    root = cast(Json, whole)
    contents = _list(root, "contents")
    if not contents:
        raise CallerError("contents is required", param="contents")
    messages = [*_system(root), *_Conversation().read(contents)]
    config = _object(root, "generationConfig")
    extra = {k: _raw(v) for k, v in root.items() if _camel(k) not in _TOP and v is not None}
    rest = {_camel(k): v for k, v in config.items() if _camel(k) not in _CONFIG and v is not None}
    if rest:
        extra["generationConfig"] = _raw(rest)
    try:
        sampling = _sampling(config)
    except msgspec.ValidationError as e:
        raise CallerError(f"generationConfig: {e}", param="generationConfig") from None
    return Request(
        model=params.get("model", ""),
        messages=tuple(messages),
        stream=params.get("action") == "streamGenerateContent" or params.get("alt") == "sse",
        tools=tuple(_tools(root)),
        tool_choice=_tool_choice(root),
        sampling=sampling,
        reasoning=_reasoning(config),
        output=_output(config),
        modalities=tuple(m.lower() for m in _list(config, "responseModalities") if isinstance(m, str)),
        origin="gemini",
        extra=extra,
    )


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(r.capitalize() for r in rest)


def _system(root: Json) -> list[Message]:
    said = _get(root, "systemInstruction")
    if isinstance(said, str):
        return [Message("system", (Text(said),), plain=True)] if said else []
    parts = _list(cast(Json, said), "parts") if isinstance(said, dict) else []
    texts = tuple(Text(t) for p in parts if isinstance(p, dict) and (t := _text(cast(Json, p), "text")))
    return [Message("system", texts)] if texts else []


class _Conversation:
    """Reads turns, and gives calls and their results ids that match."""

    def __init__(self) -> None:
        self._open: list[tuple[str, str]] = []
        """(id, name) of calls without a result."""
        self._count = 0

    def read(self, contents: list[Any]) -> list[Message]:
        out: list[Message] = []
        for i, content in enumerate(contents):
            if not isinstance(content, dict):
                raise CallerError(f"contents[{i}] is not an object", param=f"contents[{i}]")
            node = cast(Json, content)
            role: Role = "assistant" if node.get("role") == "model" else "user"
            parts: list[Part] = []
            for j, part in enumerate(_list(node, "parts")):
                if not isinstance(part, dict):
                    raise CallerError(f"contents[{i}].parts[{j}] is not an object", param=f"contents[{i}].parts[{j}]")
                self._part(cast(Json, part), parts)
            if parts:
                # One text is what other formats say as a bare string.
                plain = len(parts) == 1 and isinstance(parts[0], Text)
                out.append(Message(role, tuple(parts), plain=plain))
        return out

    def _part(self, node: Json, out: list[Part]) -> None:
        sign = _text(node, "thoughtSignature")
        mark = seals.unpack(sign) if sign else None
        if node.get("thought") and "text" in node:
            _think(_text(node, "text"), mark, out)
            return
        if mark is not None and mark.origin != "gemini":
            # Another vendor's seal is that of the thought before this part, where the writer had to put it.
            _think("", mark, out)
            mark = None
        part = self._plain(node, mark)
        if isinstance(part, Text) and not part.text:
            last = out[-1] if out else None
            if mark is not None and isinstance(last, Text | ToolCall | Reasoning) and last.seal is None:
                out[-1] = replace(last, seal=mark)
            elif mark is not None:
                out.append(part)
            return
        if isinstance(part, Text) and out and isinstance(last := out[-1], Text) and last.seal is None and mark:
            out[-1] = replace(last, text=last.text + part.text, seal=mark)
            return
        out.append(part)

    def _plain(self, node: Json, mark: Seal | None) -> Part:
        if "text" in node:
            return Text(_text(node, "text"), seal=mark)
        if call := _get(node, "functionCall"):
            return self._call(_due(call, "functionCall"), mark)
        if result := _get(node, "functionResponse"):
            return self._result(_due(result, "functionResponse"))
        if media := _media(node, mark):
            return media
        return Native("gemini", _raw(node))

    def _call(self, node: Json, mark: Seal | None) -> ToolCall:
        name = _text(node, "name")
        if not name:
            raise CallerError("functionCall.name is required", param="functionCall.name")
        id = _text(node, "id") or f"call_{self._count}"
        self._count += 1
        self._open.append((id, name))
        return ToolCall(id, name, msgspec.json.encode(_object(node, "args")).decode(), seal=mark)

    def _result(self, node: Json) -> ToolResult:
        name, id = _text(node, "name"), _text(node, "id")
        known = next((c for c in self._open if c[0] == id), None) if id else None
        known = known or next((c for c in self._open if c[1] == name), None)
        if known is not None:
            self._open.remove(known)
            id = known[0]
        text, error = _result_text(_get(node, "response"))
        media = [m for p in _list(node, "parts") if isinstance(p, dict) and (m := _media(cast(Json, p), None))]
        return ToolResult(id or f"call_{name}", (Text(text), *media), name=name, error=error, plain=not media)


def _think(text: str, mark: Seal | None, out: list[Part]) -> None:
    """Add to the thought that is being told, or begin another. Streams tell one thought in many parts."""
    last = out[-1] if out else None
    if isinstance(last, Reasoning) and last.seal is None:
        out[-1] = Reasoning(last.text + text, mark)
    elif text or mark is not None:
        out.append(Reasoning(text, mark, redacted=not text))


def _media(node: Json, mark: Seal | None) -> Media | None:
    if inline := _object(node, "inlineData"):
        mime = _text(inline, "mimeType")
        return Media(
            media_kind(mime), mime, Inline(_text(inline, "data")), name=_text(inline, "displayName"), seal=mark
        )
    if file := _object(node, "fileData"):
        mime, uri = _text(file, "mimeType"), _text(file, "fileUri")
        if not mime and "youtube.com" in uri:
            mime = "video/webm"
        return Media(media_kind(mime), mime, Url(uri), name=_text(file, "displayName"), seal=mark)
    return None


def _result_text(response: Any) -> tuple[str, bool]:
    """Return a result's text, and whether it is an error."""
    if isinstance(response, dict) and len(cast(Json, response)) == 1:
        key, value = next(iter(cast(Json, response).items()))
        if key in _RESULT_KEYS and isinstance(value, str):
            return value, key == "error"
    if isinstance(response, str):
        return response, False
    return msgspec.json.encode(response if response is not None else {}).decode(), False


def _tools(root: Json) -> list[AnyTool]:
    out: list[AnyTool] = []
    for group in _list(root, "tools"):
        if not isinstance(group, dict):
            raise CallerError("tools holds something that is not an object", param="tools")
        for key, value in cast(Json, group).items():
            match _camel(key):
                case "functionDeclarations":
                    out += [
                        _tool(_due(f, "functionDeclarations")) for f in _list(cast(Json, group), "functionDeclarations")
                    ]
                case "googleSearch" | "googleSearchRetrieval":
                    out.append(WebSearch(body=_raw({key: value}), origin="gemini"))
                case _:
                    out.append(NativeTool("gemini", _raw({key: value})))
    return out


def _tool(node: Json) -> Tool:
    name = _text(node, "name")
    if not name:
        raise CallerError("functionDeclarations: a function has no name", param="tools")
    schema: Raw | None = None
    if (plain := _get(node, "parametersJsonSchema")) is not None:
        schema = _raw(schemas.small_types(plain))
    elif (own := _get(node, "parameters")) is not None:
        schema = _raw(schemas.to_json_schema(own))
    return Tool(name, _text(node, "description"), schema)


def _tool_choice(root: Json) -> ToolChoice | None:
    config = _object(_object(root, "toolConfig"), "functionCallingConfig")
    names = tuple(n for n in _list(config, "allowedFunctionNames") if isinstance(n, str))
    match _text(config, "mode").upper():
        case "AUTO":
            return ToolChoice("auto")
        case "NONE":
            return ToolChoice("none")
        case "ANY" if len(names) == 1:
            return ToolChoice("named", names[0])
        case "ANY":
            return ToolChoice("required", names=names)
        case "VALIDATED":
            return ToolChoice("auto", names=names)
        case _:
            return None


def _sampling(config: Json) -> Sampling:
    values: Json = {
        "temperature": _get(config, "temperature"),
        "top_p": _get(config, "topP"),
        "top_k": _whole(_get(config, "topK")),
        "max_output": _get(config, "maxOutputTokens") or None,
        "stop": tuple(s for s in _list(config, "stopSequences") if isinstance(s, str)),
        "seed": _get(config, "seed"),
        "presence_penalty": _get(config, "presencePenalty"),
        "frequency_penalty": _get(config, "frequencyPenalty"),
        "n": _get(config, "candidateCount") or None,
        "logprobs": _get(config, "responseLogprobs"),
        "top_logprobs": _get(config, "logprobs"),
    }
    return msgspec.convert(values, Sampling, strict=False)


def _int(value: Any) -> int | None:
    if isinstance(value, str):
        return int(value) if value.lstrip("-").isdigit() else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _whole(value: Any) -> Any:
    # Google's own SDKs send `topK` as a float.
    return int(value) if isinstance(value, float) else value


def _reasoning(config: Json) -> ReasoningWish | None:
    thinking = _object(config, "thinkingConfig")
    if not thinking:
        return None
    show, budget, level = (
        _get(thinking, "includeThoughts"),
        _get(thinking, "thinkingBudget"),
        _text(thinking, "thinkingLevel").lower(),
    )
    show = show if isinstance(show, bool) else None
    budget = _int(budget)
    if budget is not None and budget < 0:
        # -1: as the model sees fit.
        return ReasoningWish(enabled=True, show=show)
    if budget == 0:
        return ReasoningWish(enabled=False, budget=0, show=show)
    if level and level != "thinking_level_unspecified":
        return ReasoningWish(enabled=True, effort=level, budget=budget, show=show)
    if budget is not None:
        return ReasoningWish(enabled=True, budget=budget, show=show)
    return ReasoningWish(enabled=True if show else None, show=show)


def _output(config: Json) -> OutputWish | None:
    plain, own = _get(config, "responseJsonSchema"), _get(config, "responseSchema")
    if plain is None:
        plain = config.get("_responseJsonSchema")
    if plain is not None:
        return OutputWish("schema", name="response", schema=_raw(schemas.small_types(plain)))
    if own is not None:
        return OutputWish("schema", name="response", schema=_raw(schemas.to_json_schema(own)))
    return OutputWish("json") if _text(config, "responseMimeType") == "application/json" else None
