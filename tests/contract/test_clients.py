"""What command-line clients really send, on every upstream format.

The requests in `tests/golden/clients` were recorded of the clients themselves, with their texts and lists of tools cut
short. `lost` says what of a request each upstream is not told.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from msgspec import Struct

from newapi.ir.request import CustomTool, Tool
from newapi.ir.tools import fit
from newapi.server.routing import routes
from tests.contract.conftest import key
from tests.support.stack import Stack

CASES = sorted((Path(__file__).parents[1] / "golden" / "clients").glob("*.json"))
ENDS = {
    "anthropic_messages": "event: message_stop",
    "openai_responses": "event: response.completed",
    "openai_chat": "data: [DONE]",
    "gemini": '"finishReason":"STOP"',
}
TOLD = ("HERON", "invalid agent id")
"""What tools had answered in the recordings."""


class Recorded(Struct):
    """One request of a client. `path` and `body` name the client's model, which the gateway of a test does not have."""

    client: str
    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    lost: dict[str, list[str]]


@pytest.mark.parametrize("case", CASES, ids=[c.stem for c in CASES])
def test_a_real_request_is_served(gateway: Stack, upstream: str, model: str, case: Path) -> None:
    said = msgspec.json.decode(case.read_bytes(), type=Recorded)
    path = said.path
    if "model" in said.body:
        said.body["model"] = model
    else:
        path = f"/v1beta/models/{model}:{said.path.rpartition(':')[2]}"
    raw = msgspec.json.encode(said.body)
    headers = {**said.headers, "authorization": f"Bearer {key(upstream)}", "content-type": "application/json"}
    answer = httpx.post(gateway.url + path, content=raw, headers=headers, timeout=20)
    assert answer.status_code == 200, answer.text
    found = routes().find(path.partition("?")[0])
    assert found is not None
    entry, route, params = found
    if route.endpoint == "count_tokens":
        assert answer.json()["input_tokens"] > 0
        return
    streamed = said.body.get("stream") or "streamGenerateContent" in path
    assert ENDS[entry.name] in answer.text if streamed else answer.json()
    sent = gateway.mock.seen[-1][1].decode()
    assert entry.read_request is not None
    request = entry.read_request(raw, params)
    if entry.name != upstream:
        request, _ = fit(request)
    for tool in request.tools:
        if isinstance(tool, Tool | CustomTool):
            assert f'"{tool.name.rpartition("::")[2]}"' in sent
    for told in TOLD:
        assert (told in sent) == (told.encode() in raw)
    losses = gateway.rows()[-1].losses
    assert msgspec.json.decode(losses or "[]") == said.lost.get(upstream, [])
