"""Anthropic's errors: `{"type": "error", "error": {"type", "message"}}`, whole or as an event.

Source: https://docs.claude.com/en/api/errors
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from newapi.base.errors import NewapiError, UpstreamError
from newapi.formats._openai_errors import error_in
from newapi.frames import sse

_TYPES: Mapping[int, str] = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    408: "timeout_error",
    409: "conflict_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    504: "timeout_error",
    529: "overloaded_error",
}
_KNOWN = frozenset(_TYPES.values())
_STATUS: Mapping[str, int] = {kind: status for status, kind in _TYPES.items() if status != 408}


def write_error(error: NewapiError, request_id: str) -> bytes:
    """Return the error as Anthropic's body; the message ends with the request id, where there is one.

    An Anthropic upstream's own type is kept where it suits the status; every other one follows from the status.
    """
    message = f"{error.message} (request id: {request_id})" if request_id else error.message
    body: dict[str, Any] = {"type": "error", "error": {"type": type_of(error), "message": message}}
    if request_id:
        body["request_id"] = request_id
    return msgspec.json.encode(body)


def type_of(error: NewapiError) -> str:
    """Return the word Anthropic's SDKs know for `error`."""
    by_status = _TYPES.get(error.status) or ("invalid_request_error" if error.status < 500 else "api_error")
    if error.type not in _KNOWN:
        return by_status
    # OpenAI calls every fault of the caller, a wrong key too, `invalid_request_error`.
    return by_status if error.type == "invalid_request_error" else error.type


def error_frame(error: NewapiError, request_id: str) -> bytes:
    """Return the error as the last event of a stream. Source: https://docs.claude.com/en/api/streaming#error-events"""
    return sse.write(write_error(error, request_id), "error")


def event_error(decoded: Any) -> UpstreamError | None:
    """Return the error that an answer or event states, with the status its type stands for; None without one."""
    error = error_in(decoded)
    if error is not None and error.type in _STATUS:
        error.status = _STATUS[error.type]
    return error
