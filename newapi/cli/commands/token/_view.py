"""A token as a row of a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from newapi.cli.commands._options import when

if TYPE_CHECKING:
    from newapi.ops.tokens import TokenView


def row(token: TokenView) -> dict[str, Any]:
    """Return what people look for: money in dollars, times as dates."""
    from newapi.base.units import usd

    return {
        "name": token.name,
        "user": token.user,
        "group": token.group,
        "state": token.state,
        "left": "unlimited" if token.unlimited else usd(token.remaining),
        "used": usd(token.used),
        "expires": when(token.expires_at) or "never",
        "models": ", ".join(token.models) or "all",
        "key": f"…{token.key_hint}" if token.key_hint else "",
        "made_by": token.managed or "command",
    }
