"""OpenAI's pictures: what making and editing them have in common.

Source: https://platform.openai.com/docs/api-reference/images
"""

from __future__ import annotations

from typing import Any

import msgspec

from newapi.base.errors import CallerError, UpstreamError
from newapi.formats._media_form import Fields, is_form
from newapi.formats._openai_errors import error_in
from newapi.formats._openai_usage import as_dict, as_int
from newapi.formats.contract import Params, Peek, WriterOptions
from newapi.frames import sse
from newapi.ir.events import Event, Metered, Started, Whole
from newapi.ir.images import ImageRequest, ImageResponse, Picture
from newapi.ir.request import Inline, Media, Url
from newapi.ir.usage import Usage, split_prompt

_MAX_N = 128
_SIZES = {
    "dall-e": ("256x256", "512x512", "1024x1024"),
    "dall-e-2": ("256x256", "512x512", "1024x1024"),
    "dall-e-3": ("1024x1024", "1024x1792", "1792x1024"),
}
_QUALITY = {"dall-e-3": "standard", "gpt-image-1": "auto"}


def peek(body: bytes, params: Params) -> Peek:
    """Return what a request for pictures asks for, the model's own defaults filled in where they have a price.

    Raises:
        CallerError: It names no model, or a number, size or picture that cannot be.
    """
    return _peek(Fields(body, params), params)


def peek_edit(body: bytes, params: Params) -> Peek:
    """Return what a request to edit pictures asks for.

    Raises:
        CallerError: As `peek`, or a form has no picture.
    """
    fields = Fields(body, params)
    if is_form(params) and not fields.files("image"):
        raise CallerError("image is required", param="image")
    return _peek(fields, params)


def _peek(fields: Fields, params: Params) -> Peek:
    model = fields.text("model", params.get("model", ""))
    if not model:
        raise CallerError("model is required", param="model")
    size = fields.text("size")
    if "×" in size:
        raise CallerError(
            "size must be written with the letter 'x', not with the multiplication sign '×'", param="size"
        )
    sizes = _SIZES.get(model)
    if sizes and size and size not in sizes:
        raise CallerError(f"size must be one of {', '.join(sizes)} for {model}", param="size")
    return Peek(
        model=model,
        stream=fields.flag("stream"),
        n=_number(fields.get("n")),
        image_size=size or ("1024x1024" if sizes else ""),
        image_quality=fields.text("quality") or _QUALITY.get(model, ""),
    )


def _number(value: Any) -> int:
    if value is None or value == "":
        return 1
    if isinstance(value, str) and value.isdecimal():
        value = int(value[:9])
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= _MAX_N:
        raise CallerError(f"n must be an integer between 1 and {_MAX_N}", param="n")
    return value or 1


def read_request(body: bytes, params: Params) -> ImageRequest:
    """Return the request in the canonical form.

    Raises:
        CallerError: It makes no sense.
    """
    fields = Fields(body, params)
    return ImageRequest(
        model=fields.text("model", params.get("model", "")),
        text=fields.text("prompt"),
        n=_number(fields.get("n")),
        size=fields.text("size"),
        quality=fields.text("quality"),
        stream=fields.flag("stream"),
        origin="images",
        extra=fields.rest("model", "prompt", "n", "size", "quality", "stream"),
    )


def usage_of(said: Any) -> Usage | None:
    """Return a decoded `usage` object in disjoint buckets; None when it states nothing or only zeros."""
    usage = as_dict(said)
    into = as_dict(usage.get("input_tokens_details") or usage.get("prompt_tokens_details"))
    out = as_dict(usage.get("output_tokens_details") or usage.get("completion_tokens_details"))
    prompt = as_int(usage.get("input_tokens")) or as_int(usage.get("prompt_tokens"))
    completion = as_int(usage.get("output_tokens")) or as_int(usage.get("completion_tokens"))
    if not prompt and not completion:
        return None
    text, cached, _, image, _ = split_prompt(
        prompt, cached=as_int(into.get("cached_tokens")), image=as_int(into.get("image_tokens"))
    )
    pictures = min(completion, as_int(out.get("image_tokens")))
    return Usage(input=text, cache_read=cached, input_image=image, output=completion - pictures, output_image=pictures)


def read_usage(body: bytes) -> Usage:
    """Return the usage of a whole answer. Where none is stated it is one token, as New API bills it.

    Models that state none are sold by the picture.

    Raises:
        UpstreamError: The body is an error, or no answer.
    """
    return usage_of(_decode(body).get("usage")) or Usage(input=1, source="estimate")


def read_response(body: bytes) -> ImageResponse:
    """Return a whole answer in the canonical form.

    Raises:
        UpstreamError: The body is an error, or holds no pictures.
    """
    answer = _decode(body)
    data = answer.get("data")
    if not isinstance(data, list):
        raise UpstreamError("the upstream's answer holds no pictures", kind="malformed")
    items: list[dict[str, Any]] = [as_dict(i) for i in data]  # pyright: ignore[reportUnknownVariableType]
    return ImageResponse(
        tuple(
            Picture(
                url=str(i.get("url") or ""),
                base64=str(i.get("b64_json") or ""),
                revised_prompt=str(i.get("revised_prompt") or ""),
            )
            for i in items
        ),
        usage_of(answer.get("usage")),
        as_int(answer.get("created")),
    )


def write_response(response: ImageResponse, options: WriterOptions) -> bytes:
    """Return the answer as OpenAI's; a usage that only we estimated is not stated."""
    body: dict[str, Any] = {
        "created": response.created or options.created,
        "data": [_item(p) for p in response.pictures],
    }
    usage = response.usage
    if usage is not None and usage.source == "upstream":
        body["usage"] = _usage(usage)
    return msgspec.json.encode(body)


class PictureWriter:
    """A whole answer as the stream that was asked for: one event for each picture, as New API tells it.

    Source: https://platform.openai.com/docs/api-reference/images-streaming. The usage is of all pictures together, so
    the last event states it, and it is stated once.
    """

    def __init__(self, event: str, options: WriterOptions) -> None:
        """Make a writer of events called `event`."""
        self._event = event
        self._created = options.created
        self._pictures: list[Picture] = []
        self._usage: Usage | None = None

    def write(self, event: Event) -> bytes:
        """Take note of `event`; which picture is the last is known at the end."""
        match event:
            case Started(created=created) if created:
                self._created = created
            case Whole(value=Media(source=Url(url=url), transcript=revised)):
                self._pictures.append(Picture(url=url, revised_prompt=revised))
            case Whole(value=Media(source=Inline(data=data), transcript=revised)):
                self._pictures.append(Picture(base64=data, revised_prompt=revised))
            case Metered(usage=usage):
                self._usage = usage
            case _:
                pass
        return b""

    def close(self) -> bytes:
        """Return the whole stream."""
        told: list[dict[str, Any]] = [
            {"type": self._event, "created_at": self._created, **_item(p)} for p in self._pictures
        ]
        if told and self._usage is not None and self._usage.source == "upstream":
            told[-1]["usage"] = _usage(self._usage)
        return b"".join(sse.write(msgspec.json.encode(t), self._event) for t in told) + b"data: [DONE]\n\n"


def _usage(usage: Usage) -> dict[str, Any]:
    return {
        "input_tokens": usage.prompt,
        "output_tokens": usage.completion,
        "total_tokens": usage.total,
        "input_tokens_details": {
            "text_tokens": usage.prompt - usage.input_image,
            "image_tokens": usage.input_image,
        },
    }


def _item(picture: Picture) -> dict[str, str]:
    said = {"url": picture.url, "b64_json": picture.base64, "revised_prompt": picture.revised_prompt}
    return {k: v for k, v in said.items() if v}


def _decode(body: bytes) -> dict[str, Any]:
    try:
        decoded = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise UpstreamError("the upstream's answer is not JSON", kind="malformed") from None
    if error := error_in(decoded):
        raise error
    if not isinstance(decoded, dict):
        raise UpstreamError("the upstream's answer holds no pictures", kind="malformed")
    return as_dict(decoded)
