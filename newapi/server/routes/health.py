"""For load balancers and container checks: is the process alive, can it serve."""

from __future__ import annotations

from litestar import Response, get
from litestar.handlers import HTTPRouteHandler

from newapi.server.runtime import Runtime


def health_routes(runtime: Runtime) -> list[HTTPRouteHandler]:
    """Return the handlers."""

    @get("/health/live", sync_to_thread=False)
    def live() -> dict[str, str]:
        """Say that the process answers."""
        return {"status": "ok"}

    @get("/health/ready", sync_to_thread=False)
    def ready() -> Response[dict[str, str]]:
        """Say whether requests are served and what they cost is written.

        503 while the database refuses it, and once the server comes to its end.
        """
        if runtime.draining:
            return Response({"status": "the server is draining"}, status_code=503)
        if runtime.ledger.failures:
            return Response({"status": "the database cannot be written"}, status_code=503)
        return Response({"status": "ok"})

    return [live, ready]
