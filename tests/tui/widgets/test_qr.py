from __future__ import annotations

import pytest
import segno

from newapi.tui.widgets.qr import half_blocks


def test_every_module_is_half_a_character() -> None:
    text = "sk-" + "a1B2" * 12
    lines = half_blocks(text)
    assert len(lines) <= 19, "there is room for it on 24 lines"
    light = {" ": "00", "▄": "01", "▀": "10", "█": "11"}
    rows: list[str] = []
    for line in lines:
        halves = [light[sign] for sign in line]
        rows += ["".join(h[0] for h in halves), "".join(h[1] for h in halves)]
    code = segno.make(text, error="l", boost_error=False, micro=False)
    wanted = ["".join("0" if bit else "1" for bit in row) for row in code.matrix_iter(border=2)]
    assert rows[: len(wanted)] == wanted
    assert set("".join(rows[len(wanted) :])) <= {"1"}


def test_what_is_too_long() -> None:
    with pytest.raises(ValueError, match="Data too large"):
        half_blocks("x" * 4000)
