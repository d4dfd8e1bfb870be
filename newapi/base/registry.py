"""The file system is the registry: a module of a package is found by its name."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from newapi.base.nearest import did_you_mean


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
        hint = did_you_mean(name, known) or f"; there are: {', '.join(known)}"
        raise LookupError(f"no {package.rpartition('.')[2]} called {name!r}{hint}")
    return getattr(importlib.import_module(f"{package}.{name}"), attribute)
