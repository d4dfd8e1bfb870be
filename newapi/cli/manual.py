"""The manual: a page for each command from what its help says, one for the configuration, one for the formats.

`python -m newapi.cli.manual man/` writes them, and the help that is answered at once (`newapi.cli.prepared`). They are
roff with the man(7) macros, the same whenever they are made.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import msgspec
import typer.main
from msgspec import NODEFAULT, Struct

from newapi import __version__, formats
from newapi.cli import prepared
from newapi.cli.app import Group, app, split_examples
from newapi.cli.output import ExitCode, say
from newapi.config import schema
from newapi.config.jsonschema import manual
from newapi.config.read import fields_of, kind_of
from newapi.ops.toml import text_of

DATE = "2026-11-24"
"""Of the pages: not of the day they are made, so that they are the same on every day."""
_FILES = (
    ("--config FILE", "First, whatever it is called."),
    ("$NEWAPI_CONFIG", "Then what the environment says."),
    ("./config.toml", "Then the one in the working directory."),
    ("$XDG_CONFIG_HOME/newapi/config.toml", "Then the user's: ~/.config where XDG_CONFIG_HOME is not set."),
    ("/etc/newapi/config.toml", "Then the machine's."),
)
_ENVIRONMENT = (
    ("NEWAPI_CONFIG", "The configuration file."),
    ("NO_COLOR, TERM=dumb", "No colours."),
    ("FORCE_COLOR", "Colours, even where there is no terminal."),
    ("CI", "Nothing watches: no bar shows how far long work is."),
    ("CREDENTIALS_DIRECTORY", "Where `cred:NAME` references are looked for; systemd sets it."),
)
_EXITS = (
    (ExitCode.OK, "Done; no differences."),
    (ExitCode.FAILED, "Failed."),
    (ExitCode.USAGE, "Wrong usage, or a configuration that is not valid."),
    (ExitCode.DIFFERS, "Differences: `diff --exit-code`, `fmt --check`, `status --exit-code`."),
    (ExitCode.DENIED, "Not signed in, or not allowed."),
    (ExitCode.NOT_FOUND, "Not found."),
    (ExitCode.CONFLICT, "Conflict: changed since it was read, or the name exists."),
    (ExitCode.UNCONFIRMED, "Needed a confirmation and could not ask, or was refused."),
    (ExitCode.CHECK_FAILED, "A check found failures: `doctor`, `channel test`."),
    (ExitCode.INTERRUPTED, "Interrupted."),
    (ExitCode.TERMINATED, "Terminated."),
)
_VALUES = (
    ("reference", "Where a secret is, never itself: `env:NAME`, `file:/run/secrets/x`, `keyring:NAME`, `secret:NAME` "
     "(encrypted in the database), `cred:NAME` (a systemd credential), `cmd:COMMAND` (`server.allow_cmd_secrets`)."),
    ("duration", '"30s", "5m", "2h", "30d".'),
    ("interval", 'A duration, or "" for never.'),
    ("size", '"128MiB", "64kB".'),
    ("money", 'US dollars: "$10", "$0.002".'),
    ("ratio", "A factor: 0.8."),
    ("count", "A whole number, 0 or more."),
    ("expiry", "A date or date and time, or a duration from the first apply."),
)  # fmt: skip


def pages() -> dict[str, str]:
    """Return every page: file name -> roff."""
    root: Any = typer.main.get_command(app)
    context = root.make_context("newapi", ["version"], resilient_parsing=True)
    made: dict[str, str] = {}
    _commands(root, context, ("newapi",), made)
    made["newapi-config.5"] = _config()
    made["newapi-formats.7"] = _formats()
    return dict(sorted(made.items()))


def write(directory: Path) -> list[str]:
    """Make `directory` hold the pages, and no page of a command that is gone; return the names of what changed."""
    directory.mkdir(parents=True, exist_ok=True)
    made = pages()
    there = {path.name: path.read_text(encoding="utf-8") for path in directory.glob("newapi*.[157]")}
    changed = [name for name in (*made, *there) if made.get(name) != there.get(name)]
    for name in dict.fromkeys(changed):
        if name in made:
            (directory / name).write_text(made[name], encoding="utf-8")
        else:
            (directory / name).unlink()
    return list(dict.fromkeys(changed))


# -- roff -----------------------------------------------------------------------------------------------------------

_SIGNS = {"\\": r"\e", "-": r"\-", "'": r"\(aq", "`": r"\(ga", "~": r"\(ti", "^": r"\(ha"}


def escaped(text: str) -> str:
    """Return text as roff that prints just so."""
    told = "".join(_SIGNS.get(c, c if c.isascii() else f"\\[u{ord(c):04X}]") for c in text)
    return rf"\&{told}" if told.startswith((".", r"\(aq")) else told


def _prose(text: str) -> str:
    """Return a paragraph on one line; what stands between backticks is bold."""
    parts = " ".join(text.split()).split("`")
    told = "".join(rf"\fB{escaped(part)}\fR" if i % 2 else escaped(part) for i, part in enumerate(parts))
    return rf"\&{told}" if told.startswith((".", "'")) else told


def _head(name: str, section: int, title: str) -> list[str]:
    return [
        f'.TH {escaped(name.upper())} {section} {DATE} "newapi {__version__}" "newapi"',
        ".SH NAME",
        f"{escaped(name)} \\- {_prose(title.rstrip('.'))}",
    ]


def _paragraphs(text: str) -> Iterator[str]:
    for i, paragraph in enumerate(p for p in text.split("\n\n") if p.strip()):
        if i:
            yield ".PP"
        if paragraph.startswith("    "):
            yield from (".nf", ".RS 4", *(escaped(line.strip()) for line in paragraph.splitlines()), ".RE", ".fi")
        else:
            yield _prose(paragraph)


def _terms(rows: Iterable[tuple[str, str]]) -> Iterator[str]:
    for term, text in rows:
        yield from (".TP", rf"\fB{escaped(term)}\fR", _prose(text) if text.strip() else r"\&")


def _page(lines: Iterable[str]) -> str:
    return "\n".join(lines) + "\n"


# -- the commands ---------------------------------------------------------------------------------------------------


def _commands(command: Any, context: Any, path: tuple[str, ...], made: dict[str, str]) -> None:
    """Make the page of a command, and those of the commands in it."""
    name = "-".join(path)
    made[f"{name}.1"] = _command(command, context, path)
    if isinstance(command, Group):
        for inner in command.list_commands(context):
            found = command.get_command(context, inner)
            inner_context = found.make_context(inner, [], parent=context, resilient_parsing=True)
            _commands(found, inner_context, (*path, inner), made)


def _command(command: Any, context: Any, path: tuple[str, ...]) -> str:
    text, examples = split_examples(command.help or "")
    title, _, rest = text.partition("\n\n")
    lines = _head("-".join(path), 1, _title(title))
    pieces = " ".join(command.collect_usage_pieces(context))
    lines += [".SH SYNOPSIS", rf"\fB{escaped(' '.join(path))}\fR {escaped(pieces)}".rstrip()]
    lines += [".SH DESCRIPTION", *_paragraphs(f"{title}\n\n{rest}")]
    if isinstance(command, Group):
        inner = [(n, command.get_command(context, n)) for n in command.list_commands(context)]
        lines += [".SH COMMANDS", *_terms((n, _title((c.help or "").partition("\n\n")[0]) + ".") for n, c in inner)]
    parameters = command.get_params(context)
    arguments = [p.get_help_record(context) for p in parameters if p.param_type_name == "argument"]
    if told := [(record[0].partition(" <")[0], record[1]) for record in arguments if record]:
        lines += [".SH ARGUMENTS", *_terms(told)]
    options = [p.get_help_record(context) for p in parameters if p.param_type_name == "option"]
    lines += [".SH OPTIONS", *_terms(record for record in options if record)]
    if path == ("newapi",):
        lines += [".SH EXIT STATUS", *_terms((str(int(code)), text) for code, text in _EXITS)]
        lines += [".SH ENVIRONMENT", *_terms(_ENVIRONMENT)]
        lines += [".SH FILES", "The configuration is looked for in this order:", *_terms(_FILES)]
    if examples:
        lines += [".SH EXAMPLES", ".nf", *(escaped(line) if line else ".sp" for line in examples.splitlines()), ".fi"]
    return _page([*lines, ".SH SEE ALSO", _see_also(path, command, context)])


def _title(text: str) -> str:
    return " ".join(text.split()).rstrip(".")


def _see_also(path: tuple[str, ...], command: Any, context: Any) -> str:
    around = [path[:i] for i in range(1, len(path))]
    inner = [(*path, n) for n in command.list_commands(context)] if isinstance(command, Group) else []
    names = [*(f"{'-'.join(p)}(1)" for p in (*around, *inner)), "newapi-config(5)", "newapi-formats(7)"]
    return ", ".join(rf"\fB{escaped(n[:-3])}\fR{n[-3:]}" for n in names)


# -- the configuration ----------------------------------------------------------------------------------------------


def _config() -> str:
    lines = _head("newapi-config", 5, "the configuration file of newapi")
    lines += [".SH DESCRIPTION", *_paragraphs(_CONFIG)]
    lines += [".SH FILES", "It is looked for in this order:", *_terms(_FILES)]
    lines += [".SH VALUES", *_terms(_VALUES)]
    lines.append(".SH TOP LEVEL")
    tables: list[tuple[str, type[Struct]]] = []
    for key, (attribute, hint, _) in fields_of(schema.Config).items():
        type_, _ = kind_of(hint)
        struct = next((t for t in (type_, *getattr(type_, "__args__", ())) if _is_struct(t)), None)
        if struct is None or key == "moved":
            lines += _key("Config", schema.Config, key, attribute, hint)
        else:
            tables.append((key if struct is type_ else f"{key}.NAME", struct))
    for name, struct in tables:
        title = manual()[struct.__name__][""].partition(": ")[2]
        lines += [f".SH [{escaped(name)}]", _prose(title[:1].upper() + title[1:])]
        for key, (attribute, hint, _) in fields_of(struct).items():
            lines += _key(struct.__name__, struct, key, attribute, hint)
            type_, _ = kind_of(hint)
            for inner in (t for t in getattr(type_, "__args__", ()) if _is_struct(t)):
                lines.append(".RS 4")
                for k, (a, h, _) in fields_of(inner).items():
                    lines += _key(inner.__name__, inner, f"{key}.{k}", a, h)
                lines.append(".RE")
    lines += [".SH SEE ALSO", r"\fBnewapi\fR(1), \fBnewapi\-apply\fR(1), \fBnewapi\-fmt\fR(1)"]
    return _page(lines)


def _is_struct(type_: Any) -> bool:
    return isinstance(type_, type) and issubclass(type_, Struct)


def _key(owner: str, struct: type[Struct], key: str, attribute: str, hint: Any) -> list[str]:
    """Return what there is to say of one key: its kind, its default, what it means."""
    type_, kind = kind_of(hint)
    default = next(f.default for f in msgspec.structs.fields(struct) if f.name == attribute)
    notes = [kind or _type_name(type_)]
    if default is not NODEFAULT and default is not None and not isinstance(default, Struct):
        notes.append(f"default {text_of(default, kind)}")
    text = manual()[owner].get(attribute, "")
    return [".TP", rf"\fB{escaped(key)}\fR ({escaped(', '.join(notes))})", _prose(text) if text else r"\&"]


def _type_name(type_: Any) -> str:
    arguments = getattr(type_, "__args__", ())
    origin = getattr(type_, "__origin__", None)
    if origin is tuple:
        return "list"
    if origin is dict:
        return "table"
    if arguments and all(isinstance(a, str) for a in arguments):
        return " | ".join(f'"{a}"' for a in arguments)
    names = {str: "text", int: "whole number", bool: "true or false", float: "number"}
    if type_ in names:
        return names[type_]
    return " | ".join(_type_name(a) for a in arguments) if arguments else "any"


_CONFIG = """\
One TOML file declares what the gateway is; `newapi apply` makes the database so. It holds no secret, and is meant for
version control. `newapi validate` checks it, `newapi fmt` lays it out, `newapi schema` lets an editor complete it.

`[server]`, `[limits]` and `[log]` are read by the process, when it starts and when it is told to reload. All other
sections go into the database with an apply, and every process takes them over within a second.

Relative paths in it are relative to it.
"""


# -- the formats ----------------------------------------------------------------------------------------------------


def _formats() -> str:
    lines = _head("newapi-formats", 7, "what newapi speaks with clients and with upstreams")
    lines += [".SH DESCRIPTION", *_paragraphs(_FORMATS)]
    by_endpoint: dict[str, list[str]] = {}
    for name in formats.names():
        by_endpoint.setdefault(formats.get(name).endpoint, []).append(name)
    for endpoint, names in by_endpoint.items():
        lines.append(f".SH {escaped(endpoint.upper().replace('_', ' '))}")
        for name in names:
            doc = ast.get_docstring(ast.parse(Path(import_module(f"newapi.formats.{name}").__file__ or "").read_text()))
            found = formats.get(name)
            lines += [".TP", rf"\fB{escaped(name)}\fR", _prose((doc or "").partition("\n\n")[0])]
            for route in found.routes:
                lines += [".br", escaped(f"{route.method} {route.path}")]
            if not found.routes:
                lines += [".br", "Spoken upstream only."]
    return _page([*lines, ".SH SEE ALSO", r"\fBnewapi\fR(1), \fBnewapi\-config\fR(5)"])


_FORMATS = """\
A client speaks one of these formats, an upstream one of them. Where the two are the same, bytes go through as they
are; where they differ, requests and answers, streamed or whole, are converted through one form in between. Formats of
the same endpoint reach each other; what a format cannot say is dropped and noted in the log, or refused where dropping
it would change the meaning.

`formats` in a channel's table says what its upstream speaks, where that is not its type's own.
"""


if __name__ == "__main__":
    for changed in (*write(Path(sys.argv[1] if len(sys.argv) > 1 else "man")), *prepared.write()):
        say(changed)
