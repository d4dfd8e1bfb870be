"""The modes of operations: each takes an operation apart and returns what does it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from typing import Any, cast

import msgspec

from newapi.base.errors import CallerError, UpstreamError
from newapi.relay import _override_path as paths
from newapi.relay._override_condition import Conditions, as_text, kind
from newapi.relay._override_condition import parse as parse_conditions
from newapi.relay.headers import NEVER_PASSED, Template


class OperationError(Exception):
    """An operation that cannot be done; the message says why."""


class State:
    """What operations work on: the body, the headers they change, and the request around them."""

    def __init__(self, body: dict[str, Any], context: Mapping[str, Any]) -> None:
        self.body = body
        self.context = context
        self.changes: dict[str, str | None] = {}
        own: Mapping[str, str] = context.get("header_override") or {}
        self._own = {k.strip().lower(): Template(v) for k, v in own.items()}
        self._client: Mapping[str, str] = context.get("request_headers") or {}

    def override(self, name: str) -> str | None:
        """Return what the header `name` is overridden with so far."""
        return self.changes[name] if name in self.changes else self._own.get(name)

    def client(self, name: str) -> str | None:
        """Return the caller's header, except those that are for us alone."""
        return None if name in NEVER_PASSED else self._client.get(name)

    def header(self, name: str) -> str | None:
        """Return the override of `name`, else the caller's header."""
        own = self.override(name)
        return self.client(name) if own is None and name not in self.changes else own


Run = Callable[[State], None]
Said = Mapping[str, Any]


def _text(said: Said, key: str) -> str:
    value: object = said.get(key)
    return value if isinstance(value, str) else ""


def _keeps(said: Said) -> bool:
    return said.get("keep_origin") is True


# -- places ---------------------------------------------------------------------------------


def _set(said: Said) -> Run:
    path, value, keep = paths.parse(_text(said, "path")), said.get("value"), _keeps(said)
    if not path.segments:
        raise OperationError("the path is empty")

    def run(state: State) -> None:
        for steps in paths.places(state.body, path):
            if not (keep and paths.at(state.body, steps)[0]):
                paths.put(state.body, steps, deepcopy(value))

    return run


def _delete(said: Said) -> Run:
    path = paths.parse(_text(said, "path"))
    if any(s.kind in ("each", "first", "all") for s in path.segments):
        raise OperationError(f"{path.text!r} is no path to delete by")

    def run(state: State) -> None:
        # From the end, so that what is left to delete keeps its place.
        for steps in reversed(paths.places(state.body, path)):
            paths.remove(state.body, steps)

    return run


def _copy(said: Said) -> Run:
    source, target = _ends(said)

    def run(state: State) -> None:
        there, value = paths.find(state.body, source)
        if there:
            paths.put(state.body, tuple(s.text for s in target.segments), deepcopy(value))

    return run


def _move(said: Said) -> Run:
    source, target = _ends(said)
    if source.many:
        raise OperationError(f"{source.text!r} is no path to move from")

    def run(state: State) -> None:
        there, value = paths.find(state.body, source)
        if there:
            paths.remove(state.body, tuple(s.text for s in source.segments))
            paths.put(state.body, tuple(s.text for s in target.segments), value)

    return run


def _ends(said: Said) -> tuple[paths.Path, paths.Path]:
    source, target = paths.parse(_text(said, "from")), paths.parse(_text(said, "to"))
    if not source.segments or not target.segments:
        raise OperationError("from and to are required")
    if target.many:
        raise OperationError(f"{target.text!r} is no single place")
    return source, target


# -- values ---------------------------------------------------------------------------------


def _change(said: Said, change: Callable[[Any], Any]) -> Run:
    path = paths.parse(_text(said, "path"))
    if not path.segments:
        raise OperationError("the path is empty")

    def run(state: State) -> None:
        for steps in paths.places(state.body, path):
            there, value = paths.at(state.body, steps)
            if not there and path.many:
                continue
            paths.put(state.body, steps, change(value))

    return run


def _join(said: Said, *, before: bool) -> Run:
    value, keep = said.get("value"), _keeps(said)

    def change(found: Any) -> Any:
        if isinstance(found, str):
            return as_text(value) + found if before else found + as_text(value)
        if isinstance(found, list):
            items = cast("list[Any]", found)
            more: list[Any] = deepcopy(cast("list[Any]", value)) if isinstance(value, list) else [deepcopy(value)]
            return [*more, *items] if before else [*items, *more]
        if isinstance(found, dict):
            if not isinstance(value, dict):
                raise OperationError("an object can only be joined with an object")
            members = cast("dict[str, Any]", found)
            added = deepcopy(cast("dict[str, Any]", value))
            kept = {k: v for k, v in members.items() if v is not None} if keep else {}
            return {**members, **added, **kept}
        raise OperationError(f"operation not supported for type: {kind(found)}")

    return _change(said, change)


def _of_string(said: Said, change: Callable[[str], str]) -> Run:
    def checked(found: Any) -> str:
        if not isinstance(found, str):
            raise OperationError(f"operation not supported for type: {kind(found)}")
        return change(found)

    return _change(said, checked)


def _trim(said: Said, *, start: bool) -> Run:
    if said.get("value") is None:
        raise OperationError("trim value is required")
    value = as_text(said["value"])
    return _of_string(said, lambda s: s.removeprefix(value) if start else s.removesuffix(value))


def _ensure(said: Said, *, start: bool) -> Run:
    value = as_text(said.get("value"))
    if not value:
        raise OperationError("ensure value is required")

    def change(found: str) -> str:
        if found.startswith(value) if start else found.endswith(value):
            return found
        return value + found if start else found + value

    return _of_string(said, change)


def _replace(said: Said) -> Run:
    old, new = _text(said, "from"), _text(said, "to")
    if not old:
        raise OperationError("replace from is required")
    return _of_string(said, lambda s: s.replace(old, new))


_REFERENCE = re.compile(r"\$(?:\$|\{(\w+)\}|(\w+))")


def _regex_replace(said: Said) -> Run:
    rule, new = _text(said, "from"), _text(said, "to")
    if not rule:
        raise OperationError("regex pattern is required")
    try:
        pattern = re.compile(rule)
    except re.error as e:
        raise OperationError(f"{rule!r} is not a regular expression: {e}") from None

    def expand(match: re.Match[str]) -> str:
        """Groups as Go writes them: `$1`, `${name}`, `$$`; one that there is not is nothing."""

        def reference(found: re.Match[str]) -> str:
            name = found[1] or found[2]
            if name is None:
                return "$"
            group: int | str = int(name) if name.isdigit() else name
            try:
                return match[group] or ""
            except IndexError:
                return ""

        return _REFERENCE.sub(reference, new)

    return _of_string(said, lambda s: pattern.sub(expand, s))


# -- errors and pruning ---------------------------------------------------------------------


def _return_error(said: Said) -> Run:
    value = said.get("value")
    told: dict[str, Any] = cast("dict[str, Any]", value) if isinstance(value, dict) else {"message": value}
    message: object = told.get("message") or told.get("msg")
    if not isinstance(message, str) or not message.strip():
        raise OperationError("return_error wants a message")
    status: object = told.get("status_code", told.get("status", 400))
    if isinstance(status, bool) or not isinstance(status, int | float) or int(status) != status:
        raise OperationError(f"{status!r} is no HTTP status")
    if not 100 <= status <= 511:
        raise OperationError(f"{status!r} is no HTTP status")
    code = str(told.get("code") or "invalid_request")
    type = str(told.get("type") or "invalid_request_error")
    final = told.get("skip_retry", True) is not False and not code.startswith("channel:")

    def run(state: State) -> None:
        if final:
            raise CallerError(message, status=int(status), code=code, type=type)
        raise UpstreamError(message, upstream_status=int(status), status=int(status), code=code, type=type)

    return run


def _prune(said: Said) -> Run:
    value = said.get("value")
    told: dict[str, Any] = cast("dict[str, Any]", value) if isinstance(value, dict) else {"type": value}
    equal: dict[str, Any] = {}
    if (type := told.get("type")) is not None:
        equal["type"] = type
    where = told.get("where")
    if isinstance(where, dict):
        equal |= cast("dict[str, Any]", where)
    every = str(told.get("logic") or "AND").upper() != "OR"
    more = parse_conditions(told.get("conditions"), every)
    if not equal and not more.parts:
        raise OperationError("prune_objects wants a type, where or conditions")
    recursive = told.get("recursive", True) is not False
    path = paths.parse(_text(said, "path"))

    def run(state: State) -> None:
        def goes(node: Any) -> bool:
            return isinstance(node, dict) and _fits(cast("dict[str, Any]", node), equal, more, every, state.context)

        for steps in paths.places(state.body, path):
            there, node = paths.at(state.body, steps)
            if there:
                _prune_below(node, goes, recursive)

    return run


def _fits(
    node: dict[str, Any], equal: Mapping[str, Any], more: Conditions, every: bool, context: Mapping[str, Any]
) -> bool:
    """Whether an object is meant. Values of another type do not match; in a schema `type` may be a list."""
    results = [kind(node[k]) == kind(v) and node[k] == v if k in node else False for k, v in equal.items()]
    if more.parts:
        results.append(more.hold(node, context))
    return all(results) if every else any(results)


def _prune_below(node: Any, goes: Callable[[Any], bool], recursive: bool) -> None:
    if isinstance(node, list):
        items = cast("list[Any]", node)
        items[:] = [v for v in items if not goes(v)]
        below: Sequence[Any] = items
    elif isinstance(node, dict):
        members = cast("dict[str, Any]", node)
        for key in [k for k, v in members.items() if goes(v)]:
            del members[key]
        below = list(members.values())
    else:
        return
    if recursive:
        for value in below:
            _prune_below(value, goes, recursive)


# -- headers --------------------------------------------------------------------------------


def _name(said: Said, *keys: str) -> str:
    name = next((n for k in keys if (n := _text(said, k).strip().lower())), "")
    if not name:
        raise OperationError("the name of a header is required")
    return name


def _set_header(said: Said) -> Run:
    name, value, keep = _name(said, "path"), said.get("value"), _keeps(said)
    if value is None:
        raise OperationError("set_header wants a value")

    def run(state: State) -> None:
        if keep and state.override(name) is not None:
            return
        if isinstance(value, dict):
            state.changes[name] = _rewrite(state.header(name) or "", cast("dict[str, Any]", value)) or None
        else:
            text = Template(as_text(value).strip())
            state.changes[name] = text or None

    return run


def _rewrite(current: str, rules: Mapping[str, Any]) -> str:
    """Return a comma list with its words replaced as `rules` say."""
    out: list[str] = []
    only = rules.get("$keep_only_declared") is True
    for word in (w.strip() for w in current.split(",")):
        if not word:
            continue
        if word in rules:
            out += _words(rules[word])
        elif "*" in rules:
            out += _words(rules["*"])
        elif not only:
            out.append(word)
    out += _words(rules.get("$append"))
    return ",".join(dict.fromkeys(out))


def _words(value: Any) -> list[str]:
    if isinstance(value, list):
        return [w for v in cast("list[Any]", value) for w in _words(v)]
    return [w for w in (as_text(value).strip(),) if w]


def _delete_header(said: Said) -> Run:
    name = _name(said, "path")

    def run(state: State) -> None:
        state.changes[name] = None

    return run


def _copy_header(said: Said, *, move: bool) -> Run:
    source, target, keep = _name(said, "from", "path"), _name(said, "to", "path"), _keeps(said)

    def run(state: State) -> None:
        value = state.header(source)
        if value is None or (keep and state.override(target) is not None):
            return
        if move:
            state.changes[source] = None
        state.changes[target] = value

    return run


def _pass_headers(said: Said) -> Run:
    value, keep = said.get("value"), _keeps(said)
    if isinstance(value, dict):
        told = cast("dict[str, Any]", value)
        value = told.get("headers") or told.get("names") or told.get("header")
    if isinstance(value, str) and value.strip().startswith("["):
        try:
            value = msgspec.json.decode(value)
        except msgspec.DecodeError as e:
            raise OperationError(f"pass_headers: {e}") from None
    listed: Sequence[Any] = value.split(",") if isinstance(value, str) else cast("Sequence[Any]", value or ())
    if not isinstance(listed, list | tuple):
        raise OperationError("pass_headers wants names of headers")
    names = [as_text(n).strip().lower() for n in listed]
    if not any(names):
        raise OperationError("pass_headers wants names of headers")

    def run(state: State) -> None:
        for name in names:
            found = state.client(name)
            if found is not None and not (keep and state.override(name) is not None):
                state.changes[name] = found

    return run


_PREFIX = re.compile(r"([A-Za-z_]+):(.*)", re.DOTALL)


class _End:
    """One end of `sync_fields`: a place in the body, or a header."""

    def __init__(self, said: str) -> None:
        found = _PREFIX.fullmatch(said.strip())
        where, rest = (found[1].lower(), found[2].strip()) if found else ("json", said.strip())
        if where not in ("json", "body", "header"):
            raise OperationError(f"{said!r}: there are json:, body: and header:")
        if not rest:
            raise OperationError("from and to are required")
        self.name = rest.lower() if where == "header" else ""
        self.path = paths.parse("" if self.name else rest)

    def get(self, state: State) -> Any:
        found = state.header(self.name) if self.name else paths.find(state.body, self.path)[1]
        return None if isinstance(found, str) and not found.strip() else found

    def put(self, state: State, value: Any) -> None:
        if self.name:
            state.changes[self.name] = value if isinstance(value, Template) else as_text(value)
        else:
            paths.put(state.body, tuple(s.text for s in self.path.segments), deepcopy(value))


def _sync_fields(said: Said) -> Run:
    one, other = _End(_text(said, "from")), _End(_text(said, "to"))

    def run(state: State) -> None:
        a, b = one.get(state), other.get(state)
        if a is not None and b is None:
            other.put(state, a)
        elif b is not None and a is None:
            one.put(state, b)

    return run


MODES: Mapping[str, Callable[[Said], Run]] = {
    "set": _set,
    "delete": _delete,
    "copy": _copy,
    "move": _move,
    "append": lambda said: _join(said, before=False),
    "prepend": lambda said: _join(said, before=True),
    "trim_prefix": lambda said: _trim(said, start=True),
    "trim_suffix": lambda said: _trim(said, start=False),
    "ensure_prefix": lambda said: _ensure(said, start=True),
    "ensure_suffix": lambda said: _ensure(said, start=False),
    "trim_space": lambda said: _of_string(said, str.strip),
    "to_lower": lambda said: _of_string(said, str.lower),
    "to_upper": lambda said: _of_string(said, str.upper),
    "replace": _replace,
    "regex_replace": _regex_replace,
    "return_error": _return_error,
    "prune_objects": _prune,
    "set_header": _set_header,
    "delete_header": _delete_header,
    "copy_header": lambda said: _copy_header(said, move=False),
    "move_header": lambda said: _copy_header(said, move=True),
    "pass_headers": _pass_headers,
    "sync_fields": _sync_fields,
}
"""By the operator's word for it."""
