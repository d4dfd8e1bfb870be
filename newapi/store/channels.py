"""The state of channels, which health and people change; what a channel is, an apply or a command does."""

from __future__ import annotations

from typing import Literal

from newapi.store import clock
from newapi.store.database import Database
from newapi.store.models import Channel

State = Literal["enabled", "disabled", "tripped"]


def set_state(db: Database, id: int, state: State, reason: str = "", *, expect: State | None = None) -> bool:
    """Put a channel into `state` and tell running servers.

    Args:
        db: The database.
        id: The channel.
        state: The state it is to have.
        reason: For people: why.
        expect: The state it must have now: of several processes that find a channel broken, one changes it.

    Returns:
        Whether it was changed.
    """
    query = Channel.update(state=state, state_reason=reason[:1000]).where(Channel.id == id, Channel.state != state)
    if expect is not None:
        query = query.where(Channel.state == expect)
    with db.writing() as c:
        changed = query.execute(c) == 1
        if changed:
            clock.bump(c)
    return changed
