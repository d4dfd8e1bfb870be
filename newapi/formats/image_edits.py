"""OpenAI's pictures, made out of other pictures. The request is JSON or a form.

Source: https://platform.openai.com/docs/api-reference/images/createEdit
"""

from __future__ import annotations

from newapi.formats import _media_images as images
from newapi.formats._media_form import set_model
from newapi.formats._media_stream import MeterReader, error_frame
from newapi.formats._openai_errors import read_error, write_error
from newapi.formats.contract import Format, Route

FORMAT = Format(
    name="image_edits",
    endpoint="image_edits",
    routes=(Route("POST", "/v1/images/edits", "image_edits"),),
    upstream_path="/v1/images/edits",
    peek=images.peek_edit,
    read_error=read_error,
    write_error=write_error,
    read_usage=images.read_usage,
    read_request=images.read_request,
    set_model=set_model,
    read_response=images.read_response,
    write_response=images.write_response,
    reader=lambda: MeterReader(images.usage_of),
    writer=lambda options: images.PictureWriter("image_edit.completed", options),
    error_frame=error_frame,
)
