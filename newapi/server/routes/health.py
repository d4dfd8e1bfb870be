"""For load balancers and container checks: is the process alive, can it serve."""

from __future__ import annotations

from litestar import Response, get
from litestar.handlers import HTTPRouteHandler

from newapi.relay.ledger import Ledger


def health_routes(ledger: Ledger) -> list[HTTPRouteHandler]:
    """Return the handlers."""

    @get("/health/live", sync_to_thread=False)
    def live() -> dict[str, str]:
        """Say that the process answers."""
        return {"status": "ok"}

    @get("/health/ready", sync_to_thread=False)
    def ready() -> Response[dict[str, str]]:
        """Say whether requests are served and what they cost is written: 503 while the database refuses it."""
        if ledger.failures:
            return Response({"status": "the database cannot be written"}, status_code=503)
        return Response({"status": "ok"})

    return [live, ready]
