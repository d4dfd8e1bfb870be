"""However deep a file is nested: it is read, or it is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from newapi.base.errors import ConfigError
from newapi.config.load import load

CHANNEL = '[channels.a]\ntype = "openai"\nmodels = ["*"]\nparams = { a = %s }\n'


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ("{ a = ", "}")])
def test_any_depth(opening: str, closing: str) -> None:
    told: set[str] = set()
    for depth in range(50, 700):
        try:
            load(Path("x.toml"), CHANNEL % (opening * depth + ("1" if closing == "}" else "") + closing * depth))
        except ConfigError as error:
            told |= {p.message for p in error.problems}
    assert told == {"it is nested too deeply to be read"}
