"""Request ids and callers' addresses."""

from __future__ import annotations

import ipaddress
import os
import time
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import count

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_PREFIX = os.urandom(4).hex()
_COUNT = count(int.from_bytes(os.urandom(3), "big"))


def new_request_id() -> str:
    """Return an id that no other request has: the UTC time to the second, then this process, then a number.

    New API's ids begin with the time too, so that they sort and people can read when it was.
    """
    return f"{_second(int(time.time()))}{_PREFIX}{next(_COUNT) & 0xFFFFFFFF:08x}"


@lru_cache(2)
def _second(now: int) -> str:
    return time.strftime("%Y%m%d%H%M%S", time.gmtime(now))


def networks(written: Sequence[str]) -> tuple[Network, ...]:
    """Return networks as the configuration writes them, `10.0.0.0/8`."""
    return tuple(ipaddress.ip_network(network) for network in written)


def caller_address(peer: str, headers: Mapping[str, str], trusted: Sequence[Network]) -> str:
    """Return the address of the caller: `peer`, or what a trusted proxy says it forwards for.

    `X-Forwarded-For` is read from its end, past every address that is trusted itself, since a caller can put anything
    at its beginning.
    """
    forwarded, real = headers.get("x-forwarded-for", ""), headers.get("x-real-ip", "")
    if not peer or not (forwarded or real) or not _trusted(peer, trusted):
        return peer
    chain = [part.strip() for part in forwarded.split(",") if part.strip()]
    for address in reversed(chain):
        if not _trusted(address, trusted):
            return address
    return chain[0] if chain else real


def _trusted(address: str, networks: Sequence[Network]) -> bool:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(parsed in network for network in networks)
