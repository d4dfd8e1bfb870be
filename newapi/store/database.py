"""Opening a database, and the only two ways to use it: `reading` and `writing`."""

from __future__ import annotations

import os
import re
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qsl, unquote, urlsplit

import peewee

from newapi.base.errors import NotFound, StoreError
from newapi.base.nearest import did_you_mean
from newapi.store.migrations import migrate

T = TypeVar("T")
Connection = peewee.Database
"""What `reading` and `writing` give: it executes queries."""
BUSY_SECONDS = 15
"""How long a writer waits for another one before it gives up."""
CONNECT_SECONDS = 10
"""How long a database server may take to accept a connection; `connect_timeout` in its URL says otherwise."""
_ATTEMPTS = 5
KEPT_USES = 10_000
"""Uses of a database whose times are kept until somebody asks for them."""

_DRIVERS = {
    "postgresql": "PostgreSQL needs a driver: pip install 'newapi[postgresql]'",
    "mysql": "MySQL and MariaDB need a driver: pip install 'newapi[mysql]'",
}
_SCHEMES = {
    "sqlite": "sqlite",
    "postgres": "postgresql",
    "postgresql": "postgresql",
    "mysql": "mysql",
    "mariadb": "mysql",
}
_GO_DSN = re.compile(
    r"(?:(?P<user>[^:@/]*)(?::(?P<password>.*))?@)?(?P<net>tcp|unix)\((?P<address>[^)]*)\)/(?P<name>[^?]*)"
)
"""How Go programs, New API among them, name a MySQL database: `user:password@tcp(host:3306)/name?charset=utf8mb4`."""
_MYSQL_OPTIONS: dict[str, Callable[[str], Any]] = {
    "unix_socket": str,
    "ssl_ca": str,
    "ssl_cert": str,
    "ssl_key": str,
    "ssl_verify_cert": lambda text: text.lower() in ("1", "true"),
    "ssl_verify_identity": lambda text: text.lower() in ("1", "true"),
    "connect_timeout": int,
    "read_timeout": int,
    "write_timeout": int,
}
_MYSQL_GIVEN = {"charset", "parsetime", "loc", "collation"}
"""What URLs and names for Go say that is always so here: UTF-8, and times that are numbers."""
_ENDED_FOR_OTHERS = {"40001", "40P01", "55P03", 1205, 1213}
"""Of PostgreSQL and MySQL: a deadlock, or a wait that was too long. The transaction may be tried again."""


class Interrupted(StoreError):
    """The database ended a transaction for another one's sake: all of it is undone, and may be tried again."""


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
        self._uses: deque[tuple[str, int]] = deque(maxlen=KEPT_USES)

    def __repr__(self) -> str:
        return f"Database({self.shown!r})"

    def drain(self) -> list[tuple[str, int]]:
        """Return how long it was used each time since this was last called: (`read` or `write`, microseconds).

        A writing transaction counts from when it is asked for to its commit, waiting for other writers included; what
        is inside another counts with it. Of very many the last are kept.
        """
        drained: list[tuple[str, int]] = []
        while self._uses:
            drained.append(self._uses.popleft())
        return drained

    @contextmanager
    def _timed(self, kind: str) -> Iterator[None]:
        if self._database.in_transaction():
            yield
            return
        began = time.perf_counter()
        try:
            yield
        finally:
            self._uses.append((kind, int((time.perf_counter() - began) * 1_000_000)))

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give the connection for queries that change nothing; each sees what is committed.

        Raises:
            StoreError: The database cannot be reached, or refuses.
        """
        with self._timed("read"), self._explained():
            self._wake()
            yield self._database

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Give the connection within a transaction: all of it is done at the end, or nothing after an exception.

        One transaction writes at a time, whatever the database: what is read within it stays true until its end. Inside
        another `writing` of this thread it is a part of that one.

        Raises:
            StoreError: The database cannot be reached, or refuses.
            Interrupted: It was ended for another's sake.
        """
        # SQLite: a transaction that begins by reading cannot wait for a writer later; one that begins as a writer does.
        arguments = ("IMMEDIATE",) if self.dialect == "sqlite" else ()
        with self._timed("write"), self._explained():
            self._wake()
            outermost = not self._database.in_transaction()
            with self._database.atomic(*arguments):
                if outermost and self.dialect != "sqlite":
                    self._database.execute_sql("SELECT id FROM clock WHERE id = 1 FOR UPDATE")
                yield self._database

    def write(self, work: Callable[[Connection], T]) -> T:
        """Return what `work` returns, which is called within `writing`; again where it was interrupted.

        Raises:
            StoreError: The database cannot be reached, refuses, or interrupted it again and again.
        """
        for attempt in range(_ATTEMPTS):
            try:
                with self.writing() as c:
                    return work(c)
            except Interrupted:
                if attempt == _ATTEMPTS - 1 or self._database.in_transaction():
                    raise
        raise AssertionError("the last attempt returns or raises")

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """Give the connection for reading everything as of one moment, whatever is written meanwhile.

        Raises:
            StoreError: The database cannot be reached, or refuses.
        """
        begin = {
            "sqlite": ("BEGIN",),
            "postgresql": ("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",),
            "mysql": (
                "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ",
                "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
            ),
        }
        with self.transaction(*begin[self.dialect]) as c:
            yield c

    @contextmanager
    def transaction(self, *begin: str) -> Iterator[Connection]:
        """Give the connection within a transaction that begins with the statements `begin` and locks nothing by itself.

        Raises:
            StoreError: The database cannot be reached, or refuses.
        """
        with self._explained():
            self._wake()
            self._database.connection()  # one that is opened later would know of no transaction
            with self._database.manual_commit():
                for statement in begin or ("BEGIN",):
                    self._database.execute_sql(statement)
                try:
                    yield self._database
                except BaseException:
                    with suppress(peewee.PeeweeException):
                        self._database.execute_sql("ROLLBACK")
                    raise
                self._database.execute_sql("COMMIT")

    def close(self) -> None:
        """Close this thread's connection; the next use opens it again."""
        if not self._database.is_closed():
            self._database.close()

    def _wake(self) -> None:
        """Drop a connection that a server has closed since it was used: it was restarted, or tired of waiting."""
        if self.dialect == "sqlite" or self._database.is_closed() or self._database.in_transaction():
            return
        try:
            self._database.execute_sql("SELECT 1")
        except peewee.PeeweeException:
            with suppress(peewee.PeeweeException):
                self._database.close()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        outermost = not self._database.in_transaction()
        try:
            yield
        except (peewee.OperationalError, peewee.InterfaceError, peewee.InternalError) as error:
            if outermost and not self._database.in_transaction():
                with suppress(peewee.PeeweeException):
                    self.close()  # a connection that was lost is not used again
            code, said = _told(error)
            kind = Interrupted if code in _ENDED_FOR_OTHERS else StoreError
            raise kind(f"The database {self.shown} failed: {said}") from error
        except peewee.ImproperlyConfigured as error:
            raise StoreError(_DRIVERS.get(self.dialect, str(error))) from error
        except peewee.PeeweeException as error:
            raise StoreError(f"The database {self.shown} refused: {_told(error)[1]}") from error


def _told(error: peewee.PeeweeException) -> tuple[str | int | None, str]:
    """Return what a driver says: its code for it where it has one, and the sentence."""
    original: BaseException = error
    while isinstance(inner := getattr(original, "orig", None), BaseException):
        original = inner
    code, said = getattr(original, "sqlstate", None), str(original)
    if len(original.args) >= 2 and isinstance(original.args[0], int):  # PyMySQL: number, sentence
        code, said = original.args[0], str(original.args[1])
    return code, " ".join(said.split())


def open_database(url: str, *, relative_to: Path | None = None) -> Database:
    """Return the database of `url`, with its tables as this version needs them.

    Args:
        url: `sqlite:///file.db` (relative), `sqlite:////var/lib/newapi.db`, `postgresql://user:password@host/name`,
            `mysql://user:password@host/name` (MariaDB too), or a MySQL database as Go programs name it.
        relative_to: What a relative SQLite path is relative to; the working directory when None.

    Raises:
        StoreError: It cannot be opened, its driver is missing, or it is newer than this version.
    """
    database = connect(url, relative_to=relative_to)
    try:
        migrate(database)
    except BaseException:
        database.close()
        raise
    return database


def connect(url: str, *, relative_to: Path | None = None) -> Database:
    """Return the database of `url` as it is: its tables may be of another version, or missing.

    Raises:
        StoreError: It cannot be opened, or its driver is missing.
    """
    if url.startswith("sqlite:"):
        return _open_sqlite(url, relative_to or Path())
    dialect, parameters = server_parameters(url)
    return _open_server(parameters, dialect)


def insert(c: Connection, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Insert rows with one statement, written by hand: peewee takes longer to build it than SQLite to do it."""
    left, right = c.quote
    named = ", ".join(f"{left}{name}{right}" for name in columns)
    row = "(" + ", ".join([c.param] * len(columns)) + ")"
    values = ", ".join([row] * len(rows))
    parameters = [value for row in rows for value in row]
    c.execute_sql(f"INSERT INTO {left}{table}{right} ({named}) VALUES {values}", parameters)  # noqa: S608


def is_server(text: str) -> bool:
    """Say whether a text names a database server's database: by a URL, or as Go programs do."""
    return bool(_GO_DSN.match(text)) or ("://" in text and not text.startswith("sqlite:"))


def sqlite_path(url: str, relative_to: Path) -> Path | None:
    """Return the file of a SQLite URL, None of any other."""
    if not url.startswith("sqlite:"):
        return None
    text = unquote(url.removeprefix("sqlite:").removeprefix("//").partition("?")[0])
    return relative_to / text.removeprefix("/") if not text.startswith("//") else Path(text[1:])


def existing(path: Path) -> Path:
    """Return the path of a file that is there.

    Raises:
        NotFound: It is not.
    """
    if path.is_file():
        return path
    beside = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
    raise NotFound(f"There is no file {path}{did_you_mean(path.name, beside)}")


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


class _PostgreSQL(peewee.PostgresqlDatabase):
    """PostgreSQL, whose texts hold no NUL: what a caller makes up is then not found, instead of refused."""

    def execute_sql(self, sql: str, params: Sequence[Any] | None = None) -> Any:
        if params:
            params = [p.replace("\0", "\ufffd") if isinstance(p, str) and "\0" in p else p for p in params]
        return super().execute_sql(sql, params)


class _MySQL(peewee.MySQLDatabase):
    """MySQL or MariaDB, agreeing with the others about what `LIKE` and a changed row are."""

    # Names are compared by every bit of theirs; who searches for a part of one means either case.
    operations = {**peewee.MySQLDatabase.operations, "ILIKE": "COLLATE utf8mb4_general_ci LIKE"}  # noqa: RUF012


def _open_server(parameters: dict[str, Any], dialect: str) -> Database:
    host, port, name = parameters.get("host", ""), parameters.get("port"), parameters.pop("database")
    shown = f"{dialect}://{f'[{host}]' if ':' in host else host}{f':{port}' if port else ''}/{name}"
    if not name:
        raise StoreError(f"{shown} names no database: {dialect}://user@host/newapi is the one called newapi")
    parameters.setdefault("connect_timeout", CONNECT_SECONDS)
    if dialect == "postgresql":
        # Nothing is prepared: a pooler between here and the server may give every transaction another connection.
        raw: peewee.Database = _PostgreSQL(
            name, prefer_psycopg3=True, encoding="UTF8", prepare_threshold=None, **parameters
        )
    else:
        # FOUND_ROWS (2): an UPDATE counts the rows it finds, changed or not, as the others do.
        session = "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED"
        options = {"sql_mode": "STRICT_TRANS_TABLES", "client_flag": 2, "init_command": session}
        raw = _MySQL(name, **options, **parameters)
    database = Database(raw, dialect, shown)
    with database.reading() as c:
        c.connection()
        if dialect == "postgresql" and (encoding := c.execute_sql("SHOW server_encoding").fetchone()[0]) != "UTF8":
            database.close()
            raise StoreError(f"{shown} has the encoding {encoding}: CREATE DATABASE … ENCODING 'UTF8'")
    return database


def server_parameters(url: str) -> tuple[str, dict[str, Any]]:
    """Return the dialect of a database server's URL, and what its driver is to be told; `database` is the name.

    Raises:
        StoreError: It is no such URL. Nothing of it is repeated but its scheme, since there is a password in it.
    """
    if found := _GO_DSN.match(url):
        parameters = {"user": found["user"], "password": found["password"], "database": found["name"]}
        host, _, port = found["address"].rpartition(":")
        if found["net"] == "unix":
            parameters["unix_socket"] = found["address"]
        else:
            parameters |= {"host": host or found["address"], "port": int(port) if host and port.isdecimal() else None}
        dialect, query = "mysql", url[found.end() :].removeprefix("?")
    else:
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as error:
            raise StoreError("The URL of the database is none: after the host comes a port, a number") from error
        dialect, query = _dialect(parts.scheme), parts.query
        parameters = {"host": parts.hostname, "port": port, "database": unquote(parts.path[1:])}
        parameters |= {"user": unquote(parts.username or ""), "password": unquote(parts.password or "")}
    for key, value in parse_qsl(query):
        if dialect == "postgresql":
            parameters[key] = value
        elif key in _MYSQL_OPTIONS:
            try:
                parameters[key] = _MYSQL_OPTIONS[key](value)
            except ValueError:
                raise StoreError(f"{key} in the URL of the database must be a number") from None
        elif key.lower() not in _MYSQL_GIVEN:
            known = ", ".join(_MYSQL_OPTIONS)
            raise StoreError(f"The URL of a MySQL database has no option {key!r}; there are {known}")
    return dialect, {key: value for key, value in parameters.items() if value not in (None, "") or key == "database"}


def _dialect(scheme: str) -> str:
    base = scheme.partition("+")[0].lower()
    if base not in _SCHEMES:
        raise StoreError(f"No kind of database is called {base!r}: it is sqlite, postgresql or mysql")
    return _SCHEMES[base]
