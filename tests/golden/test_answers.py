"""Every pair of formats, plain and streamed, cut anywhere: the caller gets what the upstream said."""

from __future__ import annotations

from itertools import pairwise

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from newapi import formats
from newapi.formats.contract import WriterOptions
from newapi.frames.sse import SseFramer
from newapi.ir import check, fold
from newapi.ir.events import Event, Failed
from newapi.ir.request import Reasoning, Text, ToolCall
from newapi.ir.response import Response
from tests.golden.meanings import CASES, FORMATS, Meaning, meaning, plain, stream

PAIRS = [(upstream, entry) for upstream in FORMATS for entry in FORMATS]
OPTIONS = WriterOptions(model="asked", request_id="req1", created=1700000000, prompt_tokens=11)


def told(response: Response) -> Meaning:
    parts = response.choices[0].parts
    usage = response.usage
    assert usage is not None
    return Meaning(
        text="".join(p.text for p in parts if isinstance(p, Text)),
        reasoning="".join(p.text for p in parts if isinstance(p, Reasoning)),
        calls=tuple((p.name, msgspec.json.decode(p.args)) for p in parts if isinstance(p, ToolCall)),
        finish=response.choices[0].finish,
        prompt=usage.prompt,
        cached=usage.cache_read,
        completion=usage.completion,
    )


def read(format: str, *pieces: bytes) -> list[Event]:
    framer, reader = SseFramer(), formats.get(format).reader()  # type: ignore[misc]
    events: list[Event] = []
    for piece in pieces:
        for frame in framer.feed(piece):
            events += reader.feed(frame)
    for frame in framer.close():
        events += reader.feed(frame)
    return [*events, *reader.close()]


def convert(upstream: str, entry: str, *pieces: bytes) -> bytes:
    writer = formats.get(entry).writer(OPTIONS)  # type: ignore[misc]
    out = [writer.write(e) for e in read(upstream, *pieces)]
    return b"".join([*out, writer.close()])


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("format", FORMATS)
def test_plain_and_streamed_mean_the_case(format: str, case: str) -> None:
    said = CASES[case]
    f = formats.get(format)
    assert told(f.read_response(plain(format, said))) == meaning(said)  # type: ignore[misc]
    events = read(format, stream(format, said))
    assert check.check(events) == []
    assert told(fold.fold(events)) == meaning(said)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize(("upstream", "entry"), PAIRS, ids=[f"{u}>{e}" for u, e in PAIRS])
def test_a_plain_answer_arrives(upstream: str, entry: str, case: str) -> None:
    said = CASES[case]
    response = formats.get(upstream).read_response(plain(upstream, said))  # type: ignore[misc]
    written = formats.get(entry).write_response(response, OPTIONS)  # type: ignore[misc]
    assert told(formats.get(entry).read_response(written)) == meaning(said)  # type: ignore[misc]


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize(("upstream", "entry"), PAIRS, ids=[f"{u}>{e}" for u, e in PAIRS])
def test_a_stream_arrives(upstream: str, entry: str, case: str) -> None:
    said = CASES[case]
    events = read(entry, convert(upstream, entry, stream(upstream, said)))
    assert check.check(events) == []
    assert told(fold.fold(events)) == meaning(said)


@pytest.mark.parametrize(("upstream", "entry"), PAIRS, ids=[f"{u}>{e}" for u, e in PAIRS])
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_where_the_bytes_are_cut_does_not_matter(upstream: str, entry: str, data: st.DataObject) -> None:
    case = data.draw(st.sampled_from([c for c in CASES if c != "two thousand pieces"]))
    raw = stream(upstream, CASES[case])
    cuts = sorted(data.draw(st.lists(st.integers(0, len(raw)), max_size=9)))
    pieces = [raw[a:b] for a, b in pairwise([0, *cuts, len(raw)])]
    assert convert(upstream, entry, *pieces) == convert(upstream, entry, raw)


@pytest.mark.parametrize(("upstream", "entry"), PAIRS, ids=[f"{u}>{e}" for u, e in PAIRS])
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_a_stream_that_breaks_off_never_ends_clean(upstream: str, entry: str, data: st.DataObject) -> None:
    case = data.draw(st.sampled_from([c for c in CASES if c != "two thousand pieces"]))
    raw = stream(upstream, CASES[case])
    # Up to where the upstream has said how it ends: before that, any cut is a cut.
    end = min(
        i
        for m in (b'finish_reason":"', b'"response.completed"', b'"message_delta"', b'finishReason":"')
        if (i := raw.find(m)) >= 0
    )
    at = data.draw(st.integers(0, end))
    events = read(upstream, raw[:at])
    assert check.check(events) == []
    assert isinstance(events[-1], Failed)
    writer = formats.get(entry).writer(OPTIONS)  # type: ignore[misc]
    written = b"".join(writer.write(e) for e in events)
    told_to_caller = read(entry, written)
    assert isinstance(told_to_caller[-1], Failed)
