"""Anthropic Messages, for callers and upstreams.

What `anthropic-version` 2026-10-21 changes lies in requests alone (no sampling, no documents in an assistant's turn);
answers and events are those of 2023-06-01. Sources: https://docs.claude.com/en/api/messages,
https://platform.claude.com/docs/en/api/versioning
"""

from __future__ import annotations

from newapi.formats import _limit_headers
from newapi.formats._anthropic_errors import error_frame, write_error
from newapi.formats._anthropic_read_answer import Reader, read_response, read_usage
from newapi.formats._anthropic_read_request import peek, read_request
from newapi.formats._anthropic_write_answer import KEEPALIVE, Writer, write_response
from newapi.formats._anthropic_write_request import write_request
from newapi.formats._openai_errors import read_error
from newapi.formats.contract import Format, Route

FORMAT = Format(
    name="anthropic_messages",
    endpoint="chat",
    routes=(Route("POST", "/v1/messages"),),
    upstream_path="/v1/messages",
    peek=peek,
    read_error=read_error,
    write_error=write_error,
    limit_headers=_limit_headers.anthropic,
    read_usage=read_usage,
    read_request=read_request,
    write_request=write_request,
    read_response=read_response,
    write_response=write_response,
    reader=Reader,
    writer=Writer,
    error_frame=error_frame,
    keepalive=KEEPALIVE,
)
