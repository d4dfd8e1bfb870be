"""What every provider keeps to."""

from __future__ import annotations

from collections import Counter
from urllib.parse import urlsplit

import pytest

from newapi import formats, providers
from newapi.base.secret import Secret
from newapi.providers.contract import Provider, Target

NAMES = providers.names()
KEY = "key-that-must-not-show"
SIGNED: frozenset[str] = frozenset({"aws", "tencent", "zhipu", "xunfei", "jimeng", "vertex", "baidu"})
"""Those whose key signs the request, or is traded for a token, and so is in no header."""


def asked(provider: Provider) -> list[tuple[str, str, str]]:
    return [(e, f, path) for e, spoken in provider.speaks.items() for f, path in spoken.items()]


def target(provider: Provider, endpoint: str, format: str, path: str, **changes: object) -> Target:
    return Target(
        base_url=provider.base_url or "https://upstream.example",
        key=Secret(KEY),
        model="some-model",
        asked_model="some-model",
        endpoint=endpoint,  # pyright: ignore[reportArgumentType]
        format=format,
        entry=format,
        path=path,
        options={"account_id": "a1"},
        **changes,  # pyright: ignore[reportArgumentType]
    )


@pytest.mark.parametrize("name", NAMES)
def test_what_it_says_of_itself(name: str) -> None:
    provider = providers.get(name)
    assert provider.name == name
    assert provider.title
    assert provider.docs.startswith("https://")
    assert provider.base_url == "" or (provider.base_url.startswith("https://") and not provider.base_url.endswith("/"))
    assert provider.models_path == "" or provider.models_path.startswith("/")
    assert provider.speaks


@pytest.mark.parametrize("name", NAMES)
def test_it_speaks_formats_that_there_are(name: str) -> None:
    for endpoint, format, path in asked(providers.get(name)):
        assert formats.get(format).endpoint == endpoint
        assert path.startswith("/")


def test_no_two_have_one_channel_type() -> None:
    counted = Counter(providers.get(n).channel_type for n in NAMES)
    assert [t for t, n in counted.items() if n > 1] == []


@pytest.mark.parametrize("name", [n for n in NAMES if n not in SIGNED])
def test_a_call_carries_the_key_in_a_header_and_nowhere_else(name: str) -> None:
    provider = providers.get(name)
    for endpoint, format, path in asked(provider):
        there = target(provider, endpoint, format, path)
        call = provider.call(there, b"{}")
        assert call.method == "POST"
        assert KEY not in call.url
        assert any(KEY in value for _, value in call.headers)
        assert KEY not in repr(call) + repr(there)
        assert all(k == k.lower() for k, _ in call.headers)
        assert "{" not in urlsplit(call.url).path
        assert dict(call.headers)["content-type"] == "application/json"


@pytest.mark.parametrize("name", NAMES)
def test_a_profile_is_made_of_any_name(name: str) -> None:
    for model in ("", "x", "gpt-5.2-high", "claude-opus-4-6", "deepseek-v4-pro", "a/b:c"):
        providers.get(name).profile(model)
