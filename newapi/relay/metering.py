"""What an answer has cost: from the events of a stream, or from a whole answer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from msgspec.structs import replace

from newapi.ir.events import Delta, Event, Failed, Finished, Metered, Started, Whole
from newapi.ir.request import Media
from newapi.ir.response import Response
from newapi.ir.usage import Usage
from newapi.relay.values import Meter

MEDIA_TOKENS = 1400
"""Tokens a produced picture counts for when the upstream does not count it: New API's figure for Gemini."""


def watch(meter: Meter, events: Iterable[Event]) -> Failed | None:
    """Take note of `events`; return the `Failed` among them, if any."""
    failed = None
    for event in events:
        match event:
            case Delta(text=text):
                meter.output.add(text)
                meter.chunks += 1
            case Metered(usage=usage):
                meter.usage = usage
                meter.stated = True
            case Finished(finish=finish):
                meter.finishes.append(finish)
            case Started(id=id, model=model):
                meter.id, meter.model = id, model
                continue
            case Whole():
                meter.media += 1
            case Failed():
                failed = event
                continue
            case _:
                pass
        meter.said = True
    return failed


def note_response(meter: Meter, response: Any) -> None:
    """Take note of a whole answer in its canonical form."""
    usage: Usage | None = response.usage
    if usage is not None:
        meter.usage, meter.stated = usage, True
    if isinstance(response, Response):
        meter.model = response.model
        meter.finishes = [c.finish for c in response.choices]
        for choice in response.choices:
            for part in choice.parts:
                text = getattr(part, "text", None) or getattr(part, "args", None)
                if text:
                    meter.output.add(text)
                elif isinstance(part, Media):
                    meter.media += 1


def final_usage(
    meter: Meter, prompt_tokens: int, *, ended: bool, broken: Literal["received", "prompt", "nothing"] = "received"
) -> Usage:
    """Return what is to be billed.

    Args:
        meter: What arrived.
        prompt_tokens: An estimate of the prompt, used where the upstream stated none.
        ended: Whether the answer arrived whole. Of one that did not, an upstream that counts as it goes has not stated
            the last count.
        broken: What is billed of an answer that broke off (`billing.broken_stream`).
    """
    usage = meter.usage
    if ended and meter.stated and usage.total and (usage.prompt or usage.source == "upstream"):
        return usage
    if not ended and broken == "nothing":
        return Usage(source="none")
    counted = meter.output.total() + meter.media * MEDIA_TOKENS
    if not usage.prompt:
        usage = replace(usage, input=prompt_tokens, source="estimate")
    if not ended and broken == "prompt":
        return replace(usage, output=0, reasoning=0, output_image=0, output_audio=0, source="estimate")
    if usage.completion < counted:
        usage = replace(usage, output=usage.output + counted - usage.completion, source="estimate")
    return usage
