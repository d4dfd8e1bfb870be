"""Tokens: changed, given another key, looked into."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Literal

from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import asdict

from newapi.base.secret import Secret
from newapi.ops import tokens, verify
from newapi.ops.local import Local
from newapi.ops.tokens import TokenView
from newapi.ops.verify import Verified


class TokenChanges(Struct, frozen=True, kw_only=True):
    """Values of a token by the names of the configuration; what is not said stays."""

    group: str | UnsetType = UNSET
    quota: Decimal | UnsetType | None = UNSET
    unlimited: bool | UnsetType = UNSET
    expires: float | datetime | UnsetType | None = UNSET
    models: tuple[str, ...] | UnsetType = UNSET
    allow_ips: tuple[str, ...] | UnsetType = UNSET
    budget: dict[Literal["day", "week", "month"], Decimal] | UnsetType = UNSET
    requests_per_minute: int | UnsetType = UNSET
    tokens_per_minute: int | UnsetType = UNSET
    concurrency: int | UnsetType = UNSET
    enabled: bool | UnsetType = UNSET


class ChangeToken(Struct, frozen=True):
    """Change a token; what was spent stays spent."""

    name: str
    changes: TokenChanges
    rename: str | None = None

    def run(self, local: Local, who: str) -> TokenView:
        """Do `ops.tokens.change`."""
        said = {name: value for name, value in asdict(self.changes).items() if value is not UNSET}
        return tokens.change(local, self.name, said, rename=self.rename, who=who)


class RotateToken(Struct, frozen=True):
    """Give a token another key; `key` is a reference to it, "" makes one. It is answered this once."""

    name: str
    key: str = ""

    def run(self, local: Local, who: str) -> tuple[TokenView, Secret]:
        """Do `ops.tokens.rotate`."""
        return tokens.rotate(local, self.name, key=self.key, who=who)


class RevealToken(Struct, frozen=True):
    """Answer the key of a token, where it is kept."""

    name: str

    def run(self, local: Local, who: str) -> Secret:
        """Do `ops.tokens.key_of`."""
        return tokens.key_of(local, self.name)


class VerifyToken(Struct, frozen=True):
    """Say who a key is and what would refuse it: a key itself, or that of the token called `name`."""

    key: Secret | None = None
    name: str = ""
    model: str = ""
    ip: str = ""

    def run(self, local: Local, who: str) -> Verified:
        """Do `ops.verify.verify`."""
        key = tokens.key_of(local, self.name) if self.key is None else self.key
        return verify.verify(local, key, model=self.model, ip=self.ip)


OPERATIONS = (ChangeToken, RotateToken, RevealToken, VerifyToken)
