"""What the screens know: fed by the stream, read by everybody."""

from __future__ import annotations

from typing import Any


class Model:
    """What is known of one gateway.

    Attributes:
        version: Of the server.
        generation: The last apply, 0 before the first; `sync` says whether it is what is in force.
        per_second: Requests in the last second.
        error_share: Of the requests of the last minute, those that failed; 0 to 1.
        usd_per_hour: What the last minute would cost in an hour.
        is_known: Whether anything has come yet.
        range: The time that plots and sums are about: one of `RANGES`.
    """

    def __init__(self) -> None:
        self.version = ""
        self.generation = 0
        self.sync = "in sync"
        self.per_second = 0.0
        self.error_share = 0.0
        self.usd_per_hour = 0.0
        self.is_known = False
        self.range = "5m"

    def apply(self, message: Any) -> None:
        """Take in one message of the stream."""


RANGES = ("5m", "1h", "24h", "7d")
"""The times that `t` goes through."""
