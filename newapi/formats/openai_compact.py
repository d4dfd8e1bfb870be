"""OpenAI Responses' compaction: a conversation made shorter. Passed on as it is, between upstreams that speak it.

Source: https://platform.openai.com/docs/api-reference/responses/compact
"""

from __future__ import annotations

import msgspec
from msgspec import Struct

from newapi.base.errors import CallerError
from newapi.formats._openai_errors import read_error, write_error
from newapi.formats._responses_answer_read import read_usage
from newapi.formats.contract import Format, Params, Peek, Route


class _Request(Struct):
    model: str = ""


_REQUEST = msgspec.json.Decoder(_Request)


def peek(body: bytes, params: Params) -> Peek:
    """Return the model; a compaction never streams.

    Raises:
        CallerError: The body is not a JSON object, or names no model.
    """
    try:
        request = _REQUEST.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as e:
        raise CallerError(f"the body is not a compaction request: {e}", code="invalid_json") from None
    if not request.model:
        raise CallerError("model is required", param="model")
    return Peek(request.model, stream=False)


FORMAT = Format(
    name="openai_compact",
    endpoint="compact",
    routes=(Route("POST", "/v1/responses/compact", "compact"),),
    upstream_path="/v1/responses/compact",
    peek=peek,
    read_error=read_error,
    write_error=write_error,
    read_usage=read_usage,
)
