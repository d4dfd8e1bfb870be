"""Users through the management API."""

from __future__ import annotations

from typing import Any

import pytest

from newapi.ops import users
from newapi.store import options
from tests.server.conftest import PASSWORD, Browser, Server


def set_option(server: Server, name: str, value: str) -> None:
    with server.db.writing() as c:
        options.put(c, name, value)


async def named(root: Browser, name: str) -> dict[str, Any]:
    found = await root.do("GET", f"/api/user/search?keyword={name}")
    return next(user for user in found["items"] if user["username"] == name)


async def test_made_found_changed_and_deleted(server: Server, root: Browser) -> None:
    body = {"username": "ursula", "password": PASSWORD, "display_name": "Ursula", "role": 1}
    await root.do("POST", "/api/user/", body)
    user = await named(root, "ursula")
    assert (user["display_name"], user["role"], user["status"], user["quota"]) == ("Ursula", 1, 1, 0)
    await root.do("PUT", "/api/user/", {"id": user["id"], "group": "vip", "remark": "pays on time"})
    shown = await root.do("GET", f"/api/user/{user['id']}")
    assert (shown["username"], shown["group"], shown["remark"]) == ("ursula", "vip", "pays on time")
    await root.do("PUT", "/api/user/", {"id": user["id"], "remark": ""})
    shown = await root.do("GET", f"/api/user/{user['id']}")
    assert (shown["group"], shown["remark"]) == ("vip", "")
    await root.do("DELETE", f"/api/user/{user['id']}")
    await root.refused("GET", f"/api/user/{user['id']}")
    await root.refused("DELETE", f"/api/user/{user['id']}")


async def test_nothing_secret_is_in_a_row(server: Server, root: Browser) -> None:
    sam = await server.user("sam")
    await sam.do("GET", "/api/user/token")
    for answer in (await sam.ask("GET", "/api/user/self"), await root.ask("GET", f"/api/user/{sam.user}")):
        assert not {k for k in answer.json()["data"] if "password" in k or "token" in k}
        assert "scrypt" not in answer.text


@pytest.mark.parametrize(
    "body",
    [
        {"username": "root", "password": PASSWORD},
        {"username": "", "password": PASSWORD},
        {"username": "x" * 65, "password": PASSWORD},
        {"username": "line\nbreak", "password": PASSWORD},
        {"username": "short", "password": "1234567"},
        {"username": "strange", "password": PASSWORD, "role": 7},
        {"username": "usurper", "password": PASSWORD, "role": 100},
        {"username": "lost", "password": PASSWORD, "group": "no such group"},
        {"username": "nameless"},
    ],
)
async def test_users_that_are_not_made(server: Server, root: Browser, body: dict[str, Any]) -> None:
    before = (await root.do("GET", "/api/user/"))["total"]
    await root.refused("POST", "/api/user/", body)
    assert (await root.do("GET", "/api/user/"))["total"] == before


async def test_quota_is_added_subtracted_and_set_and_the_log_says_so(server: Server, root: Browser) -> None:
    sam = await server.user("sam")
    manage = {"id": sam.user, "action": "add_quota"}
    await root.do("POST", "/api/user/manage", {**manage, "mode": "add", "value": 5000})
    await root.do("POST", "/api/user/manage", {**manage, "mode": "subtract", "value": 2000})
    assert (await sam.do("GET", "/api/user/self"))["quota"] == 3000
    await root.refused("POST", "/api/user/manage", {**manage, "mode": "subtract", "value": 3001})
    for value in (0, -1):
        await root.refused("POST", "/api/user/manage", {**manage, "mode": "add", "value": value})
    await root.do("POST", "/api/user/manage", {**manage, "mode": "override", "value": 777})
    assert (await sam.do("GET", "/api/user/self"))["quota"] == 777
    texts = [row["content"] for row in (await sam.do("GET", "/api/log/self"))["items"]]
    assert [text.split()[1] for text in texts] == ["set", "subtracted", "added"]


async def test_what_the_relay_has_of_a_user_is_changed_at_once(server: Server, root: Browser) -> None:
    sam = await server.user("sam")
    assert sam.user is not None
    await root.do("POST", "/api/user/manage", {"id": sam.user, "action": "disable"})
    assert not server.runtime.gateway.snapshot.users[sam.user].enabled
    await root.do("POST", "/api/user/manage", {"id": sam.user, "action": "enable"})
    assert server.runtime.gateway.snapshot.users[sam.user].enabled


async def test_promoted_and_demoted_by_root_alone(server: Server, root: Browser) -> None:
    ada, sam = await server.user("ada", role="admin"), await server.user("sam")
    await ada.refused("POST", "/api/user/manage", {"id": sam.user, "action": "promote"})
    promoted = await root.do("POST", "/api/user/manage", {"id": sam.user, "action": "promote"})
    assert promoted == {"role": 10, "status": 1}
    await ada.refused("POST", "/api/user/manage", {"id": sam.user, "action": "disable"})
    demoted = await root.do("POST", "/api/user/manage", {"id": sam.user, "action": "demote"})
    assert demoted["role"] == 1
    await root.refused("POST", "/api/user/manage", {"id": sam.user, "action": "explode"})


@pytest.mark.parametrize("action", ["disable", "demote", "delete"])
async def test_root_stays(server: Server, root: Browser, action: str) -> None:
    ada = await server.user("ada", role="admin")
    for browser in (root, ada):
        await browser.refused("POST", "/api/user/manage", {"id": root.user, "action": action})
        await browser.refused("DELETE", f"/api/user/{root.user}")
    await root.refused("DELETE", "/api/user/self")
    assert (await root.do("GET", "/api/user/self"))["role"] == 100


async def test_an_administrator_does_nothing_to_peers_or_above(server: Server, root: Browser) -> None:
    ada, eve = await server.user("ada", role="admin"), await server.user("eve", role="admin")
    for id in (root.user, eve.user, ada.user):
        await ada.refused("GET", f"/api/user/{id}")
        await ada.refused("PUT", "/api/user/", {"id": id, "password": "something else"})
        await ada.refused("POST", "/api/user/manage", {"id": id, "action": "add_quota", "value": 1})
        await ada.refused("DELETE", f"/api/user/{id}")
    await ada.refused("POST", "/api/user/", {"username": "two", "password": PASSWORD, "role": 10})


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("keyword=u", ["usher", "ursus", "ursula"]),
        ("keyword=URS", ["ursus", "ursula"]),
        ("keyword=u%25", []),
        ("keyword=u_s", []),
        ("group=vip", ["ursus"]),
        ("role=10", ["usher"]),
        ("status=2", ["ursula"]),
        ("status=-1", ["gone"]),
        ("keyword=u&page_size=1", ["usher"]),
        ("keyword=u&page_size=1&p=3", ["ursula"]),
    ],
)
async def test_search(server: Server, root: Browser, query: str, names: list[str]) -> None:
    for name, about in (("ursula", {}), ("ursus", {"group": "vip"}), ("usher", {"role": "admin"}), ("gone", {})):
        users.create(server.db, users.NewUser(name=name, **about), who="test")
    users.change(server.db, users.get(server.db, "ursula").id, users.Changes(state="disabled"), who="test")
    users.delete(server.db, users.get(server.db, "gone").id, who="test")
    found = await root.do("GET", f"/api/user/search?{query}")
    assert [user["username"] for user in found["items"]] == names


async def test_who_deletes_the_own_account_is_gone_and_so_is_the_name(server: Server, root: Browser) -> None:
    sam = await server.user("sam")
    await sam.do("DELETE", "/api/user/self")
    await sam.refused("GET", "/api/user/self", status=401)
    await sam.refused("POST", "/api/user/login", {"username": "sam", "password": PASSWORD})
    await root.refused("POST", "/api/user/", {"username": "sam", "password": PASSWORD})
    assert (await named(root, "sam"))["DeletedAt"]


async def test_settings_are_merged(server: Server) -> None:
    import msgspec

    sam = await server.user("sam")
    await sam.do("PUT", "/api/user/self", {"language": "en"})
    await sam.do("PUT", "/api/user/setting", {"notify_type": "email", "quota_warning_threshold": 2000})
    await sam.do("PUT", "/api/user/setting", {"notify_type": "webhook", "webhook_url": "https://example.com"})
    await sam.refused("PUT", "/api/user/setting", {"notify_type": "webhook", "webhook_url": "file:///etc/passwd"})
    setting = msgspec.json.decode((await sam.do("GET", "/api/user/self"))["setting"])
    assert setting == {
        "language": "en",
        "notify_type": "webhook",
        "quota_warning_threshold": 2000,
        "webhook_url": "https://example.com",
    }


async def test_strangers_register_only_where_they_may(server: Server, root: Browser) -> None:
    body = {"username": "newcomer", "password": PASSWORD}
    await server.browser().refused("POST", "/api/user/register", body)
    set_option(server, "RegisterEnabled", "true")
    await root.do("PUT", "/api/option/", {"key": "QuotaForNewUser", "value": "1234"})
    await server.browser().do("POST", "/api/user/register", body | {"role": 100, "quota": 10**9})
    await server.browser().refused("POST", "/api/user/register", body)
    newcomer = await server.signed_in("newcomer")
    shown = await newcomer.do("GET", "/api/user/self")
    assert (shown["role"], shown["quota"]) == (1, 1234)


async def test_who_invites_is_known(server: Server, root: Browser) -> None:
    set_option(server, "RegisterEnabled", "true")
    set_option(server, "QuotaForInvitee", "50")
    sam = await server.user("sam")
    code = await sam.do("GET", "/api/user/aff")
    body = {"username": "friend", "password": PASSWORD, "aff_code": code}
    await server.browser().do("POST", "/api/user/register", body)
    friend = await named(root, "friend")
    assert (friend["inviter_id"], friend["quota"]) == (sam.user, 50)
    assert (await sam.do("GET", "/api/user/self"))["aff_count"] == 1
    await sam.refused("POST", "/api/user/aff_transfer", {"quota": 500_000})


async def test_groups(server: Server, root: Browser) -> None:
    assert await root.do("GET", "/api/group/") == ["default", "svip", "vip"]
    anyone = await server.browser().do("GET", "/api/user/groups")
    assert {name: group["ratio"] for name, group in anyone.items()} == {"default": 1, "vip": 0.8}
    member = await server.user("member", group="svip")
    own = await member.do("GET", "/api/user/self/groups")
    assert {name: group["ratio"] for name, group in own.items()} == {"default": 1, "svip": 0.5, "vip": 0.8}
