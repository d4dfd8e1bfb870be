"""OpenAI Responses. Source: https://platform.openai.com/docs/api-reference/responses"""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct

from newapi.base.errors import CallerError
from newapi.formats._openai_errors import read_error, write_error
from newapi.formats._output_limit import check_limit
from newapi.formats._responses_answer_read import Reader, read_response, read_usage
from newapi.formats._responses_answer_write import Writer, error_frame, write_response
from newapi.formats._responses_items import NAME, NULL
from newapi.formats._responses_request_read import read_request
from newapi.formats._responses_request_write import write_request
from newapi.formats.contract import Format, Params, Peek, Route


class _Request(Struct):
    model: str = ""
    stream: bool | None = None
    max_output_tokens: int | None = None
    input: Raw = NULL
    prompt: Raw = NULL
    conversation: Raw = NULL
    previous_response_id: Raw = NULL


_REQUEST = msgspec.json.Decoder(_Request)


def peek(body: bytes, params: Params) -> Peek:
    """Return what routing needs.

    Raises:
        CallerError: The body is not a JSON object, or lacks the model, or anything to answer.
    """
    try:
        request = _REQUEST.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as e:
        raise CallerError(f"the body is not a Responses request: {e}", code="invalid_json") from None
    if not request.model:
        raise CallerError("model is required", param="model")
    if not any(map(_said, (request.input, request.prompt, request.conversation, request.previous_response_id))):
        raise CallerError("input is required", param="input")
    most = request.max_output_tokens or 0
    check_limit("max_output_tokens", most)
    return Peek(request.model, bool(request.stream), most)


_EMPTY = Raw(b'""')


def _said(value: Raw) -> bool:
    return value not in (NULL, _EMPTY)


FORMAT = Format(
    name=NAME,
    endpoint="chat",
    routes=(Route("POST", "/v1/responses"),),
    upstream_path="/v1/responses",
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
)
