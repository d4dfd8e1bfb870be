"""Tokens through the management API."""

from __future__ import annotations

from typing import Any

import pytest

from newapi.config.load import load
from newapi.ops.apply import plan
from newapi.ops.export import export
from newapi.store.models import Token
from tests.server.conftest import Browser, Server


async def made(browser: Browser, **about: Any) -> dict[str, Any]:
    """Return a token that is made just now: New API's way, by listing."""
    await browser.do("POST", "/api/token/", {"name": "ci", "unlimited_quota": True, "expired_time": -1, **about})
    return (await browser.do("GET", "/api/token/?p=1&page_size=1"))["items"][0]


async def models(server: Server, key: str) -> int:
    """Return the status of a call with a key."""
    answer = await server.browser().ask("GET", "/v1/models", headers={"authorization": f"Bearer sk-{key}"})
    return answer.status_code


async def key_of(browser: Browser, id: int) -> str:
    return (await browser.do("POST", f"/api/token/{id}/key"))["key"]


async def test_a_key_is_masked_in_lists_given_when_asked_and_works_at_once(server: Server, root: Browser) -> None:
    token = await made(root)
    key = await key_of(root, token["id"])
    assert len(key) == 48
    assert token["key"] == f"{key[:4]}**********{key[-4:]}"
    assert await models(server, key) == 200
    assert await root.do("POST", "/api/token/batch/keys", {"ids": [token["id"], 999]}) == {
        "keys": {str(token["id"]): key}
    }


async def test_a_key_that_is_not_kept_is_not_given(server: Server, root: Browser) -> None:
    token = await made(root)
    with server.db.writing() as c:
        Token.update(key_cipher=None).execute(c)
    assert "not kept" in await root.refused("POST", f"/api/token/{token['id']}/key")
    assert "**********" in (await root.do("GET", f"/api/token/{token['id']}"))["key"]


async def test_off_on_and_deleted_at_once(server: Server, root: Browser) -> None:
    token = await made(root)
    key = await key_of(root, token["id"])
    for status, due in ((2, 401), (1, 200)):
        changed = await root.do("PUT", "/api/token/?status_only=true", {"id": token["id"], "status": status})
        assert (changed["status"], changed["name"]) == (status, "ci")
        assert await models(server, key) == due
    await root.do("DELETE", f"/api/token/{token['id']}")
    assert await models(server, key) == 401
    await root.refused("DELETE", f"/api/token/{token['id']}")


async def test_others_tokens_are_not_there(server: Server, root: Browser) -> None:
    sam = await server.user("sam")
    token = await made(sam)
    id = token["id"]
    await root.refused("GET", f"/api/token/{id}")
    await root.refused("POST", f"/api/token/{id}/key")
    await root.refused("POST", "/api/token/batch/keys", {"ids": [id]})
    await root.refused("PUT", "/api/token/", {"id": id, "name": "mine"})
    await root.refused("PUT", "/api/token/?status_only=1", {"id": id, "status": 2})
    await root.refused("DELETE", f"/api/token/{id}")
    assert await root.do("POST", "/api/token/batch", {"ids": [id]}) == 0
    assert (await sam.do("GET", f"/api/token/{id}"))["name"] == "ci"


async def test_what_is_left_out_stays(server: Server, root: Browser) -> None:
    about = {"unlimited_quota": False, "remain_quota": 7, "expired_time": 4_000_000_000, "group": "vip"}
    limits = {"model_limits_enabled": True, "model_limits": "gpt-4o,o3", "allow_ips": "10.0.0.0/8\n127.0.0.1"}
    token = await made(root, **about, **limits)
    changed = await root.do("PUT", "/api/token/", {"id": token["id"], "name": "other"})
    assert changed == {**token, "name": "other"}
    assert {k: changed[k] for k in (*about, *limits)} == about | limits
    changed = await root.do("PUT", "/api/token/", {"id": token["id"], "model_limits_enabled": False, "allow_ips": ""})
    assert (changed["model_limits_enabled"], changed["model_limits"], changed["allow_ips"]) == (False, "", "")


@pytest.mark.parametrize(
    "about",
    [
        {"name": "n" * 51},
        {"remain_quota": -1, "unlimited_quota": False},
        {"remain_quota": 10**18, "unlimited_quota": False},
        {"group": "no such group"},
        {"group": "svip"},
        {"allow_ips": "not an address"},
        {"model_limits_enabled": True, "model_limits": ""},
        {"expired_time": "tomorrow"},
    ],
)
async def test_tokens_that_are_not_made(server: Server, about: dict[str, Any]) -> None:
    sam = await server.user("sam")
    await sam.refused("POST", "/api/token/", {"name": "ci", "unlimited_quota": True, **about})
    assert (await sam.do("GET", "/api/token/"))["total"] == 0


async def test_no_more_than_so_many(root: Browser) -> None:
    await root.do("PUT", "/api/option/", {"key": "token_setting.max_user_tokens", "value": "2"})
    for _ in range(2):
        await made(root)
    await root.refused("POST", "/api/token/", {"name": "third", "unlimited_quota": True})


@pytest.mark.parametrize(
    ("about", "status"),
    [
        ({"expired_time": 1}, 3),
        ({"unlimited_quota": False, "remain_quota": 0}, 4),
        ({"unlimited_quota": True, "remain_quota": 0}, 1),
    ],
)
async def test_what_is_spent_cannot_be_turned_on(server: Server, about: dict[str, Any], status: int) -> None:
    sam = await server.user("sam")
    token = await made(sam, **about)
    assert token["status"] == status
    ask = sam.do if status == 1 else sam.refused
    await ask("PUT", "/api/token/?status_only=1", {"id": token["id"], "status": 1})


async def test_search(root: Browser) -> None:
    for name in ("alpha", "beta", "alphabet"):
        await made(root, name=name)
    found = await root.do("GET", "/api/token/search?keyword=alpha")
    assert [token["name"] for token in found["items"]] == ["alphabet", "alpha"]
    key = await key_of(root, found["items"][1]["id"])
    for shown in (key, f"sk-{key}"):
        assert (await root.do("GET", f"/api/token/search?token={shown}"))["items"][0]["name"] == "alpha"
    assert (await root.do("GET", "/api/token/search?token=nothing"))["total"] == 0


@pytest.mark.parametrize("id", ["abc", "-1", "1e3", "99999999999999999999", "٣"])
async def test_ids_that_are_none(root: Browser, id: str) -> None:
    await root.refused("GET", f"/api/token/{id}")


@pytest.mark.parametrize(
    "about",
    [
        {"unlimited_quota": True, "remain_quota": 0},
        {"unlimited_quota": False, "remain_quota": 123, "expired_time": 4_000_000_000},
        {"group": "vip", "model_limits_enabled": True, "model_limits": "gpt-4o", "allow_ips": "10.0.0.0/8"},
        {"name": ""},
    ],
)
async def test_what_is_made_here_can_be_exported_and_applied(server: Server, about: dict[str, Any]) -> None:
    sam = await server.user("sam", group="svip")
    token = await made(sam, **about)
    await sam.do("PUT", "/api/user/self", {"username": "samuel"})
    for change in ({}, {"unlimited_quota": False, "remain_quota": 7}, {"unlimited_quota": True}, {"group": ""}):
        await sam.do("PUT", "/api/token/", {"id": token["id"], **change})
        path = server.runtime.local.path
        path.write_text(export(server.db))
        config = load(path).config
        assert not plan(server.runtime.local, config).changes
        assert {spec.user for spec in config.tokens.values()} == {"samuel"}
