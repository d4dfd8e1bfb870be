"""Parameter overrides, mode by mode."""

from __future__ import annotations

from contextlib import suppress
from copy import deepcopy
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from newapi.base.errors import CallerError, UpstreamError
from newapi.relay import _override_path as paths
from newapi.relay.headers import Template
from newapi.relay.override import apply_params, compile_operations


def run(body: Any, *operations: dict[str, Any], params: dict[str, Any] | None = None, **context: Any) -> Any:
    return apply_params(deepcopy(body), params or {}, compile_operations(operations), context).body


def headers(*operations: dict[str, Any], own: Any = None, client: Any = None, body: Any = None) -> dict[str, Any]:
    context = {"header_override": own or {}, "request_headers": client or {}}
    return dict(apply_params(body or {}, {}, compile_operations(operations), context).headers)


def op(mode: str, path: str = "", value: Any = None, **more: Any) -> dict[str, Any]:
    return {"mode": mode, "path": path, "value": value, **{k.rstrip("_"): v for k, v in more.items()}}


MODES: list[tuple[dict[str, Any], Any, Any]] = [
    # set
    (op("set", "a.b", 1), {}, {"a": {"b": 1}}),
    (op("set", "a.b", 1), {"a": "text"}, {"a": {"b": 1}}),
    (op("set", r"a\.b", 1), {}, {"a.b": 1}),
    (op("set", "a"), {}, {"a": None}),
    (op("set", "a", 2, keep_origin=True), {"a": None}, {"a": None}),
    (op("set", "a", 2, keep_origin=True), {}, {"a": 2}),
    (op("set", "a.1", "x"), {"a": [0, 1]}, {"a": [0, "x"]}),
    (op("set", "a.-1", "x"), {"a": [0, 1]}, {"a": [0, "x"]}),
    (op("set", "a.-1", "x"), {"a": []}, {"a": ["x"]}),
    (op("set", "a.3", "x"), {"a": [0]}, {"a": [0, None, None, "x"]}),
    (op("set", "a.0.b", 1), {}, {"a": [{"b": 1}]}),
    (op("set", "a.:0.b", 1), {}, {"a": {"0": {"b": 1}}}),
    (op("set", "a.*.b", 1), {"a": [{}, {"b": 0}, 3]}, {"a": [{"b": 1}, {"b": 1}, 3]}),
    (op("set", "a.*.0", 1), {"a": [[5], []]}, {"a": [[1], []]}),
    (op("set", "a.*.b", 1), {"a": {"y": {}, "0": {}}}, {"a": {"y": {"b": 1}, "0": {"b": 1}}}),
    (op("set", "nothing.*.b", 1), {"a": 1}, {"a": 1}),
    (op("set", 'm.#(role=="user")#.c', 1), {"m": [{"role": "user"}, {"role": "x"}, {"role": "user"}]}, {"m": [{"role": "user", "c": 1}, {"role": "x"}, {"role": "user", "c": 1}]}),
    (op("set", 'm.#(role=="user").c', 1), {"m": [{"role": "user"}, {"role": "user"}]}, {"m": [{"role": "user", "c": 1}, {"role": "user"}]}),
    # delete
    (op("delete", "a.b"), {"a": {"b": 1, "c": 2}}, {"a": {"c": 2}}),
    (op("delete", "a.b"), {"a": 1}, {"a": 1}),
    (op("delete", ""), {"a": 1}, {"a": 1}),
    (op("delete", "a.-1"), {"a": [1, 2]}, {"a": [1]}),
    (op("delete", "a.*"), {"a": [1, 2, 3, 4]}, {"a": []}),
    (op("delete", "a.*.b"), {"a": [{"b": 1}, {"c": 1}]}, {"a": [{}, {"c": 1}]}),
    (op("delete", "a.*"), {"a": {"x": 1, ":y": 2, "0": 3}}, {"a": {}}),
    # copy, move
    (op("copy", from_="a", to="b.c"), {"a": [1]}, {"a": [1], "b": {"c": [1]}}),
    (op("copy", from_="x", to="b"), {"a": 1}, {"a": 1}),
    (op("copy", from_='m.#(r=="u").c', to="b"), {"m": [{"r": "u", "c": 7}]}, {"m": [{"r": "u", "c": 7}], "b": 7}),
    (op("copy", from_="m.#", to="n"), {"m": [1, 2]}, {"m": [1, 2], "n": 2}),
    (op("move", from_="max_tokens", to="max_completion_tokens"), {"max_tokens": 5}, {"max_completion_tokens": 5}),
    (op("move", from_="x", to="y"), {"a": 1}, {"a": 1}),
    # append, prepend
    (op("append", "a", "!"), {"a": "x"}, {"a": "x!"}),
    (op("append", "a", 5), {"a": "x"}, {"a": "x5"}),
    (op("prepend", "a", {"b": 1}), {"a": "x"}, {"a": '{"b":1}x'}),
    (op("append", "a", 3), {"a": [1]}, {"a": [1, 3]}),
    (op("append", "a", [3, 4]), {"a": [1]}, {"a": [1, 3, 4]}),
    (op("prepend", "a", [3, 4]), {"a": [1]}, {"a": [3, 4, 1]}),
    (op("append", "a", {"x": 2, "y": 2}), {"a": {"x": 1}}, {"a": {"x": 2, "y": 2}}),
    (op("append", "a", {"x": 2, "y": 2}, keep_origin=True), {"a": {"x": 1, "y": None}}, {"a": {"x": 1, "y": 2}}),
    (op("append", "m.-1.c", "!!"), {"m": [{"c": "a"}, {"c": "b"}]}, {"m": [{"c": "a"}, {"c": "b!!"}]}),
    # strings
    (op("trim_prefix", "a", "x-"), {"a": "x-x-y"}, {"a": "x-y"}),
    (op("trim_suffix", "a", "-y"), {"a": "x-y"}, {"a": "x"}),
    (op("ensure_prefix", "a", "o/"), {"a": "m"}, {"a": "o/m"}),
    (op("ensure_prefix", "a", "o/"), {"a": "o/m"}, {"a": "o/m"}),
    (op("ensure_suffix", "a", "!"), {"a": "m"}, {"a": "m!"}),
    (op("trim_space", "a"), {"a": " m\n"}, {"a": "m"}),
    (op("to_lower", "a"), {"a": "Mx"}, {"a": "mx"}),
    (op("to_upper", "a"), {"a": "Mx"}, {"a": "MX"}),
    (op("to_upper", "t.*.function.name"), {"t": [{"function": {"name": "a"}}, {}]}, {"t": [{"function": {"name": "A"}}, {}]}),
    (op("replace", "a", from_="a.", to="b"), {"a": "a.a.ab"}, {"a": "bbab"}),
    (op("regex_replace", "a", from_=r"^(\w+)-(?P<n>\d+)$", to="${n}$$$1$9"), {"a": "gpt-4"}, {"a": "4$gpt"}),
    # prune_objects
    (op("prune_objects", "", "thinking"), {"type": "thinking", "m": [{"type": "thinking"}, {"c": [{"type": "thinking"}, 1]}], "o": {"type": "thinking"}}, {"type": "thinking", "m": [{"c": [1]}]}),
    (op("prune_objects", "m", {"where": {"a": 1, "b": 2}}), {"m": [{"a": 1}, {"a": 1, "b": 2}]}, {"m": [{"a": 1}]}),
    (op("prune_objects", "m", {"where": {"a": 1, "b": 2}, "logic": "OR"}), {"m": [{"a": 1}, {"b": 3}]}, {"m": [{"b": 3}]}),
    (op("prune_objects", "m", {"type": "x", "recursive": False}), {"m": [{"type": "x"}, {"c": [{"type": "x"}]}]}, {"m": [{"c": [{"type": "x"}]}]}),
    (op("prune_objects", "m", {"conditions": [{"path": "t", "mode": "prefix", "value": "re"}]}), {"m": [{"t": "red"}, {"t": "blue"}]}, {"m": [{"t": "blue"}]}),
    (op("prune_objects", "", "string"), {"s": {"type": ["string", "null"]}}, {"s": {"type": ["string", "null"]}}),
    (op("prune_objects", "nothing", "x"), {"a": 1}, {"a": 1}),
]  # fmt: skip


@pytest.mark.parametrize(("operation", "body", "after"), MODES)
def test_modes(operation: dict[str, Any], body: Any, after: Any) -> None:
    assert run(body, operation) == after


FAULTS: list[tuple[dict[str, Any], Any, str]] = [
    ({"path": "a"}, {}, "no mode"),
    (op("normalize_thinking_signature"), {}, "unknown operation"),
    (op("set", ""), {}, "path is empty"),
    (op("set", "a.b", 1), {"a": []}, "no place in a list"),
    (op("set", "a.-3", 1), {"a": [1]}, "no place in a list"),
    (op("set", "a.9999999", 1), {"a": []}, "too far"),
    (op("set", "a.#(b", 1), {}, "does not end"),
    (op("delete", "a.#"), {}, "no path to delete by"),
    (op("copy", from_="a"), {}, "from and to"),
    (op("copy", from_="a", to="b.*"), {}, "single place"),
    (op("move", from_="a.*", to="b"), {}, "move from"),
    (op("append", "a", 1), {"a": 5}, "not supported for type: number"),
    (op("append", "a", 1), {}, "not supported for type: null"),
    (op("append", "a", 1), {"a": {}}, "only be joined with an object"),
    (op("to_lower", "a"), {"a": 1}, "not supported for type"),
    (op("to_lower", "a"), {}, "not supported for type"),
    (op("trim_prefix", "a"), {"a": "x"}, "trim value is required"),
    (op("ensure_suffix", "a", ""), {"a": "x"}, "ensure value is required"),
    (op("replace", "a", to="x"), {"a": "x"}, "replace from is required"),
    (op("regex_replace", "a"), {"a": "x"}, "regex pattern is required"),
    (op("regex_replace", "a", from_="("), {"a": "x"}, "regular expression"),
    (op("return_error", value=""), {}, "message"),
    (op("return_error", value={"message": "m", "status": 700}), {}, "HTTP status"),
    (op("return_error", value={"message": "m", "status": "400"}), {}, "HTTP status"),
    (op("return_error", value={"message": "m", "status": 400.5}), {}, "HTTP status"),
    (op("prune_objects", "a", {}), {}, "wants a type"),
    (op("set_header", "X"), {}, "wants a value"),
    (op("set_header", "", "v"), {}, "name of a header"),
    (op("pass_headers", value=[]), {}, "names of headers"),
    (op("pass_headers", value=5), {}, "names of headers"),
    (op("pass_headers", value="[1"), {}, "pass_headers"),
    (op("sync_fields", from_="foo:bar", to="a"), {}, "there are json:"),
    (op("sync_fields", from_="header:", to="a"), {}, "from and to"),
    (op("set", "a", 1, conditions={}), {}, "conditions are empty"),
    (op("set", "a", 1, conditions="x"), {}, "neither"),
    (op("set", "a", 1, conditions=["x"]), {}, "not an object"),
    (op("set", "a", 1, conditions=[{"path": "", "mode": "full"}]), {}, "lacks"),
    (op("set", "a", 1, conditions=[{"path": "a", "mode": "like"}]), {}, "unknown condition mode"),
    (op("set", "a", 1, conditions={"b": 1}), {"b": "1"}, "a string is compared with a number"),
    (op("set", "a", 1, conditions=[{"path": "b", "mode": "gt", "value": 1}]), {"b": "2"}, "wants numbers"),
    (op("set", "a", 1, conditions=[{"path": "@this", "mode": "full", "value": 1}]), {}, "modifiers"),
]  # fmt: skip


@pytest.mark.parametrize(("operation", "body", "message"), FAULTS)
def test_faults_fail_the_request_and_another_channel_may_do(operation: dict[str, Any], body: Any, message: str) -> None:
    with pytest.raises(UpstreamError, match=message) as caught:
        run(body, operation)
    assert caught.value.code == "channel:param_override_invalid"
    assert caught.value.kind == "refused"
    assert caught.value.status == 500


def test_problems_are_told_before_any_request() -> None:
    compiled = compile_operations([op("set", "a", 1), op("nonsense"), op("regex_replace", "a", from_="(")])
    first, second = compiled.problems
    assert first == "operation 1 (nonsense): unknown operation: nonsense"
    assert second.startswith("operation 2 (regex_replace): '(' is not a regular expression")


def test_a_fault_that_is_not_met_fails_nothing() -> None:
    assert run({"a": 1}, op("nonsense", conditions={"a": 2})) == {"a": 1}


CONDITIONS: list[tuple[Any, str, bool]] = [
    ([], "OR", True),
    (None, "OR", True),
    ({"n": 1}, "OR", True),
    ({"n": 1.0}, "OR", True),
    ({"n": 2, "s": "abc"}, "OR", True),
    ({"n": 2, "s": "abc"}, "and", False),
    ({"n": 1, "s": "abc"}, "AND", True),
    ({"z": None}, "OR", True),
    ({"s": None}, "OR", False),
    ({"o": {"k": [1]}}, "OR", True),
    ([{"path": "s", "mode": "PREFIX", "value": "ab"}], "OR", True),
    ([{"path": "s", "mode": "suffix", "value": "ab"}], "OR", False),
    ([{"path": "o", "mode": "contains", "value": '"k":[1'}], "OR", True),
    ([{"path": "n", "mode": "contains", "value": "1"}], "OR", True),
    ([{"path": "n", "mode": "gt", "value": 0}], "OR", True),
    ([{"path": "n", "mode": "gte", "value": 1}], "OR", True),
    ([{"path": "n", "mode": "lt", "value": 1}], "OR", False),
    ([{"path": "n", "mode": "lte", "value": 1}], "OR", True),
    ([{"path": "n", "mode": "full", "value": 1, "invert": True}], "OR", False),
    # what is missing is neither so nor otherwise
    ([{"path": "missing", "mode": "full", "value": 1}], "OR", False),
    ([{"path": "missing", "mode": "full", "value": 1, "invert": True}], "OR", False),
    ([{"path": "missing", "mode": "full", "value": 1, "invert": True, "pass_missing_key": True}], "OR", True),
    # places
    ([{"path": "m.-1.r", "mode": "full", "value": "u"}], "OR", True),
    ([{"path": "m.#", "mode": "full", "value": 2}], "OR", True),
    ([{"path": 'm.#(r=="u").t', "mode": "full", "value": "x (y"}], "OR", True),
    ([{"path": 'm.#(t=="x (y").r', "mode": "full", "value": "u"}], "OR", True),
    ([{"path": 'm.#(r!="u")#.r', "mode": "full", "value": ["a"]}], "OR", True),
    ([{"path": 'm.#(r%"?").r', "mode": "full", "value": "a"}], "OR", True),
    ([{"path": "m.#(q>3).r", "mode": "full", "value": "u"}], "OR", True),
    ([{"path": "m.#(q).r", "mode": "full", "value": "u"}], "OR", True),
    ([{"path": "m.#.r", "mode": "full", "value": ["a", "u"]}], "OR", True),
    ([{"path": "o.k*", "mode": "full", "value": [1]}], "OR", True),
    ([{"path": "o.*", "mode": "full", "value": [1]}], "OR", True),
    # around the body
    ({"model": "body"}, "OR", True),
    ({"original_model": "asked"}, "OR", True),
    ({"request_headers.x-team": "red"}, "OR", True),
    ({"last_error.status_code": 429}, "OR", True),
    ({"is_retry": False}, "OR", True),
]  # fmt: skip


@pytest.mark.parametrize(("conditions", "logic", "holds"), CONDITIONS)
def test_conditions(conditions: Any, logic: str, holds: bool) -> None:
    body = {
        "n": 1,
        "s": "abc",
        "z": None,
        "o": {"k": [1]},
        "m": [{"r": "a"}, {"r": "u", "t": "x (y", "q": 4}],
        "model": "body",
    }
    context = {
        "model": "context",
        "original_model": "asked",
        "request_headers": {"x-team": "red"},
        "last_error": {"status_code": 429},
        "is_retry": False,
    }
    after = run(body, op("set", "done", True, conditions=conditions, logic=logic), **context)
    assert after.get("done", False) is holds


def test_params_are_keys_and_not_paths() -> None:
    assert run({"a": 1}, params={"a.b": 1, "n": None, "a": {"x": 1}}) == {"a": {"x": 1}, "a.b": 1, "n": None}


def test_params_come_first_and_operations_see_each_other() -> None:
    after = run({}, op("append", "a", "2"), op("copy", from_="a", to="b"), params={"a": "1"})
    assert after == {"a": "12", "b": "12"}


def test_a_channels_own_values_are_not_changed_by_requests() -> None:
    params = {"a": {"list": []}}
    operations = compile_operations([op("append", "a.list", 1), op("set", "b", {"c": 1}), op("set", "b.c", 2)])
    first = apply_params({}, params, operations, {}).body
    assert first == apply_params({}, params, operations, {}).body == {"a": {"list": [1]}, "b": {"c": 2}}
    assert params == {"a": {"list": []}}


@pytest.mark.parametrize(
    ("value", "status", "code", "type"),
    [
        ("no", 400, "invalid_request", "invalid_request_error"),
        ({"msg": "no"}, 400, "invalid_request", "invalid_request_error"),
        ({"message": "no", "status_code": 451, "code": "c", "type": "t"}, 451, "c", "t"),
        ({"message": "no", "status": 403.0}, 403, "invalid_request", "invalid_request_error"),
    ],
)
def test_return_error_is_final(value: Any, status: int, code: str, type: str) -> None:
    with pytest.raises(CallerError, match="no") as caught:
        run({}, op("return_error", value=value))
    assert (caught.value.status, caught.value.code, caught.value.type) == (status, code, type)


@pytest.mark.parametrize("more", [{"skip_retry": False}, {"code": "channel:broken"}])
def test_return_error_may_ask_for_another_channel(more: dict[str, Any]) -> None:
    with pytest.raises(UpstreamError, match="no") as caught:
        run({}, op("return_error", value={"message": "no", "status": 429, **more}))
    assert (caught.value.status, caught.value.upstream_status) == (429, 429)


HEADERS: list[tuple[dict[str, Any], dict[str, Any], dict[str, Any], dict[str, Any]]] = [
    # operation, own, client, changes
    (op("set_header", " X-A ", " v "), {}, {}, {"x-a": "v"}),
    (op("set_header", "x-a", 5), {}, {}, {"x-a": "5"}),
    (op("set_header", "x-a", ""), {"X-A": "own"}, {}, {"x-a": None}),
    (op("set_header", "x-a", "v", keep_origin=True), {"X-A": "own"}, {}, {}),
    (op("set_header", "x-a", "v", keep_origin=True), {}, {"x-a": "client"}, {"x-a": "v"}),
    (op("set_header", "b", {"x": None}), {}, {"b": "x,y"}, {"b": "y"}),
    (op("set_header", "b", {"x": None}), {"b": "x"}, {"b": "y"}, {"b": None}),
    (op("set_header", "b", {"x": ["p", "q"], "*": "z"}), {}, {"b": "x, y , w"}, {"b": "p,q,z"}),
    (op("set_header", "b", {"$append": ["n", "y"]}), {}, {"b": "x,y"}, {"b": "x,y,n"}),
    (op("set_header", "b", {"$append": "n"}), {}, {}, {"b": "n"}),
    (op("set_header", "b", {"x": "x", "$keep_only_declared": True}), {}, {"b": "x,y"}, {"b": "x"}),
    (op("delete_header", "X-A"), {"x-a": "own"}, {}, {"x-a": None}),
    (op("copy_header", from_="X-A", to="X-B"), {"x-a": "own"}, {"x-a": "client"}, {"x-b": "own"}),
    (op("copy_header", from_="x-a", to="x-b"), {}, {"x-a": "client"}, {"x-b": "client"}),
    (op("copy_header", "x-b", from_="x-a"), {}, {"x-a": "client"}, {"x-b": "client"}),
    (op("copy_header", from_="x-a", to="x-b"), {}, {}, {}),
    (op("copy_header", from_="x-a", to="x-b", keep_origin=True), {"x-b": "own"}, {"x-a": "c"}, {}),
    (op("copy_header", from_="authorization", to="x-b"), {}, {"authorization": "mine"}, {}),
    (op("move_header", from_="x-a", to="x-b"), {"x-a": "own"}, {}, {"x-a": None, "x-b": "own"}),
    (op("move_header", from_="x-a", to="x-b"), {}, {}, {}),
    (op("pass_headers", value="X-A, x-b ,authorization"), {}, {"x-a": "1", "authorization": "mine"}, {"x-a": "1"}),
    (op("pass_headers", value=["x-a"]), {"x-a": "own"}, {"x-a": "1"}, {"x-a": "1"}),
    (op("pass_headers", value='["x-a"]', keep_origin=True), {"x-a": "own"}, {"x-a": "1"}, {}),
    (op("pass_headers", value={"names": ["x-a"]}), {}, {"x-a": "1"}, {"x-a": "1"}),
    (op("pass_headers", value={"header": "x-a"}), {}, {"x-a": "1"}, {"x-a": "1"}),
]  # fmt: skip


@pytest.mark.parametrize(("operation", "own", "client", "changes"), HEADERS)
def test_headers(operation: dict[str, Any], own: Any, client: Any, changes: Any) -> None:
    assert headers(operation, own=own, client=client) == changes


def test_headers_see_what_was_changed_before() -> None:
    changed = headers(
        op("delete_header", "x-a"), op("copy_header", from_="x-a", to="x-b"), own={"x-a": "own"}, client={"x-a": "c"}
    )
    assert changed == {"x-a": None}


def test_only_the_operators_words_are_filled_in() -> None:
    changed = headers(
        op("set_header", "a", "{api_key}"),
        op("copy_header", from_="own", to="b"),
        op("copy_header", from_="theirs", to="c"),
        op("sync_fields", from_="user", to="header:d"),
        op("set_header", "theirs", {"$append": "{api_key}"}),
        own={"own": "{api_key}"},
        client={"theirs": "{api_key}"},
        body={"user": "{api_key}"},
    )
    assert {k: isinstance(v, Template) for k, v in changed.items()} == {
        "a": True,
        "b": True,
        "c": False,
        "d": False,
        "theirs": False,
    }


@pytest.mark.parametrize(
    ("ends", "body", "client", "after", "changes"),
    [
        (("user", "header:X-User"), {"user": "u"}, {}, {"user": "u"}, {"x-user": "u"}),
        (("user", "header:x-user"), {}, {"x-user": "h"}, {"user": "h"}, {}),
        (("header:x-user", "json:meta.user"), {}, {"x-user": "h"}, {"meta": {"user": "h"}}, {}),
        (("body:a", "b"), {"a": 5, "b": " "}, {}, {"a": 5, "b": 5}, {}),
        (("user", "header:x-user"), {"user": "u"}, {"x-user": "h"}, {"user": "u"}, {}),
        (("user", "header:x-user"), {"user": None}, {}, {"user": None}, {}),
        (("n", "header:x-n"), {"n": 5}, {}, {"n": 5}, {"x-n": "5"}),
    ],
)
def test_sync_fields(ends: Any, body: Any, client: Any, after: Any, changes: Any) -> None:
    operations = compile_operations([op("sync_fields", from_=ends[0], to=ends[1])])
    result = apply_params(body, {}, operations, {"request_headers": client})
    assert (result.body, dict(result.headers)) == (after, changes)


# -- paths ------------------------------------------------------------------------------------

KEYS = st.text(min_size=1, max_size=6)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=12,
)


def escaped(key: str) -> str:
    plain = "".join(f"\\{c}" if c in '.|*?#@()\\"' else c for c in key)
    return f":{plain}" if key[:1] == ":" or key.lstrip("-").isdigit() else plain


@given(keys=st.lists(KEYS, min_size=1, max_size=4), value=JSON)
def test_what_is_set_is_found_and_can_be_removed(keys: list[str], value: Any) -> None:
    path = paths.parse(".".join(escaped(k) for k in keys))
    root: dict[str, Any] = {"other\0": 1}
    [steps] = paths.places(root, path)
    paths.put(root, steps, value)
    assert paths.find(root, path) == (True, value)
    nested: Any = root
    for key in keys:
        nested = nested[key]
    assert nested == value
    paths.remove(root, steps)
    assert paths.find(root, path)[0] is False
    assert root["other\0"] == 1


@given(root=st.dictionaries(KEYS, JSON, max_size=4), path=st.sampled_from(["*", "*.*", "a.*", "*.-1", "*.0"]))
def test_every_place_a_wildcard_means_is_there(root: dict[str, Any], path: str) -> None:
    found = paths.places(root, paths.parse(path))
    assert len(found) == len(set(found))
    if not path.endswith("0"):  # a member called `0` may be absent
        assert all(paths.at(root, steps)[0] or steps[-1] == "-1" for steps in found)


@given(root=st.dictionaries(KEYS, JSON, max_size=4))
def test_deleting_everything_leaves_nothing(root: dict[str, Any]) -> None:
    assert run(root, op("delete", "*")) == {}


@given(text=st.text(max_size=20), root=st.dictionaries(KEYS, JSON, max_size=3))
def test_any_text_is_a_path_or_an_error(text: str, root: dict[str, Any]) -> None:
    before = msgspec.json.encode(root)
    with suppress(paths.PathError):
        paths.find(root, paths.parse(text))
    assert msgspec.json.encode(root) == before
