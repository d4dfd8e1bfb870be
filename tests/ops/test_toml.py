from __future__ import annotations

import tomllib
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newapi.ops.toml import key, value_of

VALUES = st.recursive(
    st.one_of(st.booleans(), st.integers(-(2**60), 2**60), st.floats(allow_nan=False, allow_infinity=False), st.text()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.text(), VALUES)
def test_what_is_written_is_read(name: str, value: Any) -> None:
    assert tomllib.loads(f"{key(name)} = {value_of('', value)}") == {name: value}


@pytest.mark.parametrize(
    ("path", "value", "text"),
    [
        ("tokens.quota", Decimal("10.00"), '"$10"'),
        ("tokens.budget", {"day": Decimal("0.5")}, '{ day = "$0.5" }'),
        ("tokens.budget.day", Decimal(2), '"$2"'),
        ("models.input", Decimal("2.50"), '"$2.5"'),
        ("models.ratio", Decimal("1.250"), "1.25"),
        ("groups.ratio_for", {"x y": Decimal(1)}, '{ "x y" = 1 }'),
        ("health.window", 60.0, '"1m"'),
        ("health.probe_every", 0.0, '""'),
        ("health.window", 0.0, '"0s"'),
        ("tokens.expires", 90 * 86_400.0, '"90d"'),
        ("tokens.expires", datetime(2030, 1, 2, tzinfo=UTC), "2030-01-02T00:00:00+00:00"),
        ("channels.weight", 5, "5"),
        ("channels.models", ("a", "b*"), '["a", "b*"]'),
        ("channels.enabled", False, "false"),
        ("channels.params", {}, "{}"),
    ],
)
def test_values_in_the_files_words(path: str, value: Any, text: str) -> None:
    assert value_of(path, value) == text
