"""The file system is the registry: a module of a package is found by its name."""

from __future__ import annotations

import importlib
import pkgutil
from difflib import get_close_matches
from functools import cache


@cache
def names(package: str) -> tuple[str, ...]:
    """Return the names of the plugin modules in `package`, sorted; imports none of them.

    `contract` and names that begin with an underscore are the package's own.
    """
    path = importlib.import_module(package).__path__
    found = (m.name for m in pkgutil.iter_modules(path))
    return tuple(sorted(n for n in found if not n.startswith("_") and n != "contract"))


def load(package: str, name: str, attribute: str) -> object:
    """Return `attribute` of the plugin module `name`.

    Raises:
        LookupError: There is no such plugin; the message names the nearest one.
    """
    known = names(package)
    if name not in known:
        near = get_close_matches(name, known, 1)
        hint = f"; did you mean {near[0]!r}?" if near else f"; there are: {', '.join(known)}"
        raise LookupError(f"no {package.rpartition('.')[2]} called {name!r}{hint}")
    return getattr(importlib.import_module(f"{package}.{name}"), attribute)
