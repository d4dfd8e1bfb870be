"""Secrets that the gateway keeps: in the operating system's keyring, or encrypted in its database."""

from __future__ import annotations

import re
import time
from typing import Literal

from msgspec import Struct

from newapi import secrets
from newapi.base.errors import CallerError, NotFound
from newapi.base.nearest import did_you_mean
from newapi.base.secret import Secret
from newapi.config.schema import Config
from newapi.ops.local import Local
from newapi.ops.references import references
from newapi.store import audit, sealed

Where = Literal["keyring", "database"]
SCHEMES: dict[Where, str] = {"keyring": "keyring", "database": "secret"}
"""Where a secret is -> what a reference to it begins with."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,120}")


class Kept(Struct, frozen=True):
    """A secret by name, never itself.

    Attributes:
        where: `keyring` or `database`.
        reference: What the configuration says to have it.
        present: False: the configuration refers to it, and it is not there.
        used_by: Keys of the configuration that refer to it.
    """

    name: str
    where: Where
    reference: str
    present: bool
    used_by: tuple[str, ...] = ()


def put(local: Local, name: str, secret: Secret, where: Where, *, who: str) -> str:
    """Keep a secret, in place of one of the same name; return the reference to it.

    Raises:
        CallerError: The name cannot stand in a reference, or there is nothing to keep.
        NoSecret: There is no keyring, or no master key.
    """
    if not _NAME.fullmatch(name):
        raise CallerError(f"{name!r} is no name for a secret: letters, digits, `.`, `_`, `-` and `/`", code="bad_name")
    if not secret.reveal():
        raise CallerError("The secret is empty", code="empty_secret")
    if where == "keyring":
        secrets.keep(name, secret)
    else:
        cipher = local.vault.seal(secret)
        with local.db.writing() as c:
            sealed.put(local.db, name, cipher)
            audit.note(c, audit.Entry(time.time(), who, "secret.set", name))
    return f"{SCHEMES[where]}:{name}"


def names(local: Local, config: Config | None = None) -> list[Kept]:
    """Return the secrets in the database, and those that `config` refers to: a keyring cannot say what it holds.

    Args:
        local: The database.
        config: Whose references are told; None when it cannot be read.
    """
    used: dict[str, list[str]] = {}
    for found in references(config) if config else ():
        used.setdefault(found.reference, []).append(found.where)
    there = {f"secret:{name}": name for name in sealed.names(local.db)}
    told = [Kept(name, "database", ref, True, tuple(used.get(ref, ()))) for ref, name in there.items()]
    for reference, places in used.items():
        scheme, _, name = reference.partition(":")
        if scheme == "secret" and reference not in there:
            told.append(Kept(name, "database", reference, False, tuple(places)))
        elif scheme == "keyring":
            told.append(Kept(name, "keyring", reference, in_keyring(local, name), tuple(places)))
    return sorted(told, key=lambda kept: (kept.name, kept.where))


def in_keyring(local: Local, name: str) -> bool:
    """Say whether the keyring has a secret of that name; False where there is no keyring."""
    return local.vault.peek(f"keyring:{name}") is not None


def find(local: Local, name: str, where: Where | None = None) -> Where:
    """Return where the secret is; the keyring is asked first.

    Raises:
        NotFound: It is not there.
    """
    if where in (None, "keyring") and in_keyring(local, name):
        return "keyring"
    if where in (None, "database") and name in sealed.names(local.db):
        return "database"
    place = "the keyring or the database" if where is None else f"the {where}"
    near = did_you_mean(name, sealed.names(local.db)) if where != "keyring" else ""  # a keyring tells no names
    raise NotFound(f"There is no secret {name!r} in {place}{near}")


def delete(local: Local, name: str, where: Where, *, who: str) -> None:
    """Forget a secret.

    Raises:
        NotFound: It is not there.
        NoSecret: The keyring refuses.
    """
    find(local, name, where)
    if where == "keyring":
        secrets.forget(name)
        return
    with local.db.writing() as c:
        sealed.delete(local.db, name)
        audit.note(c, audit.Entry(time.time(), who, "secret.delete", name))
