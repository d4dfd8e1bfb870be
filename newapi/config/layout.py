"""The canonical layout of a configuration file: what it says stays, comments stay, order stays; only spacing changes.

One blank line before each table (or the comment right above it), never two; no indentation; `key = value`; a comment
after a value begins in the 40th column, or two spaces after a longer line; names without quotes where they need none;
text between double quotes where it is the same text; a list that spans lines has one value a line.
"""

from __future__ import annotations

import re
import tomllib

import msgspec

from newapi.config.values import is_bare

WIDTH = 120
"""A list that is longer than a line of so many characters is broken into lines."""
COMMENT_COLUMN = 39
_INDENT = "    "
_PART = re.compile(r'"(?:[^"\\\n]|\\.)*"|\'[^\'\n]*\'|[A-Za-z0-9_-]+')
_STRING = re.compile(r'"""(?:[^"\\]|\\.|"(?!""))*"{3,5}|\'\'\'.*?\'{3,5}|"(?:[^"\\\n]|\\.)*"|\'[^\'\n]*\'', re.DOTALL)
_PLAIN = re.compile(r"[^\s,\]}#][^,\]}#\n]*")
_KEY = re.compile(rf"[ \t]*(?:{_PART.pattern})(?:[ \t]*\.[ \t]*(?:{_PART.pattern}))*[ \t]*")
_HEAD = re.compile(rf"(\[\[?){_KEY.pattern}(\]\]?)")
_SPACE = re.compile(r"[ \t]*")
_COMMENT = re.compile(r"#[^\n]*")


class _Line(msgspec.Struct):
    """A statement, a comment or a blank line, laid out."""

    kind: str
    text: str = ""


def canonical(text: str) -> str:
    """Return a TOML document in the canonical layout.

    Args:
        text: Valid TOML.

    Raises:
        tomllib.TOMLDecodeError: It is not.
    """
    before = tomllib.loads(text)
    reader = _Reader(text.replace("\r\n", "\n"))
    laid = _spaced(reader.lines())
    if repr(tomllib.loads(laid)) != repr(before):  # repr: nan is not equal to itself
        raise AssertionError("the layout of a configuration changed what it says")
    return laid


def _spaced(lines: list[_Line]) -> str:
    """Return the lines with one blank line wherever there is to be one."""
    out: list[_Line] = []
    for i, line in enumerate(lines):
        if line.kind == "blank":
            after = next((other.kind for other in lines[i:] if other.kind != "blank"), "")
            if not out or out[-1].kind == "blank" or not after or (out[-1].kind == "head" and after == "value"):
                continue
        elif line.kind == "head":
            at = len(out)
            while at and out[at - 1].kind == "comment":
                at -= 1
            if at and out[at - 1].kind != "blank":
                out.insert(at, _Line("blank"))
        out.append(line)
    return "".join(f"{line.text}\n" for line in out)


class _Reader:
    """Reads statements from a text that is known to be TOML."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def lines(self) -> list[_Line]:
        """Return what the document consists of, each laid out by itself."""
        found: list[_Line] = []
        while self._at < len(self._text):
            self._take(_SPACE)
            if self._next("\n"):
                found.append(_Line("blank"))
            elif self._peek() == "#":
                found.append(_Line("comment", self._take(_COMMENT).rstrip()))
                self._next("\n")
            elif self._peek() == "[":
                found.append(_Line("head", self._ended(self._head())))
            elif self._at < len(self._text):
                found.append(_Line("value", self._ended(self._pair(""))))
        return found

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _next(self, character: str) -> bool:
        found = self._peek() == character
        self._at += found
        return found

    def _take(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self._text, self._at)
        if match is None:
            return ""
        self._at = match.end()
        return match[0]

    def _ended(self, text: str) -> str:
        """Return a statement with the comment after it, at its column."""
        self._take(_SPACE)
        comment = self._take(_COMMENT).rstrip()
        self._next("\n")
        return _commented(text, comment)

    def _head(self) -> str:
        raw = self._take(_HEAD)
        opened = "[[" if raw.startswith("[[") else "["
        return f"{opened}{_dotted(raw.strip('[]'))}{']' * len(opened)}"

    def _pair(self, indent: str) -> str:
        key = _dotted(self._take(_KEY))
        self._next("=")
        self._take(_SPACE)
        return f"{key} = {self._value(indent, len(key) + 3)}"

    def _value(self, indent: str, before: int) -> str:
        """Return the value that stands here. `before`: how many characters are to the left of it."""
        if self._peek() == "[":
            return self._list(indent, before)
        if self._peek() == "{":
            return self._table(indent)
        if text := self._take(_STRING):
            is_same = text[0] == "'" and text[:3] != "'''" and not {'"', "\\", "\t"} & set(text)
            return f'"{text[1:-1]}"' if is_same or text == "''" else text
        return self._take(_PLAIN).rstrip()

    def _table(self, indent: str) -> str:
        self._next("{")
        pairs: list[str] = []
        self._take(_SPACE)
        while not self._next("}"):
            pairs.append(self._pair(indent))
            self._take(_SPACE)
            self._next(",")
            self._take(_SPACE)
        return "{ " + ", ".join(pairs) + " }" if pairs else "{}"

    def _list(self, indent: str, before: int) -> str:
        start = self._at
        self._next("[")
        inner = indent + _INDENT
        items: list[tuple[str, str]] = []  # a value and the comment after it; of a line of comment the value is ""
        in_lines = fresh = False
        while True:
            self._take(_SPACE)
            if self._next("\n"):
                in_lines = fresh = True
            elif self._peek() == "#":
                comment = self._take(_COMMENT).rstrip()
                if fresh or not items or items[-1][1]:
                    items.append(("", comment))
                else:
                    items[-1] = (items[-1][0], comment)
                fresh = False
            elif self._next(","):
                continue
            elif self._next("]"):
                break
            else:
                items.append((self._value(inner, len(inner)), ""))
                fresh = False
        line = "[" + ", ".join(value for value, _ in items) + "]"
        is_short = len(indent) + before + len(line) <= WIDTH
        if not items or (not in_lines and (is_short or "\n" in self._text[start : self._at])):
            return line
        rows = [_commented(f"{inner}{value},", comment) if value else inner + comment for value, comment in items]
        return "\n".join(["[", *rows, f"{indent}]"])


def _commented(text: str, comment: str) -> str:
    if not comment:
        return text
    last = text.rpartition("\n")[2]
    return text + " " * max(2, COMMENT_COLUMN - len(last)) + comment


def _dotted(raw: str) -> str:
    """Return a key as it is written, each of its names without quotes where it needs none."""
    return ".".join(_name(part) for part in _PART.findall(raw))


def _name(part: str) -> str:
    if part[0] not in "\"'":
        return part
    name = str(tomllib.loads(f"name = {part}")["name"])
    if is_bare(name):
        return name
    return f'"{name}"' if part[0] == "'" and not {'"', "\\", "\t"} & set(name) else part
