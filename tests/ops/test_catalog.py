from __future__ import annotations

from typing import Any

import pytest

from newapi.base.errors import CallerError, Conflict, NotFound
from newapi.ops import catalog
from newapi.ops.local import Local
from newapi.store import audit
from newapi.store.catalog import Kind


@pytest.mark.parametrize(
    ("kind", "said", "value"),
    [
        ("vendor", {"icon": "A", "unknown": 1}, {"description": "", "icon": "A", "status": 1}),
        ("prefill", {"type": "tag", "items": ["a"]}, {"type": "tag", "items": ["a"], "description": ""}),
    ],
)
def test_made_changed_deleted(local: Local, kind: Kind, said: dict[str, Any], value: dict[str, Any]) -> None:
    made = catalog.create(local.db, kind, "one", said, who="ann", now=5.0)
    assert (made.name, dict(made.value), made.created_at) == ("one", value, 5.0)
    changed = catalog.change(local.db, kind, made.id, "two", {"description": "d"}, who="ann", now=6.0)
    assert changed.value == {**value, "description": "d"}
    assert (changed.name, changed.created_at, changed.updated_at) == ("two", 5.0, 6.0)
    assert catalog.change(local.db, kind, made.id, None, {}, who="ann").name == "two"
    catalog.delete(local.db, kind, made.id, who="ann")
    assert catalog.entries(local.db, kind) == []
    assert [e.action for e in audit.entries(local.db)][:2] == [f"{kind}.delete", f"{kind}.update"]


def test_names_are_unique_within_a_kind(local: Local) -> None:
    one = catalog.create(local.db, "vendor", "one", {}, who="ann")
    two = catalog.create(local.db, "vendor", "two", {}, who="ann")
    catalog.create(local.db, "model", "one", {}, who="ann")
    with pytest.raises(Conflict):
        catalog.create(local.db, "vendor", "one", {}, who="ann")
    with pytest.raises(Conflict):
        catalog.change(local.db, "vendor", two.id, "one", {}, who="ann")
    assert catalog.change(local.db, "vendor", one.id, "one", {"status": 0}, who="ann").value["status"] == 0
    assert [e.name for e in catalog.entries(local.db, "vendor")] == ["two", "one"]


@pytest.mark.parametrize(
    ("kind", "name", "said"),
    [
        ("vendor", "", {}),
        ("vendor", "n" * 192, {}),
        ("vendor", "one", {"status": "on"}),
        ("model", "one", {"vendor_id": True}),
        ("prefill", "one", {"type": "other"}),
        ("prefill", "one", {"type": "model", "items": "a"}),
    ],
)
def test_what_makes_no_sense_is_refused(local: Local, kind: Kind, name: str, said: dict[str, Any]) -> None:
    with pytest.raises(CallerError):
        catalog.create(local.db, kind, name, said, who="ann")


def test_one_that_is_not_there(local: Local) -> None:
    vendor = catalog.create(local.db, "vendor", "one", {}, who="ann")
    with pytest.raises(NotFound):
        catalog.find(local.db, "model", vendor.id)
    with pytest.raises(NotFound):
        catalog.delete(local.db, "vendor", 99, who="ann")
