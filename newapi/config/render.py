"""Problems of a configuration for people, for programs and for GitHub."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import msgspec

from newapi.base.errors import Problem

_RED, _BLUE, _GREEN, _BOLD, _OFF = "\x1b[31;1m", "\x1b[34;1m", "\x1b[32m", "\x1b[1m", "\x1b[0m"
_KEY = re.compile(r'"(?:[^"\\]|\\.)*"|[\w-]+')
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|\'[^\']*\'|\$?[\w.+:-]+')


def render(problems: Iterable[Problem], *, color: bool = False) -> str:
    """Return problems as a compiler tells them: what, where, the line with a caret, what to do."""
    return "\n\n".join(_one(problem, color) for problem in problems)


def _one(problem: Problem, color: bool) -> str:
    red, blue, green, bold, off = (_RED, _BLUE, _GREEN, _BOLD, _OFF) if color else ("",) * 5
    lines = [f"{red}error{off}{bold}: {problem.message}{off}"]
    width = len(str(problem.line)) if problem.line else 1
    if problem.file:
        place = f"{problem.file}:{problem.line}:{problem.column}" if problem.line else problem.file
        lines.append(f"{' ' * width}{blue}-->{off} {place}")
    if problem.line and problem.source:
        text = problem.source.replace("\t", " ")
        gutter = f"{' ' * width} {blue}|{off}"
        caret = f"{' ' * (problem.column - 1)}{red}{'^' * _length(text, problem.column)}{off}"
        lines += [gutter, f"{blue}{problem.line} |{off} {text}", f"{gutter} {caret}"]
    if problem.hint:
        lines.append(f"{' ' * width} {blue}={off} {green}help{off}: {problem.hint}")
    return "\n".join(lines)


def _length(text: str, column: int) -> int:
    """Return how much of a line is meant: the word or the string that begins there."""
    before = text[: column - 1].strip()
    is_key = not before or before[0] == "["
    found = (_KEY if is_key else _TOKEN).match(text, column - 1)
    return len(found[0]) if found else 1


def as_json(problems: Sequence[Problem]) -> str:
    """Return `{"problems": […]}`, for programs."""
    told = [
        {"file": p.file, "line": p.line, "column": p.column, "key": p.key, "message": p.message, "hint": p.hint}
        for p in problems
    ]
    return msgspec.json.encode({"problems": told}).decode()


def as_github(problems: Iterable[Problem]) -> str:
    """Return workflow commands, one a line, which GitHub shows beside the lines of a pull request.

    Source: https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands
    """
    return "\n".join(_github(problem) for problem in problems)


def _github(problem: Problem) -> str:
    parts = {"file": problem.file, "line": problem.line, "col": problem.column, "title": "newapi validate"}
    told = ",".join(f"{k}={_property(str(v))}" for k, v in parts.items() if v)
    message = f"{problem.message}; {problem.hint}" if problem.hint else problem.message
    return f"::error {told}::{_data(message)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
