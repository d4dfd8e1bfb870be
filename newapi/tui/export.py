"""The view as a file, CSV in the directory where the dashboard was started; and things as TOML."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from newapi.ops.toml import key, value_of
from newapi.tui.widgets import words


def write(name: str, rows: Sequence[Mapping[str, Any]], now: float) -> Path:
    """Write rows to `newapi-<name>-<time>.csv` and return where that is; a file that is there is left alone.

    Raises:
        ValueError: There are no rows.
        OSError: It cannot be written.
    """
    if not rows:
        raise ValueError("There is nothing to export here")
    path = Path(f"newapi-{name}-{words.stamp(now)}.csv").absolute()
    columns = list(rows[0])
    with path.open("x", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows([_cell(row.get(column)) for column in columns] for row in rows)
    return path


def _cell(value: Any) -> Any:
    """Return a value as a spreadsheet may take it: one that looks like a formula is text."""
    if isinstance(value, list | tuple | set | frozenset):
        value = ", ".join(str(v) for v in value)
    if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r"):
        return f"'{value}"
    return "" if value is None else value


def as_toml(thing: msgspec.Struct) -> str:
    """Return a struct as TOML: a line a field; what is None or empty is left out."""
    values: dict[str, Any] = msgspec.to_builtins(thing)
    return "".join(
        f"{key(name)} = {value_of(name, value)}\n" for name, value in values.items() if value not in (None, "", [], {})
    )
