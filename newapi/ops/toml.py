"""Values in the words of the configuration file: `"$10"`, `"30s"`, `[1, 2]`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec
from msgspec import Struct

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_MONEY = frozenset(
    {
        *("billing.new_user_quota", "billing.invite_quota", "tokens.quota", "tokens.budget"),
        *(f"models.{name}" for name in ("input", "output", "cached_input", "cache_write", "price", "tiers")),
    }
)
_DURATIONS = frozenset(
    {
        *("health.window", "health.cooldown", "health.probe_every", "health.balance_every"),
        *("tasks.poll_every", "tasks.timeout", "tokens.expires"),
    }
)
_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_UNITS = (("d", 86_400), ("h", 3600), ("m", 60), ("s", 1))


def plain(value: Decimal) -> str:
    """Return a number as one writes it: no exponent, no zeros at the end."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def seconds_of(text: str) -> float:
    """Return the seconds of `90s`, `5m`, `2h`, `30d`, `1.5h`.

    Raises:
        ValueError: It is no duration.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|m|h|d|w)", text.strip())
    if match is None:
        raise ValueError(f"{text!r} is no duration: write 90s, 5m, 2h or 30d")
    return float(match[1]) * _SECONDS[match[2]]


def usd_of(text: str) -> Decimal:
    """Return the USD of `$10`, `0.5`, `$1_000`.

    Raises:
        ValueError: It is no amount, or less than nothing.
    """
    match = re.fullmatch(r"\$?(\d[\d_]*(?:\.\d+)?|\.\d+)", text.strip())
    if match is None:
        raise ValueError(f"{text!r} is no amount: write $10 or $0.50")
    return Decimal(match[1])


def is_money(path: str) -> bool:
    """Say whether the value at `path` (`tokens.quota`, `tokens.budget.day`) is in USD."""
    return path in _MONEY or path.rpartition(".")[0] in _MONEY


def is_duration(path: str) -> bool:
    """Say whether the value at `path`, where it is a number, is in seconds."""
    return path in _DURATIONS


def value_of(path: str, value: Any) -> str:
    """Return `value` as it is written at `path` (kind and key, without the object's name)."""
    return _value(value, money=is_money(path), duration=is_duration(path))


def key(name: str) -> str:
    """Return a key, quoted where it has to be."""
    return name if _BARE.fullmatch(name) else _string(name)


def _string(text: str) -> str:
    return msgspec.json.encode(text).decode().replace("\x7f", "\\u007f")


def _value(value: Any, *, money: bool = False, duration: bool = False) -> str:
    match value:
        case str():
            return _string(value)
        case bool():
            return "true" if value else "false"
        case Decimal() if money:
            return _string(f"${plain(value)}")
        case int() | float() if duration:
            return _string(duration_text(value))
        case Decimal() | int() | float():
            return plain(value) if isinstance(value, Decimal) else repr(value)
        case datetime():
            return value.isoformat()
        case Struct():
            return _value(msgspec.structs.asdict(value), money=money)
        case Mapping():
            pairs = [f"{key(str(k))} = {_value(v, money=money)}" for k, v in value.items() if v is not None]
            return "{ " + ", ".join(pairs) + " }" if pairs else "{}"
        case _:
            return "[" + ", ".join(_value(v, money=money) for v in value) + "]"


def duration_text(seconds: float) -> str:
    """Return seconds in the largest unit that they are whole numbers of; "" for none."""
    if not seconds:
        return ""
    for unit, size in _UNITS:
        if seconds % size == 0:
            return f"{int(seconds // size)}{unit}"
    return f"{plain(Decimal(str(seconds)))}s"
