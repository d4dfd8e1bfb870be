"""OpenAI Responses: a request out of the canonical form.

Source: https://platform.openai.com/docs/api-reference/responses/create
"""

from __future__ import annotations

from typing import Any, assert_never

import msgspec
from msgspec import Raw

from newapi.base.errors import CallerError, Unsupported
from newapi.formats._responses_items import NAME
from newapi.formats.contract import Loss, Profile, Written
from newapi.ir.reasoning import effort_of, is_off
from newapi.ir.request import (
    AnyTool,
    CustomTool,
    FileRef,
    Inline,
    Media,
    Message,
    Native,
    OutputWish,
    Part,
    Reasoning,
    ReasoningWish,
    Refusal,
    Request,
    Text,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
    Url,
    WebSearch,
)

_MIN_OUTPUT = 16
"""Tokens; the API refuses a smaller `max_output_tokens`."""
_ENCRYPTED = "reasoning.encrypted_content"
_NO_PARAMETERS = Raw(b'{"type":"object","properties":{}}')


USER_LIMIT = 64
"""Characters that OpenAI takes as `user`: "Expected a string with maximum length 64" is its answer to more."""


def write_request(request: Request, profile: Profile) -> Written:
    """Return the request's bytes.

    Raises:
        Unsupported: It holds what Responses cannot say: several alternatives, sound as output, another vendor's parts.
    """
    return _Out(request, profile).written()


class _Out:
    """One request on its way out."""

    def __init__(self, request: Request, profile: Profile) -> None:
        self.request = request
        self.profile = profile
        self.losses: dict[str, None] = {}

    def lose(self, what: str, lost: object = True) -> None:
        """Note that `what` is left out, where there is anything to lose."""
        if lost is not None and lost is not False and lost not in ("", ()):
            self.losses[what] = None

    def written(self) -> Written:
        request = self.request
        if (request.sampling.n or 1) > 1:
            raise Unsupported("n>1 is not supported by the Responses API", param="n")
        if "audio" in request.modalities:
            raise Unsupported("the Responses API does not answer with sound", param="modalities")
        body: dict[str, Any] = dict(request.extra) if request.origin == NAME else {}
        body |= {"model": request.model} | self.conversation()
        if request.stream:
            body["stream"] = True
        body |= self.tools() | self.sampling() | self.thinking(body.get("include")) | self.text()
        for key, value in (
            ("parallel_tool_calls", request.parallel_tools),
            ("metadata", request.metadata),
            ("user", self.user() or None),
            ("service_tier", request.service_tier or None),
            ("safety_identifier", request.safety_identifier or None),
            ("prompt_cache_key", request.prompt_cache_key or None),
        ):
            if value is not None:
                body[key] = value
        self.lose("modalities", "image" in request.modalities)
        if request.origin != NAME:
            for key in request.extra:
                self.lose(f"extra.{key}")
        return Written(msgspec.json.encode(body), tuple(Loss(w) for w in self.losses))

    def user(self) -> str:
        """Who asks. OpenAI refuses one that is longer; Claude Code says about 170 characters of JSON."""
        user = self.request.user
        if len(user) <= USER_LIMIT or self.request.origin.startswith("openai"):
            return user
        self.lose("user")
        return ""

    # -- turns ---------------------------------------------------------------------------

    def conversation(self) -> dict[str, Any]:
        instructions: list[str] = []
        items: list[Any] = []
        for message in self.request.messages:
            self.lose("messages.name", message.name)
            if message.role == "system":
                text = "\n".join(p.text for p in message.parts if isinstance(p, Text)).strip()
                if text:
                    instructions.append(text)
            else:
                self.turn(message, items)
        system = "\n\n".join(instructions)
        if not items and system:
            # Instructions alone are nothing to answer.
            return {"input": [{"role": "developer", "content": system}]}
        return ({"instructions": system} if system else {}) | {"input": items}

    def turn(self, message: Message, items: list[Any]) -> None:
        """Append a turn: its texts and media as one message, as far as no item of another kind comes between."""
        content: list[dict[str, Any]] = []

        def flush() -> None:
            if content:
                bare = message.plain and len(content) == 1 and "text" in content[0]
                items.append({"role": message.role, "content": content[0]["text"] if bare else content.copy()})
                content.clear()

        for part in message.parts:
            if isinstance(part, Text | Refusal) or (isinstance(part, Media) and message.role == "user"):
                content.append(self.content(part, message.role))
                continue
            item = self.item(part)
            if item is not None:
                flush()
                items.append(item)
        flush()

    def content(self, part: Text | Refusal | Media, role: str) -> dict[str, Any]:
        match part:
            case Text():
                self.lose("cache_marks", part.cache)
                return {"type": "output_text" if role == "assistant" else "input_text", "text": part.text}
            case Refusal():
                if role == "assistant":
                    return {"type": "refusal", "refusal": part.text}
                return {"type": "input_text", "text": part.text}
            case Media():
                self.lose("cache_marks", part.cache)
                return _media(part)

    def item(self, part: Part) -> Any:
        match part:
            case ToolCall():
                self.lose("cache_marks", part.cache)
                said = {"call_id": part.id, "name": part.name}
                if part.custom:
                    return {"type": "custom_tool_call", **said, "input": part.args}
                return {"type": "function_call", **said, "arguments": part.args or "{}"}
            case ToolResult():
                return self.result(part)
            case Reasoning():
                return self.reasoning(part)
            case Native():
                if part.origin == NAME:
                    return part.body
                self.lose("parts.native")
                return None
            case Media():
                if part.kind == "image" and part.id and isinstance(part.source, Inline):
                    made = {"type": "image_generation_call", "id": part.id, "status": "completed"}
                    return {**made, "result": part.source.data}
                raise Unsupported("the Responses API takes no media in an assistant's turn", param="messages")
            case Text() | Refusal():
                raise AssertionError("texts are content")
            case _:
                assert_never(part)

    def result(self, part: ToolResult) -> dict[str, Any]:
        self.lose("tool_result.error", part.error)
        self.lose("cache_marks", part.cache)
        texts = [p.text for p in part.parts if isinstance(p, Text)]
        output: Any = [self.content(p, "user") for p in part.parts]
        if len(texts) == len(part.parts) and (part.plain or not texts):
            output = "".join(texts)
        kind = "custom_tool_call_output" if part.custom else "function_call_output"
        return {"type": kind, "call_id": part.id, "output": output}

    def reasoning(self, part: Reasoning) -> dict[str, Any] | None:
        """An earlier turn's reasoning: only with OpenAI's own seal, since without it the API refuses the item."""
        seal = part.seal
        if seal is None or seal.origin != NAME:
            self.lose("reasoning of earlier turns")
            return None
        summary = [{"type": "summary_text", "text": part.text}] if part.text else []
        item: dict[str, Any] = {"type": "reasoning", "summary": summary, "encrypted_content": seal.data}
        return {**item, "id": seal.id} if seal.id else item

    # -- the rest ----------------------------------------------------------------------------

    def tools(self) -> dict[str, Any]:
        if not self.request.tools:
            return {}
        tools = [t for t in map(self.tool, self.request.tools) if t is not None]
        if not tools:
            return {}
        out: dict[str, Any] = {"tools": tools}
        if self.request.tool_choice is not None:
            out["tool_choice"] = self.choice(self.request.tool_choice)
        return out

    def tool(self, tool: AnyTool) -> Any:
        match tool:
            case Tool():
                self.lose("cache_marks", tool.cache)
                return _described("function", tool.name, tool.description) | {
                    "parameters": tool.schema or _NO_PARAMETERS,
                    # Without it this API (unlike chat) makes the schema strict, and refuses many that were fine.
                    "strict": bool(tool.strict),
                }
            case CustomTool():
                out = _described("custom", tool.name, tool.description)
                return out if tool.format is None else out | {"format": tool.format}
            case WebSearch():
                return self.search(tool)
            case _:
                if tool.origin == NAME:
                    return tool.body
                self.lose("tools.native")
                return None

    def search(self, tool: WebSearch) -> Any:
        if tool.origin == NAME and tool.body is not None:
            return tool.body
        self.lose("web_search.max_uses", tool.max_uses)
        self.lose("web_search.blocked_domains", tool.blocked_domains)
        out: dict[str, Any] = {"type": "web_search"}
        if tool.context:
            out["search_context_size"] = tool.context
        if tool.user_location is not None:
            out["user_location"] = {"type": "approximate", **msgspec.json.decode(tool.user_location, type=dict)}
        if tool.allowed_domains:
            out["filters"] = {"allowed_domains": tool.allowed_domains}
        return out

    def choice(self, choice: ToolChoice) -> Any:
        if choice.mode == "named":
            return self.named(choice.name)
        if choice.names:
            mode = "required" if choice.mode == "required" else "auto"
            return {"type": "allowed_tools", "mode": mode, "tools": [self.named(n) for n in choice.names]}
        return choice.mode

    def named(self, name: str) -> dict[str, str]:
        custom = any(isinstance(t, CustomTool) and t.name == name for t in self.request.tools)
        return {"type": "custom" if custom else "function", "name": name}

    def sampling(self) -> dict[str, Any]:
        said = self.request.sampling
        for what in (
            "top_k",
            "stop",
            "seed",
            "presence_penalty",
            "frequency_penalty",
            "logprobs",
            "top_logprobs",
            "logit_bias",
        ):
            self.lose(f"sampling.{what}", getattr(said, what))
        out: dict[str, Any] = {}
        for what in ("temperature", "top_p"):
            value = getattr(said, what)
            if value is None:
                continue
            if self.profile.sampling:
                out[what] = value
            else:
                self.lose(f"sampling.{what}")
        if said.max_output:
            out["max_output_tokens"] = max(said.max_output, _MIN_OUTPUT)
        return out

    def thinking(self, include: Raw | None) -> dict[str, Any]:
        out: dict[str, Any] = {}
        store, thinks = self.request.store, self.profile.reasoning == "effort"
        if store is None and thinks:
            # Nothing refers to what OpenAI would keep. What it does not keep it must hand over encrypted, else the
            # next turn goes on without the reasoning of this one.
            store = False
        if store is not None:
            out["store"] = store
        if thinks and store is False:
            wanted = _included(include)
            out["include"] = [*wanted, *([] if _ENCRYPTED in wanted else [_ENCRYPTED])]
        wish = self.request.reasoning
        if wish is None:
            return out
        if not thinks:
            self.lose("reasoning", not is_off(wish))
            return out
        reasoning = self.wish(wish)
        return out | {"reasoning": reasoning} if reasoning else out

    def wish(self, wish: ReasoningWish) -> dict[str, str]:
        out: dict[str, str] = {}
        effort = effort_of(wish, self.profile.efforts)
        if effort:
            out["effort"] = effort
        summary = wish.summary
        # Vendors that take a budget show thoughts unless told otherwise; OpenAI shows none unless asked.
        shown = wish.show or (wish.show is None and (wish.enabled or wish.adaptive or wish.budget))
        if summary is None and shown and not is_off(wish):
            summary = "auto"
        if summary:
            out["summary"] = summary
        return out

    def text(self) -> dict[str, Any]:
        out: dict[str, Any] = {}
        if self.request.output is not None:
            out["format"] = self.form(self.request.output)
        if self.request.verbosity:
            out["verbosity"] = self.request.verbosity
        return {"text": out} if out else {}

    def form(self, wish: OutputWish) -> dict[str, Any]:
        if wish.kind == "text":
            return {"type": "text"}
        if wish.kind == "json" or wish.schema is None:
            return {"type": "json_object"}
        if not self.profile.json_schema:
            self.lose("output.schema")
            return {"type": "json_object"}
        out = _described("json_schema", wish.name or "response", wish.description) | {"schema": wish.schema}
        return out if wish.strict is None else out | {"strict": wish.strict}


def _described(type: str, name: str, description: str) -> dict[str, Any]:
    out = {"type": type, "name": name}
    return {**out, "description": description} if description else out


def _media(media: Media) -> dict[str, Any]:
    source = media.source
    if isinstance(source, FileRef) and not source.origin.startswith("openai"):
        raise Unsupported(f"a file that {source.origin} stores means nothing to OpenAI")
    if media.kind == "image":
        out: dict[str, Any] = {"type": "input_image"}
        match source:
            case Url():
                out["image_url"] = source.url
            case Inline():
                out["image_url"] = f"data:{media.mime or 'image/png'};base64,{source.data}"
            case FileRef():
                out["file_id"] = source.id
        return {**out, "detail": media.detail} if media.detail else out
    if media.kind == "audio" and isinstance(source, Inline):
        form = {"mpeg": "mp3", "x-wav": "wav", "wave": "wav"}.get(kind := media.mime.partition("/")[2], kind)
        return {"type": "input_audio", "input_audio": {"data": source.data, "format": form or "wav"}}
    if media.kind == "document":
        match source:
            case Url():
                return {"type": "input_file", "file_url": source.url}
            case FileRef():
                return {"type": "input_file", "file_id": source.id}
            case Inline():
                mime = media.mime or "application/pdf"
                name = media.name or ("document.pdf" if mime == "application/pdf" else "document.txt")
                return {"type": "input_file", "filename": name, "file_data": f"data:{mime};base64,{source.data}"}
    raise Unsupported(f"the Responses API takes no {media.kind} in this form", param="messages")


def _included(include: Raw | None) -> list[str]:
    try:
        return msgspec.json.decode(include, type=list[str] | None) or [] if include else []
    except msgspec.ValidationError:
        raise CallerError("include is a list of texts", param="include") from None
