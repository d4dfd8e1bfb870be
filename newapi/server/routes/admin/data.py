"""What was used by the hour, for dashboards: `/api/data/*`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from litestar.handlers import HTTPRouteHandler

from newapi.base.errors import CallerError
from newapi.ops.usage import By, UsageSum, usage
from newapi.server.routes.admin.auth import Call, Door
from newapi.server.routes.admin.logs import seconds
from newapi.server.runtime import Runtime
from newapi.store.ledger import RecordFilter

MONTH = 30 * 86_400
"""The longest time, in seconds, that users may ask for: New API's."""


def routes(runtime: Runtime) -> list[HTTPRouteHandler]:
    """Return the handlers."""
    door = Door(runtime)
    return [
        door.get("/api/data", by_model, "admin", query="start_timestamp end_timestamp username"),
        door.get("/api/data/users", by_user, "admin", query="start_timestamp end_timestamp"),
        door.get("/api/data/self", own, "user", query="start_timestamp end_timestamp"),
        door.get("/api/data/flow", flow, "admin", query="start_timestamp end_timestamp username"),
        door.get("/api/data/flow/self", own_flow, "user", query="start_timestamp end_timestamp"),
    ]


def by_model(call: Call) -> list[dict[str, Any]]:
    """Return everybody's use by model and hour; one user's where `username` says so."""
    name = call.query.get("username")
    by: tuple[By, ...] = ("user", "model", "hour") if name else ("model", "hour")
    return _rows(call, by, user=name or None)


def by_user(call: Call) -> list[dict[str, Any]]:
    """Return everybody's use by user and hour."""
    return _rows(call, ("user", "hour"))


def own(call: Call) -> list[dict[str, Any]]:
    """Return the use of whoever asks by model and hour."""
    since, until = _span(call)
    if (until or call.now) - since > MONTH + 1:
        raise CallerError("The time span is a month at most", param="start_timestamp")
    return _rows(call, ("user", "model", "hour"), user_id=call.asker.id)


def flow(call: Call) -> list[dict[str, Any]]:
    """Return which users' and tokens' requests went to which models and channels, the dearest first."""
    by: tuple[By, ...] = ("user", "token", "group", "channel", "model")
    found = _flow(call, by, user=call.query.get("username") or None)
    return [
        {
            "user_id": s.user_id,
            "username": s.user,
            "node_name": "",
            "channel_id": s.channel_id,
            "channel_name": s.channel,
            **_flow_row(s),
        }
        for s in found
    ]


def own_flow(call: Call) -> list[dict[str, Any]]:
    """Return which tokens' requests of whoever asks went to which models, the dearest first."""
    return [_flow_row(s) for s in _flow(call, ("token", "group", "model"), user_id=call.asker.id)]


def _rows(call: Call, by: Sequence[By], **who: Any) -> list[dict[str, Any]]:
    since, until = _span(call)
    wanted = RecordFilter(since=since, until=until, **who)
    return [
        {
            "user_id": s.user_id,
            "username": s.user,
            "model_name": s.model,
            "created_at": s.at,
            "token_used": s.tokens,
            "count": s.requests,
            "quota": s.quota,
        }
        for s in usage(call.db, wanted, by)
    ]


def _flow(call: Call, by: Sequence[By], **who: Any) -> list[UsageSum]:
    since, until = _span(call)
    return usage(call.db, RecordFilter(since=since, until=until, **who), by)


def _flow_row(found: UsageSum) -> dict[str, Any]:
    return {
        "token_id": found.token_id,
        "token_name": found.token,
        "use_group": found.group,
        "model_name": found.model,
        "token_used": found.tokens,
        "count": found.requests,
        "quota": found.quota,
    }


def _span(call: Call) -> tuple[float, float | None]:
    """Return the time that is asked for; where no beginning is said, the last month of it."""
    since, until = (seconds(call, name) for name in ("start_timestamp", "end_timestamp"))
    return since or (until or call.now) - MONTH, until + 1 if until else None
