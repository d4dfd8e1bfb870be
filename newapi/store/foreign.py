"""Another program's database, read and never written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import peewee

from newapi.base.errors import StoreError
from newapi.store.database import BUSY_SECONDS, Connection, Database, connect, is_server, sqlite_path

Row = dict[str, Any]
_PAGE = 1000


class Foreign:
    """A database as of one moment.

    Attributes:
        shown: Its URL for people, without a password.
        tables: Its tables, and the columns of each.
    """

    def __init__(self, c: Connection, database: Database) -> None:
        self._c = c
        self.shown = database.shown
        names = [str(name) for name in c.get_tables()]
        self.tables: Mapping[str, frozenset[str]] = {name: frozenset(self._columns(name)) for name in names}

    def rows(self, table: str) -> list[Row]:
        """Return all rows of a table in the order of its first column; none of one that is not there."""
        if table not in self.tables:
            return []
        return self._read(f"SELECT * FROM {self._quoted(table)} ORDER BY 1")  # noqa: S608  (a table there is)

    def ids(self, table: str) -> list[str]:
        """Return the first column of every row of a table; none of one that is not there."""
        return [str(next(iter(row.values()))) for row in self.rows(table)]

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
def opened(source: str) -> Iterator[Foreign]:
    """Give another program's database, as of this moment.

    Args:
        source: A SQLite file or its URL, or the URL of a server's database.

    Raises:
        StoreError: It cannot be opened, or it is no database.
    """
    database = connect(source) if is_server(source) else _file(source)
    with closing(database), database.snapshot() as c:
        yield Foreign(c, database)


def _file(source: str) -> Database:
    path = sqlite_path(source, Path()) or Path(source)
    if not path.is_file():
        raise StoreError(f"There is no file {path}")
    raw = peewee.SqliteDatabase(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=BUSY_SECONDS)
    return Database(raw, "sqlite", f"sqlite:///{path}", path)


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
