"""Passwords, cookies, and the limit on guessing."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from newapi import secrets
from newapi.base.secret import Secret
from newapi.ops import sessions
from newapi.ops.sessions import Failures, Session, Sessions

MASTER = bytes(range(32))
NOW = 1_800_000_000.0


def test_a_password_is_known_again() -> None:
    stored = sessions.hash_password(Secret("correct horse"))
    assert stored.startswith("scrypt$14$8$5$")
    assert sessions.password_matches(Secret("correct horse"), stored)
    assert not sessions.password_matches(Secret("correct horsf"), stored)


def test_two_hashes_of_a_password_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "_LOG_N", 2)
    first, second = (sessions.hash_password(Secret("correct horse")) for _ in range(2))
    assert first != second


@pytest.mark.parametrize(
    "stored",
    [
        "",
        "plain text",
        "$2a$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy",
        "scrypt$2$8$1$AAAA$",
        "scrypt$2$8$1$AAAA$AAAA",
        "scrypt$2$8$1$not base64$AAAAAAAAAAAAAAAAAAAAAA==",
        "scrypt$40$8$1$AAAA$AAAAAAAAAAAAAAAAAAAAAA==",
        "scrypt$2$x$1$AAAA$AAAAAAAAAAAAAAAAAAAAAA==",
    ],
)
def test_what_is_no_hash_matches_nothing(monkeypatch: pytest.MonkeyPatch, stored: str) -> None:
    monkeypatch.setattr(sessions, "_LOG_N", 2)
    for password in ("", "plain text", "correct horse"):
        assert not sessions.password_matches(Secret(password), stored)


def test_a_cookie_says_who_and_since_when() -> None:
    value = Sessions(MASTER).make(7, 3, NOW)
    assert Sessions(MASTER).read(value, NOW + 1) == Session(7, 3, int(NOW))


@pytest.mark.parametrize(("after", "valid"), [(0, True), (30 * 86_400, True), (30 * 86_400 + 1, False)])
def test_a_cookie_lasts_thirty_days(after: float, valid: bool) -> None:
    ours = Sessions(MASTER)
    assert (ours.read(ours.make(7, 0, NOW), NOW + after) is not None) is valid


def test_a_cookie_of_another_gateway_is_none() -> None:
    assert Sessions(MASTER).read(Sessions(bytes(32)).make(1, 0, NOW), NOW) is None


def test_what_was_sealed_for_something_else_is_no_cookie() -> None:
    sealed = secrets.seal(MASTER, b"[1,0,1800000000]")
    value = base64.urlsafe_b64encode(sealed).decode().rstrip("=")
    assert Sessions(MASTER).read(value, NOW) is None


@given(st.text())
def test_any_text_is_read(value: str) -> None:
    assert Sessions(MASTER).read(value, NOW) is None


@given(st.integers(0, 80), st.integers(1, 255))
@settings(max_examples=50)
def test_a_cookie_that_was_changed_is_none(place: int, bits: int) -> None:
    ours = Sessions(MASTER)
    value = ours.make(1, 0, NOW)
    raw = bytearray(base64.urlsafe_b64decode(value + "=" * (-len(value) % 4)))
    raw[place % len(raw)] ^= bits
    assert ours.read(base64.urlsafe_b64encode(bytes(raw)).decode(), NOW) is None


def test_failures_are_counted_by_address_in_a_window() -> None:
    failures = Failures(2, 60)
    failures.add("a", 0)
    assert failures.wait("a", 1) == 0
    failures.add("a", 10)
    assert failures.wait("a", 11) == 49
    assert failures.wait("b", 11) == 0
    assert failures.wait("a", 60) == 0
    failures.add("a", 61)
    assert failures.wait("a", 62) == 8


def test_no_limit_is_none() -> None:
    failures = Failures(0, 60)
    for n in range(100):
        failures.add("a", n)
    assert failures.wait("a", 100) == 0


def test_the_memory_of_failures_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "_ADDRESSES", 3)
    failures = Failures(1, 60)
    for address in "abcd":
        failures.add(address, 0)
    assert [failures.wait(address, 0) > 0 for address in "abcd"] == [False, True, True, True]
