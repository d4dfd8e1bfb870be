"""Another program's database, read and never written: not a byte, and no file beside it."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import peewee

from newapi.base.errors import StoreError
from newapi.store.database import BUSY_SECONDS, Connection, Database, connect, existing, is_server, sqlite_path

Row = dict[str, Any]
_PAGE = 1000
_KEPT_BY_A_LOG = (2, 2)
"""In the head of a SQLite file: what it is written and read by, where changes are kept in a log beside it (WAL)."""


class Foreign:
    """A database, as of one moment as far as it was read whole.

    Attributes:
        shown: Its URL for people, without a password.
        tables: Its tables, and the columns of each.
    """

    def __init__(self, c: Connection, database: Database) -> None:
        self._c = c
        self.shown = database.shown
        names = [str(name) for name in c.get_tables()]
        self.tables: Mapping[str, frozenset[str]] = {name: frozenset(self._columns(name)) for name in names}
        self._kept: dict[str, list[Row]] = {}

    def keep(self, tables: Collection[str]) -> None:
        """Read tables whole, now."""
        self._kept |= {table: self.rows(table) for table in tables}

    def rows(self, table: str) -> list[Row]:
        """Return all rows of a table in the order of its first column; none of one that is not there."""
        if table in self._kept:
            return self._kept[table]
        if table not in self.tables:
            return []
        return self._read(f"SELECT * FROM {self._quoted(table)} ORDER BY 1")  # noqa: S608  (a table there is)

    def sample(self, table: str, number: int) -> tuple[int, list[str]]:
        """Return how many rows a table has, and the `id` of the first `number` of them, where they have one."""
        if table not in self.tables:
            return 0, []
        name = self._quoted(table)
        (count,) = self._read(f"SELECT COUNT(*) AS n FROM {name}")  # noqa: S608
        if "id" not in self.tables[table]:
            return int(count["n"]), []
        first = self._read(f"SELECT id FROM {name} ORDER BY id LIMIT {number}")  # noqa: S608
        return int(count["n"]), [str(row["id"]) for row in first]

    def repeated(self, table: str, column: str, where: str, value: int) -> set[str]:
        """Return what of a column is in several of the rows whose `where` is `value`."""
        if not {column, where} <= self.tables.get(table, frozenset()):
            return set()
        name, told, condition = self._quoted(table), self._quoted(column), self._quoted(where)
        query = f"SELECT {told} AS v FROM {name} WHERE {condition} = {self._c.param} GROUP BY {told}"  # noqa: S608
        return {str(row["v"]) for row in self._read(f"{query} HAVING COUNT(*) > 1", (value,))}

    def since(self, table: str, column: str, at: int) -> Iterator[Row]:
        """Yield the rows of a table with an `id` whose `column` is at least `at`, some at a time, in order."""
        if table not in self.tables:
            return
        p, last = self._c.param, -1
        while True:
            query = f"SELECT * FROM {self._quoted(table)} WHERE {self._quoted(column)} >= {p} AND id > {p} "  # noqa: S608
            page = self._read(f"{query} ORDER BY id LIMIT {_PAGE}", (at, last))
            if not page:
                return
            yield from page
            last = page[-1]["id"]

    def count(self, table: str, column: str, at: int) -> int:
        """Return how many rows `since` yields."""
        if table not in self.tables:
            return 0
        query = f"SELECT COUNT(*) AS n FROM {self._quoted(table)} WHERE {self._quoted(column)} >= {self._c.param}"  # noqa: S608
        return int(self._read(query, (at,))[0]["n"])

    def _columns(self, table: str) -> list[str]:
        cursor = self._c.execute_sql(f"SELECT * FROM {self._quoted(table)} WHERE 1 = 0")  # noqa: S608
        return [str(column[0]) for column in cursor.description]

    def _read(self, query: str, parameters: tuple[Any, ...] = ()) -> list[Row]:
        cursor = self._c.execute_sql(query, parameters)
        names = [str(column[0]) for column in cursor.description]
        return [dict(zip(names, map(_plain, row), strict=True)) for row in cursor.fetchall()]

    def _quoted(self, name: str) -> str:
        left, right = self._c.quote
        return left + name.replace(right, right * 2) + right


@contextmanager
def opened(source: str, whole: Collection[str] = ()) -> Iterator[Foreign]:
    """Give another program's database.

    Args:
        source: A SQLite file or its URL, or the URL of a server's database.
        whole: Tables that are read at once, as of one moment. What else is asked for is read later; of a server's
            database as of that moment, too. A SQLite file would be locked as long: its own program could not write.

    Raises:
        StoreError: It cannot be opened, or it is no database.
    """
    if is_server(source):
        database = connect(source)
        with closing(database), database.snapshot() as c:
            theirs = Foreign(c, database)
            theirs.keep(whole)
            yield theirs
        return
    with _file(source) as database, closing(database):
        with database.snapshot() as c:
            theirs = Foreign(c, database)
            theirs.keep(whole)
        with database.reading():
            yield theirs


@contextmanager
def _file(source: str) -> Iterator[Database]:
    """Give a SQLite file, in place where that leaves no trace, otherwise a copy of it."""
    path = existing(sqlite_path(source, Path()) or Path(source))
    mode = _mode(path)
    if mode is not None:
        raw = peewee.SqliteDatabase(f"{path.resolve().as_uri()}?{mode}", uri=True, timeout=BUSY_SECONDS)
        yield Database(raw, "sqlite", f"sqlite:///{path}", path)
        return
    with tempfile.TemporaryDirectory(prefix="newapi-") as directory:
        copy = Path(directory) / "copy.db"
        try:
            for end in ("", "-wal", "-journal"):
                if _beside(path, end).exists():
                    shutil.copyfile(_beside(path, end), _beside(copy, end))
        except OSError as error:
            raise StoreError(f"{path} cannot be copied to be read: {error.strerror}") from error
        raw = peewee.SqliteDatabase(str(copy), pragmas={"query_only": 1}, timeout=BUSY_SECONDS)
        yield Database(raw, "sqlite", f"sqlite:///{path}", path)


def _mode(path: Path) -> str | None:
    """Return how a file can be opened in place; None where its program left it behind in the middle of something.

    What is in a log or a journal beside it has to be put into the file then, and that is not ours to change.
    """
    try:
        with path.open("rb") as file:
            logged = tuple(file.read(20)[18:]) == _KEPT_BY_A_LOG
    except OSError as error:
        raise StoreError(f"{path} cannot be read: {error.strerror}") from error
    if logged and not _beside(path, "-shm").exists():
        # Nobody has it open. To open it would make that file, and leave it there.
        log = _beside(path, "-wal")
        return None if log.exists() and log.stat().st_size else "mode=ro&immutable=1"
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=BUSY_SECONDS)) as probe:
            probe.execute("SELECT 1 FROM sqlite_master").fetchall()
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN):
            return None
        # Anything else is told when it is used.
    return "mode=ro"


def _beside(path: Path, end: str) -> Path:
    return path.with_name(path.name + end)


def json_object(value: Any) -> dict[str, Any]:
    """Return the JSON object that a column holds; an empty one where it holds anything else."""
    try:
        return msgspec.json.decode(str(value or "{}"), type=dict[str, Any])
    except msgspec.DecodeError:
        return {}


def _plain(value: Any) -> Any:
    """Return a value as SQLite would have it, whatever the database: numbers, text, None."""
    if isinstance(value, memoryview | bytes | bytearray):
        return bytes(value).decode("utf-8", "replace")  # JSON, of which GORM makes bytes
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, date):
        return value.isoformat()
    return msgspec.json.encode(value).decode() if isinstance(value, dict | list) else value
