"""Who the management API lets in."""

from __future__ import annotations

import pytest

from newapi.base.secret import Secret
from newapi.ops import users
from newapi.ops.users import Changes
from tests.server.conftest import PASSWORD, Browser, Server


async def test_a_stranger_is_told_to_sign_in(server: Server) -> None:
    assert "not logged in" in await server.browser().refused("GET", "/api/user/self", status=401)


async def test_a_session_is_a_cookie_that_pages_cannot_read_and_others_do_not_send(server: Server) -> None:
    browser = server.browser()
    answer = await browser.ask("POST", "/api/user/login", {"username": "root", "password": PASSWORD})
    cookie = answer.headers["set-cookie"]
    for part in ("HttpOnly", "Max-Age=2592000", "Path=/", "SameSite=strict"):
        assert part in cookie
    assert "root" not in cookie


@pytest.mark.parametrize("named", ["", "999", "abc"])
async def test_a_session_needs_the_header_that_names_its_user(server: Server, root: Browser, named: str) -> None:
    await root.refused("GET", "/api/user/self", status=401, headers={"new-api-user": named})


async def test_an_access_token_stands_for_its_user(server: Server, root: Browser) -> None:
    token = await root.do("GET", "/api/user/token")
    for shown in (token, f"Bearer {token}", f"bearer {token}"):
        found = await server.browser().do("GET", "/api/user/self", headers={"authorization": shown})
        assert found["username"] == "root"
    wrong = {"authorization": token, "new-api-user": "999"}
    await server.browser().refused("GET", "/api/user/self", status=401, headers=wrong)
    await server.browser().refused("GET", "/api/user/self", headers={"authorization": "Bearer " + "A" * 32})


async def test_a_new_access_token_replaces_the_one_of_before(server: Server, root: Browser) -> None:
    first, second = await root.do("GET", "/api/user/token"), await root.do("GET", "/api/user/token")
    assert first != second
    await server.browser().refused("GET", "/api/user/self", headers={"authorization": first})
    await server.browser().do("GET", "/api/user/self", headers={"authorization": second})


@pytest.mark.parametrize(
    ("role", "path", "let_in"),
    [
        ("user", "/api/user/self", True),
        ("user", "/api/user/", False),
        ("user", "/api/redemption/", False),
        ("user", "/api/group/", False),
        ("admin", "/api/user/", True),
        ("admin", "/api/redemption/", True),
        ("admin", "/api/group/", True),
    ],
)
async def test_a_role_opens_what_it_opens(server: Server, role: str, path: str, let_in: bool) -> None:
    somebody = await server.user("sam", role=role)
    await (somebody.do if let_in else somebody.refused)("GET", path)


async def test_a_role_taken_away_is_gone_at_once(server: Server) -> None:
    ada = await server.user("ada", role="admin")
    await ada.do("GET", "/api/user/")
    assert ada.user is not None
    users.change(server.db, ada.user, Changes(role="user"), who="test")
    await ada.refused("GET", "/api/user/")


async def test_the_sessions_of_one_who_was_disabled_are_over(server: Server) -> None:
    sam = await server.user("sam")
    assert sam.user is not None
    for state in ("disabled", "enabled"):
        users.change(server.db, sam.user, Changes(state=state), who="test")
        await sam.refused("GET", "/api/user/self", status=401)
    await sam.sign_in("sam")
    await sam.do("GET", "/api/user/self")


async def test_the_access_token_of_one_who_was_disabled_waits(server: Server) -> None:
    sam = await server.user("sam")
    assert sam.user is not None
    shown = {"authorization": await sam.do("GET", "/api/user/token")}
    users.change(server.db, sam.user, Changes(state="disabled"), who="test")
    assert "banned" in await server.browser().refused("GET", "/api/user/self", headers=shown)
    users.change(server.db, sam.user, Changes(state="enabled"), who="test")
    await server.browser().do("GET", "/api/user/self", headers=shown)


async def test_a_new_password_ends_the_sessions_of_before(server: Server) -> None:
    sam = await server.user("sam")
    assert sam.user is not None
    users.set_password(server.db, sam.user, Secret("another one"), who="test")
    await sam.refused("GET", "/api/user/self", status=401)


async def test_sessions_are_ended_all_at_once_and_nothing_else_is(server: Server) -> None:
    here, there, other = await server.user("sam"), await server.signed_in("sam"), await server.user("ann")
    assert here.user is not None
    shown = {"authorization": await here.do("GET", "/api/user/token")}
    users.end_sessions(server.db, here.user, who="test")
    for browser in (here, there):
        await browser.refused("GET", "/api/user/self", status=401)
    await other.do("GET", "/api/user/self")
    await server.browser().do("GET", "/api/user/self", headers=shown)
    await here.sign_in("sam")
    await here.do("GET", "/api/user/self")
    await there.refused("GET", "/api/user/self", status=401)


async def test_who_changes_the_own_password_stays_signed_in_here_alone(server: Server) -> None:
    here, there = await server.user("sam"), await server.signed_in("sam")
    await here.refused("PUT", "/api/user/self", {"original_password": "wrong", "password": "another one"})
    await here.do("PUT", "/api/user/self", {"original_password": PASSWORD, "password": "another one"})
    await here.do("GET", "/api/user/self")
    await there.refused("GET", "/api/user/self", status=401)
    await there.refused("POST", "/api/user/login", {"username": "sam", "password": PASSWORD})
    await there.sign_in("sam", "another one")


async def test_a_cookie_that_somebody_made_up_is_none(server: Server, root: Browser) -> None:
    value = root.http.cookies["session"]
    for forged in ("x", value[:-4] + "AAAA", value[::-1], "é"):
        stranger = server.browser()
        headers = {"cookie": f"session={forged}".encode(), "new-api-user": str(root.user)}
        await stranger.refused("GET", "/api/user/self", status=401, headers=headers)


async def test_who_signs_out_is_out(server: Server, root: Browser) -> None:
    await root.do("GET", "/api/user/logout")
    await root.refused("GET", "/api/user/self", status=401)


@pytest.mark.parametrize(
    "body",
    [
        {"username": "root", "password": "not the password"},
        {"username": "nobody", "password": PASSWORD},
        {"username": "", "password": ""},
        {"username": "root"},
        [],
        {"username": ["root"], "password": PASSWORD},
    ],
)
async def test_what_signs_nobody_in(server: Server, body: object) -> None:
    answer = await server.browser().ask("POST", "/api/user/login", body)
    assert answer.status_code == 200
    assert answer.json()["success"] is False
    assert "set-cookie" not in answer.headers


async def test_unknown_names_and_wrong_passwords_are_told_alike(server: Server) -> None:
    bodies = [{"username": name, "password": "wrong password"} for name in ("root", "nobody")]
    first, second = [await server.browser().refused("POST", "/api/user/login", body) for body in bodies]
    assert first == second


async def test_failed_logins_are_limited_and_others_are_not(server: Server) -> None:
    right, wrong = ({"username": "root", "password": p} for p in (PASSWORD, "wrong password"))
    browser = server.browser()
    for _ in range(19):
        await browser.refused("POST", "/api/user/login", wrong)
    for _ in range(3):
        await browser.do("POST", "/api/user/login", right)
    await browser.refused("POST", "/api/user/login", wrong)
    await browser.refused("POST", "/api/user/login", right, status=429)


@pytest.mark.parametrize(("method", "path"), [("GET", "/api/no/such"), ("GET", "/api"), ("PATCH", "/api/user/self")])
async def test_a_path_that_is_none_is_told_as_openai_does(server: Server, method: str, path: str) -> None:
    answer = await server.browser().ask(method, path)
    assert answer.status_code in (404, 405)
    assert path in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("query", "number", "size"),
    [("", 1, 10), ("?p=0&size=100", 1, 100), ("?p=2&page_size=2", 2, 2), ("?page_size=-1", 1, 1), ("?ps=5000", 1, 100)],
)
async def test_pages(root: Browser, query: str, number: int, size: int) -> None:
    page = await root.do("GET", f"/api/token/{query}")
    assert (page["page"], page["page_size"]) == (number, size)


async def test_what_breaks_here_is_told_with_its_request_and_logged(
    server: Server, root: Browser, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr("newapi.ops.users.find", broken)
    answer = await root.ask("GET", "/api/user/1")
    assert answer.status_code == 500
    assert "a bug" not in answer.text
    assert answer.headers["x-oneapi-request-id"] in answer.json()["message"]
    assert answer.headers["x-oneapi-request-id"] in caplog.text


async def test_numbers_that_no_database_holds(root: Browser) -> None:
    await root.refused("POST", "/api/user/manage", {"id": 10**25, "action": "enable"})
