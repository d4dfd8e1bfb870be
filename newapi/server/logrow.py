"""A line of the log in New API's shape, which scripts read."""

from __future__ import annotations

from typing import Any

import msgspec

from newapi.store.ledger import StoredRecord

KINDS = {"topup": 1, "consume": 2, "manage": 3, "system": 4, "error": 5, "refund": 6}
"""New API's `type` of a log row."""

_OPERATORS = (
    *("tries", "losses", "upstream_format", "upstream_model_name"),
    *("admin_info", "audit_info", "stream_status"),  # of lines that were taken over from New API
)
"""What of `other` is not told to users: how their requests were routed."""


def log_row(record: StoredRecord) -> dict[str, Any]:
    """Return `record` as `/api/log/*` gives it; `other` is JSON text, as there."""
    other: dict[str, Any] = msgspec.json.decode(record.bill) if record.bill else {}
    content, upstream_id = other.pop("content", ""), other.pop("upstream_request_id", "")
    if record.usage:
        other["usage"] = msgspec.json.decode(record.usage)
    if record.tries:
        other["tries"] = msgspec.json.decode(record.tries)
    if record.losses:
        other["losses"] = msgspec.json.decode(record.losses)
    other |= {
        "frt": record.first_token_ms,
        "entry_format": record.entry_format,
        "upstream_format": record.upstream_format,
        "upstream_model_name": record.upstream_model,
        "end_reason": record.end_reason,
        "status": record.status,
    }
    return {
        "id": record.id,
        "user_id": record.user_id,
        "created_at": int(record.created_at),
        "type": KINDS.get(record.kind, 0),
        "content": record.error or content,
        "username": record.user_name,
        "token_name": record.token_name,
        "model_name": record.model,
        "quota": record.quota,
        "prompt_tokens": record.prompt_tokens,
        "completion_tokens": record.completion_tokens,
        "use_time": round(record.duration_ms / 1000),
        "is_stream": record.stream,
        "channel": record.channel_id,
        "channel_name": record.channel_name,
        "token_id": record.token_id,
        "group": record.group,
        "ip": record.ip,
        "request_id": record.request_id,
        **({"upstream_request_id": upstream_id} if upstream_id else {}),
        "other": msgspec.json.encode(other).decode(),
    }


def own_row(record: StoredRecord) -> dict[str, Any]:
    """Return a line of the log for whoever made the request: without how it was routed."""
    row = log_row(record)
    other: dict[str, Any] = msgspec.json.decode(row["other"])
    told = {name: value for name, value in other.items() if name not in _OPERATORS}
    return {**row, "channel_name": "", "other": msgspec.json.encode(told).decode()}
