"""Everything that can go wrong, by whose fault it is.

    NewapiError
    ├── CallerError     the caller's: 4xx, never retried
    │   └── Unsupported a format on the way cannot say what was asked: 400
    ├── UpstreamError   the upstream's: another channel may do better
    ├── NoChannel       nobody here serves that model: 503
    ├── Busy            everybody who does is at a limit, or was told to wait: 429
    ├── ConfigError     the configuration file's
    ├── StoreError      the database's
    ├── NotFound        there is nothing of that name
    └── Conflict        changed since it was read, or the name exists

The type says whose fault; `status`, `code` and `type` say how it is told to a caller, in whatever format it speaks.
"""

from __future__ import annotations

from typing import Literal


class NewapiError(Exception):
    """Any failure that newapi explains itself.

    Attributes:
        message: One sentence for people; nothing secret in it.
        status: HTTP status the caller gets.
        code: Machine-readable word, OpenAI's `error.code` (`invalid_api_key`, `model_not_found`, …).
        type: OpenAI's and Anthropic's `error.type`.
        param: The field of the request that is to blame, or "".
        retry_after: Seconds until it is worth trying again, or None.
        hint: What to do, or "".
    """

    status = 500
    code = "internal_error"
    type = "new_api_error"
    hint = ""

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        code: str | None = None,
        type: str | None = None,
        param: str = "",
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.retry_after = retry_after
        if status is not None:
            self.status = status
        if code is not None:
            self.code = code
        if type is not None:
            self.type = type


class CallerError(NewapiError):
    """The request itself is wrong, or the caller may not make it."""

    status = 400
    code = "invalid_request"
    type = "invalid_request_error"


class Unsupported(CallerError):
    """The request asks for something that the upstream's format has no way to say."""

    code = "unsupported"


UpstreamKind = Literal[
    "status",  # an HTTP status of 300 or more
    "connect",  # refused, reset, DNS, TLS: the request was never answered
    "timeout",  # no first byte, or silence in a stream
    "malformed",  # an answer that makes no sense
    "error_event",  # an error object under status 200, or inside a stream
    "cut",  # a stream that ended before its end
    "refused",  # the gateway itself refuses the URL
]


class UpstreamError(NewapiError):
    """The upstream failed.

    Attributes:
        kind: How it failed.
        upstream_status: The HTTP status it answered with, before any `status_mapping`; 0 when it did not answer.
        started: Whether the caller has already been sent a part of the answer.
        headers: `retry-after` and rate-limit headers of the upstream, to be passed on.
    """

    status = 502
    code = "bad_response"
    type = "upstream_error"

    def __init__(
        self,
        message: str,
        *,
        kind: UpstreamKind = "status",
        upstream_status: int = 0,
        status: int | None = None,
        code: str | None = None,
        type: str | None = None,
        param: str = "",
        retry_after: float | None = None,
        headers: tuple[tuple[str, str], ...] = (),
    ) -> None:
        super().__init__(message, status=status, code=code, type=type, param=param, retry_after=retry_after)
        self.kind: UpstreamKind = kind
        self.upstream_status = upstream_status
        self.started = False
        self.headers = headers


class NoChannel(NewapiError):
    """No enabled channel of the caller's group serves the model."""

    status = 503
    code = "model_not_found"


class Busy(NewapiError):
    """Every channel that serves the model is at a limit of its own, or its upstream has asked to be left alone."""

    status = 429
    code = "rate_limit_exceeded"
    type = "rate_limit_error"


class StoreError(NewapiError):
    """The database refused or could not be reached."""

    code = "database_error"


class NotFound(NewapiError):
    """There is nothing of that name."""

    status = 404
    code = "not_found"


class Conflict(NewapiError):
    """What was read has changed meanwhile, or what is to be made exists."""

    status = 409
    code = "conflict"


class Problem(NewapiError):
    """One thing wrong with a configuration file: where it is, and what to do about it.

    Attributes:
        file, line, column: The place, 1-based; line 0 when the whole file is meant.
        key: Dotted path of the value (`channels.main.weight`), or "".
        hint: What to do, or "".
        source: The text of that line, secrets hidden, or "".
    """

    code = "invalid_config"

    def __init__(
        self,
        message: str,
        *,
        file: str = "",
        line: int = 0,
        column: int = 0,
        key: str = "",
        hint: str = "",
        source: str = "",
    ) -> None:
        super().__init__(message)
        self.file, self.line, self.column, self.key, self.hint, self.source = file, line, column, key, hint, source


class ConfigError(NewapiError):
    """A configuration that is not valid: every problem found, in the order of the file."""

    code = "invalid_config"

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("; ".join(p.message for p in problems))
        self.problems = problems
