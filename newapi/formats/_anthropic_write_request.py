"""The canonical form into Messages requests.

Sources: https://docs.claude.com/en/api/messages, https://docs.claude.com/en/docs/build-with-claude/extended-thinking,
https://docs.claude.com/en/docs/build-with-claude/adaptive-thinking,
https://docs.claude.com/en/docs/build-with-claude/structured-outputs
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import msgspec
from msgspec import Raw

from newapi.formats import _anthropic_schema as schemas
from newapi.formats._anthropic_blocks import ORIGIN, begins
from newapi.formats._anthropic_turns import Json, Turns, cache_control
from newapi.formats.contract import Loss, Profile, Written
from newapi.ir.arguments import as_function
from newapi.ir.reasoning import CLAUDE_BUDGETS, budget_of, effort_of, is_off
from newapi.ir.request import (
    CustomTool,
    NativeTool,
    OutputWish,
    ReasoningWish,
    Refusal,
    Request,
    Text,
    Tool,
    ToolChoice,
    WebSearch,
)

_SEARCHES: Mapping[str, int] = {"low": 1, "medium": 5, "high": 10}
"""How often the model may search, for OpenAI's size of search context: New API's numbers."""
_CHOICES: Mapping[str, str] = {"auto": "auto", "none": "none", "required": "any"}
_NO_ARGUMENTS: Json = {"type": "object", "properties": {}}


def write_request(request: Request, profile: Profile) -> Written:
    """Return a Messages request.

    Raises:
        Unsupported: A part has no form here: a file stored at another vendor.
        CallerError: A document's base64 is broken.
    """
    writer = _RequestWriter(request, profile)
    return Written(msgspec.json.encode(writer.body()), tuple(dict.fromkeys(writer.losses)))


class _RequestWriter:
    def __init__(self, request: Request, profile: Profile) -> None:
        self._request = request
        self._profile = profile
        self.losses: list[Loss] = []

    def _lose(self, what: str) -> None:
        self.losses.append(Loss(what))

    def body(self) -> Json:
        request = self._request
        turns = Turns(request, self._profile, self._lose)
        body: Json = {"model": request.model}
        system = self._system()
        if system:
            body["system"] = system
        body["messages"] = turns.write()
        body["max_tokens"] = self._limit()
        if request.stream:
            body["stream"] = True
        # White space alone is refused. Source: https://docs.claude.com/en/api/messages#body-stop-sequences
        stop = [s for s in request.sampling.stop if s.strip()]
        if stop:
            body["stop_sequences"] = stop
        if len(stop) < len(request.sampling.stop):
            self._lose("sampling.stop")
        tools = [t for t in map(self._tool, request.tools) if t is not None]
        if tools:
            body["tools"] = tools
            choice = self._choice(request.tool_choice)
            if choice:
                body["tool_choice"] = choice
        config: Json = {}
        thinking = self._thinking(
            config, forced=body.get("tool_choice", {}).get("type") in ("any", "tool"), turns=turns
        )
        if thinking:
            body["thinking"] = thinking
            self._make_room(body, thinking)
        if form := self._output(request.output):
            config["format"] = form
        if config:
            body["output_config"] = config
        body |= self._sampling(thinks=bool(thinking) and thinking["type"] != "disabled")
        body |= self._about()
        return body

    # -- text and tools ----------------------------------------------------------------------

    def _system(self) -> list[Json]:
        out: list[Json] = []
        for message in self._request.messages:
            if message.role != "system":
                continue
            for part in message.parts:
                if not isinstance(part, Text | Refusal):
                    self._lose("system.media")
                elif part.text.strip():
                    mark = part.cache if isinstance(part, Text) else None
                    out.append({"type": "text", "text": part.text, **cache_control(mark)})
        return out

    def _tool(self, tool: Tool | CustomTool | WebSearch | NativeTool) -> Json | Raw | None:
        match tool:
            case Tool():
                return self._function(tool)
            case WebSearch():
                return _search(tool)
            case NativeTool(origin=origin, body=body) if origin == ORIGIN:
                return body
            case CustomTool():
                if tool.format is not None:
                    self._lose("tools.custom.format")
                return self._function(as_function(tool))
            case NativeTool():
                self._lose("tools.native")
                return None

    def _function(self, tool: Tool) -> Json:
        out: Json = {"name": tool.name, **_described(tool.description)}
        schema: Json = {}
        if tool.schema is not None and begins(tool.schema) == b"{":
            schema = msgspec.json.decode(tool.schema)
        out["input_schema"] = (
            tool.schema if schema.get("type") == "object" else {**_NO_ARGUMENTS, **_said(schema), "type": "object"}
        )
        if tool.strict:
            if self._profile.json_schema and schemas.is_accepted(schema):
                out["strict"] = True
            else:
                self._lose("tools.strict")
        return out | cache_control(tool.cache)

    def _choice(self, choice: ToolChoice | None) -> Json:
        parallel = self._request.parallel_tools
        out: Json = {}
        if choice is not None:
            name = choice.name
            if choice.mode == "required" and choice.names:
                # One of these: Anthropic knows one or any.
                name = choice.names[0] if len(choice.names) == 1 else ""
                if not name:
                    self._lose("tool_choice.names")
            out = {"type": "tool", "name": name} if name else {"type": _CHOICES.get(choice.mode, "auto")}
        elif parallel is not None:
            out = {"type": "auto"}
        if parallel is False and out.get("type") != "none":
            out["disable_parallel_tool_use"] = True
        return out

    # -- thinking -----------------------------------------------------------------------------

    def _thinking(self, config: Json, *, forced: bool, turns: Turns) -> Json | None:
        wish, profile = self._request.reasoning, self._profile
        if wish is None:
            return None
        off = is_off(wish)
        if profile.reasoning not in ("budget", "adaptive"):
            if not off:
                self._lose("reasoning")
            return None
        if profile.reasoning == "adaptive":
            thinking = _adaptive(wish, profile, config)
        else:
            budget = budget_of(wish, CLAUDE_BUDGETS, profile.budget_min, profile.budget_max)
            thinking = {"type": "enabled", "budget_tokens": budget} if budget else None
            if thinking and wish.show is False:
                thinking["display"] = "omitted"
        # A forced call and thinking exclude each other; so do thinking and a tool's answer to a call without thoughts.
        if thinking and thinking["type"] != "disabled" and (forced or turns.answers_thoughtless_call):
            self._lose("reasoning")
            return None
        return thinking

    def _make_room(self, body: Json, thinking: Json) -> None:
        budget = thinking.get("budget_tokens", 0)
        if budget >= body["max_tokens"]:
            body["max_tokens"] += budget

    def _limit(self) -> int:
        return self._request.sampling.max_output or self._profile.default_max_output

    # -- the rest ----------------------------------------------------------------------------

    def _output(self, wish: OutputWish | None) -> Json | None:
        if wish is None or wish.kind == "text":
            return None
        if wish.schema is None or not self._profile.json_schema or begins(wish.schema) != b"{":
            self._lose(f"output.{wish.kind}")
            return None
        return {"type": "json_schema", "schema": schemas.accepted(msgspec.json.decode(wish.schema))}

    def _sampling(self, *, thinks: bool) -> Json:
        s = self._request.sampling
        out: Json = {}
        if s.temperature is not None:
            # Anthropic's scale ends at 1, and its own OpenAI endpoint caps too.
            # Source: https://docs.claude.com/en/api/openai-sdk#simple-fields
            out["temperature"] = min(s.temperature, 1)
        if s.top_p is not None:
            out["top_p"] = s.top_p
        if s.top_k is not None:
            out["top_k"] = s.top_k
        if not self._profile.sampling:
            refused = tuple(out)
        elif thinks:
            refused = tuple(
                k
                for k, v in out.items()
                if k == "top_k" or (k == "top_p" and v < 0.95) or (k == "temperature" and v != 1)
            )
        else:
            refused = ()
        if "temperature" in out and "top_p" in out and not self._profile.top_p_beside_temperature:
            refused = (*refused, "top_p")
        for key in refused:
            out.pop(key, None)
            self._lose(f"sampling.{key}")
        for key in ("seed", "presence_penalty", "frequency_penalty", "logprobs", "top_logprobs", "logit_bias"):
            if getattr(s, key):
                self._lose(f"sampling.{key}")
        if s.n is not None and s.n > 1:
            self._lose("sampling.n")
        return out

    def _about(self) -> Json:
        request = self._request
        out: Json = {}
        if request.origin == ORIGIN:
            out |= request.extra
            if request.service_tier:
                out["service_tier"] = request.service_tier
        else:
            for what in ("service_tier", "store", "verbosity", "audio", "prompt_cache_key", "safety_identifier"):
                if getattr(request, what):
                    self._lose(what)
            if request.metadata is not None:
                self._lose("metadata")
            if set(request.modalities) - {"text"}:
                self._lose("modalities")
            for key in request.extra:
                self._lose(f"extra.{key}")
        if request.user:
            out["metadata"] = {"user_id": request.user}
        return out


def _adaptive(wish: ReasoningWish, profile: Profile, config: Json) -> Json | None:
    if is_off(wish):
        if profile.can_disable:
            return {"type": "disabled"}
        config["effort"] = profile.efforts[0]
        return None
    if wish.effort or wish.budget is not None:
        effort = effort_of(wish, profile.efforts)
        if effort is not None:
            config["effort"] = effort
    elif not wish.enabled and not wish.adaptive:
        return None
    return {"type": "adaptive", "display": "omitted" if wish.show is False else "summarized"}


def _search(tool: WebSearch) -> Json | Raw:
    if tool.origin == ORIGIN and tool.body is not None:
        return tool.body
    out: Json = {"type": "web_search_20250305", "name": "web_search"}
    uses = tool.max_uses or _SEARCHES.get(tool.context)
    if uses:
        out["max_uses"] = uses
    if tool.allowed_domains:
        out["allowed_domains"] = list(tool.allowed_domains)
    elif tool.blocked_domains:
        out["blocked_domains"] = list(tool.blocked_domains)
    if tool.user_location is not None:
        place: Any = msgspec.json.decode(tool.user_location)
        if isinstance(place, dict):
            known = {k: v for k, v in cast(Json, place).items() if k in ("city", "country", "region", "timezone") and v}
            out["user_location"] = {"type": "approximate", **known}
    return out


def _described(description: str) -> Json:
    return {"description": description} if description else {}


def _said(schema: Json) -> Json:
    return {k: v for k, v in schema.items() if v is not None}
