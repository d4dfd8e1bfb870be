"""What anyone may read."""

from __future__ import annotations

import pytest

from newapi.store import options
from newapi.store.models import User
from tests.server.conftest import Browser, Server


def set_option(server: Server, name: str, value: str) -> None:
    with server.db.writing() as c:
        options.put(c, name, value)


@pytest.mark.parametrize(
    ("option", "text", "key", "value"),
    [
        ("SystemName", "Terminal Gate", "system_name", "Terminal Gate"),
        ("Price", "7.5", "price", 7.5),
        ("Price", "seven", "price", 7.3),
        ("RegisterEnabled", "true", "register_enabled", True),
        ("console_setting.faq", '[{"question":"Why?"}]', "faq", [{"question": "Why?"}]),
        ("general_setting.quota_display_type", "TOKENS", "display_in_currency", False),
        ("legal.privacy_policy", "None.", "privacy_policy_enabled", True),
        ("GitHubOAuthEnabled", "true", "github_oauth", False),
    ],
)
async def test_options_show_in_the_status(server: Server, option: str, text: str, key: str, value: object) -> None:
    set_option(server, option, text)
    assert (await server.browser().do("GET", "/api/status"))[key] == value


async def test_a_panel_that_is_off_is_not_there(server: Server) -> None:
    assert "faq" in await server.browser().do("GET", "/api/status")
    set_option(server, "console_setting.faq_enabled", "false")
    assert "faq" not in await server.browser().do("GET", "/api/status")


async def test_set_up_once_root_has_a_password(server: Server) -> None:
    stranger = server.browser()
    assert (await stranger.do("GET", "/api/setup"))["status"]
    with server.db.writing() as c:
        User.update(password_hash="").execute(c)
    assert not (await stranger.do("GET", "/api/setup"))["status"]
    assert not (await stranger.do("GET", "/api/status"))["setup"]
    for body in ({"username": "root", "password": ""}, {"username": "root", "password": "123456"}):
        await stranger.refused("POST", "/api/user/login", body)


@pytest.mark.parametrize("path", ["notice", "about", "home_page_content", "user-agreement", "privacy-policy"])
async def test_pages(server: Server, path: str) -> None:
    assert await server.browser().do("GET", f"/api/{path}") == ""


async def test_the_notice(server: Server) -> None:
    set_option(server, "Notice", "Maintenance on **Friday**")
    assert await server.browser().do("GET", "/api/notice") == "Maintenance on **Friday**"


async def test_the_server_answers(root: Browser) -> None:
    answer = (await root.ask("GET", "/api/status/test")).json()
    assert (answer["success"], answer["message"]) == (True, "Server is running")
