"""The gateway as a whole: how it does, and where it is. Its file is read anew, as it is at that moment."""

from __future__ import annotations

from msgspec import Struct

from newapi.ops import status
from newapi.ops.local import Local, reopened
from newapi.ops.status import Status


class ShowStatus(Struct, frozen=True):
    """Say how the gateway is doing."""

    def run(self, local: Local, who: str) -> Status:
        """Do `ops.status.status`."""
        return status.status(reopened(local))


class ShowAddress(Struct, frozen=True):
    """Say where clients find the gateway: its `public_url`, or what it listens on."""

    def run(self, local: Local, who: str) -> str:
        """Read it in the configuration."""
        server = reopened(local).config.server
        return server.public_url or server.listen


OPERATIONS = (ShowStatus, ShowAddress)
