"""Chat completion requests read. Source: https://platform.openai.com/docs/api-reference/chat/create"""

from __future__ import annotations

from typing import Any, TypeVar, cast

import msgspec
from msgspec import Raw, Struct

from newapi.base.body import split
from newapi.base.errors import CallerError
from newapi.formats import _openai_seals as seals
from newapi.formats._openai_media import document_of, image_of, source_of
from newapi.formats._openai_usage import as_dict
from newapi.formats._output_limit import check_limit
from newapi.formats.contract import Params, Peek
from newapi.ir.request import (
    AnyTool,
    CacheMark,
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
    WebSearch,
)

ORIGIN = "openai_chat"
_NULL = Raw(b"null")

T = TypeVar("T")
_STOP = cast("type[str | list[str]]", str | list[str])  # a union is no type to a type checker


# -- what routing needs ---------------------------------------------------------------


class _StreamOptions(Struct):
    include_usage: bool | None = None


class _SearchOptions(Struct):
    search_context_size: str | None = None


class _Peek(Struct):
    """What routing needs, and what is refused before anybody is asked."""

    model: str | None = None
    stream: bool | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    n: int | None = None
    stream_options: _StreamOptions | None = None
    temperature: float | None = None
    top_p: float | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    web_search_options: _SearchOptions | None = None
    tools: Raw = _NULL
    messages: Raw = _NULL
    prompt: Raw = _NULL
    prefix: Raw = _NULL
    suffix: Raw = _NULL


_peek = msgspec.json.Decoder(_Peek).decode
_EMPTY = (b"null", b"", b'""')


def peek(body: bytes, params: Params) -> Peek:
    """Return what routing needs of a chat request, without parsing its messages.

    Raises:
        CallerError: It is not JSON, lacks the model or the messages, or a field has the wrong type.
    """
    said = _peeked(body)
    messages = bytes(said.messages)
    if messages[:1] != b"[" and messages != b"null":
        raise CallerError("field messages must be a list", param="messages")
    fills_in = bytes(said.prefix) not in _EMPTY or bytes(said.suffix) not in _EMPTY
    is_empty = messages == b"null" or (len(messages) < 64 and not messages[1:-1].strip())
    if is_empty and not fills_in:
        raise CallerError("field messages is required", param="messages")
    return _peek_of(said)


def peek_prompt(body: bytes, params: Params) -> Peek:
    """Return what routing needs of a legacy completion request.

    Raises:
        CallerError: It is not JSON, lacks the model, or a field has the wrong type.
    """
    said = _peeked(body)
    if bytes(said.prompt) in (b'""', b"[]"):
        raise CallerError("field prompt is required", param="prompt")
    return _peek_of(said)


def _peeked(body: bytes) -> _Peek:
    try:
        return _peek(body)
    except msgspec.ValidationError as e:
        raise _wrong_type(e) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as e:
        raise CallerError(f"the body is not a JSON object: {e}", code="invalid_json") from None


def _peek_of(said: _Peek) -> Peek:
    if not said.model:
        raise CallerError("model is required", param="model")
    if bytes(said.tools)[:1] not in (b"[", b"n"):
        raise CallerError("field tools must be a list", param="tools")
    if said.web_search_options is not None:
        _check_context(said.web_search_options.search_context_size)
    for name, value in (("max_tokens", said.max_tokens), ("max_completion_tokens", said.max_completion_tokens)):
        check_limit(name, value)
    return Peek(
        model=said.model,
        stream=bool(said.stream),
        max_output=max(said.max_tokens or 0, said.max_completion_tokens or 0),
        n=said.n or 1,
        include_usage=bool(said.stream_options and said.stream_options.include_usage),
    )


def _check_context(size: str | None) -> None:
    if size not in (None, "", "low", "medium", "high"):
        raise CallerError(
            "invalid search_context_size, must be one of: high, medium, low",
            param="web_search_options.search_context_size",
        )


def _wrong_type(error: msgspec.ValidationError, key: str = "") -> CallerError:
    """Msgspec says `Expected `int`, got `str` - at `$.max_tokens``: name the field for the caller."""
    what, _, path = str(error).partition(" - at `")
    field = path.rstrip("`").removeprefix("$").removeprefix(".")
    if key:
        field = key + (field if field.startswith("[") or not field else f".{field}")
    return CallerError(f"field {field or 'body'}: {what[:1].lower()}{what[1:]}", param=field)


# -- the whole request ----------------------------------------------------------------


class Fields:
    """The top-level keys of a request, each decoded when it is asked for; what nobody asked for is `rest`."""

    def __init__(self, body: bytes) -> None:
        """Split `body`.

        Raises:
            CallerError: It is not a JSON object.
        """
        self.rest = split(body)

    def take(self, key: str, type: type[T]) -> T | None:
        """Remove `key` and return its value, None when it is absent or null.

        Raises:
            CallerError: It is of another type.
        """
        raw = self.rest.pop(key, None)
        return None if raw is None else self._decode(key, raw, type)

    def any(self, key: str) -> Any:
        """Remove `key` and return its value, whatever it is; None when it is absent or null."""
        raw = self.rest.pop(key, None)
        return None if raw is None else msgspec.json.decode(raw)

    def look(self, key: str, type: type[T]) -> T | None:
        """Return the value of `key` as `take` does, and leave it; None where it is of another type."""
        raw = self.rest.get(key)
        if raw is None:
            return None
        try:
            return msgspec.json.decode(raw, type=type)
        except msgspec.ValidationError:
            return None

    def raw(self, key: str) -> Raw | None:
        """Remove `key` and return its JSON, None when it is absent or null."""
        raw = self.rest.pop(key, None)
        return None if raw is None or bytes(raw) == b"null" else raw

    @staticmethod
    def _decode(key: str, raw: Raw, type: type[T]) -> T | None:
        if bytes(raw) == b"null":
            return None
        try:
            return msgspec.json.decode(raw, type=type)
        except msgspec.ValidationError as e:
            raise _wrong_type(e, key) from None


class _Function(Struct):
    name: str = ""
    arguments: Any = ""


class _CustomCall(Struct):
    name: str = ""
    input: str = ""


class _Call(Struct):
    id: str | None = None
    function: _Function | None = None
    custom: _CustomCall | None = None
    extra_content: Any = None


class _Message(Struct):
    role: str | None = None
    content: str | list[dict[str, Any]] | None = None
    name: str | None = None
    tool_call_id: str | None = None
    tool_calls: list[_Call] | None = None
    function_call: _Function | None = None
    reasoning_content: str | None = None
    reasoning: Any = None
    reasoning_details: Any = None
    refusal: str | None = None
    audio: Any = None
    extra_content: Any = None
    cache_control: Any = None


class _ToolFunction(Struct):
    name: str
    description: str | None = None
    parameters: Raw = _NULL
    strict: bool | None = None


class _CustomTool(Struct):
    name: str
    description: str | None = None
    format: Raw = _NULL


class _Tool(Struct):
    type: str = "function"
    function: _ToolFunction | None = None
    custom: _CustomTool | None = None
    cache_control: Any = None


class _Schema(Struct):
    name: str = ""
    description: str | None = None
    schema: Raw = _NULL
    strict: bool | None = None


class _ResponseFormat(Struct):
    type: str
    json_schema: _Schema | None = None


class _Location(Struct):
    approximate: Raw = _NULL


class _WebSearch(Struct):
    search_context_size: str | None = None
    user_location: _Location | None = None


class _Wish(Struct):
    effort: str | None = None
    max_tokens: int | None = None
    enabled: bool | None = None
    exclude: bool | None = None
    summary: str | None = None


class _Thinking(Struct):
    type: str = ""
    budget_tokens: int | None = None


def read_request(body: bytes, params: Params) -> Request:
    """Return a chat request in the canonical form; keys that nobody knows are kept in `extra`.

    Raises:
        CallerError: It makes no sense; `param` names the field.
    """
    fields = Fields(body)
    messages = fields.take("messages", list[_Message])
    if not messages:
        raise CallerError("field messages is required", param="messages")
    return read_common(fields, _Conversation().read(messages), ORIGIN)


def read_common(fields: Fields, messages: tuple[Message, ...], origin: str) -> Request:
    """Return the request of everything but its messages.

    Raises:
        CallerError: A field makes no sense.
    """
    model = fields.take("model", str)
    if not model:
        raise CallerError("model is required", param="model")
    options = fields.take("stream_options", _StreamOptions)
    return Request(
        model=model,
        messages=messages,
        stream=bool(fields.take("stream", bool)),
        tools=_tools(fields),
        tool_choice=_tool_choice(fields),
        parallel_tools=fields.take("parallel_tool_calls", bool),
        sampling=_sampling(fields),
        reasoning=_reasoning_wish(fields),
        output=_output(fields),
        modalities=tuple(m.lower() for m in fields.take("modalities", list[str]) or ()),
        audio=fields.raw("audio"),
        verbosity=fields.take("verbosity", str) or "",
        user=fields.take("user", str) or "",
        metadata=fields.raw("metadata"),
        service_tier=fields.take("service_tier", str) or "",
        store=fields.take("store", bool),
        safety_identifier=fields.take("safety_identifier", str) or "",
        prompt_cache_key=fields.take("prompt_cache_key", str) or "",
        include_usage=options.include_usage if options else None,
        origin=origin,
        extra=fields.rest,
    )


# -- messages ---------------------------------------------------------------------------


class _Conversation:
    """Messages one after another: tool answers become parts of a user turn, and learn the names of their tools."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._made_up = 0
        self._unanswered: list[str] = []
        """Ids that calls were given here, having none, and that no answer has taken yet."""

    def read(self, messages: list[_Message]) -> tuple[Message, ...]:
        out: list[Message] = []
        after_result = False
        for place, message in enumerate(messages):
            role = message.role or "user"
            is_result = role in ("tool", "function")
            turn = self._message(role, message, f"messages[{place}]")
            if is_result and after_result:
                turn = _joined(out.pop(), turn)
            out.append(turn)
            after_result = is_result
        return tuple(out)

    def _message(self, role: str, message: _Message, where: str) -> Message:
        name = message.name or ""
        match role:
            case "system" | "developer":
                return Message("system", _content(message, where), _plain(message), name, role == "developer")
            case "user":
                return Message("user", _content(message, where), _plain(message), name)
            case "assistant":
                return Message("assistant", self._assistant(message, where), _plain(message), name)
            case "tool" | "function":
                return Message("user", (self._result(message, where),))
            case _:
                raise CallerError(f"field {where}.role: there is no role {role!r}", param=f"{where}.role")

    def _next_unanswered(self, name: str | None) -> str:
        """Return the id of the call that an answer without an id belongs to: the first that waits, of that name."""
        waiting = self._unanswered
        id = next((i for i in waiting if self._names[i] == name), waiting[0] if waiting else "")
        if id:
            waiting.remove(id)
        return id

    def _result(self, message: _Message, where: str) -> ToolResult:
        id = message.tool_call_id or self._next_unanswered(message.name)
        found: list[Text | Media] = []
        for part in _content(message, where):
            if not isinstance(part, Text | Media):
                raise CallerError(f"field {where}.content: a tool answers with text or media", param=f"{where}.content")
            found.append(part)
        return ToolResult(
            id,
            tuple(found),
            message.name or self._names.get(id, ""),
            cache=_mark(message.cache_control),
            plain=_plain(message) or message.content is None,
        )

    def _assistant(self, message: _Message, where: str) -> tuple[Part, ...]:
        plain = message.reasoning_content or message.reasoning
        parts: list[Part] = [*seals.parts(message.reasoning_details, plain if isinstance(plain, str) else "")]
        content = _content(message, where)
        seal = seals.google(message.extra_content)
        if seal is not None and content and isinstance(last := content[-1], Text):
            content = (*content[:-1], msgspec.structs.replace(last, seal=seal))
        parts += content
        if message.refusal:
            parts.append(Refusal(message.refusal))
        if isinstance(id := as_dict(message.audio).get("id"), str):
            parts.append(Media("audio", "", FileRef(id, ORIGIN)))
        if message.function_call is not None:
            parts.append(self._call(_Call(function=message.function_call)))
        parts += [self._call(c) for c in message.tool_calls or ()]
        return tuple(parts)

    def _call(self, call: _Call) -> ToolCall:
        id = call.id or f"call_{self._made_up}"
        self._made_up += 1
        if not call.id:
            self._unanswered.append(id)
        seal = seals.google(call.extra_content)
        if call.custom is not None:
            self._names[id] = call.custom.name
            return ToolCall(id, call.custom.name, call.custom.input, custom=True, seal=seal)
        function = call.function or _Function()
        self._names[id] = function.name
        given = function.arguments
        args = given if isinstance(given, str) else "" if given is None else msgspec.json.encode(given).decode()
        return ToolCall(id, function.name, args, seal=seal)


def _joined(results: Message, more: Message) -> Message:
    return msgspec.structs.replace(results, parts=(*results.parts, *more.parts))


def _plain(message: _Message) -> bool:
    return isinstance(message.content, str)


def _content(message: _Message, where: str) -> tuple[Part, ...]:
    content = message.content
    mark = _mark(message.cache_control)
    if content is None:
        return ()
    if isinstance(content, str):
        return (Text(content, mark),) if content or message.role != "assistant" else ()
    return tuple(_part(p, f"{where}.content[{i}]") for i, p in enumerate(content))


def _part(part: dict[str, Any], where: str) -> Part:
    """Return one content part; of a kind that nobody else knows, as it came."""
    found: Part | None = None
    mark = _mark(part.get("cache_control"))
    match part.get("type"):
        case "text" | "input_text" | "output_text":
            if not isinstance(text := part.get("text"), str):
                raise CallerError(f"field {where}.text: expected a string", param=f"{where}.text")
            return Text(text, mark)
        case "refusal" if isinstance(text := part.get("refusal"), str):
            return Refusal(text)
        case "thinking" if isinstance(text := part.get("thinking"), str):
            return Reasoning(text)
        case "image_url" | "input_image":
            # The second is the Responses API's word, its detail beside the URL: some clients say it here.
            found = image_of(part.get("image_url"))
            if found is not None and isinstance(detail := part.get("detail"), str):
                found = msgspec.structs.replace(found, detail=detail)
        case "input_audio":
            audio = as_dict(part.get("input_audio"))
            data, form = audio.get("data"), audio.get("format")
            if isinstance(data, str) and isinstance(form, str):
                found = Media("audio", f"audio/{form}", source_of(data)[1])
        case "video_url":
            url = as_dict(part.get("video_url")).get("url") or part.get("video_url")
            if isinstance(url, str):
                mime, source = source_of(url)
                found = Media("video", mime or ("video/mp4" if isinstance(source, Inline) else ""), source)
        case "file":
            found = document_of(as_dict(part.get("file")))
        case str():
            return Native(ORIGIN, Raw(msgspec.json.encode(part)))
        case _:
            raise CallerError(f"field {where}.type is required", param=f"{where}.type")
    if found is None:
        raise CallerError(f"field {where} is incomplete", param=where)
    return msgspec.structs.replace(found, cache=mark) if mark else found


def _mark(value: Any) -> CacheMark | None:
    if not isinstance(value, dict):
        return None
    ttl = as_dict(value).get("ttl")
    return CacheMark(ttl if isinstance(ttl, str) else "")


# -- tools ------------------------------------------------------------------------------


def _tools(fields: Fields) -> tuple[AnyTool, ...]:
    out: list[AnyTool] = [_tool(raw, f"tools[{i}]") for i, raw in enumerate(fields.take("tools", list[Raw]) or ())]
    for function in fields.take("functions", list[_ToolFunction]) or ():
        out.append(_function(function))
    raw = fields.rest.get("web_search_options")
    search = fields.take("web_search_options", _WebSearch)
    if search is not None:
        size = search.search_context_size
        _check_context(size)
        location = _said(search.user_location.approximate) if search.user_location else None
        context = "" if size is None else size or "medium"
        out.append(WebSearch(context, user_location=location, body=raw, origin=ORIGIN))
    return tuple(out)


def _tool(raw: Raw, where: str) -> AnyTool:
    try:
        tool = msgspec.json.decode(raw, type=_Tool)
    except msgspec.ValidationError as e:
        raise _wrong_type(e, where) from None
    if tool.type == "function":
        if tool.function is None or not tool.function.name:
            raise CallerError(f"field {where}.function.name is required", param=f"{where}.function.name")
        return _function(tool.function, _mark(tool.cache_control))
    if tool.type == "custom" and tool.custom is not None:
        return CustomTool(tool.custom.name, tool.custom.description or "", _said(tool.custom.format))
    return NativeTool(ORIGIN, raw)


def _function(function: _ToolFunction, mark: CacheMark | None = None) -> Tool:
    return Tool(function.name, function.description or "", _said(function.parameters), function.strict, mark)


def _said(raw: Raw) -> Raw | None:
    return None if bytes(raw) == b"null" else raw


def _tool_choice(fields: Fields) -> ToolChoice | None:
    choice: Any = fields.any("tool_choice")
    if choice is None:
        choice = fields.any("function_call")  # `{"name": …}` reads as a choice of the function, as it is
    match choice:
        case None:
            return None
        case "auto" | "none" | "required":
            return ToolChoice(choice)
        case "any":  # Mistral's word
            return ToolChoice("required")
        case _:
            said = as_dict(choice)
    if said.get("type") == "allowed_tools":
        # The Responses API says mode and tools beside the type.
        allowed = as_dict(said.get("allowed_tools")) or said
        listed = allowed.get("tools")
        names = tuple(n for t in cast("list[Any]", listed) if (n := _name_of(t))) if isinstance(listed, list) else ()
        return ToolChoice("required" if allowed.get("mode") == "required" else "auto", names=names)
    if name := _name_of(said):
        return ToolChoice("named", name)
    raise CallerError("field tool_choice makes no sense", param="tool_choice")


def _name_of(tool: Any) -> str:
    tool = as_dict(tool)
    inner = as_dict(tool.get("function")) or as_dict(tool.get("custom")) or tool
    name = inner.get("name")
    return name if isinstance(name, str) else ""


# -- knobs ------------------------------------------------------------------------------


def _sampling(fields: Fields) -> Sampling:
    limit, newer = fields.take("max_tokens", int), fields.take("max_completion_tokens", int)
    check_limit("max_tokens", limit)
    check_limit("max_completion_tokens", newer)
    stop = fields.take("stop", _STOP)
    return Sampling(
        temperature=fields.take("temperature", float),
        top_p=fields.take("top_p", float),
        top_k=fields.take("top_k", int),
        max_output=limit if newer is None else newer if limit is None else max(limit, newer),
        stop=(stop,) if isinstance(stop, str) else tuple(stop or ()),
        seed=fields.take("seed", int),
        presence_penalty=fields.take("presence_penalty", float),
        frequency_penalty=fields.take("frequency_penalty", float),
        n=fields.take("n", int),
        logprobs=fields.take("logprobs", bool),
        top_logprobs=fields.take("top_logprobs", int),
        logit_bias=fields.raw("logit_bias"),
    )


def _reasoning_wish(fields: Fields) -> ReasoningWish | None:
    """Return how hard to think, in whichever vendor's words.

    OpenAI's `reasoning_effort`; OpenRouter's `reasoning`; `thinking` of DeepSeek, Zhipu, Volcengine; Qwen's
    `enable_thinking`; Google's `extra_body`. Words that are not OpenAI's stay in `extra` for upstreams that know them.
    """
    effort = fields.take("reasoning_effort", str)
    wish = fields.take("reasoning", _Wish) or _Wish()
    thinking = fields.look("thinking", _Thinking) or _Thinking()
    google = as_dict(as_dict((fields.look("extra_body", dict[str, Any]) or {}).get("google")).get("thinking_config"))
    enabled, budget = wish.enabled, wish.max_tokens
    if enabled is None and thinking.type in ("enabled", "disabled"):
        enabled = thinking.type == "enabled"
    if enabled is None:
        enabled = fields.look("enable_thinking", bool)
    for other in (thinking.budget_tokens, fields.look("thinking_budget", int), google.get("thinking_budget")):
        budget = other if budget is None and isinstance(other, int) else budget
    level, shown = google.get("thinking_level"), google.get("include_thoughts")
    effort = wish.effort or effort or (level.lower() if isinstance(level, str) else None)
    show = (not wish.exclude) if wish.exclude is not None else shown if isinstance(shown, bool) else None
    found = ReasoningWish(enabled, effort, budget, thinking.type in ("adaptive", "auto"), wish.summary, show)
    return None if found == ReasoningWish() else found


def _output(fields: Fields) -> OutputWish | None:
    wanted = fields.take("response_format", _ResponseFormat)
    match wanted and wanted.type:
        case None:
            return None
        case "text":
            return OutputWish()
        case "json_object":
            return OutputWish("json")
        case "json_schema":
            schema = (wanted and wanted.json_schema) or _Schema()
            return OutputWish("schema", schema.name, schema.description or "", _said(schema.schema), schema.strict)
        case other:
            raise CallerError(f"field response_format.type: there is no {other!r}", param="response_format.type")
