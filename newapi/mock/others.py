"""The endpoints that are not conversations: small, fixed answers in OpenAI's and Google's shapes."""

from __future__ import annotations

from typing import Any

from newapi.mock.script import Refused


def embeddings(body: dict[str, Any]) -> dict[str, Any]:
    """Return an embedding of three numbers for each input."""
    given = body.get("input")
    if not given:
        raise Refused("'$.input' is invalid. Please check the API reference.", "input")
    inputs = [given] if isinstance(given, str) else given
    rows = [{"object": "embedding", "index": i, "embedding": [0.1, 0.2, 0.3]} for i in range(len(inputs))]
    tokens = sum(max(1, len(str(i)) // 4) for i in inputs)
    return {
        "object": "list",
        "data": rows,
        "model": body.get("model"),
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }


def images(body: dict[str, Any]) -> dict[str, Any]:
    """Return `n` pictures by URL."""
    if not body.get("prompt"):
        raise Refused("Missing required parameter: 'prompt'.", "prompt")
    return {"created": 1700000000, "data": [{"url": "https://example.com/mock.png"} for _ in range(body.get("n") or 1)]}


def moderations(body: dict[str, Any]) -> dict[str, Any]:
    """Return "not flagged" for each input."""
    given = body.get("input")
    results = [
        {"flagged": False, "categories": {}, "category_scores": {}}
        for _ in (given if isinstance(given, list) else [given])
    ]
    return {"id": "modr-mock", "model": body.get("model"), "results": results}


def rerank(body: dict[str, Any]) -> dict[str, Any]:
    """Return the documents in their own order, each a little less relevant."""
    documents = body.get("documents") or []
    rows = [
        {"index": i, "relevance_score": round(0.9 - i / 10, 2)}
        for i in range(min(len(documents), body.get("top_n") or len(documents)))
    ]
    return {
        "id": "rerank-mock",
        "model": body.get("model"),
        "results": rows,
        "usage": {"total_tokens": 10 * len(documents)},
    }


def transcription() -> dict[str, Any]:
    """Return a transcript."""
    return {
        "text": "Hello from the mock.",
        "usage": {"type": "tokens", "input_tokens": 14, "output_tokens": 5, "total_tokens": 19},
    }


SPEECH = b"ID3\x04\x00\x00\x00\x00\x00\x00" + b"\xff\xfb\x90\x00" + bytes(400)
"""The beginning of an MP3 file, and silence."""


def models() -> dict[str, Any]:
    """Return the models the mock would be asked for."""
    names = ("gpt-4o-mini", "gpt-5-mini", "claude-sonnet-4-5", "gemini-2.5-flash")
    return {
        "object": "list",
        "data": [{"id": n, "object": "model", "created": 1700000000, "owned_by": "mock"} for n in names],
    }


def gemini_embedding(body: dict[str, Any], batch: bool) -> dict[str, Any]:
    """Return Google's shape of an embedding, or of several."""
    values = {"values": [0.1, 0.2, 0.3]}
    return {"embeddings": [values for _ in body.get("requests") or []]} if batch else {"embedding": values}
