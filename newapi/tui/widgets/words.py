"""Numbers and times as people read them in a narrow column."""

from __future__ import annotations

import math
from datetime import UTC, datetime

from newapi.base.units import QUOTA_PER_USD

NONE = "–"
"""What stands where nothing is known."""
_LARGE = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


def digits(value: float, count: int = 3) -> str:
    """Return a number with `count` significant digits, all of a large one, six decimals at most; no trailing zero."""
    if not math.isfinite(value):
        return NONE
    if value == 0:
        return "0"
    whole = math.floor(math.log10(abs(value))) + 1
    text = f"{value:.{min(6, max(0, count - whole))}f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text


def compact(value: float | None) -> str:
    """Return `950`, `1.2k`, `34k`, `1.25M`: at most five characters for anything below a thousand billion."""
    if value is None or not math.isfinite(value):
        return NONE
    for size, letter in _LARGE:
        if abs(value) >= size * 0.9995:
            return digits(value / size) + letter
    return digits(value)


def percent(share: float | None) -> str:
    """Return a share of 1 as `1.8 %`."""
    return NONE if share is None or not math.isfinite(share) else f"{digits(share * 100, 2)} %"


def millis(ms: float | None) -> str:
    """Return milliseconds as `340 ms`, `1.2 s`, `2m5s`."""
    if ms is None or not math.isfinite(ms):
        return NONE
    if abs(ms) < 999.5:
        return f"{digits(ms)} ms"
    seconds = ms / 1000
    if abs(seconds) < 99.95:
        return f"{digits(seconds, 2 if abs(seconds) < 9.95 else 3)} s"
    return span(seconds)


def dollars(usd: float | None) -> str:
    """Return USD as `$4.21`, `$0.0042`, `$12.3k`."""
    if usd is None or not math.isfinite(usd):
        return NONE
    sign, usd = ("-" if usd < 0 else ""), abs(usd)
    if usd >= 9_999.5:
        return f"{sign}${compact(usd)}"
    if usd and usd < 0.0995:
        return f"{sign}${digits(usd, 2)}"
    return f"{sign}${usd:.2f}"


def cost(quota: int) -> str:
    """Return quota as `dollars` does."""
    return dollars(quota / QUOTA_PER_USD)


def about(quota: int) -> str:
    """Return quota as `cost` does, in no more than six cells: what is less than a cent is `<$0.01`, much is `$123`."""
    usd = quota / QUOTA_PER_USD
    if 0 < usd < 0.01:
        return "<$0.01"
    return f"${usd:.0f}" if 99.995 <= usd < 9_999.5 else dollars(usd)


def size(count: int) -> str:
    """Return bytes as `512 B`, `1.2 kB`, `183.5 MB`."""
    left = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if left < 1000:
            return f"{left:.0f} {unit}" if unit == "B" else f"{left:.1f} {unit}"
        left /= 1000
    return f"{left:.1f} TB"


def span(seconds: float | None) -> str:
    """Return how long as `5s`, `2m5s`, `3h`, `4d`: the two largest units at most."""
    if seconds is None or not math.isfinite(seconds):
        return NONE
    left, parts = round(abs(seconds)), list[str]()
    for size, letter in ((86_400, "d"), (3600, "h"), (60, "m"), (1, "s")):
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count}{letter}")
        elif parts:
            break
        if len(parts) == 2:
            break
    return ("-" if seconds < 0 else "") + ("".join(parts) or "0s")


def ago(seconds: float | None) -> str:
    """Return how long ago in one unit: `5s`, `2m`, `3h`, `4d`; below 0 counts as now."""
    if seconds is None or not math.isfinite(seconds):
        return NONE
    for size, letter in ((86_400, "d"), (3600, "h"), (60, "m")):
        if seconds >= size:
            return f"{int(seconds // size)}{letter}"
    return f"{max(0, int(seconds))}s"


def clock(at: float) -> str:
    """Return unix seconds as the time of day here."""
    return datetime.fromtimestamp(at).astimezone().strftime("%H:%M:%S")


def date(at: float, *, zone: str = " UTC") -> str:
    """Return unix seconds as `2026-11-24 16:13 UTC`, the last with `zone`; 0 is never."""
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M}{zone}" if at else "never"


def stamp(at: float) -> str:
    """Return unix seconds as they stand in the name of a file, `20261124-161347` in UTC."""
    return f"{datetime.fromtimestamp(at, UTC):%Y%m%d-%H%M%S}"
