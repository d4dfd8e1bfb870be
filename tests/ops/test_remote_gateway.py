"""What only a server's log, or a server that is not ours, can show; the rest is tested in tests/e2e."""

from __future__ import annotations

from itertools import islice
from typing import Any

import msgspec
import pytest

from newapi.base.errors import CallerError, NewapiError, NotFound
from newapi.base.secret import Secret
from newapi.ops import remote_gateway
from newapi.ops.remote import Answer
from newapi.ops.remote_gateway import RemoteGateway
from newapi.store.ledger import RecordFilter, StoredRecord

ROWS = [StoredRecord(request_id=f"r{i}", created_at=1.5, id=i, quota=i, bill='{"a":1}') for i in range(1, 6)]
Asked = list[tuple[str, str, str]]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    """A server with three lines in its log, and two that come later; what it was asked, and with which token."""
    seen: Asked = []

    def call(server: str, method: str, path: str, token: Secret | None, *_: Any, **__: Any) -> Answer:
        seen.append((method, path, token.reveal() if token else ""))
        told: Any = 3
        if "last-log" not in path:
            told = ROWS[3:] if "after_id=3" in path else [] if "after_id" in path else ROWS[:3]
        return Answer(200, msgspec.json.decode(msgspec.json.encode({"success": True, "data": told})))

    monkeypatch.setattr(remote_gateway, "call", call)
    return seen


def test_the_log_is_what_it_is_there(asked: Asked) -> None:
    there = RemoteGateway("https://gw.test", Secret("t"))
    wanted = RecordFilter(since=1.0, model="a&b", limit=0)
    assert there.records(wanted) == ROWS[:3]
    (method, path, token), *_ = asked
    assert (method, token) == ("GET", "t")
    assert path == "/api/manage/logs?since=1.0&model=a%26b&patterns=False&limit=0&offset=0"


def test_a_log_is_followed(asked: Asked) -> None:
    waited: list[int] = []

    def wait() -> None:
        waited.append(len(asked))
        if len(waited) == 2:
            raise KeyboardInterrupt

    lines = RemoteGateway("https://gw.test", Secret("t")).follow(RecordFilter(), wait)
    assert list(islice(lines, 5)) == ROWS
    with pytest.raises(KeyboardInterrupt):
        next(lines)
    assert "after_id=5" in asked[-1][1]


@pytest.mark.parametrize(
    ("status", "body", "type_", "said"),
    [
        (
            404,
            {"success": False, "message": "There is no token", "code": "not_found", "hint": "h"},
            NotFound,
            "no token",
        ),
        (404, {"error": {"message": "Invalid URL"}}, NotFound, "404"),
        (
            403,
            {"success": False, "message": "not yours", "code": "access_denied", "hint": ""},
            CallerError,
            "not yours",
        ),
        (200, {"success": True, "data": {"name": 3}}, NewapiError, "not understood"),
        (502, "<html>", NewapiError, "<html>"),
    ],
)
def test_a_server_s_failure_is_one_here(
    monkeypatch: pytest.MonkeyPatch, status: int, body: Any, type_: type[NewapiError], said: str
) -> None:
    monkeypatch.setattr(remote_gateway, "call", lambda *_, **__: Answer(status, body))
    with pytest.raises(type_, match=said) as told:
        RemoteGateway("https://gw.test", None).token("x")
    assert told.value.hint == (body.get("hint", "") if isinstance(body, dict) else "")
