"""The price list."""

from __future__ import annotations

from typing import Any

import pytest

from newapi.config.schema import ChannelSpec
from newapi.ops import catalog
from newapi.ops.apply import apply
from newapi.store import options
from tests.server.conftest import Server


def set_option(server: Server, name: str, value: str) -> None:
    with server.db.writing() as c:
        options.put(c, name, value)


async def test_ratios_are_shown_when_the_administrator_says_so(server: Server) -> None:
    await server.browser().refused("GET", "/api/ratio_config", status=403)
    set_option(server, "ExposeRatioEnabled", "true")
    shown = await server.browser().do("GET", "/api/ratio_config")
    assert shown["model_ratio"]["gpt-4o"] == 1.25
    assert shown["completion_ratio"]["gpt-4o"] == 4


async def test_the_price_list_is_of_the_groups_one_may_use(server: Server) -> None:
    stranger, member = server.browser(), await server.user("member", group="svip")
    assert set((await stranger.ask("GET", "/api/pricing")).json()["usable_group"]) == {"default", "vip"}
    said = (await member.ask("GET", "/api/pricing")).json()
    assert said["group_ratio"] == {"default": 1, "svip": 0.5, "vip": 0.8}


@pytest.fixture
def serving(server: Server) -> Server:
    """A server with a channel for two groups."""
    import msgspec

    local = server.runtime.local
    channel = ChannelSpec(
        type="openai", models=("gpt-4o", "dall-e-3", "text-embedding-3-small"), groups=("vip", "svip")
    )
    apply(local, msgspec.structs.replace(local.config, channels={"main": channel}), who="test")
    server.runtime.refresh()
    return server


async def priced(server: Server) -> dict[str, Any]:
    return {row["model_name"]: row for row in await server.browser().do("GET", "/api/pricing")}


async def test_models_by_token_and_by_call(serving: Server) -> None:
    rows = await priced(serving)
    chat, image, embedding = (rows[name] for name in ("gpt-4o", "dall-e-3", "text-embedding-3-small"))
    assert (chat["quota_type"], chat["model_ratio"], chat["completion_ratio"]) == (0, 1.25, 4)
    assert (image["quota_type"], image["model_ratio"]) == (1, 0)
    assert image["model_price"] > 0
    assert chat["enable_groups"] == ["vip"]
    assert chat["supported_endpoint_types"] == ["openai", "openai-response", "anthropic", "gemini"]
    assert (image["supported_endpoint_types"], embedding["supported_endpoint_types"]) == (
        ["image-generation"],
        ["embeddings"],
    )


async def test_what_was_said_of_a_model_is_there_and_a_hidden_one_is_not(serving: Server) -> None:
    vendor = catalog.create(serving.db, "vendor", "OpenAI", {"icon": "OpenAI"}, who="test")
    catalog.create(serving.db, "model", "gpt-4o", {"tags": "chat", "vendor_id": vendor.id}, who="test")
    catalog.create(serving.db, "model", "gpt-", {"tags": "by rule", "name_rule": 1, "status": 0}, who="test")
    catalog.create(serving.db, "model", "dall-e-3", {"status": 0}, who="test")
    rows = await priced(serving)
    assert (rows["gpt-4o"]["tags"], rows["gpt-4o"]["vendor_id"]) == ("chat", vendor.id)
    assert "dall-e-3" not in rows
    said = (await serving.browser().ask("GET", "/api/pricing")).json()
    assert [(v["id"], v["name"]) for v in said["vendors"]] == [(vendor.id, "OpenAI")]
