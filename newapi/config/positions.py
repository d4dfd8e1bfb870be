"""Where in a TOML document each key and each value is. TOML's parsers in Python do not say."""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_right
from typing import NamedTuple

Path = tuple[str | int, ...]
"""A value's path: names of keys, and indexes into arrays and arrays of tables."""

_BLANK = re.compile(r"[ \t]*")
_TRIVIA = re.compile(r"(?:[ \t\n]|#[^\n]*)*")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_STRING = re.compile(
    r'"""(?:[^\\]|\\.)*?"""(?:"{1,2})?' r"|'''.*?'''(?:'{1,2})?" r'|"(?:[^"\\\n]|\\.)*"' r"|'[^'\n]*'", re.DOTALL
)
_DATE_AND_TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:[^\s,\]}#]*")
_WORD = re.compile(r"[^\s,\]}#]+")


class Mark(NamedTuple):
    """Where a key and its value begin: line and column, both from 1, columns in characters.

    A table's value is where its key is; so is the key of an array's element where the element is.
    """

    line: int
    column: int
    value_line: int
    value_column: int


def scan(text: str) -> dict[Path, Mark]:
    """Return the place of every key and every element of a document.

    Args:
        text: A document that `tomllib` has parsed: what is not TOML is not noticed here.
    """
    return _Scanner(text.replace("\r\n", "\n")).document()


def repeated(text: str) -> tuple[Path, Mark, Mark] | None:
    """Return the first key, or table, that is said twice, with both its places; None when none is.

    Args:
        text: A document that `tomllib` refuses for that, up to the end of the line where it does.
    """
    scanner = _Scanner(text.replace("\r\n", "\n"))
    scanner.document()
    return scanner.repeated


class _Scanner:
    def __init__(self, text: str) -> None:
        self.repeated: tuple[Path, Mark, Mark] | None = None
        self._said: dict[Path, Mark] = {}  # keys, and tables by their own header
        self._text = text
        self._at = 0
        self._lines = [0, *(m.end() for m in re.finditer("\n", text))]
        self._marks: dict[Path, Mark] = {}
        self._counts: dict[Path, int] = {}  # of the tables in an array of tables, so far

    def document(self) -> dict[Path, Mark]:
        table: Path = ()
        self._skip(_TRIVIA)
        while self._at < len(self._text):
            if self._text[self._at] == "[":
                table = self._header()
            else:
                self._pair(table)
            self._skip(_TRIVIA)
        return self._marks

    def _header(self) -> Path:
        start = self._at
        double = self._text.startswith("[[", self._at)
        self._at += 2 if double else 1
        parts = self._key()
        self._at += 2 if double else 1
        path: Path = ()
        for name, offset in parts[:-1]:
            path = self._last_of((*path, name))
            self._mark(path, offset)
        name, offset = parts[-1]
        path = (*path, name)
        if not double:
            path = self._last_of(path)
            # A table may be named by its parts before it is by itself, and then its own header is the better place.
            self._marks[path] = self._said_at(path, offset, offset)
            return path
        self._mark(path, offset)
        self._counts[path] = self._counts.get(path, 0) + 1
        path = (*path, self._counts[path] - 1)
        self._mark(path, start)
        return path

    def _last_of(self, path: Path) -> Path:
        return (*path, self._counts[path] - 1) if path in self._counts else path

    def _pair(self, table: Path) -> None:
        parts = self._key()
        self._at += 1  # the equals sign
        self._skip(_BLANK)
        path = table
        for name, offset in parts[:-1]:
            path = (*path, name)
            self._mark(path, offset)
        name, offset = parts[-1]
        path = (*path, name)
        self._marks[path] = self._said_at(path, offset, self._at)
        self._value(path)

    def _key(self) -> list[tuple[str, int]]:
        """Read `a . "b"`, with the blanks around it; return its parts, each with where it begins."""
        parts: list[tuple[str, int]] = []
        while True:
            self._skip(_BLANK)
            offset = self._at
            quoted = self._text[self._at] in "\"'"
            raw = self._take(_STRING if quoted else _BARE_KEY)
            parts.append((tomllib.loads(f"k = {raw}")["k"] if quoted else raw, offset))
            self._skip(_BLANK)
            if self._text[self._at] != ".":
                return parts
            self._at += 1

    def _value(self, path: Path) -> None:
        match self._text[self._at]:
            case "[":
                self._array(path)
            case "{":
                self._inline_table(path)
            case '"' | "'":
                self._take(_STRING)
            case _:
                self._take(_DATE_AND_TIME if _DATE_AND_TIME.match(self._text, self._at) else _WORD)

    def _array(self, path: Path) -> None:
        self._at += 1
        index = 0
        while True:
            self._skip(_TRIVIA)
            if self._text[self._at] == "]":
                self._at += 1
                return
            element = (*path, index)
            self._mark(element, self._at)
            self._value(element)
            index += 1
            self._skip(_TRIVIA)
            if self._text[self._at] == ",":
                self._at += 1

    def _inline_table(self, path: Path) -> None:
        self._at += 1
        while True:
            self._skip(_TRIVIA)
            if self._text[self._at] == "}":
                self._at += 1
                return
            self._pair(path)
            self._skip(_TRIVIA)
            if self._text[self._at] == ",":
                self._at += 1

    def _skip(self, what: re.Pattern[str]) -> None:
        found = what.match(self._text, self._at)
        if found:
            self._at = found.end()

    def _take(self, what: re.Pattern[str]) -> str:
        found = what.match(self._text, self._at)
        if not found:
            raise ValueError(f"not TOML at offset {self._at}")
        self._at = found.end()
        return found[0]

    def _mark(self, path: Path, offset: int) -> None:
        """Remember where `path` is, unless it has been met before."""
        self._marks.setdefault(path, self._mark_at(offset, offset))

    def _said_at(self, path: Path, key: int, value: int) -> Mark:
        mark = self._mark_at(key, value)
        if path in self._said and self.repeated is None:
            self.repeated = (path, self._said[path], mark)
        self._said[path] = mark
        return mark

    def _mark_at(self, key: int, value: int) -> Mark:
        return Mark(*self._place(key), *self._place(value))

    def _place(self, offset: int) -> tuple[int, int]:
        line = bisect_right(self._lines, offset)
        return line, offset - self._lines[line - 1] + 1
