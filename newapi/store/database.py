"""Opening a database, and the only two ways to use it: `reading` and `writing`."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

import peewee
from playhouse import db_url  # pyright: ignore[reportAttributeAccessIssue]  (its stubs have no db_url)

from newapi.base.errors import StoreError
from newapi.store.migrations import migrate

Connection = peewee.Database
"""What `reading` and `writing` give: it executes queries."""
BUSY_SECONDS = 15
"""How long a writer waits for another one before it gives up."""

_DRIVERS = {
    "postgresql": "PostgreSQL needs the driver psycopg: pip install 'psycopg[binary]'",
    "mysql": "MySQL needs the driver PyMySQL: pip install pymysql",
}


class Database:
    """An open database. Threads may share it: each has a connection of its own.

    Models are not bound to it, so several may be open at once: a query is executed with the connection that `reading`
    or `writing` gives (`Token.select().execute(c)`).
    """

    def __init__(self, peewee_database: peewee.Database, dialect: str, shown: str, file: Path | None = None) -> None:
        self._database = peewee_database
        self.dialect = dialect
        """`sqlite`, `postgresql` or `mysql`."""
        self.shown = shown
        """The URL for people, without a password."""
        self.file = file
        """Of SQLite, where it lies."""

    def __repr__(self) -> str:
        return f"Database({self.shown!r})"

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give the connection for queries that change nothing; each sees what is committed.

        Raises:
            StoreError: The database cannot be reached, or refuses.
        """
        with self._explained():
            yield self._database

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Give the connection within a transaction: all of it is done at the end, or nothing after an exception.

        Inside another `writing` of this thread it is a part of that one.

        Raises:
            StoreError: The database cannot be reached, or refuses.
        """
        # SQLite: a transaction that begins by reading cannot wait for a writer later; one that begins as a writer does.
        arguments = ("IMMEDIATE",) if self.dialect == "sqlite" else ()
        with self._explained(), self._database.atomic(*arguments):
            yield self._database

    def close(self) -> None:
        """Close this thread's connection; the next use opens it again."""
        if not self._database.is_closed():
            self._database.close()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        outermost = not self._database.in_transaction()
        try:
            yield
        except (peewee.OperationalError, peewee.InterfaceError, peewee.InternalError) as error:
            if outermost and not self._database.in_transaction():
                self.close()  # a connection that was lost is not used again
            raise StoreError(f"The database {self.shown} failed: {error}") from error
        except peewee.ImproperlyConfigured as error:
            raise StoreError(_DRIVERS.get(self.dialect, str(error))) from error
        except peewee.PeeweeException as error:
            raise StoreError(f"The database {self.shown} refused: {error}") from error


def open_database(url: str, *, relative_to: Path | None = None) -> Database:
    """Return the database of `url`, with its tables as this version needs them.

    Args:
        url: `sqlite:///file.db` (relative), `sqlite:////var/lib/newapi.db`, `postgresql://user:password@host/name`,
            `mysql://user:password@host/name`.
        relative_to: What a relative SQLite path is relative to; the working directory when None.

    Raises:
        StoreError: It cannot be opened, its driver is missing, or it is newer than this version.
    """
    scheme = urlsplit(url).scheme.partition("+")[0]
    if scheme == "sqlite":
        database = _open_sqlite(url, relative_to or Path())
    elif scheme in ("postgres", "postgresql"):
        database = _open_server(url, "postgresql")
    elif scheme == "mysql":
        database = _open_server(url, "mysql")
    else:
        raise StoreError(f"No kind of database is called {scheme!r}: it is sqlite, postgresql or mysql")
    migrate(database)
    return database


def sqlite_path(url: str, relative_to: Path) -> Path | None:
    """Return the file of a SQLite URL, None of any other."""
    if not url.startswith("sqlite:"):
        return None
    text = unquote(url.removeprefix("sqlite:").removeprefix("//").partition("?")[0])
    return relative_to / text.removeprefix("/") if not text.startswith("//") else Path(text[1:])


def _open_sqlite(url: str, relative_to: Path) -> Database:
    path = sqlite_path(url, relative_to)
    if path is None or path.name in ("", ":memory:"):
        raise StoreError(f"{url} names no file: sqlite:///newapi.db is one beside the configuration")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # It holds hashes and encrypted secrets: nobody else's business.
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError as error:
        raise StoreError(f"The database {path} cannot be opened: {error.strerror}") from error
    pragmas = {"synchronous": "full", "foreign_keys": 1, "temp_store": "memory"}
    raw = peewee.SqliteDatabase(str(path), pragmas=pragmas, timeout=BUSY_SECONDS)
    database = Database(raw, "sqlite", f"sqlite:///{path}", path)
    deadline = time.monotonic() + BUSY_SECONDS
    while True:  # switching to WAL does not wait for another process that does the same
        try:
            with database.reading() as c:
                if str(c.execute_sql("PRAGMA journal_mode").fetchone()[0]).lower() != "wal":
                    c.execute_sql("PRAGMA journal_mode = wal")
            return database
        except StoreError as error:
            if "locked" not in error.message or time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def _open_server(url: str, dialect: str) -> Database:
    parts = urlsplit(url)
    host = parts.hostname or ""
    shown = urlunsplit((dialect, f"{host}:{parts.port}" if parts.port else host, parts.path, "", ""))
    normal = urlunsplit((dialect, parts.netloc, parts.path, parts.query, ""))
    options = {"sql_mode": "STRICT_TRANS_TABLES"} if dialect == "mysql" else {}
    raw = db_url.connect(normal, unquote_password=True, unquote_user=True, **options)
    database = Database(raw, dialect, shown)
    with database.reading() as c:
        c.connection()
    return database
