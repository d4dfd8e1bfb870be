"""Rerank: the common form, and DashScope's."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from newapi.base.errors import CallerError, UpstreamError
from newapi.formats import ali_rerank, rerank
from newapi.formats.contract import Profile, WriterOptions
from newapi.ir.rerank import RerankRequest, RerankResponse, RerankResult
from newapi.ir.usage import Usage

WHOLE = {"model": "m", "query": "q", "documents": ["a", {"text": "b"}, {"image": "u"}], "top_n": 2}


def ask(**fields: Any) -> RerankRequest:
    assert rerank.FORMAT.read_request is not None
    return rerank.FORMAT.read_request(msgspec.json.encode(WHOLE | fields), {})


def test_peek() -> None:
    assert rerank.FORMAT.peek(msgspec.json.encode(WHOLE), {}).model == "m"


@pytest.mark.parametrize("key", ["model", "query", "documents"])
@pytest.mark.parametrize("empty", [None, ""])
def test_what_is_missing_is_named(key: str, empty: Any) -> None:
    with pytest.raises(CallerError) as error:
        rerank.FORMAT.peek(msgspec.json.encode(WHOLE | {key: empty}), {})
    assert (error.value.status, error.value.param) == (400, key)


@pytest.mark.parametrize(("key", "value"), [("top_n", -1), ("top_n", "2"), ("top_n", True), ("documents", "a")])
def test_what_makes_no_sense_is_refused(key: str, value: Any) -> None:
    with pytest.raises(CallerError) as error:
        ask(**{key: value})
    assert error.value.param == key


def test_documents_are_counted_as_what_they_say() -> None:
    assert ask().text == 'a\nb\n{"image":"u"}\nq'


def test_a_request_is_written_back_whole() -> None:
    assert rerank.FORMAT.write_request is not None
    request = ask(return_documents=False, max_chunk_per_doc=3)
    written = rerank.FORMAT.write_request(request, Profile())
    assert msgspec.json.decode(written.body) == WHOLE | {"return_documents": False, "max_chunk_per_doc": 3}


@pytest.mark.parametrize(
    ("fields", "parameters"),
    [
        ({}, {"top_n": 2, "return_documents": True}),
        ({"top_n": None, "return_documents": False}, {"return_documents": False}),
        ({"top_n": 0}, {"return_documents": True}),
    ],
)
def test_dashscope_s_request(fields: dict[str, Any], parameters: dict[str, Any]) -> None:
    assert ali_rerank.FORMAT.write_request is not None
    written = ali_rerank.FORMAT.write_request(ask(**fields, overlap_tokens=5), Profile())
    assert msgspec.json.decode(written.body) == {
        "model": "m",
        "input": {"query": "q", "documents": WHOLE["documents"]},
        "parameters": parameters,
    }
    assert [loss.what for loss in written.losses] == ["overlap_tokens"]


@pytest.mark.parametrize(
    ("stated", "usage"),
    [
        ({"usage": {"total_tokens": 15, "prompt_tokens": 15}}, Usage(input=15)),
        ({"usage": {"total_tokens": 15}}, Usage(input=15)),
        ({"meta": {"tokens": {"input_tokens": 9, "output_tokens": 1}}}, Usage(input=9, output=1)),
        ({"meta": {"billed_units": {"input_tokens": 9}}}, Usage(input=9)),
        ({"meta": {"billed_units": {"search_units": 1}}}, None),
        ({}, None),
    ],
)
def test_usage_is_found_where_vendors_put_it(stated: dict[str, Any], usage: Usage | None) -> None:
    assert rerank.FORMAT.read_usage(msgspec.json.encode({"results": [], **stated})) == usage


def test_an_answer_is_read_and_written() -> None:
    assert rerank.FORMAT.read_response is not None
    assert rerank.FORMAT.write_response is not None
    body = {
        "model": "j",
        "results": [
            {"index": 1, "document": {"text": "b"}, "relevance_score": 0.9},
            {"index": 0, "document": "", "relevance_score": 0},
        ],
        "usage": {"total_tokens": 15},
    }
    response = rerank.FORMAT.read_response(msgspec.json.encode(body))
    assert response.results == (RerankResult(1, 0.9, {"text": "b"}), RerankResult(0, 0))
    written = msgspec.json.decode(rerank.FORMAT.write_response(response, WriterOptions(model="m")))
    assert written == {
        "model": "m",
        "results": [
            {"index": 1, "relevance_score": 0.9, "document": {"text": "b"}},
            {"index": 0, "relevance_score": 0},
        ],
        "usage": {"prompt_tokens": 15, "completion_tokens": 0, "total_tokens": 15},
    }


def test_dashscope_s_answer() -> None:
    assert ali_rerank.FORMAT.read_response is not None
    body = (
        b'{"output":{"results":[{"document":{"text":"b"},"index":1,"relevance_score":0.9}]},'
        b'"usage":{"total_tokens":79},"request_id":"r"}'
    )
    expected = RerankResponse((RerankResult(1, 0.9, {"text": "b"}),), Usage(input=79))
    assert ali_rerank.FORMAT.read_response(body) == expected
    assert ali_rerank.FORMAT.read_usage(body) == Usage(input=79)


@pytest.mark.parametrize(
    "body",
    [
        b"<html>",
        b"{}",
        b'{"error":{"message":"no"}}',
        b'{"results":[{"index":1}],"output":{"results":[{"index":1}]}}',
        b'{"code":"InvalidApiKey","message":"no","request_id":"r"}',
    ],
)
@pytest.mark.parametrize("format", [rerank.FORMAT, ali_rerank.FORMAT], ids=lambda f: f.name)
def test_an_answer_without_sense_is_an_error(format: Any, body: bytes) -> None:
    with pytest.raises(UpstreamError):
        format.read_response(body)
