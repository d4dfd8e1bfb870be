"""Signing in at a server elsewhere, with a name and a password: what commands keep is an access token."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import msgspec

from newapi.base.errors import CallerError, NewapiError
from newapi.base.secret import Secret
from newapi.ops.remote import call, check, connected

_SECONDS = 30.0


def host_of(server: str) -> str:
    """Return the host of a server's URL, or all of it where it is none."""
    return urlsplit(server).hostname or server


def sign_in(server: str, user: str, password: Secret) -> Secret:
    """Return a new access token of a user; the one of before stops working.

    Raises:
        Unreachable: The server does not answer.
        CallerError: Nobody signs in so.
    """
    with connected(server, timeout=_SECONDS) as http:
        signed_in = http.post("/api/user/login", json={"username": user, "password": password.reveal()})
        told = _told(signed_in.content)
        if not told.get("success"):
            raise CallerError(str(told.get("message") or "Nobody signs in so"), status=401, code="not_signed_in")
        data: Any = told.get("data") or {}
        if data.get("require_2fa"):
            message = f"{user} signs in with a second factor, which this command does not ask for"
            error = CallerError(message, status=401, code="not_signed_in")
            error.hint = "newapi login --token-file FILE takes an access token"
            raise error
        # The cookie is kept by the client; the header says that it is a page of ours that asks.
        answer = http.get("/api/user/token", headers={"new-api-user": str(data.get("id", ""))})
        token = _told(answer.content).get("data")
    if not isinstance(token, str) or not token:
        raise NewapiError(f"{server} gave no access token", code="refused")
    return Secret(token)


def whose(server: str, token: Secret) -> str:
    """Return the name of the user whose access token it is.

    Raises:
        Unreachable: The server does not answer.
        CallerError: It is nobody's.
    """
    answer = call(server, "GET", "/api/user/self", token, timeout=_SECONDS)
    check(answer)
    return str(answer.body["data"]["username"])


def _told(content: bytes) -> dict[str, Any]:
    try:
        return msgspec.json.decode(content, type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise NewapiError(f"The server's answer is not understood: {error}", code="refused") from None
