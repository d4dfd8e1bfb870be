"""Channels one by one: listed, made, changed, switched, deleted; their tags and their keys.

A key that is given here (not a reference to one) is sealed with the master key and kept as `secret:channel/…`, and so
is a proxy with a password: nothing plain is in the database, and no answer shows a key.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Literal

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from newapi.base.errors import CallerError, Conflict, NotFound
from newapi.base.nearest import did_you_mean
from newapi.base.secret import Secret
from newapi.config.schema import ChannelSpec
from newapi.ops.apply import BY_HAND
from newapi.ops.legacy import NAME_LIMIT, Told
from newapi.ops.local import Local
from newapi.store import audit, channels, rests, sealed, specs
from newapi.store.channels import ChannelRecord, State
from newapi.store.database import Connection, Database

SEALED = "secret:channel/"
"""What references to keys that were given here begin with."""


class KeyState(Struct, frozen=True, omit_defaults=True):
    """Why a key of a channel is not used: a person disabled it, or health tripped it. `at` is unix seconds."""

    state: Literal["disabled", "tripped"] = "disabled"
    reason: str = ""
    at: float = 0


class ChannelView(Struct, frozen=True):
    """A channel for people and programs; nothing secret.

    Attributes:
        state_reason: Why it is not enabled, or "".
        used: Quota; 500,000 are one US dollar.
        managed: "file" when the configuration declares it, "" when a command or the API made it.
        created_at, updated_at, tested_at, balance_at: Unix seconds; 0 is never.
        response_ms: How long the last test took, milliseconds.
        balance: USD, as the upstream said it last.
        key_states: Position of each key that is not used.
        legacy: Fields of New API's that mean nothing here.
        disabled_until: When it comes back by itself, unix seconds; 0 where it does not.
    """

    id: int
    name: str
    spec: ChannelSpec
    state: State
    state_reason: str
    used: int
    managed: str
    created_at: float
    updated_at: float
    tested_at: float
    response_ms: int
    balance: float
    balance_at: float
    key_states: Mapping[int, KeyState]
    legacy: Mapping[str, Any]
    disabled_until: float = 0

    @property
    def references(self) -> tuple[str, ...]:
        """The references to its keys, in order."""
        return references(self.spec)


class Draft(Struct, frozen=True):
    """A channel to be made.

    Attributes:
        told: What it is; its spec may refer to keys.
        keys: Keys themselves, where it refers to none.
        several: Whether they are used in turn (or by chance), even if there is only one.
        keyless: Whether it may have none.
        id: Its number, which no channel ever had; 0 for the next.
    """

    name: str
    told: Told
    keys: Sequence[Secret] = ()
    several: bool = False
    keyless: bool = False
    id: int = 0


def references(spec: ChannelSpec) -> tuple[str, ...]:
    """Return the references to a channel's keys, in order."""
    return spec.keys or ((spec.key,) if spec.key else ())


# -- reading ---------------------------------------------------------------------------------


def list_channels(db: Database) -> list[ChannelView]:
    """Return all channels, in the order they were made."""
    with db.reading() as c:
        return [_view(record) for record in channels.select(c)]


def find(db: Database, id: int) -> ChannelView:
    """Return one channel.

    Raises:
        NotFound: There is none of that id.
    """
    with db.reading() as c:
        return _find(c, id)


def get(db: Database, name: str) -> ChannelView:
    """Return the channel called `name`, or, where none is, the one with that id.

    Raises:
        NotFound: There is none.
    """
    with db.reading() as c:
        found = channels.select(c, name=name)
        if not found and name.isdecimal() and len(name) < 19:
            found = channels.select(c, ids=[int(name)])
        if not found:
            raise NotFound(f"There is no channel {name!r}{did_you_mean(name, channels.names(c))}")
    return _view(found[0])


def with_tag(db: Database, tag: str) -> list[ChannelView]:
    """Return the channels that have a tag.

    Raises:
        CallerError: The tag is empty.
    """
    if not tag:
        raise CallerError("The tag is empty", param="tag")
    return [channel for channel in list_channels(db) if channel.spec.tag == tag]


def keys_of(local: Local, channel: ChannelView) -> list[Secret]:
    """Return the keys themselves: for the one who is allowed to see them, and for calls to the upstream.

    Raises:
        NewapiError: A reference does not resolve.
    """
    return [local.resolve(reference) for reference in channel.references]


# -- making, changing, deleting --------------------------------------------------------------


def create(local: Local, drafts: Sequence[Draft], *, who: str, now: float | None = None) -> list[ChannelView]:
    """Make channels, all or none. One whose name is taken gets a number: names are unique here, not in New API.

    Raises:
        CallerError: A name is empty or too long, or there is no key.
    """
    now = time.time() if now is None else now
    ids: list[int] = []
    with local.db.writing() as c:
        taken = set(channels.names(c))
        for draft in drafts:
            name = _free(_named(draft.name), taken)
            taken.add(name)
            spec = draft.told.spec
            if not references(spec):
                keys = [_seal(local, key) for key in draft.keys if key.reveal().strip()]
                if keys:
                    spec = _keyed(spec, keys, several=draft.several)
                elif not draft.keyless:
                    raise CallerError("A channel needs a key", param="key")
            spec = _discreet(local, spec)
            columns = {
                "name": name,
                "spec": specs.encode(spec),
                "state": "enabled" if spec.enabled else "disabled",
                "state_reason": "" if spec.enabled else BY_HAND,
                "created_at": now,
                "updated_at": now,
                "legacy": _json(draft.told.kept),
                **({"id": draft.id} if draft.id else {}),
            }
            ids.append(channels.insert(c, columns))
            audit.note(c, audit.Entry(now, who, "channel.create", name))
        return [_find(c, id) for id in ids]


def edit(
    local: Local,
    id: int,
    change: Callable[[ChannelView], Told],
    *,
    who: str,
    name: str | None = None,
    keys: Sequence[Secret] = (),
    append: bool = False,
    now: float | None = None,
) -> ChannelView:
    """Change a channel.

    Args:
        local: The database and the vault.
        id: The channel.
        change: Given what it is, returns what it is to be.
        who: The user.
        name: Its new name.
        keys: New keys; none leaves those it has.
        append: Whether they come after those it has, none twice, instead of in their place.
        now: Unix seconds.

    Raises:
        NotFound: There is no such channel.
        Conflict: Another channel has that name.
        CallerError: The change makes no sense.
    """
    now = time.time() if now is None else now
    with local.db.writing() as c:
        before = _find(c, id)
        told = change(before)
        spec, states = told.spec, dict(before.key_states)
        if keys:
            spec, states = _rekeyed(local, before, spec, keys, append=append)
        spec = _discreet(local, spec)
        columns: dict[str, Any] = {"spec": specs.encode(spec), "legacy": _json(told.kept), "updated_at": now}
        if name is not None and name != before.name:
            if _named(name) in channels.names(c):
                raise Conflict(f"There is a channel {name!r} already")
            columns["name"] = name
        columns["key_states"] = _json({str(k): v for k, v in states.items() if k < len(references(spec))})
        cured = keys or (spec.base_url, spec.type) != (before.spec.base_url, before.spec.type)
        if cured and before.state == "tripped":
            columns |= {"state": "enabled", "state_reason": ""}
        channels.update(c, id, columns)
        _forget(c, _held(before.spec) - _held(spec))
        audit.note(c, audit.Entry(now, who, "channel.update", before.name))
        return _find(c, id)


def switch(
    db: Database,
    ids: Collection[int],
    state: State,
    *,
    who: str,
    reason: str = "",
    until: float = 0,
    now: float | None = None,
) -> int:
    """Enable or disable channels, for good or until a moment (unix seconds); return how many changed.

    What health holds against one that is enabled, and against its keys, is forgotten. The file goes on saying
    whether a declared channel is enabled; one that it disables is enabled until the next apply.
    """
    now = time.time() if now is None else now
    changed = 0
    with db.writing() as c:
        for record in channels.select(c, ids=ids):
            view = _view(record)
            enabled = state == "enabled"
            left = dict(view.key_states)
            if enabled:
                rests.reset(c, view.id, now)
                left = {position: key for position, key in left.items() if key.state != "tripped"}
            is_so = view.state == state and (view.spec.enabled or not enabled) and len(left) == len(view.key_states)
            if is_so and view.disabled_until == until:
                continue
            columns: dict[str, Any] = {
                "state": state,
                "key_states": _json({str(k): v for k, v in left.items()}),
                "state_reason": "" if enabled else reason or BY_HAND,
                "disabled_until": 0 if enabled else until,
            }
            columns["updated_at"] = now
            if view.spec.enabled != enabled and (enabled or not view.managed):
                columns["spec"] = specs.encode(replace(view.spec, enabled=enabled))
            channels.update(c, view.id, columns)
            audit.note(c, audit.Entry(now, who, f"channel.{'enable' if enabled else 'disable'}", view.name))
            changed += 1
    return changed


def bring_back(db: Database, *, now: float | None = None) -> int:
    """Enable the channels that were disabled for a while, which is over; return how many."""
    due = channels.due(db, time.time() if now is None else now)
    return switch(db, due, "enabled", who="newapi", now=now) if due else 0


def delete(db: Database, ids: Collection[int], *, who: str, now: float | None = None) -> int:
    """Delete channels and the keys that were kept for them; return how many there were. Their records stay."""
    now = time.time() if now is None else now
    with db.writing() as c:
        gone = [_view(record) for record in channels.select(c, ids=ids)]
        channels.delete(c, [view.id for view in gone])
        _forget(c, {reference for view in gone for reference in _held(view.spec)})
        for view in gone:
            audit.note(c, audit.Entry(now, who, "channel.delete", view.name))
    return len(gone)


def copy(local: Local, id: int, *, suffix: str, keep_counters: bool, who: str, now: float | None = None) -> ChannelView:
    """Make a channel like another one, its keys included.

    Args:
        local: The database.
        id: The other one.
        suffix: Of the new one's name.
        keep_counters: Whether its balance and what it used come along.
        who: The user.
        now: Unix seconds.

    Raises:
        NotFound: There is no such channel.
    """
    now = time.time() if now is None else now
    with local.db.writing() as c:
        view = _find(c, id)
        columns: dict[str, Any] = {
            "name": _free(_named((view.name + suffix)[:NAME_LIMIT]), channels.names(c)),
            "spec": specs.encode(view.spec),  # references may be shared: they are kept as long as one channel has them
            "state": view.state,
            "state_reason": view.state_reason,
            "created_at": now,
            "updated_at": now,
            "key_states": _json({str(k): v for k, v in view.key_states.items()}),
            "legacy": _json(view.legacy),
        }
        if keep_counters:
            columns |= {"used_quota": view.used, "balance": view.balance, "balance_at": view.balance_at}
        made = channels.insert(c, columns)
        audit.note(c, audit.Entry(now, who, "channel.create", columns["name"], detail={"copy_of": view.name}))
        return _find(c, made)


def found_out(db: Database, id: int, **columns: float) -> None:
    """Write down what a test or a question for the balance found out."""
    channels.note(db, id, columns)


# -- keys ------------------------------------------------------------------------------------


def switch_keys(
    db: Database,
    id: int,
    positions: Iterable[int] | None,
    *,
    enabled: bool,
    who: str,
    state: Literal["disabled", "tripped"] = "disabled",
    reason: str = "",
    now: float | None = None,
) -> ChannelView:
    """Enable or disable keys of a channel: those at `positions`, or all.

    Raises:
        NotFound: There is no such channel, or no such key.
    """
    now = time.time() if now is None else now
    with db.writing() as c:
        view = _find(c, id)
        chosen = range(len(view.references)) if positions is None else _positions(view, positions)
        states = dict(view.key_states)
        for position in chosen:
            if enabled:
                states.pop(position, None)
            else:
                states[position] = KeyState(state, reason or BY_HAND, now)
        channels.update(c, id, {"key_states": _json({str(k): v for k, v in sorted(states.items())})})
        if enabled:
            rests.reset(c, id, now)
        action = f"channel.key.{'enable' if enabled else 'disable'}"
        audit.note(c, audit.Entry(now, who, action, view.name, detail=list(chosen)))
        return _find(c, id)


def delete_keys(db: Database, id: int, positions: Iterable[int], *, who: str, now: float | None = None) -> int:
    """Take keys out of a channel; return how many. One has to be left.

    Raises:
        NotFound: There is no such channel, or no such key.
        CallerError: None would be left.
    """
    now = time.time() if now is None else now
    with db.writing() as c:
        view = _find(c, id)
        gone = set(_positions(view, positions))
        left = [i for i in range(len(view.references)) if i not in gone]
        if not left:
            raise CallerError("A channel needs a key: the last one cannot be deleted")
        spec = _keyed(view.spec, [view.references[i] for i in left], several=bool(view.spec.keys))
        states = {str(new): view.key_states[old] for new, old in enumerate(left) if old in view.key_states}
        channels.update(c, id, {"spec": specs.encode(spec), "key_states": _json(states), "updated_at": now})
        _forget(c, {view.references[i] for i in gone} - set(references(spec)))
        audit.note(c, audit.Entry(now, who, "channel.key.delete", view.name, detail=sorted(gone)))
    return len(gone)


def _positions(view: ChannelView, positions: Iterable[int]) -> list[int]:
    chosen = list(positions)
    wrong = next((p for p in chosen if not 0 <= p < len(view.references)), None)
    if wrong is not None:
        raise NotFound(f"Channel {view.name!r} has no key {wrong}: it has {len(view.references)}, the first is 0")
    return chosen


# -- pieces ----------------------------------------------------------------------------------


def _find(c: Connection, id: int) -> ChannelView:
    found = channels.select(c, ids=[id])
    if not found:
        raise NotFound(f"There is no channel {id}")
    return _view(found[0])


def _view(record: ChannelRecord) -> ChannelView:
    what = f"channel {record.name!r}"
    states = specs.decode(record.key_states, dict[int, KeyState], what) if record.key_states else {}
    return ChannelView(
        id=record.id,
        name=record.name,
        spec=specs.decode(record.spec, ChannelSpec, what),
        state=record.state,
        state_reason=record.state_reason,
        used=record.used,
        managed=record.managed,
        created_at=record.created_at,
        updated_at=record.updated_at,
        tested_at=record.tested_at,
        response_ms=record.response_ms,
        balance=record.balance,
        balance_at=record.balance_at,
        key_states=states,
        legacy=specs.decode(record.legacy, dict[str, Any], what) if record.legacy else {},
        disabled_until=record.disabled_until,
    )


def _named(name: str) -> str:
    if not name.strip() or len(name) > NAME_LIMIT:
        raise CallerError(f"The name of a channel has 1 to {NAME_LIMIT} characters", param="name")
    return name


def _free(name: str, taken: Collection[str]) -> str:
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name[: NAME_LIMIT - 8]}-{number}"
    return free


def _seal(local: Local, key: Secret) -> str:
    """Keep a key, sealed; return the reference to it."""
    reference = SEALED + secrets.token_hex(8)
    sealed.put(local.db, reference.removeprefix("secret:"), local.vault.seal(Secret(key.reveal().strip())))
    return reference


def _discreet(local: Local, spec: ChannelSpec) -> ChannelSpec:
    """Return a spec with a reference to its proxy, where that is a URL that says who one is there."""
    named = "://" in spec.proxy and "@" in spec.proxy.partition("://")[2].partition("/")[0]
    return replace(spec, proxy=_seal(local, Secret(spec.proxy))) if named else spec


def _held(spec: ChannelSpec) -> set[str]:
    """Return every reference of a channel."""
    return {*references(spec), spec.proxy}


def _keyed(spec: ChannelSpec, keys: Sequence[str], *, several: bool) -> ChannelSpec:
    if several or len(keys) > 1:
        return replace(spec, key="", keys=tuple(keys))
    return replace(spec, key=keys[0], keys=())


def _rekeyed(
    local: Local, before: ChannelView, spec: ChannelSpec, keys: Sequence[Secret], *, append: bool
) -> tuple[ChannelSpec, dict[int, KeyState]]:
    """Return the spec with new keys, and the states of its keys: those of keys that are gone do not stay behind."""
    if not append:
        return _keyed(spec, [_seal(local, key) for key in keys], several=bool(before.spec.keys)), {}
    there = {secret for reference in before.references if (secret := local.vault.peek(reference))}
    fresh = [key for key in dict.fromkeys(keys) if key not in there]
    return _keyed(spec, [*before.references, *(_seal(local, key) for key in fresh)], several=True), dict(
        before.key_states
    )


def _forget(c: Connection, gone: Iterable[str]) -> None:
    channels.forget_secrets(c, [r.removeprefix("secret:") for r in gone if r.startswith(SEALED)])


def _json(value: Mapping[str, Any]) -> str | None:
    return msgspec.json.encode(value).decode() if value else None
