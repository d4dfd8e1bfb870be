from __future__ import annotations

import ipaddress

import pytest

from newapi.server.ids import caller_address, new_request_id

TRUSTED = tuple(ipaddress.ip_network(n) for n in ("127.0.0.1/32", "10.0.0.0/8"))


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("203.0.113.5", "", "203.0.113.5"),
        ("203.0.113.5", "1.2.3.4", "203.0.113.5"),  # anyone can send the header
        ("127.0.0.1", "1.2.3.4", "1.2.3.4"),
        ("127.0.0.1", "6.6.6.6, 1.2.3.4", "1.2.3.4"),  # the caller made the first one up
        ("127.0.0.1", "1.2.3.4, 10.0.0.7", "1.2.3.4"),
        ("127.0.0.1", "10.1.1.1, 10.0.0.7", "10.1.1.1"),
        ("127.0.0.1", "", "127.0.0.1"),
        ("", "1.2.3.4", ""),  # a Unix socket has no address
    ],
)
def test_the_caller_s_address(peer: str, forwarded: str, address: str) -> None:
    headers = {"x-forwarded-for": forwarded} if forwarded else {}
    assert caller_address(peer, headers, TRUSTED) == address


def test_request_ids_differ() -> None:
    assert len({new_request_id() for _ in range(10_000)}) == 10_000
