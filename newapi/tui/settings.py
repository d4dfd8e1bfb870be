"""What a person wants of the dashboard: `newapi/tui.toml` among the user's configuration, beside the contexts.

It may say `theme = "nord"`, `low_bandwidth = true`, `mouse = false`, and in `[keys]` other keys, by the id of what they
do as the help shows it: `"channels.disable" = "ctrl+d"`.
"""

from __future__ import annotations

import tomllib
from pathlib import Path

import msgspec
from msgspec import Struct

from newapi.base.errors import ConfigError, Problem
from newapi.ops import contexts

DEFAULT_THEME = "ansi-dark"


class Settings(Struct, frozen=True, forbid_unknown_fields=True):
    """What the file says.

    Attributes:
        theme: One of Textual's; the default keeps to the terminal's own sixteen colours.
        low_bandwidth: As the option does.
        mouse: Whether clicks and the wheel are the dashboard's; without, the terminal selects text as always.
        keys: Id of a binding -> its keys, with commas.
    """

    theme: str = DEFAULT_THEME
    low_bandwidth: bool = False
    mouse: bool = True
    keys: dict[str, str] = {}


def path() -> Path:
    """Return where the file is looked for."""
    return contexts.path().with_name("tui.toml")


def read() -> Settings:
    """Return what the file says; without one, the defaults.

    Raises:
        ConfigError: It is not TOML, or says something that there is not.
    """
    file = path()
    try:
        return msgspec.convert(tomllib.loads(file.read_text()), Settings)
    except FileNotFoundError:
        return Settings()
    except (OSError, ValueError, msgspec.ValidationError) as error:
        raise ConfigError([Problem(f"the dashboard's settings cannot be read: {error}", file=str(file))]) from None
