"""Paths into a JSON value, in the words of New API's operations: `messages.-1.content`, `tools.*.function.name`.

Dots separate, a backslash takes the next character as it is. Numbers index lists, negative ones from the end. `*` is
every element or member. Where one reads, `#` is every element (at the end: their number), `#(role=="user")` the first
that matches and `#(…)#` all that do.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterator
from typing import Any, Literal, cast

import msgspec
from msgspec import Struct

MAX_PADDING = 10_000
"""How far beyond the end of a list an index may be set: what is between becomes null."""

Kind = Literal["key", "any", "each", "first", "all"]


class PathError(Exception):
    """A path that makes no sense, or not in this value; the message says why."""


class Query(Struct, frozen=True):
    """What is between the parentheses of `#(…)`: a path within an element, and what it is compared with."""

    path: Path
    op: str = ""
    value: Any = None


class Segment(Struct, frozen=True):
    """One step of a path."""

    text: str
    kind: Kind = "key"
    query: Query | None = None
    pattern: str = ""
    """A glob for keys (`gpt*`), where one reads."""


class Path(Struct, frozen=True):
    """A path, taken apart once."""

    text: str
    segments: tuple[Segment, ...]

    @property
    def many(self) -> bool:
        """Whether it may mean several places, or a place that has to be looked for."""
        return any(s.kind != "key" for s in self.segments)


_NUMBER = re.compile(r"\d+")
_INDEX = re.compile(r"-?\d+")
_QUERY = re.compile(r"^(.*?)\s*(==|!=|<=|>=|!%|<|>|=|%)\s*(.*)$", re.DOTALL)


def parse(text: str) -> Path:
    """Return `text` taken apart.

    Raises:
        PathError: A query that does not end, or a modifier (`@…`), which is not known here.
    """
    return Path(text, tuple(_segment(raw) for raw in _split(text)) if text else ())


def _split(text: str) -> Iterator[str]:
    piece, depth, quoted, i = "", 0, False, 0
    while i < len(text):
        c = text[i]
        if c == "\\" and i + 1 < len(text):
            piece += text[i : i + 2]
            i += 2
            continue
        if depth and c == '"':
            quoted = not quoted
        elif c == "(" and not quoted and (depth or piece == "#"):
            depth += 1
        elif c == ")" and depth and not quoted:
            depth -= 1
        if c in ".|" and not depth:
            yield piece
            piece = ""
        else:
            piece += c
        i += 1
    if depth:
        raise PathError(f"the query in {text!r} does not end")
    yield piece


def _segment(raw: str) -> Segment:
    if raw == "*":
        return Segment(raw, "any")
    if raw == "#":
        return Segment(raw, "each")
    if raw.startswith("#("):
        every = raw.endswith(")#")
        inner = raw[2 : -2 if every else -1]
        return Segment(raw, "all" if every else "first", _query(inner))
    if raw.startswith("@"):
        raise PathError(f"modifiers like {raw!r} are not known")
    glob = re.search(r"(?<!\\)[*?]", raw) is not None
    text = re.sub(r"\\(.)", r"\1", raw)
    return Segment(text, pattern=re.sub(r"\\(.)", r"[\1]", raw) if glob else "")


def _query(text: str) -> Query:
    found = _QUERY.match(text.strip())
    if found is None:
        return Query(parse(text.strip()))
    path, op, value = found.groups()
    try:
        wanted: Any = msgspec.json.decode(value)
    except msgspec.DecodeError:
        wanted = value
    return Query(parse(path), "==" if op == "=" else op, wanted)


# -- reading --------------------------------------------------------------------------------


def find(root: Any, path: Path) -> tuple[bool, Any]:
    """Return (True, the value there), or (False, None)."""
    return _find(root, path.segments)


def _find(node: Any, segments: tuple[Segment, ...]) -> tuple[bool, Any]:
    for i, segment in enumerate(segments):
        rest = segments[i + 1 :]
        match segment.kind:
            case "key":
                found, node = _child(node, segment)
                if not found:
                    return False, None
            case "any":
                if not isinstance(node, dict) or not node:
                    return False, None
                node = next(iter(cast("dict[str, Any]", node).values()))
            case "each":
                if not isinstance(node, list):
                    return False, None
                items = cast("list[Any]", node)
                return (True, _collect(items, rest)) if rest else (True, len(items))
            case "first" | "all":
                if not isinstance(node, list):
                    return False, None
                matching = [v for v in cast("list[Any]", node) if _matches(v, segment.query)]
                if segment.kind == "all":
                    return True, (_collect(matching, rest) if rest else matching)
                if not matching:
                    return False, None
                node = matching[0]
    return True, node


def _collect(items: list[Any], rest: tuple[Segment, ...]) -> list[Any]:
    found = (_find(v, rest) for v in items)
    return [value for there, value in found if there]


def _child(node: Any, segment: Segment) -> tuple[bool, Any]:
    if isinstance(node, dict):
        members = cast("dict[str, Any]", node)
        key = _key(segment.text)
        if key in members:
            return True, members[key]
        if segment.pattern:
            name = next((k for k in members if fnmatch.fnmatchcase(k, segment.pattern)), None)
            return (True, members[name]) if name is not None else (False, None)
        return False, None
    if isinstance(node, list):
        items = cast("list[Any]", node)
        index = _position(items, segment.text)
        if index is not None and index < len(items):
            return True, items[index]
    return False, None


def _key(text: str) -> str:
    """A leading colon says that a number is a key."""
    return text[1:] if text.startswith(":") and len(text) > 1 else text


def _position(items: list[Any], text: str) -> int | None:
    """Return the index that `text` means, which may be beyond the end; None when it means none."""
    if not _INDEX.fullmatch(text):
        return None
    index = int(text)
    if index < 0:
        index += len(items)
        return index if index >= 0 else None
    return index


def _matches(value: Any, query: Query | None) -> bool:
    if query is None:
        return False
    there, found = find(value, query.path)
    if not there:
        return False
    wanted = query.value
    match query.op:
        case "":
            return True
        case "==":
            return _equal(found, wanted)
        case "!=":
            return not _equal(found, wanted)
        case "%" | "!%":
            like = isinstance(found, str) and fnmatch.fnmatchcase(found, str(wanted))
            return like == (query.op == "%")
        case _:
            return _ordered(found, query.op, wanted)


def _equal(a: Any, b: Any) -> bool:
    return isinstance(a, bool) == isinstance(b, bool) and a == b


def _ordered(a: Any, op: str, b: Any) -> bool:
    numbers = all(isinstance(v, int | float) and not isinstance(v, bool) for v in (a, b))
    if not numbers and not (isinstance(a, str) and isinstance(b, str)):
        return False
    return (a < b) if op == "<" else (a <= b) if op == "<=" else (a > b) if op == ">" else (a >= b)


# -- writing --------------------------------------------------------------------------------

Steps = tuple[str, ...]


def places(root: Any, path: Path) -> list[Steps]:
    """Return the places `path` means in `root`, in their order there.

    A path without `*` is one place, whether it exists or not. Of others, only those whose parents exist; the last step
    may be absent from an object, not from a list.
    """
    if not path.many:
        return [tuple(s.text for s in path.segments)]
    return list(_places(root, path.segments, ()))


def _places(node: Any, segments: tuple[Segment, ...], before: Steps) -> Iterator[Steps]:
    if not segments:
        yield before
        return
    segment, rest = segments[0], segments[1:]
    if segment.kind == "key":
        there, child = _child(node, segment)
        if there:
            yield from _places(child, rest, (*before, segment.text))
        elif not rest and isinstance(node, dict):
            yield (*before, segment.text)
    elif isinstance(node, list):
        for i, value in enumerate(cast("list[Any]", node)):
            if segment.query is None or _matches(value, segment.query):
                yield from _places(value, rest, (*before, str(i)))
                if segment.kind == "first":
                    return
    elif isinstance(node, dict) and segment.kind == "any":
        members = cast("dict[str, Any]", node)
        for key in sorted(members):
            # A colon keeps a number a key.
            yield from _places(members[key], rest, (*before, f":{key}" if key[:1] in ":-0123456789" else key))


def at(root: Any, steps: Steps) -> tuple[bool, Any]:
    """Return (True, the value at `steps`), or (False, None)."""
    node = root
    for text in steps:
        there, node = _child(node, Segment(text))
        if not there:
            return False, None
    return True, node


def put(root: dict[str, Any], steps: Steps, value: Any) -> None:
    """Set the value at `steps`; parents that are missing, or hold a plain value, are made.

    Raises:
        PathError: No steps; a word where a list wants a number; a number far beyond the end of a list.
    """
    if not steps:
        raise PathError("the path is empty")
    node: Any = root
    for i, text in enumerate(steps):
        last = i == len(steps) - 1
        there, child = _child(node, Segment(text))
        if not last and not (there and isinstance(child, dict | list)):
            child = [] if _NUMBER.fullmatch(steps[i + 1]) or steps[i + 1] == "-1" else {}
        elif last:
            child = value
        if isinstance(node, dict):
            cast("dict[str, Any]", node)[_key(text)] = child
        else:
            _put_item(cast("list[Any]", node), text, child)
        node = child


def _put_item(items: list[Any], text: str, value: Any) -> None:
    index = _position(items, text)
    if index is None and text == "-1":
        index = len(items)
    if index is None:
        raise PathError(f"{text!r} is no place in a list of {len(items)}")
    if index - len(items) > MAX_PADDING:
        raise PathError(f"{text!r} is too far beyond the end of a list of {len(items)}")
    items.extend([None] * (index + 1 - len(items)))
    items[index] = value


def remove(root: Any, steps: Steps) -> None:
    """Remove what is at `steps`, if anything is."""
    if not steps:
        return
    there, parent = at(root, steps[:-1])
    if not there:
        return
    if isinstance(parent, dict):
        cast("dict[str, Any]", parent).pop(_key(steps[-1]), None)
    elif isinstance(parent, list):
        items = cast("list[Any]", parent)
        index = _position(items, steps[-1])
        if index is not None and index < len(items):
            del items[index]
