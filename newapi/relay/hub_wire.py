"""What a process and the hub say to each other: msgpack, each message behind its length, many under way at once."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from newapi.base.standing import Standing
from newapi.relay.escrow import Account, Known, Replay
from newapi.relay.limits import Key, Limit, Period

_LENGTH = struct.Struct("<I")
LARGEST = 16 * 1024 * 1024
"""Bytes a message may have."""


class _Message(Struct, frozen=True, array_like=True, tag=True, tag_field="what"):
    pass


class Hello(_Message, frozen=True):
    """Who connects."""

    owner: str


class Bury(_Message, frozen=True):
    """What was found of processes that died before `began` (Unix seconds). Answered by `Done`."""

    id: int
    began: float
    replays: tuple[Replay, ...]
    charged: Mapping[str, int]


class Enter(_Message, frozen=True):
    """Answered by `Entered` or `Refused`."""

    id: int
    ticket: str
    holders: tuple[tuple[Key, Limit], ...]
    tokens: int
    quota: int


class Leave(_Message, frozen=True):
    ticket: str
    tokens: int
    quota: int


class Learn(_Message, frozen=True):
    key: Key
    spent: Mapping[Period, tuple[float, int]]


class Lend(_Message, frozen=True):
    """Answered by `Granted`."""

    id: int
    account: Account
    known: Known
    need: int


class GiveBack(_Message, frozen=True):
    """`recall` is the number of the `Recall` that it answers, 0 for none."""

    account: Account
    amount: int
    recall: int = 0


class Overdraw(_Message, frozen=True):
    account: Account
    known: Known
    amount: int


class Spend(_Message, frozen=True):
    """Answered by `Done`."""

    id: int
    segments: tuple[str, ...]
    sums: Mapping[Account, int]
    first: bool


class Publish(_Message, frozen=True):
    """Told to every other process that is connected, as it is."""

    topic: str
    message: bytes


class Entered(_Message, frozen=True):
    id: int
    standing: Standing


class Refused(_Message, frozen=True):
    id: int
    message: str
    code: str
    type: str
    wait: float
    standing: Standing


class Granted(_Message, frozen=True):
    id: int
    amount: int
    balance: int


class Done(_Message, frozen=True):
    id: int


class Recall(_Message, frozen=True):
    """Asks for what is not needed of an account's lent part; answered by `GiveBack`."""

    id: int
    account: Account


ToHub = Hello | Bury | Enter | Leave | Learn | Lend | GiveBack | Overdraw | Spend | Publish
FromHub = Entered | Refused | Granted | Done | Recall | Publish

_ENCODE = msgspec.msgpack.Encoder()
TO_HUB: msgspec.msgpack.Decoder[ToHub] = msgspec.msgpack.Decoder(ToHub)
FROM_HUB: msgspec.msgpack.Decoder[FromHub] = msgspec.msgpack.Decoder(FromHub)


def pack(message: _Message) -> bytes:
    """Return a message as it is sent."""
    data = _ENCODE.encode(message)
    return _LENGTH.pack(len(data)) + data


class Unpacker:
    """Messages out of bytes that come in any pieces."""

    def __init__(self, decoder: msgspec.msgpack.Decoder[Any]) -> None:
        """Take `TO_HUB` or `FROM_HUB`."""
        self._decoder = decoder
        self._held = bytearray()

    def feed(self, data: bytes) -> Iterator[Any]:
        """Return the messages that `data` completes.

        Raises:
            ValueError: It is none of ours.
        """
        self._held += data
        at = 0
        while len(self._held) - at >= _LENGTH.size:
            (size,) = _LENGTH.unpack_from(self._held, at)
            if size > LARGEST:
                raise ValueError("a message is larger than any")
            end = at + _LENGTH.size + size
            if len(self._held) < end:
                break
            message = self._decoder.decode(bytes(self._held[at + _LENGTH.size : end]))
            at = end
            yield message
        del self._held[:at]
