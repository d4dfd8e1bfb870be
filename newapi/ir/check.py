"""The grammar of a stream of events, checked."""

from __future__ import annotations

from collections.abc import Iterable

from newapi.ir.events import (
    Cited,
    Closed,
    Delta,
    Event,
    Failed,
    Finished,
    Metered,
    Opened,
    Sealed,
    Started,
    Whole,
)


def check(events: Iterable[Event]) -> list[str]:
    """Return the breaches of the grammar in `ir.events`, in order; none for a sound stream or any prefix of one."""
    checker = _Checker()
    for place, event in enumerate(events):
        checker.see(place, event)
    return checker.breaches


class _Checker:
    def __init__(self) -> None:
        self.breaches: list[str] = []
        self.started = self.failed = False
        self.open: dict[int, Opened] = {}
        self.next = 0
        self.finished: set[int] = set()

    def see(self, place: int, event: Event) -> None:
        for breach in self._breaches(event):
            self.breaches.append(f"{place}: {type(event).__name__}: {breach}")

    def _breaches(self, event: Event) -> list[str]:
        out: list[str] = []
        if self.failed:
            out.append("after Failed")
        if not self.started and not isinstance(event, Started | Failed):
            out.append("before Started")
        match event:
            case Started():
                if self.started:
                    out.append("a second time")
                self.started = True
            case Opened() | Whole():
                out += self._new_part(event)
            case Delta() | Sealed() | Cited() | Closed():
                out += self._of_part(event)
            case Finished():
                if event.choice in self.finished:
                    out.append(f"choice {event.choice} a second time")
                self.finished.add(event.choice)
                out += [f"part {n} is still open" for n, o in self.open.items() if o.choice == event.choice]
            case Metered():
                pass
            case Failed():
                self.failed = True
        return out

    def _new_part(self, event: Opened | Whole) -> list[str]:
        out: list[str] = []
        if event.part != self.next:
            out.append(f"part {event.part}, due is {self.next}")
        if event.choice in self.finished:
            out.append(f"choice {event.choice} is finished")
        self.next = max(self.next, event.part + 1)
        if isinstance(event, Opened):
            self.open[event.part] = event
        return out

    def _of_part(self, event: Delta | Sealed | Cited | Closed) -> list[str]:
        opened = self.open.get(event.part)
        if opened is None:
            return [f"part {event.part} is not open"]
        if isinstance(event, Closed):
            del self.open[event.part]
        if isinstance(event, Cited) and opened.kind != "text":
            return [f"part {event.part} is no text"]
        return []
