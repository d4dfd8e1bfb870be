"""This machine's gateway: its configuration, its database, and what its references resolve to."""

from __future__ import annotations

from msgspec import Struct

from newapi.config.schema import Config
from newapi.ops.vault import Vault
from newapi.store.database import Database


class Local(Struct, frozen=True):
    """What a command on this machine acts on."""

    db: Database
    config: Config
    vault: Vault
