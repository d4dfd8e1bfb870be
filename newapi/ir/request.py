"""A request in the canonical form."""

from __future__ import annotations

from typing import Literal

from msgspec import Raw, Struct

from newapi.ir.seal import Seal

SPACE = "::"
"""Between a tool's namespace and its name, where its caller sorts tools so (the Responses API)."""


class CacheMark(Struct, frozen=True):
    """An order to cache the prompt up to here. `ttl` is "" for the vendor's default (5 minutes), or "1h"."""

    ttl: str = ""


class Citation(Struct, frozen=True):
    """Where a text got something from. `start` and `end` are character offsets into the text, or -1."""

    url: str = ""
    title: str = ""
    text: str = ""
    start: int = -1
    end: int = -1


class Text(Struct, frozen=True, tag="text"):
    text: str
    cache: CacheMark | None = None
    seal: Seal | None = None
    """Gemini signs text too."""
    citations: tuple[Citation, ...] = ()


class Reasoning(Struct, frozen=True, tag="reasoning"):
    """What a model thought. `redacted`: there is a seal and no text to show."""

    text: str = ""
    seal: Seal | None = None
    redacted: bool = False


class Url(Struct, frozen=True, tag="url"):
    url: str


class Inline(Struct, frozen=True, tag="inline"):
    """The bytes themselves, base64 without line breaks, standard alphabet."""

    data: str


class FileRef(Struct, frozen=True, tag="file"):
    """An id of the vendor's file storage; means something to format `origin` only."""

    id: str
    origin: str


class Media(Struct, frozen=True, tag="media"):
    """An image, a sound, a film or a document. `mime` may be "" for a URL whose type nobody said."""

    kind: Literal["image", "audio", "video", "document"]
    mime: str
    source: Url | Inline | FileRef
    name: str = ""
    """File name, where one was said."""
    detail: str = ""
    """OpenAI's `detail`: low, high, auto, or "" when it was not said."""
    cache: CacheMark | None = None
    seal: Seal | None = None
    transcript: str = ""
    """What a produced sound says, or the prompt that a model made of the prompt for a picture."""
    id: str = ""
    """The vendor's id of a produced sound (OpenAI's `audio.id`), or ""."""


class ToolCall(Struct, frozen=True, tag="tool_call"):
    """The model wants a tool to run.

    `args` is JSON text of an object as it came, never parsed to be passed on; free text for a custom tool.
    """

    id: str
    name: str
    args: str
    custom: bool = False
    cache: CacheMark | None = None
    seal: Seal | None = None


class ToolResult(Struct, frozen=True, tag="tool_result"):
    """What a tool answered. `id` is the call's; `name` the tool's where the format says it (or could look it up)."""

    id: str
    parts: tuple[Text | Media, ...]
    name: str = ""
    error: bool = False
    custom: bool = False
    cache: CacheMark | None = None
    plain: bool = True
    """Whether it was said as one bare string rather than as a list of parts."""


class Refusal(Struct, frozen=True, tag="refusal"):
    text: str


class Native(Struct, frozen=True, tag="native"):
    """A part that only format `origin` knows (a server tool's call or result, executed code): kept as it came."""

    origin: str
    body: Raw


Part = Text | Reasoning | Media | ToolCall | ToolResult | Refusal | Native
Role = Literal["system", "user", "assistant"]


class Message(Struct, frozen=True):
    """One turn. Tool results are parts of a user turn, whatever the format calls their role."""

    role: Role
    parts: tuple[Part, ...]
    plain: bool = False
    """Whether its text was said as one bare string rather than as a list of parts."""
    name: str = ""
    developer: bool = False
    """A system turn that was said under OpenAI's role `developer`."""


class Tool(Struct, frozen=True, tag="tool"):
    """A function that the caller runs. `schema` is JSON Schema as it came, None when there was none."""

    name: str
    description: str = ""
    schema: Raw | None = None
    strict: bool | None = None
    cache: CacheMark | None = None


class CustomTool(Struct, frozen=True, tag="custom_tool"):
    """OpenAI's tool that takes free text; `format` is its grammar object as it came."""

    name: str
    description: str = ""
    format: Raw | None = None


class WebSearch(Struct, frozen=True, tag="web_search"):
    """Leave to search the web, which the vendor does itself.

    `context` is low, medium, high or ""; `user_location` the flat object {city, country, region, timezone} as JSON.
    """

    context: str = ""
    max_uses: int | None = None
    allowed_domains: tuple[str, ...] = ()
    blocked_domains: tuple[str, ...] = ()
    user_location: Raw | None = None
    body: Raw | None = None
    """The tool as `origin` said it, written back to that format as it was."""
    origin: str = ""


class NativeTool(Struct, frozen=True, tag="native_tool"):
    """A server tool that only format `origin` knows."""

    origin: str
    body: Raw


AnyTool = Tool | CustomTool | WebSearch | NativeTool


class ToolChoice(Struct, frozen=True):
    """`named` needs `name`; `required` with `names` means one of these (OpenAI's allowed_tools, Gemini's list)."""

    mode: Literal["auto", "none", "required", "named"]
    name: str = ""
    names: tuple[str, ...] = ()


class Sampling(Struct, frozen=True):
    """Knobs. None is "not said"; an explicit 0 stays 0."""

    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    max_output: int | None = None
    """Tokens."""
    stop: tuple[str, ...] = ()
    seed: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    n: int | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    logit_bias: Raw | None = None


class ReasoningWish(Struct, frozen=True):
    """How hard to think, in the words it was said in. What was not said is None.

    `enabled=False` is "do not think"; `effort` is none, minimal, low, medium, high, xhigh or max; `budget` is tokens;
    `adaptive` is Anthropic's "as you see fit". `summary` (auto, concise, detailed) and `show` ask to see thoughts.
    """

    enabled: bool | None = None
    effort: str | None = None
    budget: int | None = None
    adaptive: bool = False
    summary: str | None = None
    show: bool | None = None


class OutputWish(Struct, frozen=True):
    """What form the answer is to have."""

    kind: Literal["text", "json", "schema"] = "text"
    name: str = ""
    description: str = ""
    schema: Raw | None = None
    strict: bool | None = None


class Request(Struct, frozen=True):
    """A conversation to go on with.

    System turns stay where they were said; a format that has one place for them gathers them.
    """

    model: str
    messages: tuple[Message, ...]
    stream: bool = False
    tools: tuple[AnyTool, ...] = ()
    tool_choice: ToolChoice | None = None
    parallel_tools: bool | None = None
    sampling: Sampling = Sampling()
    reasoning: ReasoningWish | None = None
    output: OutputWish | None = None
    modalities: tuple[str, ...] = ()
    """Lower case: text, image, audio."""
    audio: Raw | None = None
    """OpenAI's `audio` object {voice, format}."""
    verbosity: str = ""
    user: str = ""
    metadata: Raw | None = None
    service_tier: str = ""
    store: bool | None = None
    safety_identifier: str = ""
    prompt_cache_key: str = ""
    include_usage: bool | None = None
    """OpenAI chat's `stream_options.include_usage`; None when it was not said."""
    origin: str = ""
    """The entry format."""
    extra: dict[str, Raw] = {}
    """The entry format's other top-level keys, written back to that format only."""
