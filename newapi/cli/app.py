"""`newapi`: finds the commands by file name, and ends every one of them the same way.

`commands/<name>.py` holds the function `<name>` and is `newapi <name>`; `commands/<group>/<name>.py` is
`newapi <group> <name>`; a group that has a `show` runs it when no command is said. A dash in a command's name is an
underscore in the file's, and a name that Python keeps for itself has an underscore behind it (`import_.py`). Only the
module of the command that runs is imported: what help says of the others is read from their source.
"""

from __future__ import annotations

import ast
import functools
import importlib
import inspect
import os
import sys
import typing
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import typer
import typer.core
import typer.main

from newapi import __version__
from newapi.base.errors import NewapiError
from newapi.cli.commands._gateway import Where
from newapi.cli.mistakes import no_such_command, wrong_usage
from newapi.cli.output import ExitCode, fail, note, say, wants_json
from newapi.cli.plain import lighten

_SETTINGS = {"help_option_names": ["-h", "--help"]}
_EXAMPLES = "Examples:"
_ALONE = "show"


def _no_color(value: bool) -> None:
    if value:
        os.environ["NO_COLOR"] = "1"


def _version(value: bool) -> None:
    if value:
        say(f"newapi {__version__}")
        raise typer.Exit


NoColor = Annotated[
    bool,
    typer.Option(
        "--no-color", callback=_no_color, is_eager=True, expose_value=False, help="No colours; as NO_COLOR does."
    ),
]


def _common(no_color: NoColor = False) -> None:
    """Every command has these options."""


class Command(typer.core.TyperCommand):
    """A command whose help begins with its examples, and which knows the options that all have."""

    def get_params(self, ctx: Any) -> list[Any]:
        return lighten([*self.params, *_common_options(), *super().get_params(ctx)[len(self.params) :]])

    def format_help(self, ctx: Any, formatter: Any) -> None:
        text, examples = split_examples(self.help or "")
        self.format_usage(ctx, formatter)
        if examples:
            with formatter.section("Examples"):
                for line in examples.splitlines():
                    formatter.write(f"{'':>{formatter.current_indent}}{line}\n" if line else "\n")
        formatter.write_paragraph()
        with formatter.indentation():
            formatter.write_text(text)
        self.format_options(ctx, formatter)


class Group(typer.core.TyperGroup):
    """The commands of one folder."""

    folder: Path = Path(__file__).parent / "commands"
    package: str = "newapi.cli.commands"

    @classmethod
    def at(cls, folder: Path, package: str) -> Group:
        """Return the group of the commands in `folder`, which is `package`."""
        doc = ast.get_docstring(ast.parse((folder / "__init__.py").read_text())) or ""
        group = cls(name=folder.name, help=doc, rich_markup_mode=None, context_settings=dict(_SETTINGS))
        group.folder, group.package = folder, package
        if group.alone:
            group.subcommand_metavar = "[COMMAND] [ARGS]..."
        return group

    @property
    def alone(self) -> str:
        """The command that runs when none is said, or ""."""
        return _ALONE if _ALONE in _found(self.folder) else ""

    def get_params(self, ctx: Any) -> list[Any]:
        return lighten(super().get_params(ctx))

    def list_commands(self, ctx: Any) -> list[str]:
        return sorted(_found(self.folder))

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        path = _found(self.folder).get(cmd_name)
        if path is None:
            return None
        if path.is_dir():
            return Group.at(path, f"{self.package}.{path.name}")
        module = importlib.import_module(f"{self.package}.{path.stem}")
        return _command(getattr(module, path.stem), cmd_name)

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        command = self.get_command(ctx, args[0])
        if command is None:
            raise no_such_command(args[0], sorted(_found(self.folder)), ctx.command_path)
        return args[0], command, args[1:]

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if self.alone and not ctx.resilient_parsing and not {*args[:1]} & {"-h", "--help"}:
            if not args or args[0].startswith("-"):
                args = [self.alone, *args]
        elif not args and not ctx.resilient_parsing:
            note(ctx.get_help())
            ctx.exit(ExitCode.USAGE)
        return super().parse_args(ctx, args)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        rows = [(name, _summary(path)) for name, path in sorted(_found(self.folder).items())]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


@cache
def _found(folder: Path) -> dict[str, Path]:
    """Return the commands and groups in `folder`: name on the command line -> file or folder."""
    paths = [p for p in folder.iterdir() if (p.suffix == ".py" or (p / "__init__.py").is_file()) and p.stem[0] != "_"]
    return {p.stem.rstrip("_").replace("_", "-"): p for p in paths}


def _summary(path: Path) -> str:
    """Return the first sentence of what a command does, from its source."""
    is_group = path.is_dir()
    tree = ast.parse((path / "__init__.py" if is_group else path).read_text())
    functions = (n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == path.stem)
    node = tree if is_group else next(functions, None)
    doc = ast.get_docstring(node) if node else None
    return (doc or "").partition("\n")[0].rstrip(".")


def split_examples(doc: str) -> tuple[str, str]:
    """Return the text of a command's docstring, and the lines of its examples."""
    text, _, examples = doc.partition(_EXAMPLES)
    lines = [line.removeprefix("    ") for line in examples.strip("\n").splitlines()]
    return text.strip(), "\n".join(lines).strip("\n")


def _command(function: Callable[..., None], name: str) -> Any:
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    app.command(name=name, cls=Command, context_settings=dict(_SETTINGS))(_spread(function))
    return typer.main.get_command(app)


def _spread(function: Callable[..., None]) -> Callable[..., None]:
    """Return a command with the options of `Where` in the place of its parameter of that type, which they make."""
    signature = inspect.signature(function, eval_str=True)
    parameters = signature.parameters.values()
    at = next((p.name for p in parameters if p.annotation is Where), None)
    if at is None:
        return function
    hints = typing.get_type_hints(Where, include_extras=True)
    options = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=Where._field_defaults[name], annotation=hint)
        for name, hint in hints.items()
    ]

    @functools.wraps(function)
    def command(**given: Any) -> None:
        place = Where(**{name: given.pop(name) for name in Where._fields})
        function(**given, **{at: place})

    spread = [
        o.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in parameters for o in (options if p.name == at else [p])
    ]
    command.__signature__ = signature.replace(parameters=spread)  # type: ignore[attr-defined]
    command.__annotations__ = {p.name: p.annotation for p in spread}
    return command


@cache
def _common_options() -> tuple[Any, ...]:
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    app.command()(_common)
    return tuple(typer.main.get_command(app).params)


app = typer.Typer(
    cls=Group, name="newapi", add_completion=False, rich_markup_mode=None, context_settings=dict(_SETTINGS)
)


@app.callback()
def newapi(
    version: Annotated[
        bool,
        typer.Option("--version", "-V", callback=_version, is_eager=True, expose_value=False, help="The version."),
    ] = False,
    no_color: NoColor = False,
) -> None:
    """An LLM gateway for people who live in a terminal: declared in one TOML file, applied, served.

    `newapi COMMAND --help` says more, examples first.
    """


def main(argv: Sequence[str]) -> int:
    """Run one command line.

    Args:
        argv: Without the program's name.

    Returns:
        What the process is to leave with; everything there is to say has been said.
    """
    as_json = wants_json(argv)
    command = typer.main.get_command(app)
    try:
        with command.make_context("newapi", list(argv)) as context:
            command.invoke(context)
    except typer.Exit as end:
        return end.exit_code
    except (KeyboardInterrupt, typer.Abort):
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        _forget_stdout()
    except typer.TyperException as error:
        return fail(wrong_usage(error), json=as_json)
    except NewapiError as error:
        return fail(error, json=as_json)
    return ExitCode.OK


def _forget_stdout() -> None:
    """Let the interpreter flush into nothing: the reader has gone, which is not worth a word."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
