"""Rerank, as Jina and Cohere say it and others copied it.

Sources: https://api.jina.ai/redoc#tag/rerank and https://docs.cohere.com/v1/reference/rerank
"""

from __future__ import annotations

from typing import Any, cast

import msgspec

from newapi.base.errors import CallerError, UpstreamError
from newapi.formats._media_form import Fields
from newapi.formats._openai_errors import error_in, read_error, write_error
from newapi.formats._openai_usage import as_dict, as_int
from newapi.formats.contract import Format, Params, Peek, Profile, Route, WriterOptions, Written
from newapi.ir.rerank import RerankRequest, RerankResponse, RerankResult
from newapi.ir.usage import Usage

_KNOWN = ("model", "query", "documents", "top_n", "return_documents")


def peek(body: bytes, params: Params) -> Peek:
    """Return the model; nothing here streams.

    Raises:
        CallerError: The model, the question or the documents are missing.
    """
    fields = Fields(body, {})
    model = fields.text("model", params.get("model", ""))
    if not model:
        raise CallerError("model is required", param="model")
    if not fields.text("query"):
        raise CallerError("query is empty", param="query")
    if not fields.get("documents"):
        raise CallerError("documents is empty", param="documents")
    return Peek(model=model, stream=False)


def _read_request(body: bytes, params: Params) -> RerankRequest:
    fields = Fields(body, {})
    documents, top_n, whole = fields.get("documents"), fields.get("top_n"), fields.get("return_documents")
    if not isinstance(documents, list):
        raise CallerError("documents must be a list", param="documents")
    if top_n is not None and (not isinstance(top_n, int) or isinstance(top_n, bool) or top_n < 0):
        raise CallerError("top_n must be a positive integer", param="top_n")
    return RerankRequest(
        model=fields.text("model", params.get("model", "")),
        query=fields.text("query"),
        documents=tuple(cast("list[Any]", documents)),
        top_n=top_n or None,
        return_documents=whole if isinstance(whole, bool) else None,
        origin="rerank",
        extra=fields.rest(*_KNOWN),
    )


def _write_request(request: RerankRequest, profile: Profile) -> Written:
    body: dict[str, Any] = {"model": request.model, "query": request.query, "documents": request.documents}
    if request.top_n is not None:
        body["top_n"] = request.top_n
    if request.return_documents is not None:
        body["return_documents"] = request.return_documents
    return Written(msgspec.json.encode(body | (request.extra if request.origin == "rerank" else {})))


def decode(body: bytes) -> dict[str, Any]:
    """Return a decoded answer.

    Raises:
        UpstreamError: It is an error, or no JSON object.
    """
    try:
        decoded = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise UpstreamError("the upstream's answer is not JSON", kind="malformed") from None
    if error := error_in(decoded):
        raise error
    return as_dict(decoded)


def results(said: Any) -> tuple[RerankResult, ...]:
    """Return decoded results.

    Raises:
        UpstreamError: They are no list, or lack their numbers.
    """
    if not isinstance(said, list):
        raise UpstreamError("the upstream's answer holds no results", kind="malformed")
    out: list[RerankResult] = []
    for item in map(as_dict, cast("list[Any]", said)):
        index, score = item.get("index"), item.get("relevance_score", item.get("score"))
        if not isinstance(index, int) or not isinstance(score, int | float):
            raise UpstreamError("the upstream's answer holds a result without its score", kind="malformed")
        # Xinference writes an empty document where none was asked for.
        out.append(RerankResult(index, score, item.get("document") or None))
    return tuple(out)


def _usage(answer: dict[str, Any]) -> Usage | None:
    """What is read is all there is to count: Jina states the total, Cohere and SiliconFlow beside their results."""
    said, meta = as_dict(answer.get("usage")), as_dict(answer.get("meta"))
    if total := as_int(said.get("total_tokens")) or as_int(said.get("prompt_tokens")):
        return Usage(input=total)
    for counts in (as_dict(meta.get("tokens")), as_dict(meta.get("billed_units"))):
        if read := as_int(counts.get("input_tokens")):
            return Usage(input=read, output=as_int(counts.get("output_tokens")))
    return None


def _read_usage(body: bytes) -> Usage | None:
    answer = decode(body)
    if not isinstance(answer.get("results"), list):
        raise UpstreamError("the upstream's answer holds no results", kind="malformed")
    return _usage(answer)


def _read_response(body: bytes) -> RerankResponse:
    answer = decode(body)
    return RerankResponse(results(answer.get("results")), _usage(answer))


def write_response(response: RerankResponse, options: WriterOptions) -> bytes:
    """Return the answer: results, and what they cost."""
    usage = response.usage or Usage()
    rows: list[dict[str, Any]] = []
    for result in response.results:
        row: dict[str, Any] = {"index": result.index, "relevance_score": result.score}
        if result.document is not None:
            row["document"] = result.document
        rows.append(row)
    counts = {"prompt_tokens": usage.prompt, "completion_tokens": usage.completion, "total_tokens": usage.total}
    return msgspec.json.encode({"model": options.model, "results": rows, "usage": counts})


FORMAT = Format(
    name="rerank",
    endpoint="rerank",
    routes=(Route("POST", "/v1/rerank", "rerank"),),
    upstream_path="/v1/rerank",
    peek=peek,
    read_error=read_error,
    write_error=write_error,
    read_usage=_read_usage,
    read_request=_read_request,
    write_request=_write_request,
    read_response=_read_response,
    write_response=write_response,
)
