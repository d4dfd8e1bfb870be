"""The log summed up by the hour and by the day: months of it are read in milliseconds.

A line is written without a thought of this. Some time later `catch_up` adds the lines since to their hour and day,
and notes in the same transaction which one was the last. Whoever sums takes the hours and days, and of the log only
what lies outside of whole hours or came after that line: so the sums are always those of the log, also while nobody has
caught up, as after an import, or where an older version writes. Whatever changes or deletes lines says so here, in its
transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

import peewee

from newapi.store.database import Database, insert
from newapi.store.models import Clock, Record, Rollup

LINES = 10_000
"""Lines that are added at once: for so long others wait who write."""
HOUR, DAY = 3600, 86_400
_BATCH = 500
_WHO = ("kind", "user_id", "user_name", "token_id", "token_name", "channel_id", "channel_name", "group", "model")
_SUMS = ("number", "prompt_tokens", "completion_tokens", "quota")
_COLUMNS = ("step", "at", *_WHO, *_SUMS)

_Key: TypeAlias = tuple[Any, ...]
"""Step, beginning, and what the lines say of who and what."""
_Sums: TypeAlias = dict[_Key, list[int]]


def catch_up(db: Database, *, lines: int = LINES) -> int:
    """Add the lines of the log that came since this was done last, `lines` at most; return how many.

    Raises:
        StoreError: The database refuses; nothing was added.
    """
    with db.reading() as c:  # mostly nothing came, and nobody has to wait
        if not _later(c, _summed(c), 1):
            return 0

    def work(c: peewee.Database) -> int:
        ids = _later(c, before := _summed(c), lines)
        if not ids:
            return 0
        _add(c, _of_log(c, [Record.id > before, Record.id <= ids[-1]], 1))
        Clock.update(summed=ids[-1]).execute(c)
        return len(ids)

    return db.write(work)


def forget(c: peewee.Database, ids: Sequence[int]) -> None:
    """Take lines out that are about to be deleted, a thousand at most. Part of the transaction that deletes them."""
    _add(c, _of_log(c, [Record.id.in_(ids), Record.id <= _summed(c)], -1))


def revalue(c: peewee.Database, changes: Iterable[tuple[Any, int]]) -> None:
    """Let lines cost so much more, or less. Part of the transaction that changes them.

    Args:
        c: The connection.
        changes: Lines as they were read (`newapi.store.ledger.StoredRecord`), and the difference in quota.
    """
    summed = _summed(c)
    sums: _Sums = {}
    for record, quota in changes:
        if record.id <= summed:
            _count(sums, record.created_at, [getattr(record, name) for name in _WHO], (0, 0, 0, quota))
    _add(c, sums)


def _summed(c: peewee.Database) -> int:
    return int(Clock.select(Clock.summed).scalar(c))


def _later(c: peewee.Database, id: int, limit: int) -> list[int]:
    query = Record.select(Record.id).where(Record.id > id).order_by(Record.id).limit(limit)
    return [int(id) for (id,) in query.tuples().execute(c)]


def _of_log(c: peewee.Database, where: Sequence[Any], sign: int) -> _Sums:
    who = [getattr(Record, name) for name in _WHO]
    query = Record.select(Record.created_at, Record.prompt_tokens, Record.completion_tokens, Record.quota, *who)
    sums: _Sums = {}
    for at, prompt, completion, quota, *said in query.where(*where).tuples().execute(c):
        _count(sums, at, said, (sign, sign * prompt, sign * completion, sign * quota))
    return sums


def _count(sums: _Sums, at: float, who: Sequence[Any], numbers: Sequence[int]) -> None:
    for step in (HOUR, DAY):
        total = sums.setdefault((step, int(at // step) * step, *who), [0, 0, 0, 0])
        for place, number in enumerate(numbers):
            total[place] += number


def _add(c: peewee.Database, sums: _Sums) -> None:
    """Add sums to those that are there: what was there is written anew, in few statements."""
    old: list[int] = []
    fields = [getattr(Rollup, name) for name in _COLUMNS]
    for step in (HOUR, DAY):
        times = {key[1] for key in sums if key[0] == step}
        query = Rollup.select(Rollup.id, *fields).where(Rollup.step == step, Rollup.at.in_(times))
        for id, *row in query.tuples().execute(c) if times else ():
            total = sums.get(tuple(row[: -len(_SUMS)]))
            if total is not None:
                old.append(id)
                for place, number in enumerate(row[-len(_SUMS) :]):
                    total[place] += number
    new = [(*key, *total) for key, total in sums.items() if total[0]]  # without a line there is nothing to say
    for start in range(0, len(old), _BATCH):
        Rollup.delete().where(Rollup.id.in_(old[start : start + _BATCH])).execute(c)
    for start in range(0, len(new), _BATCH):
        insert(c, "rollups", _COLUMNS, new[start : start + _BATCH])
