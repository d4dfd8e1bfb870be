"""What requests bring, counted as they end: for the live stream and for metrics. Drained once a second.

A request costs a few additions here, a streamed event nothing. What is made of it is made by whoever drains it.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from newapi.base.errors import CallerError, NewapiError, NoChannel
from newapi.ir.usage import Usage
from newapi.store.ledger import UsageRecord

Outcome: TypeAlias = Literal[
    "ok",
    "client_abort",
    "upstream_error",
    "upstream_timeout",
    "internal_error",
    "rejected_auth",
    "rejected_quota",
    "rejected_rate",
    "no_channel",
    "invalid",
]
"""How a request ended, in the words of the metric `newapi_relay_requests_total`."""
FAILED = frozenset(("upstream_error", "upstream_timeout", "internal_error", "no_channel"))
"""Those that are an upstream's fault or ours."""
ROWS = 200
"""Lines of the log that are kept of one second: its last ones."""

_QUOTA_CODES = ("token_exhausted", "budget_exceeded", "insufficient_user_quota", "pre_consume_token_quota_failed")

Place: TypeAlias = tuple[str, str, str, str, str, str]
"""(endpoint, model, channel, token, group, outcome): what requests are summed by."""


class Cell:
    """What the requests of one place brought. Tokens are in disjoint buckets, times in milliseconds."""

    __slots__ = (
        "audio_in",
        "audio_out",
        "cache_read",
        "cache_write",
        "durations",
        "estimated",
        "firsts",
        "image_in",
        "image_out",
        "input",
        "output",
        "quota",
        "reasoning",
        "requests",
        "uncounted",
    )

    def __init__(self) -> None:
        self.requests = self.quota = 0
        self.input = self.output = self.cache_read = self.cache_write = self.reasoning = 0
        self.audio_in = self.audio_out = self.image_in = self.image_out = 0
        self.estimated = 0
        """Requests whose usage we estimated, since the upstream did not state it."""
        self.uncounted = 0
        """Requests that had none."""
        self.firsts: list[int] = []
        self.durations: list[int] = []


class Lane:
    """What the attempts at one channel came to."""

    __slots__ = ("ended", "error", "error_at", "failed")

    def __init__(self) -> None:
        self.ended = 0
        self.failed: dict[str, int] = {}
        """Reason (`timeout`, `status`, …) -> attempts."""
        self.error = ""
        self.error_at = 0.0


class Tally:
    """The counters of this process."""

    def __init__(self) -> None:
        self.cells: dict[Place, Cell] = {}
        self.lanes: dict[int, Lane] = {}
        self.refused: dict[Outcome, int] = {}
        """Requests that were turned away before there was anything to log."""
        self.rows: list[tuple[UsageRecord, Usage, int]] = []
        """Of the last requests that ended: the line of the log, the usage, the number of attempts."""
        self.settled = 0
        """How many ended, those among them that are not in `rows`."""
        self.streams = 0
        """Answers that are being streamed at this moment."""

    def note(self, record: UsageRecord, usage: Usage, tries: int, outcome: Outcome) -> None:
        """Count a request that ended."""
        place = (record.endpoint, record.model, record.channel_name, record.token_name, record.group, outcome)
        cell = self.cells.get(place)
        if cell is None:
            cell = self.cells[place] = Cell()
        cell.requests += 1
        cell.quota += record.quota
        cell.durations.append(record.duration_ms)
        if record.first_token_ms:
            cell.firsts.append(record.first_token_ms)
        if usage.source == "none":
            cell.uncounted += 1
        else:
            self._tokens(cell, usage)
        self.settled += 1
        if len(self.rows) < ROWS:
            self.rows.append((record, usage, tries))
        else:
            self.rows[self.settled % ROWS] = (record, usage, tries)  # in the place of the oldest

    def _tokens(self, cell: Cell, usage: Usage) -> None:
        cell.input += usage.input
        cell.output += usage.output
        cell.cache_read += usage.cache_read
        cell.reasoning += usage.reasoning
        cell.cache_write += usage.cache_write_5m + usage.cache_write_1h
        if usage.input_audio or usage.output_audio:
            cell.audio_in += usage.input_audio
            cell.audio_out += usage.output_audio
        if usage.input_image or usage.output_image:
            cell.image_in += usage.input_image
            cell.image_out += usage.output_image
        if usage.source == "estimate":
            cell.estimated += 1

    def refuse(self, error: NewapiError) -> None:
        """Count a request that was turned away."""
        outcome = refusal(error)
        self.refused[outcome] = self.refused.get(outcome, 0) + 1

    def attempted(self, channel_id: int, reason: str = "", error: str = "", now: float = 0.0) -> None:
        """Count an attempt that ended at a channel; `reason` and `error` say why it failed, if it did."""
        lane = self.lanes.get(channel_id)
        if lane is None:
            lane = self.lanes[channel_id] = Lane()
        lane.ended += 1
        if reason:
            lane.failed[reason] = lane.failed.get(reason, 0) + 1
            lane.error, lane.error_at = error, now

    def drain(self) -> Drained:
        """Return what was counted since it was last called, and begin anew."""
        drained = Drained(self.cells, self.lanes, self.refused, self.rows, self.settled)
        self.cells, self.lanes, self.refused, self.rows, self.settled = {}, {}, {}, [], 0
        return drained


class Drained:
    """What `Tally` had counted."""

    __slots__ = ("cells", "lanes", "refused", "rows", "settled")

    def __init__(
        self,
        cells: dict[Place, Cell],
        lanes: dict[int, Lane],
        refused: dict[Outcome, int],
        rows: list[tuple[UsageRecord, Usage, int]],
        settled: int,
    ) -> None:
        self.cells = cells
        self.lanes = lanes
        self.refused = refused
        self.rows = rows
        self.settled = settled


def refusal(error: NewapiError) -> Outcome:
    """Return how a request ended that was turned away with `error`."""
    if isinstance(error, NoChannel):
        return "no_channel"
    if error.code in _QUOTA_CODES:
        return "rejected_quota"
    if error.status == 429:
        return "rejected_rate"
    if error.status in (401, 403):
        return "rejected_auth"
    return "invalid" if isinstance(error, CallerError) else "internal_error"
