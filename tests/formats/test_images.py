"""Pictures: what is asked, what it costs, streams, forms, and Imagen's shape."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from newapi.base import multipart
from newapi.base.errors import CallerError, Unsupported, UpstreamError
from newapi.formats import gemini_imagen, image_edits, images
from newapi.formats.contract import Profile, WriterOptions
from newapi.frames.sse import Frame, SseFramer
from newapi.ir.check import check
from newapi.ir.events import Event, Failed, Finished, Metered
from newapi.ir.images import ImageRequest
from newapi.ir.usage import Usage

FORM = {"content-type": "multipart/form-data; boundary=B"}
PNG = multipart.file("image", "cat.png", b"\x89PNG\r\n--B?", "image/png")


def json(**fields: Any) -> bytes:
    return msgspec.json.encode(fields)


def form(*parts: multipart.Part) -> bytes:
    return multipart.build(parts, "B")


# -- what is asked -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "n", "size", "quality", "stream"),
    [
        ({"model": "dall-e-3"}, 1, "1024x1024", "standard", False),
        ({"model": "dall-e-3", "size": "1024x1792", "quality": "hd"}, 1, "1024x1792", "hd", False),
        ({"model": "dall-e-2", "n": 4}, 4, "1024x1024", "", False),
        ({"model": "gpt-image-1", "n": None, "stream": True}, 1, "", "auto", True),
        ({"model": "gpt-image-1", "n": 0, "size": "auto", "quality": "low"}, 1, "auto", "low", False),
        ({"model": "wan", "size": "16:9", "n": 128}, 128, "16:9", "", False),
    ],
)
def test_defaults_that_have_a_price_are_filled_in(
    fields: dict[str, Any], n: int, size: str, quality: str, stream: bool
) -> None:
    seen = images.FORMAT.peek(json(prompt="a cat", **fields), {})
    assert (seen.model, seen.n, seen.image_size, seen.image_quality, seen.stream) == (
        fields["model"],
        n,
        size,
        quality,
        stream,
    )


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({}, "model"),
        ({"model": 7}, "model"),
        ({"model": "dall-e-3", "size": "256x256"}, "size"),
        ({"model": "dall-e-2", "size": "1024x1792"}, "size"),
        ({"model": "x", "size": "1024×1024"}, "size"),
        ({"model": "x", "n": 129}, "n"),
        ({"model": "x", "n": -1}, "n"),
        ({"model": "x", "n": 1.5}, "n"),
        ({"model": "x", "n": True}, "n"),
    ],
)
def test_what_cannot_be_is_refused(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(CallerError) as error:
        images.FORMAT.peek(json(prompt="a cat", **fields), {})
    assert (error.value.status, error.value.param) == (400, param)


def test_a_body_that_is_not_json_is_refused() -> None:
    with pytest.raises(CallerError, match="JSON"):
        images.FORMAT.peek(b"prompt=cat", {})


def test_an_edit_comes_as_a_form_or_as_json() -> None:
    body = form(
        multipart.field("prompt", "a hat"), multipart.field("model", "gpt-image-1"), multipart.field("n", "2"), PNG
    )
    seen = image_edits.FORMAT.peek(body, FORM)
    assert (seen.model, seen.n, seen.image_quality) == ("gpt-image-1", 2, "auto")
    assert image_edits.FORMAT.peek(json(model="m", prompt="p", image="data:x"), {}).model == "m"


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (form(multipart.field("model", "m")), "image"),
        (form(multipart.field("model", "m"), multipart.field("image", "not a file")), "image"),
        (form(PNG), "model"),
        (form(multipart.field("model", "m"), multipart.field("n", "two"), PNG), "n"),
    ],
)
def test_a_form_that_lacks_something_is_refused(body: bytes, param: str) -> None:
    with pytest.raises(CallerError) as error:
        image_edits.FORMAT.peek(body, FORM)
    assert error.value.param == param


def test_numbered_pictures_are_pictures() -> None:
    body = form(multipart.field("model", "m"), msgspec.structs.replace(PNG, name="image[]"))
    assert image_edits.FORMAT.peek(body, FORM).model == "m"


def test_the_model_is_set_first_and_files_stay_as_they_are() -> None:
    assert image_edits.FORMAT.set_model is not None
    mask = multipart.file("mask", "mask.png", b"M", "image/png")
    body = form(multipart.field("prompt", "a hat"), PNG, multipart.field("model", "old"), mask)
    written = image_edits.FORMAT.set_model(body, FORM, "new")
    parts = multipart.parse(written.body, written.content_type)
    assert parts == (multipart.field("model", "new"), multipart.field("prompt", "a hat"), PNG, mask)


def test_the_model_of_json_that_has_another_type_is_set_too() -> None:
    assert image_edits.FORMAT.set_model is not None
    written = image_edits.FORMAT.set_model(json(model="old", prompt="p"), {"content-type": "text/plain"}, "new")
    assert (written.body, written.content_type) == (json(model="new", prompt="p"), "application/json")


def test_a_request_is_written_back_whole() -> None:
    assert images.FORMAT.read_request is not None
    assert images.FORMAT.write_request is not None
    body = json(model="m", prompt="p", n=2, size="1024x1024", quality="low", background="transparent", stream=True)
    request = images.FORMAT.read_request(body, {})
    assert request.text == "p"
    assert msgspec.json.decode(images.FORMAT.write_request(request, Profile()).body) == msgspec.json.decode(body)


# -- what it costs -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (
            {
                "input_tokens": 50,
                "output_tokens": 1056,
                "total_tokens": 1106,
                "input_tokens_details": {"text_tokens": 10, "image_tokens": 40},
            },
            Usage(input=10, input_image=40, output=1056),
        ),
        (
            {
                "input_tokens": 20,
                "output_tokens": 300,
                "input_tokens_details": {"cached_tokens": 8},
                "output_tokens_details": {"image_tokens": 272, "text_tokens": 28},
            },
            Usage(input=12, cache_read=8, output=28, output_image=272),
        ),
        ({"input_tokens": 0, "output_tokens": 0, "total_tokens": 0}, Usage(input=1, source="estimate")),
        (None, Usage(input=1, source="estimate")),
    ],
)
def test_usage_of_a_whole_answer(usage: dict[str, Any] | None, expected: Usage) -> None:
    assert images.FORMAT.read_usage(json(created=1, data=[{"b64_json": "aQ=="}], usage=usage)) == expected


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"error":{"message":"no","type":"x"}}'])
def test_an_answer_without_sense_is_an_error(body: bytes) -> None:
    with pytest.raises(UpstreamError):
        images.FORMAT.read_usage(body)


def test_an_answer_is_written_as_it_was_read() -> None:
    assert images.FORMAT.read_response is not None
    assert images.FORMAT.write_response is not None
    body = {
        "created": 7,
        "data": [{"url": "https://x.invalid/1.png", "revised_prompt": "a cat"}, {"b64_json": "aQ=="}],
        "usage": {
            "input_tokens": 50,
            "output_tokens": 9,
            "total_tokens": 59,
            "input_tokens_details": {"text_tokens": 10, "image_tokens": 40},
        },
    }
    response = images.FORMAT.read_response(msgspec.json.encode(body))
    assert msgspec.json.decode(images.FORMAT.write_response(response, WriterOptions(created=9))) == body


# -- streams -----------------------------------------------------------------------------

STREAM = (
    b'event: image_generation.partial_image\ndata: {"type":"image_generation.partial_image","b64_json":"aQ=="}\n\n'
    b'event: image_generation.completed\ndata: {"type":"image_generation.completed","b64_json":"aQ==",'
    b'"usage":{"input_tokens":5,"output_tokens":7,"total_tokens":12}}\n\n'
)


def read(stream: bytes) -> list[Event]:
    assert images.FORMAT.reader is not None
    reader, framer = images.FORMAT.reader(), SseFramer()
    return [e for f in (*framer.feed(stream), *framer.close()) for e in reader.feed(f)] + list(reader.close())


@pytest.mark.parametrize("end", [b"", b"data: [DONE]\n\n"])
def test_a_stream_says_what_it_costs(end: bytes) -> None:
    events = read(STREAM + end)
    assert check(events) == []
    assert [e.usage for e in events if isinstance(e, Metered)][-1] == Usage(input=5, output=7)
    assert sum(isinstance(e, Finished) for e in events) == 1
    assert not any(isinstance(e, Failed) for e in events)


def test_the_first_sketch_is_a_sign_of_life() -> None:
    assert images.FORMAT.reader is not None
    events = list(images.FORMAT.reader().feed(Frame("", b'{"type":"image_generation.partial_image"}')))
    assert Metered(Usage(source="none")) in events


def test_several_pictures_come_one_after_the_other() -> None:
    events = read(STREAM + STREAM)
    assert check(events) == []
    assert not any(isinstance(e, Failed) for e in events)


@pytest.mark.parametrize(
    ("stream", "kind"),
    [
        (b"", "cut"),
        (STREAM[: STREAM.index(b"event: image_generation.completed")], "cut"),
        (b'data: {"type":"error","error":{"message":"no"}}\n\n', "error_event"),
        (b'event: error\ndata: {"message":"no"}\n\n', "error_event"),
        (b"data: {nonsense\n\n", "malformed"),
    ],
)
def test_a_stream_that_fails(stream: bytes, kind: str) -> None:
    events = read(stream)
    assert check(events) == []
    last = events[-1]
    assert isinstance(last, Failed)
    assert last.error.kind == kind


def test_nothing_is_said_after_the_end() -> None:
    assert images.FORMAT.reader is not None
    reader = images.FORMAT.reader()
    assert isinstance(list(reader.feed(Frame("", b'{"error":{"message":"no"}}')))[-1], Failed)
    assert list(reader.feed(Frame("", b'{"type":"image_generation.completed"}'))) == []
    assert list(reader.close()) == []


def test_an_error_within_a_stream_is_an_event() -> None:
    assert images.FORMAT.error_frame is not None
    (frame,) = SseFramer().feed(images.FORMAT.error_frame(UpstreamError("no", code="c"), "r1"))
    assert (frame.event, msgspec.json.decode(frame.data)["error"]["code"]) == ("error", "c")


# -- Imagen ------------------------------------------------------------------------------


def imagen(**fields: Any) -> dict[str, Any]:
    assert gemini_imagen.FORMAT.write_request is not None
    request = ImageRequest(**{"model": "imagen-4.0", "text": "a cat", **fields})
    return msgspec.json.decode(gemini_imagen.FORMAT.write_request(request, Profile()).body)


def test_imagen_is_asked_in_its_own_words() -> None:
    assert imagen(n=2, size="1024x1024") == {
        "instances": [{"prompt": "a cat"}],
        "parameters": {"sampleCount": 2, "aspectRatio": "1:1", "personGeneration": "allow_adult"},
    }


@pytest.mark.parametrize(
    ("size", "ratio"),
    [
        ("", "1:1"),
        ("auto", "1:1"),
        ("512x512", "1:1"),
        ("1024x1792", "9:16"),
        ("1792x1024", "16:9"),
        ("1536x1024", "4:3"),
        ("1024x1536", "3:4"),
        ("3:4", "3:4"),
        ("0x5", "1:1"),
    ],
)
def test_a_size_becomes_a_ratio_that_imagen_has(size: str, ratio: str) -> None:
    assert imagen(size=size)["parameters"]["aspectRatio"] == ratio


@pytest.mark.parametrize(("quality", "size"), [("hd", "2K"), ("high", "2K"), ("2K", "2K"), ("low", "1K"), ("", None)])
def test_quality_becomes_a_size(quality: str, size: str | None) -> None:
    assert imagen(quality=quality)["parameters"].get("imageSize") == size


@pytest.mark.parametrize("fields", [{"model": "gemini-2.5-flash-image"}, {"stream": True}])
def test_what_imagen_cannot_do_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(Unsupported):
        imagen(**fields)


def test_what_imagen_has_no_word_for_is_told() -> None:
    assert gemini_imagen.FORMAT.write_request is not None
    assert images.FORMAT.read_request is not None
    body = json(model="imagen-4.0", prompt="p", style="vivid", response_format="b64_json")
    written = gemini_imagen.FORMAT.write_request(images.FORMAT.read_request(body, {}), Profile())
    assert [loss.what for loss in written.losses] == ["style"]


def test_imagen_s_answer_becomes_openai_s() -> None:
    assert gemini_imagen.FORMAT.read_response is not None
    assert images.FORMAT.write_response is not None
    body = json(
        predictions=[
            {"mimeType": "image/png", "bytesBase64Encoded": "aQ=="},
            {"raiFilteredReason": "no"},
            {"mimeType": "image/png", "bytesBase64Encoded": "ag=="},
        ]
    )
    response = gemini_imagen.FORMAT.read_response(body)
    assert response.usage == gemini_imagen.FORMAT.read_usage(body) == Usage(input=516, source="estimate")
    written = msgspec.json.decode(images.FORMAT.write_response(response, WriterOptions(created=9)))
    assert written == {"created": 9, "data": [{"b64_json": "aQ=="}, {"b64_json": "ag=="}]}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (json(), "no images generated"),
        (json(predictions=[]), "no images generated"),
        (json(predictions=[{"raiFilteredReason": "unsafe prompt"}]), "unsafe prompt"),
        (json(error={"code": 400, "message": "bad ratio", "status": "INVALID_ARGUMENT"}), "bad ratio"),
        (b"<html>", "not JSON"),
    ],
)
def test_no_picture_is_an_error(body: bytes, message: str) -> None:
    assert gemini_imagen.FORMAT.read_response is not None
    with pytest.raises(UpstreamError, match=message):
        gemini_imagen.FORMAT.read_response(body)
