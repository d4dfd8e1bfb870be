"""Whether a server listens on a Unix socket."""

from __future__ import annotations

import socket
from pathlib import Path

_PROBE_SECONDS = 2.0


def answers(path: Path) -> bool:
    """Say whether a server listens on a Unix socket that this process may open."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(_PROBE_SECONDS)
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True
