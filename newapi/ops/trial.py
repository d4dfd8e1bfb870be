"""One request through a running gateway, as a client of any format would send it."""

from __future__ import annotations

import base64
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Literal

import httpx
from msgspec import Struct

from newapi import formats
from newapi.base.errors import CallerError, NewapiError
from newapi.base.secret import Secret
from newapi.config.schema import TokenSpec
from newapi.formats.contract import Format, Profile
from newapi.frames.sse import SseFramer
from newapi.ir.events import Delta, Event, Failed, Finished, Metered, Opened, Started, Whole
from newapi.ir.request import Inline, Media, Message, Part, Reasoning, Refusal, Request, Sampling, Text
from newapi.ir.response import Response
from newapi.ir.usage import Usage
from newapi.ops.gateway import Gateway
from newapi.ops.remote import DENIED, connected

Entry = Literal["chat", "messages", "gemini", "responses"]
FORMATS: dict[str, str] = {
    "chat": "openai_chat",
    "messages": "anthropic_messages",
    "gemini": "gemini",
    "responses": "openai_responses",
}
"""What a person calls a format -> its name."""
_MAX_OUTPUT = 4096
_TOKEN_SECONDS = 3600.0
_KNOWN_SECONDS = 5.0
"""How long a server may take to learn of a new token; it takes a fraction of a second."""
_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
)

Say = Callable[[str, str], None]
"""Told what comes: `text` or `reasoning`, and a piece of it."""


class TrialFailed(NewapiError):
    """The gateway answered with an error, or broke off."""

    code = "trial_failed"


class Trial(Struct, frozen=True):
    """What is asked.

    Attributes:
        images: Files' contents; PNG, JPEG, GIF or WebP.
        max_output: Tokens the answer may have.
    """

    model: str
    prompt: str
    entry: Entry = "chat"
    stream: bool = False
    images: tuple[bytes, ...] = ()
    max_output: int = _MAX_OUTPUT


class Tried(Struct, frozen=True):
    """What came back. Milliseconds since the request was sent; `first_ms` is 0 where the answer came at once.

    Attributes:
        request_id: For `newapi trace`.
        model: As the answer says it.
        finish: Why the answer ended, "" when it did not say.
    """

    entry: str
    request_id: str
    status: int
    model: str
    text: str
    reasoning: str
    finish: str
    head_ms: int
    first_ms: int
    total_ms: int
    prompt_tokens: int
    completion_tokens: int


class Call(Struct, frozen=True):
    """The HTTP request of a trial, without its credential."""

    path: str
    headers: dict[str, str]
    body: bytes


def written(trial: Trial) -> Call:
    """Return the request that is sent.

    Raises:
        CallerError: The format cannot say it, or an image is of no known kind.
    """
    format = _format(trial)
    parts: list[Text | Media] = [Text(trial.prompt), *(_image(data) for data in trial.images)]
    request = Request(
        model=trial.model,
        messages=(Message("user", tuple(parts), plain=not trial.images),),
        stream=trial.stream,
        sampling=Sampling(max_output=trial.max_output),
        origin=format.name,
    )
    assert format.write_request is not None  # noqa: S101  (every chat format has one)
    body = format.write_request(request, Profile()).body
    action = "streamGenerateContent" if trial.stream else "generateContent"
    path = format.upstream_path.format(model=trial.model, action=action)
    if trial.entry == "gemini" and trial.stream:
        path += "?alt=sse"
    headers = {"content-type": "application/json"}
    if trial.entry == "messages":
        headers["anthropic-version"] = "2023-06-01"
    return Call(path, headers, body)


def ask(server: str, key: Secret, trial: Trial, say: Say, *, timeout: float = 300.0, patient: bool = False) -> Tried:
    """Send one request and return what came back.

    Args:
        server: Its URL, or what it listens on.
        key: A token's.
        trial: What is asked.
        say: Told what comes, as it comes.
        timeout: Seconds of silence.
        patient: The key was made just now: ask again while the server does not know it yet.

    Raises:
        CallerError: 401 or 403: the key may not.
        TrialFailed: The gateway answered with an error, or broke off.
        Unreachable: The server does not answer.
    """
    call = written(trial)
    headers = call.headers | _credential(trial.entry, key)
    deadline = time.monotonic() + (_KNOWN_SECONDS if patient else 0)
    with connected(server, timeout=timeout) as http:
        while True:
            began = time.monotonic()
            with http.stream("POST", call.path, content=call.body, headers=headers) as reply:
                if reply.status_code == httpx.codes.UNAUTHORIZED and time.monotonic() < deadline:
                    time.sleep(0.05)
                    continue
                return _Reading(trial, began, say).read(reply)


@contextmanager
def temporary_token(gateway: Gateway, group: str) -> Iterator[Secret]:
    """Give the key of a token that is there for this alone, and is root's; delete it afterwards.

    Raises:
        NewapiError: It cannot be made.
    """
    name = f"try-{secrets.token_hex(4)}"
    # It ends by itself where it cannot be deleted: the machine may fail meanwhile.
    spec = TokenSpec(group=group, unlimited=True, expires=_TOKEN_SECONDS)
    _, key = gateway.create_token(name, spec)
    try:
        yield key
    finally:
        gateway.delete_token(name)


def _format(trial: Trial) -> Format:
    return formats.get(FORMATS[trial.entry])


def _credential(entry: Entry, key: Secret) -> dict[str, str]:
    match entry:
        case "messages":
            return {"x-api-key": key.reveal()}
        case "gemini":
            return {"x-goog-api-key": key.reveal()}
        case _:
            return {"authorization": f"Bearer {key.reveal()}"}


def _image(data: bytes) -> Media:
    mime = next((mime for magic, mime in _MAGIC if data.startswith(magic)), "")
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        mime = "image/webp"
    if not mime:
        raise CallerError("That is no picture: PNG, JPEG, GIF and WebP are", param="image")
    return Media("image", mime, Inline(base64.b64encode(data).decode()))


class _Reading:
    """Takes an answer, whole or in pieces, and says what is in it."""

    def __init__(self, trial: Trial, began: float, say: Say) -> None:
        self._trial, self._began, self._say = trial, began, say
        self._format = _format(trial)
        self._said: dict[str, list[str]] = {"text": [], "reasoning": []}
        self._kinds: dict[int, str] = {}
        self._model = self._finish = ""
        self._usage = Usage()
        self._first = 0

    def read(self, reply: httpx.Response) -> Tried:
        head_ms = self._elapsed()
        if reply.status_code != httpx.codes.OK:
            error = self._format.read_error(reply.status_code, reply.read())
            message = f"the gateway answered {reply.status_code}: {error.message}"
            if reply.status_code in DENIED:
                raise CallerError(message, status=reply.status_code)
            raise TrialFailed(message)
        if reply.headers.get("content-type", "").startswith("text/event-stream"):
            self._stream(reply)
        else:
            assert self._format.read_response is not None  # noqa: S101  (every chat format has one)
            self._whole(self._format.read_response(reply.read()))
        return Tried(
            entry=self._trial.entry,
            request_id=reply.headers.get("x-oneapi-request-id", ""),
            status=reply.status_code,
            model=self._model,
            text="".join(self._said["text"]),
            reasoning="".join(self._said["reasoning"]),
            finish=self._finish,
            head_ms=head_ms,
            first_ms=self._first,
            total_ms=self._elapsed(),
            prompt_tokens=self._usage.prompt,
            completion_tokens=self._usage.completion,
        )

    def _elapsed(self) -> int:
        return round((time.monotonic() - self._began) * 1000)

    def _tell(self, kind: str, text: str) -> None:
        if text:
            self._said[kind].append(text)
            self._say(kind, text)

    def _stream(self, reply: httpx.Response) -> None:
        assert self._format.reader is not None  # noqa: S101  (every chat format has one)
        reader, framer = self._format.reader(), SseFramer()
        for piece in reply.iter_bytes():
            for frame in framer.feed(piece):
                self._events(list(reader.feed(frame)))
        for frame in framer.close():
            self._events(list(reader.feed(frame)))
        self._events(list(reader.close()))

    def _events(self, events: Sequence[Event]) -> None:
        for event in events:
            match event:
                case Started(model=model):
                    self._model = model
                case Opened(part=part, kind=kind, name=name):
                    self._kinds[part] = kind
                    if kind in ("tool_call", "custom_tool_call"):
                        self._tell("text", f"[calls {name}] ")
                case Delta(part=part, text=text):
                    self._first = self._first or self._elapsed()
                    self._tell("reasoning" if self._kinds.get(part) == "reasoning" else "text", text)
                case Whole(value=value):
                    self._tell("text", _described(value))
                case Metered(usage=usage):
                    self._usage = usage
                case Finished(finish=finish):
                    self._finish = finish
                case Failed(error=error):
                    raise TrialFailed(f"the answer broke off: {error.message}")
                case _:
                    pass

    def _whole(self, response: Response) -> None:
        self._model, self._usage = response.model, response.usage or Usage()
        for choice in response.choices:
            self._finish = choice.finish
            for part in choice.parts:
                match part:
                    case Text(text=text) | Refusal(text=text):
                        self._tell("text", text)
                    case Reasoning(text=text):
                        self._tell("reasoning", text)
                    case _:
                        self._tell("text", _described(part))


def _described(part: Part) -> str:
    return f"[{part.kind} {part.mime}]" if isinstance(part, Media) else f"[{type(part).__name__}]"
