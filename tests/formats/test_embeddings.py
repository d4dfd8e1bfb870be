"""Embeddings: OpenAI's, Gemini's, and each told as the other."""

from __future__ import annotations

import struct
from base64 import b64encode
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from newapi.base.errors import CallerError, Unsupported, UpstreamError
from newapi.formats import embeddings, gemini_count_tokens, gemini_embeddings
from newapi.formats.contract import Format, Profile, WriterOptions
from newapi.ir.embed import EmbedResponse
from newapi.ir.usage import Usage

OPENAI, GEMINI = embeddings.FORMAT, gemini_embeddings.FORMAT
OPTIONS = WriterOptions(model="m")


def told(body: Any, entry: Format, upstream: Format) -> Any:
    assert entry.read_request is not None
    assert upstream.write_request is not None
    request = entry.read_request(msgspec.json.encode(body), {"model": "m"})
    return msgspec.json.decode(upstream.write_request(request, Profile()).body)


@pytest.mark.parametrize(
    ("said", "inputs"),
    [
        ("a", ("a",)),
        (["a", "b"], ("a", "b")),
        ([1, 2], ((1, 2),)),
        ([[1], [2, 3]], ((1,), (2, 3))),
    ],
)
def test_inputs(said: Any, inputs: Any) -> None:
    assert OPENAI.read_request is not None
    request = OPENAI.read_request(msgspec.json.encode({"model": "x", "input": said}), {})
    assert request.inputs == inputs


@pytest.mark.parametrize("said", [None, "", [], [""], 3, ["a", 1], [None]])
def test_inputs_that_make_no_sense(said: Any) -> None:
    assert OPENAI.read_request is not None
    with pytest.raises(CallerError):
        OPENAI.read_request(msgspec.json.encode({"model": "x", "input": said}), {})


def test_openai_told_as_gemini() -> None:
    assert told({"model": "m", "input": ["a", "b"], "dimensions": 3}, OPENAI, GEMINI) == {
        "requests": [
            {"model": "models/m", "content": {"parts": [{"text": t}]}, "outputDimensionality": 3} for t in ("a", "b")
        ]
    }


def test_token_numbers_cannot_be_told() -> None:
    with pytest.raises(Unsupported):
        told({"model": "m", "input": [1]}, OPENAI, GEMINI)


@pytest.mark.parametrize(
    "said",
    [
        {"content": {"parts": [{"text": "a"}]}, "outputDimensionality": 3},
        {"requests": [{"content": {"parts": [{"text": "a"}]}, "output_dimensionality": 3}]},
    ],
)
def test_gemini_told_as_openai(said: Any) -> None:
    assert told(said, GEMINI, OPENAI) == {"model": "m", "input": ["a"], "dimensions": 3}


@pytest.mark.parametrize("said", [{}, {"requests": []}, {"content": {"parts": []}}])
def test_gemini_without_content(said: Any) -> None:
    with pytest.raises(CallerError):
        told(said, GEMINI, OPENAI)


def test_answers_both_ways() -> None:
    assert OPENAI.read_response is not None
    assert GEMINI.read_response is not None
    assert OPENAI.write_response is not None
    assert GEMINI.write_response is not None
    read = GEMINI.read_response(b'{"embeddings":[{"values":[0.5]},{"values":[1]}]}')
    written = OPENAI.write_response(read, OPTIONS)
    assert msgspec.json.decode(written)["data"][1] == {"object": "embedding", "index": 1, "embedding": [1.0]}
    again = OPENAI.read_response(written)
    assert again.vectors == ((0.5,), (1.0,))
    assert msgspec.json.decode(GEMINI.write_response(again, OPTIONS))["embeddings"] == [
        {"values": [0.5]},
        {"values": [1.0]},
    ]


def test_usage() -> None:
    assert OPENAI.read_usage(b'{"data":[],"usage":{"prompt_tokens":5,"total_tokens":5}}') == Usage(input=5)
    assert OPENAI.read_usage(b'{"data":[]}') is None
    assert GEMINI.read_usage(b'{"embedding":{"values":[1]}}') is None


@pytest.mark.parametrize("format", [OPENAI, GEMINI, gemini_count_tokens.FORMAT])
@pytest.mark.parametrize("body", [b"no", b'{"error":{"message":"bad"}}'])
def test_nonsense_is_the_upstreams_fault(format: Format, body: bytes) -> None:
    with pytest.raises(UpstreamError):
        format.read_usage(body)


@given(st.lists(st.floats(width=32, allow_nan=False), max_size=5).map(tuple))
def test_base64_is_float32(vector: tuple[float, ...]) -> None:
    packed = b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
    assert embeddings.floats(packed) == vector


def test_counting() -> None:
    assert gemini_count_tokens.count_body(7) == b'{"totalTokens":7}'
    assert gemini_count_tokens.FORMAT.peek(b"{}", {"model": "m"}).model == "m"


@pytest.mark.parametrize(
    ("single", "body"),
    [
        (True, {"embedding": {"values": [1.0]}}),
        (False, {"embeddings": [{"values": [1.0]}], "embedding": {"values": [1.0]}}),
    ],
)
def test_a_lone_vector(single: bool, body: Any) -> None:
    assert GEMINI.write_response is not None
    response = EmbedResponse("m", ((1.0,),), single=single)
    assert msgspec.json.decode(GEMINI.write_response(response, OPTIONS)) == body
