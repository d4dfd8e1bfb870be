"""Which path speaks which format."""

from __future__ import annotations

import pytest

from newapi import formats
from newapi.server.routing import routes


@pytest.mark.parametrize(
    ("path", "format", "params"),
    [
        ("/v1/chat/completions", "openai_chat", {}),
        ("/v1/completions", "openai_completions", {}),
        ("/v1/responses", "openai_responses", {}),
        ("/v1/responses/compact", "openai_compact", {}),
        ("/v1/messages", "anthropic_messages", {}),
        ("/v1/messages/count_tokens", "anthropic_count_tokens", {}),
        ("/v1/embeddings", "embeddings", {}),
        ("/v1/engines/ada-2/embeddings", "embeddings", {"model": "ada-2"}),
        ("/v1/images/generations", "images", {}),
        ("/v1/images/edits", "image_edits", {}),
        ("/v1/audio/speech", "speech", {}),
        ("/v1/audio/transcriptions", "transcriptions", {}),
        ("/v1/audio/translations", "translations", {}),
        ("/v1/moderations", "moderations", {}),
        ("/v1/rerank", "rerank", {}),
        (
            "/v1beta/models/gemini-2.5-pro:generateContent",
            "gemini",
            {"model": "gemini-2.5-pro", "action": "generateContent"},
        ),
        ("/v1/models/g:streamGenerateContent", "gemini", {"model": "g", "action": "streamGenerateContent"}),
        ("/v1beta/models/g:countTokens", "gemini_count_tokens", {"model": "g", "action": "countTokens"}),
        ("/v1beta/models/g:embedContent", "gemini_embeddings", {"model": "g", "action": "embedContent"}),
        ("/v1beta/models/g:batchEmbedContents", "gemini_embeddings", {"model": "g", "action": "batchEmbedContents"}),
        (
            "/v1beta/models/meta/llama:free:generateContent",
            "gemini",
            {"model": "meta/llama:free", "action": "generateContent"},
        ),
        ("/v1beta/models/a%2Fb%20c:generateContent", "gemini", {"model": "a/b c", "action": "generateContent"}),
    ],
)
def test_paths(path: str, format: str, params: dict[str, str]) -> None:
    found = routes().find(path)
    assert found is not None
    assert (found[0].name, found[2]) == (format, params)
    assert found[1] in found[0].routes


@pytest.mark.parametrize(
    "path",
    [
        "/v1",
        "/v1/chat",
        "/v1/chat/completions/x",
        "/V1/chat/completions",
        "/v1beta/models/:generateContent",
        "/v1beta/models/g:unknown",
        "/v1beta/models/g",
        "/x/v1/messages",
    ],
)
def test_other_paths_are_nobody_s(path: str) -> None:
    assert routes().find(path) is None


def test_every_route_is_found_as_its_own_format_s() -> None:
    for name in formats.names():
        for route in formats.get(name).routes:
            found = routes().find(route.path.replace("{model}", "m"))
            assert found is not None
            assert (found[0].name, found[1]) == (name, route)
