"""Valkey, or Redis 7 and later: scripts that run there at one moment, and messages to whoever listens.

The only importer of `redis`, an optional dependency (`newapi[valkey]`), which speaks to both.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from newapi.base.errors import NewapiError

if TYPE_CHECKING:
    from redis.asyncio import Redis

CONNECT_SECONDS = 2.0
ANSWER_SECONDS = 2.0
SCRIPTS = (
    *("enter", "leave", "learn", "lend", "give_back", "overdraw", "spend", "bury"),
    *("hello", "beat", "bye"),
)
_SOURCE = Path(__file__).with_suffix(".lua")

Call = tuple[str, Any]
"""A script's name and its arguments, which become JSON; or "publish" and bytes."""


class MissingDriver(NewapiError):
    """`server.cache` is set, and nothing here speaks to it."""

    code = "missing_driver"


class Unreachable(Exception):
    """Valkey does not answer, or not as it should."""


class Valkey:
    """A connection for calls, which go out in the order they are made, and one that listens."""

    def __init__(self, url: str) -> None:
        """Take the URL: `redis://`, `valkey://`, with TLS `rediss://`, `valkeys://`. Nothing is connected yet.

        Raises:
            MissingDriver: `redis` is not installed.
        """
        try:
            from redis.asyncio import Redis  # noqa: PLC0415
            from redis.asyncio.retry import Retry  # noqa: PLC0415
            from redis.backoff import NoBackoff  # noqa: PLC0415
        except ImportError:
            raise MissingDriver(
                "server.cache needs the package redis: install newapi with it, pip install 'newapi[valkey]'"
            ) from None
        scheme, _, rest = url.partition("://")
        scheme = {"valkey": "redis", "valkeys": "rediss"}.get(scheme, scheme)
        # No retries: whether a script ran whose answer was lost is not known, and none may run twice.
        self._redis: Redis = Redis.from_url(
            f"{scheme}://{rest}",
            socket_connect_timeout=CONNECT_SECONDS,
            socket_timeout=ANSWER_SECONDS,
            retry=Retry(NoBackoff(), 0),
            protocol=2,
        )
        # Channels, unlike keys, are those of all databases of a server.
        self._channel = f"{{newapi}}:bus:{self._redis.get_connection_kwargs().get('db') or 0}"
        self._listening: Any = None
        self._hashes: dict[str, str] = {}

    async def connect(self) -> None:
        """Connect, and hand over the scripts.

        Raises:
            Unreachable: It cannot be done.
        """
        source = _source()
        with _explained():
            for name in SCRIPTS:
                self._hashes[name] = await self._redis.script_load(f"{source}\nreturn cjson.encode({name}() or {{}})\n")
            self._listening = self._redis.pubsub(ignore_subscribe_messages=True)
            await self._listening.subscribe(self._channel)

    async def run(self, calls: Sequence[Call]) -> list[Any]:
        """Run scripts in order; return what each answers.

        Raises:
            Unreachable: Some may have run, and some not.
        """
        with _explained():
            pipeline = self._redis.pipeline(transaction=False)
            for name, arguments in calls:
                if name == "publish":
                    pipeline.publish(self._channel, arguments)
                else:
                    pipeline.evalsha(self._hashes[name], 0, msgspec.json.encode(arguments))
            answers = await pipeline.execute()
        return [msgspec.json.decode(a) if isinstance(a, bytes) else a for a in answers]

    async def listen(self, heard: Callable[[bytes], None]) -> None:
        """Tell `heard` each message that anyone publishes, until cancelled.

        Raises:
            Unreachable: The connection broke.
        """
        while True:
            with _explained():
                message = await self._listening.get_message(timeout=None)
            if message is not None:
                heard(message["data"])

    async def close(self) -> None:
        """Close the connections."""
        with contextlib.suppress(Unreachable), _explained():
            if self._listening is not None:
                await self._listening.aclose()
            await self._redis.aclose()


def _source() -> str:
    return _SOURCE.read_text(encoding="utf-8")


class _explained:  # noqa: N801  (a context manager)
    """Turns the errors of the driver into `Unreachable`."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        from redis.exceptions import RedisError  # noqa: PLC0415

        if isinstance(error, RedisError | OSError | TimeoutError):
            # Without the URL, which may hold a password: the driver's messages name host and port.
            raise Unreachable(str(error) or type(error).__name__) from error
