"""The only writer of standard output and standard error, and what the process leaves with.

Standard output is data; messages, questions and errors go to standard error. Colour and boxes are for terminals.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from enum import IntEnum, StrEnum
from itertools import pairwise
from typing import Any, TextIO, cast

from newapi.base.errors import CallerError, ConfigError, Conflict, NewapiError, NotFound, Problem


class ExitCode(IntEnum):
    """What a command leaves with."""

    OK = 0
    FAILED = 1
    USAGE = 2
    """Wrong usage, or a configuration that is not valid."""
    DIFFERS = 3
    DENIED = 4
    """Not signed in, or not allowed."""
    NOT_FOUND = 5
    CONFLICT = 6
    """Changed since it was read, or the name exists."""
    UNCONFIRMED = 7
    """Needed a confirmation and could not ask, or was refused."""
    CHECK_FAILED = 8
    INTERRUPTED = 130
    TERMINATED = 143


class Output(StrEnum):
    """How a reading command answers: `-o`."""

    TABLE = "table"
    JSON = "json"
    NDJSON = "ndjson"
    CSV = "csv"
    TOML = "toml"
    NAME = "name"


class Unconfirmed(NewapiError):
    """A confirmation was needed and could not be asked for, or was refused."""

    code = "unconfirmed"


class WrongUsage(NewapiError):
    """The command line makes no sense."""

    code = "usage"

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


def wants_json(argv: Sequence[str]) -> bool:
    """Say whether `-o json` is there, even where the rest of the line cannot be read."""
    if any(a in ("-ojson", "--output=json") for a in argv):
        return True
    return any(a in ("-o", "--output") and b == "json" for a, b in pairwise(argv))


_EXITS: tuple[tuple[type[NewapiError], ExitCode], ...] = (
    (ConfigError, ExitCode.USAGE),
    (Problem, ExitCode.USAGE),
    (WrongUsage, ExitCode.USAGE),
    (NotFound, ExitCode.NOT_FOUND),
    (Conflict, ExitCode.CONFLICT),
    (Unconfirmed, ExitCode.UNCONFIRMED),
)


def exit_code(error: NewapiError) -> ExitCode:
    """Return what the process leaves with after `error`."""
    if isinstance(error, CallerError) and error.status in (401, 403):
        return ExitCode.DENIED
    return next((code for type_, code in _EXITS if isinstance(error, type_)), ExitCode.FAILED)


def decorated(stream: TextIO) -> bool:
    """Say whether `stream` gets colours and boxes: a terminal, but for `NO_COLOR` and `TERM=dumb`, or `FORCE_COLOR`."""
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return os.environ.get("TERM") != "dumb" and stream.isatty()


def say(text: str) -> None:
    """Write a line of data to standard output."""
    write(text + "\n")


def write(text: str) -> None:
    """Write data to standard output as it is."""
    sys.stdout.write(text)
    sys.stdout.flush()


def note(text: str) -> None:
    """Write a line for people to standard error."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def confirm(question: str, *, yes: bool = False, no_input: bool = False) -> None:
    """Ask on the terminal; return when the answer is yes.

    Args:
        question: Without the `[y/N]`.
        yes: `--yes`: do not ask.
        no_input: `--no-input`: never ask.

    Raises:
        Unconfirmed: The answer was no, or there is nobody to ask.
    """
    if yes:
        return
    if no_input or not sys.stdin.isatty():
        raise Unconfirmed("Nothing was done: this needs a confirmation; --yes gives it")
    sys.stderr.write(f"{question} [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise Unconfirmed("Nothing was done")


def show(data: Any, output: Output = Output.TABLE, *, columns: Sequence[str] = (), next: str | None = None) -> None:
    """Write one thing, or a list of things, to standard output.

    Args:
        data: A struct or mapping (one thing), or an iterable of them (a list).
        output: In which form.
        columns: Of a table or CSV, in order; the fields of the first row when empty.
        next: Where the rest of a list begins, None when this is all.
    """
    import msgspec

    if isinstance(data, Mapping | msgspec.Struct):
        _show_object(cast(dict[str, Any], msgspec.to_builtins(data)), output)
    else:
        rows = [cast(dict[str, Any], msgspec.to_builtins(row)) for row in data]
        _show_rows(rows, output, columns, next)


def _show_object(thing: dict[str, Any], output: Output) -> None:
    if output is Output.JSON:
        say(_pretty(thing))
    elif output is Output.TOML:
        write(_toml(thing))
    elif output is Output.TABLE:
        _table([[key, _cell(value)] for key, value in thing.items()], ())
    else:
        _show_rows([thing], output, (), None)


def _show_rows(rows: list[dict[str, Any]], output: Output, columns: Sequence[str], next: str | None) -> None:
    columns = columns or (list(rows[0]) if rows else [])
    match output:
        case Output.JSON:
            say(_pretty({"items": rows, "next": next}))
        case Output.NDJSON:
            import msgspec

            write("".join(msgspec.json.encode(row).decode() + "\n" for row in rows))
        case Output.CSV:
            import csv

            writer = csv.writer(sys.stdout, lineterminator="\n")
            writer.writerows([columns, *([_cell(row.get(c)) for c in columns] for row in rows)])
            sys.stdout.flush()
        case Output.TOML:
            write(_toml({"items": rows}))
        case Output.NAME:
            write("".join(f"{_cell(row.get('name', row.get('id', '')))}\n" for row in rows))
        case Output.TABLE:
            _table([[_cell(row.get(c)) for c in columns] for row in rows], columns)


def _pretty(value: Any) -> str:
    import msgspec

    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()


def _toml(value: dict[str, Any]) -> str:
    import tomlkit

    return tomlkit.dumps(_without_none(value))


def _without_none(value: Any) -> Any:
    """Return `value` without what is None, which TOML cannot say."""
    if isinstance(value, dict):
        return {k: _without_none(v) for k, v in cast(dict[str, Any], value).items() if v is not None}
    if isinstance(value, list | tuple):
        return [_without_none(v) for v in cast(Sequence[Any], value) if v is not None]
    return value


def _cell(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case list() | tuple() if all(isinstance(v, str | int | float) for v in cast(Sequence[Any], value)):
            return ", ".join(str(v) for v in cast(Sequence[Any], value))
        case list() | tuple() | dict():
            import msgspec

            return msgspec.json.encode(value).decode()
        case _:
            return str(value)


def _table(rows: Iterable[Sequence[str]], columns: Sequence[str]) -> None:
    """Write a table: aligned for a terminal; for a pipe values separated by tabs, without a head, never cut."""
    if not sys.stdout.isatty():
        write("".join("\t".join(" ".join(cell.split()) for cell in row) + "\n" for row in rows))
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    plain = not decorated(sys.stdout)
    table = Table(box=None if plain else box.SIMPLE_HEAD, show_header=bool(columns), pad_edge=False)
    for column in columns or ("", ""):
        table.add_column(column.replace("_", " "), overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    Console(file=sys.stdout, color_system=None if plain else "auto", highlight=False).print(table)


def fail(error: NewapiError, *, json: bool = False) -> ExitCode:
    """Tell an error on standard error; return what to leave with.

    Args:
        error: What went wrong.
        json: As one JSON object instead of text.
    """
    code = exit_code(error)
    if json:
        import msgspec

        note(msgspec.json.encode({"error": _fields(error, code)}).decode())
    elif isinstance(error, ConfigError | Problem):
        from newapi.config.render import render

        problems = error.problems if isinstance(error, ConfigError) else [error]
        note(render(problems, color=decorated(sys.stderr)))
    else:
        red, bold_off = ("\x1b[31;1m", "\x1b[0m") if decorated(sys.stderr) else ("", "")
        note(f"{red}error:{bold_off} {error.message}")
        if hint := getattr(error, "hint", ""):
            note(f"  help: {hint}")
    return code


def _fields(error: NewapiError, code: ExitCode) -> dict[str, Any]:
    problems = error.problems if isinstance(error, ConfigError) else [error]
    told: dict[str, Any] = _one(problems[0] if problems else error, code)
    if len(problems) > 1:
        told["problems"] = [_one(problem, code) for problem in problems]
    return told


def _one(error: NewapiError, code: ExitCode) -> dict[str, Any]:
    location = None
    if isinstance(error, Problem) and error.file:
        location = {"file": error.file, "line": error.line, "column": error.column}
    return {
        "code": error.code,
        "message": error.message,
        "hint": getattr(error, "hint", ""),
        "exit": int(code),
        "location": location,
    }
