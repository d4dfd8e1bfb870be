"""Headers an operator sets: a channel's `headers`, and those that `param_operations` made."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

from newapi.base.errors import UpstreamError
from newapi.base.http import Headers, HttpCall
from newapi.base.secret import Secret

NEVER_PASSED = frozenset(
    (
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "cookie",
        "host",
        "content-length",
        "accept-encoding",
        "authorization",
        "x-api-key",
        "api-key",
        "x-goog-api-key",
        "sec-websocket-key",
        "sec-websocket-version",
        "sec-websocket-extensions",
    )
)
"""What `*` and `re:` leave behind: headers of the hop, and those that say who the caller is to us."""


class Template(str):
    """A header's value in the operator's words: `{api_key}` and `{client_header:…}` in it are filled in."""

    __slots__ = ()


_CLIENT = re.compile(r"\{client_header:([^}]+)\}")
_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")


def apply_headers(
    call: HttpCall,
    overrides: Mapping[str, str],
    *,
    key: Secret,
    client_headers: Mapping[str, str],
    changes: Mapping[str, str | None] | None = None,
) -> HttpCall:
    """Return `call` with headers set over the provider's own.

    Args:
        call: What the provider says to send.
        overrides: The channel's `headers`. `*` passes the caller's headers on, `re:…` those whose names match (of any
            case); `{client_header:Name}`, alone, is the caller's header; `{api_key}` is the upstream key. A value that
            is empty sets nothing.
        key: The upstream key in use.
        client_headers: The caller's headers, names in lower case.
        changes: What `param_operations` say of headers: name to value, or to None, which means that no override holds.
            Only a `Template` is filled in: other values come from callers, who must not get at the key.

    Raises:
        UpstreamError: A rule makes no sense, or a value no header; another channel may do.
    """
    wanted: dict[str, str] = {}
    explicit: dict[str, str] = {}
    for name, value in overrides.items():
        lower = name.strip().lower()
        pattern = _pattern(name.strip())
        if pattern is not None:
            wanted |= {k: v for k, v in client_headers.items() if k not in NEVER_PASSED and pattern.search(k)}
        elif (text := _value(lower, value.strip(), key, client_headers)) is not None:
            explicit[lower] = text
    wanted |= explicit
    for name, value in (changes or {}).items():
        lower = name.strip().lower()
        if value is None:
            wanted.pop(lower, None)
            continue
        text = _value(lower, value.strip(), key, client_headers) if isinstance(value, Template) else value.strip()
        if text:
            wanted[lower] = text
    if not wanted:
        return call
    for name, value in wanted.items():
        _check(name, value)
    kept: Headers = tuple((k, v) for k, v in call.headers if k not in wanted)
    return HttpCall(call.method, call.url, (*kept, *wanted.items()), call.body)


def _pattern(name: str) -> re.Pattern[str] | None:
    """Return what a pass-through rule matches, None for the name of one header."""
    if name == "*":
        return _compiled("")
    kind, colon, rule = name.partition(":")
    if not colon or kind.lower() not in ("re", "regex"):
        return None
    if not rule.strip():
        raise _invalid(f"header rule {name!r} has no pattern")
    return _compiled(rule.strip())


@lru_cache(256)
def _compiled(rule: str) -> re.Pattern[str]:
    try:
        return re.compile(rule, re.IGNORECASE)
    except re.error as e:
        raise _invalid(f"header rule {rule!r} is not a regular expression: {e}") from None


def _value(name: str, value: str, key: Secret, client_headers: Mapping[str, str]) -> str | None:
    if found := _CLIENT.fullmatch(value):
        return client_headers.get(found[1].strip().lower())
    if "{client_header:" in value:
        raise _invalid(f"header {name}: {{client_header:…}} must be the whole value")
    return value.replace("{api_key}", key.reveal()) or None


def _check(name: str, value: str) -> None:
    if not _NAME.fullmatch(name):
        raise _invalid(f"{name!r} is not the name of a header")
    if any(c in value for c in "\r\n\0"):
        raise _invalid(f"the value of header {name} has a line break")


def _invalid(message: str) -> UpstreamError:
    return UpstreamError(message, kind="refused", status=500, code="channel:header_override_invalid")
