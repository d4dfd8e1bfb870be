"""Keys of tokens: resolved or made, and turned into what the database may hold."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from newapi.base.errors import NewapiError
from newapi.base.secret import Secret
from newapi.base.units import QUOTA_PER_USD
from newapi.config.schema import TokenSpec
from newapi.store.keys import hash_key, hint, new_key


class Vault:
    """Resolves references, and seals the keys that New API's routes must be able to give back."""

    def __init__(
        self,
        resolve: Callable[[str], Secret],
        seal: Callable[[bytes], bytes] | None = None,
        unseal: Callable[[bytes], bytes] | None = None,
        *,
        keep_keys: bool = True,
    ) -> None:
        """Take what does it: `resolve` raises a NewapiError where it cannot; `keep_keys` keeps the keys of tokens."""
        self.resolve = resolve
        self._seal = seal
        self._unseal = unseal
        self._keep_keys = keep_keys

    def peek(self, reference: str) -> Secret | None:
        """Return what a reference names, None where it does not resolve here: a plan may be made on another machine.

        A command is not run for it.
        """
        if reference.startswith("cmd:"):
            return None
        try:
            return self.resolve(reference)
        except NewapiError:
            return None

    def key_of(self, spec: TokenSpec) -> Secret:
        """Return the key that a token refers to, or a new one where it refers to none.

        Raises:
            NewapiError: The reference does not resolve.
        """
        return self.resolve(spec.key) if spec.key else Secret(new_key())

    def columns(self, key: Secret) -> dict[str, Any]:
        """Return what a token's row holds of its key."""
        text = key.reveal()
        cipher = self._seal(text.encode()) if self._seal and self._keep_keys else None
        return {"key_hash": hash_key(text), "key_hint": hint(text), "key_cipher": cipher}

    def seal(self, secret: Secret) -> bytes:
        """Return a secret sealed with the master key: what `secret:NAME` refers to.

        Raises:
            NewapiError: There is no master key here, or it cannot be read.
        """
        if self._seal is None:
            raise NewapiError("There is no master key here to seal a secret with")
        return self._seal(secret.reveal().encode())

    def open(self, cipher: bytes | None) -> Secret | None:
        """Return the key that was sealed, None where none was kept."""
        return Secret(self._unseal(bytes(cipher)).decode()) if cipher and self._unseal else None


def quota_of(spec: TokenSpec) -> int:
    """Return what a token may spend, in quota; what is not said is none."""
    return int(((spec.quota or Decimal(0)) * QUOTA_PER_USD).to_integral_value(ROUND_HALF_UP))


def expiry(expires: float | datetime | None, now: float) -> float:
    """Return when a token expires, unix seconds, 0 for never.

    Args:
        expires: Seconds from `now`, or a moment (UTC where it names no zone).
        now: Unix seconds.
    """
    if expires is None:
        return 0
    if isinstance(expires, datetime):
        return (expires if expires.tzinfo else expires.replace(tzinfo=UTC)).timestamp()
    return now + expires
