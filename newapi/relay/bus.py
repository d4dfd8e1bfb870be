"""What the processes of a gateway tell one another: a topic, and bytes to all who listen."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Protocol

Receive = Callable[[bytes], None]
"""Told each message, in the event loop that serves. Must not wait, nor raise."""


class Bus(Protocol):
    """Carries messages between processes. One that is lost is lost: what must not be is in the database."""

    def publish(self, topic: str, message: bytes) -> None:
        """Tell everyone who listens to `topic`, in this process and in the others. Does not wait."""
        ...

    def subscribe(self, topic: str, receive: Receive) -> Callable[[], None]:
        """Call `receive` with each message of `topic` from now on; returns what ends that."""
        ...


class LocalBus:
    """The bus of a gateway that is one process."""

    def __init__(self) -> None:
        self._listeners: defaultdict[str, list[Receive]] = defaultdict(list)

    def publish(self, topic: str, message: bytes) -> None:
        """Tell everyone in this process who listens to `topic`."""
        for receive in tuple(self._listeners[topic]):
            receive(message)

    def subscribe(self, topic: str, receive: Receive) -> Callable[[], None]:
        """Call `receive` with each message of `topic` from now on; returns what ends that."""
        self._listeners[topic].append(receive)
        return lambda: self._listeners[topic].remove(receive)
