"""A serving process: the database opened, the picture of it kept up to date, the ledger running."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import gc
import logging
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import msgspec

from newapi.base.secret import Secret
from newapi.config.schema import HealthSpec, LogLevel
from newapi.ops import breakers, channels
from newapi.ops.local import Local
from newapi.ops.notices import Board, Notice, of_alert
from newapi.ops.processes import Processes
from newapi.ops.upkeep import Upkeep
from newapi.relay.build import balances, build
from newapi.relay.gateway import Gateway, Limits
from newapi.relay.hub_client import HubClient
from newapi.relay.journal import Journal
from newapi.relay.ledger import Balances, Ledger
from newapi.relay.limits import Key, Period, beginning
from newapi.relay.shared import Shared
from newapi.relay.shared_ledger import SharedLedger
from newapi.relay.snapshot import Snapshot
from newapi.relay.valkey_client import ValkeyClient
from newapi.server import logs
from newapi.server.ids import networks
from newapi.server.jobs import Job, Jobs
from newapi.server.live import Live
from newapi.server.notifier import Notifier
from newapi.store import ledger as store_ledger
from newapi.store import rollups
from newapi.store import snapshot as store_snapshot
from newapi.store import tokens as store_tokens
from newapi.store import usage as store_usage
from newapi.store.ledger import RecordFilter, StoredRecord
from newapi.store.snapshot import Stored

POLL_SECONDS = 0.25
"""How often the database is asked whether something was applied: a change is in force within a second."""

ALERT_SECONDS = 5.0
"""How often it is looked whether somebody is to be told of an alert."""
SUM_UP_SECONDS = 60.0
"""How often the latest lines of the log are added to its sums."""
PRUNE_SECONDS = 3600.0
"""How often old lines of the request log are deleted."""

log = logging.getLogger("newapi")

LOG_LEVEL = "log-level"
"""Of the bus: from which level on each process tells."""


class Server(Protocol):
    """The processes of a server. Its methods may be called in any thread, and do not wait."""

    def list(self) -> Processes:
        """Return which there are."""
        ...

    def reload(self) -> None:
        """Begin to read `[server]`, `[limits]` and `[log]` again."""
        ...

    def drain(self) -> None:
        """Begin to come to an end: no more connections, and those requests that are under way."""
        ...


class Runtime:
    """What `serve` keeps running beside the HTTP server."""

    def __init__(self, local: Local, state: Path, *, part: str = "", hub: Path | None = None) -> None:
        """Prepare to serve `local`.

        Args:
            local: The gateway.
            state: The directory of the journals.
            part: Which of several processes this is; its journal is in a directory of that name.
            hub: Socket of the hub of several processes (`relay.hub.serve_hub`); None for a process of its own. Not used
                where `server.cache` is shared with other nodes.

        Raises:
            MissingDriver: What speaks to `server.cache` is not installed.
        """
        self.local = local
        self._task: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._refreshing = threading.Lock()
        self.draining = False
        """Whether this process takes no more connections, and the next answer on each is the last."""
        self.processes: Server | None = None
        """The server that this process is, or is a part of; None in a test."""
        self.trusted = networks(local.config.server.trusted_proxies)
        """Proxies that say where a request comes from."""
        self._keeper = breakers.Keeper(local)
        self._budgets: set[tuple[int | str, str]] = set()
        """Budgets whose spending so far is known: token id and period."""
        journal = Journal(state / part, state)
        self._shared = self._sharing(hub, journal.owner)
        self._switching: set[asyncio.Task[None]] = set()
        write = functools.partial(store_ledger.write_batch, local.db)
        if self._shared is None:
            self.ledger = Ledger(write, journal)
            self.ledger.start()
        else:
            self.ledger = SharedLedger(
                write, journal, self._balances, functools.partial(store_tokens.balance, local.db)
            )
        self.gateway = Gateway(
            self._load(),
            self.ledger,
            _limits(local),
            keep=self._keeper,
            limiter=self._shared,
            bus=self._shared,
        )
        if self._shared is None:
            self._learn_budgets(self.gateway.snapshot)
        self.gateway.bus.subscribe(LOG_LEVEL, lambda told: logs.tell_from(msgspec.json.decode(told, type=LogLevel)))
        self.live = Live(lambda: self.local, self.gateway, lambda: self._declared)
        self.notifier = Notifier(lambda: self.local)
        self._alerts = Board()
        self.upkeep = Upkeep(local)
        self._behind = False
        """Whether many lines of the log are still to be added to its sums."""
        self.jobs = Jobs(local.db, self._jobs())
        self._take_over()

    def drain(self) -> None:
        """Take note that this process comes to its end."""
        self.draining = True
        self.live.end()

    def reload(self, local: Local) -> None:
        """Go on with what `local` says of `[limits]` and of what in `[server]` can be changed; the database stays."""
        self.local = local
        self.gateway.limit(_limits(local))
        self.trusted = networks(local.config.server.trusted_proxies)

    def tell_from(self, level: LogLevel) -> None:
        """Let every process of the gateway tell what is `level` or worse, until it reloads or ends. From any thread."""
        self._in_loop(functools.partial(self.gateway.bus.publish, LOG_LEVEL, msgspec.json.encode(level)))

    def _take_over(self) -> None:
        """Let health know what others have found out, or a person has said. In the event loop, once it runs."""
        snapshot = self._taken_over = self.gateway.snapshot
        self.gateway.health.take_over(snapshot.rests, snapshot.channels, self.gateway.clock())

    def _sharing(self, hub: Path | None, owner: str) -> Shared | None:
        """Return what this process shares with others: through Valkey, or a hub; None where it is the only one."""
        if cache := self.local.config.server.cache:
            return ValkeyClient(cache if "://" in cache else self._resolve(cache).reveal(), owner)
        return HubClient(hub, owner) if hub is not None else None

    def _resolve(self, reference: str) -> Secret:
        return self.local.resolve(reference)

    def _load(self) -> Snapshot:
        """Read the database: what is in force, and what everyone has left."""
        stored: list[Stored] = []

        def read() -> Balances:
            stored.append(store_snapshot.load(self.local.db))
            return balances(stored[0])

        self.ledger.load(read)
        self._declared = stored[0].channels
        return build(stored[0], self._resolve, log.warning, self.local.path.resolve().parent)

    def _balances(self) -> Balances:
        return balances(store_snapshot.load(self.local.db))

    def _probe(self) -> None:
        """Ask what health disabled, and enable what answers. Waits for upstreams: call it in a thread."""
        breakers.probe_disabled(self.local)

    def _bring_back(self) -> None:
        """Enable the channels that were disabled for a while, which is over."""
        channels.bring_back(self.local.db)

    def _jobs(self) -> list[Job]:
        """Return what one process does for all."""

        def health() -> HealthSpec:
            return self.gateway.snapshot.health

        def tell(look: Callable[[], list[Notice]]) -> Callable[[], None]:
            return lambda: self.notifier.tell(look())

        upkeep = self.upkeep
        return [
            Job("enabling what was disabled for a while", lambda: 1.0, self._bring_back, first=True),
            Job("asking tripped channels", lambda: health().probe_every, self._probe),
            Job("telling of alerts", self._alerts_every, self._tell_of_alerts, first=True),
            Job("asking for balances", lambda: health().balance_every, tell(lambda: upkeep.balances(health()))),
            Job("asking for models", lambda: health().models_every, tell(upkeep.models)),
            Job("testing channels", lambda: health().test_every, tell(upkeep.tests)),
            Job("pruning the log", self._prune_every, self._prune, first=True),
            Job("summing up the log", self._sum_up_every, self._sum_up, first=True),
        ]

    def _alerts_every(self) -> float:
        return ALERT_SECONDS if self.local.config.notices else 0

    def _tell_of_alerts(self) -> None:
        alerts = self.live.alerts
        if alerts is not None:
            self.notifier.tell(self._alerts.update([of_alert(a) for a in alerts], self.gateway.clock()))

    def _prune_every(self) -> float:
        return PRUNE_SECONDS if self.local.config.log.keep_days else 0

    def _prune(self) -> None:
        """Delete the lines of the log that are older than `log.keep_days`."""
        before = self.gateway.clock() - self.local.config.log.keep_days * 86_400
        if deleted := store_ledger.prune_records(self.local.db, before):
            log.info("%d lines of the log were older than %d days", deleted, self.local.config.log.keep_days)

    def _sum_up_every(self) -> float:
        return 1.0 if self._behind else SUM_UP_SECONDS

    def _sum_up(self) -> None:
        """Add to the sums of the log what came since; of very much a part, so that nobody waits long to write."""
        self._behind = rollups.catch_up(self.local.db) == rollups.LINES

    def _learn_budgets(self, snapshot: Snapshot) -> None:
        """Find out what is spent of budgets, of those that are new here. Waits for the database."""
        now = self.gateway.clock()
        for token in snapshot.tokens.values():
            for period in token.limit.budget:
                start = beginning(period, now)
                if self._is_new(token.id, period):
                    spent = self._sums(RecordFilter(token_id=token.id, since=start), ())
                    self._learn(("token", token.id, ""), period, start, sum(s.quota for s in spent))
        for name, limit in snapshot.group_limits.items():
            for period in limit.budget:
                start = beginning(period, now)
                if self._is_new(name, period):
                    users: Counter[int] = Counter()
                    for group in snapshot.groups[name].members or (name,):
                        for total in self._sums(RecordFilter(group=group, since=start), ("user",)):
                            users[total.user_id] += total.quota
                    for user, quota in users.items():
                        self._learn(("group", user, name), period, start, quota)

    def _is_new(self, holder: int | str, period: Period) -> bool:
        """Return whether a budget is met for the first time: of a token by its id, of a group by its name."""
        known = (holder, period) in self._budgets
        self._budgets.add((holder, period))
        return not known

    def _sums(self, wanted: RecordFilter, by: Sequence[store_usage.By]) -> Sequence[store_usage.UsageSum]:
        return store_usage.sums(self.local.db, wanted, by)

    def _learn(self, key: Key, period: Period, start: float, quota: int) -> None:
        self._in_loop(functools.partial(self.gateway.limiter.learn, key, {period: (start, quota)}))

    def _in_loop(self, do: Callable[[], None]) -> None:
        """Do something in the event loop that serves, which all counts belong to; at once before it runs."""
        if self._loop is None:
            do()
        else:
            self._loop.call_soon_threadsafe(do)

    def query(self, wanted: RecordFilter) -> list[StoredRecord]:
        """Return lines of the log. Waits for the database: call it in a thread."""
        return store_ledger.query_records(self.local.db, wanted)

    def refresh(self) -> None:
        """Take over, whole, what the database holds, unless it is in force: what was applied or changed just now.

        Requests under way keep what they began with. Waits for the database: call it in a thread.

        Raises:
            NewapiError: It cannot be read; what is in memory goes on serving.
        """
        with self._refreshing:  # an older picture never replaces a newer one
            if store_snapshot.generation(self.local.db) != self.gateway.snapshot.epoch:
                snapshot = self._load()
                self._learn_budgets(snapshot)
                self.gateway.snapshot = snapshot
                log.info("configuration %s is in force", self.gateway.snapshot.epoch)

    async def start(self) -> None:
        """Begin to follow the database. Called in the event loop that serves."""
        self._loop = asyncio.get_running_loop()
        if self._shared is not None and isinstance(self.ledger, SharedLedger):
            await self._join(self._shared, self.ledger)
        self._task = self._loop.create_task(self._follow())
        self.jobs.start()
        await self.live.start()
        # What is there now stays: looking through it for rubbish costs requests a tenth of their time.
        gc.collect()
        gc.freeze()
        # What comes is nearly always let go of by itself: looking seven times as rarely costs requests 3 % less. Not
        # rarer still, since what is left of a request that failed may hold its body.
        gc.set_threshold(5_000, 10, 10)

    async def _join(self, shared: Shared, ledger: SharedLedger) -> None:
        """Share limits and balances with other processes from now on."""
        shared.recall = ledger.recall
        await shared.start()
        ledger.attach(shared)
        await asyncio.to_thread(ledger.start)
        shared.changed = lambda reached: self._switch(shared, ledger, reached=reached)
        await self._reached(shared, ledger, reached=shared.connected)

    def _switch(self, shared: Shared, ledger: SharedLedger, *, reached: bool) -> None:
        task = asyncio.get_running_loop().create_task(self._reached(shared, ledger, reached=reached))
        self._switching.add(task)
        task.add_done_callback(self._switching.discard)

    async def _reached(self, shared: Shared, ledger: SharedLedger, *, reached: bool) -> None:
        if reached:
            self._budgets.clear()
            await asyncio.to_thread(self._learn_budgets, self.gateway.snapshot)
            await ledger.join()
        else:
            await ledger.part()

    async def stop(self) -> None:
        """Stop following, close the upstream connections, write what is settled."""
        await self.jobs.stop()
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        await self.live.stop()
        await self.gateway.close()
        await asyncio.to_thread(self._keeper.close)
        await asyncio.to_thread(self.ledger.stop)
        if self._shared is not None and isinstance(self.ledger, SharedLedger):
            self.ledger.give_all_back()
            await self._shared.stop()

    async def _follow(self) -> None:
        """Take over what others apply and change."""
        failing = False
        loop = asyncio.get_running_loop()
        read = loop.time()
        while True:
            await asyncio.sleep(POLL_SECONDS)
            try:
                await asyncio.to_thread(self.refresh)
                if self.gateway.snapshot is not self._taken_over:
                    self._take_over()
                if isinstance(self.ledger, SharedLedger) and self.ledger.alone and loop.time() - read >= 1.0:
                    read = loop.time()
                    await asyncio.to_thread(self.ledger.load, self._balances)
            except Exception as error:  # noqa: BLE001  (whatever it is: what is in memory goes on serving, and so does this)
                if not failing:
                    log.warning("cannot take over what the database holds: %s", error)
                failing = True
            else:
                failing = False


def _limits(local: Local) -> Limits:
    said = local.config.limits
    return Limits(
        request_body=said.request_body,
        header_timeout=said.header_timeout,
        body_timeout=said.body_timeout,
        connect_timeout=said.connect_timeout,
        first_byte_timeout=said.first_byte_timeout,
        stream_idle_timeout=said.stream_idle_timeout,
        keepalive=said.keepalive,
    )
