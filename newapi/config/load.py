"""Read the configuration: find its file, merge what it includes, check the shape and the sense of it."""

from __future__ import annotations

import os
import re
import sys
import tomllib
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import msgspec
from msgspec import Struct

from newapi.base.errors import ConfigError, Problem
from newapi.billing.book import PriceBook, Tables
from newapi.config import positions
from newapi.config.check import check
from newapi.config.findings import Findings, Places, Source, dotted, mask, mask_unread
from newapi.config.read import read
from newapi.config.schema import Config

STDIN = Path("-")

_NAMED = ("groups", "models", "channels", "tokens")
_GLOB = re.compile(r"[*?\[]")
_PLACE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")


class Loaded(Struct, frozen=True):
    """A configuration that was read.

    Attributes:
        config: What it says.
        path: Its file; `-` for standard input.
        files: Every file that was read, its own first.
        places: Where each of its keys is.
    """

    config: Config
    path: Path
    files: tuple[Path, ...]
    places: Places


def find(path: Path | None = None) -> Path:
    """Return the configuration's file: `path` where it is given, else the first there is of the usual places.

    Raises:
        ConfigError: There is none.
    """
    if path is not None:
        return path
    if said := os.environ.get("NEWAPI_CONFIG"):
        return Path(said)
    home = Path(os.environ.get("XDG_CONFIG_HOME") or Path("~/.config").expanduser())
    usual = [Path("config.toml"), home / "newapi" / "config.toml", Path("/etc/newapi/config.toml")]
    for candidate in usual:
        if candidate.is_file():
            return candidate
    hint = f"looked at {', '.join(map(str, usual))}; --config or NEWAPI_CONFIG says where it is"
    raise ConfigError([Problem("there is no configuration", hint=hint)])


def load(
    path: Path | None = None,
    text: str | None = None,
    *,
    also: Sequence[Path] = (),
    has_price: Callable[[str], bool] | None = None,
) -> Loaded:
    """Return the configuration in a file, in what it includes, and in other files beside it.

    Args:
        path: The file; `-` is standard input; None looks at the usual places.
        text: What the file says, where that is known already.
        also: Files that are read as if the first one included them.
        has_price: Whether a model has a price; None asks the tables that the configuration names.

    Raises:
        ConfigError: It is not valid: every problem, in the order of the file.
    """
    files = _Files()
    path = find(path)
    data = files.main(path, text, also)
    findings = files.findings
    config = read(data, findings)
    check(config, data, findings, has_price=has_price or _prices(config, path, findings))
    findings.stop(files.names)
    return Loaded(config, path, tuple(files.paths), files.places)


def load_server(path: Path | None = None) -> Loaded:
    """Return the configuration with `[server]` alone: for commands that work while the rest is being edited.

    Raises:
        ConfigError: There is no file, it is not TOML, or `[server]` is not valid.
    """
    files = _Files()
    path = find(path)
    data = {key: value for key, value in files.main(path, None).items() if key == "server"}
    config = read(data, files.findings)
    check(config, data, files.findings)
    files.findings.stop(files.names)
    return Loaded(config, path, tuple(files.paths), files.places)


def read_text(path: Path) -> str:
    """Return what is in the file at `path`; `-` is standard input.

    Raises:
        ConfigError: It cannot be read.
    """
    return _read(path, "<stdin>" if path == STDIN else str(path))


def check_syntax(path: Path, text: str) -> None:
    """Return when `text`, of the file at `path`, is TOML.

    Raises:
        ConfigError: It is not.
    """
    try:
        tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        source = Source("<stdin>" if path == STDIN else str(path), text)
        said = "It is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise ConfigError([_syntax(source, said)]) from None


def _prices(config: Config, path: Path, findings: Findings) -> Callable[[str], bool] | None:
    """Return what knows whether a model has a price; None where the file with the prices cannot be read."""
    prices = config.billing.prices
    try:
        tables = price_tables(prices, path.parent)
    except OSError as error:
        hint = '"builtin", "none", or a file with prices'
        message = f"the prices in {prices}: {(error.strerror or 'cannot be read').lower()}"
        findings.add(("billing", "prices"), message, hint)
        return None
    except ValueError as error:
        findings.add(("billing", "prices"), f"the prices in {prices} are not in the form of New API's: {error}")
        return None
    return PriceBook(config.models, prices=prices, tables=tables).has_price


def price_tables(prices: str, directory: Path) -> Tables | None:
    """Return the tables of the file that `billing.prices` names; None where it names none.

    Args:
        prices: `builtin`, `none`, or a file.
        directory: What the file's path is relative to: the configuration's.

    Raises:
        OSError: The file cannot be read.
        ValueError: It is not in the form of New API's tables.
    """
    if prices in ("builtin", "none"):
        return None
    try:
        return Tables(msgspec.json.decode((directory / prices).read_bytes(), type=dict[str, Any]))
    except (msgspec.DecodeError, ArithmeticError, AttributeError, TypeError) as error:
        raise ValueError(str(error)) from error


class _Files:
    """The files of one configuration, merged."""

    def __init__(self) -> None:
        self.places = Places()
        self.findings = Findings(self.places)
        self.paths: list[Path] = []
        self.names: list[str] = []

    def main(self, path: Path, text: str | None, also: Sequence[Path] = ()) -> dict[str, Any]:
        """Return what the file at `path` and those that it includes say together.

        Raises:
            ConfigError: One of them cannot be read, or is not TOML.
        """
        merged = self._parse(path, text)
        for i, pattern in enumerate(_patterns(merged)):
            directory = Path() if path == STDIN else path.parent
            found = sorted(directory.glob(pattern)) if not Path(pattern).is_absolute() else _absolute(pattern)
            if not found and not _GLOB.search(pattern):
                self.findings.add(("include", i), f"there is no file {directory / pattern}")
            for part in found:
                if part not in self.paths:
                    self._merge(merged, self._parse(part, None), self.names[-1])
        for part in also:
            self._merge(merged, self._parse(part, None), self.names[-1])
        return merged

    def _parse(self, path: Path, text: str | None) -> dict[str, Any]:
        name = "<stdin>" if path == STDIN else str(path)
        if text is None:
            text = _read(path, name)
        source = Source(name, text)
        try:
            data = tomllib.loads(text, parse_float=Decimal)
            marks = positions.scan(text)
        except tomllib.TOMLDecodeError as error:
            raise ConfigError([_syntax(source, str(error))]) from None
        except RecursionError:
            raise ConfigError([_syntax(source, "It is nested too deeply")]) from None
        self.paths.append(path)
        self.names.append(name)
        if len(self.paths) > 1:
            self._twice(source, marks, data)
        self.places.add(source, marks)
        return data

    def _twice(self, source: Source, marks: dict[positions.Path, positions.Mark], data: dict[str, Any]) -> None:
        """Note what an included file says that was said before: names, and keys of sections."""
        for kind, table in data.items():
            if kind == "include":
                mark = marks[kind,]
                problem = Problem("an included file includes others", file=source.name, key="include")
                problem.line, problem.column, problem.source = mark.line, mark.column, mask(source.line(mark.line))
                problem.hint = "let the first file include them all"
                self.findings.add_known(problem)
            for name in cast(dict[str, Any], table) if isinstance(table, dict) else ():
                before = self.places.find((kind, name)) if self.places.has((kind, name)) else None
                if before is None:
                    continue
                mark = marks[kind, name]
                there, first = before
                self.findings.add_known(
                    Problem(
                        f"`{dotted((kind, name))}` is declared twice",
                        file=source.name,
                        line=mark.line,
                        column=mark.column,
                        key=dotted((kind, name)),
                        hint=f"first at {there.name}:{first.line}:{first.column}",
                        source=mask(source.line(mark.line)),
                    )
                )

    def _merge(self, merged: dict[str, Any], data: dict[str, Any], name: str) -> None:
        for key, value in data.items():
            known = merged.get(key)
            if isinstance(value, dict) and isinstance(known, dict):
                table = cast(dict[str, Any], known)
                merged[key] = {**cast(dict[str, Any], value), **table}
            elif key not in merged:
                merged[key] = value
            elif key not in ("version", "include"):
                problem = Problem(f"`{key}` is said twice", file=name, key=key, hint="let one file say it")
                self.findings.add_known(problem)


def _patterns(data: dict[str, Any]) -> list[str]:
    """Return `include`, as far as it has the right shape; that it has not is told later, with everything else."""
    found = data.get("include")
    return [p for p in cast(list[Any], found) if isinstance(p, str) and p] if isinstance(found, list) else []


def _absolute(pattern: str) -> list[Path]:
    root = Path(Path(pattern).anchor)
    return sorted(root.glob(str(Path(pattern).relative_to(root))))


def _read(path: Path, name: str) -> str:
    if path == STDIN:
        return sys.stdin.read()
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        reason = (error.strerror or "cannot be read").lower()
        hint = "config.example.toml shows one that works" if isinstance(error, FileNotFoundError) else ""
        raise ConfigError([Problem(f"{name}: {reason}", file=name, hint=hint)]) from None
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        raise ConfigError([Problem("the file is not UTF-8", file=name, line=line, column=1)]) from None


def _syntax(source: Source, message: str) -> Problem:
    """Return the problem that the parser of TOML told."""
    found = _PLACE.search(message)
    said = _PLACE.sub("", message)
    if found and found[1]:
        line, column = int(found[1]), int(found[2])
    else:
        line = source.text.rstrip("\n").count("\n") + 1
        column = len(source.line(line)) + 1
    hint = _SYNTAX_HINTS.get(said, "")
    text = f"this is not TOML: {said[:1].lower()}{said[1:]}"
    return Problem(text, file=source.name, line=line, column=column, hint=hint, source=mask_unread(source.line(line)))


_QUOTE_TEXT = 'text stands between quotes, as in name = "text"'
_QUOTE_NAME = (
    'a name with other characters than letters, digits, - and _ stands between quotes, as in [models."gpt-4.1"]'
)
_SYNTAX_HINTS = {
    "Invalid value": _QUOTE_TEXT,
    "Expected newline or end of document after a statement": _QUOTE_TEXT,
    "Expected '=' after a key in a key/value pair": _QUOTE_NAME,
    "Expected ']' at the end of a table declaration": _QUOTE_NAME,
}
