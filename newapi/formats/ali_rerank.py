"""DashScope's rerank, spoken upstream only.

Source: https://help.aliyun.com/zh/model-studio/text-rerank-api
"""

from __future__ import annotations

from typing import Any

import msgspec

from newapi.base.errors import UpstreamError
from newapi.formats._openai_errors import read_error, write_error
from newapi.formats._openai_usage import as_dict, as_int
from newapi.formats.contract import Format, Loss, Profile, Written
from newapi.formats.rerank import decode, peek, results, write_response
from newapi.ir.rerank import RerankRequest, RerankResponse
from newapi.ir.usage import Usage


def _write_request(request: RerankRequest, profile: Profile) -> Written:
    # Jina returns documents unless told not to, DashScope only when told to.
    parameters: dict[str, Any] = {"return_documents": request.return_documents is not False}
    if request.top_n is not None:
        parameters["top_n"] = request.top_n
    body = {
        "model": request.model,
        "input": {"query": request.query, "documents": request.documents},
        "parameters": parameters,
    }
    return Written(msgspec.json.encode(body), tuple(Loss(k) for k in request.extra))


def _decode(body: bytes) -> dict[str, Any]:
    answer = decode(body)
    if code := answer.get("code"):
        raise UpstreamError(str(answer.get("message") or code), kind="error_event", upstream_status=200, code=str(code))
    return answer


def _usage(answer: dict[str, Any]) -> Usage | None:
    total = as_int(as_dict(answer.get("usage")).get("total_tokens"))
    return Usage(input=total) if total else None


def _read_usage(body: bytes) -> Usage | None:
    return _usage(_decode(body))


def _read_response(body: bytes) -> RerankResponse:
    answer = _decode(body)
    return RerankResponse(results(as_dict(answer.get("output")).get("results")), _usage(answer))


FORMAT = Format(
    name="ali_rerank",
    endpoint="rerank",
    routes=(),
    upstream_path="/api/v1/services/rerank/text-rerank/text-rerank",
    peek=peek,
    read_error=read_error,
    write_error=write_error,
    read_usage=_read_usage,
    write_request=_write_request,
    read_response=_read_response,
    write_response=write_response,
)
