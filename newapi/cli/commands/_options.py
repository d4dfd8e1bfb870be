"""Options that several commands have, and how their values are read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from newapi.cli.output import Output

ConfigFile = Annotated[
    Path | None, typer.Option("--config", "-c", envvar="NEWAPI_CONFIG", help="The configuration file.")
]
Files = Annotated[list[str] | None, typer.Argument(metavar="[FILE]...", help="The files; - is standard input.")]
Form = Annotated[Output, typer.Option("--output", "-o", help="table, json, ndjson, csv, toml or name.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
NoInput = Annotated[bool, typer.Option("--no-input", help="Never ask: leave with 7 instead.")]
DryRun = Annotated[bool, typer.Option("--dry-run", "-n", help="Say what would be done; do nothing.")]
Only = Annotated[list[str] | None, typer.Option("--only", metavar="KIND[/NAME]", help="Only this; may be repeated.")]

if TYPE_CHECKING:
    from decimal import Decimal

T = TypeVar("T")


def read(option: str, text: str | None, reader: Callable[[str], T]) -> T | None:
    """Return the value of an option, None where it is not given; what cannot be read is wrong usage."""
    if text is None:
        return None
    try:
        return reader(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=option) from None


def read_all(option: str, texts: list[str] | None, reader: Callable[[str], T]) -> list[T]:
    """Return the values of an option that was given several times, or once with commas."""
    try:
        return [reader(text) for text in split(texts)]
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=option) from None


def seconds(text: str) -> float:
    """Return the seconds of `90s`, `5m`, `1h30m`, `30d`.

    Raises:
        ValueError: It is no duration.
    """
    from newapi.config.values import parse_duration

    try:
        return parse_duration(text)
    except ValueError:
        raise ValueError(f"{text!r} is no duration: write 90s, 5m, 2h or 30d") from None


def dollars(text: str) -> Decimal:
    """Return the USD of `$10`, or of `10`: a shell takes the sign for a variable where it is not quoted.

    Raises:
        ValueError: It is no amount.
    """
    from newapi.config.values import parse_amount

    return parse_amount(text, "'$10' or '$0.50'")


def account() -> str:
    """Return the account of the operating system that runs this: who did it, in the audit log."""
    import getpass

    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container's user has no name
        return "unknown"


def split(values: list[str] | None) -> tuple[str, ...]:
    """Return what was given several times, or once with commas, as one list."""
    return tuple(part.strip() for value in values or () for part in value.split(",") if part.strip())


def when(at: float) -> str:
    """Return unix seconds as local time for people, "" for never."""
    from datetime import UTC, datetime

    return datetime.fromtimestamp(at, UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S") if at else ""


def shown(rows: Any, output: Output, table: Callable[[Any], dict[str, Any]]) -> list[Any]:
    """Return rows as they are, or as `table` makes them for people."""
    return [table(row) for row in rows] if output is Output.TABLE else list(rows)
