"""Lines of the log that get another price, and the balances that they were charged to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import peewee
from msgspec import Struct

from newapi.store import audit, clock, rollups
from newapi.store.database import Database
from newapi.store.ledger import StoredRecord, refund_of
from newapi.store.models import Channel, Record, Token, User


class Repriced(Struct, frozen=True):
    """A line of the log as it was read, what it costs now (quota), and the bill that says so (a JSON object)."""

    record: StoredRecord
    quota: int
    bill: str


def refunded(db: Database, request_ids: Sequence[str]) -> set[str]:
    """Return which of the requests were refunded."""
    refunds = {refund_of(id): id for id in request_ids}
    query = Record.select(Record.request_id).where(Record.request_id.in_(list(refunds)))
    with db.reading() as c:
        return {refunds[id] for (id,) in query.tuples().execute(c)}


def reprice(db: Database, changes: Sequence[Repriced], entry: audit.Entry) -> int:
    """Give lines another price, and tokens, users and channels the difference, in one transaction.

    Servers read what everyone has left anew. A line whose price is no longer what it was when it was read is left
    alone.

    Args:
        db: The database.
        changes: The lines; a few hundred at most.
        entry: For the audit, when anything changes.

    Returns:
        How many lines were changed.

    Raises:
        StoreError: Nothing was changed.
    """
    changed: list[tuple[StoredRecord, int]] = []
    tokens: defaultdict[int, int] = defaultdict(int)
    users: defaultdict[int, int] = defaultdict(int)
    channels: defaultdict[int, int] = defaultdict(int)
    with db.writing() as c:
        for change in changes:
            record = change.record
            update = Record.update({Record.quota: change.quota, Record.bill: change.bill})
            same = (Record.id == record.id) & (Record.quota == record.quota) & (Record.bill == record.bill)
            if update.where(same).execute(c):
                difference = change.quota - record.quota
                changed.append((record, difference))
                tokens[record.token_id] += difference
                users[record.user_id] += difference
                channels[record.channel_id] += difference
        # In the order of their ids, as the ledger does, so that nobody locks anybody out.
        for id, quota in sorted(tokens.items()):
            left, used = Token.remaining_quota - quota, Token.used_quota + quota
            Token.update({Token.remaining_quota: left, Token.used_quota: used}).where(Token.id == id).execute(c)
        for id, quota in sorted(users.items()):
            left = peewee.Case(None, [(User.unlimited == True, User.quota)], User.quota - quota)  # noqa: E712
            User.update({User.quota: left, User.used_quota: User.used_quota + quota}).where(User.id == id).execute(c)
        for id, quota in sorted(channels.items()):
            Channel.update({Channel.used_quota: Channel.used_quota + quota}).where(Channel.id == id).execute(c)
        rollups.revalue(c, changed)
        if changed:
            audit.note(c, entry)
            clock.bump(c)
    return len(changed)
