"""Keys of tokens: how they look, and what of them is stored."""

from __future__ import annotations

import hashlib
import secrets
import string

_ALPHABET = string.ascii_letters + string.digits
_LENGTH = 48
"""Characters after `sk-`: New API's length, so that clients which check it go on working. 285 bits."""


def new_key() -> str:
    """Return a key that nobody can guess: `sk-` and 48 letters and digits."""
    return "sk-" + "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))


def hash_key(key: str) -> str:
    """Return what a token is found by: the SHA-256 of its key without the `sk-`, hexadecimal."""
    return hashlib.sha256(key.removeprefix("sk-").encode()).hexdigest()


def hint(key: str) -> str:
    """Return the last four characters, by which people tell keys apart; nothing of a key that is short."""
    bare = key.removeprefix("sk-")
    return bare[-4:] if len(bare) >= 16 else ""
