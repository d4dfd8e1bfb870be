"""This machine's gateway: its configuration, its database, and what its references resolve to."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from newapi import secrets
from newapi.base.secret import Secret
from newapi.config.findings import Places
from newapi.config.load import STDIN, Loaded, load, load_server
from newapi.config.schema import Config, ServerSpec
from newapi.ops.vault import Vault
from newapi.store import sealed
from newapi.store.database import Database, connect, open_database, sqlite_path

if TYPE_CHECKING:
    from newapi.relay.gateway import Gateway


class Local(Struct, frozen=True):
    """What a command on this machine, and the server, act on.

    Attributes:
        db: The database.
        config: What the file says; commands that need the database alone have only its `[server]`.
        vault: Resolves references, seals the keys of tokens.
        path: The configuration file.
    """

    db: Database
    config: Config
    vault: Vault
    path: Path = Path("config.toml")
    places: Places = msgspec.field(default_factory=Places)
    """Where in the file its keys are, for what turns out to be wrong with them later."""
    serving: Gateway | None = None
    """What serves, where this process does: what it knows of its channels at this moment."""

    def resolve(self, reference: str) -> Secret:
        """Return the secret that `reference` names.

        Raises:
            NewapiError: It cannot be had.
        """
        return self.vault.resolve(reference)


def open_local(path: Path | None = None, *, server_only: bool = False, migrate: bool = True) -> Local:
    """Return the gateway of the configuration file at `path`, or where commands look for it when None.

    Args:
        path: The file.
        server_only: Read `[server]` alone: for what works while the rest of the file is being edited.
        migrate: Bring the database's tables up to date.

    Raises:
        ConfigError: There is no file, or it is not valid.
        StoreError: The database cannot be opened.
    """
    return _local(load_server(path) if server_only else load(path), None, migrate=migrate)


def opened(loaded: Loaded) -> Local:
    """Return the gateway of a configuration that was read. Raises what `open_local` raises."""
    return _local(loaded, None)


def reopened(local: Local) -> Local:
    """Return the same gateway as its file says it now, with the database that is open.

    What was read from standard input cannot be read again: it is as it was.

    Raises:
        ConfigError: The file is not valid.
    """
    return local if local.path == STDIN else _local(load(local.path), local.db)


def _local(loaded: Loaded, db: Database | None, *, migrate: bool = True) -> Local:
    server = loaded.config.server
    directory = loaded.path.resolve().parent
    opened: list[Database] = [] if db is None else [db]

    @cache
    def master() -> bytes:
        return _master_key(server.master_key, directory)

    def stored(name: str) -> Secret | None:
        cipher = sealed.find(opened[0], name) if opened else None
        return Secret(secrets.unseal(master(), cipher).decode()) if cipher is not None else None

    def resolve(reference: str) -> Secret:
        return secrets.resolve(reference, base_dir=directory, allow_cmd=server.allow_cmd_secrets, database=stored)

    if not opened:
        url = server.database if "://" in server.database else resolve(server.database).reveal()
        opened.append((open_database if migrate else connect)(url, relative_to=directory))
    vault = Vault(
        resolve,
        lambda plain: secrets.seal(master(), plain),
        lambda cipher: secrets.unseal(master(), cipher),
        keep_keys=server.keep_token_keys,
    )
    return Local(db=opened[0], config=loaded.config, vault=vault, path=loaded.path, places=loaded.places)


def open_other(local: Local, named: str, *, migrate: bool = True) -> Database:
    """Return another database than the gateway's own.

    Args:
        local: What resolves references.
        named: Its URL, or a reference to it; a relative SQLite path is relative to the working directory.
        migrate: Make its tables, or bring them up to date.

    Raises:
        NewapiError: The reference cannot be resolved.
        StoreError: It cannot be opened.
    """
    url = local.resolve(named).reveal() if secrets.is_reference(named) and "://" not in named else named
    return (open_database if migrate else connect)(url)


def state_directory(local: Local) -> Path:
    """Return where this machine keeps what is not in the database: beside it, or the configuration."""
    return (local.db.file or local.path.resolve()).parent


def admin_socket(server: ServerSpec, path: Path) -> Path | None:
    """Return where the server of the configuration at `path` is administered without a token; None where it is not.

    It is beside the database's file, or the configuration.
    """
    if not server.admin_socket:
        return None
    directory = path.resolve().parent
    file = sqlite_path(server.database, directory) or path.resolve()
    return file.parent / server.admin_socket


def _master_key(reference: str, directory: Path) -> bytes:
    """Return the master key: a file of 32 bytes, made when it is missing, or any other secret, hashed."""
    scheme, _, name = reference.partition(":")
    if scheme == "file":
        return secrets.master_key(directory / Path(name).expanduser())
    return hashlib.sha256(secrets.resolve(reference, base_dir=directory).reveal().encode()).digest()


def master_key(local: Local) -> bytes:
    """Return the master key of this machine's gateway; made when its file is missing.

    Raises:
        NoSecret: It cannot be had.
    """
    return _master_key(local.config.server.master_key, local.path.resolve().parent)
