"""What is wrong with a configuration, gathered: every problem with its place."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from msgspec import Struct

from newapi.base.errors import ConfigError, Problem
from newapi.base.nearest import nearest
from newapi.config import positions
from newapi.config.positions import Mark, Path
from newapi.config.values import is_bare

_PART = re.compile(r'"[^"]*"|\[\d+\]|[^.\["]+')


class Source(Struct, frozen=True):
    """One file of a configuration: what it is called, and its text."""

    name: str
    text: str

    def line(self, number: int) -> str:
        """Return a line without its end, "" when there is none of that number."""
        lines = self.text.split("\n")
        return lines[number - 1].removesuffix("\r") if 0 < number <= len(lines) else ""


class Places:
    """Where every key of a configuration is, whichever of its files holds it.

    A file is only looked through when a place is asked for: most configurations are right.
    """

    def __init__(self) -> None:
        self._marks: dict[Path, tuple[Source, Mark]] = {}
        self._unread: list[Source] = []

    def add(self, source: Source) -> None:
        """Take the places of one file, which is TOML; of a table in several files the first one's."""
        self._unread.append(source)

    def _read(self) -> Mapping[Path, tuple[Source, Mark]]:
        while self._unread:
            source = self._unread.pop(0)
            try:
                marks = positions.scan(source.text)
            except RecursionError:  # what the parser could just read: its problems are told without their places
                continue
            for path, mark in marks.items():
                self._marks.setdefault(path, (source, mark))
        return self._marks

    def find(self, path: Path) -> tuple[Source, Mark] | None:
        """Return where `path` is, or the nearest table around it; None when nothing of it is written."""
        marks = self._read()
        while path:
            if path in marks:
                return marks[path]
            path = path[:-1]
        return None

    def has(self, path: Path) -> bool:
        """Say whether `path` itself is written."""
        return path in self._read()

    def problem(self, path: Path, message: str, hint: str = "", *, at_key: bool = False) -> Problem:
        """Return a problem with the value at `path` (or with its key)."""
        found = self.find(path)
        if found is None:
            return Problem(message, key=dotted(path), hint=hint)
        source, mark = found
        line, column = (mark.line, mark.column) if at_key else (mark.value_line, mark.value_column)
        return Problem(
            mask(message),
            file=source.name,
            line=line,
            column=column,
            key=dotted(path),
            hint=hint,
            source=mask(source.line(line)),
        )


class Findings:
    """The problems found so far."""

    def __init__(self, places: Places) -> None:
        self.places = places
        self.problems: list[Problem] = []
        self._paths: list[Path] = []
        self._literals: list[str] = []

    def add(self, path: Path, message: str, hint: str = "", *, at_key: bool = False) -> None:
        """Take note of a problem, unless one is known of that value, a part of it or what it is a part of."""
        if not any(path[: len(p)] == p[: len(path)] for p in self._paths):
            self.problems.append(self.places.problem(path, message, hint, at_key=at_key))
        self._paths.append(path)

    def spoiled(self, path: Path) -> bool:
        """Say whether a problem is known of what is at `path`, or of a part of it."""
        return any(p[: len(path)] == path for p in self._paths)

    def add_known(self, problem: Problem) -> None:
        """Take note of a problem that has its place."""
        self.problems.append(problem)

    def hide(self, literal: str) -> None:
        """Never show `literal`, a secret that stands where a reference belongs."""
        if literal:
            self._literals.append(literal)

    def stop(self, order: Iterable[str]) -> None:
        """Raise what was found, in the order of the files and of what is in them.

        Raises:
            ConfigError: Something was.
        """
        if not self.problems:
            return
        rank = {name: i for i, name in enumerate(order)}
        for problem in self.problems:
            for literal in self._literals:
                problem.source = problem.source.replace(literal, "*" * len(literal))
        raise ConfigError(sorted(self.problems, key=lambda p: (rank.get(p.file, -1), p.line, p.column)))


_KNOWN_SECRETS = re.compile(r"\b(?:sk-|sk_|gsk_|xai-|AIza|AKIA)[\w-]{8,}|(?<=:)[^\s:/@]+(?=@)")
_AFTER_A_KEY = re.compile(r"(\b(?:keys?|master_key)[\"']?\s*=)(.*)")
_WORDS = re.compile(r"(?:env|file|keyring|secret|cred):[^\s\"']*|([^\s\"'\[\]{},]+)")


def mask(text: str) -> str:
    """Return a line or a message with what looks like an upstream's key, or a URL's password, hidden."""
    return _KNOWN_SECRETS.sub(lambda m: "*" * len(m[0]), text)


def mask_unread(line: str) -> str:
    """Return a line of what is not TOML; all that may be a secret, because a key for one is there, is hidden."""
    return mask(_AFTER_A_KEY.sub(lambda m: m[1] + _WORDS.sub(_stars, m[2]), line))


def _stars(word: re.Match[str]) -> str:
    return "*" * len(word[1]) if word[1] else word[0]


def dotted(path: Path) -> str:
    """Return a path as TOML writes it: `channels.main.models[0]`, `models."gpt-4.1"`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += ("." if text else "") + (part if is_bare(part) else f'"{part}"')
    return text


def undotted(text: str) -> Path:
    """Return the path that `dotted` wrote."""
    return tuple(
        int(part[1:-1]) if part[0] == "[" else part.removeprefix('"').removesuffix('"') for part in _PART.findall(text)
    )


def advise(name: str, known: Iterable[str]) -> str:
    """Return a hint that names what `name` was probably meant to be, or what there is; "" when that is too much."""
    names = sorted(known)
    if near := nearest(name, names):
        return f"did you mean `{near}`?"
    return f"there {'is' if len(names) == 1 else 'are'} {', '.join(f'`{n}`' for n in names)}" if names else ""
