"""Google's Imagen, spoken upstream only.

Sources: https://ai.google.dev/gemini-api/docs/imagen and, for the ratios, `EditImageConfig.aspectRatio` of
https://googleapis.github.io/java-genai/javadoc/
"""

from __future__ import annotations

import math
import re
from typing import Any, cast

import msgspec

from newapi.base.errors import Unsupported, UpstreamError
from newapi.formats import _limit_headers
from newapi.formats._media_images import peek, write_response
from newapi.formats._openai_errors import error_in, read_error, write_error
from newapi.formats._openai_usage import as_dict
from newapi.formats.contract import Format, Loss, Profile, Written
from newapi.ir.images import ImageRequest, ImageResponse, Picture
from newapi.ir.usage import Usage

_TOKENS = 258
"""What a picture counts for; Imagen is sold by the picture and states no usage."""
_RATIOS = {"1:1": 1.0, "3:4": 3 / 4, "4:3": 4 / 3, "9:16": 9 / 16, "16:9": 16 / 9}
_LARGE = frozenset(("hd", "high", "2k"))


def _write_request(request: ImageRequest, profile: Profile) -> Written:
    if not request.model.startswith("imagen"):
        raise Unsupported(f"{request.model} makes no pictures at this endpoint, only Imagen does", param="model")
    if request.stream:
        raise Unsupported("Imagen does not stream pictures", param="stream")
    parameters: dict[str, Any] = {
        "sampleCount": request.n,
        "aspectRatio": _ratio(request.size),
        "personGeneration": "allow_adult",
    }
    if request.quality:
        parameters["imageSize"] = "2K" if request.quality.lower() in _LARGE else "1K"
    body = {"instances": [{"prompt": request.text}], "parameters": parameters}
    # Pictures come inlined whatever was asked for.
    losses = tuple(Loss(k) for k, v in request.extra.items() if (k, bytes(v)) != ("response_format", b'"b64_json"'))
    return Written(msgspec.json.encode(body), losses)


def _ratio(size: str) -> str:
    """Return a ratio as it was said, or the one Imagen has that is nearest to a size in pixels."""
    if ":" in size:
        return size
    found = re.fullmatch(r"(\d{1,5})x(\d{1,5})", size)
    if found is None or not int(found[1]) or not int(found[2]):
        return "1:1"
    wanted = int(found[1]) / int(found[2])
    return min(_RATIOS, key=lambda r: abs(math.log(_RATIOS[r] / wanted)))


def _decode(body: bytes) -> tuple[Picture, ...]:
    try:
        decoded = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise UpstreamError("the upstream's answer is not JSON", kind="malformed") from None
    if error := error_in(decoded):
        raise error
    said = as_dict(decoded).get("predictions")
    items = [as_dict(i) for i in cast("list[Any]", said)] if isinstance(said, list) else []
    # A prediction that was filtered has the reason in place of the picture.
    pictures = tuple(Picture(base64=d) for i in items if isinstance(d := i.get("bytesBase64Encoded"), str) and d)
    if not pictures:
        reason = next((str(r) for i in items if (r := i.get("raiFilteredReason"))), "no images generated")
        raise UpstreamError(reason, kind="error_event", upstream_status=200, code="no_images")
    return pictures


def _usage(pictures: tuple[Picture, ...]) -> Usage:
    return Usage(input=_TOKENS * len(pictures), source="estimate")


def _read_usage(body: bytes) -> Usage:
    return _usage(_decode(body))


def _read_response(body: bytes) -> ImageResponse:
    pictures = _decode(body)
    return ImageResponse(pictures, _usage(pictures))


FORMAT = Format(
    name="gemini_imagen",
    endpoint="images",
    routes=(),
    upstream_path="/v1beta/models/{model}:predict",
    peek=peek,
    read_error=read_error,
    write_error=write_error,
    limit_headers=_limit_headers.none,
    read_usage=_read_usage,
    write_request=_write_request,
    read_response=_read_response,
    write_response=write_response,
)
