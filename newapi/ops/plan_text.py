"""A plan as people read it, in the signs that Terraform uses."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from decimal import Decimal, InvalidOperation
from typing import Any, cast

from msgspec.structs import replace

from newapi.config.values import money_text
from newapi.ops.plan import MASKED, Change, Field, Plan
from newapi.ops.toml import key, kind_of, value_of

SIGNS = {"create": "+", "update": "~", "delete": "-"}


def lines(changes: Sequence[Change], *, summary: bool = False) -> Iterator[tuple[str, str]]:
    """Yield the lines of a plan, each with its sign: `+`, `~`, `-`, or "" for none.

    Args:
        changes: What changes.
        summary: One line an object, without its fields.
    """
    for change in changes:
        sign = SIGNS[change.action]
        moved = f"  (was {change.kind}.{key(change.moved_from)})" if change.moved_from else ""
        yield sign, f"{sign} {label(change)}{moved}"
        if not summary:
            width = max((len(f.key) for f in change.fields), default=0)
            for field in change.fields:
                yield sign, f"    {field.key:<{width}} {_values(change, field)}"


def exact(changes: Sequence[Change]) -> tuple[Change, ...]:
    """Return changes that were kept or sent as JSON with their amounts as `Decimal` again, as a plan has them."""
    return tuple(
        replace(
            change,
            fields=tuple(
                Field(f.key, _exact(change.kind, f.key, f.before), _exact(change.kind, f.key, f.after))
                for f in change.fields
            ),
        )
        for change in changes
    )


def label(change: Change) -> str:
    """Return what is changed, as the head of its table in the file."""
    return f"{change.kind}.{key(change.name)}" if change.name else change.kind


def total(plan: Plan) -> str:
    """Return how much a plan changes, in one sentence."""
    counts = (
        (plan.count("create"), "to add"),
        (plan.count("update"), "to change"),
        (plan.count("delete"), "to delete"),
    )
    return ", ".join(f"{number} {what}" for number, what in counts)


def _exact(kind: str, path: str, value: Any) -> Any:
    if isinstance(value, list):
        return [_exact(kind, path, item) for item in cast(list[Any], value)]
    if isinstance(value, dict):
        return {name: _exact(kind, path, item) for name, item in cast(dict[str, Any], value).items()}
    if isinstance(value, str) and kind_of(f"{kind}.{path}") in ("money", "ratio"):
        with suppress(InvalidOperation):  # a name beside the amounts
            return Decimal(value)
    return value


def _values(change: Change, field: Field) -> str:
    after = _text(change.kind, field.key, field.after)
    if change.action == "create":
        return f"= {after}"
    return f"{_text(change.kind, field.key, field.before)} -> {after}"


def _text(kind: str, path: str, value: Any) -> str:
    if value is None:
        return "(none)"
    if isinstance(value, str) and (value == MASKED or value.startswith("(another ")):
        return value
    where = f"{kind}.{path}"
    if isinstance(value, Decimal) and kind_of(where) == "money":
        return money_text(value)
    return value_of(where, value)
