"""Steps between a reader and a writer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

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


class FreeTools:
    """Turns calls of functions that stand for tools of free text back into calls of those, their text in one piece."""

    def __init__(self, names: frozenset[str]) -> None:
        """Take the names of the tools that the caller said take free text."""
        self._names = names
        self._open: dict[int, list[str]] = {}

    def __call__(self, events: Iterable[Event]) -> Iterator[Event]:
        """Yield `events` with such calls as the caller knows them."""
        for event in events:
            match event:
                case Opened(kind="tool_call", name=name, part=part) if name in self._names:
                    self._open[part] = []
                    yield Opened(part, "custom_tool_call", event.choice, event.id, name)
                case Delta(part=part) if part in self._open:
                    self._open[part].append(event.text)
                case Closed(part=part) if part in self._open:
                    yield Delta(part, free_text("".join(self._open.pop(part))))
                    yield event
                case _:
                    yield event


def free_tools(response: Response, names: frozenset[str]) -> Response:
    """Return `response` with calls of the tools `names` as calls of free text."""

    def as_known(part: Part) -> Part:
        if isinstance(part, ToolCall) and not part.custom and part.name in names:
            return replace(part, args=free_text(part.args), custom=True)
        return part

    return replace(
        response, choices=tuple(replace(c, parts=tuple(as_known(p) for p in c.parts)) for c in response.choices)
    )
