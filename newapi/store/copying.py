"""All rows of one database in another, of whatever kind each is: as of one moment, and compared row by row."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import peewee
from msgspec import Struct

from newapi.base.errors import StoreError
from newapi.base.progress import tell
from newapi.store.database import Connection, Database
from newapi.store.models import TABLES, Clock

_BATCH = 500
_PARAMETERS = 30_000
"""So many values a statement may have, in every database."""


class TableCopy(Struct, frozen=True):
    """What of a table was copied, and found to be the same afterwards.

    Attributes:
        rows: How many.
        sums: Of its numbers of quota, by column.
    """

    table: str
    rows: int
    sums: dict[str, int]


def copy(source: Database, target: Database, *, at_least: int = 0) -> list[TableCopy]:
    """Make `target` hold what `source` holds, and nothing else, in one transaction.

    Args:
        source: It is read as of one moment, and goes on being used.
        target: What it holds is deleted.
        at_least: The epoch it is to have at least, so that running servers see a change.

    Returns:
        Each table with its rows.

    Raises:
        StoreError: A database failed, or a row is not the same afterwards; `target` is as it was.
    """
    with source.snapshot(), target.writing() as new:
        for model in TABLES:
            model.delete().execute(new)
        copies = [_copy_table(source, new, model) for model in TABLES]
        if at_least:
            Clock.update(epoch=at_least).where(Clock.epoch < at_least).execute(new)
        with source.reading() as old:
            numbers = {table: last_id(old, table, source.dialect) for table in _counting()}
    with target.reading() as new:  # after it: in MySQL this would end the transaction
        for table, number in numbers.items():
            set_last_id(new, table, number, target.dialect)
    return copies


def _copy_table(source: Database, new: Connection, model: Any) -> TableCopy:
    fields, keys = _fields(model), _keys(model)
    left, right = new.quote
    columns = ", ".join(f"{left}{field.column_name}{right}" for field in fields)
    one = "(" + ", ".join([new.param] * len(fields)) + ")"
    insert = f"INSERT INTO {left}{_name(model)}{right} ({columns}) VALUES "  # noqa: S608
    quotas = [i for i, field in enumerate(fields) if "quota" in field.name]
    positions, rows, sums = _positions(model), 0, dict.fromkeys(quotas, 0)
    with source.reading() as c:
        total = int(model.select(peewee.fn.COUNT(peewee.SQL("*"))).scalar(c))
    for batch in _batches(source, model):
        tell(f"Copying {_name(model)}", rows, total)
        new.execute_sql(insert + ", ".join([one] * len(batch)), [value for row in batch for value in row])
        wanted = keys[0].in_({row[positions[0]] for row in batch})
        found = [_plain(fields, row) for row in model.select(*fields).where(wanted).tuples().execute(new)]
        there = {tuple(row[i] for i in positions): row for row in found}
        for row in batch:
            key = tuple(row[i] for i in positions)
            if there.get(key) != row:
                raise StoreError(f"Row {key} of {_name(model)} is not the same in the other database")
            for i in quotas:
                sums[i] += row[i]
        rows += len(batch)
    if (counted := int(model.select(peewee.fn.COUNT(peewee.SQL("*"))).scalar(new))) != rows:
        raise StoreError(f"{_name(model)} has {rows} rows, and {counted} in the other database")
    return TableCopy(_name(model), rows, {fields[i].name: total for i, total in sums.items()})


def _batches(source: Database, model: Any) -> Iterator[list[tuple[Any, ...]]]:
    """Yield the rows of a table in the order of its key, some at a time."""
    fields, keys = _fields(model), _keys(model)
    size = min(_BATCH, _PARAMETERS // len(fields))
    query = model.select(*fields).order_by(*keys).limit(size)
    after = query
    while True:
        with source.reading() as c:
            batch = [_plain(fields, row) for row in after.tuples().execute(c)]
        if not batch:
            return
        yield batch
        last = [batch[-1][i] for i in _positions(model)]
        later: Any = keys[-1] > last[-1]
        for key, value in list(zip(keys, last, strict=True))[-2::-1]:
            later = (key > value) | ((key == value) & later)
        after = query.where(later)


def _plain(fields: Sequence[Any], row: Sequence[Any]) -> tuple[Any, ...]:
    """Return a row as every database understands it, and as rows of different ones compare."""

    def plain(field: Any, value: Any) -> Any:
        if value is None:
            return None
        if isinstance(field, peewee.BooleanField):
            return bool(value)
        if isinstance(field, peewee.BlobField):
            return bytes(value)
        if isinstance(field, peewee.DoubleField):
            return float(value)
        # SQLite keeps what it is given: a number that is a text there is refused by others.
        return int(value) if isinstance(field, peewee.IntegerField) else str(value)

    return tuple(plain(field, value) for field, value in zip(fields, row, strict=True))


def last_id(c: Connection, table: str, dialect: str) -> int:
    """Return the last number a table has given to a row, deleted or not: records refer to those by it."""
    if dialect == "sqlite":
        row = c.execute_sql("SELECT seq FROM sqlite_sequence WHERE name = ?", (table,)).fetchone()
    elif dialect == "postgresql":
        row = c.execute_sql(f"SELECT last_value FROM {table}_id_seq WHERE is_called").fetchone()  # noqa: S608
    else:
        # information_schema may remember what it was a day ago.
        found = re.search(r"AUTO_INCREMENT=(\d+)", str(c.execute_sql(f"SHOW CREATE TABLE {table}").fetchone()[1]))
        return int(found[1]) - 1 if found else 0
    return int(row[0]) if row else 0


def set_last_id(c: Connection, table: str, number: int, dialect: str) -> None:
    """Make a table give its next row a greater number than that; MySQL ends a transaction for it."""
    if number == 0 and dialect != "mysql":
        return
    if dialect == "sqlite":
        c.execute_sql("DELETE FROM sqlite_sequence WHERE name = ?", (table,))
        c.execute_sql("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", (table, number))
    elif dialect == "postgresql":
        c.execute_sql(f"SELECT setval('{table}_id_seq', %s)", (number,))
    else:
        c.execute_sql(f"ALTER TABLE {table} AUTO_INCREMENT = {number + 1}")


def _fields(model: Any) -> list[Any]:
    return model._meta.sorted_fields  # noqa: SLF001  (peewee's own way)


def _keys(model: Any) -> list[Any]:
    key = model._meta.primary_key  # noqa: SLF001
    return [getattr(model, name) for name in key.field_names] if isinstance(key, peewee.CompositeKey) else [key]


def _positions(model: Any) -> list[int]:
    names = [field.name for field in _fields(model)]  # fields themselves are never unequal
    return [names.index(key.name) for key in _keys(model)]


def _counting() -> list[str]:
    return [_name(model) for model in TABLES if isinstance(model._meta.primary_key, peewee.AutoField)]  # type: ignore[attr-defined]  # noqa: SLF001


def _name(model: Any) -> str:
    return model._meta.table_name  # noqa: SLF001
