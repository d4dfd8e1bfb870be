"""What load balancers are told."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from newapi.base.errors import StoreError
from newapi.store.ledger import Settlement, UsageRecord
from tests.server.conftest import Server


@pytest.mark.parametrize("path", ["/health/live", "/health/ready"])
async def test_a_gateway_that_serves_says_so(server: Server, path: str) -> None:
    answer = await server.browser().http.get(path)
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


async def test_it_is_not_ready_while_the_database_cannot_be_written(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger, http = server.runtime.ledger, server.browser().http

    def refuse(batch: Sequence[Settlement]) -> None:
        raise StoreError("disk full")

    with monkeypatch.context() as patched:
        patched.setattr(ledger, "_write", refuse)
        ledger.settle_soon(None, Settlement(UsageRecord(request_id="r1", created_at=1.0), 0, 0, 0, 0))
        ledger.flush()
        refused = await http.get("/health/ready")
        assert (refused.status_code, refused.json()["status"]) == (503, "the database cannot be written")
        assert (await http.get("/health/live")).status_code == 200
    ledger.flush()
    assert (await http.get("/health/ready")).status_code == 200
