from __future__ import annotations

import pytest

from newapi.config.findings import dotted, undotted


@pytest.mark.parametrize(
    "path",
    [
        (),
        ("routing",),
        ("channels", "a", "models", 0),
        ("models", "gpt-4.1", "ratio"),
        ("tokens", "x [1] y", "user"),
        ("a", 12),
    ],
)
def test_a_dotted_key_is_read_as_it_was_written(path: tuple[str | int, ...]) -> None:
    assert undotted(dotted(path)) == path
