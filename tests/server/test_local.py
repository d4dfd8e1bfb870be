"""What is answered without an upstream: models in three shapes, the token's account, everything that is not there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from newapi.relay.ledger import Balances
from newapi.relay.snapshot import Snapshot
from newapi.server.routes.local import Asked, answer
from newapi.server.routes.relay import RelayApp
from tests.relay.world import KEY, World, channel, snapshot, token, user

PRICES = {name: {"input": "1", "output": "1"} for name in ("a", "b", "secret", "g-1", "vip-only")}
CHANNELS = [
    channel(1, models=["b", "a", "unpriced-thing"]),
    channel(2, type="anthropic", models=["a", "g-*"], priority=5),
    channel(3, models=["vip-only"], groups=["vip"]),
]


def picture(**about: Any) -> Snapshot:
    return snapshot(CHANNELS, models=PRICES, **about)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path, picture(), left=2_000_000)
    yield made
    made.ledger.stop()


def ask(world: World, path: str, method: str = "GET", *, known: bool = False, **headers: Any) -> tuple[int, Any]:
    shown = {"authorization": f"Bearer {KEY}", **{k.replace("_", "-"): str(v) for k, v in headers.items()}}
    status, body = answer(Asked(method, path, {}, shown, "192.0.2.7", "req-1", known), world.gateway)
    return status, msgspec.json.decode(body)


# -- models ----------------------------------------------------------------------------------


def test_models_as_openai_lists_them(world: World) -> None:
    status, said = ask(world, "/v1/models")
    assert (status, said["object"]) == (200, "list")
    assert [(m["id"], m["owned_by"]) for m in said["data"]] == [
        ("a", "anthropic"),
        ("b", "openai"),
        ("g-1", "anthropic"),
    ]
    assert {m["object"] for m in said["data"]} == {"model"}


def test_models_of_a_list_of_groups_are_those_of_all(world: World) -> None:
    groups = {"default": {}, "vip": {"selectable": True}, "auto": {"members": ["vip", "default"]}}
    world.gateway.snapshot = picture(groups=groups, tokens={KEY: token(group="auto")})
    _, said = ask(world, "/v1/models")
    assert [m["id"] for m in said["data"]] == ["a", "b", "g-1", "vip-only"]
    assert ask(world, "/v1/models/b")[1]["owned_by"] == "openai"
    assert ask(world, "/v1/models/secret")[0] == 404


def test_models_as_anthropic_lists_them(world: World) -> None:
    status, said = ask(world, "/v1/models", anthropic_version="2023-06-01")
    assert status == 200
    assert [m["id"] for m in said["data"]] == ["a", "b", "g-1"]
    assert (said["first_id"], said["last_id"], said["has_more"]) == ("a", "g-1", False)


@pytest.mark.parametrize(
    ("path", "headers"), [("/v1beta/models", {}), ("/v1/models", {"x_goog_api_key": KEY})], ids=["path", "header"]
)
def test_models_as_gemini_lists_them(world: World, path: str, headers: dict[str, Any]) -> None:
    status, said = ask(world, path, **headers)
    assert status == 200
    assert [m["name"] for m in said["models"]] == ["models/a", "models/b", "models/g-1"]


def test_gemini_s_openai_path_lists_as_openai(world: World) -> None:
    assert ask(world, "/v1beta/openai/models")[1]["object"] == "list"


def test_a_token_s_list_limits_what_is_listed(world: World) -> None:
    world.gateway.snapshot = picture(tokens={KEY: token(spec={"models": ["b", "g-*"]})})
    assert [m["id"] for m in ask(world, "/v1/models")[1]["data"]] == ["b", "g-1"]


def test_a_group_lists_its_own(world: World) -> None:
    world.gateway.snapshot = picture(
        tokens={KEY: token(group="vip")}, groups={"default": {}, "vip": {}}, users=[user()]
    )
    assert [m["id"] for m in ask(world, "/v1/models")[1]["data"]] == ["vip-only"]


def test_nothing_to_list_is_an_empty_list(world: World) -> None:
    world.gateway.snapshot = snapshot()
    assert ask(world, "/v1/models")[1] == {"object": "list", "data": []}
    said = ask(world, "/v1/models", anthropic_version="x")[1]
    assert (said["data"], said["first_id"]) == ([], None)


@pytest.mark.parametrize(
    ("path", "headers", "field", "value"),
    [
        ("/v1/models/a", {}, "id", "a"),
        ("/v1/models/g-1", {}, "owned_by", "anthropic"),
        ("/v1/models/g%2D1", {}, "id", "g-1"),
        ("/v1/models/a", {"anthropic_version": "x"}, "type", "model"),
        ("/v1beta/models/a", {}, "name", "models/a"),
        ("/v1beta/openai/models/a", {}, "object", "model"),
    ],
)
def test_one_model(world: World, path: str, headers: dict[str, Any], field: str, value: str) -> None:
    status, said = ask(world, path, **headers)
    assert (status, said[field]) == (200, value)


@pytest.mark.parametrize("model", ["nothing", "vip-only", "secret", "unpriced-thing"])
def test_a_model_that_is_not_the_caller_s(world: World, model: str) -> None:
    status, said = ask(world, f"/v1/models/{model}")
    assert (status, said["error"]["code"]) == (404, "model_not_found")


def test_a_model_that_the_token_may_not_call_is_not_shown(world: World) -> None:
    world.gateway.snapshot = picture(tokens={KEY: token(spec={"models": ["b"]})})
    assert ask(world, "/v1/models/b")[0] == 200
    assert ask(world, "/v1/models/a")[0] == 404


# -- the account -----------------------------------------------------------------------------


@pytest.mark.parametrize("prefix", ["", "/v1"])
def test_what_a_token_has_and_has_used(world: World, prefix: str) -> None:
    world.ledger.load(lambda: Balances({1: 1_500_000}, {}, {1: 500_000}))
    limits = ask(world, f"{prefix}/dashboard/billing/subscription")[1]
    assert limits["hard_limit_usd"] == limits["soft_limit_usd"] == 4
    assert ask(world, f"{prefix}/dashboard/billing/usage")[1] == {"object": "list", "total_usage": 100}


def test_a_token_without_limit(world: World) -> None:
    world.ledger.load(lambda: Balances({}, {}))
    assert ask(world, "/dashboard/billing/subscription")[1]["hard_limit_usd"] == 100_000_000


# -- what is not there -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "known", "status"),
    [
        ("GET", "/v1/nothing", False, 404),
        ("POST", "/v1/models", False, 404),
        ("GET", "/v1/chat/completions", True, 405),
        ("DELETE", "/v1/chat/completions", True, 405),
        ("POST", "/v1/files", False, 501),
        ("GET", "/v1/files/f-1", False, 501),
        ("POST", "/v1/images/variations", False, 501),
        ("GET", "/v1/fine_tuning/jobs", False, 501),
    ],
)
def test_other_paths(world: World, method: str, path: str, known: bool, status: int) -> None:
    assert ask(world, path, method, known=known)[0] == status


@pytest.mark.parametrize(
    ("path", "headers", "where"),
    [
        ("/v1/models", {}, lambda said: said["error"]["code"] == "invalid_api_key"),
        ("/v1/models", {"anthropic_version": "x"}, lambda said: said["type"] == "error"),
        ("/v1beta/models", {}, lambda said: isinstance(said["error"]["code"], int) and said["error"]["status"]),
    ],
    ids=["openai", "anthropic", "gemini"],
)
def test_a_wrong_key_is_told_in_the_caller_s_format(
    world: World, path: str, headers: dict[str, Any], where: Any
) -> None:
    status, said = ask(world, path, authorization="Bearer sk-wrong", **headers)
    assert status == 401
    assert where(said)


# -- through the application --------------------------------------------------------------------


@pytest.fixture
def http(world: World) -> httpx.AsyncClient:
    app = RelayApp(world.gateway, tuple)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway.test")  # type: ignore[arg-type]


SHOWN = {"authorization": f"Bearer {KEY}"}


@pytest.mark.parametrize("path", ["/v1/models", "/v1/models/", "/v1/models?x=1"])
async def test_slashes_and_queries_do_not_matter(http: httpx.AsyncClient, path: str) -> None:
    said = await http.get(path, headers=SHOWN)
    assert said.status_code == 200
    assert said.headers["x-oneapi-request-id"]


async def test_a_key_in_the_query(http: httpx.AsyncClient) -> None:
    assert (await http.get(f"/v1beta/models?key={KEY}")).status_code == 200
    assert (await http.get("/v1beta/models?key=sk-wrong")).status_code == 401


async def test_a_browser_may_ask(http: httpx.AsyncClient) -> None:
    wants = {"origin": "http://site.test", "access-control-request-headers": "authorization,x-stainless-os"}
    said = await http.options("/v1/chat/completions", headers=wants)
    assert said.status_code == 204
    assert said.headers["access-control-allow-headers"] == "authorization,x-stainless-os"
    assert said.headers["access-control-allow-origin"] == "*"
    got = await http.get("/v1/models", headers={**SHOWN, "origin": "http://site.test"})
    assert got.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-origin" not in (await http.get("/v1/models", headers=SHOWN)).headers


async def test_a_method_that_is_not_allowed(http: httpx.AsyncClient) -> None:
    assert (await http.get("/v1/chat/completions", headers=SHOWN)).status_code == 405


async def test_a_request_without_key_costs_nothing_and_says_why(http: httpx.AsyncClient, world: World) -> None:
    said = await http.post("/v1/messages", json={"model": "a", "max_tokens": 1, "messages": []})
    assert (said.status_code, said.json()["type"]) == (401, "error")
    assert world.gateway.in_flight == 0
    assert world.rows() == []


async def test_a_failure_of_ours_is_told_without_its_reason(
    http: httpx.AsyncClient, world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: Any) -> None:
        raise ZeroDivisionError("the reason")

    monkeypatch.setattr("newapi.relay.pipeline.admit", fail)
    said = await http.post("/v1/chat/completions", json={"model": "a", "messages": []}, headers=SHOWN)
    assert said.status_code == 500
    assert "the reason" not in said.text
    assert "the reason" in capsys.readouterr().err
    assert world.gateway.in_flight == 0
