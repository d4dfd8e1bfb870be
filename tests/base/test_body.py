"""JSON bodies: what is wrong with those that no reader takes."""

from __future__ import annotations

import pytest

from newapi.base.body import DEPTH, unreadable


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"[" * 5000, "nested"),
        (b'{"a":' * 5000, "nested"),
        (b"[" * (DEPTH + 1) + b"{}" + b"]" * (DEPTH + 1), "nested"),
        (b'{"a": "\xff"}', "UTF-8"),
    ],
)
def test_what_no_reader_takes(raw: bytes, said: str) -> None:
    error = unreadable(raw)
    assert error is not None
    assert (error.status, error.code) == (400, "invalid_json")
    assert said in error.message


@pytest.mark.parametrize("raw", [b"", b"{", b"{}", b'{"a": [{"b": 1}]}', b"[" * DEPTH + b"]" * DEPTH])
def test_what_readers_judge_themselves(raw: bytes) -> None:
    assert unreadable(raw) is None
