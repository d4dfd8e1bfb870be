"""A line of New API's log as a line of the log here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

from newapi.store.foreign import json_object
from newapi.store.ledger import UsageRecord

_KINDS = {1: "topup", 2: "consume", 3: "manage", 5: "error", 6: "refund"}
"""New API's `type`; anything else is the system's."""
_NOT_OF_THE_BILL = ("admin_info", "request_path", "request_conversion", "stream_status", "op", "audit_info")


class Names(Struct, frozen=True):
    """What the source's ids of users, tokens and channels are here: id and name (and of users the group)."""

    users: Mapping[int, tuple[int, str, str]]
    tokens: Mapping[int, tuple[int, str]]
    channels: Mapping[int, tuple[int, str]]


def record(row: Mapping[str, Any], names: Names) -> UsageRecord:
    """Return a line of the log. The same row gives the same request id, by which it is known a second time.

    New API writes several lines of one request: each is one here, its number behind the request's id.
    """
    kind = _KINDS.get(row.get("type") or 0, "system")
    other = json_object(row.get("other"))
    user_id, user_name = names.users.get(row.get("user_id") or 0, (0, row.get("username") or "", ""))[:2]
    token_id, token_name = names.tokens.get(row.get("token_id") or 0, (0, row.get("token_name") or ""))
    channel = row.get("channel_id") or row.get("channel") or 0
    channel_id, channel_name = names.channels.get(channel, (0, row.get("channel_name") or ""))
    quota, model = _number(row, "quota"), str(row.get("model_name") or "")
    prompt, completion = _number(row, "prompt_tokens"), _number(row, "completion_tokens")
    is_request = kind in ("consume", "error")
    return UsageRecord(
        request_id=f"{row.get('request_id') or 'log'}-{row['id']}-{_number(row, 'created_at')}",
        created_at=float(_number(row, "created_at")),
        kind=kind,
        user_id=user_id,
        user_name=user_name or "",
        token_id=token_id,
        token_name=row.get("token_name") or token_name,
        channel_id=channel_id,
        channel_name=channel_name or "",
        group=row.get("group") or "",
        model=model,
        upstream_model=str(other.get("upstream_model_name") or model),
        stream=bool(row.get("is_stream")),
        status=(200 if kind == "consume" else 500) if is_request else 0,
        quota=-abs(quota) if kind == "refund" else quota,
        prompt_tokens=prompt,
        completion_tokens=completion,
        usage=_usage(prompt, completion, other) if kind == "consume" else "",
        bill=_bill(other) if kind == "consume" else "",
        first_token_ms=max(0, _number(other, "frt")),
        duration_ms=round(float(row.get("use_time") or 0) * 1000),
        end_reason=("done" if kind == "consume" else "error") if is_request else "",
        ip=row.get("ip") or "",
        error="" if kind == "consume" else str(row.get("content") or ""),
    )


def _usage(prompt: int, completion: int, other: Mapping[str, Any]) -> str:
    """Return the buckets as far as New API tells them: of Claude, its prompt tokens are without the cached ones."""
    read, written = _number(other, "cache_tokens"), _number(other, "cache_creation_tokens")
    full = prompt if other.get("claude") else max(0, prompt - read - written)
    buckets = {"input": full, "cache_read": read, "cache_write_5m": written, "output": completion}
    return msgspec.json.encode({name: tokens for name, tokens in buckets.items() if tokens}).decode()


def _bill(other: Mapping[str, Any]) -> str:
    factors = {name: value for name, value in other.items() if name not in _NOT_OF_THE_BILL}
    return msgspec.json.encode(factors).decode() if factors else ""


def _number(row: Mapping[str, Any], name: str) -> int:
    value = row.get(name)
    return int(value) if isinstance(value, int | float) else 0
