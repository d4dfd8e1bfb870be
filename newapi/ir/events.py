"""An answer as it arrives: the events of a stream.

Grammar, which holds for every prefix of a stream (`ir.check`): `Started` comes first and once; a part is `Opened`
before its `Delta`s, `Sealed`s and `Cited`s and `Closed` once; parts of different numbers may be open at once;
a `Whole` is a part that arrives in one piece; at most one `Finished` a choice, after its parts are closed; `Metered`
may come any time after `Started`, is cumulative, and the last one counts; `Failed` ends the stream. Part numbers grow
from 0 over the whole answer and are not used again.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from newapi.base.errors import UpstreamError
from newapi.ir.request import Citation, Media, Native
from newapi.ir.response import Finish
from newapi.ir.seal import Seal
from newapi.ir.usage import Usage

Kind = Literal["text", "reasoning", "refusal", "tool_call", "custom_tool_call"]


class Started(Struct, frozen=True, tag="started"):
    """The upstream's id and model of the answer; `created` is Unix seconds, 0 when it was not said."""

    id: str
    model: str
    created: int = 0


class Opened(Struct, frozen=True, tag="opened"):
    """A part begins. `id` and `name` are those of a tool call."""

    part: int
    kind: Kind
    choice: int = 0
    id: str = ""
    name: str = ""
    redacted: bool = False
    """A reasoning part that has a seal and will have no text."""


class Delta(Struct, frozen=True, gc=False, tag="delta"):
    """More of an open part: text, or a fragment of a tool call's arguments."""

    part: int
    text: str


class Sealed(Struct, frozen=True, tag="sealed"):
    """The seal of an open part; the last one counts."""

    part: int
    seal: Seal


class Cited(Struct, frozen=True, tag="cited"):
    """A source of an open text part."""

    part: int
    citation: Citation


class Closed(Struct, frozen=True, tag="closed"):
    part: int


class Whole(Struct, frozen=True, tag="whole"):
    """A part that comes in one piece: a picture, a vendor's own part."""

    part: int
    value: Media | Native
    choice: int = 0


class Finished(Struct, frozen=True, tag="finished"):
    """A choice is complete."""

    finish: Finish
    choice: int = 0
    stop_sequence: str = ""


class Metered(Struct, frozen=True, tag="metered"):
    usage: Usage


class Failed(Struct, frozen=True):
    """The upstream broke off; nothing follows."""

    error: UpstreamError


Event = Started | Opened | Delta | Sealed | Cited | Closed | Whole | Finished | Metered | Failed
