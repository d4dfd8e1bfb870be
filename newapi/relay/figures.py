"""What this process sees of each channel while it serves: requests under way, and the time to the first token."""

from __future__ import annotations

from msgspec import Struct

STALE_SECONDS = 60.0
"""A latency that nothing has confirmed for so long is no longer believed: the channel is tried anew."""
_SHARE = 0.3
"""Of the newest figure in the mean: one from ten requests ago has 3 % left."""
_PLACES = 20_000
"""(channel, model) pairs that are remembered: a caller who makes names up must not fill the memory."""


class Latency(Struct):
    """The decaying mean of the seconds to the first token, of how many answers, and when the last of them came."""

    mean: float
    answers: int
    at: float


class Figures:
    """The figures of every channel, in memory."""

    def __init__(self) -> None:
        self._under_way: dict[int, int] = {}
        self._latencies: dict[tuple[int, str, bool], Latency] = {}

    def began(self, channel_id: int) -> None:
        """Note that a channel is asked something."""
        self._under_way[channel_id] = self._under_way.get(channel_id, 0) + 1

    def ended(self, channel_id: int) -> None:
        """Note that one request to a channel is over, however it ended."""
        self._under_way[channel_id] -= 1

    def under_way(self, channel_id: int) -> int:
        """Return how many requests a channel is busy with."""
        return self._under_way.get(channel_id, 0)

    def took(self, channel_id: int, model: str, stream: bool, seconds: float, now: float) -> None:
        """Note how long a channel took to its first token; a whole answer is its own first token."""
        place = (channel_id, model, stream)
        known = self._latencies.get(place)
        if known is None:
            if len(self._latencies) >= _PLACES:
                self._latencies.clear()
            self._latencies[place] = Latency(seconds, 1, now)
            return
        fresh = now - known.at < STALE_SECONDS
        known.mean = known.mean + _SHARE * (seconds - known.mean) if fresh else seconds
        known.answers += 1
        known.at = now

    def latency(self, channel_id: int, model: str, stream: bool, now: float) -> float | None:
        """Return the seconds to the first token, None where nothing is known that is still to be believed."""
        known = self._latencies.get((channel_id, model, stream))
        return known.mean if known is not None and now - known.at < STALE_SECONDS else None

    def latencies(self, channel_id: int, model: str) -> dict[bool, Latency]:
        """Return what is known of a channel and a model, for people: of whole answers (False) and of streams (True)."""
        found = {stream: self._latencies.get((channel_id, model, stream)) for stream in (False, True)}
        return {stream: latency for stream, latency in found.items() if latency is not None}
