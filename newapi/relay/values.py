"""The small values that a request passes through: none knows all of it."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Literal, Protocol

from msgspec import Struct
from msgspec.structs import replace

from newapi.base.http import HttpCall
from newapi.billing.price import Price
from newapi.formats.contract import Format, Peek, Route
from newapi.ir.response import Finish
from newapi.ir.usage import Usage
from newapi.providers.contract import Target
from newapi.relay.filters import CallersTools
from newapi.relay.snapshot import Channel, TokenEntry, UserEntry


class Ingress(Struct, frozen=True):
    """A request as it came in.

    Attributes:
        request_id: Ours, for the answer's header, the log and the errors.
        format, route: What it is said in, and the route that says so.
        method, path: Of the request line; the path without the query.
        params: Path and query parameters, and `content-type`.
        query: The query's pairs in order, those that authenticate left out.
        headers: Names in lower case.
        body: Decompressed.
        peer: The caller's address, behind trusted proxies the forwarded one.
        received: Unix seconds.
        clock: The event loop's time then, in seconds.
    """

    request_id: str
    format: Format
    route: Route
    method: str
    path: str
    params: Mapping[str, str]
    query: tuple[tuple[str, str], ...]
    headers: Mapping[str, str]
    body: bytes
    peer: str
    received: float
    clock: float = 0.0


class Terms(Struct, frozen=True):
    """A group, and what its price is multiplied with for a user; `special` as `Caller.user_ratio`."""

    group: str
    ratio: Decimal
    special: Decimal | None = None


class Caller(Struct, frozen=True):
    """Who asks, and on what terms: fixed for the request, whatever is applied meanwhile.

    `group` is the one that serves. Where a token's group is a list of several, it is the first until one has served,
    `listed` are all of them, in order, and `list_name` is what the list is called.
    """

    token: TokenEntry
    user: UserEntry
    group: str
    group_ratio: Decimal
    user_ratio: Decimal | None = None
    """The special ratio of the user's group in this group, None when there is none."""
    channel_id: int | None = None
    """The one channel an administrator's `sk-…-<id>` asks for."""
    listed: tuple[Terms, ...] = ()
    list_name: str = ""

    def in_groups(self) -> tuple[Caller, ...]:
        """Return this caller in each group that may serve it, in order."""
        if not self.listed:
            return (self,)
        return tuple(
            replace(self, group=terms.group, group_ratio=terms.ratio, user_ratio=terms.special) for terms in self.listed
        )


class Try(Struct, frozen=True, omit_defaults=True):
    """One attempt, for the log row: which channel and key, how long (milliseconds), and how it ended.

    `model` and `group` are said where they are not the ones that were asked for.
    """

    channel: str
    channel_id: int
    key: int
    ms: int
    status: int = 0
    kind: str = ""
    message: str = ""
    model: str = ""
    group: str = ""


class Prepared(Struct, frozen=True):
    """One attempt, ready to be sent."""

    channel: Channel
    target: Target
    call: HttpCall
    upstream: Format
    verbatim: bool
    """Whether the answer goes through as it comes."""
    losses: tuple[str, ...] = ()
    tools: CallersTools = CallersTools()
    """What the caller knows tools as."""


class Meter:
    """What a stream (or a plain answer) has said so far, as far as the bill and the log need it."""

    __slots__ = (
        "chunks",
        "finishes",
        "first_at",
        "id",
        "media",
        "model",
        "output",
        "said",
        "stated",
        "usage",
    )

    def __init__(self, output: Counter) -> None:
        self.output = output
        """Counts the text that was produced, for when the upstream does not."""
        self.usage = Usage(source="none")
        self.stated = False
        """Whether the upstream stated a usage."""
        self.id = ""
        """What a stream's upstream calls its answer."""
        self.model = ""
        self.finishes: list[Finish] = []
        self.first_at = 0.0
        self.chunks = 0
        self.media = 0
        self.said = False
        """Whether anything has come but the announcement of an answer: from then on no other channel is tried."""


class Counter(Protocol):
    """Counts tokens of text that comes in pieces."""

    def add(self, text: str) -> None: ...

    def total(self) -> int: ...


ReservationState = Literal["open", "settled", "released"]
EndReason = Literal["done", "client_gone", "upstream_broken", "stopped", "error"]
"""How a request ended: its answer arrived whole; the caller hung up; the upstream failed after it had begun to answer;
this server could not wait for it any longer; or nothing was answered, and the log says why."""


class Reservation(Struct):
    """Quota set aside for one request.

    It is open from `Ledger.reserve` on, and leaves that state once: settled with its line of the log (which may charge
    nothing, and says by `EndReason` how the request ended), or released when not even that is due.
    """

    token_id: int
    user_id: int
    amount: int
    state: ReservationState = "open"

    @property
    def open(self) -> bool:
        """Whether it is neither settled nor released yet."""
        return self.state == "open"


class Order(Struct, frozen=True):
    """What was asked, with its price: what an attempt and the settlement need to know of the request.

    After a fallback the model of `peek`, the price and the reservation are those of the model that is asked now.
    """

    ingress: Ingress
    peek: Peek
    caller: Caller
    price: Price
    reservation: Reservation
    asked_model: str = ""
    """What the caller asked for, where that is another model."""


class Sink(Protocol):
    """Where the answer goes. `start` and `write` wait while the caller is slow; nothing is written after `end`."""

    started: bool

    async def start(self, status: int, headers: list[tuple[str, str]]) -> None: ...

    async def write(self, data: bytes) -> None: ...

    async def end(self, data: bytes = b"") -> None:
        """Write `data`, the last there is."""
        ...

    async def whole(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        """Start, write `body` and end."""
        ...
