"""What a token may know of itself: its log and its usage, as New API's scripts ask for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from litestar import Request, Response, get
from litestar.handlers import HTTPRouteHandler

from newapi.base.errors import CallerError
from newapi.relay.admit import find_token
from newapi.relay.gateway import Gateway
from newapi.relay.snapshot import TokenEntry
from newapi.server.logrow import own_row
from newapi.store.ledger import RecordFilter, StoredRecord

ROWS = 1000
"""Lines of the log that are given at the most: the latest."""

Query = Callable[[RecordFilter], list[StoredRecord]]


def account_routes(gateway: Gateway, query: Query) -> list[HTTPRouteHandler]:
    """Return the handlers. `query` reads the log, in a thread."""

    def token_of(request: Request[Any, Any, Any]) -> TokenEntry:
        """Return the token that is shown, expired or exhausted ones too: they may still ask what they used."""
        headers = dict(request.headers.items())
        token = find_token(gateway.snapshot, headers, request.query_params.get("key", ""))[0]
        if not token.enabled:
            raise CallerError("This token is disabled", status=401)
        user = gateway.snapshot.users.get(token.user_id)
        if user is None or not user.enabled:
            raise CallerError("User has been banned", status=403)
        return token

    @get("/api/log/token", sync_to_thread=True)
    def log(request: Request[Any, Any, Any]) -> Response[Any]:
        """Return the latest lines of the log of the token that is shown, without how they were routed."""
        try:
            token = token_of(request)
        except CallerError as error:
            return Response({"success": False, "message": error.message}, status_code=error.status)
        rows = query(RecordFilter(token_id=token.id, limit=ROWS))
        return Response({"success": True, "message": "", "data": [own_row(r) for r in rows]})

    @get("/api/usage/token", sync_to_thread=True)
    def usage(request: Request[Any, Any, Any]) -> Response[Any]:
        """Return what the token that is shown has used, and has left."""
        try:
            token = token_of(request)
        except CallerError as error:
            return Response({"success": False, "message": error.message}, status_code=error.status)
        left, used = gateway.ledger.account(token.id)
        data = {
            "object": "token_usage",
            "name": token.name,
            "total_granted": used + (left or 0),
            "total_used": used,
            "total_available": left or 0,
            "unlimited_quota": left is None,
            "model_limits": {} if token.models is None else dict.fromkeys(sorted(token.models.exact), True),
            "model_limits_enabled": token.models is not None,
            "expires_at": int(token.expires_at),
        }
        return Response({"code": True, "message": "ok", "data": data})

    return [log, usage]
