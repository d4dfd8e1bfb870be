"""What commands act on: one gateway, whichever way leads to it.

`LocalGateway` is the database itself; `newapi.ops.remote_gateway` asks a server, whose routes call a `LocalGateway` of
its own. So the three ways of a command (a server elsewhere, the local server's socket, the database) answer alike.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Collection, Iterator, Sequence
from typing import Literal, Protocol, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from newapi.base.secret import Secret
from newapi.config.findings import Places
from newapi.config.load import Loaded
from newapi.config.schema import Config, TokenSpec
from newapi.ops import apply as applying
from newapi.ops import channels, export, history, logs, tokens
from newapi.ops.apply import Applied
from newapi.ops.channels import ChannelView
from newapi.ops.history import Generation
from newapi.ops.live import TOPICS, Range, Series, Told, Topic
from newapi.ops.local import Local
from newapi.ops.operations import Operation
from newapi.ops.plan import Change, Plan
from newapi.ops.tokens import TokenView
from newapi.store.ledger import RecordFilter, StoredRecord

T = TypeVar("T")

ACCOUNT = "newapi-account"
"""Header in which the admin socket is told, percent-encoded, which account of the operating system asks."""


class Wanted(Struct, frozen=True):
    """A configuration that is to be compared or applied, and where its keys are."""

    config: Config
    places: Places

    @classmethod
    def of(cls, loaded: Loaded) -> Wanted:
        """Return what a file says."""
        return cls(loaded.config, loaded.places)


class Who(Struct, frozen=True):
    """Who acts. `name` is a user, or the account of the operating system; `where` what it acts on."""

    name: str
    role: str
    where: str


class Gateway(Protocol):
    """One gateway. What each method returns and raises is said by the function of `ops/` that does it."""

    def whoami(self) -> Who:
        """Return who acts here."""
        ...

    def export(self, only: Sequence[str] = ()) -> str:
        """Return the database as TOML: `ops.export`."""
        ...

    def plan(self, wanted: Wanted, *, prune: bool = True, only: Sequence[str] = ()) -> Plan:
        """Return what `apply` would do: `ops.apply`."""
        ...

    def apply(
        self,
        wanted: Wanted,
        *,
        source: str = "",
        prune: bool = True,
        only: Sequence[str] = (),
        base: int | None = None,
    ) -> Applied:
        """Make the database what is wanted: `ops.apply`."""
        ...

    def history(self, limit: int = 0) -> list[Generation]:
        """Return the applies, the latest first: `ops.history`."""
        ...

    def changes_of(self, generation: int) -> list[Change]:
        """Return what one of them changed."""
        ...

    def rollback_plan(self, generation: int | None) -> tuple[int, Plan]:
        """Return the generation to go back to (None: the last but one), and what that changes."""
        ...

    def rollback(self, generation: int, *, base: int | None = None) -> Applied:
        """Apply again what a generation applied."""
        ...

    def create_token(self, name: str, spec: TokenSpec) -> tuple[TokenView, Secret]:
        """Make a token: `ops.tokens`. Its key is returned this once."""
        ...

    def tokens(self, user: str | None = None) -> list[TokenView]:
        """Return all tokens, or a user's."""
        ...

    def token(self, name: str) -> TokenView:
        """Return one token by its name or id."""
        ...

    def delete_token(self, name: str) -> TokenView:
        """Delete one."""
        ...

    def channels(self) -> list[ChannelView]:
        """Return all channels: `ops.channels`."""
        ...

    def channel(self, name: str) -> ChannelView:
        """Return one channel by its name or id."""
        ...

    def switch(
        self, ids: Collection[int], state: Literal["enabled", "disabled"], *, reason: str = "", until: float = 0
    ) -> int:
        """Enable or disable channels, for good or until a moment; return how many changed."""
        ...

    def records(self, wanted: RecordFilter) -> list[StoredRecord]:
        """Return lines of the log, the oldest first: `ops.logs`."""
        ...

    def follow(self, wanted: RecordFilter, wait: Callable[[], None]) -> Iterator[StoredRecord]:
        """Yield lines of the log without an end."""
        ...

    def do(self, operation: Operation[T]) -> T:
        """Do anything else: `ops.operations`."""
        ...

    def watch(self, topics: Collection[Topic] = TOPICS, range: Range = "15m") -> AsyncGenerator[Told]:
        """Yield what happens, without an end: `ops.live_client` of a server, `ops.live_database` of a database."""
        ...

    def series(self, range: Range) -> Series:
        """Return a range of history: `ops.live`."""
        ...


class LocalGateway:
    """The database itself."""

    def __init__(self, local: Local, who: str, role: str = "root") -> None:
        """Act on `local`; `who` does it, for the audit log."""
        self._local, self._db, self._who, self._role = local, local.db, who, role

    def whoami(self) -> Who:
        return Who(self._who, self._role, self._db.shown)

    def export(self, only: Sequence[str] = ()) -> str:
        return export.export(self._db, only=only)

    def plan(self, wanted: Wanted, *, prune: bool = True, only: Sequence[str] = ()) -> Plan:
        return applying.plan(self._with(wanted), wanted.config, prune=prune, only=only)

    def apply(
        self,
        wanted: Wanted,
        *,
        source: str = "",
        prune: bool = True,
        only: Sequence[str] = (),
        base: int | None = None,
    ) -> Applied:
        local = self._with(wanted)
        return applying.apply(local, wanted.config, who=self._who, source=source, prune=prune, only=only, base=base)

    def history(self, limit: int = 0) -> list[Generation]:
        return history.history(self._db, limit=limit)

    def changes_of(self, generation: int) -> list[Change]:
        return history.changes_of(self._db, generation)

    def rollback_plan(self, generation: int | None) -> tuple[int, Plan]:
        number, config = history.configuration_of(self._db, generation)
        return number, self.plan(Wanted(config, Places()))

    def rollback(self, generation: int, *, base: int | None = None) -> Applied:
        number, config = history.configuration_of(self._db, generation)
        return self.apply(Wanted(config, Places()), source=f"rollback to {number}", base=base)

    def create_token(self, name: str, spec: TokenSpec) -> tuple[TokenView, Secret]:
        return tokens.create(self._local, name, spec, who=self._who)

    def tokens(self, user: str | None = None) -> list[TokenView]:
        return tokens.list_tokens(self._db, user=user)

    def token(self, name: str) -> TokenView:
        return tokens.get(self._db, name)

    def delete_token(self, name: str) -> TokenView:
        return tokens.delete(self._db, name, who=self._who)

    def channels(self) -> list[ChannelView]:
        return channels.list_channels(self._db)

    def channel(self, name: str) -> ChannelView:
        return channels.get(self._db, name)

    def switch(
        self, ids: Collection[int], state: Literal["enabled", "disabled"], *, reason: str = "", until: float = 0
    ) -> int:
        return channels.switch(self._db, ids, state, who=self._who, reason=reason, until=until)

    def records(self, wanted: RecordFilter) -> list[StoredRecord]:
        return logs.records(self._db, wanted)

    def follow(self, wanted: RecordFilter, wait: Callable[[], None]) -> Iterator[StoredRecord]:
        return logs.follow(self._db, wanted, wait)

    def do(self, operation: Operation[T]) -> T:
        return operation.run(self._local, self._who)

    def watch(self, topics: Collection[Topic] = TOPICS, range: Range = "15m") -> AsyncGenerator[Told]:
        from newapi.ops import live_database  # noqa: PLC0415  (asyncio: most commands watch nothing)

        return live_database.watch(self._db, topics=topics, range=range)

    def series(self, range: Range) -> Series:
        from newapi.ops import live_database  # noqa: PLC0415

        return live_database.series(self._db, range)

    def _with(self, wanted: Wanted) -> Local:
        return replace(self._local, config=wanted.config, places=wanted.places)
