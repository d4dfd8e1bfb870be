"""What describes models: entries, vendors, lists to choose from; and which models each type of channel serves.

New API tells `/api/models` (by type, for everybody signed in) and `/api/models/` (entries, for administrators) apart by
the last slash.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Required, TypedDict

from litestar.handlers import HTTPRouteHandler

from newapi.base.errors import CallerError
from newapi.ops import catalog, channels, legacy
from newapi.ops.channels import ChannelView
from newapi.server.routes.admin.auth import Call, Door, Reply, number
from newapi.server.runtime import Runtime
from newapi.store.catalog import Entry, Kind

_RULES = {
    0: lambda model, name: model == name,
    1: lambda model, name: model.startswith(name),
    2: lambda model, name: name in model,
    3: lambda model, name: model.endswith(name),
}
"""New API's `name_rule` of an entry: exact, prefix, contains, suffix."""


class _About(TypedDict, total=False):
    description: str
    icon: str
    tags: str
    vendor_id: int
    endpoints: str
    status: int
    sync_official: int
    name_rule: int


class _NewModel(_About):
    model_name: str


class _Model(_About, total=False):
    id: Required[int]
    model_name: str


class _AboutVendor(TypedDict, total=False):
    description: str
    icon: str
    status: int


class _NewVendor(_AboutVendor):
    name: str


class _Vendor(_AboutVendor, total=False):
    id: Required[int]
    name: str


class _NewPrefill(TypedDict, total=False):
    name: Required[str]
    type: Required[str]
    items: list[Any]
    description: str


class _Prefill(TypedDict, total=False):
    id: Required[int]
    name: str
    type: str
    items: list[Any]
    description: str


def routes(runtime: Runtime) -> list[HTTPRouteHandler]:
    """Return the handlers."""
    door = Door(runtime)
    return [
        door.get("/api/models", list_models, "user", query="p page_size ps size"),
        door.get("/api/models/search", search_models, "admin", query="p page_size ps size keyword vendor"),
        door.get("/api/models/missing", missing, "admin"),
        door.get("/api/models/{id:str}", show_model, "admin"),
        door.post("/api/models", create_model, "admin", body=_NewModel),
        door.put("/api/models", change_model, "admin", query="status_only", body=_Model),
        door.delete("/api/models/{id:str}", delete_model, "admin"),
        door.get("/api/vendors", list_vendors, "admin", query="p page_size ps size keyword"),
        door.get("/api/vendors/search", list_vendors, "admin", query="p page_size ps size keyword"),
        door.get("/api/vendors/{id:str}", show_vendor, "admin"),
        door.post("/api/vendors", create_vendor, "admin", body=_NewVendor),
        door.put("/api/vendors", change_vendor, "admin", body=_Vendor),
        door.delete("/api/vendors/{id:str}", delete_vendor, "admin"),
        door.get("/api/prefill_group", list_prefills, "admin", query="type"),
        door.post("/api/prefill_group", create_prefill, "admin", body=_NewPrefill),
        door.put("/api/prefill_group", change_prefill, "admin", body=_Prefill),
        door.delete("/api/prefill_group/{id:str}", delete_prefill, "admin"),
    ]


# -- models ----------------------------------------------------------------------------------


def list_models(call: Call) -> Any:
    """Return a page of the entries; without the last slash, the models that channels of each type serve."""
    if not call.url_path.endswith("/"):
        return _by_type(call)
    call.require("admin")
    return _models_page(call, catalog.entries(call.db, "model"))


def search_models(call: Call) -> dict[str, Any]:
    """Return the entries whose name, description or tags have the keyword, of a vendor (its id or name)."""
    keyword, vendor = call.query.get("keyword", "").lower(), call.query.get("vendor", "")
    found = catalog.entries(call.db, "model")
    if keyword:
        texts = ("description", "tags")
        found = [e for e in found if keyword in e.name.lower() or any(keyword in e.value[t].lower() for t in texts)]
    if vendor:
        ids = {e.id for e in catalog.entries(call.db, "vendor") if vendor in (str(e.id), e.name)}
        found = [e for e in found if e.value["vendor_id"] in ids]
    return _models_page(call, found)


def missing(call: Call) -> list[str]:
    """Return the models that enabled channels serve and no entry describes."""
    entries = catalog.entries(call.db, "model")
    served = {m for c in channels.list_channels(call.db) if c.state == "enabled" for m in c.spec.models}
    return sorted(m for m in served if not any(matches(e, m) for e in entries))


def show_model(call: Call) -> dict[str, Any]:
    """Return one entry."""
    return _model_row(catalog.find(call.db, "model", call.id()), channels.list_channels(call.db))


def create_model(call: Call) -> dict[str, Any]:
    """Make an entry."""
    return _model_row(_create(call, "model", "model_name"), channels.list_channels(call.db))


def change_model(call: Call) -> dict[str, Any]:
    """Change an entry: what is given; with `status_only`, whether it is shown."""
    only = ("status",) if call.query.get("status_only") == "true" else None
    return _model_row(_change(call, "model", "model_name", only), channels.list_channels(call.db))


def delete_model(call: Call) -> Reply:
    """Delete an entry."""
    return _delete(call, "model")


def _by_type(call: Call) -> dict[str, list[str]]:
    found: dict[str, set[str]] = {str(number): set() for number in legacy.numbers()}
    for channel in channels.list_channels(call.db):
        kind = str(legacy.type_number(channel.spec, channel.legacy))
        found.setdefault(kind, set()).update(m for m in channel.spec.models if "*" not in m)
    return {kind: sorted(models) for kind, models in found.items()}


def _models_page(call: Call, found: Sequence[Entry]) -> dict[str, Any]:
    page, there = call.page(), channels.list_channels(call.db)
    counts: dict[str, int] = {}
    for entry in catalog.entries(call.db, "model"):
        vendor = str(entry.value["vendor_id"])
        counts[vendor] = counts.get(vendor, 0) + 1
    shown = [_model_row(e, there) for e in found[page.offset : page.offset + page.size]]
    return {**page.of(shown, len(found)), "vendor_counts": counts}


def _model_row(entry: Entry, there: Sequence[ChannelView]) -> dict[str, Any]:
    """Return an entry, and what is served of the models it describes."""
    matched = sorted({m for c in there for m in c.spec.models if matches(entry, m)})
    bound = [c for c in there if any(m in matched for m in c.spec.models)]
    return {
        "id": entry.id,
        "model_name": entry.name,
        **entry.value,
        **_times(entry),
        "bound_channels": [{"name": c.name, "type": legacy.type_number(c.spec, c.legacy)} for c in bound],
        "enable_groups": sorted({g for c in bound if c.state == "enabled" for g in c.spec.groups}),
        "matched_models": matched,
        "matched_count": len(matched),
    }


def matches(entry: Entry, model: str) -> bool:
    """Say whether an entry describes `model`: by its name, or by its rule."""
    rule = _RULES.get(entry.value["name_rule"])
    return rule is not None and rule(model, entry.name)


# -- vendors ---------------------------------------------------------------------------------


def list_vendors(call: Call) -> dict[str, Any]:
    """Return a page of the vendors, those whose name has the keyword."""
    keyword = call.query.get("keyword", "").lower()
    found = [e for e in catalog.entries(call.db, "vendor") if keyword in e.name.lower()]
    page = call.page()
    return page.of([_row(e) for e in found[page.offset : page.offset + page.size]], len(found))


def show_vendor(call: Call) -> dict[str, Any]:
    """Return one vendor."""
    return _row(catalog.find(call.db, "vendor", call.id()))


def create_vendor(call: Call) -> dict[str, Any]:
    """Make a vendor."""
    return _row(_create(call, "vendor", "name"))


def change_vendor(call: Call) -> dict[str, Any]:
    """Change a vendor: what is given."""
    return _row(_change(call, "vendor", "name"))


def delete_vendor(call: Call) -> Reply:
    """Delete a vendor."""
    return _delete(call, "vendor")


# -- lists to choose from --------------------------------------------------------------------


def list_prefills(call: Call) -> list[dict[str, Any]]:
    """Return the lists to choose from, of a type."""
    kind = call.query.get("type", "")
    return [_row(e) for e in catalog.entries(call.db, "prefill") if not kind or e.value["type"] == kind]


def create_prefill(call: Call) -> dict[str, Any]:
    """Make a list to choose from."""
    return _row(_create(call, "prefill", "name"))


def change_prefill(call: Call) -> dict[str, Any]:
    """Change a list to choose from: what is given."""
    return _row(_change(call, "prefill", "name"))


def delete_prefill(call: Call) -> Reply:
    """Delete a list to choose from."""
    return _delete(call, "prefill")


# -- pieces ----------------------------------------------------------------------------------


def _row(entry: Entry) -> dict[str, Any]:
    return {"id": entry.id, "name": entry.name, **entry.value, **_times(entry)}


def _times(entry: Entry) -> dict[str, int]:
    return {"created_time": int(entry.created_at), "updated_time": int(entry.updated_at)}


def _create(call: Call, kind: Kind, name: str) -> Entry:
    body = call.read(dict[str, Any])
    return catalog.create(call.db, kind, _text(body, name) or "", body, who=call.asker.name, now=call.now)


def _change(call: Call, kind: Kind, name: str, only: Sequence[str] | None = None) -> Entry:
    body = call.read(dict[str, Any])
    id = body.get("id")
    id = number(id) if isinstance(id, str) else id
    if not isinstance(id, int):
        raise CallerError("Invalid parameters: id is missing", param="id")
    said: Mapping[str, Any] = body if only is None else {k: v for k, v in body.items() if k in only}
    return catalog.change(call.db, kind, id, _text(said, name), said, who=call.asker.name, now=call.now)


def _delete(call: Call, kind: Kind) -> Reply:
    catalog.delete(call.db, kind, call.id(), who=call.asker.name, now=call.now)
    return Reply()


def _text(said: Mapping[str, Any], name: str) -> str | None:
    value = said.get(name)
    if value is not None and not isinstance(value, str):
        raise CallerError(f"Invalid parameters: {name} is text", param=name)
    return value
