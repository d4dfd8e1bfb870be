"""Reasoning told as text, whole and in pieces."""

from __future__ import annotations

import pytest

from newapi.ir.check import check
from newapi.ir.events import Closed, Delta, Event, Finished, Metered, Opened, Sealed, Started
from newapi.ir.fold import fold, unfold
from newapi.ir.request import Part, Reasoning, Text, ToolCall
from newapi.ir.response import Choice, Response
from newapi.ir.seal import Seal
from newapi.ir.usage import Usage
from newapi.relay.filters import (
    CallersTools,
    ThinkingToContent,
    ToolsAsAsked,
    thinking_to_content,
    tools_as_asked,
)

SEAL = Seal("anthropic", "opaque")
CASES: list[tuple[Part, ...]] = [
    (Reasoning("why"), Text("because")),
    (Reasoning("why", seal=SEAL), Text("because")),
    (Text("because"), Reasoning("why"), Reasoning("and how"), ToolCall("c", "f", "{}")),
    (Text("because"),),
    (),
]


@pytest.mark.parametrize("parts", CASES)
def test_in_pieces_and_whole_say_the_same(parts: tuple[Part, ...]) -> None:
    response = Response("i", "m", (Choice(parts), Choice(parts)), Usage(input=1))
    filtered: list[Event] = []
    one = ThinkingToContent()
    for event in unfold(response):
        filtered += one([event])
    assert fold(filtered) == thinking_to_content(response)
    assert check(filtered) == []


def test_reasoning_stands_between_tags_and_its_seal_is_gone() -> None:
    events = [
        Started("i", "m"),
        Opened(0, "reasoning", 1),
        Delta(0, "wh"),
        Delta(0, "y"),
        Sealed(0, SEAL),
        Closed(0),
        Opened(1, "text", 1),
        Delta(1, "because"),
        Closed(1),
        Finished("stop", 1),
        Metered(Usage(output=3)),
    ]
    assert list(ThinkingToContent()(events)) == [
        Started("i", "m"),
        Opened(0, "text", 1),
        Delta(0, "<think>\n"),
        Delta(0, "wh"),
        Delta(0, "y"),
        Delta(0, "\n</think>\n"),
        Closed(0),
        *events[6:],
    ]


def test_a_redacted_thought_has_nothing_to_tell() -> None:
    events = [Opened(0, "reasoning", redacted=True), Sealed(0, SEAL), Closed(0)]
    assert list(ThinkingToContent()(events)) == events
    response = Response("i", "m", (Choice((Reasoning("", seal=SEAL, redacted=True),)),))
    assert thinking_to_content(response) == response


def test_a_seal_of_something_else_stays() -> None:
    events: list[Event] = [Opened(0, "text"), Sealed(0, SEAL), Closed(0)]
    assert list(ThinkingToContent()(events)) == events


@pytest.mark.parametrize(
    ("args", "text"),
    [('{"input":"ls -l"}', "ls -l"), ('{"input":', '{"input":'), ('{"other":1}', '{"other":1}'), ("", "")],
)
def test_calls_come_back_as_what_the_caller_knows(args: str, text: str) -> None:
    parts: tuple[Part, ...] = (
        Text("so:"),
        ToolCall("1", "sh", args),
        ToolCall("2", "f", args),
        ToolCall("3", "x", "{}"),
    )
    response = Response("i", "m", (Choice(parts, "tool_calls"),), Usage(input=1))
    tools = CallersTools(frozenset(("sh",)), {"x": "my.tool"})
    told = tools_as_asked(response, tools)
    assert told.choices[0].parts == (
        parts[0],
        ToolCall("1", "sh", text, custom=True),
        parts[2],
        ToolCall("3", "my.tool", "{}"),
    )
    filtered: list[Event] = []
    one = ToolsAsAsked(tools)
    for event in unfold(response):
        filtered += one([event])
    assert fold(filtered) == told
    assert check(filtered) == []
