"""What a failed attempt means for the next one."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from newapi.base.errors import NewapiError, Unsupported, UpstreamError


def worth_another(error: NewapiError, retry_on: Sequence[str]) -> bool:
    """Return whether another channel may do better.

    Everything that is not the caller's fault may: no connection, no answer, an answer that makes no sense, a stream cut
    before its first event; a status, where `retry_on` (`"429"`, `"5xx"`) has it. So may a format that this channel's
    upstream cannot say, since the next channel may speak the caller's own. Nothing is, once a byte has gone out.
    """
    if isinstance(error, Unsupported):
        return True
    if not isinstance(error, UpstreamError) or error.started:
        return False
    if error.kind != "status":
        return True
    return _matches(error.status, tuple(retry_on)) or _matches(error.upstream_status, tuple(retry_on))


@lru_cache(1024)
def _matches(status: int, patterns: tuple[str, ...]) -> bool:
    return any(p == str(status) or (p[1:] == "xx" and p[:1] == str(status // 100)) for p in patterns)
