"""The management API, `/api/*`, as New API's scripts use it.

Each module beside this one with a function `routes(runtime)` adds its handlers; nothing registers it.
"""

from __future__ import annotations

import importlib
import pkgutil

from litestar.handlers import HTTPRouteHandler

from newapi.server.runtime import Runtime


def admin_routes(runtime: Runtime) -> list[HTTPRouteHandler]:
    """Return the handlers of every module in this package."""
    found: list[HTTPRouteHandler] = []
    for module in sorted(m.name for m in pkgutil.iter_modules(__path__)):
        routes = getattr(importlib.import_module(f"{__name__}.{module}"), "routes", None)
        if routes is not None:
            found += routes(runtime)
    return found
