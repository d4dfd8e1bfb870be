"""A recorded stream of a gateway that never was: six channels, eight models, twelve tokens, the same at every call.

    for told in recording(minutes=3):
        told.id, name_of(told.event), told.event

It begins at `START` with a `hello`, then tells every second: `stats` each, `logs` where something ended, `channels` that
changed, `alerts` when one comes or goes, `system` every five seconds. After a minute the channel `azure-eu` fails and
rests, half opens, and is up again a minute later.
"""

from __future__ import annotations

import math
from collections import defaultdict, deque
from collections.abc import Iterator
from random import Random

from msgspec import Struct

from newapi.ops.live import (
    RANGES,
    ROWS_A_SECOND,
    Alert,
    Alerts,
    ChannelRow,
    Channels,
    ChannelState,
    Hello,
    LogRow,
    Logs,
    Mover,
    Point,
    Process,
    Stats,
    System,
    Told,
    Top,
    Tops,
    series,
)

START = 1_790_000_000
"""Unix seconds: the frozen clock of the recording."""
BOOT = "5ca1ab1e"


class _Model(Struct, frozen=True):
    name: str
    upstream: str
    channels: tuple[str, ...]
    weight: int
    output_price: int
    """Quota a thousand tokens of an answer cost; of the prompt a fifth."""
    endpoint: str = "chat"


CHANNELS: dict[str, tuple[int, int]] = {
    "openai-main": (1, 3),
    "azure-eu": (2, 2),
    "claude-direct": (3, 1),
    "bedrock-us": (4, 1),
    "gemini": (5, 4),
    "deepseek": (6, 1),
}
"""Name -> id and number of keys."""
MODELS = (
    _Model("gpt-4o-mini", "gpt-4o-mini-2024-07-18", ("openai-main", "azure-eu"), 30, 300),
    _Model("gpt-5", "gpt-5-2025-08-07", ("openai-main", "azure-eu"), 16, 5000),
    _Model("claude-sonnet-4-5", "claude-sonnet-4-5-20250929", ("claude-direct", "bedrock-us"), 20, 7500),
    _Model("claude-haiku-4-5", "claude-haiku-4-5-20251001", ("claude-direct",), 8, 2500),
    _Model("gemini-2.5-flash", "gemini-2.5-flash", ("gemini",), 12, 1250),
    _Model("gemini-2.5-pro", "gemini-2.5-pro", ("gemini",), 4, 5000),
    _Model("deepseek-chat", "deepseek-chat", ("deepseek",), 6, 210),
    _Model("text-embedding-3-small", "text-embedding-3-small", ("openai-main",), 4, 50, "embeddings"),
)
TOKENS: dict[str, tuple[str, str]] = {
    "laptop": ("ada", "default"),
    "ci": ("ada", "default"),
    "notebook": ("grace", "vip"),
    "agent": ("grace", "vip"),
    "web-app": ("linus", "default"),
    "batch": ("linus", "svip"),
    "support-bot": ("margaret", "vip"),
    "search": ("margaret", "vip"),
    "translate": ("ken", "default"),
    "editor": ("ken", "default"),
    "写作助手": ("dennis", "default"),
    "nightly": ("root", "default"),
}
"""Name -> owner and group."""
_ENTRIES = ("openai_chat", "anthropic_messages", "openai_responses", "gemini")
_UPSTREAMS = {"claude-direct": "anthropic_messages", "bedrock-us": "anthropic_messages", "gemini": "gemini"}
_FAILS_AT, _OPENS_AT, _HALF_OPEN_AT, _UP_AT = 60, 66, 96, 120
"""Seconds after the start: what becomes of `azure-eu`."""
_ERROR = "upstream answered 503: The engine is currently overloaded"


def recording(minutes: int = 3, *, seed: int = 7, rate: float = 12.0, history: str = "15m") -> Iterator[Told]:
    """Yield the events of `minutes`, about `rate` requests a second; the same for the same arguments."""
    world = _World(seed, rate)
    yield world.told(world.hello(history))
    for second in range(minutes * 60):
        for event in world.second(second):
            yield world.told(event)


class _World:
    def __init__(self, seed: int, rate: float) -> None:
        self._rng = Random(seed)
        self._rate = rate
        self._sequence = 0
        self._request = 0
        self._rows: dict[str, ChannelRow] = {}
        self._alerts: tuple[Alert, ...] = ()
        self._spent = 4_210_000
        self._recent: defaultdict[str, deque[list[LogRow]]] = defaultdict(lambda: deque(maxlen=60))

    def told(self, event: Hello | Stats | Channels | Logs | Alerts | System) -> Told:
        self._sequence += 1
        return Told(f"{BOOT}.{self._sequence}", event)

    # -- what there is at the start ----------------------------------------------------------

    def hello(self, history: str) -> Hello:
        length, step = RANGES[history]
        count = length // step
        points = [self._past(START - (count - i) * step, i, step) for i in range(count)]
        rows = [self._row(START - 20 + i, -1) for i in range(20)]
        self._rows = {name: self._channel(name, -1) for name in CHANNELS}
        self._alerts = self._alerts_at(-1)
        return Hello(
            version="0.1.0",
            now=float(START),
            started_at=START - 93_784.0,
            system=self._system(-1),
            history=series(history, step, points),
            stats=Stats(at=START - 1, in_flight=9, streams=6, today=self._spent, month=self._spent * 19),
            tops=self._tops(),
            channels=tuple(self._rows.values()),
            logs=tuple(rows),
            alerts=self._alerts,
        )

    def _past(self, at: int, i: int, step: int) -> Point:
        wave = 1 + 0.2 * math.sin(i / 25) + (self._rng.random() - 0.5) * 0.5
        requests = round(self._rate * step * wave)
        return Point(
            at=at,
            requests=requests,
            errors=round(requests * 0.02) if step > 1 else int(i % 11 == 0),
            rejected=step // 60,
            tokens_in=requests * 1300,
            tokens_out=requests * 290,
            tokens_cached=requests * 520,
            quota=requests * 1500,
            in_flight=round(8 * wave),
            streams=round(5 * wave),
            first_p50_ms=round(410 * wave),
            first_p95_ms=round(1150 * wave),
            duration_p50_ms=round(2300 * wave),
            duration_p95_ms=round(9100 * wave),
        )

    def _tops(self) -> Tops:
        def top(name: str, share: float, rank: int) -> Top:
            spark = tuple(round(self._rate * 60 * share * (0.6 + 0.4 * self._rng.random())) for _ in range(60))
            requests = sum(spark)
            return Top(name, requests, requests // (50 + rank), requests * 1450, requests * 310, requests * 940, spark)

        total = sum(m.weight for m in MODELS)
        models = [top(m.name, m.weight / total, i) for i, m in enumerate(MODELS)]
        tokens = [top(name, 2 / (i + 2) / 6, i) for i, name in enumerate(TOKENS)]
        channels = [top(name, 1 / (i + 2), i) for i, name in enumerate(CHANNELS)]
        return Tops(*(tuple(sorted(tops, key=lambda t: -t.quota)) for tops in (models, tokens, channels)))

    # -- one second ------------------------------------------------------------------------------

    def second(self, second: int) -> Iterator[Stats | Channels | Logs | Alerts | System]:
        at = START + second
        rng = self._rng
        count = max(0, round(rng.gauss(self._rate, self._rate / 4)))
        rows = sorted((self._row(at + rng.random(), second) for _ in range(count)), key=lambda r: r.at)
        yield self._stats(at, rows)
        for name in CHANNELS:
            self._recent[name].append([r for r in rows if r.channel == name])
        changed = {name: row for name in CHANNELS if (row := self._channel(name, second)) != self._rows[name]}
        self._rows |= changed
        if changed:
            yield Channels(at, tuple(changed.values()))
        if rows:
            step = -(-len(rows) // ROWS_A_SECOND)
            kept = tuple(rows[::step])
            yield Logs(at, kept, len(rows) - len(kept))
        if (alerts := self._alerts_at(second)) != self._alerts:
            self._alerts = alerts
            yield Alerts(at, alerts)
        if second % 5 == 4:
            yield self._system(second)

    def _stats(self, at: int, rows: list[LogRow]) -> Stats:
        firsts = sorted(r.first_ms for r in rows if r.first_ms) or [0]
        durations = sorted(r.duration_ms for r in rows) or [0]
        self._spent += sum(r.quota for r in rows)
        return Stats(
            at=at,
            requests=len(rows),
            errors=sum(r.kind == "error" for r in rows),
            rejected=int(self._rng.random() < 0.05),
            tokens_in=sum(r.tokens_in for r in rows),
            tokens_out=sum(r.tokens_out for r in rows),
            tokens_cached=sum(r.tokens_cached for r in rows),
            quota=sum(r.quota for r in rows),
            in_flight=self._rng.randint(5, 14),
            streams=self._rng.randint(3, 5),
            first_p50_ms=firsts[len(firsts) // 2],
            first_p95_ms=firsts[len(firsts) * 95 // 100],
            duration_p50_ms=durations[len(durations) // 2],
            duration_p95_ms=durations[len(durations) * 95 // 100],
            models=_movers(rows, "model"),
            tokens=_movers(rows, "token"),
            channels=_movers(rows, "channel"),
            today=self._spent,
            month=self._spent + 80_000_000,
        )

    def _row(self, at: float, second: int) -> LogRow:
        rng = self._rng
        self._request += 1
        model = rng.choices(MODELS, [m.weight for m in MODELS])[0]
        token = rng.choice(tuple(TOKENS))
        user, group = TOKENS[token]
        channel, tries, failed = rng.choice(model.channels), 1, rng.random() < 0.015
        if channel == "azure-eu" and _FAILS_AT <= second < _UP_AT:
            # What it refuses is served by the next channel; while it rests it is not asked.
            tries, channel = (2 if second < _OPENS_AT else 1), "openai-main"
            failed = failed or (second < _OPENS_AT and rng.random() < 0.3)
        chat = model.endpoint == "chat"
        tokens_in = round(rng.lognormvariate(6.6, 1.1)) + 8
        tokens_out = round(rng.lognormvariate(5.2, 0.9)) + 1 if chat and not failed else 0
        cached = round(tokens_in * rng.choice((0, 0, 0.5, 0.8)) / 64) * 64 if chat else 0
        first = round(rng.lognormvariate(6.1, 0.6)) if chat and not failed else 0
        return LogRow(
            at=round(at, 3),
            request_id=f"{START}{self._request:012d}",
            kind="error" if failed else "consume",
            user=user,
            token=token,
            group=group,
            model=model.name,
            upstream_model=model.upstream,
            channel=channel,
            status=503 if failed else 200,
            stream=chat and rng.random() < 0.8,
            first_ms=first,
            duration_ms=(first or 90) + tokens_out * 11,
            tokens_in=tokens_in if not failed else 0,
            tokens_out=tokens_out,
            tokens_cached=min(cached, tokens_in) if not failed else 0,
            quota=0 if failed else (tokens_in * model.output_price // 5 + tokens_out * model.output_price) // 1000 + 1,
            tries=tries,
            endpoint=model.endpoint,
            entry_format=rng.choice(_ENTRIES) if chat else "embeddings",
            upstream_format=_UPSTREAMS.get(channel, "openai_chat") if chat else "embeddings",
            end_reason="error" if failed else "client_gone" if rng.random() < 0.02 else "done",
            error=_ERROR if failed else "",
        )

    def _channel(self, name: str, second: int) -> ChannelRow:
        id, keys = CHANNELS[name]
        state: ChannelState = "up"
        keys_up, error, rests = keys, "", 0.0
        if name == "azure-eu" and second >= _FAILS_AT:
            error = _ERROR
            if _OPENS_AT <= second < _UP_AT:
                state = "resting" if second < _HALF_OPEN_AT else "half_open"
                keys_up, rests = 0, float(START + _HALF_OPEN_AT)
        if name == "deepseek":
            state = "disabled"
        seconds = self._recent[name]
        rows = [row for second in seconds for row in second]
        durations = sorted(r.duration_ms for r in rows) or [0]
        firsts = sorted(r.first_ms for r in rows if r.first_ms) or [0]
        return ChannelRow(
            id=id,
            name=name,
            state=state,
            keys_up=keys_up,
            keys=keys,
            in_flight=min(len(seconds[-1]), 5) if seconds and state == "up" else 0,
            requests_per_second=round(sum(len(s) for s in list(seconds)[-10:]) / 10, 1),
            errors_per_minute=sum(r.kind == "error" for r in rows),
            first_p50_ms=firsts[len(firsts) // 2],
            p95_ms=durations[len(durations) * 95 // 100],
            quota_per_hour=sum(r.quota for r in rows) * 60,
            last_error=error,
            last_error_at=float(START + _OPENS_AT) if error else 0.0,
            rests_until=rests,
        )

    def _alerts_at(self, second: int) -> tuple[Alert, ...]:
        alerts = [
            Alert("budget", "batch", "has spent 83 % of its month's budget of $50.00", since=START - 7_200.0),
            Alert("no_price", "gemini-2.5-pro-exp", "channel gemini serves it; it is refused", since=START - 93_000.0),
        ]
        if _OPENS_AT <= second < _UP_AT:
            alerts.insert(
                0, Alert("channel_resting", "azure-eu", _ERROR, level="error", since=float(START + _OPENS_AT))
            )
        return tuple(alerts)

    def _system(self, second: int) -> System:
        at = START + second
        processes = tuple(
            Process(
                id=f"gw-1.{pid}.{BOOT}",
                node="gw-1",
                pid=pid,
                version="0.1.0",
                started_at=START - 93_784.0,
                memory=78_000_000 + pid * 1000 + (second + 1) * 512,
                loop_lag_ms=round(0.4 + self._rng.random(), 1),
                in_flight=self._rng.randint(2, 7),
                streams=2,
                ledger_queue=self._rng.randint(0, 4),
                journal_bytes=self._rng.randint(0, 4096),
                viewers=int(pid == 4242),
            )
            for pid in (4242, 4243)
        )
        return System(at, processes, 42, "in sync", 0, "sqlite:////var/lib/newapi/newapi.db", 183_500_800)


def _movers(rows: list[LogRow], by: str) -> tuple[Mover, ...]:
    groups: defaultdict[str, list[LogRow]] = defaultdict(list)
    for row in rows:
        groups[getattr(row, by)].append(row)
    movers = [
        Mover(
            name,
            len(those),
            sum(r.kind == "error" for r in those),
            sum(r.tokens_in for r in those),
            sum(r.tokens_out for r in those),
            sum(r.quota for r in those),
        )
        for name, those in groups.items()
    ]
    return tuple(sorted(movers, key=lambda m: (-m.quota, m.name))[:20])
