"""Where a caller stands with the limits it is under."""

from __future__ import annotations

from msgspec import Struct


class Gauge(Struct, frozen=True, array_like=True):
    """Where a limit of a minute stands: the limit, what is left of it, and the seconds until all of it is free."""

    limit: int
    left: int
    reset: float


class Standing(Struct, frozen=True, array_like=True):
    """Where a caller stands, of all its limits of a kind the one with the least left; None where nothing limits it."""

    requests: Gauge | None = None
    tokens: Gauge | None = None
