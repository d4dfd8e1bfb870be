"""What a format module offers: `FORMAT`, its functions gathered. pyright checks each signature."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, Protocol

from msgspec import Struct

from newapi.base.errors import NewapiError, UpstreamError
from newapi.base.standing import Standing
from newapi.formats import _limit_headers
from newapi.frames.sse import Frame
from newapi.ir.events import Event
from newapi.ir.usage import Usage

Params = Mapping[str, str]
"""What is said outside the body: path and query parameters by name, and `content-type`."""

Endpoint = Literal[
    "chat",  # a conversation, in any of the four formats, and legacy completions
    "embeddings",
    "rerank",
    "images",
    "image_edits",
    "speech",
    "transcription",
    "translation",
    "moderation",
    "compact",  # OpenAI Responses' compaction
    "count_tokens",  # Anthropic's and Gemini's
    "models",
]


class Route(Struct, frozen=True):
    """A path this format is reached by. `{model}` in the path is a path parameter."""

    method: str
    path: str
    endpoint: Endpoint = "chat"


class Peek(Struct, frozen=True):
    """What routing and the estimate need of a request, read without parsing the rest.

    Raises nothing itself: a format's `peek` raises `CallerError` for a body that is not JSON, or lacks the model.
    """

    model: str
    stream: bool
    max_output: int = 0
    """Tokens the answer may have, 0 when it was not said."""
    n: int = 1
    """Pictures or alternatives asked for."""
    image_size: str = ""
    image_quality: str = ""
    include_usage: bool = True
    """OpenAI chat and completions: whether the caller wants the closing usage chunk (`include_usage`)."""


class Loss(Struct, frozen=True):
    """Something the target format has no way to say, left out on the way: a tuning knob, a hint."""

    what: str
    """The field, in the target-independent words of the canonical form: `sampling.seed`, `tools.strict`."""


class Written(Struct, frozen=True):
    """A request's bytes in the upstream's format, and what was left out."""

    body: bytes
    losses: tuple[Loss, ...] = ()
    content_type: str = "application/json"


class Profile(Struct, frozen=True):
    """Where one model departs from the format it is spoken to in. The defaults suit a plain model that does not think.

    Providers make these; a format's `write_request` obeys them.
    """

    reasoning: Literal["none", "effort", "budget", "adaptive", "level"] = "none"
    """What the model takes as a wish to think: nothing; OpenAI's effort; Anthropic's or Gemini's budget of tokens;
    Anthropic's adaptive thinking with `output_config.effort`; Gemini's thinking level."""
    efforts: tuple[str, ...] = ("low", "medium", "high")
    """Efforts (or levels) it accepts, in growing order."""
    budget_min: int = 1024
    budget_max: int = 32_768
    """Bounds of a thinking budget, in tokens."""
    can_disable: bool = True
    """Whether thinking can be turned off."""
    reasoning_field: str = "reasoning_content"
    """OpenAI chat: the message field that holds an earlier turn's reasoning; "" when it must not be sent back."""
    reasoning_echo: Literal["never", "optional", "required"] = "never"
    """Whether an assistant turn is sent back with its reasoning."""
    sampling: bool = True
    """Whether temperature and top_p are accepted."""
    top_p_beside_temperature: bool = True
    """Anthropic: whether both may be said at once."""
    max_stop: int = 0
    """OpenAI chat: how many stop sequences are taken, 0 for any number."""
    web_search: bool = False
    """OpenAI chat: whether `web_search_options` is accepted. Of OpenAI's models only those made to search take it; to
    all others it is an unknown parameter."""
    custom_tools: bool = False
    """OpenAI chat: whether tools that take free text are known, and a choice among several tools."""
    top_k: bool = False
    """OpenAI chat: whether `top_k` is accepted (OpenAI itself refuses it)."""
    max_tokens_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    system_role: Literal["system", "developer"] = "system"
    cache_marks: bool = False
    """OpenAI chat: whether `cache_control` on parts is accepted."""
    json_schema: bool = True
    """Whether an output schema is accepted."""
    default_max_output: int = 8192
    """Anthropic: `max_tokens` where the caller said none."""
    image_output: bool = False
    """Gemini: whether the model answers with pictures too."""
    tool_call_id: Literal["any", "nine"] = "any"
    """`nine`: Mistral takes ids of exactly nine letters or digits."""
    dialect: str = ""
    """The provider, where its dialect differs in more than a switch can say ("openrouter", "mistral")."""


class Reader(Protocol):
    """Upstream frames in, events out; one for each attempt. Keeps the grammar of `ir.events` for every prefix."""

    def feed(self, frame: Frame) -> Iterable[Event]:
        """Return what `frame` says. An error object in the stream becomes `Failed`; what is not JSON too."""
        ...

    def close(self) -> Iterable[Event]:
        """Return what the end of the input says: parts closed, or `Failed` (kind `cut`) when the end did not come.

        A stream that never said why it ended (no finish reason, no `[DONE]`, no `message_stop`) was cut.
        """
        ...


class Writer(Protocol):
    """Events in, caller bytes out; one for each stream."""

    def write(self, event: Event) -> bytes:
        """Return the event in this format, `b""` when it has no form of its own. `Failed` writes the format's error."""
        ...

    def close(self) -> bytes:
        """Return the format's end of stream, after the last event and not after `Failed`."""
        ...


class WriterOptions(Struct, frozen=True):
    """What a writer may say about the answer.

    Attributes:
        model: The model the caller asked for, used where the upstream named none.
        request_id: Used to make up ids.
        created: Unix seconds, used where the upstream did not say.
        include_usage: OpenAI chat: whether the closing usage chunk is wanted.
        prompt_tokens: An estimate, for formats that must say one before the upstream does.
    """

    model: str = ""
    request_id: str = ""
    created: int = 0
    include_usage: bool = True
    prompt_tokens: int = 0


class Format(Struct, frozen=True):
    """One way of saying things.

    Formats that serve one endpoint share a canonical form, so that every entry format of it reaches every upstream
    format of it: `ir.request.Request` and `ir.response.Response` for chat, a struct of their own for the others. Any
    canonical answer has a `usage`.

    `read_` functions take bytes and raise `CallerError` (requests) or `UpstreamError` (answers) on nonsense; `write_`
    functions make bytes, and `write_request` raises `Unsupported` for content that it cannot say.
    """

    name: str
    endpoint: Endpoint
    routes: tuple[Route, ...]
    """Empty for a format that is spoken upstream only."""
    upstream_path: str
    """Where an upstream that speaks it is asked; `{model}` and, for Gemini, `{action}` are filled in."""
    peek: Callable[[bytes, Params], Peek]
    read_error: Callable[[int, bytes], UpstreamError]
    """(status, body) -> the error, with the upstream's own words; never raises."""
    write_error: Callable[[NewapiError, str], bytes]
    """(error, request id) -> the whole error body."""
    read_usage: Callable[[bytes], Usage | None]
    """The usage that a whole answer states; raises UpstreamError when the body is an error or makes no sense."""
    read_request: Callable[[bytes, Params], Any] | None = None
    write_request: Callable[[Any, Profile], Written] | None = None
    read_response: Callable[[bytes], Any] | None = None
    write_response: Callable[[Any, WriterOptions], bytes] | None = None
    set_model: Callable[[bytes, Params, str], Written] | None = None
    """(body, parameters, model) -> the body with another model, where that is not JSON's top-level `model`."""
    reader: Callable[[], Reader] | None = None
    writer: Callable[[WriterOptions], Writer] | None = None
    error_frame: Callable[[NewapiError, str], bytes] | None = None
    """(error, request id) -> the error as one event of a stream, and the end of it where the format has one."""
    keepalive: bytes = b": keepalive\n\n"
    """Bytes that a client of this format skips, sent while the upstream is silent; empty where there are none."""
    write_count: Callable[[int], bytes] | None = None
    """Endpoint `count_tokens`: (tokens) -> the answer, where no upstream is there to count."""
    ending: bytes = b""
    """The frame that ends a stream, where the format has one: added on the verbatim lane when it was forgotten."""
    usage_frame: Callable[[Usage, WriterOptions], bytes] | None = None
    """A frame that states usage, sent before the end on the verbatim lane when the upstream stated none."""
    frame_filter: Callable[[WriterOptions], Callable[[Frame], bytes] | None] | None = None
    """Makes a filter of the frames of a stream on the verbatim lane; None (or a None result): bytes go through."""
    prompt_tokens: Callable[[bytes, Params], int | None] | None = None
    """(body, parameters) -> an estimate of the prompt where it is not text (a recording), or is sold otherwise than by
    tokens (characters to be spoken); None: count the text. Raises CallerError where the body makes no sense."""
    limit_headers: Callable[[Standing, float], list[tuple[str, str]]] = _limit_headers.openai
    """(where the caller stands with its limits, Unix seconds) -> the headers that say so."""


def estimate_due(usage: Usage | None) -> bool:
    """Return whether `usage` is missing or empty, so that an estimate is due."""
    return usage is None or usage.total == 0
