"""A serving process follows its database."""

from __future__ import annotations

import asyncio
import logging
from decimal import Decimal

import pytest
from msgspec.structs import replace

from newapi.base.errors import StoreError
from newapi.config.schema import Config, GroupSpec, ServerSpec, TokenSpec
from newapi.ops import apply, tokens
from newapi.store.ledger import Settlement, UsageRecord, write_batch
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


async def test_what_was_spent_of_budgets_before_is_known(server: Server) -> None:
    now = server.runtime.gateway.clock()
    day = {"day": Decimal(1)}
    groups = {
        **server.runtime.local.config.groups,
        "vip": GroupSpec(budget=day),
        "both": GroupSpec(members=("vip", "svip"), budget={"month": Decimal(1)}),
    }
    for number, (user, group) in enumerate([(1, "vip"), (1, "vip"), (1, "svip"), (2, "vip"), (3, "default")]):
        record = UsageRecord(f"r{number}", now, user_id=user, token_id=7, group=group, quota=100_000)
        write_batch(server.db, [Settlement(record, 0, 0, 0, 0)])
    apply.apply(server.runtime.local, Config(groups=groups, tokens={"t": TokenSpec(budget=day)}), who="test")
    server.runtime.refresh()
    used = server.runtime.gateway.limiter._used  # type: ignore[attr-defined]
    spent = {key: [quota for _, quota in found.spent.values()] for key, found in used.items() if found.spent}
    assert spent == {
        ("group", 1, "vip"): [200_000],
        ("group", 2, "vip"): [100_000],
        ("group", 1, "both"): [300_000],
        ("group", 2, "both"): [100_000],
        ("token", 1, ""): [0],
    }
    limits = server.runtime.gateway.snapshot.group_limits
    assert (limits["vip"].budget, limits["both"].budget) == ({"day": 500_000}, {"month": 500_000})


async def test_a_reload_says_anew_which_proxies_are_trusted(server: Server) -> None:
    runtime, browser = server.runtime, server.browser()
    _, key = tokens.create(runtime.local, "t", TokenSpec(unlimited=True, allow_ips=("203.0.113.5",)), who="test")
    runtime.refresh()
    headers = {"authorization": f"Bearer {key.reveal()}", "x-forwarded-for": "203.0.113.5"}
    assert (await browser.ask("GET", "/v1/models", headers=headers)).status_code == 200
    config = replace(runtime.local.config, server=ServerSpec(trusted_proxies=()))
    runtime.reload(replace(runtime.local, config=config))
    assert (await browser.ask("GET", "/v1/models", headers=headers)).status_code == 403
