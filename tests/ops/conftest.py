from __future__ import annotations

from collections.abc import Iterator

import pytest

from newapi.base.errors import NewapiError
from newapi.base.secret import Secret
from newapi.config.schema import Config
from newapi.ops.local import Local
from newapi.ops.vault import Vault
from newapi.store.database import open_database


class Secrets(dict[str, str]):
    """What references resolve to."""

    def resolve(self, reference: str) -> Secret:
        if reference not in self:
            raise NewapiError(f"{reference} is not set")
        return Secret(self[reference])


@pytest.fixture
def secrets() -> Secrets:
    return Secrets({"env:CI": "sk-" + "c" * 48, "env:OTHER": "sk-" + "o" * 48})


@pytest.fixture
def local(empty_database: str, secrets: Secrets) -> Iterator[Local]:
    """An empty database, references that resolve to `secrets`, and a seal that turns every bit."""
    db = open_database(empty_database)

    def turn(text: bytes) -> bytes:
        return bytes(b ^ 0xFF for b in text)

    vault = Vault(secrets.resolve, turn, turn)
    yield Local(db=db, config=Config(), vault=vault)
    db.close()
