"""What a worker and its supervisor tell each other: a socket pair, a JSON object a line.

Whoever sees the other end closed knows that the other process is gone, however it ended.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Literal, TypeAlias

import msgspec
from msgspec import Struct

from newapi.ops.processes import Processes


class Assignment(Struct, frozen=True):
    """What a worker is started with.

    Attributes:
        slot: Its number.
        config: The configuration file.
        state: The directory of the journals.
        control: File descriptor of its end of the socket pair.
        doors: Those of the sockets on the server's address: one for each slot, or one for all.
        sockets: Those of what else it accepts connections from.
        admin: The path of the admin socket, "" where there is none.
        hub: The path of the socket of what the workers share, "" where they share nothing.
    """

    slot: int
    config: str
    state: str
    control: int
    doors: tuple[int, ...]
    sockets: tuple[int, ...]
    admin: str
    hub: str


class Ready(Struct, frozen=True, tag=True):
    """A worker accepts requests."""

    channels: int
    epoch: int


class Pulse(Struct, frozen=True, tag=True):
    """How a worker is doing, every second: requests under way, and the quota set aside for them."""

    in_flight: int
    reserved: int


class Ask(Struct, frozen=True, tag=True):
    """Somebody asked a worker for what is the supervisor's to do."""

    what: Literal["reload", "drain"]


class Drain(Struct, frozen=True, tag=True):
    """A worker is to accept nothing more, and to end with its last request.

    `seconds`: how long those may go on; None: as long as they need.
    """

    seconds: float | None


class Recover(Struct, frozen=True, tag=True):
    """A worker is to write what another one left in its journal."""


class Told(Struct, frozen=True, tag=True):
    """The processes there are, told to every worker whenever that changes."""

    processes: Processes


Message: TypeAlias = Ready | Pulse | Ask | Drain | Recover | Told
_decode = msgspec.json.Decoder(Message).decode


class Line(asyncio.Protocol):
    """One end of the socket pair."""

    def __init__(self, heard: Callable[[Message], None], gone: Callable[[], None]) -> None:
        """Take what is told each message, and what is told that the other process is gone."""
        self._heard = heard
        self._gone = gone
        self._transport: asyncio.Transport | None = None
        self._rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # a stream transport: it is a socket's

    def data_received(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._heard(_decode(line))

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._gone()

    def say(self, message: Message) -> None:
        """Tell the other process; nothing happens when it is gone."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(msgspec.json.encode(message) + b"\n")

    def close(self) -> None:
        """Close this end."""
        if self._transport is not None:
            self._transport.close()
