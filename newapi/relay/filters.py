"""Steps between a reader and a writer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from msgspec import Struct
from msgspec.structs import replace

from newapi.ir.arguments import free_text
from newapi.ir.events import Closed, Delta, Event, Opened, Sealed
from newapi.ir.request import Part, Reasoning, Text, ToolCall
from newapi.ir.response import Response

_OPEN, _CLOSE = "<think>\n", "\n</think>\n"


class ThinkingToContent:
    """Turns reasoning into text between `<think>` tags, for clients that show text only (`thinking_to_content`)."""

    def __init__(self) -> None:
        self._reasoning: set[int] = set()

    def __call__(self, events: Iterable[Event]) -> Iterator[Event]:
        """Yield `events` with reasoning told as text."""
        for event in events:
            match event:
                case Opened(kind="reasoning", part=part, redacted=False):
                    self._reasoning.add(part)
                    yield Opened(part, "text", event.choice)
                    yield Delta(part, _OPEN)
                case Sealed(part=part) if part in self._reasoning:
                    pass
                case Closed(part=part) if part in self._reasoning:
                    yield Delta(part, _CLOSE)
                    yield event
                case _:
                    yield event


def thinking_to_content(response: Response) -> Response:
    """Return `response` with reasoning told as text between `<think>` tags."""
    return replace(
        response, choices=tuple(replace(c, parts=tuple(_as_text(p) for p in c.parts)) for c in response.choices)
    )


def _as_text(part: Part) -> Part:
    if isinstance(part, Reasoning) and part.text:
        return Text(_OPEN + part.text + _CLOSE)
    return part


class CallersTools(Struct, frozen=True):
    """How the caller knows tools that the upstream was told of otherwise.

    Attributes:
        free: Names of those that take free text, which the upstream may know as functions.
        names: The upstream's name for a tool -> the caller's, where they differ.
    """

    free: frozenset[str] = frozenset()
    names: Mapping[str, str] = {}

    def __bool__(self) -> bool:
        return bool(self.free or self.names)


class ToolsAsAsked:
    """Tells calls by the caller's names, and those of free text as such, their text in one piece."""

    def __init__(self, tools: CallersTools) -> None:
        """Take how the caller knows its tools."""
        self._tools = tools
        self._open: dict[int, list[str]] = {}

    def __call__(self, events: Iterable[Event]) -> Iterator[Event]:
        """Yield `events` with calls as the caller knows them."""
        for event in events:
            match event:
                case Opened(kind="tool_call" | "custom_tool_call"):
                    name = self._tools.names.get(event.name, event.name)
                    free = event.kind == "tool_call" and name in self._tools.free
                    if free:
                        self._open[event.part] = []
                    yield replace(event, name=name, kind="custom_tool_call" if free else event.kind)
                case Delta(part=part) if part in self._open:
                    self._open[part].append(event.text)
                case Closed(part=part) if part in self._open:
                    yield Delta(part, free_text("".join(self._open.pop(part))))
                    yield event
                case _:
                    yield event


def tools_as_asked(response: Response, tools: CallersTools) -> Response:
    """Return `response` with calls as the caller knows them."""

    def as_known(part: Part) -> Part:
        if not isinstance(part, ToolCall):
            return part
        name = tools.names.get(part.name, part.name)
        if name in tools.free and not part.custom:
            return replace(part, name=name, args=free_text(part.args), custom=True)
        return replace(part, name=name)

    return replace(
        response, choices=tuple(replace(c, parts=tuple(as_known(p) for p in c.parts)) for c in response.choices)
    )
