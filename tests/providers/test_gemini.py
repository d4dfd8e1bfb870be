"""Google's Gemini API as a provider."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from newapi.base.body import Body
from newapi.base.secret import Secret
from newapi.providers.contract import Target
from newapi.providers.gemini import PROVIDER, profile, suffix

TARGET = Target(
    base_url="https://g",
    key=Secret("k"),
    model="gemini-2.5-flash",
    asked_model="gemini-2.5-flash",
    endpoint="chat",
    format="gemini",
    entry="openai_chat",
    path="/v1beta/models/{model}:{action}",
)


@pytest.mark.parametrize(
    ("changes", "url"),
    [
        ({}, "https://g/v1beta/models/gemini-2.5-flash:generateContent"),
        ({"stream": True}, "https://g/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse"),
        (
            {"stream": True, "entry": "gemini", "query": (("alt", "sse"), ("x", "1"))},
            "https://g/v1beta/models/gemini-2.5-flash:streamGenerateContent?x=1&alt=sse",
        ),
        ({"query": (("x", "1"),)}, "https://g/v1beta/models/gemini-2.5-flash:generateContent"),
        ({"model": "gemini-1.0-pro"}, "https://g/v1/models/gemini-1.0-pro:generateContent"),
    ],
)
def test_where_it_is_asked(changes: dict[str, Any], url: str) -> None:
    call = PROVIDER.call(replace(TARGET, **changes), b"{}")
    assert call.url == url
    assert dict(call.headers)["x-goog-api-key"] == "k"


@pytest.mark.parametrize(
    ("body", "action", "sent"),
    [
        ({"content": {"parts": []}}, "embedContent", {"content": {"parts": []}, "model": "models/gemini-2.5-flash"}),
        ({"requests": []}, "batchEmbedContents", {"requests": []}),
    ],
)
def test_embeddings(body: Any, action: str, sent: Any) -> None:
    target = replace(TARGET, endpoint="embeddings", format="gemini_embeddings")
    call = PROVIDER.call(target, msgspec.json.encode(body))
    assert call.url.endswith(f":{action}")
    assert msgspec.json.decode(call.body) == sent


def edited(model: str, config: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    assert PROVIDER.edit is not None
    body = Body(msgspec.json.encode({"generationConfig": config}))
    target = PROVIDER.edit(body, replace(TARGET, model=model))
    return target.model, body.get("generationConfig").get("thinkingConfig")


@pytest.mark.parametrize(
    ("model", "config", "asked", "thinking"),
    [
        ("gemini-2.5-pro-thinking-50", {}, "gemini-2.5-pro", {"thinkingBudget": 128, "includeThoughts": True}),
        (
            "gemini-2.5-flash-lite-thinking-100",
            {},
            "gemini-2.5-flash-lite",
            {"thinkingBudget": 512, "includeThoughts": True},
        ),
        ("gemini-2.5-flash-thinking-99999", {}, "gemini-2.5-flash", {"thinkingBudget": 24576, "includeThoughts": True}),
        (
            "gemini-2.5-flash-thinking",
            {"maxOutputTokens": 1000},
            "gemini-2.5-flash",
            {"thinkingBudget": 600, "includeThoughts": True},
        ),
        ("gemini-2.5-flash-thinking", {}, "gemini-2.5-flash", {"includeThoughts": True}),
        ("gemini-2.5-flash-nothinking", {}, "gemini-2.5-flash", {"thinkingBudget": 0, "includeThoughts": False}),
        ("gemini-2.5-flash-low", {}, "gemini-2.5-flash", {"thinkingBudget": 1024, "includeThoughts": True}),
        ("gemini-3-pro-preview-low", {}, "gemini-3-pro-preview", {"thinkingLevel": "low", "includeThoughts": True}),
        ("gemini-3-pro-preview-medium", {}, "gemini-3-pro-preview", {"thinkingLevel": "low", "includeThoughts": True}),
        ("gemini-2.5-flash-high", {"thinkingConfig": {"thinkingBudget": 7}}, "gemini-2.5-flash", {"thinkingBudget": 7}),
        ("gemini-2.0-flash-thinking-exp", {}, "gemini-2.0-flash-thinking-exp", None),
        ("gemini-2.0-flash-high", {}, "gemini-2.0-flash-high", None),
        ("gemini-2.5-pro", {}, "gemini-2.5-pro", None),
    ],
)
def test_suffixes(model: str, config: Any, asked: str, thinking: Any) -> None:
    assert edited(model, config) == (asked, thinking)


@pytest.mark.parametrize(
    ("model", "reasoning", "image"),
    [
        ("gemini-2.5-pro-thinking-64", "budget", False),
        ("gemini-3-flash-preview", "level", False),
        ("gemini-2.0-flash", "none", False),
        ("gemini-1.5-pro", "none", False),
        ("gemini-2.5-flash-image", "none", True),
        ("gemini-2.0-flash-exp", "none", True),
        ("gemini-3-pro-image-preview", "none", True),
    ],
)
def test_profiles(model: str, reasoning: str, image: bool) -> None:
    assert (profile(model).reasoning, profile(model).image_output) == (reasoning, image)
    assert suffix(model).model in model
