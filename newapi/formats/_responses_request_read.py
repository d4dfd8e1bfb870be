"""OpenAI Responses: a request into the canonical form.

Source: https://platform.openai.com/docs/api-reference/responses/create
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from newapi.base.errors import CallerError, Unsupported
from newapi.formats._responses_items import NAME, NULL, Annotation, TextPart, citations, given, image, joined, spaced
from newapi.formats.contract import Params
from newapi.ir.request import (
    AnyTool,
    CustomTool,
    FileRef,
    Inline,
    Media,
    Message,
    Native,
    NativeTool,
    OutputWish,
    Part,
    Reasoning,
    ReasoningWish,
    Refusal,
    Request,
    Sampling,
    Text,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
    Url,
    WebSearch,
)
from newapi.ir.seal import Seal, unpack

_STATEFUL = ("background", "context_management", "conversation", "previous_response_id", "prompt")
"""Fields that lean on what OpenAI keeps: no other format can say them."""


class _Audio(Struct):
    data: str = ""
    format: str = ""


class _Part(Struct):
    type: str = "input_text"
    text: str = ""
    refusal: str = ""
    image_url: str | None = None
    file_id: str | None = None
    detail: str | None = None
    file_data: str | None = None
    file_url: str | None = None
    filename: str | None = None
    input_audio: _Audio | None = None
    annotations: list[Annotation] | None = None


_Content = str | list[_Part] | None


class _Head(Struct):
    type: str = "message"


class _Message(Struct):
    role: str = "user"
    content: _Content = None


class _Call(Struct):
    name: str
    namespace: str | None = None
    call_id: str | None = None
    id: str | None = None
    arguments: Any = None
    input: str = ""


class _Output(Struct):
    call_id: str
    output: _Content | dict[str, Any] = None


class _Reasoning(Struct):
    id: str | None = None
    summary: list[TextPart] | None = None
    content: list[TextPart] | None = None
    encrypted_content: str | None = None


class _Effort(Struct):
    context: Raw = NULL
    effort: str | None = None
    summary: str | None = None
    generate_summary: str | None = None


class _Form(Struct):
    type: str = "text"
    name: str = ""
    description: str | None = None
    schema: Raw = NULL
    strict: bool | None = None


class _TextWish(Struct):
    format: _Form | None = None
    verbosity: str | None = None


class _Filters(Struct):
    allowed_domains: list[str] | None = None


class _Tool(Struct):
    type: str
    name: str = ""
    description: str | None = None
    parameters: Raw = NULL
    strict: bool | None = None
    format: Raw = NULL


class _Space(Struct):
    """A namespace of tools, https://developers.openai.com/api/docs/guides/tools-tool-search."""

    type: str
    name: str = ""
    description: str | None = None
    tools: list[Raw] | None = None


class _Added(Struct):
    tools: list[Raw] | None = None


class _Search(Struct):
    search_context_size: str | None = None
    user_location: dict[str, Any] | None = None
    filters: _Filters | None = None


class _Named(Struct):
    type: str = ""
    name: str = ""
    namespace: str | None = None
    mode: Literal["auto", "required"] = "auto"
    tools: list[_Tool] | None = None


class _Body(Struct):
    model: str
    input: str | list[Raw] | None = None
    instructions: str | None = None
    stream: bool | None = None
    tools: list[Raw] | None = None
    tool_choice: Literal["auto", "none", "required"] | _Named | None = None
    parallel_tool_calls: bool | None = None
    temperature: float | None = None
    top_p: float | None = None
    max_output_tokens: int | None = None
    top_logprobs: int | None = None
    reasoning: _Effort | None = None
    text: _TextWish | None = None
    user: str | None = None
    metadata: Raw = NULL
    service_tier: str | None = None
    store: bool | None = None
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None


_KNOWN = frozenset(_Body.__struct_fields__)
_BODY = msgspec.json.Decoder(_Body)
_RAW = msgspec.json.Decoder(dict[str, Raw])
_HEAD = msgspec.json.Decoder(_Head)
_MESSAGE = msgspec.json.Decoder(_Message)
_CALL = msgspec.json.Decoder(_Call)
_OUTPUT = msgspec.json.Decoder(_Output)
_REASONING = msgspec.json.Decoder(_Reasoning)
_TOOL = msgspec.json.Decoder(_Tool)
_SPACE = msgspec.json.Decoder(_Space)
_ADDED = msgspec.json.Decoder(_Added)
_SEARCH = msgspec.json.Decoder(_Search)


def read_request(body: bytes, params: Params) -> Request:
    """Return what a Responses request asks, for a target that speaks another format.

    Raises:
        CallerError: The body makes no sense.
        Unsupported: It leans on state that OpenAI keeps (`previous_response_id`, …), which no other vendor has.
    """
    try:
        whole = _RAW.decode(body)
        stateful = [k for k in _STATEFUL if k in whole and bytes(whole[k]) not in (b"null", b"false", b"[]")]
        if stateful:
            raise Unsupported(
                f"stateful fields cannot be converted for this model's provider: {', '.join(stateful)}",
                param=stateful[0],
            )
        asked = _BODY.decode(body)
        messages = _messages(asked)
        tools = tuple(t for raw in (*(asked.tools or ()), *_added(asked)) for t in _tools(raw))
    except (msgspec.DecodeError, UnicodeDecodeError) as e:
        raise CallerError(f"the body is not a Responses request: {e}") from None
    top_logprobs = asked.top_logprobs or None
    return Request(
        model=asked.model,
        messages=messages,
        stream=bool(asked.stream),
        tools=tools,
        tool_choice=_choice(asked.tool_choice),
        parallel_tools=asked.parallel_tool_calls,
        sampling=Sampling(
            temperature=asked.temperature,
            top_p=asked.top_p,
            max_output=asked.max_output_tokens,
            logprobs=True if top_logprobs else None,
            top_logprobs=top_logprobs,
        ),
        reasoning=_wish(asked.reasoning),
        output=_form(asked.text),
        verbosity=(asked.text.verbosity if asked.text else None) or "",
        user=asked.user or "",
        metadata=given(asked.metadata),
        service_tier=asked.service_tier or "",
        store=asked.store,
        safety_identifier=asked.safety_identifier or "",
        prompt_cache_key=asked.prompt_cache_key or "",
        origin=NAME,
        extra=_extra(whole, asked),
    )


def _extra(whole: dict[str, Raw], asked: _Body) -> dict[str, Raw]:
    extra = {k: v for k, v in whole.items() if k not in _KNOWN and k not in _STATEFUL}
    if asked.reasoning is not None and (context := given(asked.reasoning.context)) is not None:
        extra["reasoning.context"] = context
    return extra


# -- turns ---------------------------------------------------------------------------------


class _Turns:
    """Items in, turns out: what the assistant says in a row is one turn, and so are results in a row."""

    def __init__(self) -> None:
        self.done: list[Message] = []
        self.names: dict[str, str] = {}
        self.seals: dict[str, Seal] = {}

    def add(self, message: Message) -> None:
        last = self.done[-1] if self.done else None
        if last is not None and last.role == message.role and self._joins(last, message):
            texts = [p for p in (*last.parts, *message.parts) if isinstance(p, Text)]
            plain = (last.plain or message.plain) and len(texts) == 1
            self.done[-1] = replace(last, parts=last.parts + message.parts, plain=plain)
        else:
            self.done.append(message)

    @staticmethod
    def _joins(last: Message, message: Message) -> bool:
        if message.role == "assistant":
            return True
        return all(isinstance(p, ToolResult) for p in last.parts + message.parts) and bool(last.parts)

    def sealed(self) -> tuple[Message, ...]:
        """The turns, with the seals of calls that travelled as items of their own put back on the calls."""
        if not self.seals:
            return tuple(self.done)
        return tuple(
            replace(m, parts=tuple(kept for p in m.parts if (kept := self._put_back(p)) is not None)) for m in self.done
        )

    def _put_back(self, part: Part) -> Part | None:
        if isinstance(part, ToolCall) and part.id in self.seals:
            seal = self.seals[part.id]
            return replace(part, seal=Seal(seal.origin, seal.data))
        if isinstance(part, Reasoning) and part.seal is not None and self._of_call(part.seal):
            return None
        return part

    def _of_call(self, seal: Seal) -> bool:
        return seal.origin != NAME and seal.id in self.names


def _messages(asked: _Body) -> tuple[Message, ...]:
    turns = _Turns()
    if asked.instructions:
        turns.done.append(Message("system", (Text(asked.instructions),), plain=True))
    if isinstance(asked.input, str):
        turns.done.append(Message("user", (Text(asked.input),), plain=True))
        return tuple(turns.done)
    for raw in asked.input or ():
        kind = _HEAD.decode(raw).type
        if kind == "additional_tools":
            continue
        read = _ITEMS.get(kind, _native)
        message = read(raw, turns)
        if message is not None:
            turns.add(message)
    turns.seals = {i: s for i, s in turns.seals.items() if i in turns.names}
    return turns.sealed()


def _message(raw: Raw, turns: _Turns) -> Message | None:
    item = _MESSAGE.decode(raw)
    plain = not isinstance(item.content, list)
    parts = _parts(item.content)
    match item.role:
        case "user" | "assistant":
            return Message(item.role, parts, plain)
        case "system" | "developer":
            return Message("system", parts, plain, developer=item.role == "developer")
        case _:
            raise CallerError(f"no such role: {item.role!r}", param="input")


def _call(raw: Raw, turns: _Turns) -> Message:
    item = _CALL.decode(raw)
    call_id = item.call_id or item.id or ""
    name = turns.names[call_id] = spaced(item.namespace, item.name)
    args = item.arguments
    # Some clients send the object itself where its JSON text is due.
    text = args if isinstance(args, str) else "" if args is None else msgspec.json.encode(args).decode()
    return Message("assistant", (ToolCall(call_id, name, text or "{}"),))


def _custom_call(raw: Raw, turns: _Turns) -> Message:
    item = _CALL.decode(raw)
    call_id = item.call_id or item.id or ""
    name = turns.names[call_id] = spaced(item.namespace, item.name)
    return Message("assistant", (ToolCall(call_id, name, item.input, custom=True),))


def _output(raw: Raw, turns: _Turns, *, custom: bool = False) -> Message:
    item = _OUTPUT.decode(raw)
    output = item.output
    if isinstance(output, dict):
        output = msgspec.json.encode(output).decode()
    parts = _parts(output)
    kept = tuple(p for p in parts if isinstance(p, Text | Media))
    plain = not isinstance(output, list)
    name = turns.names.get(item.call_id, "")
    return Message("user", (ToolResult(item.call_id, kept, name, custom=custom, plain=plain),))


def _custom_output(raw: Raw, turns: _Turns) -> Message:
    return _output(raw, turns, custom=True)


def _reasoning(raw: Raw, turns: _Turns) -> Message | None:
    item = _REASONING.decode(raw)
    text = joined(item.summary) or joined(item.content)
    seal = unpack(item.encrypted_content, NAME, item.id or "") if item.encrypted_content else None
    if seal is None and not text:
        return None
    if seal is not None and seal.origin != NAME and seal.id and not text:
        turns.seals[seal.id] = seal
    return Message("assistant", (Reasoning(text, seal, redacted=not text),))


def _image(raw: Raw, turns: _Turns) -> Message:
    media = image(raw)
    return Message("assistant", (media,)) if media is not None else _native(raw, turns)


def _native(raw: Raw, turns: _Turns) -> Message:
    kind = _HEAD.decode(raw).type
    answers = kind.endswith("_output") or kind == "mcp_approval_response"
    return Message("user" if answers else "assistant", (Native(NAME, raw.copy()),))


_ITEMS: dict[str, Callable[[Raw, _Turns], Message | None]] = {
    "message": _message,
    "function_call": _call,
    "function_call_output": _output,
    "custom_tool_call": _custom_call,
    "custom_tool_call_output": _custom_output,
    "reasoning": _reasoning,
    "image_generation_call": _image,
}


# -- content --------------------------------------------------------------------------------


def _parts(content: _Content) -> tuple[Part, ...]:
    if content is None:
        return ()
    if isinstance(content, str):
        return (Text(content),) if content else ()
    return tuple(_part(p) for p in content)


def _part(part: _Part) -> Part:
    match part.type:
        case "input_text" | "output_text" | "text":
            return Text(part.text, citations=citations(part.annotations))
        case "refusal":
            return Refusal(part.refusal)
        case "input_image":
            return _picture(part)
        case "input_file":
            return _file(part)
        case "input_audio" if part.input_audio is not None:
            mime = "audio/mpeg" if part.input_audio.format == "mp3" else f"audio/{part.input_audio.format or 'wav'}"
            return Media("audio", mime, Inline(part.input_audio.data))
        case kind:
            raise Unsupported(f"content of type {kind!r} cannot be converted", param="input")


def _picture(part: _Part) -> Media:
    detail = part.detail or ""
    if part.image_url:
        mime, source = _source(part.image_url)
        return Media("image", mime, source, detail=detail)
    if part.file_id:
        return Media("image", "", FileRef(part.file_id, NAME), detail=detail)
    raise CallerError("an input_image needs image_url or file_id", param="input")


def _file(part: _Part) -> Media:
    name = part.filename or ""
    if part.file_id:
        return Media("document", "", FileRef(part.file_id, NAME), name)
    if part.file_url:
        return Media("document", "", Url(part.file_url), name)
    if part.file_data:
        mime, source = _source(part.file_data)
        if isinstance(source, Url):
            # Bare base64 is what the API reference's own example sends.
            mime, source = "application/pdf", Inline(part.file_data)
        return Media("document", mime, source, name)
    raise CallerError("an input_file needs file_data, file_url or file_id", param="input")


def _source(url: str) -> tuple[str, Url | Inline]:
    if url.startswith("data:"):
        head, comma, data = url[5:].partition(",")
        if comma and head.endswith(";base64"):
            return head.partition(";")[0], Inline(data)
    return "", Url(url)


# -- the rest ---------------------------------------------------------------------------------


def _added(asked: _Body) -> list[Raw]:
    """Return the tools that come as items of the input, which is how Codex says all it has for the newest models."""
    if not isinstance(asked.input, list):
        return []
    added = (_ADDED.decode(raw) for raw in asked.input if _HEAD.decode(raw).type == "additional_tools")
    return [tool for item in added for tool in item.tools or ()]


def _tools(raw: Raw, space: str = "", about: str = "") -> list[AnyTool]:
    """Return a tool, or those of a namespace; the first of these says what they are for."""
    group = _SPACE.decode(raw)
    if group.type != "namespace":
        return [_tool(raw, space, about)]
    found: list[AnyTool] = []
    for inner in group.tools or ():
        found += _tools(inner, group.name, "" if found else group.description or "")
    return found


def _tool(raw: Raw, space: str, about: str) -> AnyTool:
    tool = _TOOL.decode(raw)
    name, description = spaced(space, tool.name), "\n\n".join(t for t in (about, tool.description) if t)
    match tool.type:
        case "function":
            return Tool(name, description, given(tool.parameters), tool.strict)
        case "custom":
            return CustomTool(name, description, given(tool.format))
        case kind if kind.startswith("web_search"):
            search = _SEARCH.decode(raw)
            where = {k: v for k, v in (search.user_location or {}).items() if k != "type" and v is not None}
            return WebSearch(
                context=search.search_context_size or "",
                allowed_domains=tuple((search.filters and search.filters.allowed_domains) or ()),
                user_location=Raw(msgspec.json.encode(where)) if where else None,
                body=raw.copy(),
                origin=NAME,
            )
        case _:
            return NativeTool(NAME, raw.copy())


def _choice(choice: Literal["auto", "none", "required"] | _Named | None) -> ToolChoice | None:
    if choice is None:
        return None
    if isinstance(choice, str):
        return ToolChoice(choice)
    if choice.type == "allowed_tools":
        return ToolChoice(choice.mode, names=tuple(t.name for t in choice.tools or () if t.name))
    if choice.type in ("function", "custom") and choice.name:
        return ToolChoice("named", spaced(choice.namespace, choice.name))
    # The vendor's own tools cannot be forced elsewhere.
    return ToolChoice("auto")


def _wish(effort: _Effort | None) -> ReasoningWish | None:
    if effort is None:
        return None
    summary = effort.summary or effort.generate_summary
    return ReasoningWish(effort=effort.effort, summary=summary, show=True if summary else None)


def _form(text: _TextWish | None) -> OutputWish | None:
    form = text.format if text else None
    if form is None:
        return None
    match form.type:
        case "json_schema":
            return OutputWish("schema", form.name, form.description or "", given(form.schema), form.strict)
        case "json_object":
            return OutputWish("json")
        case "text":
            return OutputWish()
        case kind:
            raise Unsupported(f"an output format of type {kind!r} cannot be converted", param="text.format")
