"""Gives notices: what somebody wants to be told goes out, what was told often enough does not."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable

from newapi.base.errors import NewapiError
from newapi.base.mask import mask
from newapi.ops.local import Local
from newapi.ops.notices import Notice, Throttle, send, wanted

log = logging.getLogger("newapi")


class Notifier:
    """Tells each `[notices.*]` what it wants to know. Waits for those who are told: call it in a thread."""

    def __init__(self, local: Callable[[], Local], clock: Callable[[], float] = time.time) -> None:
        """Take what returns the configuration in force, and the clock (unix seconds)."""
        self._local = local
        self._clock = clock
        self._throttle = Throttle()

    def tell(self, notices: Iterable[Notice]) -> None:
        """Give `notices`. One that does not arrive is a line in the log, and no reason to keep the others back."""
        local = self._local()
        for notice in notices:
            for name, spec in local.config.notices.items():
                if not wanted(spec, notice) or not self._throttle.allows(name, spec, notice, self._clock()):
                    continue
                try:
                    send(local.config, name, notice, local.resolve)
                except NewapiError as error:
                    log.warning("a notice was not given: %s", mask(error.message))
