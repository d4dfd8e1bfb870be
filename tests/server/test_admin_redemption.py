"""Redemption codes and check-ins through the management API."""

from __future__ import annotations

from typing import Any

import pytest

from newapi.store import options
from newapi.store.models import Redemption
from tests.server.conftest import Browser, Server

SPRING = {"name": "spring", "count": 3, "quota": 500_000, "expired_time": 0}


async def test_a_code_counts_once(server: Server, root: Browser) -> None:
    rita, rolf = await server.user("rita"), await server.user("rolf")
    codes = await root.do("POST", "/api/redemption/", SPRING)
    assert len(set(codes)) == 3
    assert await rita.do("POST", "/api/user/topup", {"key": f" {codes[0]}\n"}) == 500_000
    for browser in (rita, rolf):
        await browser.refused("POST", "/api/user/topup", {"key": codes[0]})
    assert (await rita.do("GET", "/api/user/self"))["quota"] == 500_000
    assert (await rolf.do("GET", "/api/user/self"))["quota"] == 0
    rows = (await root.do("GET", "/api/redemption/"))["items"]
    used = next(row for row in rows if row["key"] == codes[0])
    assert (used["status"], used["used_user_id"]) == (3, rita.user)
    (line,) = (await rita.do("GET", "/api/log/self?type=1"))["items"]
    assert "$1.00" in line["content"]


async def test_codes_do_not_lie_in_the_database_as_they_are(server: Server, root: Browser) -> None:
    codes = await root.do("POST", "/api/redemption/", SPRING)
    with server.db.reading() as c:
        stored = str(list(Redemption.select().dicts().execute(c)))
    assert not [code for code in codes if code in stored]


async def test_changed_turned_off_and_cleared_away(server: Server, root: Browser) -> None:
    rita = await server.user("rita")
    codes = await root.do("POST", "/api/redemption/", SPRING)
    rows = {row["key"]: row["id"] for row in (await root.do("GET", "/api/redemption/search?keyword=spr"))["items"]}
    first, second, third = (rows[code] for code in codes)
    changed = await root.do("PUT", "/api/redemption/", {"id": first, "name": "summer", "quota": 7})
    assert (changed["name"], changed["quota"], changed["key"]) == ("summer", 7, codes[0])
    off = await root.do("PUT", "/api/redemption/?status_only=true", {"id": second, "status": 2, "quota": 1})
    assert (off["status"], off["quota"]) == (2, 500_000)
    await rita.refused("POST", "/api/user/topup", {"key": codes[1]})
    await rita.do("POST", "/api/user/topup", {"key": codes[0]})
    await root.refused("PUT", "/api/redemption/", {"id": first, "quota": 9})
    assert await root.do("DELETE", "/api/redemption/invalid") == 2
    await root.do("DELETE", f"/api/redemption/{third}")
    await root.refused("GET", f"/api/redemption/{third}")
    assert (await root.do("GET", "/api/redemption/"))["total"] == 0


async def test_an_expired_code_is_none(server: Server, root: Browser) -> None:
    rita = await server.user("rita")
    (code,) = await root.do("POST", "/api/redemption/", {**SPRING, "count": 1})
    with server.db.writing() as c:
        Redemption.update(expires_at=1.0).execute(c)
    await rita.refused("POST", "/api/user/topup", {"key": code})
    assert (await rita.do("GET", "/api/user/self"))["quota"] == 0


@pytest.mark.parametrize(
    "wrong", [{"name": ""}, {"count": 0}, {"count": 101}, {"quota": 0}, {"quota": -5}, {"expired_time": 1}]
)
async def test_codes_that_are_not_made(root: Browser, wrong: dict[str, Any]) -> None:
    await root.refused("POST", "/api/redemption/", SPRING | wrong)
    assert (await root.do("GET", "/api/redemption/"))["total"] == 0


async def test_codes_are_not_guessed(server: Server, root: Browser) -> None:
    rita = await server.user("rita")
    for n in range(20):
        await rita.refused("POST", "/api/user/topup", {"key": f"guess {n}"})
    (code,) = await root.do("POST", "/api/redemption/", {**SPRING, "count": 1})
    await rita.refused("POST", "/api/user/topup", {"key": code}, status=429)


async def test_one_calls_by_once_a_day(server: Server) -> None:
    rita = await server.user("rita")
    await rita.refused("POST", "/api/user/checkin")
    with server.db.writing() as c:
        for name, value in (("enabled", "true"), ("min_quota", "5"), ("max_quota", "6")):
            options.put(c, f"checkin_setting.{name}", value)
    given = (await rita.do("POST", "/api/user/checkin"))["quota_awarded"]
    await rita.refused("POST", "/api/user/checkin")
    assert given in (5, 6)
    assert (await rita.do("GET", "/api/user/self"))["quota"] == given
    stats = (await rita.do("GET", "/api/user/checkin"))["stats"]
    assert (stats["checked_in_today"], stats["total_checkins"], stats["total_quota"]) == (True, 1, given)
    assert (await rita.do("GET", "/api/user/checkin?month=1999-01"))["stats"]["records"] == []


async def test_what_is_sold_is_told(server: Server) -> None:
    rita = await server.user("rita")
    info = await rita.do("GET", "/api/user/topup/info")
    assert info["enable_redemption"]
    assert not info["enable_online_topup"]
    assert (await rita.do("GET", "/api/user/topup/self"))["items"] == []
