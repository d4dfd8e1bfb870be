"""A row of New API's table of channels as a channel here: what it is, its keys, its state, and what is left out."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, cast

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from newapi.base.errors import CallerError
from newapi.base.secret import Secret
from newapi.config.check import check
from newapi.config.findings import Findings, Places, undotted
from newapi.config.schema import ChannelSpec, Config, GroupSpec
from newapi.ops import legacy
from newapi.ops.channels import Draft, KeyState
from newapi.ops.legacy import Told
from newapi.store.foreign import json_object

MARK = "imported"
"""In what a channel keeps of New API's: which row it was, so that a second import knows it."""
_EVEN_WEIGHT, _SOLE_WEIGHT = 100, 1
_IGNORED = {"setting", "settings", "param_override", "header_override", "status_code_mapping"}
"""Columns that New API leaves alone where they make no sense; with another one the channel serves nothing there."""
_PROXY = re.compile(r"(https?|socks5h?)://")
_WHO = re.compile(r"//[^/]*@")


class Taken(Struct, frozen=True):
    """A channel to be made, what to write into its row afterwards, and what is to be told of it."""

    draft: Draft
    columns: Mapping[str, Any]
    notes: tuple[str, ...]


class Weights:
    """Whether a weight of 0 is a share: New API's channels of one priority share evenly where none has a weight."""

    def __init__(self, rows: Iterable[Mapping[str, Any]]) -> None:
        self._any: set[tuple[str, int]] = set()
        for row in rows:
            if row.get("weight") and legacy.STATUS.get(_whole(row, "status")) != "disabled":
                self._any |= {(group, _whole(row, "priority")) for group in _groups(row)}

    def of(self, row: Mapping[str, Any]) -> tuple[int, bool]:
        """Return a channel's weight, and whether it is more than it is there.

        Beside channels with a weight, one without has no share; where it is alone in another of its groups, it needs
        one: the smallest.
        """
        weight = max(0, _whole(row, "weight"))
        places = [(group, _whole(row, "priority")) in self._any for group in _groups(row)]
        if weight or (places and all(places)):
            return weight, False
        return (_SOLE_WEIGHT, True) if any(places) else (_EVEN_WEIGHT, False)


def mark_of(row: Mapping[str, Any]) -> str:
    """Return by what a row is known again."""
    return f"{row['id']}/{_whole(row, 'created_time')}"


def take(row: Mapping[str, Any], weights: Weights, lists: Collection[str], id: int, now: float) -> Taken:
    """Return the channel that a row is.

    Args:
        row: The row, as New API would have it.
        weights: Of all of them.
        lists: Groups that are lists of others: no channel is in one.
        id: Its number here, 0 for any.
        now: Unix seconds.

    Raises:
        CallerError: It is of a type that nobody knows here, or its keys cannot be read.
    """
    if not _whole(row, "type"):
        raise CallerError("Channels of type 0 are not served here", param="type")
    notes: list[str] = []
    weight, is_more = weights.of(row)
    if is_more:
        notes.append(f"its weight of 0 is {weight} here: in one of its groups no other channel has one")
    said = {**row, "openai_organization": row.get("open_ai_organization"), "weight": weight}
    told, broken = _read(said, notes)
    spec, wrong = _sound(told.spec, lists, notes)
    several, keys, key_states = _keys(row)
    if not any(keys):
        notes.append("it has no key")
    state = legacy.STATUS.get(_whole(row, "status"), "disabled")
    reason = ""
    if broken or wrong or not (spec.models and spec.groups):
        if not spec.models or not spec.groups:
            notes.append(f"it has no {'groups' if spec.models else 'models'}")
        if state != "disabled":
            notes.append("it is disabled: it served nothing there either")
            state, reason = "disabled", notes[-2]
    info = json_object(row.get("channel_info"))
    mode = "random" if several and info.get("multi_key_mode") == "random" else "round-robin"
    spec = replace(spec, enabled=state != "disabled", key_choice=mode)
    changed = json_object(row.get("other_info"))
    if state == "tripped":
        reason = str(changed.get("status_reason") or "")
    name = str(row.get("name") or "").strip() or f"channel-{row['id']}"
    if len(name) > legacy.NAME_LIMIT:
        notes.append(f"its name is cut: {name}")
        name = name[: legacy.NAME_LIMIT]
    columns: dict[str, Any] = {
        "state": state,
        "used_quota": _whole(row, "used_quota"),
        "created_at": _whole(row, "created_time") or now,
        "tested_at": _whole(row, "test_time"),
        "response_ms": _whole(row, "response_time"),
        "balance": _real(row, "balance"),
        "balance_at": _whole(row, "balance_updated_time"),
    }
    if reason or state == "tripped":
        columns["state_reason"] = reason[:1000]
    if at := _whole(changed, "status_time"):
        columns["updated_at"] = at
    if key_states:
        columns["key_states"] = msgspec.json.encode(key_states).decode()
    if spec.type in legacy.UNSERVED.values():
        notes.append(f"type {spec.type!r} is not served here: it is kept, and not used")
    draft = Draft(
        name,
        Told(spec, {**told.kept, MARK: mark_of(row)}),
        [Secret(key) for key in keys],
        several=several,
        keyless=True,
        id=id,
    )
    return Taken(draft, columns, tuple(notes))


def _read(said: dict[str, Any], notes: list[str]) -> tuple[Told, bool]:
    """Return what a row says, without the columns that cannot be read, and whether one of them matters."""
    matters = False
    while True:
        try:
            return legacy.new(said, unserved=True), matters
        except CallerError as error:
            if error.param == "type" or said.get(error.param or "") is None:
                raise
            notes.append(f"{error.message}: that is left out")
            matters = matters or error.param not in _IGNORED
            said = {**said, error.param or "": None}


def _sound(spec: ChannelSpec, lists: Collection[str], notes: list[str]) -> tuple[ChannelSpec, bool]:
    """Return a channel without what no configuration may say, and whether any of it matters."""
    if listed := [group for group in spec.groups if group in lists]:
        notes.append(f"{', '.join(listed)}: a list of groups has no channels of its own")
        spec = replace(spec, groups=tuple(group for group in spec.groups if group not in lists))
    spec = _sayable(spec, notes)
    findings = Findings(Places())
    if spec.proxy and not _PROXY.match(spec.proxy):
        findings.add(("channels", "x", "proxy"), "`proxy` must be the URL of a proxy")
    # Who one is at a proxy is sealed when the channel is made.
    probe = replace(spec, weight=1, enabled=False, proxy=_WHO.sub("//", spec.proxy))
    groups = {group: GroupSpec() for group in spec.groups}
    check(Config(channels={"x": probe}, groups=groups), {"channels": {"x": {}}, "groups": groups}, findings)
    matters = False
    for problem in findings.problems:
        field, *entry = undotted(problem.key)[2:4]
        if field not in ("groups", "models"):
            spec, matters = _without(spec, str(field), entry), matters or field != "status_mapping"
            notes.append(f"{problem.message}: that is left out")
    return spec, matters


def _sayable(spec: ChannelSpec, notes: list[str]) -> ChannelSpec:
    """Return a channel without what TOML has no words for: null, and names that are empty."""
    operations = tuple(cast(dict[str, Any], _bare(operation)) for operation in spec.param_operations)
    mapping = {name: to for name, to in spec.model_mapping.items() if name}
    spec = replace(spec, model_mapping=mapping, param_operations=operations)
    for field in ("params", "param_operations"):
        if _is_unsayable(getattr(spec, field)):
            notes.append(f"{field}: null in a list, or an empty name, is in no configuration file: that is left out")
            spec = replace(spec, **{field: type(getattr(spec, field))()})
    return spec


def _bare(value: Any) -> Any:
    """Return an operation without a `value` of null, its own or a condition's: that is what a missing one is."""
    if isinstance(value, dict):
        entries = cast(dict[str, Any], value)
        return {name: _bare(v) for name, v in entries.items() if v is not None or name != "value"}
    return [_bare(v) for v in cast(list[Any], value)] if isinstance(value, list) else value


def _is_unsayable(value: Any, *, listed: bool = False) -> bool:
    """Say whether null is in a list, or a name is empty, however deep."""
    if isinstance(value, dict):
        entries = cast(dict[str, Any], value)
        return "" in entries or any(_is_unsayable(v, listed=listed) for v in entries.values())
    if isinstance(value, list | tuple):
        return any(_is_unsayable(v, listed=True) for v in cast(list[Any], value))
    return listed and value is None


def _without(spec: ChannelSpec, field: str, entry: Sequence[str | int]) -> ChannelSpec:
    """Return a channel without a field, or without one entry of it where that is named."""
    value = getattr(spec, field)
    if isinstance(value, dict):
        entries = cast(dict[str, Any], value)
        return replace(spec, **{field: {name: v for name, v in entries.items() if name not in entry}})
    return replace(spec, **{field: getattr(ChannelSpec(type=spec.type), field)})


def _keys(row: Mapping[str, Any]) -> tuple[bool, list[str], dict[str, KeyState]]:
    """Return whether a channel has several keys, its keys, and those that are not used, by position."""
    text, info = str(row.get("key") or ""), json_object(row.get("channel_info"))
    if not info.get("is_multi_key"):
        return False, [text.strip()], {}
    keys = legacy.key_lines(text)
    places = list(range(len(keys)))
    if not text.lstrip().startswith("["):  # there, an empty line has a number too
        places = [place for place, line in enumerate(text.strip("\n").split("\n")) if line.strip()]

    def of(name: str) -> dict[str, Any]:
        value: Any = info.get(name)
        return cast(dict[str, Any], value) if isinstance(value, dict) else {}

    reasons, times = of("multi_key_disabled_reason"), of("multi_key_disabled_time")
    here = {str(there): str(place) for place, there in enumerate(places)}
    states = {
        here[at]: KeyState("tripped" if status == 3 else "disabled", str(reasons.get(at) or ""), _real(times, at))
        for at, status in of("multi_key_status_list").items()
        if status != 1 and at in here
    }
    return True, keys, states


def _groups(row: Mapping[str, Any]) -> tuple[str, ...]:
    return legacy.split(str("default" if row.get("group") is None else row["group"]))


def _real(row: Mapping[str, Any], name: str) -> float:
    try:
        return float(row.get(name) or 0)
    except (TypeError, ValueError):
        return 0.0


def _whole(row: Mapping[str, Any], name: str) -> int:
    """Return a number of a row; 0 for what is none."""
    try:
        return int(row.get(name) or 0)
    except (TypeError, ValueError):
        return 0
