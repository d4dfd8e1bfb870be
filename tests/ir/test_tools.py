"""Names of tools as every vendor takes them."""

from __future__ import annotations

import re

import pytest

from newapi.ir.request import CustomTool, Message, Request, Text, Tool, ToolCall, ToolChoice, ToolResult
from newapi.ir.tools import fit

LONG = "mcp__" + "x" * 80
TAKEN = re.compile(r"[a-zA-Z0-9_-]{1,64}")


def test_names_that_everyone_takes_stay() -> None:
    request = Request("m", (Message("user", (Text("x"),)),), tools=(Tool("get_weather-2"), CustomTool("sh")))
    assert fit(request) == (request, {})


@pytest.mark.parametrize("name", [LONG, "my.tool", "ns:tool", "sp ace", "größe"])
def test_a_name_becomes_one_that_is_taken_everywhere_alike(name: str) -> None:
    request = Request(
        "m",
        (
            Message("user", (Text("x"),)),
            Message("assistant", (ToolCall("1", name, "{}"), ToolCall("2", "f", "{}"))),
            Message("user", (ToolResult("1", (), name), ToolResult("2", (), "f"))),
        ),
        tools=(Tool(name), Tool("f")),
        tool_choice=ToolChoice("required", names=(name, "f")),
    )
    told, names = fit(request)
    (made,) = names
    assert TAKEN.fullmatch(made)
    assert names == {made: name}
    assert told.tools == (Tool(made), Tool("f"))
    assert told.tool_choice == ToolChoice("required", names=(made, "f"))
    assert told.messages[0] is request.messages[0]
    assert told.messages[1].parts == (ToolCall("1", made, "{}"), ToolCall("2", "f", "{}"))
    assert told.messages[2].parts == (ToolResult("1", (), made), ToolResult("2", (), "f"))


def test_names_that_begin_alike_stay_apart() -> None:
    request = Request("m", (), tools=(Tool(LONG + "a"), Tool(LONG + "b")))
    assert len(fit(request)[1]) == 2


def test_a_namespace_is_seen_in_the_name() -> None:
    request = Request("m", (), tools=(Tool("a__b"), Tool("a::b"), Tool("a::c"), Tool(f"{LONG}::d")))
    told, names = fit(request)
    made = [t.name for t in told.tools if isinstance(t, Tool)]
    assert made[2] == "a__c"
    assert len(set(made)) == 4
    assert {names[m] for m in (made[1], made[2], made[3])} == {"a::b", "a::c", f"{LONG}::d"}
