"""One call, made by the thread that waits for it: tests of channels, their models, their balance. Not for the relay."""

from __future__ import annotations

import httpx

from newapi.base.errors import UpstreamError
from newapi.base.http import HttpCall, HttpReply

REPLY_LIMIT = 64 * 1024 * 1024
"""Bytes of an answer that are taken."""


def perform(call: HttpCall, timeout: float, *, proxy: str = "") -> HttpReply:
    """Make `call` and return the whole reply, whatever its status; redirects are not followed.

    Args:
        call: What to send.
        timeout: Seconds, for the connection and for each silence in the answer.
        proxy: `http://…`, `https://…` or `socks5://…`; "" for none. The environment's is not used.

    Raises:
        UpstreamError: No connection, no answer in time, an answer that is too large, or a URL that is none.
    """
    try:
        with (
            httpx.Client(proxy=proxy or None, trust_env=False, timeout=timeout) as client,
            client.stream(call.method, call.url, headers=list(call.headers), content=call.body or None) as reply,
        ):
            body = bytearray()
            for piece in reply.iter_bytes():
                body += piece
                if len(body) > REPLY_LIMIT:
                    raise UpstreamError("the upstream's answer is too large", kind="malformed")
            headers = tuple((name.lower(), value) for name, value in reply.headers.items())
            return HttpReply(reply.status_code, headers, bytes(body))
    except httpx.TimeoutException:
        raise UpstreamError("the upstream did not answer in time", kind="timeout", status=504) from None
    except httpx.TransportError as error:
        raise UpstreamError(f"no connection to the upstream: {type(error).__name__}", kind="connect") from None
    except (httpx.InvalidURL, ValueError):
        raise UpstreamError("the channel's address or proxy is not a URL", kind="refused") from None
