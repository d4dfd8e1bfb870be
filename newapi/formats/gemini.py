"""Gemini's generateContent and streamGenerateContent, for callers and upstreams.

Streams are server-sent events whether or not the caller says `alt=sse`, which Google's own SDKs always say.
Source: https://ai.google.dev/api/generate-content
"""

from __future__ import annotations

from newapi.formats import _limit_headers
from newapi.formats._gemini_errors import error_frame, write_error
from newapi.formats._gemini_read_answer import Reader, read_response, read_usage
from newapi.formats._gemini_read_request import peek, read_request
from newapi.formats._gemini_write_answer import Writer, write_response
from newapi.formats._gemini_write_request import write_request
from newapi.formats._openai_errors import read_error
from newapi.formats.contract import Format, Route

# A chunk that adds nothing: Google's own SDKs take a comment for an answer that is not JSON.
KEEPALIVE = b'data: {"candidates":[{"content":{"parts":[{"text":""}],"role":"model"},"index":0}]}\n\n'

FORMAT = Format(
    name="gemini",
    endpoint="chat",
    routes=tuple(
        Route("POST", f"/{version}/models/{{model}}:{action}")
        for version in ("v1beta", "v1")
        for action in ("generateContent", "streamGenerateContent")
    ),
    upstream_path="/v1beta/models/{model}:{action}",
    peek=peek,
    read_error=read_error,
    write_error=write_error,
    limit_headers=_limit_headers.none,
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
