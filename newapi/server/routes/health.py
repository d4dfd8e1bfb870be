"""For load balancers and container checks: is the process alive, can it serve."""

from __future__ import annotations

from litestar import get


@get("/health/live", sync_to_thread=False)
def live() -> dict[str, str]:
    """Say that the process answers."""
    return {"status": "ok"}


@get("/health/ready", sync_to_thread=False)
def ready() -> dict[str, str]:
    """Say that requests are served."""
    return {"status": "ok"}
