"""OpenAI's moderations. Passed on as they are.

Source: https://platform.openai.com/docs/api-reference/moderations/create
"""

from __future__ import annotations

from typing import Any, cast

import msgspec

from newapi.base.errors import CallerError, UpstreamError
from newapi.formats._media_form import Fields
from newapi.formats._openai_errors import error_in, read_error, write_error
from newapi.formats._openai_usage import as_dict, read
from newapi.formats.contract import Format, Params, Peek, Route
from newapi.ir.text import TextRequest
from newapi.ir.usage import Usage

_DEFAULT_MODEL = "text-moderation-latest"


def _peek(body: bytes, params: Params) -> Peek:
    fields = Fields(body, {})
    if not fields.get("input"):
        raise CallerError("field input is required", param="input")
    return Peek(model=fields.text("model", params.get("model") or _DEFAULT_MODEL), stream=False)


def _read_request(body: bytes, params: Params) -> TextRequest:
    fields = Fields(body, {})
    return TextRequest(
        fields.text("model", params.get("model") or _DEFAULT_MODEL), "\n".join(_texts(fields.get("input")))
    )


def _texts(value: Any) -> list[str]:
    """Return the texts of an input: a text, texts, or parts of which some are pictures."""
    if isinstance(value, str):
        return [value]
    items = cast("list[Any]", value) if isinstance(value, list) else []
    found = (i if isinstance(i, str) else as_dict(i).get("text") for i in items)
    return [t for t in found if isinstance(t, str)]


def _read_usage(body: bytes) -> Usage | None:
    """OpenAI states none: moderations are free there."""
    try:
        decoded = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise UpstreamError("the upstream's answer is not JSON", kind="malformed") from None
    if error := error_in(decoded):
        raise error
    if not isinstance(as_dict(decoded).get("results"), list):
        raise UpstreamError("the upstream's answer judges nothing", kind="malformed")
    return read(as_dict(decoded).get("usage"))


FORMAT = Format(
    name="moderations",
    endpoint="moderation",
    routes=(Route("POST", "/v1/moderations", "moderation"),),
    upstream_path="/v1/moderations",
    peek=_peek,
    read_error=read_error,
    write_error=write_error,
    read_usage=_read_usage,
    read_request=_read_request,
)
