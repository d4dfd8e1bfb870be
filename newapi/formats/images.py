"""OpenAI's pictures, made from a prompt.

Source: https://platform.openai.com/docs/api-reference/images/create
"""

from __future__ import annotations

from typing import Any

import msgspec

from newapi.formats import _media_images as images
from newapi.formats._media_stream import MeterReader, error_frame
from newapi.formats._openai_errors import read_error, write_error
from newapi.formats.contract import Format, Profile, Route, Written
from newapi.ir.images import ImageRequest


def _write_request(request: ImageRequest, profile: Profile) -> Written:
    body: dict[str, Any] = {"model": request.model, "prompt": request.text, "n": request.n}
    said = {"size": request.size, "quality": request.quality, "stream": request.stream}
    body |= {k: v for k, v in said.items() if v}
    return Written(msgspec.json.encode(body | request.extra))


FORMAT = Format(
    name="images",
    endpoint="images",
    routes=(Route("POST", "/v1/images/generations", "images"),),
    upstream_path="/v1/images/generations",
    peek=images.peek,
    read_error=read_error,
    write_error=write_error,
    read_usage=images.read_usage,
    read_request=images.read_request,
    write_request=_write_request,
    read_response=images.read_response,
    write_response=images.write_response,
    reader=lambda: MeterReader(images.usage_of),
    writer=lambda options: images.PictureWriter("image_generation.completed", options),
    error_frame=error_frame,
)
