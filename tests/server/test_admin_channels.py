"""Channels through the management API: whom it lets do what, and what the recordings do not say."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from newapi.base.http import HttpCall, HttpReply
from newapi.ops import channel_probe, channels
from newapi.ops.export import export
from newapi.store import audit, sealed
from newapi.store.models import Channel
from tests.server.conftest import Browser, Server

BASE = "/api/channel"


async def make(root: Browser, mode: str = "single", **channel: Any) -> list[int]:
    """Make channels and return their ids."""
    values = {"type": 1, "name": "main", "key": "sk-upstream", "models": "gpt-4o", "group": "default", **channel}
    await root.do("POST", f"{BASE}/", {"mode": mode, "multi_key_mode": "polling", "channel": values})
    found = await root.do("GET", f"{BASE}/search?keyword={values['name']}")
    return [row["id"] for row in found["items"]]


async def show(root: Browser, id: int) -> dict[str, Any]:
    return await root.do("GET", f"{BASE}/{id}")


# -- who may ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/", {"mode": "single", "channel": {"key": "k"}}),
        ("PUT", "/", {"id": 1, "key": "sk-mine"}),
        ("PUT", "/", {"id": 1, "base_url": "https://evil.test"}),
        ("PUT", "/", {"id": 1, "setting": '{"proxy":"http://evil.test"}'}),
        ("PUT", "/", {"id": 1, "unheard_of": 1}),
        ("DELETE", "/1", None),
        ("DELETE", "/disabled", None),
        ("POST", "/batch", {"ids": [1]}),
        ("POST", "/copy/1", None),
        ("POST", "/fetch_models", {"base_url": "https://evil.test", "type": 1, "key": "k"}),
        ("PUT", "/tag", {"tag": "x", "header_override": "{}"}),
        ("POST", "/multi_key/manage", {"channel_id": 1, "action": "delete_key", "key_index": 0}),
    ],
)
async def test_keys_and_addresses_are_roots(server: Server, root: Browser, method: str, path: str, body: Any) -> None:
    assert await make(root, "multi_to_single", tag="x", key="a\nb") == [1]
    admin = await server.user("ada", role="admin")
    before = channels.list_channels(server.db)
    await admin.refused(method, BASE + path, body, status=403)
    assert channels.list_channels(server.db) == before


async def test_an_administrator_reads_and_switches(server: Server, root: Browser) -> None:
    (id,) = await make(root)
    admin = await server.user("ada", role="admin")
    assert (await show(admin, id))["name"] == "main"
    assert await admin.do("POST", f"{BASE}/{id}/status", {"status": 2}) is True
    changed = await admin.do("PUT", f"{BASE}/", {"id": id, "priority": 9, "models": "o3", "name": "new"})
    assert (changed["priority"], changed["models"], changed["name"], changed["status"]) == (9, "o3", "new", 2)
    assert audit.entries(server.db)[0].who == "ada"


async def test_the_key_is_shown_to_root_alone(server: Server, root: Browser) -> None:
    (id,) = await make(root, "multi_to_single", key="sk-one\n\nsk-two")
    assert await root.do("POST", f"{BASE}/{id}/key") == {"key": "sk-one\nsk-two"}
    await (await server.user("ada", role="admin")).refused("POST", f"{BASE}/{id}/key")
    for path in (f"/{id}", "/", "/search?keyword=main"):
        assert "sk-one" not in (await root.ask("GET", BASE + path)).text


@pytest.mark.parametrize("path", ["/", "/search", "/1", "/test/1", "/models", "/fetch_models/1"])
async def test_nothing_of_it_is_a_users(server: Server, path: str) -> None:
    await (await server.user("sam")).refused("GET", BASE + path)
    await server.browser().refused("GET", BASE + path, status=401)


# -- making and changing ---------------------------------------------------------------------


async def test_a_channel_for_each_key(root: Browser) -> None:
    ids = await make(root, "batch", name="flock", key="sk-a\n\nsk-b")
    assert [(await show(root, id))["name"] for id in ids] == ["flock", "flock-2"]
    assert [(await root.do("POST", f"{BASE}/{id}/key"))["key"] for id in ids] == ["sk-a", "sk-b"]


async def test_what_is_read_can_be_put_back(server: Server, root: Browser) -> None:
    setting = '{"proxy":"http://127.0.0.1:1","system_prompt":"Hi"}'
    (id,) = await make(root, weight=3, setting=setting, header_override='{"a":"b"}', other="x", tag="t")
    before = channels.find(server.db, id)
    told = await root.do("PUT", f"{BASE}/", await show(root, id))
    assert told["key"] == ""
    after = channels.find(server.db, id)
    assert msgspec.structs.replace(after, updated_at=0) == msgspec.structs.replace(before, updated_at=0)


async def test_a_proxy_with_a_password_is_sealed(server: Server, root: Browser) -> None:
    def stored() -> list[str]:
        return [name for name in sealed.names(server.db) if name.startswith("channel/")]

    def setting(password: str) -> str:
        return f'{{"proxy":"socks5://me:{password}@127.0.0.1:1080"}}'

    (id,) = await make(root, setting=setting("canary-1"))
    told = await show(root, id)
    assert msgspec.json.decode(told["setting"])["proxy"].startswith("secret:channel/")
    view = channels.find(server.db, id)
    assert server.runtime.local.resolve(view.spec.proxy).reveal() == "socks5://me:canary-1@127.0.0.1:1080"
    assert len(stored()) == 2, "the key, and the proxy"

    await root.do("PUT", f"{BASE}/", told)
    assert channels.find(server.db, id).spec.proxy == view.spec.proxy, "what was read is put back as it is"
    await root.do("PUT", f"{BASE}/", {"id": id, "setting": setting("canary-2")})
    changed = channels.find(server.db, id).spec.proxy
    assert server.runtime.local.resolve(changed).reveal() == "socks5://me:canary-2@127.0.0.1:1080"
    assert len(stored()) == 2, "the one before is forgotten"

    with server.db.reading() as c:
        rows = str(list(Channel.select().dicts().execute(c)))
    said = str(await show(root, id)) + export(server.db) + rows
    assert "canary" not in said
    await root.do("DELETE", f"{BASE}/{id}")
    assert stored() == []


async def test_a_change_may_set_to_nothing(root: Browser) -> None:
    (id,) = await make(root, priority=5, tag="t", remark="r", models="a,b")
    changed = await root.do("PUT", f"{BASE}/", {"id": id, "priority": 0, "tag": "", "models": ""})
    assert (changed["priority"], changed["tag"], changed["models"], changed["remark"]) == (0, "", "", "r")


async def test_made_disabled(root: Browser) -> None:
    (id,) = await make(root, status=2)
    assert (await show(root, id))["status"] == 2


async def test_a_change_may_switch(root: Browser) -> None:
    (id,) = await make(root)
    assert (await root.do("PUT", f"{BASE}/", {"id": id, "status": 2}))["status"] == 2
    info = msgspec.json.decode((await show(root, id))["other_info"])
    assert info["status_reason"] == "by hand"
    assert (await root.do("PUT", f"{BASE}/", {"id": id, "status": 1}))["status"] == 1


async def test_keys_are_appended_or_replaced(root: Browser) -> None:
    (id,) = await make(root, "multi_to_single", key="a\nb")
    await root.do("PUT", f"{BASE}/", {"id": id, "key": "b\nc", "key_mode": "append", "multi_key_mode": "random"})
    assert (await root.do("POST", f"{BASE}/{id}/key"))["key"] == "a\nb\nc"
    info = (await show(root, id))["channel_info"]
    assert (info["is_multi_key"], info["multi_key_size"], info["multi_key_mode"]) == (True, 3, "random")
    await root.do("PUT", f"{BASE}/", {"id": id, "key": "d", "key_mode": "replace"})
    assert (await root.do("POST", f"{BASE}/{id}/key"))["key"] == "d"


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/", {}),
        ("POST", "/", {"mode": "single"}),
        ("POST", "/", {"mode": "other", "channel": {"name": "x", "key": "k"}}),
        ("POST", "/", {"mode": "single", "channel": {"name": "x", "key": " "}}),
        ("POST", "/", {"mode": "single", "channel": {"name": "", "key": "k"}}),
        ("POST", "/", {"mode": "single", "channel": {"name": "x", "key": "k", "type": 999}}),
        ("PUT", "/", {"id": 1, "status": 7}),
        ("PUT", "/", {"name": "x"}),
        ("PUT", "/", {"id": 1, "model_mapping": "{"}),
        ("POST", "/1/status", {"status": 3}),
        ("POST", "/99/status", {"status": 1}),
        ("POST", "/status/batch", {"ids": "1", "status": 1}),
        ("POST", "/batch", {"ids": []}),
        ("POST", "/tag/disabled", {"tag": ""}),
        ("POST", "/multi_key/manage", {"channel_id": 1, "action": "get_key_status"}),
        ("POST", "/copy/99", None),
        ("DELETE", "/99", None),
        ("GET", "/99", None),
        ("GET", "/abc", None),
        ("GET", "/test/1?endpoint_type=other", None),
        ("POST", "/fetch_models", {"type": 1}),
    ],
)
async def test_what_makes_no_sense_is_refused(server: Server, root: Browser, method: str, path: str, body: Any) -> None:
    await make(root)
    before = channels.list_channels(server.db)
    await root.refused(method, BASE + path, body)
    assert channels.list_channels(server.db) == before


# -- lists -----------------------------------------------------------------------------------


async def test_a_list_is_sorted_filtered_and_paged(root: Browser) -> None:
    for name, values in {
        "a": {"priority": 1, "group": "default,vip", "tag": "x"},
        "b": {"priority": 3, "type": 24},
        "c": {"priority": 2, "tag": "y"},
        "d": {"priority": 2, "tag": "x"},
    }.items():
        await make(root, name=name, **values)
    await root.do("POST", f"{BASE}/tag/disabled", {"tag": "y"})

    async def names(query: str) -> list[str]:
        return [row["name"] for row in (await root.do("GET", f"{BASE}/?{query}"))["items"]]

    assert await names("") == ["b", "c", "d", "a"]
    assert await names("sort_by=name&sort_order=asc") == ["a", "b", "c", "d"]
    assert await names("id_sort=true") == ["d", "c", "b", "a"]
    assert await names("status=enabled") == ["b", "d", "a"]
    assert await names("status=0") == ["c"]
    assert await names("group=vip") == ["a"]
    assert await names("type=24") == ["b"]
    assert await names("p=2&page_size=3") == ["a"]
    assert await names("tag_mode=true&page_size=1&p=2") == ["d", "a"]
    found = await root.do("GET", f"{BASE}/?type=24")
    assert (found["total"], found["type_counts"]) == (1, {"all": 4, "1": 3, "24": 1})
    assert (await root.do("GET", f"{BASE}/?page_size=-1"))["page_size"] == 1


async def test_models_of_a_tag_are_its_longest_list(root: Browser) -> None:
    await make(root, name="a", tag="x", models="m")
    await make(root, name="b", tag="x", models="m,longer")
    assert await root.do("GET", f"{BASE}/tag/models?tag=x") == "m,longer"
    await root.do("PUT", f"{BASE}/tag", {"tag": "x", "models": "", "groups": "vip", "new_tag": ""})
    rows = (await root.do("GET", f"{BASE}/?sort_by=id&sort_order=asc"))["items"]
    assert [(r["models"], r["group"], r["tag"]) for r in rows] == [("m", "vip", ""), ("m,longer", "vip", "")]


# -- keys ------------------------------------------------------------------------------------


async def test_keys_one_by_one(server: Server, root: Browser) -> None:
    long = "sk-proj-" + "x" * 40
    (id,) = await make(root, "multi_to_single", key=f"{long}\nsk-b\nsk-c")

    async def manage(action: str, **values: Any) -> Any:
        return await root.do("POST", f"{BASE}/multi_key/manage", {"channel_id": id, "action": action, **values})

    await manage("disable_key", key_index=1)
    status = await manage("get_key_status", page_size=2)
    assert [(k["index"], k["status"], k["key_preview"]) for k in status["keys"]] == [
        (0, 1, "sk-proj-xx..."),
        (1, 2, "..."),
    ]
    counts = ("total", "page", "total_pages", "enabled_count", "manual_disabled_count", "auto_disabled_count")
    assert [status[c] for c in counts] == [3, 1, 2, 2, 1, 0]
    assert [k["index"] for k in (await manage("get_key_status", status=2))["keys"]] == [1]
    assert (await show(root, id))["channel_info"]["multi_key_status_list"] == {"1": 2}
    assert await manage("delete_disabled_keys") == 1
    assert (await root.do("POST", f"{BASE}/{id}/key"))["key"] == f"{long}\nsk-c"
    await manage("delete_key", key_index=0)
    refused = {"channel_id": id, "action": "delete_key", "key_index": 0}
    await root.refused("POST", f"{BASE}/multi_key/manage", refused)
    await manage("disable_all_keys")
    assert not server.runtime.gateway.snapshot.channels
    await manage("enable_all_keys")
    assert [key.reveal() for key in server.runtime.gateway.snapshot.channels[0].keys] == ["sk-c"]


# -- the upstream ----------------------------------------------------------------------------


async def test_a_test_that_fails_says_why_and_how_long(root: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    (id,) = await make(root)

    def send(call: HttpCall, timeout: float, **options: Any) -> HttpReply:
        return HttpReply(401, (("content-type", "application/json"),), b'{"error":{"message":"no","code":"bad"}}')

    monkeypatch.setattr(channel_probe, "perform", send)
    answer = await root.ask("GET", f"{BASE}/test/{id}")
    told = answer.json()
    assert (answer.status_code, told["success"]) == (200, False)
    assert "no" in told["message"]
    assert told["time"] >= 0
    assert told["error_code"]
    assert [f["channel"] for f in (await root.do("GET", f"{BASE}/test"))["failed"]] == ["main"]
    await root.refused("GET", f"{BASE}/fetch_models/{id}")
    await root.refused("GET", f"{BASE}/update_balance/{id}")
    await root.do("GET", f"{BASE}/update_balance")


async def test_a_change_is_in_force_at_once(server: Server, root: Browser) -> None:
    (id,) = await make(root)
    (channel,) = server.runtime.gateway.snapshot.channels
    assert channel.keys[0].reveal() == "sk-upstream"
    await root.do("PUT", f"{BASE}/", {"id": id, "key": "sk-new", "models": "o3"})
    (channel,) = server.runtime.gateway.snapshot.channels
    assert (channel.keys[0].reveal(), channel.spec.models) == ("sk-new", ("o3",))
    await root.do("DELETE", f"{BASE}/{id}")
    assert server.runtime.gateway.snapshot.channels == ()
