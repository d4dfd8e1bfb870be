"""Moderations go through: only the model and the text are read."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from newapi.base.errors import CallerError, UpstreamError
from newapi.formats.moderations import FORMAT
from newapi.ir.usage import Usage


@pytest.mark.parametrize(
    ("body", "model"),
    [(b'{"model":"omni","input":"x"}', "omni"), (b'{"input":"x"}', "text-moderation-latest")],
)
def test_the_model(body: bytes, model: str) -> None:
    assert FORMAT.peek(body, {}).model == model


@pytest.mark.parametrize("body", [b"[]", b"x", b'{"model":1}', b'{"model":"omni"}', b'{"input":""}', b'{"input":[]}'])
def test_what_is_refused(body: bytes) -> None:
    with pytest.raises(CallerError):
        FORMAT.peek(body, {})


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ("x", "x"),
        (["a", "b"], "a\nb"),
        ([{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {"url": "u"}}], "a"),
        (None, ""),
    ],
)
def test_the_text_is_known(given: Any, text: str) -> None:
    assert FORMAT.read_request is not None
    assert FORMAT.read_request(msgspec.json.encode({"model": "m", "input": given}), {}).text == text


def test_usage_is_read_where_it_is_stated() -> None:
    assert FORMAT.read_usage(b'{"id":"m","results":[{"flagged":false}]}') is None
    stated = b'{"results":[],"usage":{"prompt_tokens":4,"total_tokens":4}}'
    assert FORMAT.read_usage(stated) == Usage(input=4)


@pytest.mark.parametrize("body", [b"<html>", b"{}", b'{"error":{"message":"no"}}'])
def test_no_answer_is_an_error(body: bytes) -> None:
    with pytest.raises(UpstreamError):
        FORMAT.read_usage(body)
