"""Chat completion requests written, for OpenAI and for the many who say they are compatible.

Source: https://platform.openai.com/docs/api-reference/chat/create; dialects where they are said.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from hashlib import sha256
from typing import Any, assert_never

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from newapi.base.errors import Unsupported
from newapi.formats import _openai_seals as seals
from newapi.formats._openai_media import content_part
from newapi.formats.contract import Loss, Profile, Written
from newapi.ir.arguments import as_function, as_object
from newapi.ir.reasoning import effort_of, is_off
from newapi.ir.request import (
    CacheMark,
    CustomTool,
    FileRef,
    Media,
    Message,
    Native,
    NativeTool,
    Part,
    Reasoning,
    Refusal,
    Request,
    Text,
    Tool,
    ToolCall,
    ToolResult,
    WebSearch,
)

ORIGIN = "openai_chat"

_NINE = re.compile(r"[A-Za-z0-9]{9}")
_OPENAI = ("openai_chat", "openai_completions", "openai_responses")
_SEE_BELOW = "(the media of this answer are in the next message)"


def write_request(request: Request, profile: Profile) -> Written:
    """Return the request as JSON for a model of `profile`.

    Raises:
        Unsupported: Content that this format cannot say: a document by URL, a file of another vendor.
    """
    return _Writer(request, profile).write()


class _Writer:
    def __init__(self, request: Request, profile: Profile) -> None:
        self.request = request
        self.profile = profile
        self.losses: dict[str, Loss] = {}
        self.body: dict[str, Any] = {}
        self.names = {p.id: p.name for m in request.messages for p in m.parts if isinstance(p, ToolCall)}

    def write(self) -> Written:
        request, body = self.request, self.body
        body["model"] = request.model
        messages: list[dict[str, Any]] = []
        for message in request.messages:
            messages += self._turn(message, first=not messages)
        body["messages"] = messages
        if request.stream:
            body["stream"] = True
            body["stream_options"] = {"include_usage": True}
        elif request.origin == "gemini":
            # Gemini says it in the path, always one way or the other: New API passes that on.
            body["stream"] = False
        self._sampling()
        self._tools()
        self._reasoning()
        self._output()
        self._rest()
        return Written(msgspec.json.encode(body), tuple(self.losses.values()))

    def lose(self, what: str) -> None:
        self.losses[what] = Loss(what)

    # -- messages -------------------------------------------------------------------------

    def _turn(self, message: Message, *, first: bool) -> list[dict[str, Any]]:
        told = tuple(p for p in message.parts if not isinstance(p, Native) or p.origin == ORIGIN)
        if len(told) < len(message.parts):
            self.lose("parts.native")
            if not told:
                return []
            message = replace(message, parts=told)
        match message.role:
            case "system":
                return self._system(message, first=first)
            case "assistant":
                return self._assistant(message)
            case "user":
                return self._user(message)

    def _named(self, message: Message, role: str, content: Any) -> dict[str, Any]:
        return {"role": role, "content": content} | ({"name": message.name} if message.name else {})

    def _system(self, message: Message, *, first: bool) -> list[dict[str, Any]]:
        """Blocks become one string, as most vendors take only that, unless their marks are to be kept."""
        texts = [p for p in message.parts if isinstance(p, Text)]
        if len(texts) < len(message.parts):
            raise Unsupported("OpenAI chat takes text only as a system message", param="system")
        # OpenAI's models cache by themselves, behind OpenRouter too.
        marks = (
            self.profile.cache_marks and any(t.cache for t in texts) and not self.request.model.startswith("openai/")
        )
        if marks or (self.request.origin == ORIGIN and not message.plain):
            content: Any = [self._text(t) for t in texts]
        else:
            content = "".join(t.text for t in texts)
            if any(t.cache for t in texts):
                self.lose("cache")
        if not content:
            return []
        developer = self.profile.system_role == "developer" and (first or message.developer)
        return [self._named(message, "developer" if developer else "system", content)]

    def _user(self, message: Message) -> list[dict[str, Any]]:
        out: list[dict[str, Any]] = []
        media: list[Part] = []
        for part in message.parts:
            if isinstance(part, ToolResult):
                out.append(self._result(part, media))
        rest = [*media, *(p for p in message.parts if not isinstance(p, ToolResult))]
        if (
            message.plain
            and len(rest) == 1
            and isinstance(text := rest[0], Text)
            and not (text.cache and self.profile.cache_marks)
        ):
            out.append(self._named(message, "user", text.text))
        elif rest:
            content = self._content(rest)
            if content:
                out.append(self._named(message, "user", content))
        return out

    def _result(self, result: ToolResult, media: list[Part]) -> dict[str, Any]:
        """A tool's answer. Its media follow in the user's turn where the format takes text only."""
        if result.error:
            self.lose("tool_result.error")
        texts = [p for p in result.parts if isinstance(p, Text)]
        others = [p for p in result.parts if isinstance(p, Media)]
        content: Any
        if others and self.profile.dialect == "openrouter":
            content = self._content(result.parts)
        elif (
            result.plain or len(texts) < len(result.parts) or self.request.origin not in (ORIGIN, "anthropic_messages")
        ):
            content = "".join(t.text for t in texts) or (_SEE_BELOW if others else "")
            media += others
        elif self.request.origin == ORIGIN:
            content = [self._text(t) for t in texts]
        else:
            # New API's way with Anthropic's blocks: their JSON, which every vendor takes.
            content = msgspec.json.encode([{"type": "text", "text": t.text} for t in texts]).decode()
        out: dict[str, Any] = {"role": "tool", "tool_call_id": self._call_id(result.id), "content": content}
        if name := result.name or (self.names.get(result.id) if self.request.origin == "anthropic_messages" else ""):
            out["name"] = name
        return out

    def _assistant(self, message: Message) -> list[dict[str, Any]]:
        calls = [p for p in message.parts if isinstance(p, ToolCall)]
        thoughts = [p for p in message.parts if isinstance(p, Reasoning)]
        refusals = [p.text for p in message.parts if isinstance(p, Refusal)]
        sounds = [p for p in message.parts if isinstance(p, Media) and p.kind == "audio"]
        said = [p for p in message.parts if not isinstance(p, ToolCall | Reasoning | Refusal) and p not in sounds]
        texts = [p for p in said if isinstance(p, Text)]
        content: Any = None
        if len(texts) == len(said) and (calls or message.plain):
            content = "".join(t.text for t in texts) or None
        elif said:
            content = self._content(said) or None
        out = self._named(message, "assistant", content)
        if refusals:
            out["refusal"] = "".join(refusals)
        for sound in sounds:
            self._sound(sound, out)
        if calls:
            out["tool_calls"] = [self._call(c) for c in calls]
        self._echo(thoughts, out)
        if self.profile.reasoning_echo != "never" and (seal := next((t.seal for t in texts if t.seal), None)):
            out["extra_content"] = seals.extra_content(seal)
        if content is None and not calls and not refusals and "audio" not in out:
            if not message.parts:
                return []
            out["content"] = ""
        return [out]

    def _sound(self, sound: Media, out: dict[str, Any]) -> None:
        """OpenAI takes its own sounds back by id; others go on as what they said."""
        id = sound.source.id if isinstance(sound.source, FileRef) and sound.source.origin == ORIGIN else sound.id
        if id:
            out["audio"] = {"id": id}
        elif sound.transcript:
            out["content"] = f"{out['content'] or ''}{sound.transcript}"
        else:
            raise Unsupported("a sound that the model made cannot be sent back here")

    def _echo(self, thoughts: list[Reasoning], out: dict[str, Any]) -> None:
        profile = self.profile
        if profile.reasoning_echo == "never" or not profile.reasoning_field:
            return
        text = "".join(t.text for t in thoughts)
        if text or profile.reasoning_echo == "required":
            out[profile.reasoning_field] = text
        if profile.dialect == "openrouter":
            details = [e for i, t in enumerate(thoughts) for e in self._details(t, i)]
            if details:
                out["reasoning_details"] = details

    def _details(self, thought: Reasoning, index: int) -> list[dict[str, Any]]:
        """OpenRouter's entries: its own as they came, Anthropic's where they go to Anthropic."""
        seal = thought.seal
        if seal is None:
            return []
        if seal.origin == ORIGIN:
            return seals.entries(thought, index)
        if seal.origin == "anthropic_messages" and self.request.model.startswith("anthropic/"):
            common = {"format": "anthropic-claude-v1", "index": index}
            if thought.text:
                return [{"type": "reasoning.text", "text": thought.text, "signature": seal.data} | common]
            return [{"type": "reasoning.encrypted", "data": seal.data} | common]
        return []

    def _call(self, call: ToolCall) -> dict[str, Any]:
        id = self._call_id(call.id)
        if call.custom and self.profile.custom_tools:
            return {"id": id, "type": "custom", "custom": {"name": call.name, "input": call.args}}
        args = msgspec.json.encode(as_object(call.args, custom=True)).decode() if call.custom else call.args or "{}"
        out: dict[str, Any] = {"id": id, "type": "function", "function": {"name": call.name, "arguments": args}}
        if call.seal is not None and self.profile.reasoning_echo != "never":
            out["extra_content"] = seals.extra_content(call.seal)
        return out

    def _call_id(self, id: str) -> str:
        """Mistral takes ids of nine letters and digits: the same one for the same id."""
        if self.profile.tool_call_id == "any" or _NINE.fullmatch(id):
            return id
        return sha256(id.encode()).hexdigest()[:9]

    def _content(self, parts: Sequence[Part]) -> list[dict[str, Any]]:
        out: list[dict[str, Any]] = []
        for part in parts:
            match part:
                case Text():
                    out.append(self._text(part))
                case Media():
                    said = content_part(part)
                    out.append(said | self._mark(part.cache))
                case Native():
                    out.append(msgspec.json.decode(part.body))
                case Refusal():
                    out.append({"type": "refusal", "refusal": part.text})
                case Reasoning():
                    self.lose("reasoning.history")
                case ToolCall() | ToolResult():
                    raise Unsupported("a tool call or its answer is in the wrong turn")
                case _:
                    assert_never(part)
        return out

    def _text(self, text: Text) -> dict[str, Any]:
        return {"type": "text", "text": text.text} | self._mark(text.cache)

    def _mark(self, mark: CacheMark | None) -> dict[str, Any]:
        if mark is None:
            return {}
        if not self.profile.cache_marks:
            self.lose("cache")
            return {}
        return {"cache_control": {"type": "ephemeral"} | ({"ttl": mark.ttl} if mark.ttl else {})}

    # -- knobs ----------------------------------------------------------------------------

    def _sampling(self) -> None:
        sampling, body, profile = self.request.sampling, self.body, self.profile
        stop = sampling.stop[: profile.max_stop or None]
        if len(stop) < len(sampling.stop):
            self.lose("sampling.stop")
        said: dict[str, Any] = {
            profile.max_tokens_field: sampling.max_output,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "top_k": sampling.top_k,
            "stop": (stop[0] if len(stop) == 1 else stop) if stop else None,
            "seed": sampling.seed,
            "presence_penalty": sampling.presence_penalty,
            "frequency_penalty": sampling.frequency_penalty,
            "n": sampling.n,
            "logprobs": sampling.logprobs,
            "top_logprobs": sampling.top_logprobs,
            "logit_bias": sampling.logit_bias,
        }
        refused = () if profile.sampling else ("temperature", "top_p")
        refused += () if profile.top_k else ("top_k",)
        for key, value in said.items():
            if value is None:
                continue
            if key in refused:
                self.lose(f"sampling.{key}")
            else:
                body[key] = value

    def _reasoning(self) -> None:
        wish, profile = self.request.reasoning, self.profile
        if wish is None:
            return
        if profile.dialect == "openrouter":
            self.body["reasoning"] = self._openrouter_reasoning()
        elif profile.reasoning == "effort":
            if (effort := effort_of(wish, profile.efforts)) is not None:
                self.body["reasoning_effort"] = effort
            if wish.summary:
                self.lose("reasoning.summary")
        elif not is_off(wish):
            self.lose("reasoning")

    def _openrouter_reasoning(self) -> dict[str, Any]:
        """Source: https://openrouter.ai/docs/use-cases/reasoning-tokens"""
        wish = self.request.reasoning
        assert wish is not None  # noqa: S101  (the caller looked)
        if is_off(wish):
            return {"enabled": False}
        out: dict[str, Any] = {"enabled": True}
        if wish.budget is not None and wish.budget > 0:
            out["max_tokens"] = wish.budget
        elif wish.effort:
            out["effort"] = wish.effort
        if wish.show is False:
            out["exclude"] = True
        return out

    def _output(self) -> None:
        wish = self.request.output
        if wish is None or (wish.kind == "text" and self.request.origin != ORIGIN):
            return
        if wish.kind == "schema" and self.profile.json_schema:
            schema = {
                "name": wish.name or "output",
                "description": wish.description or None,
                "schema": wish.schema,
                "strict": wish.strict,
            }
            self.body["response_format"] = {
                "type": "json_schema",
                "json_schema": {k: v for k, v in schema.items() if v is not None},
            }
            return
        if wish.kind == "schema":
            self.lose("output.schema")
        self.body["response_format"] = {"type": "text" if wish.kind == "text" else "json_object"}

    def _rest(self) -> None:
        """Who asks, and how it is kept and billed: means to OpenAI's formats what it meant there."""
        request, body = self.request, self.body
        said: dict[str, Any] = {
            "modalities": request.modalities,
            "audio": request.audio,
            "verbosity": request.verbosity,
            "user": request.user,
            "metadata": request.metadata,
            "service_tier": request.service_tier,
            "store": request.store if request.origin == ORIGIN else request.store or None,
            "safety_identifier": request.safety_identifier,
            "prompt_cache_key": request.prompt_cache_key,
        }
        for key, value in said.items():
            if value is None or value in ("", ()):
                continue
            if request.origin in _OPENAI or (key == "modalities" and "audio" in request.modalities):
                body[key] = value
            elif key != "modalities":
                self.lose(key)
        if request.origin == ORIGIN:
            for key, value in request.extra.items():
                body.setdefault(key, value)
        elif request.extra:
            for key in request.extra:
                self.lose(f"extra.{key}")

    # -- tools ----------------------------------------------------------------------------

    def _tools(self) -> None:
        tools: list[Any] = []
        for tool in self.request.tools:
            match tool:
                case Tool():
                    tools.append(self._tool(tool))
                case CustomTool() if not self.profile.custom_tools:
                    if tool.format is not None:
                        self.lose("tools.custom.format")
                    tools.append(self._tool(as_function(tool)))
                case CustomTool():
                    custom = {
                        "name": tool.name,
                        "description": tool.description or None,
                        "format": _grammar(tool.format),
                    }
                    tools.append({"type": "custom", "custom": {k: v for k, v in custom.items() if v is not None}})
                case WebSearch():
                    self._search(tool)
                case NativeTool():
                    if tool.origin == ORIGIN:
                        tools.append(tool.body)
                    else:
                        self.lose("tools.native")
                case _:
                    assert_never(tool)
        if not tools:
            return
        self.body["tools"] = tools
        self._choice()
        if self.request.parallel_tools is not None:
            self.body["parallel_tool_calls"] = self.request.parallel_tools

    def _tool(self, tool: Tool) -> dict[str, Any]:
        function: dict[str, Any] = {"name": tool.name}
        if tool.description:
            function["description"] = tool.description
        if tool.schema is not None:
            function["parameters"] = tool.schema
        if tool.strict is not None:
            function["strict"] = tool.strict
        return {"type": "function", "function": function} | self._mark(tool.cache)

    def _search(self, tool: WebSearch) -> None:
        if tool.origin == ORIGIN and tool.body is not None:
            self.body["web_search_options"] = tool.body
            return
        if not self.profile.web_search:
            self.lose("web_search")
            return
        options: dict[str, Any] = {}
        if tool.context:
            options["search_context_size"] = tool.context
        if tool.user_location is not None:
            options["user_location"] = {"type": "approximate", "approximate": tool.user_location}
        if tool.max_uses is not None:
            self.lose("web_search.max_uses")
        if tool.allowed_domains or tool.blocked_domains:
            self.lose("web_search.domains")
        self.body["web_search_options"] = options

    def _choice(self) -> None:
        choice = self.request.tool_choice
        if choice is None:
            return
        names = (choice.name,) if choice.mode == "named" else choice.names
        if choice.mode in ("named", "required") and len(names) == 1:
            self.body["tool_choice"] = self._ref(names[0])
        elif names and choice.mode in ("auto", "required") and self.profile.custom_tools:
            self.body["tool_choice"] = {
                "type": "allowed_tools",
                "allowed_tools": {"mode": choice.mode, "tools": [self._ref(n) for n in names]},
            }
        elif choice.mode != "auto" or self.request.origin != "anthropic_messages":
            # "auto" is what is meant without it: New API says nothing for Anthropic's callers.
            self.body["tool_choice"] = choice.mode
            if names:
                self.lose("tool_choice.names")

    def _ref(self, name: str) -> dict[str, Any]:
        custom = any(isinstance(t, CustomTool) and t.name == name for t in self.request.tools)
        kind = "custom" if custom and self.profile.custom_tools else "function"
        return {"type": kind, kind: {"name": name}}


def _grammar(form: Raw | None) -> Any:
    """The Responses API says a grammar flat, chat within `grammar`."""
    if form is None:
        return None
    said: Any = msgspec.json.decode(form)
    if isinstance(said, dict) and said.get("type") == "grammar" and "grammar" not in said:  # pyright: ignore[reportUnknownMemberType]  # JSON
        return {"type": "grammar", "grammar": {k: v for k, v in said.items() if k != "type"}}  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]  # JSON
    return form
