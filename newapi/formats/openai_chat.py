"""OpenAI chat completions. Source: https://platform.openai.com/docs/api-reference/chat"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import Raw, Struct

from newapi.formats._openai_chat_answer import Reader, read_response, read_usage
from newapi.formats._openai_chat_request import peek, read_request
from newapi.formats._openai_chat_tell import ENDING, Writer, error_frame, usage_frame, write_response
from newapi.formats._openai_chat_write import write_request
from newapi.formats._openai_errors import read_error, write_error
from newapi.formats.contract import Format, Route, WriterOptions
from newapi.frames import sse
from newapi.frames.sse import Frame


def frame_filter(options: WriterOptions) -> Callable[[Frame], bytes] | None:
    """Return a filter that keeps usage from callers who did not ask for it, None for those who did.

    A chunk of usage alone is dropped; one that says more goes on without its usage.
    """
    return None if options.include_usage else _without_usage


class _Metered(Struct, gc=False):
    usage: Raw = Raw(b"null")


_metered = msgspec.json.Decoder(_Metered).decode
_values = msgspec.json.Decoder(dict[str, Raw]).decode


def _without_usage(frame: Frame) -> bytes:
    data = frame.data
    if b'"usage"' in data:
        try:
            usage = bytes(_metered(data).usage)
        except msgspec.DecodeError:
            return sse.write(data, frame.event)
        if usage != b"null":  # OpenAI says null in every chunk but the last
            chunk = _values(data)
            del chunk["usage"]
            choices: Any = msgspec.json.decode(chunk.get("choices", Raw(b"null")))
            if not choices and "error" not in chunk:
                return b""
            data = msgspec.json.encode(chunk)
    return sse.write(data, frame.event)


FORMAT = Format(
    name="openai_chat",
    endpoint="chat",
    routes=(Route("POST", "/v1/chat/completions"),),
    upstream_path="/v1/chat/completions",
    peek=peek,
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
    frame_filter=frame_filter,
)
