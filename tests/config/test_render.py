from __future__ import annotations

import msgspec
import pytest

from newapi.base.errors import Problem
from newapi.config.render import as_github, as_json, render

WRONG = Problem(
    "`weight` is wrong",
    file="a,b.toml",
    line=12,
    column=10,
    key="channels.a.weight",
    hint="50% is: no number",
    source="weight = -1  # no",
)
NOWHERE = Problem("there is no configuration")


def test_text() -> None:
    assert render([WRONG, NOWHERE]) == (
        "error: `weight` is wrong\n"
        "  --> a,b.toml:12:10\n"
        "   |\n"
        "12 | weight = -1  # no\n"
        "   |          ^^\n"
        "   = help: 50% is: no number\n"
        "\n"
        "error: there is no configuration"
    )


def test_colours_change_nothing_else() -> None:
    coloured = render([WRONG], color=True)
    assert "\x1b[31;1merror\x1b[0m" in coloured
    plain = coloured
    for code in ("\x1b[31;1m", "\x1b[34;1m", "\x1b[32m", "\x1b[1m", "\x1b[0m"):
        plain = plain.replace(code, "")
    assert plain == render([WRONG])


@pytest.mark.parametrize(
    ("source", "column", "carets"),
    [
        ("key = 'a b' # c", 7, "^^^^^"),
        ('a = "x\\"y"', 5, "^^^^^^"),
        ("a = 1.5", 5, "^^^"),
        ("a = [", 5, "^"),
        ("[a.b]", 2, "^"),
        ("[[a.bc]]", 5, "^^"),
        ("a.b = 1", 1, "^"),
        ("\ta = 10", 6, "^^"),
        ("a", 2, "^"),
    ],
)
def test_what_is_underlined(source: str, column: int, carets: str) -> None:
    told = render([Problem("x", file="f", line=1, column=column, source=source)])
    assert told.splitlines()[-1] == "  | " + " " * (column - 1) + carets


def test_json() -> None:
    assert msgspec.json.decode(as_json([WRONG, NOWHERE])) == {
        "problems": [
            {
                "file": "a,b.toml",
                "line": 12,
                "column": 10,
                "key": "channels.a.weight",
                "message": "`weight` is wrong",
                "hint": "50% is: no number",
            },
            {"file": "", "line": 0, "column": 0, "key": "", "message": "there is no configuration", "hint": ""},
        ]
    }


def test_github() -> None:
    assert as_github([WRONG, NOWHERE]) == (
        "::error file=a%2Cb.toml,line=12,col=10,title=newapi validate::`weight` is wrong; 50%25 is: no number\n"
        "::error title=newapi validate::there is no configuration"
    )
