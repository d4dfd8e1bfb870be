"""The canonical form into Gemini's requests.

Sources: https://ai.google.dev/api/generate-content, https://ai.google.dev/gemini-api/docs/thinking,
https://ai.google.dev/gemini-api/docs/thought-signatures
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import msgspec
from msgspec import Raw

from newapi.base.errors import CallerError, Unsupported
from newapi.formats import _gemini_schema as schemas
from newapi.formats._gemini_seals import DUMMY_SIGNATURE
from newapi.formats.contract import Loss, Profile, Written
from newapi.ir.arguments import as_function, as_object
from newapi.ir.reasoning import GEMINI_BUDGETS, budget_of, effort_of, is_off
from newapi.ir.request import (
    CustomTool,
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
    Text,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
    Url,
    WebSearch,
)

Json = dict[str, Any]

FILLER = "..."
"""Stands for a conversation in which nobody says anything but the system: Gemini wants a turn."""
_SAFETY = [
    {"category": f"HARM_CATEGORY_{c}", "threshold": "OFF"}
    for c in ("HARASSMENT", "HATE_SPEECH", "SEXUALLY_EXPLICIT", "DANGEROUS_CONTENT")
]
_BUILT_IN = ("codeExecution", "googleSearch", "urlContext")
"""Functions of these names are Google's own tools, in the order they are sent."""
_MAX_STOP = 5
_MIMES = frozenset(
    f"{kind}/{name}"
    for kind, names in {
        "application": "pdf json x-javascript x-python rtf",
        "audio": "mpeg mp3 mpga mp4 m4a wav x-wav aac aiff flac ogg opus pcm webm",
        "image": "png jpeg jpg webp heic heif",
        "video": "mov quicktime mpeg mp4 mpg avi wmv mpegps flv x-flv webm 3gpp",
    }.items()
    for name in names.split()
)
"""Source: https://ai.google.dev/gemini-api/docs/file-input-methods#supported-content-types"""
_EXTENSIONS: Mapping[str, str] = {
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "webp": "image/webp",
    "heic": "image/heic",
    "gif": "image/gif",
    "pdf": "application/pdf",
    "txt": "text/plain",
    "mp3": "audio/mpeg",
    "wav": "audio/wav",
    "mp4": "video/mp4",
    "mov": "video/mov",
    "webm": "video/webm",
}


def write_request(request: Request, profile: Profile) -> Written:
    """Return a generateContent request; the model and whether it streams are in the URL, not here.

    Raises:
        Unsupported: Gemini has no way to say a part: a picture's type, another vendor's file.
        CallerError: `extra_body.google` makes no sense.
    """
    writer = _RequestWriter(request, profile)
    body = writer.body()
    return Written(msgspec.json.encode(body), tuple(dict.fromkeys(writer.losses)))


class _RequestWriter:
    def __init__(self, request: Request, profile: Profile) -> None:
        self._request = request
        self._profile = profile
        self._names: dict[str, str] = {}
        self.losses: list[Loss] = []

    def body(self) -> Json:
        request = self._request
        own = request.origin == "gemini"
        contents: list[Json] = []
        system: list[str] = []
        for message in request.messages:
            if message.role == "system":
                text = "".join(self._system_text(p) for p in message.parts)
                if text:
                    system.append(text)
            else:
                self._turn(message, contents)
        body: Json = {"contents": contents or [{"role": "user", "parts": [{"text": FILLER}]}]}
        if own:
            body |= {k: v for k, v in request.extra.items() if k != "generationConfig"}
        else:
            body["safetySettings"] = _SAFETY
        body["generationConfig"] = self._config()
        if system:
            body["systemInstruction"] = {"parts": [{"text": "\n".join(system)}]}
        if request.tools:
            tools = self._tools()
            if tools:
                body["tools"] = tools
            choice = self._choice(request.tool_choice)
            if choice and any("functionDeclarations" in t for t in tools if isinstance(t, dict)):
                body["toolConfig"] = {"functionCallingConfig": choice}
        for name, value in (
            ("metadata", request.metadata),
            ("user", request.user),
            ("store", request.store),
            ("service_tier", request.service_tier),
            ("verbosity", request.verbosity),
            ("audio", request.audio),
            ("parallel_tools", request.parallel_tools),
            ("prompt_cache_key", request.prompt_cache_key),
        ):
            if value:
                self._lose(name)
        if not own:
            for key in request.extra:
                self._lose(f"extra.{key}")
        return body

    def _lose(self, what: str) -> None:
        self.losses.append(Loss(what))

    def _system_text(self, part: Part) -> str:
        if isinstance(part, Text | Refusal):
            return part.text
        raise Unsupported("Gemini takes text only as a system instruction")

    # -- turns -----------------------------------------------------------------------------

    def _turn(self, message: Message, contents: list[Json]) -> None:
        results = [p for p in message.parts if isinstance(p, ToolResult)]
        if results:
            self._results(results, contents)
        rest = [p for p in message.parts if not isinstance(p, ToolResult)]
        parts = self._model_parts(rest) if message.role == "assistant" else self._parts(rest)
        if not parts:
            return
        role = "model" if message.role == "assistant" else "user"
        last = contents[-1] if contents else None
        calls = any("functionCall" in p for p in parts)
        if last is not None and last["role"] == role == "model" and (calls or _has_calls(last)):
            # Calls made at once belong to one turn: their results come together.
            if calls and _has_calls(last):
                for part in parts:
                    if part.get("thoughtSignature") == DUMMY_SIGNATURE and "functionCall" in part:
                        del part["thoughtSignature"]
            last["parts"] += parts
            return
        contents.append({"role": role, "parts": parts})

    def _results(self, results: list[ToolResult], contents: list[Json]) -> None:
        parts: list[Json] = []
        media: list[Json] = []
        for result in results:
            name = result.name or self._names.get(result.id, "")
            text = "\n".join(p.text for p in result.parts if isinstance(p, Text))
            media += [self._media(p) for p in result.parts if isinstance(p, Media)]
            parts.append({"functionResponse": {"name": name, "response": _response(text, result.error)}})
        last = contents[-1] if contents else None
        if last is not None and last["role"] == "user" and any("functionResponse" in p for p in last["parts"]):
            last["parts"] += parts + media
        else:
            contents.append({"role": "user", "parts": parts + media})

    def _parts(self, parts: Sequence[Part]) -> list[Json]:
        out: list[Json] = []
        for part in parts:
            match part:
                case Text() | Refusal():
                    if part.text:
                        out.append({"text": part.text})
                case Media():
                    out.append(self._media(part))
                case Native(origin="gemini"):
                    out.append(msgspec.json.decode(part.body))
                case Native():
                    self._lose("parts.native")
                case Reasoning() | ToolCall() | ToolResult():
                    raise CallerError("a user turn holds a part that only a model makes")
        return out

    def _model_parts(self, parts: Sequence[Part]) -> list[Json]:
        """Return a model's turn. A thought itself is not sent back; its seal goes on the part after it."""
        out: list[Json] = []
        held = ""
        for part in parts:
            if isinstance(part, Reasoning):
                if part.seal is not None and part.seal.origin == "gemini":
                    held = part.seal.data
                continue
            made = self._model_part(part)
            if made is None:
                continue
            sign = part.seal if isinstance(part, Text | Media | ToolCall) else None
            if sign is not None and sign.origin == "gemini":
                made["thoughtSignature"] = sign.data
            elif held:
                made["thoughtSignature"] = held
            held = ""
            out.append(made)
        if self._request.origin != "gemini":
            _sign(out)
        return [p for p in out if p.get("text") != "" or "thoughtSignature" in p]

    def _model_part(self, part: Part) -> Json | None:
        match part:
            case Text() | Refusal():
                return {"text": part.text}
            case Media():
                return self._media(part)
            case ToolCall():
                self._names[part.id] = part.name
                return {"functionCall": {"name": part.name, "args": as_object(part.args, custom=part.custom)}}
            case Native(origin="gemini"):
                return cast(Json, msgspec.json.decode(part.body))
            case Native():
                self._lose("parts.native")
                return None
            case Reasoning() | ToolResult():
                raise CallerError("an assistant turn holds a tool result")

    def _media(self, media: Media) -> Json:
        match media.source:
            case Inline(data=data):
                mime = media.mime.partition(";")[0].strip().lower()
                if self._request.origin != "gemini" and mime not in _MIMES and not mime.startswith("text/"):
                    raise Unsupported(f"mime type is not supported by Gemini: {media.mime or 'unknown'}")
                return {"inlineData": {"mimeType": media.mime, "data": data}}
            case Url(url=url):
                # Gemini fetches public URLs. Source: https://ai.google.dev/gemini-api/docs/file-input-methods
                mime = media.mime or _EXTENSIONS.get(url.partition("?")[0].rpartition(".")[2].lower(), "")
                if mime == "image/gif":
                    raise Unsupported("mime type is not supported by Gemini: image/gif")
                file = {"fileUri": url}
                return {"fileData": file | ({"mimeType": mime} if mime else {})}
            case file:
                if file.origin != "gemini":
                    raise Unsupported(f"file {file.id!r} is stored at another vendor")
                return {"fileData": {"fileUri": file.id, "mimeType": media.mime}}

    # -- tools -----------------------------------------------------------------------------

    def _tools(self) -> list[Json | Raw]:
        functions: list[Json] = []
        built_in: dict[str, Json] = {}
        others: list[Json | Raw] = []
        for tool in self._request.tools:
            match tool:
                case Tool(name=name) if name in _BUILT_IN:
                    built_in[name] = {name: {}}
                case Tool():
                    functions.append(_function(tool))
                case CustomTool():
                    if tool.format is not None:
                        self._lose("tools.custom.format")
                    functions.append(_function(as_function(tool)))
                case WebSearch(origin="gemini", body=Raw() as body):
                    others.append(body)
                case WebSearch():
                    built_in["googleSearch"] = {"googleSearch": {}}
                    for what in ("context", "max_uses", "allowed_domains", "blocked_domains", "user_location"):
                        if getattr(tool, what):
                            self._lose(f"web_search.{what}")
                case NativeTool(origin="gemini"):
                    others.append(tool.body)
                case NativeTool():
                    self._lose("tools.native")
        if functions and any(isinstance(t, WebSearch) and t.origin != "gemini" for t in self._request.tools):
            # Gemini 2 refuses its own tools beside functions, and Gemini 3 wants to be told every call of them again:
            # https://ai.google.dev/gemini-api/docs/tool-combination
            built_in.pop("googleSearch", None)
            self._lose("web_search")
        out = [built_in[n] for n in _BUILT_IN if n in built_in] + others
        return [*out, {"functionDeclarations": functions}] if functions else out

    def _choice(self, choice: ToolChoice | None) -> Json | None:
        if choice is None:
            return None
        match choice.mode:
            case "auto":
                # AUTO is what happens anyway; Claude's callers are not told apart from those who said nothing.
                return None if self._request.origin == "anthropic_messages" else {"mode": "AUTO"}
            case "none":
                return {"mode": "NONE"}
            case "named":
                return {"mode": "ANY", "allowedFunctionNames": [choice.name]}
            case "required":
                return {"mode": "ANY"} | ({"allowedFunctionNames": list(choice.names)} if choice.names else {})

    # -- generationConfig --------------------------------------------------------------------

    def _config(self) -> Json:
        request, s = self._request, self._request.sampling
        own = request.origin == "gemini"
        config: Json = {}
        if own and "generationConfig" in request.extra:
            config |= msgspec.json.decode(request.extra["generationConfig"])
        stop = [x for x in s.stop if x]
        if len(stop) > _MAX_STOP:
            self._lose("sampling.stop")
        said: Json = {
            "temperature": s.temperature,
            "topP": s.top_p,
            "topK": s.top_k,
            "maxOutputTokens": s.max_output or None,
            "stopSequences": stop[:_MAX_STOP] or None,
            "seed": s.seed,
            "candidateCount": s.n if own or (s.n or 1) > 1 else None,
        }
        # Several models answer these with 400, which ones is not documented: only Gemini's own callers, who can know,
        # get them. Source: https://github.com/BerriAI/litellm/issues/4333
        if own:
            said |= {
                "presencePenalty": s.presence_penalty,
                "frequencyPenalty": s.frequency_penalty,
                "responseLogprobs": s.logprobs,
                "logprobs": s.top_logprobs,
            }
        else:
            for what in ("presence_penalty", "frequency_penalty", "logprobs", "top_logprobs", "logit_bias"):
                if getattr(s, what):
                    self._lose(f"sampling.{what}")
        config |= {k: v for k, v in said.items() if v is not None}
        config |= _output(request.output)
        config |= self._modalities()
        thinking = self._thinking(request.reasoning)
        if thinking:
            config["thinkingConfig"] = thinking
        if request.origin == "openai_chat" and "extra_body" in request.extra:
            config |= _extra_body(request.extra["extra_body"])
        return config

    def _modalities(self) -> Json:
        asked = self._request.modalities
        if not asked and self._profile.image_output:
            asked = ("text", "image")
        if not asked or (asked == ("text",) and not self._profile.image_output):
            return {}
        return {"responseModalities": [m.upper() for m in asked]}

    def _thinking(self, wish: ReasoningWish | None) -> Json | None:
        profile = self._profile
        if wish is None:
            return None
        if profile.reasoning == "none":
            if not is_off(wish):
                self._lose("reasoning")
            return None
        return thinking_config(wish, profile)


def thinking_config(wish: ReasoningWish, profile: Profile) -> Json | None:
    """Return `thinkingConfig` for a wish, in the words of the model: a budget of tokens or a level. None: none."""
    off = is_off(wish)
    show = wish.show if wish.show is not None else not off
    if profile.reasoning == "level":
        level = effort_of(wish, profile.efforts)
        if off and level is None:
            level = profile.efforts[0] if profile.efforts else None
        return {"thinkingLevel": level, "includeThoughts": show} if level else None
    if off:
        # A model that always thinks is asked to think as little as it can.
        return {"thinkingBudget": 0 if profile.can_disable else profile.budget_min, "includeThoughts": False}
    if wish.adaptive or (wish.enabled and wish.effort is None and wish.budget is None):
        return {"thinkingBudget": -1, "includeThoughts": show}
    budget = budget_of(wish, GEMINI_BUDGETS, profile.budget_min, profile.budget_max)
    if budget is None:
        return {"includeThoughts": wish.show} if wish.show else None
    return {"thinkingBudget": budget, "includeThoughts": show}


def _has_calls(content: Json) -> bool:
    return any("functionCall" in p for p in content["parts"])


def _sign(parts: list[Json]) -> None:
    """Sign the first call of a turn that has no signature on any; without calls, the first text of an unsigned turn."""
    calls = [p for p in parts if "functionCall" in p]
    if calls:
        if not any("thoughtSignature" in p for p in calls):
            calls[0]["thoughtSignature"] = DUMMY_SIGNATURE
    elif not any("thoughtSignature" in p for p in parts):
        text = next((p for p in parts if p.get("text")), None)
        if text is not None:
            text["thoughtSignature"] = DUMMY_SIGNATURE


def _response(text: str, error: bool) -> Json:
    if error:
        return {"error": text}
    try:
        value: Any = msgspec.json.decode(text)
    except msgspec.DecodeError:
        value = None
    if isinstance(value, dict):
        return cast(Json, value)
    return {"result": value} if isinstance(value, list) else {"content": text}


def _function(tool: Tool) -> Json:
    out: Json = {"name": tool.name}
    if tool.description:
        out["description"] = tool.description
    parameters = schemas.parameters(msgspec.json.decode(tool.schema)) if tool.schema is not None else None
    if parameters:
        out["parameters"] = parameters
    return out


def _output(wish: OutputWish | None) -> Json:
    if wish is None or wish.kind == "text":
        return {}
    out: Json = {"responseMimeType": "application/json"}
    if wish.schema is not None:
        schema = schemas.response(msgspec.json.decode(wish.schema))
        if schema:
            out["responseSchema"] = schema
    return out


def _extra_body(raw: Raw) -> Json:
    """Return what `extra_body.google` of an OpenAI client asks for.

    Source: https://ai.google.dev/gemini-api/docs/openai#extra-body
    """
    extra: Any = msgspec.json.decode(raw)
    google = cast(Json, extra).get("google") if isinstance(extra, dict) else None
    if not isinstance(google, dict):
        return {}
    where = "extra_body.google"
    node = cast(Json, google)
    out: Json = {}
    thinking = _sub(node, where, "thinking_config", "thinkingConfig")
    if thinking is not None:
        at = f"{where}.thinking_config"
        made: Json = {}
        budget = _value(thinking, at, "thinking_budget", "thinkingBudget", int | float, "an integer")
        if budget is not None:
            made |= {"thinkingBudget": int(budget), "includeThoughts": budget > 0}
        show = _value(thinking, at, "include_thoughts", "includeThoughts", bool, "a boolean")
        if show is not None:
            made["includeThoughts"] = show
        level = _value(thinking, at, "thinking_level", "thinkingLevel", str, "a string")
        if level:
            made["thinkingLevel"] = level
        if made:
            out["thinkingConfig"] = made
    image = _sub(node, where, "image_config", "imageConfig")
    if image is not None:
        at = f"{where}.image_config"
        ratio = _value(image, at, "aspect_ratio", "aspectRatio", str, "a string")
        size = _value(image, at, "image_size", "imageSize", str, "a string")
        made = {k: v for k, v in (("aspectRatio", ratio), ("imageSize", size)) if v}
        if made:
            out["imageConfig"] = made
    return out


def _sub(node: Json, where: str, name: str, wrong: str) -> Json | None:
    value = _value(node, where, name, wrong, dict, "an object")
    return cast("Json | None", value)


def _value(node: Json, where: str, name: str, wrong: str, kind: Any, called: str) -> Any:
    if wrong in node:
        raise CallerError(f"{where}.{wrong} is not supported, use {where}.{name} instead", param=f"{where}.{wrong}")
    value = node.get(name)
    if value is None:
        return None
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise CallerError(f"{where}.{name} must be {called}", param=f"{where}.{name}")
    return value
