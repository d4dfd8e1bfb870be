"""The largest answer that may be asked for."""

from __future__ import annotations

from newapi.base.errors import CallerError

_MOST = 1_073_741_823
"""Tokens: New API's bound. More than any model has; a larger number would overflow what is reckoned from it."""


def check_limit(name: str, value: int | None) -> None:
    """Refuse a limit of output tokens that makes no sense.

    Raises:
        CallerError: It is negative, or more than is taken; `name` is the field's.
    """
    if value is not None and not 0 <= value <= _MOST:
        raise CallerError(f"{name} is invalid", param=name)
