from __future__ import annotations

from typing import Any

import httpx
import pytest

from newapi.ops.gateway import ACCOUNT
from newapi.server.app import create_app
from newapi.server.routes.admin.auth import ROOT
from newapi.store import audit
from tests.server.conftest import Browser, Server

CONFIG = """\
version = 1
[groups.default]
selectable = true
[models.m]
ratio = 1.25
[channels.main]
type = "openai"
key = "env:UPSTREAM_KEY"
models = ["m"]
[tokens.ci]
quota = "$10"
"""


async def send(browser: Browser, path: str, text: str, *, status: int = 200) -> Any:
    answer = await browser.ask("POST", path, content=text.encode())
    assert answer.status_code == status, answer.text
    return answer.json()


async def test_what_is_sent_is_compared_then_applied_and_keys_are_answered_once(root: Browser, server: Server) -> None:
    planned = (await send(root, "/api/config/diff?only=tokens,channels/main", CONFIG))["data"]
    assert [(c["kind"], c["name"], c["action"]) for c in planned["changes"]] == [
        ("channels", "main", "create"),
        ("tokens", "ci", "create"),
    ]
    base = planned["base"]
    path = f"/api/config/apply?source=abc&base={base}"
    done = (await send(root, path, CONFIG))["data"]
    (token,) = done["new_tokens"]
    assert (token["name"], token["key"][:3], done["generation"]) == ("ci", "sk-", base + 1)
    exported = await root.ask("GET", "/api/config/export?only=tokens")
    assert '[tokens.ci]\nquota = "$10"' in exported.text
    assert token["key"] not in (await root.ask("GET", "/api/config/export")).text
    assert "groups" not in exported.text
    made = await root.do("GET", "/api/config/history?limit=1")
    assert [(g["who"], g["source"], g["number"], g["current"]) for g in made] == [("root", "abc", base + 1, True)]
    assert server.runtime.gateway.snapshot.channels, "what was applied is in force at once"
    conflict = await send(root, path, CONFIG, status=409)
    assert conflict["code"] == "conflict"


async def test_what_the_file_no_longer_has_stays_without_prune(root: Browser) -> None:
    await send(root, "/api/config/apply", CONFIG)
    shorter = CONFIG.partition("[tokens.ci]")[0]
    kept = (await send(root, "/api/config/diff?prune=false", shorter))["data"]
    assert kept["changes"] == []
    pruned = (await send(root, "/api/config/diff", shorter))["data"]
    assert [c["action"] for c in pruned["changes"]] == ["delete"]


async def test_going_back(root: Browser) -> None:
    first = (await send(root, "/api/config/apply", CONFIG))["data"]["generation"]
    await send(root, "/api/config/apply", CONFIG.replace("1.25", "2"))
    shown = await root.do("POST", "/api/config/rollback", {"dry_run": True})
    assert shown["generation"] == first
    assert shown["plan"]["changes"][0]["fields"] == [{"key": "ratio", "before": "2", "after": "1.25"}]
    assert (await root.do("POST", "/api/config/rollback", {"generation": first}))["generation"] == first + 2
    (latest,) = await root.do("GET", "/api/config/history?limit=1")
    assert latest["source"] == f"rollback to {first}"
    changed = await root.do("GET", f"/api/config/history/{first + 2}")
    assert [c["name"] for c in changed] == ["m"]


@pytest.fixture(autouse=True)
def _upstream_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UPSTREAM_KEY", "sk-upstream")


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ('[models.m]\nratio = "much"\n', 2, "ratio"),
        ("[models.m\n", 1, "TOML"),
        ('[tokens.x]\nuser = "nobody"\nunlimited = true\n', 2, "there is no user `nobody`"),
    ],
)
async def test_every_problem_says_where_it_is(root: Browser, text: str, line: int, said: str) -> None:
    told = await send(root, "/api/config/apply", text, status=400)
    assert (told["success"], told["code"]) == (False, "invalid_config")
    (problem,) = told["problems"]
    assert problem["line"] == line
    assert said in problem["message"]


async def test_no_file_of_the_server_is_included(root: Browser, server: Server) -> None:
    secret = server.runtime.local.path.with_name("other.txt")
    secret.write_text("hunter2 is no TOML")
    answer = await root.ask("POST", "/api/config/diff", content='include = ["other.txt"]')
    assert (answer.status_code, "includes no files" in answer.text) == (400, True)
    assert "hunter2" not in answer.text


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/config/export"),
        ("POST", "/api/config/diff"),
        ("POST", "/api/config/apply"),
        ("GET", "/api/config/history"),
        ("GET", "/api/config/history/1"),
        ("POST", "/api/config/rollback"),
        ("GET", "/api/manage/tokens"),
        ("POST", "/api/manage/tokens"),
        ("GET", "/api/manage/tokens/x"),
        ("DELETE", "/api/manage/tokens/x"),
        ("GET", "/api/manage/channels"),
        ("POST", "/api/manage/channels"),
        ("GET", "/api/manage/logs"),
        ("GET", "/api/manage/last-log"),
    ],
)
async def test_only_root_comes_in(server: Server, method: str, path: str) -> None:
    admin = await server.user("boss", role="admin")
    assert (await admin.ask(method, path)).status_code == 403
    assert (await server.browser().ask(method, path)).status_code == 401


async def test_what_the_server_marks_is_root_and_no_header_does_that(server: Server) -> None:
    app = create_app(server.runtime)

    async def marked(scope: Any, receive: Any, send: Any) -> None:
        await app({**scope, ROOT: True}, receive, send)

    headers = {ACCOUNT: "%C3%A5nn", ROOT: "1"}
    for asked, status in ((app, 401), (marked, 200)):
        async with httpx.AsyncClient(transport=httpx.ASGITransport(asked), base_url="http://x") as http:
            assert (await http.get("/api/config/export", headers=headers)).status_code == status
            assert (await http.post("/api/config/apply", content=CONFIG, headers=headers)).status_code == status
    assert [entry.who for entry in audit.entries(server.db, action="apply", limit=1)] == ["ånn"]
    root = await server.signed_in("root")
    await root.ask("POST", "/api/config/apply", content=CONFIG.replace("1.25", "2"), headers={ACCOUNT: "bob"})
    assert [entry.who for entry in audit.entries(server.db, action="apply", limit=1)] == ["root"]


async def test_tokens_channels_and_the_log(root: Browser) -> None:
    await send(root, "/api/config/apply", CONFIG)
    spec = {"group": "default", "user": "root", "quota": "2.5", "expires": 3600}
    made = await root.do("POST", "/api/manage/tokens", {"name": "a/b c", "spec": spec})
    assert (made["key"][:3], made["token"]["remaining"]) == ("sk-", 1_250_000)
    assert (await root.do("GET", "/api/manage/tokens/a%2Fb%20c"))["id"] == made["token"]["id"]
    assert [t["name"] for t in await root.do("GET", "/api/manage/tokens?user=root")] == ["ci", "a/b c"]
    await root.do("DELETE", "/api/manage/tokens/a%2Fb%20c")
    await root.refused("GET", "/api/manage/tokens/a%2Fb%20c", status=404)
    (channel,) = await root.do("GET", "/api/manage/channels")
    body = {"ids": [channel["id"]], "state": "disabled", "reason": "leaked"}
    assert await root.do("POST", "/api/manage/channels", body) == 1
    assert (await root.do("GET", "/api/manage/channels/main"))["state_reason"] == "leaked"
    last = await root.do("GET", "/api/manage/last-log")
    assert await root.do("GET", f"/api/manage/logs?limit=5&after_id={last}") == []
    await root.refused("GET", "/api/manage/logs?limit=many", status=400)
    assert (await root.do("GET", "/api/manage/whoami"))["name"] == "root"
