"""Making the database what a configuration says, in one transaction."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from newapi.base.errors import ConfigError, Conflict, NewapiError, Problem
from newapi.base.progress import each, tell
from newapi.base.secret import Secret
from newapi.config.schema import ChannelSpec, Config, TokenSpec
from newapi.ops import plan as planning
from newapi.ops.local import Local
from newapi.ops.plan import Change, Plan
from newapi.ops.vault import Vault, expiry, quota_of
from newapi.store import audit, clock, declared, specs
from newapi.store.database import Connection
from newapi.store.declared import ChannelRow, Declared, TokenRow
from newapi.store.keys import hash_key

FILE = "file"
"""`managed` of what an apply made."""
BY_HAND = "by hand"
"""`state_reason` of a channel that the configuration or a person disabled: health leaves it alone."""


class NewToken(Struct, frozen=True):
    """A token that was made just now: the only time its key is there to be shown."""

    name: str
    key: Secret


class Applied(Struct, frozen=True):
    """What an apply did. `generation` is its number; unchanged when there was nothing to do."""

    generation: int
    changes: tuple[Change, ...]
    adopted: tuple[tuple[str, str], ...]
    new_tokens: tuple[NewToken, ...]


def plan(local: Local, config: Config, *, prune: bool = True, only: Sequence[str] = ()) -> Plan:
    """Return what `apply` would do.

    Raises:
        ConfigError: It cannot be applied to this database.
    """
    keys = _keys(config, local.vault)
    tell("Comparing with the database")
    with local.db.reading() as c:
        there = declared.read(c)
    return planning.compare(config, there, prune=prune, only=only, key_hashes=_hashes(keys), places=local.places)


def apply(
    local: Local,
    config: Config,
    *,
    who: str,
    source: str = "",
    prune: bool = True,
    only: Sequence[str] = (),
    base: int | None = None,
    now: float | None = None,
) -> Applied:
    """Make the database what `config` says.

    Args:
        local: The database, and what resolves references.
        config: The whole configuration.
        who: The user, or the account of the operating system.
        source: Where the configuration comes from: a commit, a ticket.
        prune: Whether what an earlier apply made, and `config` no longer has, is deleted.
        only: `KIND` or `KIND/NAME`; empty for everything.
        base: The generation of the plan that was shown; None applies whatever it is now.
        now: Unix seconds.

    Raises:
        ConfigError: It cannot be applied to this database, or the key of a new token cannot be resolved.
        Conflict: Something was applied since the plan was made.
        StoreError: The database failed; nothing was changed.
    """
    now = time.time() if now is None else now
    keys = _keys(config, local.vault)  # outside of the transaction: a reference may take its time
    tell("Comparing with the database")
    with local.db.writing() as c:
        there = declared.read(c)
        if base is not None and there.generation != base:
            message = f"Generation {there.generation} was applied meanwhile; this plan was made on {base}"
            raise Conflict(message)
        todo = planning.compare(config, there, prune=prune, only=only, key_hashes=_hashes(keys), places=local.places)
        work = _Work(c, config, there, local, keys, now)
        in_order = sorted(todo.changes, key=lambda change: change.action != "delete")  # deletions free names and keys
        for change in each("Applying changes", in_order, len(in_order)):
            work.add(change)
        new_tokens = work.finish()
        for kind, name in todo.adopted:
            declared.update(c, kind, there.of(kind)[name].key, {"managed": FILE})
        number = there.generation
        if todo.changes:
            clock.bump(c)
            number += 1
            diff = msgspec.json.encode(todo.changes).decode()
            document = specs.encode(config)
            declared.add_generation(c, declared.Applied(number, now, who, source, document, diff))
            detail = {"generation": number, "changes": todo.changes}
            audit.note(c, audit.Entry(now, who, "apply", f"generation {number}", source, detail))
    return Applied(number, todo.changes, todo.adopted, tuple(new_tokens))


def _keys(config: Config, vault: Vault) -> dict[str, Secret]:
    """Return the keys that declared tokens refer to, as far as they resolve here."""
    said = {name: spec.key for name, spec in config.tokens.items() if spec.key}
    found = {name: vault.peek(key) for name, key in each("Resolving keys of tokens", said.items(), len(said))}
    return {name: key for name, key in found.items() if key is not None}


def _hashes(keys: Mapping[str, Secret]) -> dict[str, str]:
    return {name: hash_key(key.reveal()) for name, key in keys.items()}


class _Work:
    """The writing of one apply: deletions first, so that what they leave free can be taken; insertions together."""

    def __init__(
        self,
        c: Connection,
        config: Config,
        there: Declared,
        local: Local,
        keys: Mapping[str, Secret],
        now: float,
    ) -> None:
        self._c, self._config, self._there, self._keys, self._now = c, config, there, keys, now
        self._vault, self._places = local.vault, local.places
        self._owners = {row.key_hash: name for name, row in there.tokens.items()}
        self._new: dict[str, list[Mapping[str, Any]]] = {}
        self._gone: dict[str, list[int | str]] = {}
        self._updates: list[tuple[str, int | str, Mapping[str, Any]]] = []
        self._new_tokens: list[NewToken] = []
        self._problems: list[Problem] = []

    def add(self, change: Change) -> None:
        kind, name = change.kind, change.name
        if not name:
            declared.put_section(self._c, kind, specs.encode(getattr(self._config, kind)))
            return
        rows = self._there.of(kind)
        if change.action == "delete":
            self._gone.setdefault(kind, []).append(rows[name].key)
            return
        spec = getattr(self._config, kind)[name]
        if change.action == "create":
            self._new.setdefault(kind, []).append(self._columns(kind, name, spec))
        else:
            row = rows[change.moved_from or name]
            self._updates.append((kind, row.key, self._changed(kind, name, spec, row, change)))

    def finish(self) -> list[NewToken]:
        if self._problems:
            raise ConfigError(self._problems)
        for kind, keys in self._gone.items():
            declared.delete(self._c, kind, keys)
        for kind, key, columns in each("Writing what changes", self._updates, len(self._updates)):
            declared.update(self._c, kind, key, columns)
        for kind, rows in self._new.items():
            tell(f"Writing new {kind}")
            declared.insert(self._c, kind, rows)
        return self._new_tokens

    def _columns(self, kind: str, name: str, spec: Any) -> dict[str, Any]:
        columns: dict[str, Any] = {"name": name, "spec": specs.encode(spec), "managed": FILE}
        if kind == "channels":
            columns |= {"created_at": self._now, "updated_at": self._now} | _state(spec)
        elif kind == "tokens":
            key = self._key(name, spec)
            if not spec.key:
                self._new_tokens.append(NewToken(name, key))
            columns |= token_columns(spec, self._there.users[spec.user], self._vault, key, self._now)
        return columns

    def _changed(self, kind: str, name: str, spec: Any, row: Any, change: Change) -> dict[str, Any]:
        columns: dict[str, Any] = {"spec": specs.encode(spec), "managed": FILE}
        if change.moved_from:
            columns["name"] = name
        fields = {field.key.partition(".")[0] for field in change.fields}
        if kind == "channels":
            columns |= {"updated_at": self._now} | _state_after(spec, row, fields)
        elif kind == "tokens":
            columns |= self._token_changes(name, spec, row, fields)
        return columns

    def _key(self, name: str, spec: TokenSpec) -> Secret:
        """Return the key a token is to have; take note when it cannot have it."""
        try:
            key = self._keys.get(name) or self._vault.key_of(spec)
        except NewapiError as error:
            message = f"the key of token `{name}` cannot be had: {error.message}"
            self._problems.append(self._places.problem(("tokens", name, "key"), message, getattr(error, "hint", "")))
            return Secret("")
        owner = self._owners.setdefault(hash_key(key.reveal()), name)
        gone = self._there.tokens[owner].key in self._gone.get("tokens", ()) if owner in self._there.tokens else False
        if owner != name and not gone:
            message = f"token `{name}` refers to the key that token `{owner}` has"
            self._problems.append(self._places.problem(("tokens", name, "key"), message, "a key belongs to one token"))
        return key

    def _token_changes(self, name: str, spec: TokenSpec, row: TokenRow, fields: set[str]) -> dict[str, Any]:
        columns: dict[str, Any] = {}
        if "key" in fields and spec.key:
            columns |= self._vault.columns(self._key(name, spec))
        if "user" in fields:
            columns["user_id"] = self._there.users[spec.user]
        if "group" in fields:
            columns["group"] = spec.group
        if "expires" in fields:
            columns["expires_at"] = expiry(spec.expires, self._now)
        if "enabled" in fields:
            columns["state"] = "enabled" if spec.enabled else "disabled"
        if fields & {"quota", "unlimited"}:
            before = specs.decode(row.spec, TokenSpec, f"token {name!r}")
            # What was spent stays spent: more (or less) quota in the file is more (or less) of what is left.
            columns["remaining_quota"] = quota_of(spec) - (quota_of(before) - row.remaining)
            columns["unlimited"] = spec.unlimited
        return columns


def token_columns(spec: TokenSpec, user_id: int, vault: Vault, key: Secret, now: float) -> dict[str, Any]:
    """Return the columns of a new token but for its name, its spec and whose it is."""
    return {
        "user_id": user_id,
        "group": spec.group,
        "remaining_quota": quota_of(spec),
        "unlimited": spec.unlimited,
        "expires_at": expiry(spec.expires, now),
        "state": "enabled" if spec.enabled else "disabled",
        "created_at": now,
        **vault.columns(key),
    }


def _state(spec: ChannelSpec) -> dict[str, Any]:
    state = ("enabled", "") if spec.enabled else ("disabled", BY_HAND)
    return {"state": state[0], "state_reason": state[1], "disabled_until": 0}


def _state_after(spec: ChannelSpec, row: ChannelRow, fields: set[str]) -> dict[str, Any]:
    """Return the state of a channel that changes: its own, unless the file turns it, or takes away what tripped it."""
    if "enabled" in fields:
        return _state(spec)
    cured = fields & {"key", "keys", "base_url", "type"}
    if cured and spec.enabled and row.state != "enabled" and row.state_reason != BY_HAND:
        return _state(spec)
    return {}
