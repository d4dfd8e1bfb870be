"""Messages requests read. Source: https://docs.claude.com/en/api/messages"""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec
from msgspec import Raw, Struct

from newapi.base.body import split
from newapi.base.errors import CallerError
from newapi.formats import _anthropic_blocks as blocks
from newapi.formats import _anthropic_schema as schemas
from newapi.formats._anthropic_blocks import ABSENT, ORIGIN, Block, Cache, begins
from newapi.formats._output_limit import check_limit
from newapi.formats.contract import Params, Peek
from newapi.ir.request import (
    AnyTool,
    Message,
    NativeTool,
    OutputWish,
    Part,
    ReasoningWish,
    Request,
    Role,
    Sampling,
    Text,
    Tool,
    ToolChoice,
    ToolResult,
    WebSearch,
)

DEFAULT_MAX_OUTPUT = 8192
"""Tokens, for callers who forget `max_tokens`, which Anthropic itself demands: New API's default."""

_BILLING = "x-anthropic-billing-header"
"""How the first block of Claude Code's system prompt begins: a line for Anthropic's accounts, another with every
conversation. Before any other vendor's model it would be noise, and keep its cache from knowing the prompt."""

T = TypeVar("T")


# -- what routing needs ---------------------------------------------------------------


class _Peek(Struct):
    model: str | None = None
    stream: bool | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    messages: Raw = ABSENT


_peek = msgspec.json.Decoder(_Peek).decode


def peek(body: bytes, params: Params) -> Peek:
    """Return what routing needs, without parsing the messages.

    Raises:
        CallerError: It is not JSON, lacks the model or the messages, or a field has the wrong type.
    """
    try:
        said = _peek(body)
    except msgspec.ValidationError as e:
        raise _wrong_type(e) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as e:
        raise CallerError(f"the body is not a JSON object: {e}", code="invalid_json") from None
    if begins(said.messages) not in (b"[", b"n"):
        raise CallerError("messages: Input should be a list", param="messages")
    if not memoryview(said.messages)[1:64].tobytes().strip(b" \t\r\n]") or begins(said.messages) == b"n":
        raise CallerError("field messages is required", param="messages")
    if not said.model:
        raise CallerError("field model is required", param="model")
    check_limit("max_tokens", said.max_tokens)
    return Peek(model=said.model, stream=bool(said.stream), max_output=said.max_tokens or DEFAULT_MAX_OUTPUT)


def _wrong_type(error: msgspec.ValidationError, key: str = "") -> CallerError:
    """Msgspec says `Expected `int`, got `str` - at `$.max_tokens``: name the field for the caller."""
    what, _, path = str(error).partition(" - at `")
    inside = path.rstrip("`").removeprefix("$").removeprefix(".")
    field = ".".join(p for p in (key, inside) if p)
    return CallerError(
        f"{field}: {what}" if field else f"the body makes no sense: {what}", param=field.partition(".")[0]
    )


# -- the whole request ------------------------------------------------------------------


class _Message(Struct):
    role: str
    content: Raw = ABSENT


class _Tool(Struct):
    type: str | None = None
    name: str = ""
    description: str | None = None
    input_schema: Raw = ABSENT
    strict: bool | None = None
    cache_control: Cache | None = None


class _SearchTool(Struct):
    max_uses: int | None = None
    allowed_domains: tuple[str, ...] | None = None
    blocked_domains: tuple[str, ...] | None = None
    user_location: dict[str, Any] | None = None


class _Choice(Struct):
    type: str = ""
    name: str = ""
    disable_parallel_tool_use: bool | None = None


class _Thinking(Struct):
    type: str = ""
    budget_tokens: int | None = None
    display: str | None = None


class _Format(Struct):
    type: str = ""
    schema: Raw = ABSENT


class _OutputConfig(Struct):
    effort: str | None = None
    format: _Format | None = None


_ROLES: dict[str, Role] = {"user": "user", "assistant": "assistant", "system": "system"}
_CHOICES: dict[str, ToolChoice] = {
    "auto": ToolChoice("auto"),
    "any": ToolChoice("required"),
    "none": ToolChoice("none"),
}


def read_request(body: bytes, params: Params) -> Request:
    """Return what a Messages request says.

    A turn of role `system` inside `messages` stays where it is. `max_tokens` is `DEFAULT_MAX_OUTPUT` where it is
    missing; 0, which asks for nothing but a warm cache, stays 0.

    Raises:
        CallerError: It makes no sense.
    """
    fields = _Fields(body)
    messages: list[Message] = []
    system = fields.raw("system")
    told = _parts(system, "system") if system is not None else ()
    if parts := tuple(p for p in told if not _is_billing(p)):
        messages.append(Message("system", parts, plain=system is not None and begins(system) == b'"'))
    for place, said in enumerate(fields.take("messages", list[_Message], [])):
        messages.append(_message(said, f"messages.{place}"))
    choice = fields.take("tool_choice", _Choice, _Choice())
    config = fields.take("output_config", _OutputConfig, _OutputConfig())
    form = fields.take("output_format", _Format, None) or config.format
    metadata = fields.take("metadata", dict[str, Raw], {})
    user = metadata.pop("user_id", ABSENT)
    limit = fields.take("max_tokens", int, None)
    return Request(
        model=fields.take("model", str, ""),
        messages=tuple(messages),
        stream=bool(fields.take("stream", bool, False)),
        tools=tuple(_tool(raw, f"tools.{i}") for i, raw in enumerate(fields.take("tools", list[Raw], []))),
        tool_choice=_choice(choice),
        parallel_tools=None if choice.disable_parallel_tool_use is None else not choice.disable_parallel_tool_use,
        sampling=Sampling(
            temperature=fields.take("temperature", float, None),
            top_p=fields.take("top_p", float, None),
            top_k=fields.take("top_k", int, None),
            max_output=DEFAULT_MAX_OUTPUT if limit is None else limit,
            stop=fields.take("stop_sequences", tuple[str, ...], ()),
        ),
        reasoning=_reasoning(fields.take("thinking", _Thinking, None), config.effort),
        output=_output(form),
        user=msgspec.json.decode(user) if begins(user) == b'"' else "",
        metadata=Raw(msgspec.json.encode(metadata)) if metadata else None,
        service_tier=fields.take("service_tier", str, ""),
        origin=ORIGIN,
        extra=fields.rest() | ({_BILLING: ABSENT} if len(parts) < len(told) else {}),
    )


class _Fields:
    """The top-level fields of a body; what nobody takes is left."""

    def __init__(self, body: bytes) -> None:
        self._left = split(body)

    def raw(self, key: str) -> Raw | None:
        """Take `key` as it came, None when it is absent or null."""
        found = self._left.pop(key, ABSENT)
        return None if begins(found) == b"n" else found

    def take(self, key: str, kind: type[T], default: Any) -> Any:
        """Take `key` as a `kind`, `default` when it is absent or null."""
        found = self.raw(key)
        return default if found is None else _decode(found, kind, key)

    def rest(self) -> dict[str, Raw]:
        return {k: v for k, v in self._left.items() if begins(v) != b"n"}


def _decode(raw: Raw, kind: type[T], where: str) -> T:
    try:
        return msgspec.json.decode(raw, type=kind)
    except msgspec.ValidationError as e:
        raise _wrong_type(e, where) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as e:
        raise CallerError(f"{where}: {e}", param=where.partition(".")[0], code="invalid_json") from None


def _is_billing(part: Part) -> bool:
    return isinstance(part, Text) and part.text.startswith(f"{_BILLING}:")


def _message(said: _Message, where: str) -> Message:
    role = _ROLES.get(said.role)
    if role is None:
        raise CallerError(f"{where}.role: Input should be 'user', 'assistant' or 'system'", param="messages")
    return Message(role, _parts(said.content, f"{where}.content"), plain=begins(said.content) == b'"')


def _parts(content: Raw, where: str) -> tuple[Part, ...]:
    match begins(content):
        case b'"':
            return (Text(_decode(content, str, where)),)
        case b"[":
            parts: list[Part] = []
            for place, raw in enumerate(_decode(content, list[Raw], where)):
                at = f"{where}.{place}"
                parts += _part(_decode(raw, Block, at), raw, at)
            return tuple(parts)
        case b"n":
            return ()
        case _:
            raise CallerError(f"{where}: Input should be a string or a list", param=where.partition(".")[0])


def _part(block: Block, raw: Raw, where: str) -> list[Part]:
    try:
        match block.type:
            case "text":
                return [blocks.text_of(block)]
            case "thinking" | "redacted_thinking":
                return [blocks.reasoning_of(block)]
            case "tool_use":
                return [blocks.call_of(block)]
            case "tool_result":
                parts, plain = blocks.result_parts(block.content)
                return [
                    ToolResult(
                        block.tool_use_id or "", parts, error=bool(block.is_error), cache=block.mark, plain=plain
                    )
                ]
            case "image" | "document" | "search_result":
                return list(blocks.parts_of_media(block))
            case _:
                return [blocks.native_of(raw)]
    except msgspec.ValidationError as e:
        raise _wrong_type(e, where) from None


def _tool(raw: Raw, where: str) -> AnyTool:
    said = _decode(raw, _Tool, where)
    kind = said.type or "custom"
    if kind.startswith("web_search_"):
        search = _decode(raw, _SearchTool, where)
        place = {k: v for k, v in (search.user_location or {}).items() if k != "type" and v}
        return WebSearch(
            max_uses=search.max_uses,
            allowed_domains=search.allowed_domains or (),
            blocked_domains=search.blocked_domains or (),
            user_location=Raw(msgspec.json.encode(place)) if place else None,
            body=raw,
            origin=ORIGIN,
        )
    if kind != "custom":
        return NativeTool(ORIGIN, raw)
    schema = None if begins(said.input_schema) == b"n" else said.input_schema
    mark = said.cache_control.mark() if said.cache_control is not None else None
    return Tool(said.name, said.description or "", schema, said.strict, mark)


def _choice(said: _Choice) -> ToolChoice | None:
    return ToolChoice("named", said.name) if said.type == "tool" else _CHOICES.get(said.type)


def _reasoning(said: _Thinking | None, effort: str | None) -> ReasoningWish | None:
    """What `thinking` and `output_config.effort` wish together.

    `between_tools` is the least that some models can think, where others can be told not to.
    """
    if said is None:
        return ReasoningWish(effort=effort) if effort else None
    match said.type:
        case "enabled" | "adaptive":
            return ReasoningWish(
                enabled=True,
                effort=effort,
                budget=said.budget_tokens,
                adaptive=said.type == "adaptive",
                show=said.display != "omitted",
            )
        case _:
            return ReasoningWish(enabled=False)


def _output(form: _Format | None) -> OutputWish | None:
    if form is None or form.type != "json_schema":
        return None
    if begins(form.schema) == b"n":
        return OutputWish("json")
    closed = schemas.is_closed(msgspec.json.decode(form.schema))
    return OutputWish("schema", schema=form.schema, strict=True if closed else None)
