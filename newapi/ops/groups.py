"""Groups: declared, and how many channels, users and tokens they have."""

from __future__ import annotations

from collections import Counter

from msgspec import Struct

from newapi.base.errors import NotFound
from newapi.base.nearest import did_you_mean
from newapi.billing.quote import plain
from newapi.config.schema import GroupSpec
from newapi.store import snapshot as stored
from newapi.store.database import Database

_ALWAYS = "default"
"""The group that is there without a word."""


class GroupView(Struct, frozen=True):
    """A group for people and programs.

    Attributes:
        ratio: What its users pay of the price.
        ratio_for: What a user of this group pays on a token of another group, in place of that group's ratio.
        selectable: Whether users may choose it for their tokens.
        requests_per_minute, tokens_per_minute, concurrency: 0 is no limit.
        members: Of a list of groups, those that are tried, in order.
        channels: Those that serve it.
        users, tokens: How many belong to it.
        declared: Whether a configuration or a command made it.
    """

    name: str
    ratio: str
    ratio_for: dict[str, str]
    selectable: bool
    requests_per_minute: int
    tokens_per_minute: int
    concurrency: int
    remark: str
    channels: tuple[str, ...]
    users: int
    tokens: int
    declared: bool
    members: tuple[str, ...] = ()


def list_groups(db: Database) -> list[GroupView]:
    """Return the groups by name; `default` is one of them, declared or not."""
    there = stored.load(db)
    users = Counter(user.group for user in there.users)
    own = {user.id: user.group for user in there.users}
    tokens = Counter(token.group or own.get(token.user_id, "") for token in there.tokens)
    return [
        _view(
            name,
            there.groups.get(name),
            channels=tuple(c.name for c in there.channels if name in c.spec.groups),
            users=users[name],
            tokens=tokens[name],
        )
        for name in sorted({_ALWAYS, *there.groups})
    ]


def get(db: Database, name: str) -> GroupView:
    """Return one group.

    Raises:
        NotFound: There is none of that name.
    """
    groups = {group.name: group for group in list_groups(db)}
    if name not in groups:
        raise NotFound(f"There is no group {name!r}{did_you_mean(name, groups)}")
    return groups[name]


def _view(name: str, spec: GroupSpec | None, *, channels: tuple[str, ...], users: int, tokens: int) -> GroupView:
    said = spec or GroupSpec()
    return GroupView(
        name=name,
        ratio=plain(said.ratio),
        ratio_for={group: plain(ratio) for group, ratio in said.ratio_for.items()},
        selectable=said.selectable,
        requests_per_minute=said.requests_per_minute,
        tokens_per_minute=said.tokens_per_minute,
        concurrency=said.concurrency,
        remark=said.remark,
        channels=channels,
        users=users,
        tokens=tokens,
        declared=spec is not None,
        members=said.members,
    )
