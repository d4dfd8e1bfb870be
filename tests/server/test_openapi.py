"""The OpenAPI document says what the routes are and what they read; and no request at all is answered with a 5xx."""

from __future__ import annotations

import itertools
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any
from urllib.parse import quote

import httpx
import msgspec
import pytest
from anyio.from_thread import start_blocking_portal
from hypothesis import given
from hypothesis import strategies as st
from litestar import Litestar

from newapi.base.errors import UpstreamError
from newapi.base.http import HttpReply
from newapi.server.app import create_app
from newapi.server.openapi import document, plain
from newapi.server.routes.admin.auth import MAX_BODY, Call
from tests.server.conftest import PASSWORD, Browser, Server
from tests.support import strategies
from tests.support.strategies import encoded, not_json, shaped, texts, values

DOCUMENT = document()
OPERATIONS = [(m.upper(), p) for p, methods in DOCUMENT["paths"].items() for m in methods]
TAGS = sorted({operation["tags"][0] for methods in DOCUMENT["paths"].values() for operation in methods.values()})


KEYS = b'{"channel_id": 1, "action": "get_key_status", %s}'


async def fill(root: Browser) -> None:
    """Make one of each thing, with the id 1 where there was none."""
    row = {"name": "a", "type": 1, "key": "sk-a\nsk-b", "models": "m,n", "group": "default", "tag": "t"}
    await root.do("POST", "/api/channel/", {"mode": "multi_to_single", "channel": row})
    await root.do("POST", "/api/channel/", {"mode": "single", "channel": {**row, "name": "b", "key": "sk-c"}})
    await root.do("POST", "/api/token/", {"name": "a", "unlimited_quota": True})
    await root.do("POST", "/api/user/", {"username": "sam", "password": PASSWORD})
    await root.do("POST", "/api/redemption/", {"name": "a", "quota": 5})
    await root.do("POST", "/api/vendors/", {"name": "a"})
    await root.do("POST", "/api/models/", {"model_name": "m", "vendor_id": 1})
    await root.do("POST", "/api/prefill_group/", {"name": "a", "type": "model", "items": ["m"]})


def litestar_of(app: Any) -> Litestar:
    """Return the Litestar application within ours."""
    return next(c.cell_contents for c in app.__closure__ if isinstance(c.cell_contents, Litestar))


def test_every_route_is_described_and_nothing_else(server: Server) -> None:
    registered = {
        (method, plain(route.path_format if hasattr(route, "path_format") else route.path))
        for route in litestar_of(create_app(server.runtime)).routes
        for method in route.methods  # type: ignore[union-attr]
        if method != "OPTIONS"
    }
    assert set(OPERATIONS) == registered


def test_it_is_whole() -> None:
    text = msgspec.json.encode(DOCUMENT).decode()
    names = [operation["operationId"] for methods in DOCUMENT["paths"].values() for operation in methods.values()]
    assert len(names) == len(set(names))
    for reference in re.findall(r'"\$ref":"#/([^"]+)"', text):
        found: Any = DOCUMENT
        for part in reference.split("/"):
            found = found[part]
    for method, path in OPERATIONS:
        operation = DOCUMENT["paths"][path][method.lower()]
        assert operation["summary"], path
        parameters = operation.get("parameters", [])
        assert re.findall(r"{(\w+)}", path) == [p["name"] for p in parameters if p.get("in") == "path"]


@pytest.mark.parametrize(("who", "status"), [("root", 200), ("boss", 200), ("sam", 200), ("", 401)])
async def test_it_is_for_administrators(server: Server, root: Browser, who: str, status: int) -> None:
    for name, role in (("boss", "admin"), ("sam", "user")):
        await server.user(name, role=role)
    browser = await server.signed_in(who) if who else server.browser()
    answer = await browser.ask("GET", "/api/openapi.json")
    assert answer.status_code == status
    assert ("paths" in answer.json()) is (who in ("root", "boss"))


async def test_a_body_that_is_too_large_is_refused_in_the_envelope(root: Browser) -> None:
    answer = await root.ask("POST", "/api/user/", headers={"content-type": "x"}, content=b"x" * (MAX_BODY + 1))
    assert (answer.status_code, answer.json()["success"]) == (413, False)


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/api/user/", b'{"username": "\xff"}', 200),
        ("/api/models/", b'{"model_name": ' + b"[" * 5000, 200),
        ("/api/config/diff", b"a = " + b"[" * 5000, 400),
        ("/api/config/diff", b"a = '\xff'", 400),
        ("/api/manage/tokens", b'{"name": "a", "spec": {"key": "no reference"}}', 400),
    ],
)
async def test_a_body_that_no_parser_takes_is_the_caller_s(root: Browser, path: str, body: bytes, status: int) -> None:
    answer = await root.ask("POST", path, content=body)
    assert (answer.status_code, answer.json()["success"]) == (status, False), answer.text


@pytest.mark.parametrize(
    ("method", "path", "body", "said"),
    [
        ("PUT", "/api/channel/", b'{"id": 1, "status": {}}', "status is 1"),
        ("POST", "/api/channel/multi_key/manage", KEYS % b'"page_size": "x"', "no id"),
        ("POST", "/api/channel/multi_key/manage", KEYS % b'"page": [1]', "page is missing"),
        ("GET", "/api/manage/logs?status=", b"", "status is ok"),
        ("GET", "/api/manage/logs?status=" + "9" * 5000, b"", "status is ok"),
        ("GET", "/api/manage/logs?limit=-1", b"", "limit and offset"),
        ("GET", "/api/user/search?role=" + "9" * 5000, b"", "there is no role"),
    ],
)
async def test_what_is_no_number_is_the_caller_s(root: Browser, method: str, path: str, body: bytes, said: str) -> None:
    await fill(root)
    answer = await root.ask(method, path, content=body)
    assert answer.status_code < 500, answer.text
    assert answer.json()["success"] is False
    assert said in answer.json()["message"]


# -- anything at all -------------------------------------------------------------------------------


class Listening(dict[str, str]):
    """A query that holds what is read of it against what the document says is read."""

    def __init__(self, said: Mapping[str, str], described: tuple[str, ...]) -> None:
        super().__init__(said)
        self.described = described

    def get(self, name: str, default: Any = None) -> Any:
        assert name in self.described, f"{name} is read from the query, and not described"
        return super().get(name, default)


@pytest.fixture
def _listened_to(monkeypatch: pytest.MonkeyPatch) -> None:
    init, read = Call.__init__, Call.read

    def listening(self: Call, door: Any, request: Any, body: bytes) -> None:
        init(self, door, request, body)
        self.asked = request.scope["route_handler"].opt["asked"]  # type: ignore[attr-defined]
        self.query = Listening(self.query, self.asked.query)  # type: ignore[attr-defined]

    def reading(self: Call, type: Any) -> Any:
        assert self.asked.body is not None, "a body is read, and not described"  # type: ignore[attr-defined]
        return read(self, type)

    monkeypatch.setattr(Call, "__init__", listening)
    monkeypatch.setattr(Call, "read", reading)


@pytest.fixture
def _odd_upstreams(monkeypatch: pytest.MonkeyPatch) -> None:
    """Upstreams that answer anything, or not at all."""
    bodies = [
        b"{}",
        b"[]",
        b"",
        b"null",
        b'{"data":[1,{"id":2}]}',
        b'{"error":"x"}',
        b'{"choices":[]}',
        b"\xff",
        b'"a"',
    ]
    answers = itertools.cycle([None, *((status, body) for body in bodies for status in (200, 500))])

    def perform(*_: Any, **__: Any) -> HttpReply:
        answer = next(answers)
        if answer is None:
            raise UpstreamError("nobody is there", kind="connect")
        return HttpReply(answer[0], {"content-type": "application/json"}, answer[1])

    monkeypatch.setattr("newapi.ops.channel_probe.perform", perform)


@pytest.fixture
def ask(server: Server, _listened_to: None, _odd_upstreams: None) -> Iterator[Callable[..., httpx.Response]]:
    """A caller that root's session stands behind, unless it is told to show something else."""
    server.runtime.live.end()  # so that the live stream ends after what there is to be told at once
    # In a thread of its own: a runner here would leave this thread without the event loop that other tests' plugin made.
    with start_blocking_portal() as portal:

        def run(awaitable: Awaitable[Any]) -> Any:
            return portal.call(lambda: awaitable)

        browser = server.browser()
        run(browser.sign_in("root"))
        run(fill(browser))

        def ask(method: str, url: str, headers: Mapping[str, str], body: bytes) -> httpx.Response:
            if browser.user is None:
                run(browser.sign_in("root"))
            sent = run(
                browser.ask(method, url, headers={k: v.encode("latin-1") for k, v in headers.items()}, content=body)
            )
            if sent.status_code == 401 or "logout" in url:
                browser.user = None
                browser.http.cookies.clear()
            return sent

        yield ask
        run(browser.http.aclose())


TOMLS = [
    b'version = 1\n[channels.a]\ntype = "openai"\nkey = "env:NOTHING"\n',
    b'[groups.default]\nratio = "x"\n[groups.b]\nratio = 1e999\n',
    b'[tokens.a]\nlimit = 99999999999999999999\n[users."\\u0000"]\n',
    b'include = ["/etc/passwd", "*"]\n',
    b'[server]\nlisten = 3\ndatabase = "sqlite://"\nmaster_key = "file:/nowhere"\n',
    b"[models.x]\nratio = -1\n[prices]\n[routing]\nretries = -5\n",
    b"a = " + b"[" * 5000,
]

ids = st.sampled_from(["1", "2", "0", "-1", "9" * 18, "9" * 30, "x", "1.5", "%00", "%ff", "%ED%A0%80", "..", "a%2Fb"])
credentials = st.sampled_from(
    [{}] * 8
    + [
        {"new-api-user": ""},
        {"new-api-user": "7"},
        {"cookie": "session=x"},
        {"cookie": 'session="\\777'},
        {"authorization": "Bearer \xff"},
        {"authorization": "nobody", "cookie": "session="},
        {"x-forwarded-for": "nonsense,,"},
        {"content-type": "application/x-www-form-urlencoded"},
        {"content-type": "multipart/form-data; boundary="},
        {"content-type": "x; charset=nothing"},
        {"content-encoding": "gzip"},
    ]
)


@st.composite
def requests(draw: st.DrawFn, method: str, path: str) -> tuple[str, str, dict[str, str], bytes]:
    operation = DOCUMENT["paths"][path][method.lower()]
    method = draw(st.sampled_from([method] * 9 + ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]))
    url = re.sub(r"{\w+}", lambda _: draw(ids), path) + draw(st.sampled_from(["", "/"]))
    pairs: list[str] = []
    for parameter in operation.get("parameters", ()):
        if parameter.get("in") == "query" and draw(st.booleans()):
            value = draw(texts() | shaped(parameter["schema"]))
            text = value if isinstance(value, str) else encoded(value).decode()
            pairs.append(f"{parameter['name']}={quote(text.encode('utf-8', 'surrogatepass'), safe='')}")
    pairs += draw(st.lists(st.sampled_from(["&", "=", "%", "a=%ff", "p=1&p=2", "[]=1", "%00=1", "key="]), max_size=1))
    body, content = b"", operation.get("requestBody", {}).get("content", {})
    if "application/toml" in content:
        body = draw(st.sampled_from(TOMLS) | texts().map(lambda t: t.encode("utf-8", "replace")) | not_json())
    elif "application/json" in content:
        schema = content["application/json"]["schema"]
        body = draw(st.one_of(*[shaped(schema).map(encoded)] * 6, values().map(encoded), not_json()))
    elif method != "GET":
        body = draw(not_json() | values(3).map(encoded))
    return method, url + ("?" + "&".join(pairs) if pairs else ""), dict(draw(credentials)), body


@pytest.mark.slow
@pytest.mark.parametrize("tag", TAGS)
def test_nothing_is_answered_with_a_5xx(ask: Callable[..., httpx.Response], tag: str) -> None:
    mine = [(m, p) for m, p in OPERATIONS if DOCUMENT["paths"][p][m.lower()]["tags"][0] == tag]
    for method, path in mine:
        anything(ask, method, path)


def anything(ask: Callable[..., httpx.Response], method: str, path: str) -> None:
    @strategies.fed(MAX_EXAMPLES)
    @given(requests(method, path))
    def fed(sent: tuple[str, str, dict[str, str], bytes]) -> None:
        answer = ask(*sent)
        told = f"{sent[0]} {sent[1][:300]} {sent[2]} {sent[3][:600]!r}: {answer.status_code} {answer.text[:300]}"
        assert answer.status_code < 500, told
        if sent[0] == "HEAD" or not answer.headers.get("content-type", "").startswith("application/json"):
            assert sent[0] in ("HEAD", "OPTIONS") or answer.status_code == 200, told
            return
        said = answer.json()
        if answer.status_code in (404, 405):
            assert {"error"} == set(said) or said["success"] is False, told
        elif path.startswith("/api/") and "openapi.json" not in path and "usage/token" not in path:
            assert isinstance(said["success"], bool), told
            assert said["success"] or said["message"], told

    fed()


MAX_EXAMPLES = 12
"""Requests for each operation."""
