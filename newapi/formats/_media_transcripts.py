"""OpenAI's speech to text: what transcripts and translations have in common.

Source: https://platform.openai.com/docs/api-reference/audio/createTranscription
"""

from __future__ import annotations

import msgspec

from newapi.base.errors import CallerError
from newapi.formats import _media_audio as audio
from newapi.formats._media_form import Fields, is_form, set_model
from newapi.formats._media_stream import MeterReader, error_frame
from newapi.formats._openai_errors import error_in, read_error, write_error
from newapi.formats._openai_usage import as_dict, read
from newapi.formats.contract import Endpoint, Format, Params, Peek, Route
from newapi.ir.usage import Usage

_DEFAULT_MODEL = "whisper-1"


def _fields(body: bytes, params: Params) -> Fields:
    if not is_form(params):
        raise CallerError("the request Content-Type isn't multipart/form-data")
    return Fields(body, params)


def peek(body: bytes, params: Params) -> Peek:
    """Return what a request for a transcript asks for; Whisper ignores the wish to stream.

    Raises:
        CallerError: It is no form, or has no file.
    """
    fields = _fields(body, params)
    if not fields.files("file"):
        raise CallerError("file is required", param="file")
    model = fields.text("model", _DEFAULT_MODEL)
    return Peek(model=model, stream=fields.flag("stream") and not model.startswith("whisper"))


def estimate_tokens(body: bytes, params: Params) -> int:
    """Return what the recordings of a request are billed as: 1000 tokens a minute, each rounded up to a second.

    Raises:
        CallerError: It is no form.
    """
    total = 0
    for part in _fields(body, params).files("file"):
        length = audio.seconds(part.data)
        total += audio.tokens(len(part.data) / audio.GUESSED_RATE if length is None else length)
    return total


def read_usage(body: bytes) -> Usage | None:
    """Return the usage of a whole transcript, None where it states none, or seconds, or is plain text or subtitles.

    Raises:
        UpstreamError: The body is an error.
    """
    if body.lstrip()[:1] != b"{":
        return None
    try:
        decoded = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    if error := error_in(decoded):
        raise error
    return read(as_dict(decoded).get("usage"))


def transcripts(name: str, endpoint: Endpoint, path: str) -> Format:
    """Return the format of one of the two endpoints."""
    return Format(
        name=name,
        endpoint=endpoint,
        routes=(Route("POST", path, endpoint),),
        upstream_path=path,
        peek=peek,
        read_error=read_error,
        write_error=write_error,
        read_usage=read_usage,
        set_model=set_model,
        reader=lambda: MeterReader(read),
        error_frame=error_frame,
        prompt_tokens=estimate_tokens,
    )
