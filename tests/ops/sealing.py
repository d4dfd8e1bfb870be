"""A gateway that seals with a real key, and finds what it sealed."""

from __future__ import annotations

from msgspec.structs import replace

from newapi import secrets
from newapi.base.errors import NewapiError
from newapi.base.secret import Secret
from newapi.ops.local import Local
from newapi.ops.vault import Vault
from newapi.store import sealed

MASTER = b"m" * 32


def sealing(local: Local) -> Local:
    """Return `local` with `secret:` references that resolve to what was sealed."""

    def resolve(reference: str) -> Secret:
        if reference.startswith("secret:"):
            cipher = sealed.find(local.db, reference.removeprefix("secret:"))
            if cipher is None:
                raise NewapiError(f"{reference} is not there")
            return Secret(secrets.unseal(MASTER, cipher).decode())
        return local.vault.resolve(reference)

    vault = Vault(resolve, lambda p: secrets.seal(MASTER, p), lambda c: secrets.unseal(MASTER, c))
    return replace(local, vault=vault)
