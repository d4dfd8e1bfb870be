"""Where a secret is kept, as the command line says it."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from newapi.config.schema import Config


class Place(StrEnum):
    """`--in`."""

    KEYRING = "keyring"
    DATABASE = "database"


def readable(config: Path | None) -> Config | None:
    """Return the configuration, None while it is being edited and cannot be read."""
    from newapi.base.errors import ConfigError
    from newapi.config.load import load

    try:
        return load(config).config
    except ConfigError:
        return None
