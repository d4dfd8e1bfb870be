"""Whom the gateway tells when something needs a look. Its file is read anew, as it is at that moment."""

from __future__ import annotations

import time
from typing import ClassVar

from msgspec import Struct

from newapi.ops import notices
from newapi.ops.local import Local, reopened
from newapi.ops.notices import Given, Receiver


class ListNotices(Struct, frozen=True):
    """List who is told when something needs a look, and of what."""

    def run(self, local: Local, who: str) -> list[Receiver]:
        """Do `ops.notices.receivers`."""
        return notices.receivers(reopened(local).config)


class TryNotices(Struct, frozen=True):
    """Tell receivers something that does not matter; none named is all."""

    SECONDS: ClassVar[float] = 600.0
    """Each may take its time, and they are told one after the other."""
    names: tuple[str, ...] = ()

    def run(self, local: Local, who: str) -> list[Given]:
        """Do `ops.notices.test`."""
        now = reopened(local)
        return notices.test(now.config, now.resolve, self.names, now=time.time())


OPERATIONS = (ListNotices, TryNotices)
