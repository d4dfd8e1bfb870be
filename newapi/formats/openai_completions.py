"""OpenAI's legacy completions, as a conversation of one turn.

Source: https://platform.openai.com/docs/api-reference/completions
"""

from __future__ import annotations

from typing import Any

import msgspec

from newapi.base.errors import CallerError, Unsupported
from newapi.formats import _openai_usage as usage_object
from newapi.formats import openai_chat
from newapi.formats._openai_chat_answer import Reader, read_response, read_usage
from newapi.formats._openai_chat_request import Fields, peek_prompt, read_common
from newapi.formats._openai_chat_tell import ENDING, FINISH, error_frame, identity
from newapi.formats._openai_chat_write import write_request as write_chat
from newapi.formats._openai_errors import read_error, write_error
from newapi.formats._openai_media import markdown
from newapi.formats.contract import Format, Loss, Params, Profile, Route, WriterOptions, Written
from newapi.frames import sse
from newapi.ir.events import Delta, Event, Failed, Finished, Metered, Opened, Started, Whole
from newapi.ir.request import Media, Message, Refusal, Request, Text
from newapi.ir.response import Response
from newapi.ir.usage import Usage

ORIGIN = "openai_completions"
_encode = msgspec.json.Encoder().encode


def read_request(body: bytes, params: Params) -> Request:
    """Return the request as one user turn; `suffix`, `echo`, `best_of` and the like are kept in `extra`.

    Raises:
        CallerError: It makes no sense, or asks for several prompts or for tokens by number at once.
    """
    fields = Fields(body)
    prompt = fields.any("prompt")
    if isinstance(prompt, list) and len(prompt) == 1 and isinstance(prompt[0], str):  # pyright: ignore[reportUnknownArgumentType]  # JSON
        prompt = prompt[0]
    if prompt == "" or prompt == []:
        raise CallerError("field prompt is required", param="prompt")
    if not isinstance(prompt, str | None):
        raise CallerError("field prompt: expected one string", param="prompt")
    logprobs = fields.any("logprobs")
    request = read_common(fields, (Message("user", (Text(prompt or ""),), plain=True),), ORIGIN)
    if logprobs is None:
        return request
    # Here it is a number of alternatives, in chat a switch.
    extra = {**request.extra, "logprobs": msgspec.Raw(_encode(logprobs))}
    return msgspec.structs.replace(request, extra=extra)


def write_request(request: Request, profile: Profile) -> Written:
    """Return the request as a prompt.

    Raises:
        Unsupported: It is more than one turn of text.
    """
    turns = request.messages
    texts = [p.text for m in turns for p in m.parts if isinstance(p, Text)]
    if len(turns) != 1 or turns[0].role != "user" or len(texts) != len(turns[0].parts) or request.tools:
        raise Unsupported("a legacy completion takes one text and no conversation", param="messages")
    written = write_chat(request, profile)
    body = msgspec.json.decode(written.body, type=dict[str, Any])
    del body["messages"]
    losses = [loss for loss in written.losses if not loss.what.startswith("extra.")]
    for key in ("response_format", "reasoning_effort", "top_logprobs", "modalities", "audio", "reasoning"):
        if body.pop(key, None) is not None:
            losses.append(Loss(key))
    if "max_completion_tokens" in body:
        body["max_tokens"] = body.pop("max_completion_tokens")
    extra: dict[str, Any] = dict(request.extra) if request.origin == ORIGIN else {}
    return Written(_encode({**extra, **body, "prompt": "".join(texts)}), tuple(losses))


class Writer:
    """Events in, text chunks out. Thoughts and tool calls have no form here."""

    __slots__ = ("_created", "_id", "_model", "_options", "_texts", "_usage")

    def __init__(self, options: WriterOptions) -> None:
        self._options = options
        self._id, self._model, self._created = identity("", "", 0, options, "cmpl")
        self._texts: dict[int, int] = {}
        self._usage: Usage | None = None

    def write(self, event: Event) -> bytes:
        """Return the chunk that says `event`, nothing for what is not text."""
        match event:
            case Started():
                self._id, self._model, self._created = identity(
                    event.id, event.model, event.created, self._options, "cmpl"
                )
            case Opened() if event.kind in ("text", "refusal"):
                self._texts[event.part] = event.choice
            case Delta() if event.part in self._texts:
                return self._chunk(self._texts[event.part], event.text)
            case Whole() if isinstance(event.value, Media):
                return self._chunk(event.choice, _media(event.value))
            case Finished():
                return self._chunk(event.choice, "", FINISH[event.finish])
            case Metered():
                self._usage = event.usage
            case Failed():
                return error_frame(event.error, self._options.request_id)
            case _:
                pass
        return b""

    def close(self) -> bytes:
        """Return the usage, where it is wanted, and `[DONE]`."""
        if self._usage is None or not self._options.include_usage:
            return ENDING
        return sse.write(_encode(self._named() | {"choices": [], "usage": usage_object.write(self._usage)})) + ENDING

    def _named(self) -> dict[str, Any]:
        return {"id": self._id, "object": "text_completion", "created": self._created, "model": self._model}

    def _chunk(self, choice: int, text: str, finish: str | None = None) -> bytes:
        said = {"text": text, "index": choice, "logprobs": None, "finish_reason": finish}
        return sse.write(_encode(self._named() | {"choices": [said]}))


def write_response(response: Response, options: WriterOptions) -> bytes:
    """Return a whole completion."""
    id, model, created = identity(response.id, response.model, response.created, options, "cmpl")
    choices: list[dict[str, Any]] = []
    for index, choice in enumerate(response.choices):
        text = "".join(
            p.text if isinstance(p, Text | Refusal) else _media(p) if isinstance(p, Media) else "" for p in choice.parts
        )
        choices.append({"text": text, "index": index, "logprobs": None, "finish_reason": FINISH[choice.finish]})
    body: dict[str, Any] = {"id": id, "object": "text_completion", "created": created, "model": model}
    body["choices"] = choices
    if response.usage is not None:
        body["usage"] = usage_object.write(response.usage)
    return _encode(body)


def usage_frame(usage: Usage, options: WriterOptions) -> bytes:
    """Return the closing chunk that has usage and no choices."""
    id, model, created = identity("", "", 0, options, "cmpl")
    body: dict[str, Any] = {"id": id, "object": "text_completion", "created": created, "model": model, "choices": []}
    return sse.write(_encode(body | {"usage": usage_object.write(usage)}))


def _media(media: Media) -> str:
    return media.transcript if media.kind == "audio" else markdown(media)


FORMAT = Format(
    name="openai_completions",
    endpoint="chat",
    routes=(Route("POST", "/v1/completions"),),
    upstream_path="/v1/completions",
    peek=peek_prompt,
    read_error=read_error,
    write_error=write_error,
    read_usage=read_usage,
    read_request=read_request,
    write_request=write_request,
    read_response=read_response,
    write_response=write_response,
    reader=Reader,
    writer=Writer,
    error_frame=error_frame,
    ending=ENDING,
    usage_frame=usage_frame,
    frame_filter=openai_chat.frame_filter,
)
