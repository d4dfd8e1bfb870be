"""Files of another program are read in whatever state it left them, and nothing about them changes."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from newapi.base.errors import StoreError
from newapi.store import foreign

_INTERRUPTED = """
import os, sqlite3, sys
database = sqlite3.connect(sys.argv[1], isolation_level=None)
database.execute("PRAGMA cache_size = 1")
database.execute("BEGIN IMMEDIATE")
for _ in range(200):
    database.execute("INSERT INTO users (name) VALUES (?)", ("half done" * 100,))
os.kill(os.getpid(), 9)
"""


def made(directory: Path, *, logged: bool = False) -> sqlite3.Connection:
    directory.mkdir(exist_ok=True)
    database = sqlite3.connect(directory / "theirs.db", isolation_level=None)
    if logged:
        database.execute("PRAGMA journal_mode = wal")
    database.execute("CREATE TABLE users (id integer PRIMARY KEY, name text)")
    database.execute("INSERT INTO users (name) VALUES ('ann')")
    return database


def plain(directory: Path) -> Path:
    made(directory).close()
    return directory / "theirs.db"


def closed(directory: Path) -> Path:
    """Kept by a log, and closed."""
    made(directory, logged=True).close()
    return directory / "theirs.db"


def left_behind(directory: Path) -> Path:
    """Its log still has everything: a copy of a running one, or a program that was killed."""
    database = made(directory / "before", logged=True)
    for end in ("", "-wal"):
        shutil.copy(directory / "before" / f"theirs.db{end}", directory / f"theirs.db{end}")
    database.close()
    shutil.rmtree(directory / "before")
    return directory / "theirs.db"


def interrupted(directory: Path) -> Path:
    """Killed while it wrote: its journal says how it was before."""
    made(directory).close()
    subprocess.run([sys.executable, "-c", _INTERRUPTED, str(directory / "theirs.db")], check=False)
    assert (directory / "theirs.db-journal").stat().st_size
    return directory / "theirs.db"


def contents(directory: Path) -> dict[str, tuple[bytes, int]]:
    return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in directory.iterdir()}


@pytest.mark.parametrize("state", [plain, closed, left_behind, interrupted])
def test_read_without_a_trace(tmp_path: Path, state: Callable[[Path], Path]) -> None:
    directory = tmp_path / "theirs"
    directory.mkdir()
    path = state(directory)
    before = contents(directory)
    with foreign.opened(str(path), ["users", "no such table"]) as theirs:
        assert [row["name"] for row in theirs.rows("users")] == ["ann"]
        assert theirs.rows("no such table") == []
        assert theirs.sample("users", 5) == (1, ["1"])
    with pytest.raises(StoreError, match="readonly"), foreign.opened(str(path)) as theirs:
        theirs._c.execute_sql("DELETE FROM users")
    assert contents(directory) == before


def test_a_running_one_goes_on_writing(tmp_path: Path) -> None:
    """What is read whole is as of one moment; its program waits for nobody."""
    path = plain(tmp_path)
    database = sqlite3.connect(path, isolation_level=None, timeout=0)
    with foreign.opened(str(path), ["users"]) as theirs:
        database.execute("INSERT INTO users (name) VALUES ('bob')")
        assert [row["name"] for row in theirs.rows("users")] == ["ann"]
        assert theirs.sample("users", 1) == (2, ["1"])
    database.close()


def test_a_running_one_that_keeps_a_log(tmp_path: Path) -> None:
    database = made(tmp_path, logged=True)
    with foreign.opened(str(tmp_path / "theirs.db"), ["users"]) as theirs:
        database.execute("INSERT INTO users (name) VALUES ('bob')")
        assert [row["name"] for row in theirs.rows("users")] == ["ann"]
    database.close()
    assert [path.name for path in tmp_path.iterdir()] == ["theirs.db"]


def test_what_several_rows_have(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "theirs.db") as database:
        database.execute("CREATE TABLE logs (request_id text, type integer)")
        database.executemany("INSERT INTO logs VALUES (?, ?)", [("a", 2), ("a", 2), ("b", 2), ("b", 5)])
    database.close()
    with foreign.opened(str(tmp_path / "theirs.db")) as theirs:
        assert theirs.repeated("logs", "request_id", "type", 2) == {"a"}
        assert theirs.repeated("logs", "other", "type", 2) == set()
        assert theirs.sample("logs", 3) == (4, [])


@pytest.mark.parametrize("text", [b"hello " * 100, os.urandom(8192)])
def test_what_is_no_database_is_told(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "theirs.db").write_bytes(text)
    with pytest.raises(StoreError, match="not a database"), foreign.opened(str(tmp_path / "theirs.db")):
        pass
