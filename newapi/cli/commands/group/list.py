from __future__ import annotations

from typing import TYPE_CHECKING, Any

from newapi.cli.commands._gateway import HERE, Where
from newapi.cli.commands._options import Form
from newapi.cli.output import Output

if TYPE_CHECKING:
    from newapi.ops.groups import GroupView


def list(
    at: Where = HERE,
    output: Form = Output.TABLE,
) -> None:
    """List the groups: what they pay, and how many belong to them.

    Examples:
        newapi group list
        newapi group list -o json
    """
    from newapi.cli.commands._options import shown
    from newapi.cli.output import show
    from newapi.ops.operations.reading import ListGroups

    there = at.gateway()
    show(shown(there.do(ListGroups()), output, _row), output)


def _row(group: GroupView) -> dict[str, Any]:
    return {
        "name": group.name,
        "ratio": group.ratio,
        "selectable": group.selectable,
        "channels": len(group.channels),
        "users": group.users,
        "tokens": group.tokens,
        "remark": group.remark,
    }
