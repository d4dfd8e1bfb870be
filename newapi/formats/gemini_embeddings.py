"""Gemini's embedContent and batchEmbedContents.

Source: https://ai.google.dev/api/embeddings
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct, field

from newapi.base.body import split
from newapi.base.errors import CallerError, Unsupported, UpstreamError
from newapi.formats import _limit_headers
from newapi.formats._gemini_errors import write_error
from newapi.formats._openai_errors import error_in, read_error
from newapi.formats.contract import Format, Loss, Params, Peek, Profile, Route, WriterOptions, Written
from newapi.formats.embeddings import floats
from newapi.ir.embed import EmbedRequest, EmbedResponse
from newapi.ir.usage import Usage


class _Part(Struct, rename="camel"):
    text: str | None = None


class _Content(Struct, rename="camel"):
    parts: list[_Part] = []


class _One(Struct, rename="camel"):
    content: _Content | None = None
    task_type: str | None = None
    snake_task_type: str | None = field(name="task_type", default=None)
    title: str | None = None
    output_dimensionality: int | None = None
    snake_output_dimensionality: int | None = field(name="output_dimensionality", default=None)


class _Body(_One, rename="camel"):
    requests: list[_One] | None = None


class _Vector(Struct, rename="camel"):
    values: list[float] = []


class _Usage(Struct, rename="camel"):
    prompt_token_count: int | None = None


class _Answer(Struct, rename="camel"):
    embedding: _Vector | None = None
    embeddings: list[_Vector] | None = None
    usage_metadata: _Usage | None = None


def _peek(body: bytes, params: Params) -> Peek:
    split(body)
    return Peek(model=params.get("model", ""), stream=False)


def _read_request(body: bytes, params: Params) -> EmbedRequest:
    try:
        root = msgspec.json.decode(body, type=_Body)
    except (msgspec.DecodeError, UnicodeDecodeError) as e:
        raise CallerError(f"the body is not an embedding request: {e}") from None
    single = root.requests is None
    items = [root] if root.requests is None else root.requests
    if not items or any(i.content is None or not i.content.parts for i in items):
        raise CallerError("content is required", param="content" if single else "requests")
    texts: list[str] = []
    for item in items:
        parts = item.content.parts if item.content is not None else []
        if any(p.text is None for p in parts):
            raise Unsupported("another vendor's embeddings take text only")
        texts.append("\n".join(p.text or "" for p in parts))
    first = items[0]
    dimensions = first.output_dimensionality or first.snake_output_dimensionality
    task = first.task_type or first.snake_task_type
    return EmbedRequest(
        model=params.get("model", ""),
        inputs=tuple(texts),
        dimensions=dimensions or None,
        task=task or "",
        title=first.title or "",
        single=single,
        origin="gemini_embeddings",
    )


def _write_request(request: EmbedRequest, profile: Profile) -> Written:
    requests: list[dict[str, Any]] = []
    for text in request.inputs:
        if not isinstance(text, str):
            raise Unsupported("Gemini's embeddings take text, not token numbers", param="input")
        item: dict[str, Any] = {"model": f"models/{request.model}", "content": {"parts": [{"text": text}]}}
        if request.dimensions is not None:
            item["outputDimensionality"] = request.dimensions
        if request.task:
            item["taskType"] = request.task
        if request.title:
            item["title"] = request.title
        requests.append(item)
    losses = (Loss("encoding_format"),) if request.encoding == "base64" else ()
    return Written(msgspec.json.encode({"requests": requests}), losses)


def _decode(body: bytes) -> _Answer:
    try:
        decoded = msgspec.json.decode(body)
        if error := error_in(decoded):
            raise error
        answer = msgspec.convert(decoded, _Answer)
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError):
        raise UpstreamError("the upstream's answer is no embedding", kind="malformed") from None
    if answer.embedding is None and answer.embeddings is None:
        raise UpstreamError("the upstream's answer holds no embedding", kind="malformed")
    return answer


def _usage(answer: _Answer) -> Usage | None:
    said = answer.usage_metadata
    return Usage(input=said.prompt_token_count) if said is not None and said.prompt_token_count else None


def _read_usage(body: bytes) -> Usage | None:
    return _usage(_decode(body))


def _read_response(body: bytes) -> EmbedResponse:
    answer = _decode(body)
    vectors = answer.embeddings if answer.embeddings is not None else [answer.embedding or _Vector()]
    return EmbedResponse("", tuple(tuple(v.values) for v in vectors), _usage(answer), answer.embeddings is None)


def _write_response(response: EmbedResponse, options: WriterOptions) -> bytes:
    vectors = [{"values": floats(v)} for v in response.vectors]
    # embedContent's answer says `embedding`, the batch's `embeddings`. Which one was asked for is not known here, so a
    # lone vector is said under both names: clients of either read theirs.
    body: dict[str, Any] = {} if response.single else {"embeddings": vectors}
    if len(vectors) == 1:
        body["embedding"] = vectors[0]
    if response.usage is not None:
        body["usageMetadata"] = {"promptTokenCount": response.usage.prompt}
    return msgspec.json.encode(body)


FORMAT = Format(
    name="gemini_embeddings",
    endpoint="embeddings",
    routes=tuple(
        Route("POST", f"/{version}/models/{{model}}:{action}", "embeddings")
        for version in ("v1beta", "v1")
        for action in ("embedContent", "batchEmbedContents")
    ),
    upstream_path="/v1beta/models/{model}:{action}",
    peek=_peek,
    read_error=read_error,
    write_error=write_error,
    limit_headers=_limit_headers.none,
    read_usage=_read_usage,
    read_request=_read_request,
    write_request=_write_request,
    read_response=_read_response,
    write_response=_write_response,
)
