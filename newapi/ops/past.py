"""A line of New API's log as a line of the log here."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, cast

import msgspec
from msgspec import Struct

from newapi.store.foreign import json_object
from newapi.store.ledger import UsageRecord

_KINDS = {1: "topup", 2: "consume", 3: "manage", 5: "error", 6: "refund"}
"""New API's `type`; anything else is the system's."""
CONSUME = 2
"""Its type of a line of a request that was served."""


class Names(Struct, frozen=True):
    """What the source's ids of users, tokens and channels are here: id and name (and of users the group).

    Attributes:
        made: By `users`, `tokens` and `channels`, when there each was made, unix seconds: the ids of those that are
            deleted may be given again, so an older line is somebody else's.
        repeated: Ids of requests that several lines of what was served have.
    """

    users: Mapping[int, tuple[int, str, str]]
    tokens: Mapping[int, tuple[int, str]]
    channels: Mapping[int, tuple[int, str]]
    made: Mapping[str, Mapping[int, int]] = {}
    repeated: Collection[str] = ()

    def of(self, kind: str, id: int, at: int) -> tuple[int, str] | None:
        """Return the id and the name here of what had that id there at a moment."""
        found = getattr(self, kind).get(id)
        return found[:2] if found and self.made.get(kind, {}).get(id, 0) <= at else None


def record(row: Mapping[str, Any], names: Names) -> UsageRecord:
    """Return a line of the log. The same row gives the same request id, by which it is known a second time.

    New API writes several lines of one request: what was served has the request's id, each of the others its own
    number behind that.
    """
    kind, at = _KINDS.get(row.get("type") or 0, "system"), _number(row, "created_at")
    other = json_object(row.get("other"))
    user_id, user_name = names.of("users", row.get("user_id") or 0, at) or (0, str(row.get("username") or ""))
    token_id, token_name = names.of("tokens", row.get("token_id") or 0, at) or (0, "")
    channel = _number(row, "channel_id")
    unknown = str(row.get("channel_name") or (f"#{channel}" if channel else ""))
    channel_id, channel_name = names.of("channels", channel, at) or (0, unknown)
    quota, model = _number(row, "quota"), str(row.get("model_name") or "")
    prompt, completion = _number(row, "prompt_tokens"), _number(row, "completion_tokens")
    is_request = kind in ("consume", "error")
    request = str(row.get("request_id") or "")
    is_its_line = kind == "consume" and request and request not in names.repeated
    return UsageRecord(
        request_id=request if is_its_line else f"{request or 'log'}-{row['id']}-{at}",
        created_at=float(at),
        kind=kind,
        user_id=user_id,
        user_name=user_name,
        token_id=token_id,
        token_name=str(row.get("token_name") or token_name),
        channel_id=channel_id,
        channel_name=channel_name,
        group=str(row.get("group") or ""),
        model=model,
        upstream_model=str(other.get("upstream_model_name") or model),
        stream=bool(row.get("is_stream")),
        status=(200 if kind == "consume" else _number(other, "status_code") or 500) if is_request else 0,
        quota=-abs(quota) if kind == "refund" else quota,
        prompt_tokens=prompt,
        completion_tokens=completion,
        usage=_usage(prompt, completion, other) if kind == "consume" else "",
        bill=_bill(row, other, kind),
        tries=_tries(other, names, at),
        first_token_ms=max(0, _number(other, "frt")),
        duration_ms=round(_real(row, "use_time") * 1000),
        end_reason=("done" if kind == "consume" else "error") if is_request else "",
        ip=str(row.get("ip") or ""),
        error="" if kind == "consume" else str(row.get("content") or ""),
    )


def _usage(prompt: int, completion: int, other: Mapping[str, Any]) -> str:
    """Return the buckets as far as New API tells them: of Claude, its prompt tokens are without the cached ones."""
    read, written = _number(other, "cache_tokens"), _number(other, "cache_creation_tokens")
    full = prompt if other.get("claude") else max(0, prompt - read - written)
    buckets = {"input": full, "cache_read": read, "cache_write_5m": written, "output": completion}
    return msgspec.json.encode({name: tokens for name, tokens in buckets.items() if tokens}).decode()


def _bill(row: Mapping[str, Any], other: Mapping[str, Any], kind: str) -> str:
    """Return what else New API tells of a line: the factors of the price, and what has no place of its own here."""
    told = dict(other)
    if isinstance(info := other.get("admin_info"), dict):
        told["admin_info"] = {name: value for name, value in info.items() if name != "use_channel"}
    told = {name: value for name, value in told.items() if value not in ({}, None)}
    if kind == "consume" and row.get("content"):
        told["content"] = str(row["content"])
    if row.get("upstream_request_id"):
        told["upstream_request_id"] = str(row["upstream_request_id"])
    return msgspec.json.encode(told).decode() if told else ""


def _tries(other: Mapping[str, Any], names: Names, at: int) -> str:
    """Return the channels that were tried, as far as they are told."""
    info = other.get("admin_info")
    used: Any = cast(dict[str, Any], info).get("use_channel") if isinstance(info, dict) else None
    tries: list[dict[str, Any]] = []
    for id in cast(list[Any], used) if isinstance(used, list) else []:
        found = names.of("channels", int(id), at) if str(id).isdecimal() else None
        number, name = found or (0, f"#{id}")
        tries.append({"channel": name, "channel_id": number, "ms": 0})
    return msgspec.json.encode(tries).decode() if tries else ""


def _number(row: Mapping[str, Any], name: str) -> int:
    return int(_real(row, name))


def _real(row: Mapping[str, Any], name: str) -> float:
    value = row.get(name)
    return value if isinstance(value, int | float) else 0
