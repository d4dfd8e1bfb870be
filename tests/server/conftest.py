from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from newapi import secrets
from newapi.base.secret import Secret
from newapi.config.schema import Config
from newapi.ops import apply, users
from newapi.ops.local import Local, master_key
from newapi.ops.users import NewUser
from newapi.ops.vault import Vault
from newapi.server.app import create_app
from newapi.server.runtime import Runtime
from newapi.store import sealed
from newapi.store.database import Database, open_database

GROUPS = {"default": {"selectable": True}, "vip": {"ratio": "0.8", "selectable": True}, "svip": {"ratio": "0.5"}}
PASSWORD = "correct horse"


class Browser:
    """One caller of the management API: keeps cookies, and sends who it is once it has signed in."""

    def __init__(self, app: Any) -> None:
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway.test")
        self.user: int | None = None

    async def ask(self, method: str, path: str, body: Any = None, **options: Any) -> httpx.Response:
        """Send a request; with `New-Api-User` where somebody signed in, unless the headers say otherwise."""
        headers: dict[str, str] = {"new-api-user": str(self.user)} if self.user else {}
        headers |= options.pop("headers", {})
        headers = {name: value for name, value in headers.items() if value}
        if body is not None:
            options["json"] = body
        return await self.http.request(method, path, headers=headers, **options)

    async def do(self, method: str, path: str, body: Any = None, **options: Any) -> Any:
        """Send a request that has to succeed, and return its data."""
        answer = await self.ask(method, path, body, **options)
        said = answer.json()
        assert (answer.status_code, said["success"]) == (200, True), answer.text
        return said["data"]

    async def refused(self, method: str, path: str, body: Any = None, *, status: int = 200, **options: Any) -> str:
        """Send a request that has to be refused, and return why."""
        answer = await self.ask(method, path, body, **options)
        said = answer.json()
        assert (answer.status_code, said["success"]) == (status, False), answer.text
        assert said["message"]
        return said["message"]

    async def sign_in(self, name: str, password: str = PASSWORD) -> int:
        """Sign in and return the user's id."""
        self.user = (await self.do("POST", "/api/user/login", {"username": name, "password": password}))["id"]
        assert self.user is not None
        return self.user


class Server:
    """A gateway with its management API, in this process; root has the password `PASSWORD`."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.db = runtime.local.db
        self.app = create_app(runtime)
        self._browsers: list[Browser] = []

    def browser(self) -> Browser:
        """Return a stranger."""
        self._browsers.append(Browser(self.app))
        return self._browsers[-1]

    async def user(self, name: str, **about: Any) -> Browser:
        """Return a new user who is signed in."""
        users.create(self.db, NewUser(name=name, password=Secret(PASSWORD), **about), who="test")
        return await self.signed_in(name)

    async def signed_in(self, name: str) -> Browser:
        """Return somebody who signed in just now."""
        browser = self.browser()
        await browser.sign_in(name)
        return browser

    async def close(self) -> None:
        for browser in self._browsers:
            await browser.http.aclose()
        await self.runtime.gateway.close()
        self.runtime.ledger.stop()


@pytest.fixture(autouse=True)
def _cheap_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("newapi.ops.sessions._LOG_N", 2)


def sealing(tmp_path: Path, db: Database, config: Config) -> Local:
    """Return a gateway whose secrets are in its database, sealed with a key of its own."""
    key: list[bytes] = []

    def stored(name: str) -> Secret | None:
        cipher = sealed.find(db, name)
        return Secret(secrets.unseal(key[0], cipher).decode()) if cipher is not None else None

    vault = Vault(
        lambda reference: secrets.resolve(reference, base_dir=tmp_path, database=stored),
        lambda plain: secrets.seal(key[0], plain),
        lambda cipher: secrets.unseal(key[0], cipher),
    )
    local = Local(db=db, config=config, vault=vault, path=tmp_path / "config.toml")
    key.append(master_key(local))
    return local


@pytest.fixture
async def server(tmp_path: Path, empty_database: str) -> AsyncIterator[Server]:
    import msgspec

    db = open_database(empty_database)
    config = msgspec.convert({"groups": GROUPS}, Config, strict=False)
    local = sealing(tmp_path, db, config)
    apply.apply(local, config, who="test")
    users.create(db, NewUser(name="root", password=Secret(PASSWORD), role="root"), who="test")
    server = Server(Runtime(local, tmp_path / "journal"))
    yield server
    await server.close()
    db.close()


@pytest.fixture
async def root(server: Server) -> Browser:
    return await server.signed_in("root")
