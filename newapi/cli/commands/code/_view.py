"""A redemption code as a row of a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from newapi.cli.commands._options import when

if TYPE_CHECKING:
    from newapi.ops.redemption import CodeView

_SHOWN = 4


def masked(code: str) -> str:
    """Return a code's last characters."""
    return f"…{code[-_SHOWN:]}"


def row(code: CodeView) -> dict[str, Any]:
    """Return what people look for."""
    from newapi.base.units import usd

    return {
        "id": code.id,
        "name": code.name,
        "code": code.code,
        "quota": usd(code.quota),
        "state": code.state,
        "made": when(code.created_at),
        "expires": when(code.expires_at) or "never",
        "used": when(code.used_at),
    }
