"""Read the configuration: find its file, merge what it includes, check the shape and the sense of it."""

from __future__ import annotations

import ast
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
from newapi.base.nearest import nearest
from newapi.billing.book import PriceBook, Tables
from newapi.config import positions
from newapi.config.check import check
from newapi.config.findings import Findings, Places, Source, dotted, mask_unread
from newapi.config.read import read
from newapi.config.schema import Config

STDIN = Path("-")

_GLOB = re.compile(r"[*?\[]")
_PATH = re.compile(r"\((?:'[^']*'(?:, |,?\)))+")
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
    _parsed(Source("<stdin>" if path == STDIN else str(path), text))


def _prices(config: Config, path: Path, findings: Findings) -> Callable[[str], bool] | None:
    """Return what knows whether a model has a price; None where the file with the prices cannot be read."""
    prices = config.billing.prices
    try:
        tables = price_tables(prices, path.parent)
    except OSError as error:
        hint = '"builtin", "none", or a file with prices'
        message = f"the prices in {prices}: {str(error.strerror).lower()}"
        findings.add(("billing", "prices"), message, hint)
        return None
    except ValueError as error:
        message = f"the prices in {prices} are not in the form of New API's: {error}"
        findings.add(("billing", "prices"), message, 'as in {"model_ratio": {"gpt-4o": 1.25}}')
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
    except msgspec.DecodeError as error:
        raise ValueError(str(error)) from error
    except (ArithmeticError, AttributeError, TypeError) as error:
        raise ValueError("a table has a number for each model") from error


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
        source, merged = self._parse(path, text)
        self.places.add(source)
        for i, pattern in enumerate(_patterns(merged)):
            directory = Path() if path == STDIN else path.parent
            found = sorted(directory.glob(pattern)) if not Path(pattern).is_absolute() else _absolute(pattern)
            if not found and not _GLOB.search(pattern):
                hint = "it is looked for beside this file; a pattern like conf.d/*.toml may find nothing"
                self.findings.add(("include", i), f"there is no file {directory / pattern}", hint)
            for part in found:
                if part not in self.paths:
                    self._merge(merged, part)
        for part in also:
            self._merge(merged, part)
        return merged

    def _parse(self, path: Path, text: str | None) -> tuple[Source, dict[str, Any]]:
        name = "<stdin>" if path == STDIN else str(path)
        if text is None:
            text = _read(path, name)
        source = Source(name, text)
        data = _parsed(source)
        self.paths.append(path)
        self.names.append(name)
        return source, data

    def _merge(self, merged: dict[str, Any], path: Path) -> None:
        """Add what another file says; note what was said before: names, and keys of sections."""
        source, data = self._parse(path, None)
        for key, value in data.items():
            known = merged.get(key)
            if key == "include":
                hint = "let the first file include them all"
                self._note(source, (key,), "an included file includes others", hint)
            elif isinstance(value, dict) and isinstance(known, dict):
                table = cast(dict[str, Any], known)
                for name in cast(dict[str, Any], value):
                    if name in table:
                        self._note(source, (key, name), f"`{dotted((key, name))}` is declared twice")
                merged[key] = {**cast(dict[str, Any], value), **table}
            elif key not in merged:
                merged[key] = value
            elif key != "version":
                self._note(source, (key,), f"`{key}` is said twice")
        self.places.add(source)

    def _note(self, source: Source, path: positions.Path, message: str, hint: str = "") -> None:
        """Note a problem with a key of a file that is not among the places yet."""
        places = Places()
        places.add(source)
        if not hint and (before := self.places.find(path)):
            there, first = before
            hint = f"first at {there.name}:{first.line}:{first.column}"
        self.findings.add_known(places.problem(path, message, hint, at_key=True))


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
        return path.read_text(encoding="utf-8-sig")  # some editors begin a file with the mark of UTF-8
    except OSError as error:
        reason = str(error.strerror).lower()
        hint = _near(path) if isinstance(error, FileNotFoundError) else ""
        hint = "a pattern names the files in it, as in conf.d/*.toml" if isinstance(error, IsADirectoryError) else hint
        raise ConfigError([Problem(f"{name}: {reason}", file=name, hint=hint)]) from None
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        hint = "save it as UTF-8"
        raise ConfigError([Problem("the file is not UTF-8", file=name, line=line, column=1, hint=hint)]) from None


def _near(path: Path) -> str:
    """Return what to do about a file that is not there."""
    beside = [p.name for p in path.parent.glob("*.toml")] if path.parent.is_dir() else []
    near = nearest(path.name, beside)
    return f"did you mean {path.with_name(near)}?" if near else "config.example.toml shows one that works"


def _parsed(source: Source) -> dict[str, Any]:
    """Return what a file says.

    Raises:
        ConfigError: It is not TOML.
    """
    try:
        return tomllib.loads(source.text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([_syntax(source, str(error))]) from None
    except RecursionError:
        hint = "no configuration needs more than a few tables in one another"
        raise ConfigError([Problem("it is nested too deeply to be read", file=source.name, hint=hint)]) from None


def _syntax(source: Source, message: str) -> Problem:
    """Return the problem that the parser of TOML told."""
    found = _PLACE.search(message)
    said = _PATH.sub(lambda m: f"`{dotted(ast.literal_eval(m[0]))}`", _PLACE.sub("", message))
    if found and found[1]:
        line, column = int(found[1]), int(found[2])
    else:
        line = source.text.rstrip("\n").count("\n") + 1
        column = len(source.line(line)) + 1
    if again := _again(source, said, line):
        return again
    text = f"this is not TOML: {said[:1].lower()}{said[1:]}"
    hint = _syntax_hint(said, source.line(line), column)
    return Problem(text, file=source.name, line=line, column=column, hint=hint, source=mask_unread(source.line(line)))


def _again(source: Source, said: str, line: int) -> Problem | None:
    """Return the problem of a key or a table that is said twice; None when `said` is about something else."""
    if not said.startswith(("Cannot overwrite a value", "Cannot declare")):
        return None
    found = positions.repeated("".join(source.text.splitlines(keepends=True)[:line]))
    if found is None:
        return None
    path, first, mark = found
    return Problem(
        f"`{dotted(path)}` is declared twice",
        file=source.name,
        line=mark.line,
        column=mark.column,
        key=dotted(path),
        hint=f"first at {source.name}:{first.line}:{first.column}",
        source=mask_unread(source.line(mark.line)),
    )


def _syntax_hint(said: str, line: str, column: int) -> str:
    """Return what to do about what is not TOML; the parser stopped at `column`."""
    rest = line[column - 1 :]
    if rest[:1] == ":":
        return "a key and its value stand on both sides of `=`, not `:`"
    if rest.strip("]") == "" and said.startswith("Expected ']]'"):
        return "it begins with [[ and ends with ]]"
    if "=" not in rest and said.startswith("Expected '='"):
        return "a key, then `=`, then its value"
    if said == "Invalid value" and (word := _WORD_VALUE.match(rest)):
        return f"in small letters: {word[0].lower()}"
    if said == "Invalid value" and rest[:1] in "“”„‘’":
        return 'text stands between straight quotes, as in name = "text"'
    return next((hint for begin, hint in _SYNTAX_HINTS if said.startswith(begin)), "")


_WORD_VALUE = re.compile(r"(?:True|False|TRUE|FALSE)\b")
_QUOTE_TEXT = 'text stands between quotes, as in name = "text"'
_QUOTE_NAME = (
    'a name with other characters than letters, digits, - and _ stands between quotes, as in [models."gpt-4.1"]'
)
_SYNTAX_HINTS = (
    ("Invalid value", _QUOTE_TEXT),
    ("Expected newline or end of document after a statement", _QUOTE_TEXT),
    ("Expected '=' after a key in a key/value pair", _QUOTE_NAME),
    ("Expected ']' at the end of a table declaration", _QUOTE_NAME),
    ("Expected ']]' at the end of an array declaration", _QUOTE_NAME),
    ("Invalid initial character for a key part", f"a name is missing; {_QUOTE_NAME}"),
    ("Invalid statement", "a line is a [section], or a key, `=` and its value; a comment begins with #"),
    ("Illegal character", "a text ends with its quote on the line that it begins on"),
    ("Unterminated string", "the quotes that end the text are missing"),
    ("Unescaped", "write a backslash twice, or the text between single quotes, where it is itself"),
    ("Unclosed array", "before this, a comma between two values or the ] at the end is missing"),
    ("Unclosed inline table", "before this, a comma or the } is missing: a table in braces is on one line"),
    ("Duplicate inline table key", "leave one out"),
    ("Cannot overwrite a value", "it has a value that is no table, or is a table already"),
    (
        "Cannot declare",
        "it was declared before, as a table or as a list of tables: [name] is one, [[name]] one of many",
    ),
    ("Cannot mutate immutable namespace", "what stands in braces or brackets is complete: write it all inside of them"),
    ("Invalid date or datetime", "as in 2030-01-31 or 2030-01-31T12:00:00Z"),
)
