"""Which path speaks which format: gathered once from the formats themselves."""

from __future__ import annotations

import re
from functools import cache
from urllib.parse import unquote

from newapi import formats
from newapi.formats.contract import Format, Route

Match = tuple[Format, Route, dict[str, str]]


class Routes:
    """Every route of every format."""

    def __init__(self) -> None:
        self._exact: dict[str, tuple[Format, Route]] = {}
        self._patterns: list[tuple[re.Pattern[str], Format, Route, str]] = []
        for name in formats.names():
            format = formats.get(name)
            for route in format.routes:
                if "{" not in route.path:
                    self._exact[route.path] = (format, route)
                else:
                    pattern = re.sub(r"\\{(\w+)\\}", r"(?P<\1>.+)", re.escape(route.path))
                    action = route.path.rpartition(":")[2] if ":" in route.path else ""
                    self._patterns.append((re.compile(pattern), format, route, action))

    def find(self, path: str) -> Match | None:
        """Return the format, the route and the path parameters (`model`, and `action` after a colon) of `path`."""
        exact = self._exact.get(path)
        if exact is not None:
            return exact[0], exact[1], {}
        for pattern, format, route, action in self._patterns:
            if found := pattern.fullmatch(path):
                params = {k: unquote(v) for k, v in found.groupdict().items()}
                return format, route, params | ({"action": action} if action else {})
        return None


@cache
def routes() -> Routes:
    """Return the routes of all formats."""
    return Routes()
