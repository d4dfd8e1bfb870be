from __future__ import annotations

import tomllib
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from newapi.config.positions import Mark, Path, scan

DOCUMENT = '''\
version = 1  # one
 "a b" . c = { x = [ 1, # here
   2 ], 'y' = """three
lines"""" }

[server]
listen = "x"
[[channels.pool.ops]]
path = 1979-05-27 07:32:00
[channels.pool.ops.when]
a.b = true
[[channels.pool.ops]]
path = '\\'
[channels . "gpt-4.1"]
'''

MARKS: dict[Path, Mark] = {
    ("version",): Mark(1, 1, 1, 11),
    ("a b",): Mark(2, 2, 2, 2),
    ("a b", "c"): Mark(2, 10, 2, 14),
    ("a b", "c", "x"): Mark(2, 16, 2, 20),
    ("a b", "c", "x", 0): Mark(2, 22, 2, 22),
    ("a b", "c", "x", 1): Mark(3, 4, 3, 4),
    ("a b", "c", "y"): Mark(3, 9, 3, 15),
    ("server",): Mark(6, 2, 6, 2),
    ("server", "listen"): Mark(7, 1, 7, 10),
    ("channels",): Mark(8, 3, 8, 3),
    ("channels", "pool"): Mark(8, 12, 8, 12),
    ("channels", "pool", "ops"): Mark(8, 17, 8, 17),
    ("channels", "pool", "ops", 0): Mark(8, 1, 8, 1),
    ("channels", "pool", "ops", 0, "path"): Mark(9, 1, 9, 8),
    ("channels", "pool", "ops", 0, "when"): Mark(10, 20, 10, 20),
    ("channels", "pool", "ops", 0, "when", "a"): Mark(11, 1, 11, 1),
    ("channels", "pool", "ops", 0, "when", "a", "b"): Mark(11, 3, 11, 7),
    ("channels", "pool", "ops", 1): Mark(12, 1, 12, 1),
    ("channels", "pool", "ops", 1, "path"): Mark(13, 1, 13, 8),
    ("channels", "gpt-4.1"): Mark(14, 13, 14, 13),
}


def paths(value: Any, path: Path = ()) -> set[Path]:
    """Return the path of everything in what `tomllib` says."""
    pairs: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found = {path} if path else set[Path]()
    for key, inner in pairs:
        found |= paths(inner, (*path, key))
    return found


def test_every_key_and_value_of_a_document() -> None:
    assert scan(DOCUMENT) == MARKS
    assert paths(tomllib.loads(DOCUMENT)) == MARKS.keys()


def test_lines_that_end_as_on_windows() -> None:
    assert scan(DOCUMENT.replace("\n", "\r\n")) == MARKS


@pytest.mark.parametrize("text", ["", "\n\n", "# nothing", "  \t", "#\r\n"])
def test_nothing(text: str) -> None:
    assert scan(text) == {}


def test_columns_are_characters() -> None:
    assert scan('"ключ" = 1')["ключ",] == Mark(1, 1, 1, 10)


TEXT = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=12)
KEYS = st.one_of(st.from_regex(r"[A-Za-z0-9_-]{1,6}", fullmatch=True), TEXT)
SCALARS = st.one_of(st.integers(-9999, 9999), st.booleans(), st.floats(allow_nan=False, allow_infinity=False), TEXT)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=3)),
    max_leaves=12,
)
BLANKS = st.sampled_from(["", " ", "  ", "\t"])
BREAKS = st.sampled_from(["", " ", "\n", '\n  # a ] comment, "with" = {things}\n'])


class Writer:
    """Writes a document in one of many ways, and remembers where it put what."""

    def __init__(self, data: st.DataObject) -> None:
        self._data = data
        self.text = ""
        self.values: dict[Path, tuple[int, int]] = {}

    def document(self, tables: dict[str, dict[str, Any]], arrays: dict[str, list[dict[str, Any]]]) -> None:
        for name, table in tables.items():
            self._put(f"[{self._blank()}{self._key(name)}{self._blank()}]{self._end()}")
            self._pairs(table, (name,))
        for name, elements in arrays.items():
            for i, element in enumerate(elements):
                self._put(f"[[{self._key(name)}]]{self._end()}")
                self._pairs(element, (name, i))

    def _pairs(self, table: dict[str, Any], path: Path) -> None:
        for key, value in table.items():
            self._put(f"{self._blank()}{self._key(key)}{self._blank()}={self._blank()}")
            self._value(value, (*path, key))
            self._put(self._end())

    def _value(self, value: Any, path: Path) -> None:
        line = self.text.count("\n") + 1
        self.values[path] = (line, len(self.text) - (self.text.rfind("\n") + 1) + 1)
        if isinstance(value, dict):
            self._put("{")
            for i, (key, inner) in enumerate(value.items()):
                self._put(f"{',' if i else ''}{self._blank()}{self._key(key)}{self._blank()}={self._blank()}")
                self._value(inner, (*path, key))
                self._put(self._blank())
            self._put("}")
        elif isinstance(value, list):
            self._put("[")
            for i, inner in enumerate(value):
                self._put(self._data.draw(BREAKS))
                self._value(inner, (*path, i))
                self._put(self._data.draw(BREAKS))
                self._put("," if i + 1 < len(value) else self._data.draw(st.sampled_from(["", ","])))
            self._put(self._data.draw(BREAKS) + "]")
        else:
            self._put(self._scalar(value))

    def _scalar(self, value: Any) -> str:
        if not isinstance(value, str):
            return str(value).lower()
        styles = [self._quoted(value), f'"""\n{value}"""' if '"' not in value and "\\" not in value else ""]
        if "'" not in value:
            styles += [f"'{value}'", f"'''{value}'''"]
        return self._data.draw(st.sampled_from([s for s in styles if s]))

    def _key(self, name: str) -> str:
        bare = name.isascii() and name.replace("-", "_").isidentifier()
        return self._data.draw(st.sampled_from([name, self._quoted(name)])) if bare else self._quoted(name)

    @staticmethod
    def _quoted(text: str) -> str:
        return msgspec.json.encode(text).decode()

    def _blank(self) -> str:
        return self._data.draw(BLANKS)

    def _end(self) -> str:
        return self._data.draw(st.sampled_from(["\n", '  # [a] = "comment\n', "\n\n"]))

    def _put(self, text: str) -> None:
        self.text += text


@given(
    st.dictionaries(KEYS, st.dictionaries(KEYS, VALUES, max_size=3), max_size=3),
    st.dictionaries(KEYS, st.lists(st.dictionaries(KEYS, VALUES, max_size=2), min_size=1, max_size=3), max_size=2),
    st.data(),
)
def test_any_document(
    tables: dict[str, dict[str, Any]], arrays: dict[str, list[dict[str, Any]]], data: st.DataObject
) -> None:
    arrays = {name: elements for name, elements in arrays.items() if name not in tables}
    writer = Writer(data)
    writer.document(tables, arrays)
    said = tomllib.loads(writer.text)
    marks = scan(writer.text)
    assert marks.keys() == paths(said)
    for path, place in writer.values.items():
        assert marks[path][2:] == place
