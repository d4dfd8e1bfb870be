from __future__ import annotations

import csv
import io
import re
import sys
import tomllib
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from msgspec import Struct

from newapi.base.errors import CallerError, ConfigError, Conflict, NewapiError, NotFound, Problem, StoreError
from newapi.cli.output import (
    ExitCode,
    Output,
    Unconfirmed,
    WrongUsage,
    confirm,
    decorated,
    exit_code,
    fail,
    note,
    say,
    show,
)


class Row(Struct):
    name: str
    price: Decimal
    models: tuple[str, ...] = ()
    on: bool = True
    limit: int | None = None
    more: dict[str, int] = {}


ROWS = [Row("a\tb", Decimal("0.10"), ("x", "y"), more={"k": 1}), Row("c", Decimal(2), on=False, limit=3)]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def shown(capsys: pytest.CaptureFixture[str], data: Any, output: Output, **more: Any) -> str:
    show(data, output, **more)
    out, err = capsys.readouterr()
    assert err == ""
    return out


def test_say_and_note(capsys: pytest.CaptureFixture[str]) -> None:
    say("data")
    note("message")
    assert capsys.readouterr() == ("data\n", "message\n")


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    out = shown(capsys, ROWS, Output.JSON, next="2")
    assert msgspec.json.decode(out) == {
        "items": [
            {"name": "a\tb", "price": "0.10", "models": ["x", "y"], "on": True, "limit": None, "more": {"k": 1}},
            {"name": "c", "price": "2", "models": [], "on": False, "limit": 3, "more": {}},
        ],
        "next": "2",
    }
    assert msgspec.json.decode(shown(capsys, [], Output.JSON)) == {"items": [], "next": None}
    assert msgspec.json.decode(shown(capsys, ROWS[1], Output.JSON))["name"] == "c"
    assert msgspec.json.decode(shown(capsys, {"a": 1}, Output.JSON)) == {"a": 1}


def test_ndjson(capsys: pytest.CaptureFixture[str]) -> None:
    lines = shown(capsys, ROWS, Output.NDJSON).splitlines()
    assert [msgspec.json.decode(line)["name"] for line in lines] == ["a\tb", "c"]
    assert shown(capsys, [], Output.NDJSON) == ""


def test_csv(capsys: pytest.CaptureFixture[str]) -> None:
    out = shown(capsys, ROWS, Output.CSV, columns=("name", "models", "limit", "more"))
    assert list(csv.reader(io.StringIO(out))) == [
        ["name", "models", "limit", "more"],
        ["a\tb", "x, y", "", '{"k":1}'],
        ["c", "", "3", "{}"],
    ]


def test_toml(capsys: pytest.CaptureFixture[str]) -> None:
    said = tomllib.loads(shown(capsys, ROWS, Output.TOML))
    assert said["items"][0] == {"name": "a\tb", "price": "0.10", "models": ["x", "y"], "on": True, "more": {"k": 1}}
    assert tomllib.loads(shown(capsys, ROWS[1], Output.TOML))["limit"] == 3


def test_names(capsys: pytest.CaptureFixture[str]) -> None:
    assert shown(capsys, [{"name": "a"}, {"id": 3}, {"x": 1}], Output.NAME) == "a\n3\n\n"
    assert shown(capsys, ROWS[1], Output.NAME) == "c\n"


def test_a_table_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    assert shown(capsys, ROWS, Output.TABLE) == "a b\t0.10\tx, y\ttrue\t\t" + '{"k":1}\n' + "c\t2\t\tfalse\t3\t{}\n"
    assert shown(capsys, ROWS, Output.TABLE, columns=("limit", "name")) == "\ta b\n3\tc\n"
    assert shown(capsys, {"long": "x" * 500, "none": None}, Output.TABLE) == f"long\t{'x' * 500}\nnone\t\n"
    assert shown(capsys, [], Output.TABLE) == ""


def test_a_table_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    for boxes in (False, True):
        monkeypatch.setattr(sys, "stdout", Terminal())
        monkeypatch.setenv("TERM", "xterm")
        monkeypatch.setenv("NO_COLOR", "" if boxes else "1")
        show(
            [{"name": "[red]a[/]", "last_used": 1}, {"name": "bb", "last_used": 22}],
            columns=("name", "last_used"),
        )
        out = re.sub(r"\x1b\[\d*m", "", sys.stdout.getvalue())
        assert ("\x1b" in sys.stdout.getvalue()) == boxes
        lines = [line.split() for line in out.splitlines()]
        assert ["name", "last", "used"] in lines
        assert ["[red]a[/]", "1"] in lines
        assert ("─" in out) == boxes


@pytest.mark.parametrize(
    ("env", "tty", "expected"),
    [
        ({}, True, True),
        ({}, False, False),
        ({"NO_COLOR": "1"}, True, False),
        ({"NO_COLOR": ""}, True, True),
        ({"TERM": "dumb"}, True, False),
        ({"FORCE_COLOR": "1"}, False, True),
        ({"FORCE_COLOR": "1", "TERM": "dumb"}, False, True),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, True, False),
    ],
)
def test_when_there_are_colours(
    monkeypatch: pytest.MonkeyPatch, env: dict[str, str], tty: bool, expected: bool
) -> None:
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("TERM", "xterm")
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    assert decorated(Terminal() if tty else io.StringIO()) is expected


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (NewapiError("x"), 1),
        (StoreError("x"), 1),
        (ConfigError([]), 2),
        (Problem("x"), 2),
        (WrongUsage("x"), 2),
        (CallerError("x"), 1),
        (CallerError("x", status=401), 4),
        (CallerError("x", status=403), 4),
        (NotFound("x"), 5),
        (Conflict("x"), 6),
        (Unconfirmed("x"), 7),
    ],
)
def test_exit_codes(error: NewapiError, code: int) -> None:
    assert exit_code(error) == code


def test_a_failure_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    assert fail(WrongUsage("what?", hint="try this")) == ExitCode.USAGE
    assert capsys.readouterr() == ("", "error: what?\n  help: try this\n")
    problems = [Problem("bad", file="f", line=1, column=1, source="x = 1"), Problem("worse")]
    assert fail(ConfigError(problems)) == ExitCode.USAGE
    assert capsys.readouterr().err == "error: bad\n --> f:1:1\n  |\n1 | x = 1\n  | ^\n\nerror: worse\n"


def test_a_failure_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    fail(NotFound("no token a"), json=True)
    assert msgspec.json.decode(capsys.readouterr().err) == {
        "error": {"code": "not_found", "message": "no token a", "hint": "", "exit": 5, "location": None}
    }
    fail(ConfigError([Problem("bad", file="f", line=2, column=3, hint="do")]), json=True)
    bad = {
        "code": "invalid_config",
        "message": "bad",
        "hint": "do",
        "exit": 2,
        "location": {"file": "f", "line": 2, "column": 3},
    }
    assert msgspec.json.decode(capsys.readouterr().err) == {"error": bad}
    fail(ConfigError([Problem("bad", file="f", line=2, column=3, hint="do"), Problem("worse")]), json=True)
    told = msgspec.json.decode(capsys.readouterr().err)["error"]
    assert told["problems"][0] == bad
    assert told["problems"][1]["message"] == "worse"


# confirmations


def test_yes_is_not_asked(capsys: pytest.CaptureFixture[str]) -> None:
    confirm("Sure?", yes=True)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("no_input", [True, False])
def test_nobody_to_ask(monkeypatch: pytest.MonkeyPatch, no_input: bool) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal("y\n") if no_input else io.StringIO("y\n"))
    with pytest.raises(Unconfirmed, match="--yes"):
        confirm("Sure?", no_input=no_input)


@pytest.mark.parametrize(
    ("answer", "agreed"), [("y\n", True), ("YES\n", True), ("n\n", False), ("\n", False), ("", False)]
)
def test_answers(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], answer: str, agreed: bool
) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal(answer))
    if agreed:
        confirm("Sure?")
    else:
        with pytest.raises(Unconfirmed, match="Nothing was done"):
            confirm("Sure?")
    assert capsys.readouterr() == ("", "Sure? [y/N] ")
