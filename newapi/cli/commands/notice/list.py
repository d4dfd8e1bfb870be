from __future__ import annotations

from typing import TYPE_CHECKING, Any

from newapi.cli.commands._options import ConfigFile, Form
from newapi.cli.output import Output

if TYPE_CHECKING:
    from newapi.config.schema import NoticesSpec


def list(
    config: ConfigFile = None,
    output: Form = Output.TABLE,
) -> None:
    """List who is told when something needs a look, and of what.

    Examples:
        newapi notice list
        newapi notice list -o name
    """
    from newapi.cli.output import show
    from newapi.config.load import load

    show([_row(name, spec) for name, spec in load(config).config.notices.items()], output)


def _row(name: str, spec: NoticesSpec) -> dict[str, Any]:
    return {
        "name": name,
        "via": spec.via,
        "to": ", ".join(spec.to) or ("(a reference)" if "://" not in spec.url else spec.url),
        "about": ", ".join(spec.about) or "all",
        "level": spec.level,
    }
