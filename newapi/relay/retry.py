"""What a failed attempt means for the next one."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from email.utils import parsedate_to_datetime
from functools import lru_cache

from newapi.base.errors import NewapiError, Unsupported, UpstreamError


def worth_another(error: NewapiError, retry_on: Sequence[str]) -> bool:
    """Return whether another channel may do better.

    Everything that is not the caller's fault may: no connection, no answer, an answer that makes no sense, a stream cut
    before its first event; a status, where `retry_on` (`"429"`, `"5xx"`) has it. So may a format that this channel's
    upstream cannot say, since the next channel may speak the caller's own. Nothing is, once a byte has gone out.
    """
    if isinstance(error, Unsupported):
        return True
    if not isinstance(error, UpstreamError) or error.started:
        return False
    if error.kind != "status":
        return True
    return _matches(error.status, tuple(retry_on)) or _matches(error.upstream_status, tuple(retry_on))


def too_long(error: NewapiError) -> bool:
    """Return whether an upstream says that the request does not fit into the model: one with more room may answer.

    Upstreams have no common word for it; these are theirs, and an error that is about the length of something else (a
    name, a text in one field) has none of them. Sources: https://platform.openai.com/docs/guides/error-codes,
    https://docs.anthropic.com/en/api/errors, https://ai.google.dev/gemini-api/docs/troubleshooting,
    https://docs.aws.amazon.com/bedrock/latest/userguide/troubleshooting-api-error-codes.html, and their answers.
    """
    if not isinstance(error, UpstreamError) or error.started:
        return False
    if error.kind not in ("status", "error_event") or error.upstream_status not in (0, 200, 400, 413, 422):
        return False
    return error.code == "context_length_exceeded" or _TOO_LONG.search(error.message) is not None


def wait_of(headers: Mapping[str, str], now: float) -> float | None:
    """Return the seconds that an answer asks to wait for; None where it does not, or makes no sense.

    Args:
        headers: Its headers, names in lower case.
        now: Unix seconds, for an answer that says a date.
    """
    milliseconds = _number(headers.get("retry-after-ms", ""))
    if milliseconds is not None:
        return milliseconds / 1000
    said = headers.get("retry-after", "")
    seconds = _number(said)
    if seconds is not None or not said:
        return seconds
    try:
        return max(0.0, parsedate_to_datetime(said).timestamp() - now)
    except (ValueError, OverflowError):
        return None


def _number(text: str) -> float | None:
    text = text.strip()
    return float(text) if text.replace(".", "", 1).isdecimal() and text.isascii() else None


_TOO_LONG = re.compile(
    r"context.?(length|window|limit)|maximum (context|prompt) length|max(imum)? number of (input )?tokens"
    r"|(prompt|input) is too long|prompt contains \d+ tokens|(input )?token count.*exceeds|range of input length"
    r"|too many (input )?tokens|reduce the length of the (messages|prompt|input)",
    re.IGNORECASE,
)


@lru_cache(1024)
def _matches(status: int, patterns: tuple[str, ...]) -> bool:
    return any(p == str(status) or (p[1:] == "xx" and p[:1] == str(status // 100)) for p in patterns)
