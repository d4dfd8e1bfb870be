"""The database as a whole: what is in it, whether it is sound, saved and put back, made smaller."""

from __future__ import annotations

import time
from pathlib import Path

from msgspec import Struct

from newapi.base.errors import Conflict, StoreError
from newapi.store import audit, copying, maintenance, migrations
from newapi.store import snapshot as stored
from newapi.store.copying import TableCopy
from newapi.store.database import Database
from newapi.store.ledger import RecordFilter, prune_records
from newapi.store.usage import count_records


class Status(Struct, frozen=True):
    """What a database is and holds.

    Attributes:
        database: Its URL, without a password.
        schema: The last step of the schema it has seen; `schema_known` is the last one that this version knows.
        generation: The last apply.
        bytes: What it takes on the disk.
        oldest_record: The oldest line of the log, unix seconds; 0 for none.
        rows: By table.
    """

    database: str
    dialect: str
    schema: int
    schema_known: int
    generation: int
    bytes: int
    oldest_record: float
    rows: dict[str, int]


class Finding(Struct, frozen=True):
    """One thing that was looked at; `problem` is "" when it is sound."""

    name: str
    ok: bool
    problem: str


class Copied(Struct, frozen=True):
    """A file that holds a whole database."""

    file: str
    bytes: int


def status(db: Database) -> Status:
    """Return what the database is and holds.

    Raises:
        StoreError: It cannot be read.
    """
    return Status(
        database=db.shown,
        dialect=db.dialect,
        schema=migrations.version(db),
        schema_known=migrations.steps()[-1][0],
        generation=stored.load(db).generation,
        bytes=sum(maintenance.sizes(db).values()),
        oldest_record=maintenance.oldest_record(db),
        rows=maintenance.counts(db),
    )


def check(db: Database) -> list[Finding]:
    """Look for damage, for what this version cannot read, and for what belongs to nobody."""
    problems = {
        "files": "; ".join(maintenance.damage(db)),
        "contents": _unreadable(db),
        "owners": ", ".join(f"token {name!r} has no owner" for name in maintenance.ownerless_tokens(db)),
    }
    return [Finding(name, not problem, problem) for name, problem in problems.items()]


def backup(db: Database, target: Path, *, overwrite: bool = False) -> Copied:
    """Copy the database into a file while it is in use.

    Raises:
        Conflict: The file is there, and may not be overwritten.
        StoreError: The file cannot be written.
    """
    if target.exists() and not overwrite:
        raise Conflict(f"{target} is there already")
    if db.file is not None and target.exists() and target.samefile(db.file):
        raise Conflict(f"{target} is the database itself")
    return Copied(str(target), maintenance.backup(db, target))


def restore(db: Database, source: Path, *, who: str, now: float | None = None) -> Copied:
    """Put a backup into the place of the database; return where what it held is saved.

    That is beside SQLite's file, or of a server beside the backup.

    Raises:
        StoreError: `source` is no backup; nothing was changed.
    """
    now = time.time() if now is None else now
    maintenance.check_backup(source)
    if db.file is not None and source.samefile(db.file):
        raise StoreError(f"{source} is the database itself")
    stamp = time.strftime("%Y%m%d-%H%M%S", time.localtime(now))
    beside = db.file or source
    saved = backup(db, beside.with_name(f"{beside.name}.{stamp}.bak"), overwrite=True)
    maintenance.restore(db, source)
    with db.writing() as c:
        audit.note(c, audit.Entry(now, who, "db.restore", str(source)))
    return saved


def copy(db: Database, target: Database, *, who: str, now: float | None = None) -> list[TableCopy]:
    """Make `target`, which is empty, hold what the database holds; return each table that has rows.

    Raises:
        Conflict: `target` holds something, or is the database itself.
        StoreError: One of them failed, or a row is not the same in both: `target` is as it was.
    """
    check_empty(db, target)
    copies = copying.copy(db, target)
    with target.writing() as c:
        detail = {"from": db.shown, "rows": sum(table.rows for table in copies)}
        audit.note(c, audit.Entry(time.time() if now is None else now, who, "db.copy", target.shown, detail=detail))
    return [table for table in copies if table.rows]


def check_empty(db: Database, target: Database) -> None:
    """Say that nothing is lost by a copy to `target`.

    Raises:
        Conflict: It holds something, or is the database itself.
    """
    if db.shown == target.shown:
        raise Conflict(f"{target.shown} is the database itself")
    if not migrations.version(target):
        return
    if there := maintenance.strangers(target):
        holds = ", ".join(f"{number} {table}" for table, number in there.items())
        raise Conflict(f"{target.shown} is not empty: it holds {holds}")


class Migrated(Struct, frozen=True):
    """The schema a database had, and the one it has: the last step of each."""

    database: str
    before: int
    now: int


def migrate(db: Database, *, dry_run: bool = False) -> Migrated:
    """Bring the tables up to date, as every opening does; return what was done, or would be.

    Raises:
        StoreError: The database is newer than this version, is another program's, or refuses.
    """
    before = migrations.version(db)
    if not dry_run:
        migrations.migrate(db)
    return Migrated(db.shown, before, migrations.steps()[-1][0])


def older(db: Database, before: float) -> int:
    """Return how many lines of the log are older than `before`, unix seconds."""
    return count_records(db, RecordFilter(until=before))[0]


def prune(db: Database, before: float, *, vacuum: bool = False, who: str, now: float | None = None) -> int:
    """Delete the lines of the log that are older than `before`, unix seconds; return how many.

    Args:
        db: The database.
        before: Unix seconds.
        vacuum: Give the space back to the disk.
        who: Who does it.
        now: Unix seconds.

    Raises:
        StoreError: The database refuses; what was deleted by then stays deleted.
    """
    number = prune_records(db, before)
    with db.writing() as c:
        detail = {"before": before, "records": number}
        audit.note(c, audit.Entry(time.time() if now is None else now, who, "db.prune", detail=detail))
    if vacuum:
        maintenance.vacuum(db)
    return number


def _unreadable(db: Database) -> str:
    try:
        stored.load(db)
    except StoreError as error:
        return error.message
    return ""
