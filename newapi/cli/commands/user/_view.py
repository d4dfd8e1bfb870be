"""A user as people read it in a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from newapi.cli.commands._options import when

if TYPE_CHECKING:
    from newapi.ops.users import UserView


def row(user: UserView) -> dict[str, Any]:
    """Return the row of a user in a table."""
    from newapi.base.units import usd

    return {
        "id": user.id,
        "name": user.name,
        "role": user.role,
        "group": user.group,
        "state": user.state,
        "left": "unlimited" if user.unlimited else usd(user.quota),
        "used": usd(user.used),
        "requests": user.requests,
        "password": "yes" if user.has_password else "no",
        "signed_in": when(user.last_login_at),
    }
