"""A gateway of this machine that never served: a real database, and beside it a recorded stream that stands still."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from msgspec import Struct
from textual.pilot import Pilot
from textual.widgets import Static

from newapi.base.secret import Secret
from newapi.config.load import load
from newapi.config.schema import TokenSpec
from newapi.ops.gateway import LocalGateway, Wanted
from newapi.ops.live import Told
from newapi.ops.local import Local
from newapi.ops.operations.users import CreateUser
from newapi.ops.users import NewUser
from newapi.ops.vault import Vault
from newapi.store.database import open_database
from newapi.tui.app import Options, Tui
from newapi.tui.screen import LiveScreen
from newapi.tui.screens._grid import GridScreen
from newapi.tui.source import Source
from newapi.tui.widgets.grid import Grid
from tests.support.live import recording

CONFIG = """\
version = 1

[server]
database = "sqlite:///gateway.db"

[groups.vip]
ratio = 0.8
selectable = true

[models."gpt-5"]
input = "$1.25"
output = "$10"
cached_input = "$0.125"

[models."claude-sonnet-4-5"]
tiers = [
    { up_to = 200_000, input = "$3", output = "$15", cached_input = "$0.30" },
    { input = "$6", output = "$22.50", cached_input = "$0.60" },
]

[models.painter]
price = "$0.04"

[channels.openai-main]
type = "openai"
keys = ["env:OPENAI_1", "env:OPENAI_2", "env:OPENAI_3"]
models = ["gpt-5", "gpt-5-mini", "text-embedding-3-small"]
groups = ["default", "vip"]
priority = 10

[channels.azure-eu]
type = "openai"
base_url = "https://eu.example.com"
keys = ["env:AZURE_1", "env:AZURE_2"]
models = ["gpt-5", "gpt-5-mini"]
weight = 50

[channels.claude-direct]
type = "anthropic"
key = "env:CLAUDE"
models = ["claude-sonnet-4-5", "painter"]

[channels.bedrock-us]
type = "anthropic"
base_url = "https://us.example.com"
key = "env:BEDROCK"
models = ["claude-sonnet-4-5"]
enabled = false
remark = "being moved"

[tokens.ci]
quota = "$25"
budget = { day = "$5", month = "$100" }
requests_per_minute = 60
models = ["gpt-5-mini"]
expires = 2026-12-24T00:00:00Z

[tokens.app]
unlimited = true
"""


class Seen(Struct):
    """A dashboard that runs, and what it acts on."""

    app: Tui
    pilot: Pilot[None]
    gateway: LocalGateway
    local: Local
    config: Path

    @property
    def screen(self) -> LiveScreen:
        return self.app.front

    @property
    def grid(self) -> Grid[Any]:
        return self.screen.query_one("#grid", Grid)

    @property
    def dialog(self) -> str:
        """What the dialog in front says."""
        top = self.app.screen
        title = next((str(box.border_title) for box in top.query("*") if box.border_title), "")
        return "\n".join([title, *(str(line.render()) for line in top.query(Static) if line.display)])

    @property
    def detail(self) -> list[str]:
        """What the detail says."""
        return str(self.screen.query_one("#detail-lines").render()).split("\n")

    async def press(self, *keys: str) -> None:
        """Press keys, and let the screen draw."""
        await self.pilot.press(*keys)
        await self.pilot.pause()

    async def type(self, text: str) -> None:
        """Type text."""
        names = {" ": "space", "$": "dollar_sign", "=": "equals_sign", "*": "asterisk", ",": "comma", ".": "full_stop"}
        await self.press(*(names.get(sign, sign) for sign in text))

    async def settled(self) -> None:
        """Wait until what is shown was read after now."""
        self.screen._read_at = 0.0  # type: ignore[attr-defined]
        await self.until(lambda: not self.screen._is_reading)  # type: ignore[attr-defined]
        self.screen.action_reload()  # type: ignore[attr-defined]
        await self.until(lambda: not self.screen._is_reading)  # type: ignore[attr-defined]
        await self.pilot.pause()

    def lines(self, selector: str = "#grid") -> list[str]:
        """What a widget shows, line by line."""
        widget = self.app.screen_stack[0].query_one(selector)
        return [widget.render_line(y).text.rstrip() for y in range(widget.size.height)]

    async def until(self, holds: Callable[[], object]) -> None:
        """Wait until something holds."""
        for _ in range(500):
            if holds():
                await self.pilot.pause()
                return
            await self.pilot.pause(0.01)
        raise AssertionError(f"it never came about; told was {[n.message for n in self.app._notifications]}")

    async def told(self, text: str) -> None:
        """Wait until a corner of the screen tells something."""
        await self.until(lambda: any(text in note.message for note in self.app._notifications))


def here(directory: Path, config: str = CONFIG) -> tuple[LocalGateway, Local, Path]:
    """Return a gateway with the configuration above applied."""
    path = directory / "config.toml"
    path.write_text(config)
    db = open_database(f"sqlite:///{directory / 'gateway.db'}")

    def turn(text: bytes) -> bytes:
        return bytes(b ^ 0xFF for b in text)

    loaded = load(path)
    local = Local(db, loaded.config, Vault(lambda r: Secret(f"key of {r}"), turn, turn), path, loaded.places)
    gateway = LocalGateway(local, "tester")
    gateway.apply(Wanted.of(loaded), source="config.toml")
    gateway.do(CreateUser(NewUser(name="ann", email="ann@example.com", quota=12_500_000, remark="the design team")))
    gateway.do(CreateUser(NewUser(name="bob", role="admin", group="vip")))
    gateway.create_token("laptop", TokenSpec(user="ann", quota=Decimal(5), models=("gpt-5*", "o3")))
    gateway.create_token("old", TokenSpec(user="bob", unlimited=True, enabled=False))
    return gateway, local, path


@asynccontextmanager
async def dashboard(  # type: ignore[no-untyped-def]
    directory: Path,
    screen: str,
    *,
    size: tuple[int, int] = (120, 40),
    events: Sequence[Told] | None = None,
    options: Options | None = None,
    before: Callable[[LocalGateway, Local], object] | None = None,
    gateway: bool = True,
    config: str = CONFIG,
    file: bool = True,
):
    """Run the dashboard with one screen in front, after these events; without any, two minutes of the recording."""
    there, local, path = here(directory, config)
    if before is not None:
        before(there, local)

    async def watch() -> AsyncGenerator[Told]:
        for told in recorded(2) if events is None else events:
            yield told
        await asyncio.Event().wait()

    source = Source("prod", "server", watch, there if gateway else None, config=path if file else None)
    app = Tui(lambda _: source, "prod", options or Options(theme="textual-dark"))
    async with app.run_test(size=size) as pilot:
        seen = Seen(app, pilot, there, local, path)
        await seen.until(lambda: app.model.is_known)
        app.open(screen)
        await pilot.pause()
        app.draw()
        if gateway and isinstance(seen.screen, GridScreen):
            await seen.until(lambda: seen.grid.total)
        await pilot.pause()
        yield seen
    local.db.close()


@cache
def recorded(minutes: int) -> tuple[Told, ...]:
    """Return the recording up to then."""
    return tuple(recording(minutes=minutes))
