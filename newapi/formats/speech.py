"""OpenAI's text to speech. The answer is sound, or a stream of it.

Source: https://platform.openai.com/docs/api-reference/audio/createSpeech
"""

from __future__ import annotations

import math

import msgspec

from newapi.base.errors import CallerError
from newapi.formats import _media_audio as audio
from newapi.formats._media_form import Fields
from newapi.formats._media_stream import MeterReader, error_frame
from newapi.formats._openai_errors import error_in, read_error, write_error
from newapi.formats._openai_usage import read
from newapi.formats.contract import Format, Params, Peek, Route
from newapi.ir.text import TextRequest
from newapi.ir.usage import Usage


def _peek(body: bytes, params: Params) -> Peek:
    fields = Fields(body, {})
    model = fields.text("model", params.get("model", ""))
    if not model:
        raise CallerError("model is required", param="model")
    return Peek(model=model, stream=fields.text("stream_format") == "sse")


def _read_request(body: bytes, params: Params) -> TextRequest:
    fields = Fields(body, {})
    return TextRequest(model=fields.text("model", params.get("model", "")), text=fields.text("input"))


def _prompt_tokens(body: bytes, params: Params) -> int | None:
    """Characters, as such models are sold by; those called after GPT are sold by tokens."""
    request = _read_request(body, params)
    return None if "gpt" in request.model else len(request.text)


def _read_usage(body: bytes) -> Usage | None:
    """Sound states no usage: what was produced is worked out from its length, the prompt is for others to count."""
    if body.lstrip()[:1] == b"{":
        try:
            decoded = msgspec.json.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            decoded = None
        if error := error_in(decoded):
            raise error
    if not body:
        return None
    length = audio.seconds(body)
    if length is None:
        if audio.container(body):
            return Usage(output_audio=math.ceil(len(body) / 1000), source="estimate")
        length = len(body) / audio.PCM_RATE
    return Usage(output_audio=audio.tokens(length), source="estimate")


FORMAT = Format(
    name="speech",
    endpoint="speech",
    routes=(Route("POST", "/v1/audio/speech", "speech"),),
    upstream_path="/v1/audio/speech",
    peek=_peek,
    read_error=read_error,
    write_error=write_error,
    read_usage=_read_usage,
    read_request=_read_request,
    reader=lambda: MeterReader(read),
    error_frame=error_frame,
    prompt_tokens=_prompt_tokens,
)
