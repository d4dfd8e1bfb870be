"""The canonical form into a Messages request. Source: https://docs.claude.com/en/api/messages"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Iterator
from typing import Any, cast

import msgspec
from msgspec import Raw

from newapi.base.errors import Unsupported
from newapi.formats.contract import Loss, Profile, Written
from newapi.ir.reasoning import CLAUDE_BUDGETS, budget_of, effort_of, is_off
from newapi.ir.request import (
    CacheMark,
    CustomTool,
    Inline,
    Media,
    Message,
    Native,
    NativeTool,
    Part,
    Reasoning,
    ReasoningWish,
    Refusal,
    Request,
    Text,
    Tool,
    ToolCall,
    ToolResult,
    Url,
    WebSearch,
)

NAME = "anthropic_messages"
Json = dict[str, Any]
FILLER = "..."
"""A text where Anthropic wants one and nothing was said: New API's."""
_ID = re.compile(r"[^a-zA-Z0-9_-]")
_SEARCH_USES = {"low": 1, "medium": 5, "high": 10}
_EMPTY_SCHEMA = Raw(b'{"type":"object","properties":{}}')


def write_request(request: Request, profile: Profile) -> Written:
    """Return the request in Anthropic's words.

    Raises:
        Unsupported: It has content that Anthropic cannot be told.
    """
    return _Writer(request, profile).write()


def tool_id(id: str) -> str:
    """Return an id of the letters that Anthropic takes, the same for the same id."""
    return _ID.sub("_", id) or "_"


class _Writer:
    def __init__(self, request: Request, profile: Profile) -> None:
        self.request = request
        self.profile = profile
        self.losses: dict[str, Loss] = {}
        self.body: Json = {"model": request.model}

    def lose(self, what: str) -> None:
        self.losses[what] = Loss(what)

    def write(self) -> Written:
        request, body = self.request, self.body
        system = [self._text(p) for m in request.messages if m.role == "system" for p in m.parts if _says(p)]
        if system:
            body["system"] = system
        body["messages"] = self._messages()
        body["max_tokens"] = request.sampling.max_output or self.profile.default_max_output
        if request.stream:
            body["stream"] = True
        self._sampling()
        self._tools()
        self._output()
        self._reasoning()
        if request.user:
            body["metadata"] = {"user_id": request.user} if request.origin == NAME else None
        if body.get("metadata", True) is None:
            del body["metadata"]
            self.lose("user")
        return Written(msgspec.json.encode(body), tuple(self.losses.values()))

    # -- turns ---------------------------------------------------------------------------

    def _messages(self) -> list[Json]:
        out: list[Json] = []
        for message in self.request.messages:
            if message.role == "system":
                continue
            content = self._content(message)
            if not content:
                continue
            last = out[-1] if out else None
            if last is not None and last["role"] == message.role:
                last["content"] = _joined(last["content"], content, message.role)
            else:
                out.append({"role": message.role, "content": content})
        if not out or out[0]["role"] != "user":
            out.insert(0, {"role": "user", "content": [{"type": "text", "text": FILLER}]})
        return out

    def _content(self, message: Message) -> str | list[Json]:
        parts = message.parts
        only = parts[0] if len(parts) == 1 else None
        if message.plain and isinstance(only, Text) and only.cache is None:
            return only.text if only.text.strip() else ([] if message.role == "user" else "")
        blocks = [b for p in parts for b in self._blocks(p)]
        if message.role == "user":
            # Results come first, whatever was said beside them.
            return [b for b in blocks if b["type"] == "tool_result"] + [b for b in blocks if b["type"] != "tool_result"]
        if self.request.origin == "openai_chat" and blocks and all(b["type"] == "tool_use" for b in blocks):
            # OpenAI's turn has a text of null there, which New API tells so.
            return [{"type": "text", "text": FILLER}, *blocks]
        return blocks

    def _blocks(self, part: Part) -> Iterator[Json]:
        match part:
            case Text():
                if _says(part):
                    yield self._text(part)
            case Refusal(text=text):
                if text.strip():
                    yield {"type": "text", "text": text}
            case Reasoning():
                yield from self._thought(part)
            case Media():
                yield self._media(part)
            case ToolCall(id=id, name=name, args=args, cache=cache):
                yield _marked({"type": "tool_use", "id": tool_id(id), "name": name, "input": _input(args)}, cache)
            case ToolResult():
                yield self._result(part)
            case Native(origin=origin, body=body):
                if origin == NAME:
                    yield msgspec.json.decode(body)
                else:
                    self.lose(f"native.{origin}")

    def _text(self, part: Part) -> Json:
        text = cast(Text, part)
        return _marked({"type": "text", "text": text.text}, text.cache)

    def _thought(self, part: Reasoning) -> Iterator[Json]:
        """Anthropic takes back what it has signed itself, and nothing else."""
        if part.seal is None or part.seal.origin != NAME:
            self.lose("reasoning")
        elif part.redacted:
            yield {"type": "redacted_thinking", "data": part.seal.data}
        else:
            yield {"type": "thinking", "thinking": part.text, "signature": part.seal.data}

    def _media(self, part: Media) -> Json:
        # Sound and film go as what a picture is told with: Anthropic refuses them in its own words until it takes them.
        block: Json = {"type": "document" if part.kind == "document" else "image"}
        match part.source:
            case Inline(data=data):
                if part.kind == "document" and part.mime.startswith("text/"):
                    text = b64decode(data).decode("utf-8", "replace")
                    block["source"] = {"type": "text", "media_type": "text/plain", "data": text}
                else:
                    block["source"] = {"type": "base64", "media_type": part.mime, "data": data}
            case Url(url=url):
                block["source"] = {"type": "url", "url": url}
            case _:
                if part.source.origin != NAME:
                    raise Unsupported(f"a file of {part.source.origin} means nothing to Anthropic", param="file_id")
                block["source"] = {"type": "file", "file_id": part.source.id}
        if part.name and part.kind == "document" and self.request.origin == NAME:
            block["title"] = part.name
        return _marked(block, part.cache)

    def _result(self, part: ToolResult) -> Json:
        block: Json = {"type": "tool_result", "tool_use_id": tool_id(part.id)}
        only = part.parts[0] if len(part.parts) == 1 else None
        if part.plain and isinstance(only, Text):
            block["content"] = only.text
        elif part.parts:
            block["content"] = [self._media(p) if isinstance(p, Media) else self._text(p) for p in part.parts]
        if part.error:
            block["is_error"] = True
        return _marked(block, part.cache)

    # -- the rest ----------------------------------------------------------------------------

    def _sampling(self) -> None:
        said, body = self.request.sampling, self.body
        if said.temperature is not None and self.profile.sampling:
            body["temperature"] = said.temperature
        if said.top_p is not None and self.profile.sampling:
            body["top_p"] = said.top_p
        if said.top_k is not None:
            body["top_k"] = said.top_k
        if said.stop:
            body["stop_sequences"] = list(said.stop)
        for name in ("seed", "presence_penalty", "frequency_penalty", "logprobs", "top_logprobs", "logit_bias"):
            if getattr(said, name) is not None:
                self.lose(f"sampling.{name}")
        if (said.n or 1) > 1:
            raise Unsupported("Anthropic gives one alternative: n must be 1", param="n")

    def _tools(self) -> None:
        request, body = self.request, self.body
        tools = [self._tool(t) for t in request.tools]
        if not tools:
            return
        body["tools"] = tools
        choice: Json = {}
        if request.tool_choice is not None:
            wanted = request.tool_choice
            kind = {"auto": "auto", "none": "none", "required": "any", "named": "tool"}[wanted.mode]
            choice = {"type": kind, "name": wanted.name} if kind == "tool" else {"type": kind}
            if wanted.mode == "required" and wanted.names:
                self.lose("tool_choice.names")
        if request.parallel_tools is not None and choice.get("type") != "none":
            choice = choice or {"type": "auto"}
            if not request.parallel_tools:
                choice["disable_parallel_tool_use"] = True
        if choice:
            body["tool_choice"] = choice

    def _tool(self, tool: Any) -> Json:
        match tool:
            case Tool():
                out: Json = {"name": tool.name}
                if tool.description:
                    out["description"] = tool.description
                out["input_schema"] = _schema(tool.schema)
                if tool.strict and self.profile.json_schema:
                    out["strict"] = True
                elif tool.strict:
                    self.lose("tools.strict")
                return _marked(out, tool.cache)
            case WebSearch():
                return _search(tool)
            case NativeTool(origin=origin, body=body):
                if origin != NAME:
                    raise Unsupported(f"Anthropic does not have this tool of {origin}", param="tools")
                return msgspec.json.decode(body)
            case CustomTool():
                raise Unsupported(f"Anthropic's tools take objects, {tool.name!r} takes free text", param="tools")
            case _:
                raise Unsupported("Anthropic does not have this tool", param="tools")

    def _output(self) -> None:
        wanted = self.request.output
        if wanted is None or wanted.kind == "text":
            return
        if wanted.kind == "schema" and wanted.schema is not None and self.profile.json_schema:
            self.body["output_config"] = {"format": {"type": "json_schema", "schema": wanted.schema}}
        else:
            self.lose("output")

    def _reasoning(self) -> None:
        wish, profile, body = self.request.reasoning, self.profile, self.body
        if wish is None or profile.reasoning == "none":
            if wish is not None and not is_off(wish):
                self.lose("reasoning")
            return
        if is_off(wish):
            if self.request.origin == NAME or wish.enabled is False:
                body["thinking"] = {"type": "disabled"}
            return
        if body.get("tool_choice", {}).get("type") in ("any", "tool"):
            self.lose("reasoning")  # a forced call and thinking exclude each other; the call is the firmer wish
            return
        if profile.reasoning == "adaptive":
            self._adaptive(wish)
        else:
            self._budget(wish)

    def _adaptive(self, wish: ReasoningWish) -> None:
        if wish.enabled or wish.effort or wish.budget:
            self.body["thinking"] = {
                "type": "adaptive",
                "display": "summarized" if wish.show is not False else "omitted",
            }
        effort = effort_of(wish, self.profile.efforts)
        if effort:
            self.body["output_config"] = {**self.body.get("output_config", {}), "effort": effort}
        self._calm()

    def _budget(self, wish: ReasoningWish) -> None:
        profile, body = self.profile, self.body
        budget = budget_of(wish, CLAUDE_BUDGETS, profile.budget_min, profile.budget_max)
        if not budget:
            return
        if budget >= body["max_tokens"]:
            # What was meant for the answer stays for the answer.
            body["max_tokens"] = budget + body["max_tokens"]
        body["thinking"] = {"type": "enabled", "budget_tokens": budget}
        self._calm()

    def _calm(self) -> None:
        """With thinking, Anthropic takes no other temperature than 1, no top_k, and no top_p below 0.95."""
        body = self.body
        if body.get("temperature") not in (None, 1):
            body.pop("temperature")
            self.lose("sampling.temperature")
        if body.pop("top_k", None) is not None:
            self.lose("sampling.top_k")
        if (body.get("top_p") or 1) < 0.95:
            body.pop("top_p")
            self.lose("sampling.top_p")


def _says(part: Part) -> bool:
    return isinstance(part, Text) and bool(part.text.strip())


def _marked(block: Json, mark: CacheMark | None) -> Json:
    if mark is not None:
        block["cache_control"] = {"type": "ephemeral", "ttl": mark.ttl} if mark.ttl else {"type": "ephemeral"}
    return block


def _joined(before: str | list[Json], after: str | list[Json], role: str) -> str | list[Json]:
    """Two turns of one role are one: bare strings with a space between, as New API does."""
    if isinstance(before, str) and isinstance(after, str):
        return f"{before} {after}"
    blocks = [
        *([{"type": "text", "text": before}] if isinstance(before, str) else before),
        *([{"type": "text", "text": after}] if isinstance(after, str) else after),
    ]
    if role != "user":
        return blocks
    return [b for b in blocks if b["type"] == "tool_result"] + [b for b in blocks if b["type"] != "tool_result"]


def _input(args: str) -> Any:
    if not args.strip():
        return {}
    try:
        value = msgspec.json.decode(args)
    except msgspec.DecodeError:
        return {"arguments": args}
    if value is None:
        return {}
    return value if isinstance(value, dict) else {"arguments": args}


def _schema(schema: Raw | None) -> Any:
    """Return a tool's schema: Anthropic wants an object, and its type said."""
    if schema is None:
        return _EMPTY_SCHEMA
    decoded = msgspec.json.decode(schema)
    if not isinstance(decoded, dict) or not decoded:
        return _EMPTY_SCHEMA
    found = cast(Json, decoded)
    return schema if found.get("type") == "object" else {**found, "type": "object"}


def _search(tool: WebSearch) -> Json:
    if tool.origin == NAME and tool.body is not None:
        return msgspec.json.decode(tool.body)
    out: Json = {"type": "web_search_20250305", "name": "web_search"}
    uses = tool.max_uses or _SEARCH_USES.get(tool.context or "medium")
    if uses:
        out["max_uses"] = uses
    if tool.allowed_domains:
        out["allowed_domains"] = list(tool.allowed_domains)
    if tool.blocked_domains:
        out["blocked_domains"] = list(tool.blocked_domains)
    if tool.user_location is not None:
        out["user_location"] = {"type": "approximate", **msgspec.json.decode(tool.user_location)}
    return out
