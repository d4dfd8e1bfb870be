"""Signing in: passwords as hashes, sessions as sealed cookies, and a limit on guessing."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import threading
from collections import deque

import bcrypt
import msgspec
from msgspec import Struct

from newapi import secrets
from newapi.base.errors import NewapiError
from newapi.base.secret import Secret

SESSION_SECONDS = 30 * 86_400
"""How long a session lasts."""
PASSWORD_LENGTHS = (8, 128)
"""Characters of a password, at least and at most."""
_MARK = "scrypt"
_BCRYPT = ("$2a$", "$2b$", "$2y$")
"""How the hashes begin that New API stores: taken over by `newapi import`, and replaced at the next sign-in."""
_BCRYPT_BYTES = 72
"""What bcrypt looks at of a password: https://pkg.go.dev/golang.org/x/crypto/bcrypt"""
_LOG_N, _R, _P = 14, 8, 5
"""16 MiB and a quarter of a second: https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html"""
_SALT_BYTES = 16
_HASH_BYTES = 32
_MAX_LOG_N, _MAX_R, _MAX_P = 20, 32, 16
_ADDRESSES = 10_000
"""Addresses whose failures are remembered; beyond that the oldest are forgotten."""


def hash_password(password: Secret) -> str:
    """Return what is stored of a password: `scrypt$<log2 N>$<r>$<p>$<salt>$<hash>`, the last two in base64."""
    salt = os.urandom(_SALT_BYTES)
    digest = _scrypt(password, salt, _LOG_N, _R, _P, _HASH_BYTES)
    return "$".join((_MARK, str(_LOG_N), str(_R), str(_P), _b64(salt), _b64(digest)))


def password_matches(password: Secret, stored: str) -> bool:
    """Say whether `password` is the one that `stored` was made of. As slow for one without a hash ("")."""
    if stored.startswith(_BCRYPT):
        try:
            return bcrypt.checkpw(password.reveal().encode()[:_BCRYPT_BYTES], stored.encode())
        except ValueError:
            return False
    parts = stored.split("$")
    if len(parts) != 6 or parts[0] != _MARK:
        _scrypt(password, b"\0" * _SALT_BYTES, _LOG_N, _R, _P, _HASH_BYTES)  # who exists is not told by the time taken
        return False
    try:
        log_n, r, p = (int(part) for part in parts[1:4])
        salt, digest = (base64.b64decode(part, validate=True) for part in parts[4:])
    except (ValueError, binascii.Error):
        return False
    if not (1 <= log_n <= _MAX_LOG_N and 1 <= r <= _MAX_R and 1 <= p <= _MAX_P and len(digest) >= 16):
        return False
    return hmac.compare_digest(_scrypt(password, salt, log_n, r, p, len(digest)), digest)


def is_outdated(stored: str) -> bool:
    """Say whether a stored hash is one taken over, to be replaced when its password is next known."""
    return stored.startswith(_BCRYPT)


def new_access_token() -> Secret:
    """Return an access token that nobody can guess: 32 characters, 192 bits, New API's length."""
    return Secret(base64.urlsafe_b64encode(os.urandom(24)).decode())


def hash_access_token(token: str) -> str:
    """Return what an access token is found by: its SHA-256, hexadecimal."""
    return hashlib.sha256(token.encode()).hexdigest()


class Session(Struct, frozen=True, array_like=True):
    """What a cookie says.

    Attributes:
        user_id: Who signed in.
        epoch: The user's `session_epoch` then: when that has grown, the session is over.
        issued_at: Unix seconds.
    """

    user_id: int
    epoch: int
    issued_at: int


class Sessions:
    """Makes the values of session cookies, and reads them. Nothing is kept."""

    def __init__(self, master_key: bytes) -> None:
        """Take the master key; cookies are sealed with one that is derived from it."""
        self._key = hashlib.blake2b(master_key, digest_size=32, person=b"newapi session").digest()

    def make(self, user_id: int, epoch: int, now: float) -> str:
        """Return the value of a cookie."""
        sealed = secrets.seal(self._key, msgspec.json.encode(Session(user_id, epoch, int(now))))
        return base64.urlsafe_b64encode(sealed).decode().rstrip("=")

    def read(self, value: str, now: float) -> Session | None:
        """Return what a cookie says; None when it is not ours, was changed, or is older than `SESSION_SECONDS`."""
        try:
            sealed = base64.urlsafe_b64decode(value + "=" * (-len(value) % 4))
            session = msgspec.json.decode(secrets.unseal(self._key, sealed), type=Session)
        except (ValueError, binascii.Error, NewapiError, msgspec.DecodeError):
            return None
        return session if 0 <= now - session.issued_at + 60 <= SESSION_SECONDS + 60 else None


class Failures:
    """Counts failed attempts of an address in the window that ends now; what succeeds is not counted. Thread-safe."""

    def __init__(self, limit: int, window: float) -> None:
        """Allow `limit` failures in `window` seconds; a `limit` of 0 allows any number."""
        self._limit = limit
        self._window = window
        self._failures: dict[str, deque[float]] = {}
        self._lock = threading.Lock()

    def wait(self, address: str, now: float) -> float:
        """Return the seconds until `address` may try again, 0 when it may now."""
        if not self._limit:
            return 0.0
        with self._lock:
            failed = self._recent(address, now)
            return failed[0] + self._window - now if len(failed) >= self._limit else 0.0

    def add(self, address: str, now: float) -> None:
        """Note a failure."""
        if not self._limit:
            return
        with self._lock:
            failed = self._recent(address, now)
            failed.append(now)
            self._failures.pop(address, None)
            self._failures[address] = failed  # the latest is last
            while len(self._failures) > _ADDRESSES:
                del self._failures[next(iter(self._failures))]

    def _recent(self, address: str, now: float) -> deque[float]:
        failed = self._failures.get(address, deque(maxlen=self._limit))
        while failed and failed[0] <= now - self._window:
            failed.popleft()
        return failed


def _scrypt(password: Secret, salt: bytes, log_n: int, r: int, p: int, size: int) -> bytes:
    text = password.reveal().encode()
    memory = 256 * r * (1 << log_n) + (1 << 20)
    return hashlib.scrypt(text, salt=salt, n=1 << log_n, r=r, p=p, maxmem=memory, dklen=size)


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()
