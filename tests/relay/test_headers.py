"""Headers set by the operator."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newapi.base.errors import UpstreamError
from newapi.base.http import HttpCall
from newapi.base.secret import Secret
from newapi.relay.headers import NEVER_PASSED, Template, apply_headers

CALL = HttpCall("POST", "https://up/", (("authorization", "Bearer K"), ("content-type", "application/json")), b"{}")
OWN = dict(CALL.headers)
CLIENT = {
    "authorization": "Bearer mine",
    "cookie": "c",
    "host": "h",
    "accept-encoding": "gzip",
    "x-api-key": "mine",
    "x-trace-id": "t",
    "x-team": "blue",
    "user-agent": "ua",
}


def sent(overrides: dict[str, str], changes: dict[str, str | None] | None = None) -> dict[str, str]:
    call = apply_headers(CALL, overrides, key=Secret("K"), client_headers=CLIENT, changes=changes)
    assert (call.method, call.url, call.body) == (CALL.method, CALL.url, CALL.body)
    names = [k for k, _ in call.headers]
    assert len(names) == len(set(names))
    return dict(call.headers)


@pytest.mark.parametrize(
    ("overrides", "added"),
    [
        ({}, {}),
        ({" X-Team ": " red "}, {"x-team": "red"}),
        ({"Authorization": "Bearer {api_key}-x"}, {"authorization": "Bearer K-x"}),
        ({"X-Empty": ""}, {}),
        ({"X-T": "{client_header:X-Trace-Id}"}, {"x-t": "t"}),
        ({"X-T": "{client_header:Absent}"}, {}),
        ({"Host": "other"}, {"host": "other"}),
        ({"*": ""}, {"x-trace-id": "t", "x-team": "blue", "user-agent": "ua"}),
        ({"re:^X-Trace": ""}, {"x-trace-id": "t"}),
        ({"regex:^x-t": ""}, {"x-trace-id": "t", "x-team": "blue"}),
        ({"x-team": "red", "*": ""}, {"x-trace-id": "t", "x-team": "red", "user-agent": "ua"}),
        # an explicit name may say what a rule may not
        ({"Cookie": "{client_header:cookie}"}, {"cookie": "c"}),
    ],
)
def test_overrides(overrides: dict[str, str], added: dict[str, str]) -> None:
    assert sent(overrides) == OWN | added


@pytest.mark.parametrize(
    ("overrides", "changes", "added"),
    [
        ({"X-Team": "red"}, {"x-team": None}, {}),
        ({"X-Team": "red"}, {"x-team": "green"}, {"x-team": "green"}),
        ({}, {"X-A": Template("k={api_key}")}, {"x-a": "k=K"}),
        ({}, {"x-a": Template("{client_header:x-team}")}, {"x-a": "blue"}),
        # what a caller said is not filled in
        ({}, {"x-a": "{api_key}"}, {"x-a": "{api_key}"}),
        ({}, {"x-a": "{client_header:authorization}"}, {"x-a": "{client_header:authorization}"}),
        ({}, {"x-a": "  "}, {}),
    ],
)
def test_changes(overrides: dict[str, str], changes: dict[str, str | None], added: dict[str, str]) -> None:
    assert sent(overrides, changes) == OWN | added


@pytest.mark.parametrize(
    "overrides",
    [
        {"X-T": "a {client_header:X-Trace-Id}"},
        {"re:": ""},
        {"re:(": ""},
        {"bad name": "x"},
        {"": "x"},
        {"X-A": "a\r\nx-b: c"},
    ],
)
def test_what_makes_no_sense(overrides: dict[str, str]) -> None:
    with pytest.raises(UpstreamError) as caught:
        sent(overrides)
    assert caught.value.code == "channel:header_override_invalid"
    assert caught.value.kind == "refused"


def test_a_callers_value_with_a_line_break_is_refused() -> None:
    with pytest.raises(UpstreamError):
        sent({}, {"x-a": "a\nb"})


@given(
    rule=st.sampled_from(["*", "re:.", "re:.*", "regex:(?i)a"]), names=st.sets(st.sampled_from(sorted(NEVER_PASSED)))
)
def test_no_rule_passes_on_what_is_for_us(rule: str, names: set[str]) -> None:
    call = apply_headers(CALL, {rule: ""}, key=Secret("K"), client_headers=dict.fromkeys(names, "mine"))
    assert call == CALL
