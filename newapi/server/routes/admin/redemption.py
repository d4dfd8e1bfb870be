"""Redemption codes, and what users add to their quota themselves: by a code, or by calling every day."""

from __future__ import annotations

import re
from typing import Any, TypeVar

import msgspec
from litestar.handlers import HTTPRouteHandler
from msgspec import Struct

from newapi.base.errors import CallerError
from newapi.base.secret import Secret
from newapi.ops import redemption
from newapi.ops.redemption import CodeChanges, CodeView, NewCodes
from newapi.server.routes.admin.auth import Call, Door, Refused
from newapi.server.runtime import Runtime

_STATUS = {"enabled": 1, "disabled": 2, "used": 3}
T = TypeVar("T")

_MONTH = re.compile(r"\d{4}-\d\d")


def routes(runtime: Runtime) -> list[HTTPRouteHandler]:
    """Return the handlers."""
    door = Door(runtime)
    return [
        door.get("/api/redemption", list_all, "admin", query="p page_size ps size keyword"),
        door.get("/api/redemption/search", list_all, "admin", query="p page_size ps size keyword"),
        door.get("/api/redemption/{id:str}", show, "admin"),
        door.post("/api/redemption", create, "admin", body=_New),
        door.put("/api/redemption", change, "admin", query="status_only", body=_Change),
        door.delete("/api/redemption/invalid", delete_spent, "admin"),
        door.delete("/api/redemption/{id:str}", delete, "admin"),
        door.get("/api/user/topup/info", topup_info, "user"),
        door.get("/api/user/topup/self", own_topups, "user", query="p page_size ps size"),
        door.post("/api/user/topup", redeem, "user", body=_Key),
        door.get("/api/user/checkin", checkins, "user", query="month"),
        door.post("/api/user/checkin", check_in, "user"),
    ]


class _New(Struct):
    name: str
    quota: int
    count: int = 1
    expired_time: int = 0


class _Change(Struct):
    id: int
    name: str | None = None
    quota: int | None = None
    expired_time: int | None = None
    status: int | None = None


class _Key(Struct):
    key: str


# -- administrators --------------------------------------------------------------------------------


def list_all(call: Call) -> dict[str, Any]:
    """Return a page of the codes, the latest first; with `keyword` those whose name begins so, or with that id."""
    page = call.page()
    keyword = call.query.get("keyword", "")
    found, total = redemption.page(call.runtime.local, keyword, limit=page.size, offset=page.offset)
    return page.of([_row(code) for code in found], total)


def show(call: Call) -> dict[str, Any]:
    """Return one code."""
    return _row(redemption.get(call.runtime.local, call.id()))


def create(call: Call) -> list[str]:
    """Make codes, and return them."""
    body, asker = call.read(_New), call.asker
    new = NewCodes(name=body.name.strip(), count=body.count, quota=body.quota, expires_at=max(body.expired_time, 0))
    codes = redemption.create(call.runtime.local, new, by=asker.id, who=asker.name, now=call.now)
    return [code.reveal() for code in codes]


def change(call: Call) -> dict[str, Any]:
    """Change a code, what is left out stays; with `status_only` turn it on or off, and nothing else."""
    body = call.read(_Change)
    if body.status not in (None, _STATUS["enabled"], _STATUS["disabled"]):
        raise CallerError("Invalid parameters: status is 1 or 2")
    enabled = None if body.status is None else body.status == _STATUS["enabled"]
    changes = CodeChanges(enabled=enabled)
    if not call.query.get("status_only"):
        changes = CodeChanges(
            name=body.name.strip() if body.name is not None else None,
            quota=body.quota,
            expires_at=None if body.expired_time is None else max(body.expired_time, 0),
            enabled=enabled,
        )
    return _row(redemption.change(call.runtime.local, body.id, changes, who=call.asker.name, now=call.now))


def delete(call: Call) -> None:
    """Delete a code."""
    redemption.delete(call.db, call.id(), who=call.asker.name, now=call.now)


def delete_spent(call: Call) -> int:
    """Delete the codes that are used, disabled or expired, and return how many there were."""
    return redemption.delete_spent(call.db, who=call.asker.name, now=call.now)


# -- users -----------------------------------------------------------------------------------------


def redeem(call: Call) -> int:
    """Redeem a code, and return the quota it added."""
    code, asker, failures = Secret(call.read(_Key).key), call.asker, call.door.failures
    who = f"user {asker.id}"
    if wait := failures.wait(who, call.now):
        raise Refused(f"Too many wrong codes: try again in {wait:.0f} seconds", status=429)
    try:
        return redemption.redeem(call.db, asker.id, code, now=call.now)
    except CallerError:
        failures.add(who, call.now)
        raise


def topup_info(call: Call) -> dict[str, Any]:
    """Return how a quota can be added to: with codes; nothing is sold here."""
    option = call.door.option
    return {
        "amount_options": _json(option("payment_setting.amount_options"), list[int], [10, 20, 50, 100, 200, 500]),
        "discount": _json(option("payment_setting.amount_discount"), dict[str, float], {}),
        "creem_products": "[]",
        "enable_creem_topup": False,
        "enable_online_topup": False,
        "enable_redemption": True,
        "enable_stripe_topup": False,
        "enable_waffo_pancake_topup": False,
        "enable_waffo_topup": False,
        "min_topup": _json(option("MinTopUp"), int, 1),
        "pay_methods": [],
        "payment_compliance_confirmed": option("payment_setting.compliance_confirmed") == "true",
        "payment_compliance_terms_version": "v1",
        "stripe_min_topup": _json(option("StripeMinTopUp"), int, 1),
        "topup_link": option("TopUpLink"),
        "waffo_min_topup": _json(option("WaffoMinTopUp"), int, 1),
        "waffo_pancake_min_topup": _json(option("WaffoPancakeMinTopUp"), int, 1),
        "waffo_pay_methods": None,
    }


def own_topups(call: Call) -> dict[str, Any]:
    """Return a page of the payments of whoever asks: nothing is sold here, so there are none."""
    return call.page().of([], 0)


def checkins(call: Call) -> dict[str, Any]:
    """Return how often whoever asks called by: today, in all, and in `month`."""
    least, most = _checkin_range(call)
    month = call.query.get("month", "")
    if not _MONTH.fullmatch(month):
        month = redemption.today(call.now)[:7]
    found = redemption.checkins(call.db, call.asker.id, month, now=call.now)
    return {
        "enabled": True,
        "min_quota": least,
        "max_quota": most,
        "stats": {
            "checked_in_today": found.today,
            "checkin_count": len(found.month),
            "records": [{"checkin_date": r.day, "quota_awarded": r.quota} for r in found.month],
            "total_checkins": found.total,
            "total_quota": found.quota,
        },
    }


def check_in(call: Call) -> dict[str, Any]:
    """Call by, once a day, and return what that gives."""
    least, most = _checkin_range(call)
    given = redemption.check_in(call.db, call.asker.id, least, most, now=call.now)
    return {"checkin_date": given.day, "quota_awarded": given.quota}


def _checkin_range(call: Call) -> tuple[int, int]:
    option = call.door.option
    if option("checkin_setting.enabled") != "true":
        raise CallerError("The administrator has not turned on check-ins")
    least = _json(option("checkin_setting.min_quota"), int, 1000)
    return max(least, 0), max(_json(option("checkin_setting.max_quota"), int, 10_000), least, 0)


def _json(text: str, type: type[T], default: T) -> T:
    try:
        return msgspec.json.decode(text, type=type) if text else default
    except msgspec.DecodeError:
        return default


def _row(code: CodeView) -> dict[str, Any]:
    return {
        "id": code.id,
        "user_id": code.created_by,
        "key": code.code,
        "status": _STATUS[code.state],
        "name": code.name,
        "quota": code.quota,
        "created_time": int(code.created_at),
        "redeemed_time": int(code.used_at),
        "count": 0,
        "used_user_id": code.used_by,
        "DeletedAt": None,
        "expired_time": int(code.expires_at),
    }
