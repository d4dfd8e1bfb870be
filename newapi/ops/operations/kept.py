"""What the database keeps beside: redemption codes, secrets, the log itself."""

from __future__ import annotations

import time
from typing import ClassVar

from msgspec import Struct

from newapi.base.secret import Secret
from newapi.ops import database, redemption, rerate, stored_secrets, users
from newapi.ops.database import Finding, Status
from newapi.ops.local import Local
from newapi.ops.redemption import CodeView, NewCodes
from newapi.ops.rerate import Rerating
from newapi.ops.stored_secrets import Kept
from newapi.store.ledger import RecordFilter


class CreateCodes(Struct, frozen=True):
    """Make redemption codes and answer them."""

    new: NewCodes

    def run(self, local: Local, who: str) -> list[Secret]:
        """Do `ops.redemption.create`."""
        return redemption.create(local, self.new, by=users.root(local.db).id, who=who, now=time.time())


class ListCodes(Struct, frozen=True):
    """List redemption codes, the latest first; with `keyword` those whose name begins so."""

    keyword: str = ""

    def run(self, local: Local, who: str) -> list[CodeView]:
        """Do `ops.redemption.page`."""
        return redemption.page(local, self.keyword)[0]


class DeleteCodes(Struct, frozen=True):
    """Delete codes by their ids, all or none; none given are those that are used, disabled or expired."""

    ids: tuple[int, ...] = ()

    def run(self, local: Local, who: str) -> int:
        """Do `ops.redemption.delete` for each, or `delete_spent`; return how many."""
        if not self.ids:
            return redemption.delete_spent(local.db, who=who, now=time.time())
        with local.db.writing():
            for id in self.ids:
                redemption.delete(local.db, id, who=who, now=time.time())
        return len(self.ids)


class RedeemCode(Struct, frozen=True):
    """Add a code's quota to what a user has left, once; answer it."""

    user: str
    code: Secret

    def run(self, local: Local, who: str) -> int:
        """Do `ops.redemption.redeem`."""
        return redemption.redeem(local.db, users.get(local.db, self.user).id, self.code, now=time.time())


class KeepSecret(Struct, frozen=True):
    """Keep a secret in the database, encrypted; answer the reference to it."""

    name: str
    secret: Secret

    def run(self, local: Local, who: str) -> str:
        """Do `ops.stored_secrets.put`."""
        return stored_secrets.put(local, self.name, self.secret, "database", who=who)


class ListSecrets(Struct, frozen=True):
    """List the secrets of the database, never themselves."""

    def run(self, local: Local, who: str) -> list[Kept]:
        """Do `ops.stored_secrets.names`."""
        return stored_secrets.names(local)


class ForgetSecret(Struct, frozen=True):
    """Forget a secret of the database; `dry_run` says only that it is there."""

    name: str
    dry_run: bool = False

    def run(self, local: Local, who: str) -> str:
        """Do `ops.stored_secrets.delete`; return the reference to it."""
        where = stored_secrets.find(local, self.name, "database")
        if not self.dry_run:
            stored_secrets.delete(local, self.name, where, who=who)
        return f"{stored_secrets.SCHEMES[where]}:{self.name}"


class ShowDatabase(Struct, frozen=True):
    """Say what the database is and holds."""

    def run(self, local: Local, who: str) -> Status:
        """Do `ops.database.status`."""
        return database.status(local.db)


class CheckDatabase(Struct, frozen=True):
    """Look for damage in the database, and for what does not fit together."""

    def run(self, local: Local, who: str) -> list[Finding]:
        """Do `ops.database.check`."""
        return database.check(local.db)


class PruneLog(Struct, frozen=True):
    """Delete the lines of the log from before a moment (unix seconds); `dry_run` counts them."""

    before: float
    vacuum: bool = False
    dry_run: bool = False

    def run(self, local: Local, who: str) -> int:
        """Do `ops.database.prune`, or `older`; return how many."""
        if self.dry_run:
            return database.older(local.db, self.before)
        return database.prune(local.db, self.before, vacuum=self.vacuum, who=who)


class RepriceLog(Struct, frozen=True):
    """Give past requests the prices that are in force; `dry_run` says what that changes."""

    SECONDS: ClassVar[float] = 3600.0
    """There may be millions of them."""
    wanted: RecordFilter
    dry_run: bool = False

    def run(self, local: Local, who: str) -> Rerating:
        """Do `ops.rerate.rerate`."""
        directory = local.path.resolve().parent
        return rerate.rerate(local.db, self.wanted, who=who, directory=directory, dry_run=self.dry_run)


OPERATIONS = (
    *(CreateCodes, ListCodes, DeleteCodes, RedeemCode),
    *(KeepSecret, ListSecrets, ForgetSecret),
    *(ShowDatabase, CheckDatabase, PruneLog, RepriceLog),
)
