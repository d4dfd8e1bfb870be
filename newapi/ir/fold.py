"""A stream of events into a whole answer, and back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import assert_never

from newapi.ir.events import (
    Cited,
    Closed,
    Delta,
    Event,
    Failed,
    Finished,
    Kind,
    Metered,
    Opened,
    Sealed,
    Started,
    Whole,
)
from newapi.ir.request import Citation, Media, Native, Part, Reasoning, Refusal, Text, ToolCall, ToolResult
from newapi.ir.response import Choice, Response
from newapi.ir.seal import Seal
from newapi.ir.usage import Usage


class _Open:
    """A part that is being put together."""

    __slots__ = ("citations", "opened", "seal", "texts")

    def __init__(self, opened: Opened) -> None:
        self.opened = opened
        self.texts: list[str] = []
        self.seal: Seal | None = None
        self.citations: list[Citation] = []

    def part(self) -> Part:
        opened, text = self.opened, "".join(self.texts)
        match opened.kind:
            case "text":
                return Text(text, seal=self.seal, citations=tuple(self.citations))
            case "reasoning":
                return Reasoning(text, self.seal, opened.redacted)
            case "refusal":
                return Refusal(text)
            case "tool_call":
                return ToolCall(opened.id, opened.name, text, seal=self.seal)
            case "custom_tool_call":
                return ToolCall(opened.id, opened.name, text, custom=True, seal=self.seal)


def fold(events: Iterable[Event]) -> Response:
    """Return the answer that `events` tell; alternatives in the order of their numbers.

    Raises:
        UpstreamError: The one of a `Failed`.
    """
    started = Started("", "")
    open_parts: dict[int, _Open] = {}
    choices: dict[int, dict[int, _Open | Media | Native]] = {}
    finished: dict[int, Finished] = {}
    usage: Usage | None = None
    for event in events:
        match event:
            case Started():
                started = event
            case Opened():
                part = open_parts[event.part] = _Open(event)
                choices.setdefault(event.choice, {})[event.part] = part
            case Delta():
                open_parts[event.part].texts.append(event.text)
            case Sealed():
                open_parts[event.part].seal = event.seal
            case Cited():
                open_parts[event.part].citations.append(event.citation)
            case Closed():
                del open_parts[event.part]
            case Whole():
                choices.setdefault(event.choice, {})[event.part] = event.value
            case Finished():
                choices.setdefault(event.choice, {})
                finished[event.choice] = event
            case Metered():
                usage = event.usage
            case Failed():
                raise event.error
            case _:
                assert_never(event)
    return Response(
        id=started.id,
        model=started.model,
        choices=tuple(_choice(parts, finished.get(index)) for index, parts in sorted(choices.items())),
        usage=usage,
        created=started.created,
    )


def _choice(parts: dict[int, _Open | Media | Native], finished: Finished | None) -> Choice:
    made = tuple(p.part() if isinstance(p, _Open) else p for _, p in sorted(parts.items()))
    return Choice(made, finished.finish, finished.stop_sequence) if finished else Choice(made)


def unfold(response: Response) -> Iterator[Event]:
    """Yield the events that tell `response`: each part in one delta. Cache marks have no place in an answer.

    Raises:
        ValueError: A part is a tool result, which no answer holds.
    """
    yield Started(response.id, response.model, response.created)
    number = 0
    for index, choice in enumerate(response.choices):
        for part in choice.parts:
            yield from _unfold(part, number, index)
            number += 1
        yield Finished(choice.finish, index, choice.stop_sequence)
    if response.usage is not None:
        yield Metered(response.usage)


def _unfold(part: Part, number: int, choice: int) -> Iterator[Event]:
    match part:
        case Text():
            yield Opened(number, "text", choice)
            yield from _body(number, part.text, part.seal)
            for citation in part.citations:
                yield Cited(number, citation)
        case Reasoning():
            yield Opened(number, "reasoning", choice, redacted=part.redacted)
            yield from _body(number, part.text, part.seal)
        case Refusal():
            yield Opened(number, "refusal", choice)
            yield from _body(number, part.text, None)
        case ToolCall():
            kind: Kind = "custom_tool_call" if part.custom else "tool_call"
            yield Opened(number, kind, choice, part.id, part.name)
            yield from _body(number, part.args, part.seal)
        case Media() | Native():
            yield Whole(number, part, choice)
            return
        case ToolResult():
            raise ValueError("an answer holds no tool results")
        case _:
            assert_never(part)
    yield Closed(number)


def _body(number: int, text: str, seal: Seal | None) -> Iterator[Event]:
    if text:
        yield Delta(number, text)
    if seal is not None:
        yield Sealed(number, seal)
