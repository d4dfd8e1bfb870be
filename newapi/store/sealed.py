"""What `secret:NAME` refers to: sealed text by name. Sealing and opening are done by those who have the master key."""

from __future__ import annotations

from newapi.store import clock
from newapi.store.database import Database
from newapi.store.models import Secret


def find(db: Database, name: str) -> bytes | None:
    """Return what is sealed under `name`, None when there is nothing."""
    with db.reading() as c:
        for (cipher,) in Secret.select(Secret.cipher).where(Secret.name == name).tuples().execute(c):
            return bytes(cipher)
    return None


def names(db: Database) -> list[str]:
    """Return the names there are, sorted."""
    with db.reading() as c:
        return [name for (name,) in Secret.select(Secret.name).order_by(Secret.name).tuples().execute(c)]


def put(db: Database, name: str, cipher: bytes) -> None:
    """Keep `cipher` under `name`, in place of what was there, and tell running servers."""
    with db.writing() as c:
        clock.bump(c)
        Secret.delete().where(Secret.name == name).execute(c)
        Secret.insert(name=name, cipher=cipher).execute(c)


def delete(db: Database, name: str) -> bool:
    """Forget `name` and tell running servers; return whether there was anything."""
    with db.writing() as c:
        clock.bump(c)
        return Secret.delete().where(Secret.name == name).execute(c) == 1
