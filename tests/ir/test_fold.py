"""Folding, unfolding and the grammar of events."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from newapi.base.errors import UpstreamError
from newapi.ir.check import check
from newapi.ir.events import (
    Cited,
    Closed,
    Delta,
    Event,
    Failed,
    Finished,
    Metered,
    Opened,
    Sealed,
    Started,
    Whole,
)
from newapi.ir.fold import fold, unfold
from newapi.ir.request import Citation, Inline, Media, Native, Reasoning, Refusal, Text, ToolCall, ToolResult
from newapi.ir.response import Choice, Response
from newapi.ir.seal import Seal
from newapi.ir.usage import Usage

texts = st.text(max_size=8)
seals = st.none() | st.builds(Seal, st.sampled_from(["gemini", "openai_chat"]), texts, texts)
parts = st.one_of(
    st.builds(Text, texts, seal=seals, citations=st.lists(st.builds(Citation, texts), max_size=2).map(tuple)),
    st.builds(Reasoning, texts, seals, st.booleans()),
    st.builds(Refusal, texts),
    st.builds(ToolCall, texts, texts, texts, custom=st.booleans(), seal=seals),
    st.builds(Media, st.just("image"), st.just("image/png"), st.builds(Inline, texts)),
    st.builds(lambda o: Native(o, Raw(b"{}")), texts),
)
finishes = st.sampled_from(["stop", "length", "tool_calls", "filter", "stop_sequence", "pause", "context"])
responses = st.builds(
    Response,
    texts,
    texts,
    st.lists(st.builds(Choice, st.lists(parts, max_size=4).map(tuple), finishes, texts), max_size=3).map(tuple),
    st.none() | st.builds(Usage, input=st.integers(0, 99), output=st.integers(0, 99)),
    st.integers(0, 2**31),
)


@given(responses)
def test_folding_undoes_unfolding(response: Response) -> None:
    assert fold(unfold(response)) == response


@given(responses, st.data())
def test_every_prefix_of_what_unfold_yields_is_sound(response: Response, data: st.DataObject) -> None:
    events = list(unfold(response))
    assert check(events[: data.draw(st.integers(0, len(events)))]) == []


def test_a_failure_is_raised() -> None:
    error = UpstreamError("broke", kind="cut")
    with pytest.raises(UpstreamError) as caught:
        fold([Started("", ""), Failed(error)])
    assert caught.value is error


def test_parts_that_arrive_together_stay_in_order() -> None:
    events = [
        Started("a", "m", 7),
        Opened(0, "tool_call", id="1", name="f"),
        Opened(1, "tool_call", id="2", name="g"),
        Delta(1, "{"),
        Delta(0, "[]"),
        Delta(1, "}"),
        Closed(1),
        Closed(0),
        Opened(2, "text", choice=1),
        Closed(2),
        Finished("stop", 1),
        Finished("tool_calls"),
        Metered(Usage(input=1)),
        Metered(Usage(input=2)),
    ]
    assert fold(events) == Response(
        "a",
        "m",
        (Choice((ToolCall("1", "f", "[]"), ToolCall("2", "g", "{}")), "tool_calls"), Choice((Text(""),))),
        Usage(input=2),
        7,
    )


def test_an_answer_holds_no_tool_results() -> None:
    with pytest.raises(ValueError, match="tool results"):
        list(unfold(Response("", "", (Choice((ToolResult("1", ()),)),))))


BREACHES: dict[str, tuple[list[Event], str]] = {
    "not started": ([Opened(0, "text")], "before Started"),
    "started twice": ([Started("", ""), Started("", "")], "a second time"),
    "number skipped": ([Started("", ""), Opened(1, "text")], "due is 0"),
    "number used again": (
        [Started("", ""), Opened(0, "text"), Closed(0), Whole(0, Native("x", Raw(b"1")))],
        "due is 1",
    ),
    "delta of no part": ([Started("", ""), Delta(0, "x")], "not open"),
    "sealed after closing": ([Started("", ""), Opened(0, "text"), Closed(0), Sealed(0, Seal("", ""))], "not open"),
    "closed twice": ([Started("", ""), Opened(0, "text"), Closed(0), Closed(0)], "not open"),
    "source of a thought": ([Started("", ""), Opened(0, "reasoning"), Cited(0, Citation())], "no text"),
    "finished with a part open": ([Started("", ""), Opened(0, "text"), Finished("stop")], "still open"),
    "finished twice": ([Started("", ""), Finished("stop"), Finished("stop")], "a second time"),
    "part after the finish": ([Started("", ""), Finished("stop"), Opened(0, "text")], "is finished"),
    "after a failure": ([Started("", ""), Failed(UpstreamError("x")), Metered(Usage())], "after Failed"),
}


@pytest.mark.parametrize(("events", "breach"), BREACHES.values(), ids=BREACHES.keys())
def test_breaches_are_found(events: list[Event], breach: str) -> None:
    (found,) = check(events)
    assert breach in found
