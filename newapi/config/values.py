"""Durations, sizes, money and references as the configuration writes them."""

from __future__ import annotations

import re
from decimal import Decimal

SCHEMES = ("env", "file", "keyring", "secret", "cred", "cmd")
"""What a reference to a secret begins with, before its colon."""

_UNITS = {"ms": Decimal("0.001"), "s": Decimal(1), "m": Decimal(60), "h": Decimal(3600), "d": Decimal(86_400)}
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|s|m|h|d))+", re.ASCII)
_PIECE = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_WORDS = {"sec": "s", "min": "m", "hour": "h", "hr": "h", "day": "d", "milli": "ms"}

_BYTES = {"B": 1}
_BYTES |= {f"{letter}iB": 1 << 10 * power for power, letter in enumerate("KMGT", 1)}
_BYTES |= {f"{letter}B": 1000**power for power, letter in enumerate("kMGT", 1)}
_SIZE = re.compile(r"(\d+)(B|[KMGT]iB|[kMGT]B)", re.ASCII)

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_LOOSE_MONEY = re.compile(r"\s*\$?\s*(\d+(?:\.\d+)?)\s*(?:\$|usd)?\s*", re.IGNORECASE)
_MONEY = re.compile(r"\$(\d+(?:\.\d+)?)", re.ASCII)


def parse_duration(text: str) -> float:
    """Return the seconds of `"30s"`, `"5m"`, `"2h"`, `"30d"`, `"500ms"` or `"1h30m"`.

    Raises:
        ValueError: It is none.
    """
    if not _DURATION.fullmatch(text):
        raise ValueError(f"not a duration: {text!r}")
    return float(sum(Decimal(number) * _UNITS[unit] for number, unit in _PIECE.findall(text)))


def duration_text(seconds: float) -> str:
    """Return `seconds` (0 or more) in the largest unit that says them in whole numbers."""
    exact = Decimal(str(seconds))
    for unit in ("d", "h", "m"):
        if exact and exact % _UNITS[unit] == 0:
            return f"{exact / _UNITS[unit]:f}".removesuffix(".0") + unit
    return plain(exact) + "s"


def guess_duration(value: object) -> str:
    """Return what `"30 sec"` or `30` was meant to be, "" when it cannot be guessed."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return f"{value}s"
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*", value) if isinstance(value, str) else None
    if not match:
        return ""
    number, word = match[1], match[2].lower()
    unit = next((unit for start, unit in _WORDS.items() if word.startswith(start)), word or "s")
    return number + unit if unit in _UNITS else ""


def parse_size(text: str) -> int:
    """Return the bytes of `"128MiB"`, `"64kB"` or `"512B"`.

    Raises:
        ValueError: It is none.
    """
    match = _SIZE.fullmatch(text)
    if not match:
        raise ValueError(f"not a size: {text!r}")
    return int(match[1]) * _BYTES[match[2]]


def size_text(size: int) -> str:
    """Return bytes in the largest binary unit that says them in whole numbers."""
    for letter in ("T", "G", "M", "K"):
        if size and size % _BYTES[f"{letter}iB"] == 0:
            return f"{size // _BYTES[f'{letter}iB']}{letter}iB"
    return f"{size}B"


def guess_size(value: object) -> str:
    """Return what `"128 mb"` or `1024` was meant to be, "" when it cannot be guessed."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return size_text(value)
    match = re.fullmatch(r"\s*(\d+)\s*([kmgtKMGT]?)i?[bB]?\s*", value) if isinstance(value, str) else None
    return f"{match[1]}{match[2].upper()}iB" if match and match[2] else f"{match[1]}B" if match else ""


def parse_money(text: str) -> Decimal:
    """Return the US dollars of `"$10"` or `"$0.002"`, exactly.

    Raises:
        ValueError: It is none.
    """
    match = _MONEY.fullmatch(text)
    if not match:
        raise ValueError(f"not money: {text!r}")
    return Decimal(match[1])


def parse_amount(text: str, examples: str) -> Decimal:
    """Return the US dollars that somebody typed, with the sign or without it.

    Raises:
        ValueError: It is no amount: `examples` are of some that are.
    """
    try:
        return parse_money(f"${text.removeprefix('$')}")
    except ValueError:
        raise ValueError(f"{text!r} is no amount: write {examples}") from None


def money_text(amount: Decimal) -> str:
    """Return US dollars (0 or more) as the configuration writes them."""
    return f"${plain(amount)}"


def guess_money(value: object) -> str:
    """Return what `10` or `"10 USD"` was meant to be, "" when it cannot be guessed."""
    if isinstance(value, int | Decimal) and not isinstance(value, bool) and Decimal(value) >= 0:
        return money_text(Decimal(value))
    match = (
        re.fullmatch(r"\s*\$?\s*(\d+(?:\.\d+)?)\s*(?:\$|usd)?\s*", value, re.IGNORECASE)
        if isinstance(value, str)
        else None
    )
    return f"${match[1]}" if match else ""


def plain(value: Decimal) -> str:
    """Return a number as one writes it: no exponent, no zeros at the end."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def split_label(label: str) -> tuple[str, str]:
    """Return the kind and the name of `channels.main` or `models."gpt-4.1"`."""
    kind, _, name = label.partition(".")
    return kind, name[1:-1] if len(name) > 1 and name[0] == name[-1] and name[0] in "\"'" else name


def is_bare(name: str) -> bool:
    """Say whether a key needs no quotes."""
    return _BARE.fullmatch(name) is not None
