"""Which problems with a configuration the source can tell, and which of them were told.

A problem is told where the source calls one of `_CALLS`; what it says and advises are the sentences of that module.
So a call that no case reaches, and a sentence that no case's output has, is a problem without a case.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple
from unittest import mock

from newapi.base.errors import Problem

_CALLS = {
    *("Problem", "_syntax", "places.problem", "self._places.problem", "local.places.problem"),
    *("findings.add", "self._add", "self.findings.add", "self._findings.add"),
    *("self._wrong", "self._note"),
}


class Site(NamedTuple):
    """A call that tells a problem: where it begins and ends."""

    file: str
    line: int
    end: int
    text: str

    def __str__(self) -> str:
        return f"{Path(self.file).name}:{self.line}: {self.text}"


def sites(*modules: ModuleType) -> set[Site]:
    """Return every call of these modules that tells a problem."""
    found: set[Site] = set()
    for module in modules:
        file = str(module.__file__)
        for node in ast.walk(ast.parse(Path(file).read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in _CALLS:
                found.add(Site(file, node.lineno, node.end_lineno or node.lineno, ast.unparse(node)))
    return found


@contextmanager
def watching() -> Iterator[set[tuple[str, int]]]:
    """Gather where the source was, file and line of every frame, when a problem was made."""
    places: set[tuple[str, int]] = set()
    make = Problem.__init__

    def made(self: Problem, *args: Any, **named: Any) -> None:
        frame = sys._getframe(1)
        while frame is not None:
            places.add((frame.f_code.co_filename, frame.f_lineno))
            frame = frame.f_back
        make(self, *args, **named)

    with mock.patch.object(Problem, "__init__", made):
        yield places


def untold(there: set[Site], places: set[tuple[str, int]]) -> list[str]:
    """Return the calls of `there` that were not on the way to any problem."""
    return sorted(str(s) for s in there if not any(s.file == f and s.line <= line <= s.end for f, line in places))


def sentences(module: ModuleType) -> dict[str, re.Pattern[str]]:
    """Return what a module can say, of more than a word: each text of its source, and what it looks like when told."""
    tree = ast.parse(Path(str(module.__file__)).read_text())
    skipped: set[ast.AST] = set()
    found: dict[str, re.Pattern[str]] = {}
    for node in ast.walk(tree):  # from the outside in
        if node in skipped or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)):
            skipped.update(ast.iter_child_nodes(node))
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("re.compile", "AssertionError"):
            skipped.update(ast.walk(node))
        elif isinstance(node, ast.JoinedStr | ast.Constant):
            parts = node.values if isinstance(node, ast.JoinedStr) else [node]
            texts = [p.value if isinstance(p, ast.Constant) else None for p in parts]
            if any(isinstance(t, str) and " " in t.strip() for t in texts):
                like = "".join(".*" if t is None else re.escape(str(t)) for t in texts)
                found[ast.unparse(node)] = re.compile(like, re.IGNORECASE)
            skipped.update(parts)
    return found
