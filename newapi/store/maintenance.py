"""A database as a whole: what is in it, whether it is sound, copied and put back."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import peewee

from newapi.base.errors import StoreError
from newapi.store import clock, copying
from newapi.store.database import BUSY_SECONDS, Database, existing, open_database
from newapi.store.migrations import migrate, steps
from newapi.store.models import TABLES, Clock, Record, Token, User


def counts(db: Database) -> dict[str, int]:
    """Return how many rows each table has."""
    found: dict[str, int] = {}
    with db.reading() as c:
        for table in TABLES:
            number = next(iter(table.select(peewee.fn.COUNT(peewee.SQL("*"))).tuples().execute(c)))[0]
            found[table._meta.table_name] = int(number)  # type: ignore[attr-defined]  # noqa: SLF001
    return found


def strangers(db: Database) -> dict[str, int]:
    """Return what a database holds beside what a new one does: rows by table."""
    new = {"clock": 1, "users": 1}
    return {table: more for table, number in counts(db).items() if (more := number - new.get(table, 0)) > 0}


def oldest_record(db: Database) -> float:
    """Return when the oldest line of the log was written, unix seconds; 0 when there is none."""
    with db.reading() as c:
        return float(Record.select(peewee.fn.MIN(Record.created_at)).scalar(c) or 0)


def sizes(db: Database) -> dict[str, int]:
    """Return the bytes a database takes: of SQLite its files, of a server what it says."""
    if db.file is not None:
        files = {"file": db.file, "wal": Path(f"{db.file}-wal")}
        return {name: path.stat().st_size for name, path in files.items() if path.exists()}
    query = {
        "postgresql": "SELECT pg_database_size(current_database())",
        "mysql": "SELECT SUM(data_length + index_length) FROM information_schema.tables "
        "WHERE table_schema = DATABASE()",
    }
    with db.reading() as c:
        return {"server": int(c.execute_sql(query[db.dialect]).fetchone()[0] or 0)}


def damage(db: Database) -> list[str]:
    """Return what SQLite says is damaged; nothing for others, which look after themselves."""
    if db.dialect != "sqlite":
        return []
    with db.reading() as c:
        return _damage(c.connection())


def ownerless_tokens(db: Database) -> list[str]:
    """Return the names of tokens whose owner does not exist."""
    query = Token.select(Token.name).join(User, peewee.JOIN.LEFT_OUTER, on=(Token.user_id == User.id))
    with db.reading() as c:
        return [name for (name,) in query.where(User.id.is_null()).order_by(Token.id).tuples().execute(c)]


def backup(db: Database, target: Path) -> int:
    """Copy a database into a SQLite file while it is in use; return its bytes.

    The copy is of one moment, checked, readable by its owner alone, and takes the place of what is there at its end.

    Raises:
        StoreError: The copy cannot be written, or is damaged.
    """
    try:
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    except OSError as error:
        raise StoreError(f"{target} cannot be written: {error.strerror}") from None
    os.close(handle)
    try:
        if db.dialect != "sqlite":
            _fill(Path(name), db)
        with closing(sqlite3.connect(name)) as copy:
            if db.dialect == "sqlite":
                with db.reading() as c:
                    c.connection().backup(copy)
            copy.execute("PRAGMA journal_mode = delete")  # one file, not two
            if bad := _damage(copy):
                raise StoreError(f"The copy is damaged: {bad[0]}")
        Path(name).replace(target)
    except (OSError, sqlite3.Error) as error:
        raise StoreError(f"{target} cannot be written: {error}") from None
    finally:
        for end in ("", "-wal", "-shm"):
            Path(name + end).unlink(missing_ok=True)
    return target.stat().st_size


def check_backup(source: Path) -> int:
    """Return the schema of a file that `backup` made.

    Raises:
        StoreError: It is no such file, it is damaged, or a newer version made it.
    """
    with _readonly(source) as copy:
        try:
            row = copy.execute("SELECT version FROM schema_version").fetchone()
            copy.execute("SELECT epoch FROM clock").fetchone()
            bad = _damage(copy)
        except sqlite3.Error as error:
            raise StoreError(f"{source} is no backup of newapi: {error}") from None
    if bad:
        raise StoreError(f"{source} is damaged: {bad[0]}")
    latest = steps()[-1][0]
    if row is None or row[0] > latest:
        raise StoreError(f"{source} has schema {row and row[0]}, this version knows {latest}: update newapi")
    return int(row[0])


def restore(db: Database, source: Path) -> None:
    """Put a backup into the place of everything that a database holds, in one step.

    Servers that run take it over within a second, as they do any change.

    Raises:
        StoreError: The backup is none, or the database refuses; nothing was changed.
    """
    check_backup(source)
    before = clock.generation(db)
    if db.dialect != "sqlite":
        with tempfile.TemporaryDirectory() as directory, _readonly(source) as backup:
            path = Path(directory) / "backup.db"
            with closing(sqlite3.connect(path)) as own:
                backup.backup(own)
            with closing(open_database(f"sqlite:///{path}")) as filled:  # an older one is brought up to date there
                copying.copy(filled, db, at_least=before + 1)
        return
    with db.reading() as c, _readonly(source) as copy:
        connection: sqlite3.Connection = c.connection()
        try:
            copy.backup(connection)
        except sqlite3.Error as error:
            raise StoreError(f"The database {db.shown} could not be replaced: {error}") from None
    migrate(db)
    with db.writing() as c:
        epoch = int(Clock.select(Clock.epoch).scalar(c))
        # A server reads again when the number has grown: it must not go back.
        Clock.update(epoch=max(before, epoch) + 1).execute(c)


def vacuum(db: Database) -> None:
    """Give the space of what was deleted back to the disk.

    Raises:
        StoreError: The database is in use for too long.
    """
    statement = "OPTIMIZE TABLE records, audit" if db.dialect == "mysql" else "VACUUM"
    with db.reading() as c:
        c.execute_sql(statement)


def _fill(file: Path, db: Database) -> None:
    with closing(open_database(f"sqlite:///{file}")) as empty:
        copying.copy(db, empty)


@contextmanager
def _readonly(path: Path) -> Iterator[sqlite3.Connection]:
    existing(path)
    # Without `mode=ro` a file that is none would be made.
    with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=BUSY_SECONDS)) as copy:
        yield copy


def _damage(connection: sqlite3.Connection) -> list[str]:
    said = [str(row[0]) for row in connection.execute("PRAGMA integrity_check(20)")]
    said = [] if said == ["ok"] else said
    return said + [f"table {row[0]}: a row refers to nothing" for row in connection.execute("PRAGMA foreign_key_check")]
