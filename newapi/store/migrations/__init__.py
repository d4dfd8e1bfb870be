"""The schema, in numbered steps: `0001_first.sql`, `0002_….sql`, …, each applied once, in order, at the first opening.

A step is SQL for all three databases, with a few words for what they say differently: `{id}` (a key that counts up and
never gives a number twice), `{text}` (text of any length), `{blob}`, `{double}`, `{bool}`, `{options}` (at a table's
end). A released step never changes.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from typing import TYPE_CHECKING

from newapi.base.errors import StoreError

if TYPE_CHECKING:
    import peewee

    from newapi.store.database import Database

_WORDS = {
    "sqlite": {
        "id": "INTEGER PRIMARY KEY AUTOINCREMENT",
        "text": "TEXT",
        "blob": "BLOB",
        "double": "REAL",
        "bool": "INTEGER",
        "options": "",
    },
    "postgresql": {
        "id": "BIGSERIAL PRIMARY KEY",
        "text": "TEXT",
        "blob": "BYTEA",
        "double": "DOUBLE PRECISION",
        "bool": "BOOLEAN",
        "options": "",
    },
    "mysql": {
        "id": "BIGINT AUTO_INCREMENT PRIMARY KEY",
        "text": "LONGTEXT",
        "blob": "LONGBLOB",
        "double": "DOUBLE",
        "bool": "BOOLEAN",
        "options": " ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
    },
}
_LOCK = 7_274_655  # any number that nobody else locks
_DONE_BEFORE = {1050, 1060, 1061}
"""MySQL's numbers for a table, a column, an index that is there already."""


def steps() -> list[tuple[int, str, str]]:
    """Return the steps there are, in order: number, name, SQL."""
    found: list[tuple[int, str, str]] = []
    for file in resources.files("newapi.store.migrations").iterdir():
        if match := re.fullmatch(r"(\d{4})_(\w+)\.sql", file.name):
            found.append((int(match[1]), match[2], file.read_text("utf-8")))
    return sorted(found)


def version(database: Database) -> int:
    """Return the number of the last step that `database` has seen; 0 when it is empty."""
    with database.reading() as c:
        if not c.table_exists("schema_version"):
            return 0
        row = c.execute_sql("SELECT version FROM schema_version").fetchone()
        return int(row[0]) if row else 0


def migrate(database: Database) -> int:
    """Apply the steps that `database` has not seen; return how many.

    Raises:
        StoreError: The database is newer than this version of newapi, or it belongs to another program.
    """
    known = steps()
    latest = known[-1][0]
    if version(database) == latest:
        return 0
    begin = "BEGIN IMMEDIATE" if database.dialect == "sqlite" else "BEGIN"
    with database.transaction(begin) as c, _alone(c, database.dialect):
        seen = version(database)  # again: another process may have been faster
        if seen > latest:
            raise StoreError(
                f"The database {database.shown} has schema {seen}, this version knows {latest}: update newapi"
            )
        tables = set(c.get_tables())
        if "schema_version" not in tables and (theirs := {"channels", "abilities"} & tables):
            raise StoreError(
                f"{database.shown} is another program's database (it has {', '.join(sorted(theirs))}): "
                "`newapi import` reads one of New API or One API into a database of its own"
            )
        todo = [step for step in known if step[0] > seen]
        for number, _, sql in todo:
            for statement in _statements(sql, database.dialect):
                _execute(c, statement)
            if number == 1:
                _first_rows(c)
            c.execute_sql("DELETE FROM schema_version")
            c.execute_sql(f"INSERT INTO schema_version (version) VALUES ({c.param})", (number,))  # noqa: S608
        return len(todo)


def _execute(c: peewee.Database, statement: str) -> None:
    """Execute a statement of a step. MySQL keeps what a step that was cut off has made: that is not made again."""
    import peewee  # noqa: PLC0415  (it loads the drivers, and who only asks for `steps` needs none)

    try:
        c.execute_sql(statement)
    except (peewee.OperationalError, peewee.InternalError) as error:
        original = getattr(error, "orig", None)
        if not isinstance(original, Exception) or not original.args or original.args[0] not in _DONE_BEFORE:
            raise


def _statements(sql: str, dialect: str) -> list[str]:
    text = "\n".join(line.partition("--")[0] for line in sql.splitlines())
    for word, meaning in _WORDS[dialect].items():
        text = text.replace("{" + word + "}", meaning)
    if dialect == "mysql":
        text = text.replace('"', "`")
    return [s for part in text.split(";") if (s := part.strip())]


def _first_rows(c: peewee.Database) -> None:
    """Write what is always there: the clock, and the user `root`, who signs in with nothing until a password is set."""
    p = c.param
    if c.execute_sql("SELECT id FROM clock").fetchone():
        return  # MySQL, of a step that was cut off
    c.execute_sql("INSERT INTO clock (id, epoch, generation) VALUES (1, 1, 0)")
    c.execute_sql(
        f"INSERT INTO users (name, role, {c.quote[0]}group{c.quote[1]}, unlimited, state, created_at) "  # noqa: S608
        f"VALUES ({p}, {p}, {p}, {p}, {p}, {p})",
        ("root", "root", "default", True, "enabled", time.time()),
    )


@contextmanager
def _alone(c: peewee.Database, dialect: str) -> Iterator[None]:
    """Keep other processes from migrating at the same time; a SQLite transaction that writes does so by itself."""
    if dialect == "postgresql":
        c.execute_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
    elif dialect == "mysql":
        c.execute_sql(f"SELECT GET_LOCK('newapi-{_LOCK}', 30)")
    try:
        yield
    finally:
        if dialect == "mysql":  # there, the lock is the connection's, not the transaction's
            c.execute_sql(f"SELECT RELEASE_LOCK('newapi-{_LOCK}')")
