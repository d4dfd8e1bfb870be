from __future__ import annotations

import asyncio
import gzip
import zlib
from typing import Any

import pytest

from newapi.base.errors import CallerError
from newapi.server.asgi import CallerGone, read_body, run_until_gone


def receiver(*messages: dict[str, Any]):
    queue = list(messages)

    async def receive() -> dict[str, Any]:
        if queue:
            return queue.pop(0)
        await asyncio.Event().wait()
        raise AssertionError

    return receive


def body(*parts: bytes) -> list[dict[str, Any]]:
    return [{"type": "http.request", "body": p, "more_body": i < len(parts) - 1} for i, p in enumerate(parts)]


@pytest.mark.parametrize("parts", [(b"{}",), (b"{", b"}"), (b"", b"{", b"", b"}")])
async def test_a_body_in_pieces(parts: tuple[bytes, ...]) -> None:
    assert await read_body(receiver(*body(*parts)), 100, 5, {}) == b"{}"


@pytest.mark.parametrize(("encoding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
async def test_a_compressed_body(encoding: str, pack: Any) -> None:
    assert (
        await read_body(receiver(*body(pack(b"hello" * 100))), 1000, 5, {"content-encoding": encoding})
        == b"hello" * 100
    )


@pytest.mark.parametrize(
    ("parts", "encoding", "status"),
    [
        ((b"x" * 101,), "", 413),
        ((b"x" * 60, b"x" * 60), "", 413),
        ((gzip.compress(b"x" * 1_000_000),), "gzip", 413),  # small on the wire
        ((b"not gzip",), "gzip", 400),
        ((b"x",), "br", 415),
    ],
)
async def test_what_is_refused(parts: tuple[bytes, ...], encoding: str, status: int) -> None:
    with pytest.raises(CallerError) as caught:
        await read_body(receiver(*body(*parts)), 2000 if status == 400 else 100, 5, {"content-encoding": encoding})
    assert caught.value.status == status


async def test_what_is_declared_too_large_is_not_read() -> None:
    asked = False

    async def receive() -> dict[str, Any]:
        nonlocal asked
        asked = True
        raise AssertionError

    with pytest.raises(CallerError) as caught:
        await read_body(receive, 100, 5, {"content-length": "101"})
    assert (caught.value.status, asked) == (413, False)


@pytest.mark.parametrize("sent", [(), (b"{",), (b"{", b"x" * 50)])
async def test_a_body_that_does_not_come_to_its_end(sent: tuple[bytes, ...]) -> None:
    parts = ({"type": "http.request", "body": part, "more_body": True} for part in sent)
    with pytest.raises(CallerError) as caught:
        await read_body(receiver(*parts), 100, 0.02, {})
    assert caught.value.status == 408


async def test_a_body_that_trickles_and_one_that_flows() -> None:
    """Neither is ever silent for long; pieces come until the time is over, however long the machine takes for one."""

    async def pieces(size: int) -> bytes:
        until = asyncio.get_running_loop().time() + 0.3

        async def receive() -> dict[str, Any]:
            await asyncio.sleep(0.001)
            more = asyncio.get_running_loop().time() < until
            return {"type": "http.request", "body": b"x" * size, "more_body": more}

        return await read_body(receive, 1 << 30, 0.1, {})

    with pytest.raises(CallerError) as caught:
        await pieces(0)
    assert caught.value.status == 408
    assert await pieces(1 << 16)


@pytest.mark.parametrize("first", [(), ({"type": "http.request", "body": b"{", "more_body": True},)])
async def test_a_caller_who_leaves_while_sending(first: tuple[dict[str, Any], ...]) -> None:
    with pytest.raises(CallerGone):
        await read_body(receiver(*first, {"type": "http.disconnect"}), 100, 5, {})


async def test_work_is_cancelled_when_the_caller_leaves() -> None:
    cleaned = []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cleaned.append(True)

    await asyncio.wait_for(run_until_gone(work(), receiver({"type": "http.disconnect"})), 5)
    assert cleaned == [True]


async def test_work_s_own_error_is_raised() -> None:
    async def work() -> None:
        raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        await run_until_gone(work(), receiver())
