"""What hypothesis makes for tests that feed anything at all."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st


def fed(examples: int) -> settings:
    """Return how a running server is fed: the same examples each time, and none made smaller.

    The state of before is a part of what went wrong, so a smaller example says little.
    """
    return settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=[*HealthCheck],
    )


NASTY = (
    "",
    "\x00",
    "a\x00b",
    "\ud800",
    "é\u202e",
    "%",
    "_",
    "'; --",
    "[",
    "{",
    "{}",
    "[]",
    "[1]",
    '{"a": {"b": []}}',
    '{"operations": 3}',
    "null",
    "true",
    "-1",
    "0",
    "1",
    "9" * 18,
    "9" * 40,
    "1e999",
    "NaN",
    "env:NOTHING",
    "file:/dev/null",
    "data:image/png;base64,",
    "http://[",
    "a" * 5000,
)
HUGE = (0, 1, -1, 2, 10, 100, 2**31, 2**53, 2**63 - 1, 2**63, -(2**63), 2**64 - 1, 10**40, 1.5, -0.0, 1e308, 1e17)


def texts() -> st.SearchStrategy[str]:
    """Texts, awkward ones often."""
    return st.sampled_from(NASTY) | st.text(st.characters(exclude_categories=[]), max_size=20)


def scalars() -> st.SearchStrategy[Any]:
    """JSON's scalars."""
    return st.none() | st.booleans() | st.sampled_from(HUGE) | texts()


def values(leaves: int = 8) -> st.SearchStrategy[Any]:
    """JSON of any shape."""
    return st.recursive(
        scalars(),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts(), inner, max_size=4),
        max_leaves=leaves,
    )


def shaped(schema: Any) -> st.SearchStrategy[Any]:
    """JSON that fits a JSON Schema most of the time, and any other now and then."""
    return st.one_of(_fitting(schema), _fitting(schema), _fitting(schema), values(3))


def _fitting(schema: Any) -> st.SearchStrategy[Any]:
    if "const" in schema:
        return st.just(schema["const"])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if "anyOf" in schema:
        return st.one_of([_fitting(s) for s in schema["anyOf"]])
    match schema.get("type"):
        case "object":
            properties = {name: shaped(s) for name, s in schema.get("properties", {}).items()}
            required = {name: properties.pop(name) for name in schema.get("required", ())}
            return st.fixed_dictionaries(required, optional=properties)
        case "array" if "prefixItems" in schema:
            return st.tuples(*map(shaped, schema["prefixItems"])).map(list)
        case "array":
            return st.lists(shaped(schema.get("items", {})), max_size=3)
        case "integer":
            return st.integers(0, 5) | st.sampled_from([h for h in HUGE if isinstance(h, int)])
        case "number":
            return st.sampled_from(HUGE)
        case "boolean":
            return st.booleans()
        case "null":
            return st.none()
        case "string":
            return texts()
        case _:
            return values(4)


def encoded(value: Any) -> bytes:
    """Return JSON; surrogates that stand alone as escapes, which is the only way to send them."""
    import json

    try:
        return msgspec.json.encode(value)
    except (UnicodeEncodeError, OverflowError, ValueError):
        return json.dumps(value).encode()


def not_json() -> st.SearchStrategy[bytes]:
    """Bytes that are no JSON, or only just."""
    return st.sampled_from(
        [
            b"",
            b"{",
            b"[" * 5000,
            b'{"a":' * 5000,
            b"[" * 900 + b"]" * 900,
            b'{"a":' * 900 + b"1" + b"}" * 900,
            b"\xff\xfe",
            b'"\\ud800"',
            b'{"model": "\xff"}',
            b"NaN",
            b"{}{}",
            b"null",
            b"1e400",
            b"-",
            b"model=a&prompt=b",
        ]
    ) | st.binary(max_size=40)


def _spots(value: Any, spot: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [spot]
    if isinstance(value, dict):
        for name, inner in value.items():
            found += _spots(inner, (*spot, name))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            found += _spots(inner, (*spot, number))
    return found


_AWAY = object()


def _with(value: Any, spot: tuple[Any, ...], new: Any) -> Any:
    if not spot:
        return None if new is _AWAY else new
    first, rest = spot[0], spot[1:]
    if new is _AWAY and not rest:
        return {k: v for k, v in value.items() if k != first} if isinstance(value, dict) else value[:first]
    if isinstance(value, dict):
        return {k: _with(v, rest, new) if k == first else v for k, v in value.items()}
    return [_with(v, rest, new) if i == first else v for i, v in enumerate(value)]


@st.composite
def damaged(draw: st.DrawFn, example: Any) -> Any:
    """Something like `example`: in one to three places anything else, or nothing, or another part of it."""
    value = example
    for _ in range(draw(st.integers(1, 3))):
        spots = _spots(value)
        spot = draw(st.sampled_from(spots))
        other = draw(st.sampled_from(spots))
        moved: Any = value
        for step in other:
            moved = moved[step]
        value = _with(value, spot, draw(st.one_of(scalars(), values(3), st.just(_AWAY), st.just(moved))))
    return value
