"""The screens: `screens/<name>.py` is the screen `<name>`, and holds one class derived from `LiveScreen`.

Nothing else has to be said: its `KEY` opens it, its tab is shown in the order of the keys, `:<name>` goes there.
Modules that begin with `_` are no screens.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from functools import cache

from newapi.tui.screen import LiveScreen

_ORDER = "1234567890"


@cache
def names() -> tuple[str, ...]:
    """Return the names of all screens, in the order of their keys."""
    found = {m.name: get(m.name).KEY for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_")}
    return tuple(sorted(found, key=lambda name: _ORDER.index(found[name])))


@cache
def get(name: str) -> type[LiveScreen]:
    """Return the screen of that name.

    Raises:
        LookupError: There is none.
    """
    if name not in {m.name for m in pkgutil.iter_modules(__path__)}:
        raise LookupError(f"There is no screen {name!r}")
    module = importlib.import_module(f"{__name__}.{name}")
    return next(
        kind
        for kind in vars(module).values()
        if inspect.isclass(kind) and issubclass(kind, LiveScreen) and kind.__module__ == module.__name__
    )
