"""The log in New API's rows, and what is in it together: `/api/log/*`."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar.handlers import HTTPRouteHandler

from newapi.base.errors import CallerError
from newapi.ops.usage import rate
from newapi.server.logrow import KINDS, log_row, own_row
from newapi.server.routes.admin.auth import Call, Door, Page
from newapi.server.runtime import Runtime
from newapi.store import audit
from newapi.store.audit import Entry
from newapi.store.ledger import RecordFilter, StoredRecord, prune_records, query_records
from newapi.store.usage import count_records

_KIND_OF_NUMBER = {number: kind for kind, number in KINDS.items()}
_MANAGE = KINDS["manage"]

_PAGE = "p page_size ps size"
_COMMON = "type start_timestamp end_timestamp model_name token_name group request_id"
"""Parameters of the query."""


def routes(runtime: Runtime) -> list[HTTPRouteHandler]:
    """Return the handlers."""
    door = Door(runtime)
    return [
        door.get("/api/log", list_all, "admin", query=f"{_PAGE} {_COMMON} username channel"),
        door.delete("/api/log", clear, "root", query="target_timestamp"),
        door.get("/api/log/stat", sums, "admin", query=f"{_COMMON} username channel"),
        door.get("/api/log/self", list_own, "user", query=f"{_PAGE} {_COMMON}"),
        door.get("/api/log/self/stat", own_sums, "user", query=_COMMON),
        door.get("/api/log/search", gone, "admin"),
        door.get("/api/log/self/search", gone, "user"),
    ]


def list_all(call: Call) -> dict[str, Any]:
    """Return a page of the log, the latest first; of type 3 also what administrators changed."""
    wanted, page = _filter(call), call.page()
    if call.query.get("type") == str(_MANAGE):
        return _managed(call, wanted, page)
    found = query_records(call.db, msgspec.structs.replace(wanted, limit=page.size, offset=page.offset))
    return page.of([log_row(r) for r in found], count_records(call.db, wanted)[0])


def list_own(call: Call) -> dict[str, Any]:
    """Return a page of the log of whoever asks."""
    wanted, page = _own_filter(call), call.page()
    found = query_records(call.db, msgspec.structs.replace(wanted, limit=page.size, offset=page.offset))
    return page.of([own_row(r) for r in found], count_records(call.db, wanted)[0])


def sums(call: Call) -> dict[str, int]:
    """Return what was used, and how fast at the moment."""
    return _rate(call, _filter(call))


def own_sums(call: Call) -> dict[str, int]:
    """Return what whoever asks used, and how fast at the moment."""
    return _rate(call, _own_filter(call))


def clear(call: Call) -> int:
    """Delete the lines older than `target_timestamp`; return how many."""
    before = seconds(call, "target_timestamp")
    if not before:
        raise CallerError("target timestamp is required", param="target_timestamp")
    deleted = prune_records(call.db, before)
    with call.db.writing() as c:
        audit.note(c, Entry(call.now, call.asker.name, "log.clear", detail={"before": before, "deleted": deleted}))
    return deleted


def gone(call: Call) -> None:
    """Say that there is no search here."""
    raise CallerError("This is not there any more: use /api/log/ with its filters")


def _managed(call: Call, wanted: RecordFilter, page: Page) -> dict[str, Any]:
    """Return a page of what was changed, by whom, and of lines about a user's quota."""
    last = page.offset + page.size
    lines = query_records(call.db, msgspec.structs.replace(wanted, limit=last))
    about = {"who": wanted.user, "since": wanted.since, "until": wanted.until}
    changes = audit.entries(call.db, limit=last, **about)  # type: ignore[arg-type]
    rows = [log_row(r) for r in lines] + [_change_row(e) for e in changes]
    rows.sort(key=lambda row: row["created_at"], reverse=True)
    total = count_records(call.db, wanted)[0] + audit.count(call.db, **about)  # type: ignore[arg-type]
    return page.of(rows[page.offset : last], total)


def _change_row(entry: Entry) -> dict[str, Any]:
    row = log_row(
        StoredRecord(
            id=entry.id,
            request_id="",
            created_at=entry.created_at,
            kind="manage",
            user_name=entry.who,
            error=f"{entry.action} {entry.target}".strip(),
        )
    )
    op = {"action": entry.action, "params": {"target": entry.target, "detail": entry.detail, "source": entry.source}}
    return {**row, "other": msgspec.json.encode({"op": op}).decode()}


def _rate(call: Call, wanted: RecordFilter) -> dict[str, int]:
    found = rate(call.db, wanted, now=call.now)
    return {"quota": found.quota, "rpm": found.requests_per_minute, "tpm": found.tokens_per_minute}


def _filter(call: Call) -> RecordFilter:
    wanted = _common(call)
    channel = seconds(call, "channel")
    return msgspec.structs.replace(wanted, user=call.query.get("username") or None, channel_id=channel or None)


def _own_filter(call: Call) -> RecordFilter:
    return msgspec.structs.replace(_common(call), user_id=call.asker.id)


def _common(call: Call) -> RecordFilter:
    kind = seconds(call, "type")
    since, until = seconds(call, "start_timestamp"), seconds(call, "end_timestamp")
    if kind and kind not in _KIND_OF_NUMBER:
        raise CallerError(f"There is no type {kind}", param="type")
    return RecordFilter(
        kind=_KIND_OF_NUMBER.get(kind),
        since=since or None,
        until=until + 1 if until else None,  # New API's end is a second that is included
        model=call.query.get("model_name") or None,
        token=call.query.get("token_name") or None,
        group=call.query.get("group") or None,
        request_id=call.query.get("request_id") or None,
        patterns=True,
    )


def seconds(call: Call, name: str) -> int:
    """Return a number of the query, 0 where it is not given.

    Raises:
        CallerError: It is none.
    """
    text = call.query.get(name, "")
    if text and not (text.isascii() and text.isdecimal() and len(text) < 16):
        raise CallerError(f"{name} is no number", param=name)
    return int(text or 0)
