"""What is billed of an answer: what the vendor counted, or what we saw."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newapi.base.errors import UpstreamError
from newapi.billing.estimate import TextCounter, count_text
from newapi.ir.events import Closed, Delta, Event, Failed, Finished, Metered, Opened, Started, Whole
from newapi.ir.request import Media, Reasoning, Text, ToolCall, Url
from newapi.ir.response import Choice, Response
from newapi.ir.usage import Usage
from newapi.relay.metering import MEDIA_TOKENS, final_usage, note_response, watch
from newapi.relay.values import Meter

PICTURE = Media("image", "image/png", Url("http://x.test/1.png"))
HELLO = count_text("hello there", "gpt-4o")


def meter(*events: Event) -> Meter:
    made = Meter(TextCounter("gpt-4o"))
    watch(made, events)
    return made


@pytest.mark.parametrize(
    ("events", "said"),
    [
        ([], False),
        ([Started("i", "m")], False),
        ([Failed(UpstreamError("x"))], False),
        ([Started("i", "m"), Opened(0, "text")], True),
        ([Started("i", "m"), Metered(Usage())], True),
        ([Started("i", "m"), Finished("stop")], True),
        ([Whole(0, PICTURE)], True),
    ],
)
def test_an_announcement_says_nothing_yet(events: list[Event], said: bool) -> None:
    assert meter(*events).said is said


def test_a_stream_is_noted() -> None:
    noted = meter(
        Started("i", "the-model"),
        Opened(0, "text"),
        Delta(0, "hello"),
        Delta(0, " there"),
        Closed(0),
        Whole(1, PICTURE),
        Metered(Usage(input=1)),
        Metered(Usage(input=1, output=9)),
        Finished("length"),
    )
    assert (noted.model, noted.chunks, noted.media, noted.finishes) == ("the-model", 2, 1, ["length"])
    assert (noted.usage, noted.stated) == (Usage(input=1, output=9), True)
    assert noted.output.total() == HELLO


def test_what_failed_is_returned_and_the_rest_still_noted() -> None:
    made, failed = Meter(TextCounter("m")), Failed(UpstreamError("x"))
    assert watch(made, [Delta(0, "hello there"), failed]) is failed
    assert made.chunks == 1


def test_a_whole_answer_is_noted_as_a_stream_of_it_is() -> None:
    parts = (Reasoning("hello "), Text("the"), ToolCall("c", "f", "re"), PICTURE)
    noted = Meter(TextCounter("gpt-4o"))
    note_response(noted, Response("i", "m", (Choice(parts, "stop"), Choice((), "length")), Usage(input=3)))
    assert (noted.model, noted.finishes, noted.media) == ("m", ["stop", "length"], 1)
    assert (noted.usage, noted.stated) == (Usage(input=3), True)
    assert noted.output.total() == count_text("hello there", "gpt-4o")


STATED = Metered(Usage(input=10, cache_read=5, output=20))
TEXT = (Started("i", "m"), Opened(0, "text"), Delta(0, "hello there"))


@pytest.mark.parametrize(
    ("events", "ended", "broken", "usage"),
    [
        # It ended, and the vendor counted: nothing of ours.
        ((*TEXT, STATED), True, "received", STATED.usage),
        ((*TEXT, STATED), True, "nothing", STATED.usage),
        ((Started("i", "m"), Metered(Usage(output=7))), True, "received", Usage(output=7)),
        # It ended, and nobody counted, or only zeros.
        (TEXT, True, "received", Usage(input=50, output=HELLO, source="estimate")),
        ((*TEXT, Metered(Usage())), True, "received", Usage(input=50, output=HELLO, source="estimate")),
        ((Whole(0, PICTURE),), True, "received", Usage(input=50, output=MEDIA_TOKENS, source="estimate")),
        # It broke: the count is not the last one.
        (TEXT, False, "received", Usage(input=50, output=HELLO, source="estimate")),
        (TEXT, False, "prompt", Usage(input=50, source="estimate")),
        (TEXT, False, "nothing", Usage(source="none")),
        (
            (*TEXT, Metered(Usage(input=9, output=1))),
            False,
            "received",
            Usage(input=9, output=HELLO, source="estimate"),
        ),
        ((*TEXT, Metered(Usage(input=9, output=99))), False, "received", Usage(input=9, output=99)),
        ((*TEXT, Metered(Usage(input=9, output=99))), False, "prompt", Usage(input=9, source="estimate")),
        ((*TEXT, Metered(Usage(input=9, output=99))), False, "nothing", Usage(source="none")),
    ],
)
def test_what_is_billed(events: tuple[Event, ...], ended: bool, broken: Any, usage: Usage) -> None:
    assert final_usage(meter(*events), 50, ended=ended, broken=broken) == usage


COUNTS = st.integers(0, 10**6)


@given(
    st.builds(Usage, input=COUNTS, cache_read=COUNTS, output=COUNTS, reasoning=COUNTS),
    st.text(max_size=200),
    COUNTS,
    st.booleans(),
    st.sampled_from(["received", "prompt", "nothing"]),
)
def test_never_less_than_what_was_received_and_never_negative(
    stated: Usage, text: str, prompt: int, ended: bool, broken: Any
) -> None:
    noted = meter(Started("i", "m"), Delta(0, text), Metered(stated))
    usage = final_usage(noted, prompt, ended=ended, broken=broken)
    assert min(usage.input, usage.output, usage.reasoning, usage.cache_read) >= 0
    if broken == "received" and not ended:
        assert usage.completion == max(stated.completion, count_text(text, "gpt-4o"))
        assert usage.prompt == (stated.prompt or prompt)
