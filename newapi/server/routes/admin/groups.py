"""Groups: which there are, and which a user's tokens may have."""

from __future__ import annotations

from typing import Any

from litestar.handlers import HTTPRouteHandler

from newapi.relay.snapshot import Snapshot
from newapi.server.routes.admin.auth import Call, Door
from newapi.server.runtime import Runtime


def routes(runtime: Runtime) -> list[HTTPRouteHandler]:
    """Return the handlers."""
    door = Door(runtime)
    return [
        door.get("/api/group", names, "admin"),
        door.get("/api/user/groups", usable_by_anyone),
        door.get("/api/user/self/groups", usable_by_self, "user"),
    ]


def names(call: Call) -> list[str]:
    """Return the names of all groups."""
    return sorted({"default", *call.runtime.gateway.snapshot.groups})


def usable_by_anyone(call: Call) -> dict[str, Any]:
    """Return the groups that every user may choose, with their ratio."""
    return _described(call.runtime.gateway.snapshot, "")


def usable_by_self(call: Call) -> dict[str, Any]:
    """Return the groups that whoever asks may choose for a token, with the ratio it costs them."""
    return _described(call.runtime.gateway.snapshot, call.asker.group)


def usable(snapshot: Snapshot, user_group: str) -> list[str]:
    """Return the groups that a user of `user_group` may choose: those that are selectable, and their own."""
    found = {name for name, spec in snapshot.groups.items() if spec.selectable}
    if user_group and (user_group in snapshot.groups or user_group == "default"):
        found.add(user_group)
    return sorted(found)


def description(snapshot: Snapshot, group: str) -> str:
    """Return what is said of a group; its name where nothing is."""
    spec = snapshot.groups.get(group)
    return (spec.remark if spec else "") or group


def _described(snapshot: Snapshot, user_group: str) -> dict[str, Any]:
    return {
        group: {"ratio": float(snapshot.group_ratio(user_group, group)[0]), "desc": description(snapshot, group)}
        for group in usable(snapshot, user_group)
    }
