from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newapi.config.values import (
    duration_text,
    guess_duration,
    guess_money,
    guess_size,
    is_bare,
    money_text,
    parse_duration,
    parse_money,
    parse_size,
    plain,
    size_text,
    split_label,
)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30s", 30),
        ("5m", 300),
        ("2h", 7200),
        ("30d", 2_592_000),
        ("500ms", 0.5),
        ("1.5h", 5400),
        ("1h30m", 5400),
        ("0s", 0),
        ("0.1s", 0.1),
    ],
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "30", "30 s", "s", "-1s", "1w", "1.s", "1h 30m", "30S", "٣s"])
def test_no_durations(text: str) -> None:
    with pytest.raises(ValueError, match="not a duration"):
        parse_duration(text)


@given(st.integers(0, 10**9).map(lambda ms: ms / 1000))
def test_a_duration_comes_back(seconds: float) -> None:
    assert parse_duration(duration_text(seconds)) == seconds


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0s"), (90, "90s"), (300.0, "5m"), (86_400, "1d"), (90_000, "25h"), (0.25, "0.25s")]
)
def test_durations_are_written_in_the_largest_unit(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text


@pytest.mark.parametrize(
    ("text", "size"),
    [("0B", 0), ("512B", 512), ("1KiB", 1024), ("128MiB", 128 << 20), ("2GiB", 2 << 30), ("64kB", 64_000)],
)
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "128", "128M", "128 MiB", "-1B", "1.5MiB", "128mib", "1KB"])
def test_no_sizes(text: str) -> None:
    with pytest.raises(ValueError, match="not a size"):
        parse_size(text)


@given(st.integers(0, 2**50))
def test_a_size_comes_back(size: int) -> None:
    assert parse_size(size_text(size)) == size


@pytest.mark.parametrize(("text", "usd"), [("$10", "10"), ("$0.002", "0.002"), ("$0", "0"), ("$2.50", "2.5")])
def test_money(text: str, usd: str) -> None:
    assert parse_money(text) == Decimal(usd)


@pytest.mark.parametrize("text", ["", "$", "10", "-$1", "$-1", "$1,000", "$.5", "$1.", "$1e3", "€5", "$inf", "$ 5"])
def test_no_money(text: str) -> None:
    with pytest.raises(ValueError, match="not money"):
        parse_money(text)


@given(st.decimals(0, 10**12, places=9))
def test_money_comes_back_to_the_last_digit(amount: Decimal) -> None:
    assert parse_money(money_text(amount)) == amount


@pytest.mark.parametrize(
    ("guess", "value", "meant"),
    [
        (guess_duration, "30 sec", "30s"),
        (guess_duration, "5 Minutes", "5m"),
        (guess_duration, "1.5 hours", "1.5h"),
        (guess_duration, "2 days", "2d"),
        (guess_duration, "100 millis", "100ms"),
        (guess_duration, "30", "30s"),
        (guess_duration, 30, "30s"),
        (guess_duration, True, ""),
        (guess_duration, "3 weeks", ""),
        (guess_duration, [], ""),
        (guess_size, "128 mb", "128MiB"),
        (guess_size, "1g", "1GiB"),
        (guess_size, "64", "64B"),
        (guess_size, 1024, "1KiB"),
        (guess_size, False, ""),
        (guess_size, "big", ""),
        (guess_money, 10, "$10"),
        (guess_money, Decimal("2.5"), "$2.5"),
        (guess_money, "10 USD", "$10"),
        (guess_money, "10$", "$10"),
        (guess_money, -1, ""),
        (guess_money, True, ""),
        (guess_money, "much", ""),
    ],
)
def test_guesses(guess: object, value: object, meant: str) -> None:
    assert callable(guess)
    assert guess(value) == meant


@pytest.mark.parametrize(
    ("value", "text"), [("1E+3", "1000"), ("0.80", "0.8"), ("0.0", "0"), ("1E-9", "0.000000001"), ("100", "100")]
)
def test_plain_numbers(value: str, text: str) -> None:
    assert plain(Decimal(value)) == text


def test_bare_keys() -> None:
    assert is_bare("gpt-4o_x")
    assert not is_bare("gpt-4.1")
    assert not is_bare("")


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("channels.a", ("channels", "a")),
        ("models.gpt-4.1", ("models", "gpt-4.1")),
        ('models."gpt-4.1"', ("models", "gpt-4.1")),
        ("models.'x'", ("models", "x")),
        ("routing", ("routing", "")),
    ],
)
def test_labels(label: str, expected: tuple[str, str]) -> None:
    assert split_label(label) == expected
