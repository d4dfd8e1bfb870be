"""An answer in the canonical form."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from newapi.ir.request import Part
from newapi.ir.usage import Usage

Finish = Literal["stop", "length", "tool_calls", "filter", "stop_sequence", "pause", "context"]
"""Why an answer ended. `pause`: the vendor's server tool wants another turn; `context`: the window was full."""


class Choice(Struct, frozen=True):
    """One alternative. `stop_sequence` is the one that was hit, where the vendor says which."""

    parts: tuple[Part, ...]
    finish: Finish = "stop"
    stop_sequence: str = ""


class Response(Struct, frozen=True):
    """A whole answer. `id` and `model` are the upstream's; `created` is Unix seconds, 0 when it was not said."""

    id: str
    model: str
    choices: tuple[Choice, ...]
    usage: Usage | None = None
    """None when the upstream did not count."""
    created: int = 0
