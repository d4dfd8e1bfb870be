"""Help, and what each command takes, made beforehand for `newapi.cli.quick`: the text of the commands, at once.

`python -m newapi.cli.manual` writes them beside the manual.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any, Literal

import typer.main

from newapi.cli.app import Group, app
from newapi.cli.quick import HELP, WIDTH

NAMED = ("channel", "context", "group", "model", "token", "user")
"""What has names that a shell completes; so a command's argument and option of that name, or `NAME` in its group."""
_NEW = ("add", "create")
_FILES = ("FILE", "DIR", "[FILE]")


def files() -> dict[str, str]:
    """Return what lies in `help/`: file name -> text."""
    root: Any = typer.main.get_command(app)
    context = root.make_context("newapi", ["version"], resilient_parsing=True, terminal_width=WIDTH - 2)
    made: dict[str, str] = {}
    for path, command, inner in _commands(root, context, ("newapi",)):
        name = ".".join(path)
        made[f"{name}.txt"] = command.get_help(inner) + "\n"
        made[f"{name}.tsv"] = "".join("\t".join(row) + "\n" for row in _rows(path, command, inner))
    return dict(sorted(made.items()))


def write(directory: Path | None = None) -> list[str]:
    """Make `directory` (`help/`) hold what `files` returns and nothing else; return the names of what changed."""
    directory = directory or Path(HELP)
    directory.mkdir(parents=True, exist_ok=True)
    made = files()
    there = {path.name: path.read_text(encoding="utf-8") for path in directory.iterdir()}
    changed = [name for name in dict.fromkeys((*made, *there)) if made.get(name) != there.get(name)]
    for name in changed:
        if name in made:
            (directory / name).write_text(made[name], encoding="utf-8")
        else:
            (directory / name).unlink()
    return changed


def _commands(command: Any, context: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any, Any]]:
    yield path, command, context
    if isinstance(command, Group):
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            inner = found.make_context(name, [], parent=context, resilient_parsing=True, terminal_width=WIDTH - 2)
            yield from _commands(found, inner, (*path, name))


def _rows(path: tuple[str, ...], command: Any, context: Any) -> Iterator[tuple[str, str, str, str, str]]:
    """Yield what may come after a command: kind, name, what it takes, whether there may be several, help."""
    if isinstance(command, Group):
        for name in command.list_commands(context):
            doc = command.get_command(context, name).help or ""
            yield "command", name, "", "", _line(doc.partition("\n\n")[0].rstrip("."))
        if command.alone:
            command = command.get_command(context, command.alone)
    parameters: list[Any] = command.get_params(context)
    for parameter in parameters:
        if parameter.param_type_name == "argument":
            many = "many" if parameter.nargs == -1 else ""
            yield "argument", parameter.name, _takes(path, parameter), many, _line(parameter.help)
        else:
            long = [name for name in (*parameter.opts, *parameter.secondary_opts) if name.startswith("--")]
            short = [name for name in parameter.opts if not name.startswith("--")]
            takes = "" if parameter.is_flag else _takes(path, parameter) or "a value"
            many = "many" if parameter.multiple else ""
            yield "option", ",".join((*long, *short)), takes, many, _line(parameter.help)


def _takes(path: tuple[str, ...], parameter: Any) -> str:
    """Return what a parameter's values are: `one of a|b`, `name of channel`, `a file`, or "" for anything."""
    if few := _few(parameter.type_descriptor.annotation):
        return f"one of {'|'.join(few)}"
    group, command = ("", *path)[-2:]
    if parameter.name in NAMED:
        return f"name of {parameter.name}"
    if parameter.name in ("name", "names") and group in NAMED and command not in _NEW:
        return f"name of {group}"
    if parameter.type_descriptor.annotation in (Path, list[Path]) or parameter.metavar in _FILES:
        return "a file"
    return ""


def _few(annotation: Any) -> list[str]:
    """Return the few values of an enumeration, a literal, or a list of either."""
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return [str(member.value) for member in annotation]
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Literal:
        return [str(value) for value in arguments]
    if origin in (list, typing.Union, types.UnionType):
        return [value for argument in arguments for value in _few(argument)]
    return []


def _line(text: str | None) -> str:
    return " ".join((text or "").split())
