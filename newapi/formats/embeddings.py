"""OpenAI's embeddings.

Source: https://platform.openai.com/docs/api-reference/embeddings
"""

from __future__ import annotations

import struct
from base64 import b64decode
from typing import Any, TypeVar, cast

import msgspec
from msgspec import Raw, Struct

from newapi.base.errors import CallerError, UpstreamError
from newapi.formats._openai_errors import error_in, read_error, write_error
from newapi.formats.contract import Format, Params, Peek, Profile, Route, WriterOptions, Written
from newapi.ir.embed import EmbedRequest, EmbedResponse
from newapi.ir.usage import Usage

T = TypeVar("T")

_KNOWN = frozenset(("model", "input", "dimensions", "encoding_format", "user"))


class _PeekBody(Struct):
    model: str = ""
    input: Raw = Raw()


class _Item(Struct):
    embedding: list[float] | str
    index: int | None = None


class _Usage(Struct):
    prompt_tokens: int | None = None
    total_tokens: int | None = None


class _Answer(Struct):
    data: list[_Item]
    model: str | None = None
    usage: _Usage | None = None


class _UsageOnly(Struct):
    usage: _Usage | None = None


_PEEK = msgspec.json.Decoder(_PeekBody)


def _peek(body: bytes, params: Params) -> Peek:
    try:
        asked = _PEEK.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as e:
        raise CallerError(f"the body is not an embeddings request: {e}", code="invalid_json") from None
    model = asked.model or params.get("model", "")
    if not model:
        raise CallerError("model is required", param="model")
    if bytes(asked.input) in (b"", b"null", b"[]", b'""'):
        raise CallerError("input is empty", param="input")
    return Peek(model=model, stream=False)


def _read_request(body: bytes, params: Params) -> EmbedRequest:
    try:
        root = msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError) as e:
        raise CallerError(f"the body is not a JSON object: {e}", code="invalid_json") from None
    dimensions, encoding, user = root.get("dimensions"), root.get("encoding_format"), root.get("user")
    if dimensions is not None and (not isinstance(dimensions, int) or dimensions < 1):
        raise CallerError("dimensions must be a positive integer", param="dimensions")
    return EmbedRequest(
        model=str(root.get("model") or params.get("model", "")),
        inputs=_inputs(root.get("input")),
        dimensions=dimensions,
        encoding=encoding if isinstance(encoding, str) else "",
        user=user if isinstance(user, str) else "",
        origin="embeddings",
        extra={k: Raw(msgspec.json.encode(v)) for k, v in root.items() if k not in _KNOWN},
    )


def _inputs(value: Any) -> tuple[str | tuple[int, ...], ...]:
    """Return the inputs: a text, texts, token numbers, or lists of them."""
    try:
        said = msgspec.convert(value, str | list[str | int | list[int]])
    except msgspec.ValidationError as e:
        raise CallerError(f"input: {e}", param="input") from None
    if isinstance(said, str):
        inputs: tuple[str | tuple[int, ...], ...] = (said,)
    elif said and all(isinstance(x, int) for x in said):
        inputs = (tuple(cast("list[int]", said)),)
    elif any(isinstance(x, int) for x in said):
        raise CallerError("input mixes texts and token numbers", param="input")
    else:
        inputs = tuple(x if isinstance(x, str) else tuple(cast("list[int]", x)) for x in said)
    if not inputs or not any(inputs):
        raise CallerError("input is empty", param="input")
    return inputs


def _write_request(request: EmbedRequest, profile: Profile) -> Written:
    body: dict[str, Any] = {"model": request.model, "input": request.inputs}
    if request.dimensions is not None:
        body["dimensions"] = request.dimensions
    if request.encoding:
        body["encoding_format"] = request.encoding
    if request.user:
        body["user"] = request.user
    if request.origin == "embeddings":
        body |= request.extra
    return Written(msgspec.json.encode(body))


def _usage(said: _Usage | None) -> Usage | None:
    if said is None:
        return None
    return Usage(input=said.prompt_tokens or said.total_tokens or 0)


def _decode(body: bytes, kind: type[T]) -> T:
    try:
        decoded = msgspec.json.decode(body)
        if error := error_in(decoded):
            raise error
        return msgspec.convert(decoded, kind)
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError):
        raise UpstreamError("the upstream's answer is not a list of embeddings", kind="malformed") from None


def _read_usage(body: bytes) -> Usage | None:
    return _usage(_decode(body, _UsageOnly).usage)


def _read_response(body: bytes) -> EmbedResponse:
    answer = _decode(body, _Answer)
    items = sorted(answer.data, key=lambda i: i.index or 0)
    vectors = tuple(i.embedding if isinstance(i.embedding, str) else tuple(i.embedding) for i in items)
    return EmbedResponse(answer.model or "", vectors, _usage(answer.usage))


def floats(vector: tuple[float, ...] | str) -> tuple[float, ...]:
    """Return a vector as numbers, decoding OpenAI's base64 of little-endian float32.

    Raises:
        UpstreamError: It is not that.
    """
    if not isinstance(vector, str):
        return vector
    try:
        data = b64decode(vector, validate=True)
        return struct.unpack(f"<{len(data) // 4}f", data)
    except (ValueError, struct.error):
        raise UpstreamError("the upstream's embedding is not base64 of numbers", kind="malformed") from None


def _write_response(response: EmbedResponse, options: WriterOptions) -> bytes:
    usage = response.usage or Usage()
    return msgspec.json.encode(
        {
            "object": "list",
            "data": [{"object": "embedding", "index": i, "embedding": v} for i, v in enumerate(response.vectors)],
            "model": response.model or options.model,
            "usage": {"prompt_tokens": usage.prompt, "total_tokens": usage.total},
        }
    )


FORMAT = Format(
    name="embeddings",
    endpoint="embeddings",
    routes=(
        Route("POST", "/v1/embeddings", "embeddings"),
        Route("POST", "/v1/engines/{model}/embeddings", "embeddings"),
    ),
    upstream_path="/v1/embeddings",
    peek=_peek,
    read_error=read_error,
    write_error=write_error,
    read_usage=_read_usage,
    read_request=_read_request,
    write_request=_write_request,
    read_response=_read_response,
    write_response=_write_response,
)
