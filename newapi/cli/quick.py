"""What is answered before anything is imported: the version, help, what a shell may complete, a misspelt command.

Help, and what each command takes, are made from the commands beforehand (`newapi.cli.prepared`) and lie in `help/`.
What is not there is left to `newapi.cli.app`. Nothing but `os` and `sys` is imported here: an import costs more than
reading a file does.
"""

from __future__ import annotations

import os
import sys

from newapi import __version__

COMPLETE = "_NEWAPI_COMPLETE"
"""The variable with which a shell's script asks what may come next; it names the shell."""
HELP = os.path.join(os.path.dirname(__file__), "help")  # noqa: PTH118, PTH120
WIDTH = 80
"""Columns of a terminal from which on help is as it was made."""

Row = tuple[str, str, str, str, str]
"""Kind, name, what it takes, whether there may be several, help."""


def answer(argv: list[str]) -> int | None:
    """Answer a command line, if that needs no command to be imported.

    Args:
        argv: Without the program's name.

    Returns:
        What the process is to leave with, or None: nothing was said, and it is `newapi.cli.app` that knows.
    """
    try:
        if shell := os.environ.get(COMPLETE):
            sys.stdout.write(_completed(shell, argv))
            sys.stdout.flush()
            return 0
        if argv in (["--version"], ["-V"]):
            sys.stdout.write(f"newapi {__version__}\n")
            sys.stdout.flush()
            return 0
        return _help(argv)
    except BrokenPipeError:
        # The interpreter flushes once more when it ends: into nothing.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 130


def _help(argv: list[str]) -> int | None:
    asked = bool(argv) and argv[-1] in ("-h", "--help")
    path = [word for word in (argv[:-1] if asked else argv) if word != "--no-color"]
    if not all(_is_word(word) for word in path) or _columns() < WIDTH:
        return None
    text = _read(".".join(["newapi", *path]) + ".txt")
    if text is None:
        return None if asked else _misspelt(path, argv)
    if asked:
        sys.stdout.write(text)
        sys.stdout.flush()
        return 0
    if text.partition("\n")[0].endswith(" COMMAND [ARGS]..."):  # a group, and none of its commands
        sys.stderr.write(text)
        return 2
    return None


def _misspelt(path: list[str], argv: list[str]) -> int | None:
    """Say which command was meant, where the first that there is not has no command before it."""
    group = ["newapi"]
    for word in path:
        known = [name for kind, name, *_ in _rows(".".join(group)) if kind == "command"]
        if not known:
            return None
        if word not in known:
            break
        group.append(word)
    else:
        return None
    from newapi.cli.mistakes import no_such_command
    from newapi.cli.output import fail, wants_json

    return fail(no_such_command(word, known, " ".join(group)), json=wants_json(argv))


def _is_word(word: str) -> bool:
    return word.replace("-", "").isalnum() and not word.startswith("-")


def _columns() -> int:
    """Return the columns of the terminal, as `shutil.get_terminal_size` does."""
    try:
        columns = int(os.environ["COLUMNS"])
    except (KeyError, ValueError):
        columns = 0
    if columns <= 0:
        try:
            columns = os.get_terminal_size(sys.__stdout__.fileno()).columns if sys.__stdout__ else 0
        except (ValueError, OSError):
            columns = 0
    return columns or WIDTH


def _read(name: str) -> str | None:
    try:
        with open(os.path.join(HELP, name), encoding="utf-8") as file:  # noqa: PTH118, PTH123
            return file.read()
    except OSError:
        return None


# -- completion -----------------------------------------------------------------------------------------------------


def _completed(shell: str, argv: list[str]) -> str:
    """Return what may come next, a line each; nothing where it is the name of a file.

    Args:
        shell: `zsh` and `fish` show a help beside each, after a colon or a tab.
        argv: The words up to the cursor, without the program's; the last one is incomplete.
    """
    words, told = _joined(argv) if shell == "bash" else (list(argv), 0)
    if shell == "powershell":  # which does not hand over an empty word
        words.append(os.environ.get(f"{COMPLETE}_WORD", ""))
    cut = words.pop() if words else ""
    lines: list[str] = []
    for name, text in candidates(words, cut):
        if shell == "zsh":
            name = name.replace(":", "\\:")
        sign = {"zsh": ":", "fish": "\t"}.get(shell) if text else None
        lines.append(f"{name}{sign}{text}" if sign else name[told:])
    return "".join(f"{line}\n" for line in lines)


def _joined(argv: list[str]) -> tuple[list[str], int]:
    """Return the words of bash, which splits them at `=` and `:`, and how much of the last it does not want again."""
    words: list[str] = []
    told, whole = 0, False
    for word in argv:
        if word == "=" and words and words[-1].startswith("--"):
            words.append("")
            whole = True
        elif word == ":" and words:
            words[-1] += word
            told, whole = len(words[-1]), True
        elif whole:
            words[-1] += word
            whole = False
        else:
            words.append(word)
            told = 0
    return words, told


def candidates(before: list[str], cut: str) -> list[tuple[str, str]]:
    """Return what may come after the words `before`, as far as it begins with `cut`: each with a help, or "".

    Args:
        before: Whole words, without the program's.
        cut: The word that is being written.
    """
    group, rows, at = _place(before)
    option = ""
    positional = 0
    takes = {name: taken for kind, names, taken, *_ in rows if kind == "option" for name in names.split(",")}
    for word in before[at:]:
        if option:
            option = ""
        elif takes.get(word):
            option = word
        elif not word.startswith("-"):
            positional += 1
    prefix = ""
    if not option and cut.startswith("--") and "=" in cut:
        option, _, cut = cut.partition("=")
        prefix = f"{option}="
    if option:
        found = _values(takes.get(option, ""), before, cut)
    elif cut.startswith("-"):
        found = [(n, text) for kind, names, _, _, text in rows if kind == "option" for n in names.split(",")]
    elif any(kind == "command" for kind, *_ in rows):
        found = [(name, text) for kind, name, _, _, text in rows if kind == "command"]
    else:
        arguments = [row for row in rows if row[0] == "argument"]
        if positional >= len(arguments) and not (arguments and arguments[-1][3]):
            return []
        found = _values(arguments[min(positional, len(arguments) - 1)][2], [*group, *before[at:]], cut)
    return [(prefix + name, text) for name, text in found if name.startswith(cut)]


def _place(before: list[str]) -> tuple[list[str], list[Row], int]:
    """Return the command that the words name, what it takes, and where the words after it begin."""
    path: list[str] = []
    rows = _rows("newapi")
    end = 0
    for at, word in enumerate(before):
        if word.startswith("-"):
            continue
        if not any(kind == "command" and name == word for kind, name, *_ in rows):
            break
        path.append(word)
        rows = _rows(".".join(["newapi", *path]))
        end = at + 1
    return path, rows, end


def _rows(command: str) -> list[Row]:
    """Return what a command takes; nothing where there is no such command."""
    found: list[Row] = []
    for line in (_read(f"{command}.tsv") or "").splitlines():
        kind, name, takes, many, text = line.split("\t")
        found.append((kind, name, takes, many, text))
    return found


def _values(takes: str, before: list[str], cut: str) -> list[tuple[str, str]]:
    """Return the values of an option or argument: one of a few, or the name of something in the gateway."""
    if takes.startswith("one of "):
        return [(name, "") for name in takes.removeprefix("one of ").split("|")]
    if not takes.startswith("name of "):
        return []
    from newapi.cli.names import names

    return [(name, "") for name in names(takes.removeprefix("name of "), before) if name.startswith(cut)]
