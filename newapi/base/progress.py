"""How far long work is, told to whoever watches it.

Work says `each(…)` or `tell(…)` where it takes its steps, and knows nothing of who looks; nobody does in a server. The
one who watches is of the context (a thread, or a task), so that one command's work is not taken for another's.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

T = TypeVar("T")

Watch = Callable[[str, int, int], None]
"""Told what is being done, how many are done, and of how many; 0 where nobody knows."""

_watch: ContextVar[Watch | None] = ContextVar("watch", default=None)


@contextmanager
def watched(watch: Watch) -> Generator[None]:
    """Have `watch` told of the work that is done within."""
    before = _watch.set(watch)
    try:
        yield
    finally:
        _watch.reset(before)


def tell(what: str, done: int = 0, total: int = 0) -> None:
    """Say that `done` of `total` are done: `what` is their name in a sentence, or what goes on."""
    if (watch := _watch.get()) is not None:
        watch(what, done, total)


def each(what: str, items: Iterable[T], total: int = 0) -> Iterator[T]:
    """Yield `items`, of which there are `total`, and tell how many of them are done."""
    tell(what, 0, total)
    for done, item in enumerate(items, 1):
        yield item
        tell(what, done, total)
