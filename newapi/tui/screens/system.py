"""The system: the processes of the gateway, and what they share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar, get_args

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content

from newapi.base.errors import NewapiError
from newapi.config.load import load_server
from newapi.config.schema import LogLevel
from newapi.ops import database
from newapi.ops.gateway import Gateway
from newapi.ops.live import Process
from newapi.ops.local import open_local
from newapi.ops.remote_gateway import RemoteGateway
from newapi.tui.export import as_toml
from newapi.tui.frame import Line
from newapi.tui.model import Model
from newapi.tui.screen import LiveScreen
from newapi.tui.widgets import tones, words
from newapi.tui.widgets.ask import Answers, Ask, Field
from newapi.tui.widgets.grid import Column, Grid

_LAGGING_MS = 100
"""An event loop that keeps a timer waiting for so long keeps every caller waiting."""
_QUEUED = 1000
"""So many settlements that wait are more than a moment's."""


class NoServer(NewapiError):
    """There is nothing to tell: no server runs."""

    code = "no_server"


class SystemScreen(LiveScreen):
    """The processes: memory, event loop, settlements that wait; the database; reload, drain, backup, log level."""

    TITLE = "System"
    KEY = "0"
    AUTO_FOCUS = "#processes"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("r", "reload", "reload", id="system.reload"),
        Binding("D", "drain", "drain", id="system.drain"),
        Binding("b", "backup", "backup", id="system.backup"),
        Binding("L", "log_level", "log level", id="system.log_level"),
        Binding("s", "focused('sort')", "sort", id="system.sort", show=False),
        Binding("w", "focused('wide')", "wide", id="system.wide", show=False),
    ]

    def body(self) -> ComposeResult:
        with Vertical(id="facts"):
            for name in ("gateway", "database", "ledger", "stream"):
                yield Line(id=f"fact-{name}")
        ascii = self.tui.glyphs.ascii
        yield Grid(
            tuple(self._columns()),
            lambda p: p.id,
            empty="No server runs: there are no processes.",
            opens=False,
            ascii=ascii,
            id="processes",
        )

    def show(self, model: Model) -> None:
        facts = {
            "gateway": self._gateway(model),
            "database": self._database(model),
            "ledger": self._ledger(model),
            "stream": self._stream(model),
        }
        for name, pieces in facts.items():
            self.query_one(f"#fact-{name}", Line).say(Content.assemble((f"{name:<10}", "dim"), *pieces))
        self._grid.put(model.system.processes)

    @property
    def _grid(self) -> Grid[Process]:
        return self.query_one("#processes", Grid)

    # -- what is shown -----------------------------------------------------------------------

    def _gateway(self, model: Model) -> Iterator[tuple[str, str]]:
        system, hello = model.system, model.hello
        yield f"newapi {model.version}" if model.version else "nothing is known yet", "bold"
        if hello is not None and system.processes:
            yield f"  up {words.span(model.now - hello.started_at)}", ""
        nodes = len({p.node for p in system.processes})
        yield f"  {_many(len(system.processes), 'process', 'processes')} on {_many(nodes, 'node', 'nodes')}", ""
        if system.generation:
            tone = "$text-warning" if system.sync == "drifted" else ""
            drift = f", {system.differences} to apply" if system.differences else ""
            yield f"  generation {system.generation}, {system.sync}{drift}", tone

    def _database(self, model: Model) -> Iterator[tuple[str, str]]:
        system = model.system
        yield system.database or words.NONE, "bold"
        if system.database_bytes:
            yield f"  {words.size(system.database_bytes)}", ""

    def _ledger(self, model: Model) -> Iterator[tuple[str, str]]:
        processes = model.system.processes
        waiting, failing = sum(p.ledger_queue for p in processes), sum(p.ledger_failures for p in processes)
        yield f"{waiting:,}", "bold $text-warning" if waiting >= _QUEUED else "bold"
        yield f" settlements wait  journal {words.size(sum(p.journal_bytes for p in processes))}", ""
        if failing:
            yield f"  the database refused {_many(failing, 'batch', 'batches')} in a row", "bold $text-error"

    def _stream(self, model: Model) -> Iterator[tuple[str, str]]:
        watching = sum(p.viewers for p in model.system.processes)
        yield str(watching), "bold"
        yield (
            f" watching  {_many(model.gaps, 'gap', 'gaps')}  {model.logged:,} rows came, {model.left_out:,} left out",
            "",
        )

    def _columns(self) -> Iterator[Column[Process]]:
        def since(process: Process) -> float:
            return self.model.now - process.started_at

        def number(name: str, title: str, width: int, priority: int, limit: float = 0) -> Column[Process]:
            def cell(process: Process, _: int) -> tones.Piece:
                value = getattr(process, name)
                return f"{value:,}" if value else "-", "bad" if limit and value >= limit else "" if value else "dim"

            return Column(
                name, title, lambda p: getattr(p, name), cell, kind="number", width=width, right=True, priority=priority
            )

        yield Column("node", "node", lambda p: p.node, least=8, most=24, priority=4)
        yield Column("pid", "pid", lambda p: p.pid, kind="number", width=8, right=True)
        yield Column("version", "version", lambda p: p.version, width=8, priority=7)
        yield Column(
            "up", "up", since, lambda p, _: words.ago(since(p)), kind="seconds", width=6, right=True, priority=2
        )
        yield Column(
            "memory",
            "memory",
            lambda p: p.memory,
            lambda p, _: words.size(p.memory),
            kind="number",
            width=9,
            right=True,
        )
        yield Column("lag", "loop lag", lambda p: p.loop_lag_ms, _lag, kind="ms", width=8, right=True, priority=1)
        yield number("in_flight", "in flight", 9, 1)
        yield number("streams", "streams", 7, 3)
        yield number("ledger_queue", "queue", 7, 2, _QUEUED)
        yield number("ledger_failures", "refused", 7, 5, 1)
        yield Column(
            "journal",
            "journal",
            lambda p: p.journal_bytes,
            lambda p, _: words.size(p.journal_bytes),
            kind="number",
            width=9,
            right=True,
            priority=4,
        )
        yield number("viewers", "watching", 8, 6)
        yield Column("id", "id", lambda p: p.id, least=12, most=48, priority=8)

    # -- what is done ------------------------------------------------------------------------

    def action_reload(self) -> None:
        question = Ask(
            "Read the configuration again?",
            self._command("reload"),
            what=["The sections server, limits and log; no request is dropped."],
        )
        self.act(question, lambda gateway, _: _server(gateway).reload(), lambda _: "The configuration is read again")

    def action_drain(self) -> None:
        question = Ask(
            "Let the server come to its end?",
            self._command("drain --no-wait"),
            what=[
                "No more connections; requests under way are answered. Then nothing serves until it is started again."
            ],
            typed="drain",
        )
        self.act(question, lambda gateway, _: _server(gateway).drain(), lambda _: "The server comes to its end")

    def action_backup(self) -> None:
        source = self.tui.source
        if source is None or source.config is None:
            self.notify("The database of another machine is backed up there", severity="warning")
            return
        config = source.config
        field = Field("file", "file", f"newapi-{words.stamp(self.model.now)}.db", "where the copy goes", _new_file)
        question = Ask("Copy the database?", lambda said: f"newapi db backup {said['file']}", fields=[field])
        self.act(question, lambda _, said: _back_up(config, said), lambda told: told)

    def action_log_level(self) -> None:
        field = Field("level", "level", "debug", ", ".join(get_args(LogLevel)), _log_level)
        question = Ask(
            "Tell more, or less, in the server's log?",
            lambda said: self._command(f"log-level {said['level']}"),
            what=["On every worker and node, until it is reloaded or started anew."],
            fields=[field],
        )

        def tell(gateway: Gateway, said: Answers) -> str:
            level = _log_level(said["level"])
            _server(gateway).log_level(level)
            return level

        self.act(question, tell, lambda level: f"The server tells what is {level} or worse")

    def _command(self, what: str) -> str:
        name = self.tui.source_name
        return f"newapi {what}" if name == "local" else f"newapi {what} --context {name}"

    def action_focused(self, action: str) -> None:
        getattr(self._grid, f"action_{action}")()

    # -- the grid's -----------------------------------------------------------------------------

    def filter(self, text: str) -> None:
        self._grid.filter(text)

    @property
    def filter_text(self) -> str:
        return self._grid.filtered

    def go_back(self) -> bool:
        if self._grid.filtered:
            self._grid.filter("")
            return True
        return False

    def rows(self) -> Sequence[dict[str, Any]]:
        return self._grid.table()

    def toml(self) -> str:
        process = self._grid.current
        return as_toml(process) if process is not None else ""


def _server(gateway: Gateway) -> RemoteGateway:
    if isinstance(gateway, RemoteGateway):
        return gateway
    raise NoServer("No server runs: there is nobody to tell")


def _back_up(config: Path, said: Answers) -> str:
    local = open_local(load_server(config).path, server_only=True)
    try:
        done = database.backup(local.db, Path(said["file"]))
    finally:
        local.db.close()
    return f"Copied to {done.file}, {words.size(done.bytes)}"


def _log_level(text: str) -> LogLevel:
    levels: tuple[LogLevel, ...] = get_args(LogLevel)
    for level in levels:
        if level == text:
            return level
    raise ValueError(f"write {', '.join(levels)}")


def _new_file(text: str) -> None:
    if not text:
        raise ValueError("say where the copy goes")
    if Path(text).exists():
        raise ValueError("there is a file of that name")


def _lag(process: Process, _: int) -> tones.Piece:
    return words.millis(process.loop_lag_ms), "bad" if process.loop_lag_ms >= _LAGGING_MS else ""


def _many(count: int, one: str, several: str) -> str:
    return f"{count:,} {one if count == 1 else several}"
