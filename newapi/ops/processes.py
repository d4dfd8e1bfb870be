"""The processes of a running server, as they are told of."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from newapi.config.schema import LogLevel

State = Literal["starting", "serving", "draining"]


class Worker(Struct, frozen=True):
    """A process that serves.

    Attributes:
        slot: Its number among the workers, from 0; one that takes another one's place has the same.
        state: `draining`: takes no new connections, and ends with its last request.
        since: When it was started, Unix seconds.
        in_flight: Requests under way, as it said last.
        reserved: Quota set aside for them.
        restarts: How many before it, at this place, ended without being asked to.
    """

    slot: int
    pid: int
    state: State
    since: float
    in_flight: int = 0
    reserved: int = 0
    restarts: int = 0


class Processes(Struct, frozen=True):
    """A server: the process that is told what to do, and those that serve. A server of one worker is one process."""

    pid: int
    wanted: int
    workers: tuple[Worker, ...]


class Verbosity(Struct, frozen=True):
    """What the processes of a server tell in their own log: `level` and what is worse."""

    level: LogLevel
