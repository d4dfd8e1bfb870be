"""Who a key is, and what would refuse it: every reason, not only the first."""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Iterator

from msgspec import Struct

from newapi.base.secret import Secret
from newapi.base.units import usd
from newapi.ops.local import Local
from newapi.relay.build import build
from newapi.relay.snapshot import Models
from newapi.store import snapshot as stored
from newapi.store.keys import hash_key
from newapi.store.snapshot import Stored, StoredToken, StoredUser

_ADMINISTRATORS = ("admin", "root")


class Verified(Struct, frozen=True):
    """A key, as the gateway sees it.

    Attributes:
        ok: Whether it is let in.
        reasons: Everything that would refuse it.
        token, user: "" for a key that nobody has.
        group: Whose channels and prices hold.
        ratio: What it pays of the price.
        remaining: Quota that token and owner both have left, None without a limit.
        expires_at: Unix seconds; 0 is never.
        models: Empty for all.
        pinned_channel: The channel that the key is followed by, 0 for none.
    """

    ok: bool
    reasons: tuple[str, ...]
    token: str = ""
    user: str = ""
    group: str = ""
    ratio: str = ""
    remaining: int | None = None
    expires_at: float = 0
    models: tuple[str, ...] = ()
    pinned_channel: int = 0


def verify(local: Local, key: Secret, *, model: str = "", ip: str = "", now: float | None = None) -> Verified:
    """Return who `key` is and what would refuse it.

    Args:
        local: The database.
        key: With or without `sk-`; a channel may be pinned to it (`sk-…-<channel id>`).
        model: Asked for; "" asks for none.
        ip: The caller's address; "" for any that is allowed.
        now: Unix seconds.
    """
    now = time.time() if now is None else now
    there = stored.load(local.db)
    token, pinned = _token(there, key.reveal())
    if token is None:
        return Verified(ok=False, reasons=(_unknown(key.reveal()),))
    user = next((user for user in there.users if user.id == token.user_id), None)
    group = token.group or (user.group if user else "")
    picture = build(there, lambda _: Secret(""), lambda _: None)
    reasons = [
        *_state(token, user, now),
        *_place(there, token, user, group, pinned, ip),
        *_balance(token, user),
    ]
    if model:
        if token.spec.models and model not in Models(token.spec.models):
            reasons.append(f"its list of models does not have {model}")
        if picture.prices.find(model) is None:
            reasons.append(f"model {model} has no price")
        if not picture.route(group, model):
            reasons.append(f"no channel of group {group} serves {model}")
    left = [token.remaining] * (not token.unlimited) + ([user.quota] if user and not user.unlimited else [])
    return Verified(
        ok=not reasons,
        reasons=tuple(reasons),
        token=token.name,
        user=user.name if user else "",
        group=group,
        ratio=str(picture.group_ratio(user.group if user else group, group)[0]),
        remaining=min(left) if left else None,
        expires_at=token.expires_at,
        models=tuple(token.spec.models),
        pinned_channel=pinned,
    )


def _token(there: Stored, key: str) -> tuple[StoredToken | None, int]:
    by_hash = {token.key_hash: token for token in there.tokens}
    if (found := by_hash.get(hash_key(key))) is not None:
        return found, 0
    bare, _, channel = key.rpartition("-")
    found = by_hash.get(hash_key(bare)) if channel.isdecimal() else None
    return found, int(channel) if found is not None else 0


def _unknown(key: str) -> str:
    odd = "" if key.startswith("sk-") else "; it does not begin with sk-"
    return f"no token has this key{odd}: it was deleted or rotated, or it is another gateway's"


def _state(token: StoredToken, user: StoredUser | None, now: float) -> Iterator[str]:
    if token.state != "enabled":
        yield "the token is disabled"
    if token.expires_at and token.expires_at <= now:
        yield "the token has expired"
    if user is None:
        yield "its owner does not exist any more"
    elif user.state != "enabled":
        yield f"its owner {user.name} is disabled"


def _place(
    there: Stored, token: StoredToken, user: StoredUser | None, group: str, pinned: int, ip: str
) -> Iterator[str]:
    if group != "default" and group not in there.groups:
        yield f"group {group} does not exist"
    if pinned and (user is None or user.role not in _ADMINISTRATORS):
        yield "only an administrator may pin a channel"
    if pinned and all(channel.id != pinned for channel in there.channels):
        yield f"there is no channel {pinned}"
    networks = token.spec.allow_ips
    if ip and networks:
        address = ipaddress.ip_address(ip)
        if not any(address in ipaddress.ip_network(network, strict=False) for network in networks):
            yield f"{ip} is not in its list of addresses"


def _balance(token: StoredToken, user: StoredUser | None) -> Iterator[str]:
    if not token.unlimited and token.remaining <= 0:
        yield f"the token has nothing left ({usd(token.remaining)})"
    if user is not None and not user.unlimited and user.quota <= 0:
        yield f"its owner {user.name} has nothing left ({usd(user.quota)})"
