"""Databases for tests: SQLite files, and fresh ones on a private PostgreSQL and a private MariaDB.

    def test_something(database_url: str) -> None:      # runs three times, once on each
        db = open_database(database_url)

`database_servers.url("postgresql")` gives one of a kind. A server starts when it is first asked for.
"""

from __future__ import annotations

import itertools
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.keeper import Recipe, Running, need, shared

KINDS = ("sqlite", "postgresql", "mariadb")
PASSWORD = "canary/p@ss:word"
"""Of the servers' user; nothing may ever print it."""
QUOTED = "canary%2Fp%40ss%3Aword"
"""The same in a URL."""


def postgresql() -> Recipe:
    """Return how a PostgreSQL is started, as fast as one that may lose everything can be."""
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    initdb, postgres, is_ready = (need(name, also=places) for name in ("initdb", "postgres", "pg_isready"))
    settings = {
        "listen_addresses": "127.0.0.1",
        "port": "{port}",
        "unix_socket_directories": "{dir}",
        "fsync": "off",
        "full_page_writes": "off",
        "synchronous_commit": "off",
        "shared_buffers": "32MB",
        "max_connections": "200",
    }
    options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    write_password = ["sh", "-c", f"umask 077; printf %s '{PASSWORD}' > {{dir}}/password"]
    make = [initdb, "-D", "{dir}/data", "-U", "newapi", "-E", "UTF8", "--no-locale", "-A", "scram-sha-256", "-N"]
    return Recipe(
        prepare=[write_password, [*make, "--pwfile={dir}/password"]],
        command=[postgres, "-D", "{dir}/data", *options],
        stop=signal.SIGINT,
        ready=[is_ready, "-q", "-h", "127.0.0.1", "-p", "{port}"],
    )


def mariadb() -> Recipe:
    """Return how a MariaDB (or MySQL's successor of that name) is started."""
    install, server = need("mariadb-install-db"), need("mariadbd")
    account = [
        f"CREATE USER newapi@'127.0.0.1' IDENTIFIED BY '{PASSWORD}';",
        "GRANT ALL ON *.* TO newapi@'127.0.0.1';",
    ]
    settings = [
        "--no-defaults",
        "--datadir={dir}/data",
        "--socket={dir}/socket",
        "--pid-file={dir}/pid",
        "--bind-address=127.0.0.1",
        "--port={port}",
        "--skip-name-resolve",
        "--innodb-flush-log-at-trx-commit=0",
        "--innodb-buffer-pool-size=32M",
        "--innodb-log-file-size=16M",
        "--max-connections=200",
        "--init-file={dir}/account.sql",
    ]
    make = [
        install,
        "--no-defaults",
        "--datadir={dir}/data",
        "--skip-test-db",
        "--auth-root-authentication-method=normal",
    ]
    write_account = ["sh", "-c", 'printf "%s\\n" "$@" > {dir}/account.sql', "sh", *account]
    return Recipe([write_account, make], [server, *settings])


_RECIPES = {"postgresql": postgresql, "mariadb": mariadb}
_numbers = itertools.count(1)


class DatabaseServers:
    """The database servers of this test session."""

    def __init__(self, factory: pytest.TempPathFactory) -> None:
        self._factory = factory
        self._running: dict[str, Running] = {}

    def running(self, kind: str) -> Running:
        """Return the server of a kind; it is started by the first who asks."""
        if kind not in self._running:
            self._running[kind] = shared(kind, _RECIPES[kind], self._factory)
        return self._running[kind]

    @contextmanager
    def url(self, kind: str, directory: Path) -> Iterator[str]:
        """Give the URL of an empty database of a kind, which is dropped afterwards.

        Args:
            kind: One of `KINDS`.
            directory: Where a SQLite file goes.
        """
        number = next(_numbers)
        if kind == "sqlite":
            yield f"sqlite:///{directory}/test-{number}.db"
            return
        name = f"Test-{os.getpid()}-{number}"
        self.execute(kind, f"CREATE DATABASE {_quoted(kind, name)}")
        try:
            scheme = "mysql" if kind == "mariadb" else kind
            yield f"{scheme}://newapi:{QUOTED}@127.0.0.1:{self.running(kind).port}/{name}"
        finally:
            self.execute(kind, f"DROP DATABASE {_quoted(kind, name)}{' WITH (FORCE)' if kind == 'postgresql' else ''}")

    def execute(self, kind: str, sql: str, database: str = "") -> list[Any]:
        """Run a statement as the server's administrator and return its rows."""
        port = self.running(kind).port
        where: dict[str, Any] = {"host": "127.0.0.1", "port": port, "user": "newapi", "password": PASSWORD}
        if kind == "postgresql":
            import psycopg

            with psycopg.connect(**where, dbname=database or "postgres", autocommit=True) as c:
                cursor = c.execute(sql.encode())
                return cursor.fetchall() if cursor.description else []
        import pymysql

        connection = pymysql.connect(**where, database=database or None, autocommit=True)
        try:
            with connection.cursor() as cursor:
                cursor.execute(sql)
                return list(cursor.fetchall())
        finally:
            connection.close()


def _quoted(kind: str, name: str) -> str:
    return f'"{name}"' if kind == "postgresql" else f"`{name}`"
