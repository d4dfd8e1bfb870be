"""OpenAI's errors: read from whatever an upstream calls one, written as `{"error": {…}}`. Shared by OpenAI's formats.

Source: https://platform.openai.com/docs/guides/error-codes
"""

from __future__ import annotations

from typing import Any, cast

import msgspec

from newapi.base.errors import NewapiError, UpstreamError, UpstreamKind

_STATUS_CODE = "bad_response_status_code"
_MESSAGES = ("message", "msg", "err", "error_msg", "detail", "error_description", "errmsg", "status_msg")


def read_error(status: int, body: bytes) -> UpstreamError:
    """Return the error that `body` states, in the upstream's own words; never raises.

    Understood are OpenAI's object, Anthropic's `{"type": "error", …}`, Google's object and its array of one,
    OpenRouter's with a number as its code, MiniMax's `base_resp`, and plain `message`, `msg`, `detail`. Text and HTML
    are not repeated: they tell callers about hosts and proxies.
    """
    try:
        decoded: Any = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        decoded = None
    return error_in(decoded, status) or UpstreamError(
        f"bad response status code {status}",
        kind=_kind(status),
        upstream_status=status,
        status=_status(status, None),
        code=_STATUS_CODE,
        type=_STATUS_CODE,
    )


def error_in(decoded: Any, status: int = 200) -> UpstreamError | None:
    """Return the error that a decoded answer or chunk states, None when it states none.

    Args:
        decoded: Decoded JSON of any shape.
        status: The HTTP status it came with. Below 300 only what is clearly an error is taken for one.
    """
    if isinstance(decoded, list) and decoded:
        decoded = cast("list[Any]", decoded)[0]
    if not isinstance(decoded, dict):
        return None
    whole = cast("dict[str, Any]", decoded)
    error = whole.get("error")
    if error is None and isinstance(inner := whole.get("response"), dict):
        error = cast("dict[str, Any]", inner).get("error")
    if isinstance(error, dict) and error:
        return _object(cast("dict[str, Any]", error), whole, status)
    if isinstance(error, str) and error:
        return _make(error, status, None, "", "")
    base = whole.get("base_resp")
    if isinstance(base, dict) and (number := cast("dict[str, Any]", base).get("status_code")):
        message = cast("dict[str, Any]", base).get("status_msg")
        return _make(_text(message) or f"error {number}", status, str(number), "", "")
    if status < 300 and whole.get("object") != "error":  # vLLM's
        return None
    header = whole.get("header")
    message = next((t for k in _MESSAGES if (t := _text(whole.get(k)))), "")
    if not message and isinstance(header, dict):
        message = _text(cast("dict[str, Any]", header).get("message"))
    if not message:
        return None
    return _make(message, status, whole.get("code"), _text(whole.get("type")), _text(whole.get("param")))


def write_error(error: NewapiError, request_id: str) -> bytes:
    """Return the error as OpenAI's body; the message ends with the request id, where there is one."""
    message = f"{error.message} (request id: {request_id})" if request_id else error.message
    return msgspec.json.encode(
        {"error": {"message": message, "type": error.type, "param": error.param, "code": error.code}}
    )


def _object(error: dict[str, Any], whole: dict[str, Any], status: int) -> UpstreamError:
    kind = _text(error.get("type")) or ("" if whole.get("type") == "error" else _text(whole.get("type")))
    code = error.get("code")
    # Google says the number of the HTTP status as `code`, and the word as `status`.
    word = error.get("status")
    number = code if isinstance(code, int) else None
    if isinstance(word, str) and word and not isinstance(code, str):
        code = word
    message = next((t for k in _MESSAGES if (t := _text(error.get(k)))), "")
    return _make(
        message or kind or _text(code) or "the upstream failed", status, code, kind, _text(error.get("param")), number
    )


def _make(message: str, status: int, code: Any, kind: str, param: str, number: int | None = None) -> UpstreamError:
    word = str(code) if isinstance(code, str | int) and not isinstance(code, bool) and code != "" else ""
    return UpstreamError(
        message,
        kind=_kind(status),
        upstream_status=status,
        status=_status(status, number),
        code=word or kind or _STATUS_CODE,
        type=kind or "upstream_error",
        param=param,
    )


def _kind(status: int) -> UpstreamKind:
    return "status" if status >= 300 or not status else "error_event"


def _status(status: int, number: int | None) -> int | None:
    """Return the status for the caller: the upstream's, or the one its error names; None for the default."""
    if status >= 400:
        return status
    return number if number is not None and 400 <= number < 600 else None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
