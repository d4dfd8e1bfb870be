"""Forms: taken apart, put together, and cut at any byte."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newapi.base import multipart
from newapi.base.errors import CallerError

TYPE = "multipart/form-data; boundary=B"
FORM = (
    b'--B\r\nContent-Disposition: form-data; name="model"\r\n\r\nwhisper-1\r\n'
    b'--B\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\nContent-Type: audio/wav\r\n\r\n'
    b"RIFF\r\n--Bx\r\n\x00\r\n--B--\r\n"
)

texts = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Zl", "Zp", "Cs")), max_size=12)
parts = st.lists(
    st.one_of(
        st.builds(multipart.field, texts, st.text(max_size=20)),
        st.builds(multipart.file, texts, texts, st.binary(max_size=60), st.sampled_from(("audio/wav", "image/png"))),
        # Bytes that look like the form's own.
        st.builds(
            multipart.file, texts, texts, st.lists(st.sampled_from((b"\r\n", b"--", b"B", b"1", b" "))).map(b"".join)
        ),
    ),
    max_size=6,
)


def test_parts_keep_their_bytes_their_names_and_their_order() -> None:
    model, file = multipart.parse(FORM, TYPE)
    assert (model.name, model.text, model.filename, model.content_type) == ("model", "whisper-1", None, "")
    assert (file.name, file.filename, file.content_type) == ("file", "a.wav", "audio/wav")
    assert file.data == b"RIFF\r\n--Bx\r\n\x00"


def test_headers_that_mean_nothing_here_go_on_as_they_came() -> None:
    body = FORM.replace(b"Content-Type: audio/wav", b"x-odd:  1\r\nContent-Type: audio/wav")
    assert multipart.build(multipart.parse(body, TYPE), "B") == body


@given(parts)
def test_what_is_built_is_parsed_again(given_parts: list[multipart.Part]) -> None:
    boundary = multipart.free_boundary(given_parts, "B")
    body = multipart.build(given_parts, boundary)
    assert multipart.parse(body, multipart.content_type_of(boundary)) == tuple(given_parts)


@given(st.integers(0, len(FORM) - 5))
def test_a_cut_form_is_refused(length: int) -> None:
    with pytest.raises(CallerError):
        multipart.parse(FORM[:length], TYPE)


@given(st.binary(max_size=200))
def test_any_bytes_are_parsed_or_refused(noise: bytes) -> None:
    try:
        found = multipart.parse(b"--B\r\n" + noise + b"\r\n--B--", TYPE)
    except CallerError:
        return
    assert multipart.parse(multipart.build(found, "B"), TYPE) == found


@pytest.mark.parametrize(
    ("head", "name", "filename"),
    [
        (b'form-data; name="file"; filename="a \\"b\\".wav"', "file", 'a "b".wav'),
        (b"form-data; name=file; filename=a.wav", "file", "a.wav"),
        (b'form-data; name="file"; filename="x"; filename*=UTF-8\'\'%e4%b8%ad.wav', "file", "中.wav"),
        ('form-data; name="文件"; filename="中.wav"'.encode(), "文件", "中.wav"),
        (b'form-data; filename="name=evil"; name="file"', "file", "name=evil"),
    ],
)
def test_names_are_read_however_they_are_quoted(head: bytes, name: str, filename: str) -> None:
    (part,) = multipart.parse(b"--B\r\nContent-Disposition: " + head + b"\r\n\r\nx\r\n--B--", TYPE)
    assert (part.name, part.filename, part.data) == (name, filename, b"x")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"--B",
        b"--B\r\n\r\n\r\n--B--",
        b'--B\r\nContent-Disposition: form-data; name="a"\r\n--B--',
        b'--C\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--C--',
    ],
)
def test_a_body_that_is_no_form_is_refused(body: bytes) -> None:
    with pytest.raises(CallerError):
        multipart.parse(body, TYPE)


@pytest.mark.parametrize("kind", ["application/json", "multipart/form-data", "multipart/mixed; boundary=B", ""])
def test_a_content_type_that_names_no_boundary_is_refused(kind: str) -> None:
    with pytest.raises(CallerError):
        multipart.parse(FORM, kind)


def test_too_many_parts_are_refused() -> None:
    many = [multipart.field("a", "1")] * (multipart.MAX_PARTS + 1)
    with pytest.raises(CallerError, match="more than"):
        multipart.parse(multipart.build(many, "B"), TYPE)
    assert len(multipart.parse(multipart.build(many[1:], "B"), TYPE)) == multipart.MAX_PARTS


def test_a_boundary_is_changed_only_where_a_part_has_it() -> None:
    assert multipart.free_boundary([multipart.field("a", "x")], "B") == "B"
    assert multipart.free_boundary([multipart.field("a", "--B and --B1")], "B") == "B2"


@pytest.mark.parametrize("boundary", ["B", "a b", 'a"b', "----WebKit/=?"])
def test_a_boundary_survives_its_header(boundary: str) -> None:
    assert multipart.boundary_of(multipart.content_type_of(boundary)) == boundary


def test_a_line_break_in_a_name_begins_no_header() -> None:
    assert b"\r\nx: y" not in multipart.field("a\r\nx: y", "1").head
