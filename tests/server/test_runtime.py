"""A serving process follows its database."""

from __future__ import annotations

import asyncio
import logging

import pytest

from newapi.base.errors import StoreError
from tests.server.conftest import Server


@pytest.mark.parametrize("error", [StoreError("away"), ValueError("a row that nobody can read")])
async def test_it_goes_on_following_whatever_goes_wrong_and_says_so_once(
    server: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    runtime, loop, again = server.runtime, asyncio.get_running_loop(), asyncio.Event()
    left = [error, error]

    def refresh() -> None:
        if left:
            raise left.pop()
        loop.call_soon_threadsafe(again.set)

    monkeypatch.setattr("newapi.server.runtime.POLL_SECONDS", 0)
    monkeypatch.setattr(runtime, "refresh", refresh)
    with caplog.at_level(logging.WARNING, "newapi"):
        await runtime.start()
        async with asyncio.timeout(10):
            await again.wait()
    await runtime.stop()
    assert [r.getMessage() for r in caplog.records] == [f"cannot take over what the database holds: {error}"]
