"""Channels in New API's rows: `/api/channel/*`. Administrators read and switch; keys and addresses are root's."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, cast

import msgspec
from litestar import Response
from litestar.handlers import HTTPRouteHandler

from newapi.base.errors import CallerError, NewapiError, NotFound
from newapi.base.secret import Secret
from newapi.ops import breakers, channels, legacy
from newapi.ops import channel_probe as probes
from newapi.ops.channels import ChannelView, Draft
from newapi.ops.legacy import NUMBER_OF_STATUS, STATUS, Told
from newapi.server.routes.admin import _channel_bodies as bodies
from newapi.server.routes.admin.auth import Call, Door, Page, Refused, Reply, envelope, number
from newapi.server.runtime import Runtime

PLAIN_FIELDS = frozenset(
    {
        *("id", "name", "weight", "models", "group", "model_mapping", "status_code_mapping", "priority", "auto_ban"),
        *("other_info", "tag", "remark", "channel_info", "multi_key_mode", "test_model", "status"),
        *("created_time", "test_time", "response_time", "balance", "balance_updated_time", "used_quota"),
    }
)
"""What an administrator may change; the rest says where requests and keys go, and is root's."""
_LIST = "p page_size group status tag type sort_by sort_order id_sort tag_mode"
"""Parameters of the query of lists."""
_SEARCH_SIZE = 20
_MAX_SIZE = 1000
_KEY_PREVIEW = 10


def routes(runtime: Runtime) -> list[HTTPRouteHandler]:
    """Return the handlers."""
    door = Door(runtime)
    base = "/api/channel"
    return [
        door.get(base, list_all, "admin", query=f"{_LIST} ps size"),
        door.get(f"{base}/search", search, "admin", query=f"{_LIST} keyword model"),
        door.get(f"{base}/models", known_models, "admin"),
        door.get(f"{base}/models_enabled", enabled_models, "admin"),
        door.get(f"{base}/ops", hints, "admin"),
        door.get(f"{base}/tag/models", tag_models, "admin", query="tag"),
        door.get(f"{base}/test", test_all, "admin"),
        door.get(f"{base}/test/{{id:str}}", test, "admin", query="model endpoint_type stream"),
        door.get(f"{base}/update_balance", update_balances, "admin"),
        door.get(f"{base}/update_balance/{{id:str}}", update_balance, "admin"),
        door.get(f"{base}/fetch_models/{{id:str}}", fetch_models, "admin"),
        door.post(f"{base}/fetch_models", fetch_models_of, "admin", body=bodies.Upstream),
        door.get(f"{base}/{{id:str}}", show, "admin"),
        door.post(base, create, "admin", body=bodies.NewChannel),
        door.put(base, change, "admin", body=bodies.ChangedChannel),
        door.delete(f"{base}/disabled", delete_disabled, "admin"),
        door.delete(f"{base}/{{id:str}}", delete, "admin"),
        door.post(f"{base}/batch", delete_batch, "admin", body=bodies.Ids),
        door.post(f"{base}/batch/tag", set_tag, "admin", body=bodies.Tagged),
        door.post(f"{base}/copy/{{id:str}}", copy, "admin", query="suffix reset_balance"),
        door.post(f"{base}/status/batch", switch_batch, "admin", body=bodies.Switched),
        door.post(f"{base}/{{id:str}}/status", switch, "admin", body=bodies.Status),
        door.post(f"{base}/{{id:str}}/key", reveal, "root"),
        door.post(f"{base}/tag/enabled", enable_tag, "admin", body=bodies.Tag),
        door.post(f"{base}/tag/disabled", disable_tag, "admin", body=bodies.Tag),
        door.put(f"{base}/tag", change_tag, "admin", body=bodies.ChangedTag),
        door.post(f"{base}/multi_key/manage", manage_keys, "admin", body=bodies.Keys),
        door.post(f"{base}/fix", fix, "admin"),
    ]


def row(channel: ChannelView) -> dict[str, Any]:
    """Return a channel as New API gives it: the key blank."""
    spec = channel.spec
    several = bool(spec.keys)
    mode = "random" if spec.key_choice == "random" else "polling"
    info = {"status_reason": channel.state_reason, "status_time": int(channel.updated_at)}
    return {
        "id": channel.id,
        "name": channel.name,
        "key": "",
        "status": NUMBER_OF_STATUS[channel.state],
        "created_time": int(channel.created_at),
        "test_time": int(channel.tested_at),
        "response_time": channel.response_ms,
        "balance": channel.balance,
        "balance_updated_time": int(channel.balance_at),
        "used_quota": channel.used,
        "other_info": msgspec.json.encode(info).decode() if channel.state_reason else "",
        "channel_info": {
            "is_multi_key": several,
            "multi_key_size": len(spec.keys),
            "multi_key_status_list": {str(k): NUMBER_OF_STATUS[v.state] for k, v in channel.key_states.items()},
            "multi_key_polling_index": 0,
            "multi_key_mode": mode if several else "",
        },
        **legacy.row_fields(spec, channel.legacy),
    }


# -- reading ---------------------------------------------------------------------------------


def list_all(call: Call) -> dict[str, Any]:
    """Return a page of the channels: filtered, the highest priority first."""
    found = _filtered(call, channels.list_channels(call.db))
    page = call.page()
    shown, total = _page(call, _sorted(call, found), page)
    return {**page.of([row(c) for c in shown], total), "type_counts": _type_counts(call, found)}


def search(call: Call) -> dict[str, Any]:
    """Return the channels whose id, name or address has the keyword, and a model whose name has `model`."""
    keyword, model = call.query.get("keyword", "").strip(), call.query.get("model", "").strip()
    found = [
        c
        for c in _filtered(call, channels.list_channels(call.db))
        if (not keyword or str(c.id) == keyword or keyword in c.name or keyword in c.spec.base_url)
        and (not model or any(model in m for m in c.spec.models))
    ]
    size = _query_number(call, "page_size") or _SEARCH_SIZE
    page = Page(max(_query_number(call, "p"), 1), min(size, _MAX_SIZE))
    shown, total = _page(call, _sorted(call, found), page)
    return {"items": [row(c) for c in shown], "total": total, "type_counts": _type_counts(call, found)}


def show(call: Call) -> dict[str, Any]:
    """Return one channel."""
    return row(channels.find(call.db, call.id()))


def known_models(call: Call) -> list[dict[str, Any]]:
    """Return every model that has a price, or that a channel serves."""
    snapshot = call.runtime.gateway.snapshot
    names = {*snapshot.prices.names(), *(m for c in channels.list_channels(call.db) for m in c.spec.models)}
    return [
        {"id": name, "object": "model", "created": 1626777600, "owned_by": _owner(call, name)}
        for name in sorted(names)
        if "*" not in name
    ]


def enabled_models(call: Call) -> list[str]:
    """Return the models that enabled channels serve."""
    enabled = (c for c in channels.list_channels(call.db) if c.state == "enabled")
    return sorted({model for c in enabled for model in c.spec.models})


def hints(call: Call) -> dict[str, Any]:
    """Return how often a request is tried again."""
    return {"retry_times": call.runtime.gateway.snapshot.routing.retries}


def tag_models(call: Call) -> str:
    """Return the longest list of models of the channels with a tag."""
    found = channels.with_tag(call.db, call.query.get("tag", ""))
    return max((",".join(c.spec.models) for c in found), key=len, default="")


def reveal(call: Call) -> dict[str, str]:
    """Return the key of a channel, several one a line. For root alone."""
    channel = channels.find(call.db, call.id())
    return {"key": "\n".join(key.reveal() for key in channels.keys_of(call.runtime.local, channel))}


def _filtered(call: Call, found: Iterable[ChannelView]) -> list[ChannelView]:
    group, status, tag = call.query.get("group", ""), call.query.get("status", ""), call.query.get("tag", "")
    wanted: list[Callable[[ChannelView], bool]] = []
    if group and group != "null":
        wanted.append(lambda c: group in c.spec.groups)
    if status in ("enabled", "1"):
        wanted.append(lambda c: c.state == "enabled")
    elif status in ("disabled", "0"):
        wanted.append(lambda c: c.state != "enabled")
    if tag:
        wanted.append(lambda c: c.spec.tag == tag)
    return [c for c in found if all(condition(c) for condition in wanted)]


def _type_counts(call: Call, found: Sequence[ChannelView]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for channel in found:
        kind = str(legacy.type_number(channel.spec, channel.legacy))
        counts[kind] = counts.get(kind, 0) + 1
    return {"all": len(found), **counts}


def _sorted(call: Call, found: Sequence[ChannelView]) -> list[ChannelView]:
    """Return those of the type that is asked for, in the order that is asked for; by priority, then by id."""
    kind = call.query.get("type", "")
    if kind and kind not in ("all", "-1"):
        found = [c for c in found if str(legacy.type_number(c.spec, c.legacy)) == kind]
    by = call.query.get("sort_by", "")
    down = call.query.get("sort_order", "desc") != "asc"
    columns: Mapping[str, Callable[[ChannelView], Any]] = {
        "id": lambda c: c.id,
        "name": lambda c: c.name,
        "priority": lambda c: c.spec.priority,
        "balance": lambda c: c.balance,
        "response_time": lambda c: c.response_ms,
        "test_time": lambda c: c.tested_at,
    }
    if by in columns:
        return sorted(found, key=columns[by], reverse=down)
    if call.query.get("id_sort") == "true":
        return sorted(found, key=lambda c: c.id, reverse=True)
    return sorted(found, key=lambda c: (-c.spec.priority, c.id))


def _page(call: Call, found: list[ChannelView], page: Page) -> tuple[list[ChannelView], int]:
    """Return a page of channels and how many there are; with `tag_mode`, of tags: all channels of each on it."""
    if call.query.get("tag_mode") != "true":
        return found[page.offset : page.offset + page.size], len(found)
    tags = list(dict.fromkeys(c.spec.tag for c in found if c.spec.tag))
    shown = set(tags[page.offset : page.offset + page.size])
    return [c for c in found if c.spec.tag in shown], len(tags)


def _owner(call: Call, model: str) -> str:
    serving = (c for c in call.runtime.gateway.snapshot.channels if model in c.models.exact)
    return next((c.provider.name for c in serving), "newapi")


# -- making, changing, deleting --------------------------------------------------------------


def create(call: Call) -> Reply:
    """Make a channel, one for each key, or one with several keys."""
    _root(call)
    body = _body(call)
    said = body.get("channel")
    if not isinstance(said, dict):
        raise CallerError("Invalid parameters: channel is missing", param="channel")
    fields = cast(dict[str, Any], said)
    mode = str(body.get("mode") or "single")
    key = fields.get("key")
    if not isinstance(key, str) or not key.strip():
        raise CallerError("channel cannot be empty: it needs a key", param="key")
    told = legacy.new(fields)
    if fields.get("status") == NUMBER_OF_STATUS["disabled"]:
        told = Told(msgspec.structs.replace(told.spec, enabled=False), told.kept)
    name = str(fields.get("name") or "")
    if mode == "single":
        drafts = [Draft(name, told, [Secret(key)])]
    elif mode == "batch":
        named = body.get("batch_add_set_key_prefix_2_name") is True
        drafts = [Draft(f"{name} {k[:8]}" if named else name, told, [Secret(k)]) for k in legacy.key_lines(key)]
    elif mode == "multi_to_single":
        told = _with_mode(told, str(body.get("multi_key_mode") or "random"))
        drafts = [Draft(name, told, [Secret(k) for k in legacy.key_lines(key)], several=True)]
    else:
        raise CallerError(f"There is no mode {mode!r}: single, batch, multi_to_single", param="mode")
    channels.create(call.runtime.local, drafts, who=call.asker.name, now=call.now)
    return Reply()


def change(call: Call) -> dict[str, Any]:
    """Change a channel: the fields that are given. The key stays where none is given."""
    body = _body(call)
    if not set(body) <= PLAIN_FIELDS:
        _root(call, "to change keys, addresses and overrides")
    id = _whole(body, "id")
    status = body.get("status")
    if status is not None and not (isinstance(status, int) and status in STATUS):
        raise CallerError("status is 1 (enabled) or 2 (disabled)", param="status")
    mode = body.get("multi_key_mode")
    key = body.get("key")
    before = channels.find(call.db, id)
    several = bool(before.spec.keys)
    keys = [] if not isinstance(key, str) or not key.strip() else legacy.key_lines(key) if several else [key]

    def told(view: ChannelView) -> Told:
        changed = legacy.change(Told(view.spec, view.legacy), body)
        return _with_mode(changed, mode) if isinstance(mode, str) and mode and view.spec.keys else changed

    name = body.get("name")
    made = channels.edit(
        call.runtime.local,
        id,
        told,
        who=call.asker.name,
        name=name if isinstance(name, str) and name else None,
        keys=[Secret(k) for k in keys],
        append=several and body.get("key_mode") == "append",
        now=call.now,
    )
    if status is not None and STATUS[status] != made.state:
        channels.switch(call.db, [id], STATUS[status], who=call.asker.name, now=call.now)  # type: ignore[arg-type]
        made = channels.find(call.db, id)
    return {**row(made), "multi_key_mode": mode, "key_mode": body.get("key_mode")}


def delete(call: Call) -> Reply:
    """Delete a channel."""
    _root(call)
    if not channels.delete(call.db, [call.id()], who=call.asker.name, now=call.now):
        raise NotFound(f"There is no channel {call.id()}")
    return Reply()


def delete_disabled(call: Call) -> int:
    """Delete the channels that are disabled or tripped; return how many."""
    _root(call)
    gone = [c.id for c in channels.list_channels(call.db) if c.state != "enabled"]
    return channels.delete(call.db, gone, who=call.asker.name, now=call.now)


def delete_batch(call: Call) -> int:
    """Delete channels; return how many there were."""
    _root(call)
    return channels.delete(call.db, _ids(_body(call)), who=call.asker.name, now=call.now)


def copy(call: Call) -> dict[str, int]:
    """Make a channel like another one."""
    _root(call)
    made = channels.copy(
        call.runtime.local,
        call.id(),
        suffix=call.query.get("suffix", "_copy"),
        keep_counters=call.query.get("reset_balance", "true") == "false",
        who=call.asker.name,
        now=call.now,
    )
    return {"id": made.id}


def switch(call: Call) -> bool:
    """Enable or disable a channel; return whether it changed."""
    id = call.id()
    channels.find(call.db, id)
    return channels.switch(call.db, [id], _status(_body(call)), who=call.asker.name, now=call.now) > 0


def switch_batch(call: Call) -> int:
    """Enable or disable channels; return how many there are."""
    body = _body(call)
    ids, state = _ids(body), _status(body)
    channels.switch(call.db, ids, state, who=call.asker.name, now=call.now)
    return sum(1 for c in channels.list_channels(call.db) if c.id in ids)


def fix(call: Call) -> dict[str, int]:
    """Return how many channels are in order: nothing is derived from them that could be out of step here."""
    return {"success": len(channels.list_channels(call.db)), "fails": 0}


# -- tags ------------------------------------------------------------------------------------


def enable_tag(call: Call) -> Reply:
    """Enable the channels with a tag."""
    return _switch_tag(call, enabled=True)


def disable_tag(call: Call) -> Reply:
    """Disable the channels with a tag."""
    return _switch_tag(call, enabled=False)


def _switch_tag(call: Call, *, enabled: bool) -> Reply:
    ids = [c.id for c in channels.with_tag(call.db, str(_body(call).get("tag") or ""))]
    channels.switch(call.db, ids, "enabled" if enabled else "disabled", who=call.asker.name, now=call.now)
    return Reply()


def change_tag(call: Call) -> Reply:
    """Change all channels with a tag: the fields that are given."""
    body = _body(call)
    if body.get("param_override") is not None or body.get("header_override") is not None:
        _root(call, "to change overrides")
    renamed = {"new_tag": "tag", "groups": "group"}
    simple = ("priority", "weight", "model_mapping", "models", "param_override", "header_override")
    fields = {name: body[name] for name in simple if body.get(name) is not None}
    fields |= {renamed[name]: body[name] for name in renamed if body.get(name) is not None}
    # As in New API an empty list leaves what there is: a channel without models or groups serves nobody.
    fields = {name: value for name, value in fields.items() if value != "" or name not in ("models", "group")}
    _edit_all(call, channels.with_tag(call.db, str(body.get("tag") or "")), fields)
    return Reply()


def set_tag(call: Call) -> int:
    """Give channels a tag, or take theirs away; return how many there are."""
    body = _body(call)
    ids = _ids(body)
    chosen = [c for c in channels.list_channels(call.db) if c.id in ids]
    _edit_all(call, chosen, {"tag": str(body.get("tag") or "")})
    return len(chosen)


def _edit_all(call: Call, chosen: Iterable[ChannelView], fields: Mapping[str, Any]) -> None:
    with call.db.writing():
        for channel in chosen:
            channels.edit(
                call.runtime.local,
                channel.id,
                lambda view: legacy.change(Told(view.spec, view.legacy), fields),
                who=call.asker.name,
                now=call.now,
            )


# -- keys ------------------------------------------------------------------------------------


def manage_keys(call: Call) -> Any:
    """Show, enable, disable or delete single keys of a channel."""
    body = _body(call)
    id, action = _whole(body, "channel_id"), str(body.get("action") or "")
    channel = channels.find(call.db, id)
    if not channel.spec.keys:
        raise CallerError("This channel has one key")
    who, position = call.asker.name, body.get("key_index")
    if action in ("disable_key", "enable_key", "delete_key") and not _is_whole(position):
        raise CallerError("key_index is missing", param="key_index")
    match action:
        case "get_key_status":
            return _key_status(call, channel, body)
        case "disable_key" | "enable_key":
            channels.switch_keys(call.db, id, [position], enabled=action == "enable_key", who=who)  # type: ignore[list-item]
        case "disable_all_keys" | "enable_all_keys":
            channels.switch_keys(call.db, id, None, enabled=action == "enable_all_keys", who=who)
        case "delete_key":
            _root(call)
            channels.delete_keys(call.db, id, [position], who=who)  # type: ignore[list-item]
        case "delete_disabled_keys":
            _root(call)
            return channels.delete_keys(call.db, id, sorted(channel.key_states), who=who)
        case _:
            raise CallerError(f"There is no action {action!r}", param="action")
    return None


def _key_status(call: Call, channel: ChannelView, body: Mapping[str, Any]) -> dict[str, Any]:
    # Previews show the beginning, which is the vendor's, so that an administrator can tell keys apart.
    rows: list[dict[str, Any]] = []
    for position, reference in enumerate(channel.references):
        state = channel.key_states.get(position)
        secret = call.runtime.local.vault.peek(reference)
        shown = secret.reveal()[:_KEY_PREVIEW] if secret and len(secret.reveal()) >= 3 * _KEY_PREVIEW else ""
        told: dict[str, Any] = {"index": position, "status": 1, "key_preview": f"{shown}..."}
        if state is not None:
            told |= {
                "status": NUMBER_OF_STATUS[state.state],
                "reason": state.reason,
                "disabled_time": int(state.at),
            }
        rows.append(told)
    wanted = body.get("status")
    listed = [r for r in rows if wanted is None or r["status"] == wanted]
    size = min(max(_count(body, "page_size", 50), 1), _MAX_SIZE)
    pages = max(-(-len(listed) // size), 1)
    page = min(max(_count(body, "page", 1), 1), pages)
    counts = {status: sum(1 for r in rows if r["status"] == status) for status in STATUS}
    return {
        "keys": listed[(page - 1) * size : page * size],
        "total": len(listed),
        "page": page,
        "page_size": size,
        "total_pages": pages,
        "enabled_count": counts[1],
        "manual_disabled_count": counts[2],
        "auto_disabled_count": counts[3],
    }


# -- the upstream ----------------------------------------------------------------------------


def test(call: Call) -> Response[bytes]:
    """Ask a channel something small; one that answers rests no longer, and is enabled if health disabled it."""
    channel = channels.find(call.db, call.id())
    tested = probes.probe(
        call.runtime.local,
        channel,
        model=call.query.get("model", ""),
        endpoint=call.query.get("endpoint_type", ""),
        stream=call.query.get("stream") == "true",
    )
    if not tested.error:
        breakers.recovered(call.runtime.local, channel, None, tested.model, who=call.asker.name)
    told: dict[str, Any] = {"success": not tested.error, "message": tested.error, "time": tested.ms / 1000}
    return envelope(told | ({"error_code": tested.code} if tested.error else {}))


def test_all(call: Call) -> dict[str, Any]:
    """Test every channel that is not disabled by hand, and return which fail. It takes as long as they take."""
    chosen = [c for c in channels.list_channels(call.db) if c.state != "disabled"]
    found = breakers.check_all(call.runtime.local, chosen, who=call.asker.name)
    return {
        "task_id": f"test_{int(time.time())}",
        "status": "done",
        "failed": [{"channel": t.channel, "message": t.error} for t in found if t.error],
    }


def fetch_models(call: Call) -> list[str]:
    """Return the models that a channel's upstream lists."""
    return probes.fetch_models(call.runtime.local, channels.find(call.db, call.id()))


def fetch_models_of(call: Call) -> list[str]:
    """Return the models that any upstream lists, for a channel that is to be made."""
    _root(call)
    body = _body(call)
    keys = legacy.key_lines(str(body.get("key") or ""))
    if not keys:
        raise CallerError("A key is missing", param="key")
    told = legacy.new({"type": body.get("type") or 1, "base_url": str(body.get("base_url") or "")})
    return probes.models_of(told.spec, Secret(keys[0]))


def update_balance(call: Call) -> Reply:
    """Ask a channel's upstream what its account has left."""
    left = probes.balance(call.runtime.local, channels.find(call.db, call.id()))
    return Reply(extra={"balance": left})


def update_balances(call: Call) -> Reply:
    """Ask the upstreams of all enabled channels that tell it."""
    for channel in channels.list_channels(call.db):
        if channel.state == "enabled" and len(channel.references) == 1:
            try:
                probes.balance(call.runtime.local, channel)
            except NewapiError:
                continue  # one that does not tell, or refuses, does not keep the others from being asked
    return Reply()


# -- what is said ----------------------------------------------------------------------------


def _root(call: Call, what: str = "for this") -> None:
    if call.asker.role != "root":
        raise Refused(f"No permission {what}: it is root's")


def _body(call: Call) -> dict[str, Any]:
    return call.read(dict[str, Any])


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _whole(body: Mapping[str, Any], name: str) -> int:
    value = body.get(name)
    if isinstance(value, str):
        return number(value)
    if not _is_whole(value):
        raise CallerError(f"Invalid parameters: {name} is missing", param=name)
    return cast(int, value)


def _count(body: Mapping[str, Any], name: str, default: int) -> int:
    value = body.get(name)
    return _whole(body, name) if value else default


def _ids(body: Mapping[str, Any]) -> list[int]:
    ids = body.get("ids")
    if not isinstance(ids, list) or not ids or not all(_is_whole(i) for i in cast(list[Any], ids)):
        raise CallerError("Invalid parameters: ids is a list of numbers", param="ids")
    return cast(list[int], ids)


def _status(body: Mapping[str, Any]) -> Any:
    status = body.get("status")
    if status not in (1, 2):
        raise CallerError("status is 1 (enabled) or 2 (disabled)", param="status")
    return STATUS[cast(int, status)]


def _query_number(call: Call, name: str) -> int:
    text = call.query.get(name, "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else 0


def _with_mode(told: Told, mode: str) -> Told:
    choice: Any = "random" if mode == "random" else "round-robin"
    return Told(msgspec.structs.replace(told.spec, key_choice=choice), told.kept)
