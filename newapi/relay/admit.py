"""Who may ask for what: from the snapshot, in memory."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping

from newapi.base.errors import CallerError
from newapi.relay.snapshot import Snapshot, TokenEntry, UserEntry
from newapi.relay.values import Caller, Terms
from newapi.store.keys import hash_key


def keys_shown(headers: Mapping[str, str], query_key: str) -> list[str]:
    """Return every key that a request shows, wherever a client of any vendor puts it, likeliest first."""
    found: list[str] = []
    authorization = headers.get("authorization", "")
    if authorization:
        found.append(authorization[7:].strip() if authorization[:7].lower() == "bearer " else authorization.strip())
    for name in ("x-api-key", "x-goog-api-key"):
        if value := headers.get(name):
            found.append(value.strip())
    if query_key:
        found.append(query_key)
    for part in headers.get("sec-websocket-protocol", "").split(","):
        if part.strip().startswith("openai-insecure-api-key."):
            found.append(part.strip().removeprefix("openai-insecure-api-key."))
    return [k for k in found if k]


def find_token(snapshot: Snapshot, headers: Mapping[str, str], query_key: str) -> tuple[TokenEntry, int | None]:
    """Return the token that a request shows, and the channel that its key is pinned to (`sk-…-<channel id>`).

    Raises:
        CallerError: 401, no key or none that is known.
    """
    keys = keys_shown(headers, query_key)
    for key in keys:
        token = snapshot.tokens.get(hash_key(key))
        if token is not None:
            return token, None
        bare, _, channel = key.rpartition("-")
        if channel.isdigit() and (token := snapshot.tokens.get(hash_key(bare))) is not None:
            return token, int(channel)
    message = "Invalid token" if keys else "No API key was given: send it as `Authorization: Bearer sk-…`"
    raise CallerError(message, status=401, code="invalid_api_key", type="authentication_error")


def admit(snapshot: Snapshot, headers: Mapping[str, str], query_key: str, peer: str, now: float) -> Caller:
    """Return who asks.

    Args:
        snapshot: What is allowed.
        headers: Names in lower case.
        query_key: `?key=`, or "".
        peer: The caller's address.
        now: Unix seconds.

    Raises:
        CallerError: 401 for a key that is unknown, disabled or expired; 403 for a user, an address, a group or a
            pinned channel that is not allowed.
    """
    token, channel_id = find_token(snapshot, headers, query_key)
    if not token.enabled:
        raise CallerError("This token is disabled", status=401, code="invalid_api_key", type="authentication_error")
    if token.expires_at and token.expires_at <= now:
        raise CallerError("This token has expired", status=401, code="invalid_api_key", type="authentication_error")
    user = snapshot.users.get(token.user_id)
    if user is None or not user.enabled:
        raise CallerError("User has been banned", status=403, code="access_denied", type="permission_error")
    if token.networks and not _allowed(peer, token):
        raise CallerError(
            "Your address is not in this token's list of allowed addresses",
            status=403,
            code="access_denied",
            type="permission_error",
        )
    group = token.group or user.group
    if group not in snapshot.groups and group != "default":
        raise CallerError(
            f"Group {group!r} does not exist any more", status=403, code="access_denied", type="permission_error"
        )
    if channel_id is not None and user.role not in ("admin", "root"):
        raise CallerError(
            "Only an administrator may pin a channel", status=403, code="access_denied", type="permission_error"
        )
    if members := snapshot.members(group):
        listed = tuple(Terms(m, *snapshot.group_ratio(user.group, m)) for m in members if _open_to(snapshot, user, m))
        if not listed:
            raise CallerError(
                f"None of the groups in {group!r} is open to this user",
                status=403,
                code="access_denied",
                type="permission_error",
            )
        terms = listed[0]
        return Caller(token, user, terms.group, terms.ratio, terms.special, channel_id, listed, group)
    ratio, special = snapshot.group_ratio(user.group, group)
    return Caller(token, user, group, ratio, special, channel_id)


def _open_to(snapshot: Snapshot, user: UserEntry, group: str) -> bool:
    """Return whether a user gets to a group by way of a list: as if he chose it."""
    if user.role in ("admin", "root") or group == user.group:
        return True
    spec = snapshot.groups.get(group)
    return spec is not None and spec.selectable


def check_model(caller: Caller, model: str) -> None:
    """Refuse a model that the token's list does not have.

    Raises:
        CallerError: 403, with the model's name.
    """
    models = caller.token.models
    if models is not None and model not in models:
        raise CallerError(
            f"This token has no access to model {model}",
            status=403,
            code="access_denied",
            type="permission_error",
            param="model",
        )


def _allowed(peer: str, token: TokenEntry) -> bool:
    try:
        address = ipaddress.ip_address(peer)
    except ValueError:
        return False
    return any(address in network for network in token.networks)
