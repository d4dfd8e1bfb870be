"""Logs, dashboards and options through the management API."""

from __future__ import annotations

import time
from typing import Any

import msgspec
import pytest

from newapi.config.schema import TokenSpec
from newapi.ops import tokens
from newapi.store.ledger import UsageRecord, write_record
from tests.server.conftest import Browser, Server

NOW = 0


@pytest.fixture(autouse=True)
def moment() -> None:
    """Rows and questions of one test are of one moment, and that is now: some answers reach back from today."""
    global NOW  # noqa: PLW0603
    NOW = int(time.time())


@pytest.fixture
async def ann(server: Server) -> Browser:
    """A user with three requests, an hour apart; somebody else has one."""
    ann = await server.user("ann")
    assert ann.user is not None
    who: dict[str, Any] = {"user_id": ann.user, "user_name": "ann", "token_id": 7, "token_name": "ci"}
    how: dict[str, Any] = {
        "channel_id": 3,
        "channel_name": "secret-upstream",
        "tries": '[{"channel":"secret-upstream"}]',
    }
    bill = '{"model_ratio":1.25,"group_ratio":1}'
    for record in (
        UsageRecord("r1", NOW - 7200, model="gpt-4o", quota=1, prompt_tokens=10, group="vip", **who, **how),
        UsageRecord("r2", NOW - 3600, model="gpt-4o-mini", quota=2, prompt_tokens=20, bill=bill, **who, **how),
        UsageRecord("r3", NOW, model="gpt-4o", quota=4, prompt_tokens=30, completion_tokens=3, **who, **how),
        UsageRecord("r4", NOW, model="gpt-4o", quota=100, user_id=99, user_name="bob", channel_id=4),
        UsageRecord("r5", NOW, kind="error", error="it broke", user_id=99, user_name="bob"),
    ):
        write_record(server.db, record)
    return ann


async def test_a_token_sees_its_lines_without_how_they_were_routed(server: Server, ann: Browser) -> None:
    assert ann.user is not None
    token, key = tokens.create(server.runtime.local, "mine", TokenSpec(user="ann"), who="test")
    server.runtime.refresh()
    how: dict[str, Any] = {"channel_id": 3, "channel_name": "secret-upstream", "tries": '[{"channel":"secret"}]'}
    record = UsageRecord("r9", NOW, model="gpt-4o", quota=4, token_id=token.id, upstream_model="secret-model", **how)
    write_record(server.db, record)
    answer = await server.browser().ask("GET", "/api/log/token", headers={"authorization": f"Bearer {key.reveal()}"})
    (row,) = answer.json()["data"]
    assert (row["request_id"], row["quota"], row["model_name"]) == ("r9", 4, "gpt-4o")
    assert "secret" not in answer.text


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("type=2", ["r4", "r3", "r2", "r1"]),
        ("type=2&username=ann", ["r3", "r2", "r1"]),
        ("type=2&username=a%25", ["r3", "r2", "r1"]),
        ("type=2&username=a", []),
        ("type=5", ["r5"]),
        ("model_name=gpt-4o-mini", ["r2"]),
        ("model_name=gpt-4o%25&username=ann", ["r3", "r2", "r1"]),
        ("token_name=ci&group=vip", ["r1"]),
        ("channel=4", ["r4"]),
        ("request_id=r2", ["r2"]),
        ("type=2&start_timestamp=HOUR_AGO&end_timestamp=HOUR_AGO", ["r2"]),
        ("type=2&p=2&page_size=3", ["r1"]),
    ],
)
async def test_what_is_asked_for(root: Browser, ann: Browser, query: str, ids: list[str]) -> None:
    page = await root.do("GET", f"/api/log/?{query.replace('HOUR_AGO', str(NOW - 3600))}")
    assert [row["request_id"] for row in page["items"]] == ids
    assert page["total"] == (4 if "p=2" in query else len(ids))


@pytest.mark.parametrize("query", ["type=99", "type=x", "channel=a", "start_timestamp=-1", "end_timestamp=1e5"])
async def test_a_question_that_makes_no_sense(root: Browser, query: str) -> None:
    await root.refused("GET", f"/api/log/?{query}")


async def test_ones_own_log_does_not_say_how_it_was_routed(root: Browser, ann: Browser) -> None:
    answer = await ann.ask("GET", "/api/log/self?type=2")
    assert "secret-upstream" not in answer.text
    assert "bob" not in answer.text
    rows = answer.json()["data"]["items"]
    assert [row["quota"] for row in rows] == [4, 2, 1]
    assert msgspec.json.decode(rows[1]["other"])["model_ratio"] == 1.25
    assert "secret-upstream" in (await root.ask("GET", "/api/log/?username=ann")).text


@pytest.mark.parametrize("name", ["%", "b%", "bob"])
async def test_nobody_sums_over_others(ann: Browser, name: str) -> None:
    told = await ann.do("GET", f"/api/log/self/stat?username={name}&type=2")
    assert told == {"quota": 7, "rpm": 1, "tpm": 33}


async def test_sums_of_everybody(root: Browser, ann: Browser) -> None:
    assert (await root.do("GET", "/api/log/stat"))["quota"] == 107
    assert (await root.do("GET", f"/api/log/stat?end_timestamp={NOW - 3600}&username=ann"))["quota"] == 3
    for path in ("/api/log/", "/api/log/stat", "/api/data/", "/api/data/users", "/api/data/flow"):
        await ann.refused("GET", path)
    for path in ("/api/log/search", "/api/log/self/search"):
        await root.refused("GET", path)


async def test_changes_are_the_lines_of_type_3(server: Server, root: Browser, ann: Browser) -> None:
    for name in ("a", "b", "c"):
        channel = {"type": 1, "name": name, "key": "sk-x", "models": "m", "group": "default"}
        await root.do("POST", "/api/channel/", {"mode": "single", "channel": channel})
    write_record(server.db, UsageRecord("m1", NOW + 60, kind="manage", user_name="root", error="quota"))
    first = await root.do("GET", "/api/log/?type=3&username=root&page_size=3")
    rest = await root.do("GET", "/api/log/?type=3&username=root&page_size=3&p=2")
    assert [row["content"] for row in [*first["items"], *rest["items"]]][:4] == [
        "quota",
        "channel.create c",
        "channel.create b",
        "channel.create a",
    ]
    assert first["total"] == rest["total"] == 3 + len(rest["items"]) >= 4
    assert "sk-x" not in str(first)
    assert (await root.do("GET", f"/api/log/?type=3&end_timestamp={NOW - 10}"))["total"] == 0


async def test_the_log_is_cleared_by_root(server: Server, root: Browser, ann: Browser) -> None:
    await (await server.user("ada", role="admin")).refused("DELETE", f"/api/log/?target_timestamp={NOW}")
    await root.refused("DELETE", "/api/log/")
    assert await root.do("DELETE", f"/api/log/?target_timestamp={NOW - 3600}") == 1
    assert (await root.do("GET", "/api/log/?type=2"))["total"] == 3


# -- dashboards ------------------------------------------------------------------------------


async def test_by_hour(root: Browser, ann: Browser) -> None:
    span = f"start_timestamp={NOW - 86_400}&end_timestamp={NOW}"
    rows = await ann.do("GET", f"/api/data/self?{span}")
    assert [(r["model_name"], r["quota"], r["token_used"], r["count"]) for r in rows] == [
        ("gpt-4o", 1, 10, 1),
        ("gpt-4o-mini", 2, 20, 1),
        ("gpt-4o", 4, 33, 1),
    ]
    assert all(r["created_at"] % 3600 == 0 and r["username"] == "ann" for r in rows)
    assert sum(r["quota"] for r in await root.do("GET", f"/api/data/?{span}")) == 107
    assert [r["quota"] for r in await root.do("GET", f"/api/data/?{span}&username=ann")] == [1, 2, 4]
    users = await root.do("GET", f"/api/data/users?{span}")
    assert sum(r["quota"] for r in users if r["username"] == "bob") == 100


async def test_where_it_went(root: Browser, ann: Browser) -> None:
    span = f"start_timestamp={NOW - 86_400}&end_timestamp={NOW}"
    own = await ann.do("GET", f"/api/data/flow/self?{span}")
    assert [(r["token_name"], r["model_name"], r["quota"]) for r in own] == [
        ("ci", "gpt-4o", 4),
        ("ci", "gpt-4o-mini", 2),
        ("ci", "gpt-4o", 1),
    ]
    assert "channel_name" not in own[0]
    everybody = await root.do("GET", f"/api/data/flow?{span}")
    assert [(r["username"], r["channel_id"], r["quota"]) for r in everybody][:2] == [("bob", 4, 100), ("ann", 3, 4)]


async def test_a_month_at_most(ann: Browser) -> None:
    await ann.do("GET", "/api/data/self")
    await ann.do("GET", f"/api/data/self?start_timestamp={NOW - 30 * 86_400 + 60}")
    await ann.refused("GET", f"/api/data/self?start_timestamp={NOW - 31 * 86_400}")
    await ann.refused("GET", "/api/data/self?start_timestamp=x")


# -- options and models ----------------------------------------------------------------------


async def test_options_are_roots(server: Server, root: Browser) -> None:
    admin = await server.user("ada", role="admin")
    await admin.refused("GET", "/api/option/")
    await admin.refused("PUT", "/api/option/", {"key": "Notice", "value": "hi"})
    await root.refused("PUT", "/api/option/", {"key": "Notice"})
    await root.refused("PUT", "/api/option/", {"key": "Notice", "value": {"a": 1}})
    await root.refused("PUT", "/api/option/", status=400, content=b"not json")


@pytest.mark.parametrize(("given", "text"), [("5", "5"), (5, "5"), (2.5, "2.5"), (True, "true"), (False, "false")])
async def test_a_value_is_text(root: Browser, given: Any, text: str) -> None:
    await root.do("PUT", "/api/option/", {"key": "Anything", "value": given})
    options = {o["key"]: o["value"] for o in await root.do("GET", "/api/option/")}
    assert options["Anything"] == text


async def test_a_price_is_in_force_at_once(server: Server, root: Browser) -> None:
    await root.do("PUT", "/api/option/", {"key": "ModelPrice", "value": '{"mine":0.02}'})
    price = server.runtime.gateway.snapshot.prices.find("mine")
    assert price is not None
    assert str(price.per_call) == "0.02"


async def test_models_with_and_without_the_last_slash(server: Server, root: Browser, ann: Browser) -> None:
    channel = {"type": 1, "name": "a", "key": "k", "models": "m,wild-*", "group": "default"}
    await root.do("POST", "/api/channel/", {"mode": "single", "channel": channel})
    assert (await ann.do("GET", "/api/models"))["1"] == ["m"]
    await ann.refused("GET", "/api/models/")
    vendor = await root.do("POST", "/api/vendors/", {"name": "Acme"})
    await root.do("POST", "/api/models/", {"model_name": "m", "vendor_id": vendor["id"]})
    await root.do("POST", "/api/models/", {"model_name": "wild", "name_rule": 1})
    page = await root.do("GET", "/api/models/")
    assert [(e["model_name"], e["matched_models"]) for e in page["items"]] == [("wild", ["wild-*"]), ("m", ["m"])]
    assert page["vendor_counts"] == {str(vendor["id"]): 1, "0": 1}
    assert page["items"][1]["bound_channels"] == [{"name": "a", "type": 1}]
    assert await root.do("GET", "/api/models/missing") == []
    found = await root.do("GET", "/api/models/search?vendor=Acme")
    assert [e["model_name"] for e in found["items"]] == ["m"]
    assert (await root.do("GET", "/api/models/search?keyword=WILD"))["total"] == 1


async def test_a_description_keeps_what_is_not_said(root: Browser) -> None:
    made = await root.do("POST", "/api/models/", {"model_name": "m", "description": "d", "tags": "t"})
    hidden = await root.do("PUT", "/api/models/?status_only=true", {"id": made["id"], "status": 0, "tags": "x"})
    assert (hidden["status"], hidden["tags"], hidden["description"]) == (0, "t", "d")
    changed = await root.do("PUT", "/api/models/", {"id": made["id"], "tags": "x"})
    assert (changed["tags"], changed["description"], changed["model_name"]) == ("x", "d", "m")
    await root.refused("PUT", "/api/models/", {"tags": "x"})
    await root.refused("PUT", "/api/vendors/", {"id": made["id"], "name": "x"})
