"""Google's errors: read whatever an upstream calls one, written as `{"error": {"code", "message", "status"}}`.

Source: https://ai.google.dev/gemini-api/docs/troubleshooting, https://google.aip.dev/193
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import msgspec

from newapi.base.errors import NewapiError
from newapi.frames import sse

_WORDS: Mapping[int, str] = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    402: "FAILED_PRECONDITION",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    408: "DEADLINE_EXCEEDED",
    409: "ABORTED",
    413: "INVALID_ARGUMENT",
    422: "INVALID_ARGUMENT",
    429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    500: "INTERNAL",
    501: "UNIMPLEMENTED",
    502: "UNAVAILABLE",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
    529: "UNAVAILABLE",
}
_KNOWN = frozenset((*_WORDS.values(), "OUT_OF_RANGE", "ALREADY_EXISTS", "DATA_LOSS", "UNKNOWN"))


def write_error(error: NewapiError, request_id: str) -> bytes:
    """Return the error as Google's body; the message ends with the request id, where there is one."""
    message = f"{error.message} (request id: {request_id})" if request_id else error.message
    word = error.code if error.code in _KNOWN else _WORDS.get(error.status, "")
    if not word:
        word = "INVALID_ARGUMENT" if 400 <= error.status < 500 else "INTERNAL"
    body: dict[str, Any] = {"code": error.status, "message": message, "status": word}
    if error.retry_after is not None:
        # Where Google's SDKs look for it: https://cloud.google.com/apis/design/errors#error_info
        retry = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": f"{math.ceil(error.retry_after)}s"}
        body["details"] = [retry]
    return msgspec.json.encode({"error": body})


def error_frame(error: NewapiError, request_id: str) -> bytes:
    """Return the error as the last event of a stream, the way Google sends one."""
    return sse.write(write_error(error, request_id))
