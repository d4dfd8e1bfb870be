from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import pytest
import typer
import typer.main

from newapi.cli.plain import lighten


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


def paint(
    names: Annotated[list[str] | None, typer.Argument()] = None,
    number: Annotated[int, typer.Option("--number", min=0, max=10)] = 1,
    speed: Annotated[float, typer.Option("--speed", min=0)] = 1.0,
    colour: Annotated[Colour, typer.Option("--colour")] = Colour.RED,
    colours: Annotated[list[Colour] | None, typer.Option("--colours")] = None,
    file: Annotated[Path | None, typer.Option("--file", envvar="NEWAPI_FILE")] = None,
    there: Annotated[Path | None, typer.Option("--there", exists=True, dir_okay=False)] = None,
    yes: Annotated[bool, typer.Option("--yes/--no", envvar="NEWAPI_YES")] = False,
) -> None:
    """Paint."""


def command() -> Any:
    app = typer.Typer(add_completion=False)
    app.command()(paint)
    return typer.main.get_command(app)


def told(command: Any, argv: list[str]) -> Any:
    """Return what a command line comes to, or what is said of it."""
    try:
        return command.make_context("paint", list(argv)).params
    except typer.TyperException as error:
        return str(error)


@pytest.mark.parametrize(
    "argv",
    [
        [],
        ["a", "b", ""],
        *(["--number", text] for text in ("5", "-0", "007", "11", "-1", "x", "", "1_0", " 3", "٣", "1.0", "1" * 30)),
        *(["--speed", text] for text in ("0", "2.5", "-1", "1e3", ".5", "inf", "nan", "x", "2.")),
        *(["--colour", text] for text in ("red", "blue", "RED", "green", "")),
        ["--colours", "red", "--colours", "blue"],
        ["--colours", "red", "--colours", "green"],
        *(["--file", text] for text in ("none", ".", __file__, "", "~/x", "a/../b")),
        *(["--there", text] for text in ("none", ".", __file__)),
        ["--yes"],
        ["--no"],
        ["--nonsense"],
    ],
    ids=" ".join,
)
def test_a_command_line_comes_to_what_typer_makes_of_it(argv: list[str]) -> None:
    light = command()
    lighten(light.params)
    assert repr(told(light, argv)) == repr(told(command(), argv))


@pytest.mark.parametrize(("name", "text"), [("NEWAPI_FILE", "x"), ("NEWAPI_YES", "1"), ("NEWAPI_YES", "perhaps")])
def test_so_does_the_environment(name: str, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, text)
    light = command()
    lighten(light.params)
    assert repr(told(light, [])) == repr(told(command(), []))


def test_a_parameter_is_lightened_once() -> None:
    light = command()
    before = [p.get_runtime_param() for p in lighten(light.params)]
    assert [p.get_runtime_param() for p in lighten(light.params)] == before
