"""Redemption codes, made and redeemed once; and what users are given for calling by."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from typing import Literal

from msgspec import Struct

from newapi.base.errors import CallerError, Conflict, NotFound
from newapi.base.secret import Secret
from newapi.base.units import usd
from newapi.ops import users
from newapi.ops.local import Local
from newapi.ops.users import MAX_QUOTA
from newapi.store import audit
from newapi.store import redemption as store
from newapi.store import users as user_store
from newapi.store.database import Connection, Database
from newapi.store.keys import hash_key
from newapi.store.redemption import CheckinRecord, CodeRecord

MAX_CODES = 100
"""Codes that are made at once."""
MAX_NAME = 64

State = Literal["enabled", "disabled", "used"]


class CodeView(Struct, frozen=True):
    """A code for administrators.

    Attributes:
        code: The code itself, or its last characters where only its hash is kept.
        quota: What it adds; 500,000 are one US dollar.
        created_by, used_by: Users' ids; 0 is nobody.
        created_at, expires_at, used_at: Unix seconds; 0 is never.
    """

    id: int
    name: str
    code: str
    quota: int
    state: State
    created_by: int
    created_at: float
    expires_at: float
    used_by: int
    used_at: float


class NewCodes(Struct, frozen=True, kw_only=True):
    """Codes to be made: `count` of them, each of `quota`; `expires_at` is unix seconds, 0 for never."""

    name: str
    count: int = 1
    quota: int
    expires_at: float = 0


class CodeChanges(Struct, frozen=True, kw_only=True):
    """What to change of a code; None leaves it."""

    name: str | None = None
    quota: int | None = None
    expires_at: float | None = None
    enabled: bool | None = None


class Checkins(Struct, frozen=True):
    """How often somebody called by: today, in all, in one month, and what it gave, in quota."""

    today: bool
    total: int
    quota: int
    month: tuple[CheckinRecord, ...]


def create(local: Local, new: NewCodes, *, by: int, who: str, now: float) -> list[Secret]:
    """Make codes and return them.

    Args:
        local: The database, and the vault that seals what is kept of them.
        new: What they are to be.
        by: The id of the user who makes them.
        who: The name.
        now: Unix seconds.

    Raises:
        CallerError: A name, a number, an amount or a time that makes no sense.
    """
    _check(new.name, new.quota, new.expires_at, now)
    if not 1 <= new.count <= MAX_CODES:
        raise CallerError(f"1 to {MAX_CODES} codes are made at once")
    codes = [Secret(secrets.token_hex(16)) for _ in range(new.count)]
    with local.db.writing() as c:
        for code in codes:
            columns = {
                "name": new.name,
                "quota": new.quota,
                "created_by": by,
                "created_at": now,
                "expires_at": new.expires_at,
            }
            store.insert(c, {**columns, **local.vault.columns(code)})
        audit.note(c, audit.Entry(now, who, "redemption.create", new.name, detail={"n": new.count, "quota": new.quota}))
    return codes


def page(local: Local, keyword: str = "", *, limit: int = 0, offset: int = 0) -> tuple[list[CodeView], int]:
    """Return codes, the latest first, and how many there are; with `keyword` those whose name begins so, or its id."""
    with local.db.reading() as c:
        found = store.search(c, keyword, limit=limit, offset=offset)
        return [_view(local, record) for record in found], store.count(c, keyword)


def get(local: Local, id: int) -> CodeView:
    """Return one code.

    Raises:
        NotFound: There is none with that id.
    """
    with local.db.reading() as c:
        return _view(local, _by_id(c, id))


def change(local: Local, id: int, changes: CodeChanges, *, who: str, now: float) -> CodeView:
    """Change a code that is not used yet.

    Raises:
        NotFound: There is none with that id.
        Conflict: It is used.
        CallerError: A value that makes no sense.
    """
    with local.db.writing() as c:
        record = _by_id(c, id)
        if record.state == "used":
            raise Conflict("This code is used already")
        name = record.name if changes.name is None else changes.name
        quota = record.quota if changes.quota is None else changes.quota
        expires_at = record.expires_at if changes.expires_at is None else changes.expires_at
        _check(name, quota, expires_at if changes.expires_at is not None else 0, now)
        columns = {"name": name, "quota": quota, "expires_at": expires_at}
        if changes.enabled is not None:
            columns["state"] = "enabled" if changes.enabled else "disabled"
        store.update(c, id, columns)
        audit.note(c, audit.Entry(now, who, "redemption.set", name, detail=columns))
        return _view(local, _by_id(c, id))


def delete(db: Database, id: int, *, who: str, now: float) -> None:
    """Delete a code.

    Raises:
        NotFound: There is none with that id.
    """
    with db.writing() as c:
        record = _by_id(c, id)
        store.delete(c, id)
        audit.note(c, audit.Entry(now, who, "redemption.delete", record.name))


def delete_spent(db: Database, *, who: str, now: float) -> int:
    """Delete the codes that are used, disabled or expired; return how many."""
    with db.writing() as c:
        number = store.delete_spent(c, now)
        if number:
            audit.note(c, audit.Entry(now, who, "redemption.delete", detail={"n": number}))
        return number


def redeem(db: Database, user_id: int, code: Secret, *, now: float) -> int:
    """Add a code's quota to what a user has left, once; return it.

    Raises:
        CallerError: There is no such code, or it is used, disabled or expired: which of them is not told.
        NotFound: There is no such user.
    """
    user = users.find(db, user_id)
    with db.writing() as c:
        record = store.find(c, key_hash=hash_key(code.reveal().strip()))
        if (
            record is None
            or (record.expires_at and record.expires_at <= now)
            or not store.take(c, record.id, user_id, now)
        ):
            raise CallerError("This code is not valid, or it is used already")
        user_store.add_quota(c, user_id, record.quota)
        audit.note(c, audit.Entry(now, user.name, "redemption.redeem", record.name, detail={"quota": record.quota}))
        text = f"Redeemed code {record.id} for {usd(record.quota)}"
        users.log_line(db, user_id, user.name, "topup", text, now)
        return record.quota


# -- calling by --------------------------------------------------------------------------------


def today(now: float) -> str:
    """Return the day of `now`, UTC: `2026-07-07`."""
    return datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%d")


def checkins(db: Database, user_id: int, month: str, *, now: float) -> Checkins:
    """Return how often a user called by; `month` is `2026-07`."""
    with db.reading() as c:
        found = store.checkins(c, user_id)
    return Checkins(
        today=any(r.day == today(now) for r in found),
        total=len(found),
        quota=sum(r.quota for r in found),
        month=tuple(r for r in found if r.day.startswith(month + "-")),
    )


def check_in(db: Database, user_id: int, least: int, most: int, *, now: float) -> CheckinRecord:
    """Give a user something between `least` and `most` quota for calling by today, and return it.

    Raises:
        CallerError: The user called by today already.
        NotFound: There is no such user.
    """
    user = users.find(db, user_id)
    quota = least + secrets.randbelow(max(most - least, 0) + 1)
    with db.writing() as c:
        if any(r.day == today(now) for r in store.checkins(c, user_id, today(now)[:7])):
            raise CallerError("You have called by today already")
        store.add_checkin(c, user_id, today(now), quota, now)
        user_store.add_quota(c, user_id, quota)
        users.log_line(db, user_id, user.name, "system", f"Called by and was given {usd(quota)}", now)
    return CheckinRecord(today(now), quota)


def _by_id(c: Connection, id: int) -> CodeRecord:
    record = store.find(c, id=id)
    if record is None:
        raise NotFound(f"There is no redemption code {id}")
    return record


def _check(name: str, quota: int, expires_at: float, now: float) -> None:
    if not 1 <= len(name) <= MAX_NAME:
        raise CallerError(f"The name of a redemption code has 1 to {MAX_NAME} characters")
    if not 0 < quota <= MAX_QUOTA:
        raise CallerError(f"The quota of a redemption code is 1 to {MAX_QUOTA}")
    if expires_at and expires_at <= now:
        raise CallerError("A redemption code cannot expire in the past")


def _view(local: Local, record: CodeRecord) -> CodeView:
    code = local.vault.open(record.key_cipher)
    states: dict[str, State] = {"enabled": "enabled", "used": "used"}
    return CodeView(
        id=record.id,
        name=record.name,
        code=code.reveal() if code else f"…{record.key_hint}",
        quota=record.quota,
        state=states.get(record.state, "disabled"),
        created_by=record.created_by,
        created_at=record.created_at,
        expires_at=record.expires_at,
        used_by=record.used_by,
        used_at=record.used_at,
    )
