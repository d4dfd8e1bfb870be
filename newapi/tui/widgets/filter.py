"""The language of filters: what is typed after `/`.

    openai                  somewhere in the row
    !openai                 nowhere in the row
    model:gpt*              a field, with * ? [ab]; without one of them: somewhere in it
    model=gpt-4o            all of it
    state:resting,disabled  one of these
    first>1.5s cost>=$0.01  numbers: durations, dollars, shares (5%), or plain (12k)
    >5s                     any duration of the row; so with $ and %
    !model:gpt* "two words" not so; spaces and signs within quotes

What stands beside each other has to hold together. Case does not count. A field may be cut short, as long as one begins
so.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Literal, TypeAlias

from msgspec import Struct

from newapi.base.nearest import nearest
from newapi.config.values import parse_duration

Kind: TypeAlias = Literal["text", "number", "seconds", "ms", "usd", "share"]
"""What the values of a field are: those of `share` are of 1, those of `usd` US dollars."""
Value: TypeAlias = str | float | bool | Sequence[str] | None
Values: TypeAlias = Callable[[str], Value]
"""Gives the value of a field of the row that is looked at."""
Test: TypeAlias = Callable[[Value], bool]

_OPERATORS: Mapping[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}
_COMPARED = re.compile(r"(?P<field>[A-Za-z_][\w.-]*)?(?P<sign>>=|<=|>|<)(?P<value>.*)", re.DOTALL)
_FIELD = re.compile(r"(?P<field>[A-Za-z_][\w.-]*)(?P<sign>[:=])(?P<value>.*)", re.DOTALL)
_LARGE = {"k": 1e3, "m": 1e6, "g": 1e9}
_NUMBER = re.compile(r"(\d+(?:\.\d+)?|\.\d+)([kmg]?)", re.IGNORECASE)
_PLAIN = re.compile(r"[\w./@-]+")
"""What means itself without quotes."""
_UNITS: Mapping[str, tuple[Kind, ...]] = {"duration": ("seconds", "ms"), "dollars": ("usd",), "share": ("share",)}


class FilterError(ValueError):
    """What was typed is no filter. `start` and `end` say which characters of it."""

    def __init__(self, message: str, start: int, end: int) -> None:
        super().__init__(message)
        self.start, self.end = start, end


class Term(Struct, frozen=True):
    """One condition.

    Attributes:
        tests: The fields to look at, and for each whether its value is meant.
        negative: Whether no value may be meant.
    """

    tests: Mapping[str, Test]
    negative: bool = False

    def holds(self, values: Values) -> bool:
        """Say whether it holds for a row."""
        return self.negative != any(test(values(field)) for field, test in self.tests.items())


class Filter(Struct, frozen=True):
    """Conditions that have to hold together; without one, everything is meant."""

    text: str = ""
    terms: tuple[Term, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.terms)

    def matches(self, values: Values) -> bool:
        """Say whether the row with these values is meant.

        Args:
            values: Gives the value of each field; None is one that the row does not have.
        """
        return all(term.holds(values) for term in self.terms)


def parse(text: str, fields: Mapping[str, Kind]) -> Filter:
    """Return the filter that `text` says.

    Args:
        text: What was typed.
        fields: The fields that rows have, and what their values are.

    Raises:
        FilterError: It says none.
    """
    terms = tuple(_term(word, fields) for word in _words(text))
    return Filter(text.strip(), terms)


def quoted(text: str) -> str:
    """Return `text` as a word, or as the value of a field, that means just it: in quotes where it has signs."""
    # Within quotes there is no way to say a quote: one is any character.
    return text if _PLAIN.fullmatch(text) else '"' + text.replace('"', '"?"') + '"'


# -- words -------------------------------------------------------------------------------------


class _Word(Struct, frozen=True):
    """What stands between two spaces. A character that was quoted means itself: it is kept as one of `text` only.

    Attributes:
        text: Without the quotes.
        bare: As `text`, but NUL for each character that was quoted.
        start, end: Where it stands.
    """

    text: str
    bare: str
    start: int
    end: int

    def error(self, message: str) -> FilterError:
        return FilterError(message, self.start, self.end)

    def since(self, at: int) -> _Word:
        return _Word(self.text[at:], self.bare[at:], self.start, self.end)

    def split(self, sign: str) -> list[_Word]:
        found: list[_Word] = []
        start = 0
        for at, char in enumerate(self.bare + sign):
            if char == sign:
                found.append(_Word(self.text[start:at], self.bare[start:at], self.start, self.end))
                start = at + 1
        return found


def _words(text: str) -> Iterator[_Word]:
    at = 0
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        start, said, bare = at, "", ""
        while at < len(text) and not text[at].isspace():
            if text[at] != '"':
                said, bare, at = said + text[at], bare + text[at], at + 1
                continue
            end = text.find('"', at + 1)
            if end < 0:
                raise FilterError("The quote is not closed", at, len(text))
            quoted = text[at + 1 : end]
            said, bare, at = said + quoted, bare + "\0" * len(quoted), end + 1
        yield _Word(said, bare, start, at)


def _term(word: _Word, fields: Mapping[str, Kind]) -> Term:
    negative = word.bare.startswith("!")
    inner = word.since(1) if negative else word
    if not inner.text:
        raise word.error(
            "Write what the row should not have after `!`" if negative else "Nothing is between the quotes"
        )
    if match := _COMPARED.fullmatch(inner.bare):
        return _compared(inner, match, fields, negative=negative)
    if match := _FIELD.fullmatch(inner.bare):
        return _valued(inner, match, fields, negative=negative)
    test = _text_test(inner, whole=False)
    return Term(dict.fromkeys(fields, test), negative)


def _compared(word: _Word, match: re.Match[str], fields: Mapping[str, Kind], *, negative: bool) -> Term:
    compare, value = _OPERATORS[match["sign"]], word.since(match.start("value")).text
    if not value:
        raise word.error(f"Write a number after `{match['sign']}`")
    if match["field"]:
        name = _named(word, match["field"], fields)
        if fields[name] == "text":
            raise word.error(f"{name} is no number: write {name}:{value}")
        return Term({name: _number_test(compare, _amount(word, value, name, fields[name]))}, negative)
    unit, _ = _read(word, value)
    if unit == "plain":
        numbers = [name for name, kind in fields.items() if kind != "text"]
        example = f"write {numbers[0]}{word.text}, or " if numbers else "write "
        raise word.error(f"Which field? {example}a number with a unit: 5s, $1, 5%")
    meant: dict[str, Kind] = {name: kind for name, kind in fields.items() if kind in _UNITS[unit]}
    if not meant:
        raise word.error(f"Nothing here is measured as {value} is")
    return Term(
        {name: _number_test(compare, _amount(word, value, name, kind)) for name, kind in meant.items()}, negative
    )


def _valued(word: _Word, match: re.Match[str], fields: Mapping[str, Kind], *, negative: bool) -> Term:
    name = _named(word, match["field"], fields)
    rest = word.since(match.start("value"))
    whole = match["sign"] == "="
    if fields[name] == "text":
        tests = [_text_test(part, whole=whole or not part.text) for part in rest.split(",")]
        return Term({name: lambda value: any(test(value) for test in tests)}, negative)
    if not rest.text:
        return Term({name: lambda value: value is None}, negative)
    amounts = [_amount(part, part.text, name, fields[name]) for part in rest.split(",")]
    return Term({name: lambda value: isinstance(value, int | float) and value in amounts}, negative)


def _named(word: _Word, field: str, fields: Mapping[str, Kind]) -> str:
    wanted = field.lower()
    if wanted in fields:
        return wanted
    begin = [name for name in fields if name.startswith(wanted)]
    if len(begin) == 1:
        return begin[0]
    if begin:
        raise word.error(f"{field} may be {' or '.join(begin)}")
    near = nearest(wanted, fields)
    hint = f"did you mean {near}?" if near else f"there are {', '.join(fields)}"
    raise word.error(f'There is no field {field}: {hint} Text with a sign in it stands in quotes: "{word.text}"')


# -- values ------------------------------------------------------------------------------------


def _text_test(word: _Word, *, whole: bool) -> Test:
    """Return the test of a text: all of it when there are signs of a pattern, else `whole` or any part of it."""
    if set(word.bare) & set("*?["):
        escaped = (f"[{c}]" if b == "\0" and c in "*?[" else c for c, b in zip(word.text, word.bare, strict=True))
        pattern = "".join(escaped).casefold()
        return lambda value: any(fnmatchcase(text, pattern) for text in _texts(value))
    wanted = word.text.casefold()
    if whole:
        return lambda value: any(text == wanted for text in _texts(value))
    return lambda value: any(wanted in text for text in _texts(value))


def _texts(value: Value) -> Iterator[str]:
    if value is None:
        yield ""
    elif isinstance(value, str):
        yield value.casefold()
    elif isinstance(value, bool):
        yield "yes" if value else "no"
    elif isinstance(value, int | float):
        yield f"{value:g}"
    else:
        yield from (part.casefold() for part in value or ("",))


def _number_test(compare: Callable[[float, float], bool], wanted: float) -> Test:
    return lambda value: isinstance(value, int | float) and compare(value, wanted)


def _amount(word: _Word, text: str, name: str, kind: Kind) -> float:
    """Return what a number means in a field of that kind; one without a unit is in the field's own."""
    unit, value = _read(word, text)
    if unit == "plain":
        return value / 100 if kind == "share" else value
    if kind not in _UNITS[unit]:
        said = {"number": "plain numbers", "usd": "dollars", "share": "percent"}.get(kind, "durations")
        raise word.error(f"{name} has {said}, not {text}")
    return value * 1000 if kind == "ms" else value


def _read(word: _Word, text: str) -> tuple[str, float]:
    """Return the unit of a number (`duration` in seconds, `dollars`, `share` of 1, or `plain`) and its value."""
    lower = text.lower()
    unit, digits = "plain", lower
    if lower.startswith("$"):
        unit, digits = "dollars", lower[1:]
    elif lower.endswith("%"):
        unit, digits = "share", lower[:-1]
    match = _NUMBER.fullmatch(digits)
    # `5m` is five minutes: a million of something is written 5M where no unit is said.
    if match and (unit != "plain" or match[2] != "m" or text.endswith("M")):
        value = float(match[1]) * _LARGE.get(match[2], 1)
        return unit, value / 100 if unit == "share" else value
    try:
        return "duration", parse_duration(lower)
    except ValueError:
        raise word.error(f"{text!r} is no number: write 5s, 300ms, $0.10, 5% or 12k") from None
