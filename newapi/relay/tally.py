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

PACED = 10
"""Tokens that a stream has at least whose pace is counted."""

_QUOTA_CODES = ("token_exhausted", "budget_exceeded", "insufficient_user_quota", "pre_consume_token_quota_failed")

Place: TypeAlias = tuple[str, str, str, str, str, str]
"""(endpoint, model, channel, token, group, outcome): what requests are summed by."""

HttpPlace: TypeAlias = tuple[str, str, int]
"""(route, method, status): what HTTP requests are summed by."""


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
        "paces",
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
        self.paces: list[int] = []
        """Of streams, microseconds for each token after the first; see `pace`."""


class Lane:
    """What the attempts at one channel came to."""

    __slots__ = ("ended", "error", "error_at", "failed")

    def __init__(self) -> None:
        self.ended = 0
        self.failed: dict[str, int] = {}
        """Reason (`timeout`, `status`, …) -> attempts."""
        self.error = ""
        self.error_at = 0.0


class Served:
    """What HTTP was answered, and what the gateway itself took for it."""

    __slots__ = ("keepalives", "overheads", "requests")

    def __init__(self) -> None:
        self.requests: dict[HttpPlace, list[int]] = {}
        """Place -> how long each took, milliseconds."""
        self.overheads: dict[str, list[int]] = {}
        """Endpoint -> what of each request's time before its answer began was not an upstream's, microseconds."""
        self.keepalives: dict[str, int] = {}
        """Endpoint -> signs of life that were sent while an upstream was silent."""


class Tally:
    """The counters of this process."""

    def __init__(self) -> None:
        self.served = Served()
        self.open: dict[str, int] = {}
        """Route -> HTTP requests under way at this moment."""
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
            if outcome == "ok" and (micros := pace(record, usage)) is not None:
                cell.paces.append(micros)
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

    def arrived(self, route: str) -> None:
        """Count an HTTP request that is under way."""
        self.open[route] = self.open.get(route, 0) + 1

    def answered(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count an HTTP request that is over, after `arrived`; `status` is 0 where nothing was answered."""
        self.open[route] -= 1
        place = (route, method, status)
        times = self.served.requests.get(place)
        if times is None:
            times = self.served.requests[place] = []
        times.append(int(seconds * 1000 + 0.5))

    def took(self, endpoint: str, seconds: float) -> None:
        """Count what the gateway itself took before an answer began."""
        times = self.served.overheads.get(endpoint)
        if times is None:
            times = self.served.overheads[endpoint] = []
        times.append(int(seconds * 1_000_000))

    def kept_alive(self, endpoint: str) -> None:
        """Count a sign of life that was sent to a caller."""
        self.served.keepalives[endpoint] = self.served.keepalives.get(endpoint, 0) + 1

    def drain(self) -> Drained:
        """Return what was counted since it was last called, and begin anew."""
        drained = Drained(self.cells, self.lanes, self.refused, self.rows, self.settled, self.served)
        self.served = Served()
        self.cells, self.lanes, self.refused, self.rows, self.settled = {}, {}, {}, [], 0
        return drained


class Drained:
    """What `Tally` had counted."""

    __slots__ = ("cells", "lanes", "refused", "rows", "served", "settled")

    def __init__(
        self,
        cells: dict[Place, Cell],
        lanes: dict[int, Lane],
        refused: dict[Outcome, int],
        rows: list[tuple[UsageRecord, Usage, int]],
        settled: int,
        served: Served,
    ) -> None:
        self.cells = cells
        self.lanes = lanes
        self.refused = refused
        self.rows = rows
        self.settled = settled
        self.served = served


def pace(record: UsageRecord, usage: Usage) -> int | None:
    """Return how long each token of a stream took after the first, microseconds; None where that is not known.

    It is known where the upstream counted the tokens, and all of them came as the stream: reasoning may have been
    thought before the first one was sent. Times are in milliseconds, so a few tokens say too little.
    """
    if usage.source != "upstream" or usage.reasoning or usage.output < PACED or not record.stream:
        return None
    return max(0, record.duration_ms - record.first_token_ms) * 1000 // (usage.output - 1)


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
