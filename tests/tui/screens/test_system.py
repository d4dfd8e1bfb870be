from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from newapi.config.schema import LogLevel
from newapi.ops.processes import Processes
from newapi.ops.remote_gateway import RemoteGateway
from newapi.tui.app import Options
from tests.tui.screens.gateway import Seen, here
from tests.tui.watching import line, watching

SERVER = Processes(1, 1, ())


class Server(RemoteGateway):
    """A server that does what it is told."""

    def __init__(self) -> None:
        super().__init__("unix:/nowhere", None)
        self.told: list[str] = []

    def reload(self) -> Processes:
        self.told.append("reload")
        return SERVER

    def log_level(self, level: LogLevel) -> None:
        self.told.append(f"log-level {level}")

    def drain(self) -> Processes:
        self.told.append("drain")
        return SERVER


def asks(seen: Seen) -> bool:
    return seen.app.screen is not seen.app.front


async def test_what_it_shows(tmp_path: Path) -> None:
    async with watching(tmp_path, "system") as seen:
        assert "newapi 0.1.0" in line(seen, "#fact-gateway")
        assert "generation 42, in sync" in line(seen, "#fact-gateway")
        assert "settlements wait" in line(seen, "#fact-ledger")
        assert "watching" in line(seen, "#fact-stream")
        assert len(seen.app.front.rows()) == len(seen.app.model.system.processes) > 0
        assert "pid = " in seen.app.front.toml()


async def test_reload_is_asked_first(tmp_path: Path) -> None:
    server = Server()
    async with watching(tmp_path, "system", acts_on=server) as seen:
        await seen.press("r")
        assert "newapi reload --context prod" in seen.dialog
        await seen.press("escape")
        assert (asks(seen), server.told) == (False, [])
        await seen.press("r", "y")
        await seen.told("The configuration is read again")
    assert server.told == ["reload"]


async def test_drain_wants_its_name_typed(tmp_path: Path) -> None:
    server = Server()
    async with watching(tmp_path, "system", acts_on=server) as seen:
        await seen.press("D")
        assert "newapi drain --no-wait --context prod" in seen.dialog
        await seen.type("drai")
        await seen.press("enter")
        assert asks(seen)
        assert "This is not drain" in seen.dialog
        assert server.told == []
        await seen.type("n")
        await seen.press("enter")
        await seen.told("The server comes to its end")
    assert server.told == ["drain"]


async def test_the_level_of_the_log_is_one_that_there_is(tmp_path: Path) -> None:
    server = Server()
    async with watching(tmp_path, "system", acts_on=server) as seen:
        await seen.press("L")
        assert "newapi log-level debug --context prod" in seen.dialog
        box = seen.app.screen.query_one("Input")
        box.value = "loud"  # type: ignore[attr-defined]
        await seen.press("enter")
        assert "write debug, info, warning, error" in seen.dialog
        assert server.told == []
        box.value = "warning"  # type: ignore[attr-defined]
        await seen.press("enter")
        await seen.told("The server tells what is warning or worse")
    assert server.told == ["log-level warning"]


@pytest.mark.parametrize(
    "keys", [("r", "y"), ("D", *"drain", "enter"), ("L", "enter")], ids=["reload", "drain", "level"]
)
async def test_without_a_server_there_is_nobody_to_tell(tmp_path: Path, keys: tuple[str, ...]) -> None:
    (tmp_path / "other").mkdir()
    gateway, local, _ = here(tmp_path / "other")
    async with watching(tmp_path, "system", acts_on=gateway) as seen:
        await seen.press(*keys)
        await seen.told("No server runs")
    local.db.close()


async def test_a_backup_refuses_a_name_that_is_there_and_copies_to_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there").write_text("kept")
    async with watching(tmp_path, "system", acts_on=Server()) as seen:
        await seen.press("b")
        assert "newapi db backup newapi-" in seen.dialog
        box = seen.app.screen.query_one("Input")
        box.value = "there"  # type: ignore[attr-defined]
        await seen.press("enter")
        assert "there is a file of that name" in seen.dialog
        box.value = "copy"  # type: ignore[attr-defined]
        await seen.press("enter")
        await seen.told("Copied to copy")
    assert (tmp_path / "there").read_text() == "kept"
    copy = sqlite3.connect(tmp_path / "copy")
    assert copy.execute("select count(*) from channels").fetchone() == (4,)
    copy.close()


@pytest.mark.parametrize(
    ("key", "options", "server", "why"),
    [
        ("r", Options(read_only=True), Server, "This is read-only"),
        ("D", Options(read_only=True), Server, "This is read-only"),
        ("b", Options(read_only=True), Server, "This is read-only"),
        ("L", Options(read_only=True), Server, "This is read-only"),
        ("r", Options(), lambda: None, "A recording cannot be acted on"),
        ("b", Options(), lambda: None, "The database of another machine is backed up there"),
    ],
)
async def test_what_cannot_be_done_is_not_asked(
    tmp_path: Path, key: str, options: Options, server: Callable[[], Server | None], why: str
) -> None:
    it = server()
    async with watching(tmp_path, "system", options=options, acts_on=it) as seen:
        await seen.press(key)
        await seen.told(why)
        assert not asks(seen)
    assert it is None or it.told == []
