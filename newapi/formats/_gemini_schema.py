"""JSON Schema into Gemini's subset of OpenAPI's schema object, and back.

Sources: https://ai.google.dev/api/caching#Schema, https://ai.google.dev/gemini-api/docs/structured-output
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

_DEPTH = 64
"""Levels that are followed: recursive schemas end there."""
_KEYS = (
    "default",
    "description",
    "example",
    "maxItems",
    "maxLength",
    "maxProperties",
    "maximum",
    "minItems",
    "minLength",
    "minProperties",
    "minimum",
    "nullable",
    "pattern",
    "propertyOrdering",
    "title",
)
_TYPES = frozenset(("object", "array", "string", "integer", "number", "boolean"))
_FORMATS: Mapping[str, frozenset[str]] = {
    "string": frozenset(("enum", "date-time")),
    "number": frozenset(("float", "double")),
    "integer": frozenset(("int32", "int64")),
}
"""Gemini refuses every other format."""
_COUNTS = ("maxItems", "maxLength", "maxProperties", "minItems", "minLength", "minProperties")
"""Proto JSON writes 64-bit integers as strings."""

Schema = dict[str, Any]


def parameters(schema: Any) -> Schema | None:
    """Return a function's parameters as Gemini takes them; None for a function without any."""
    if not isinstance(schema, dict):
        return None
    cleaned = _Cleaner(cast(Schema, schema), upper=True).clean(schema, 0)
    return cleaned if cleaned.get("properties") or (cleaned.get("type") != "OBJECT" and cleaned) else None


def response(schema: Any) -> Schema:
    """Return an answer's schema as Gemini takes it: types in lower case, without titles."""
    if not isinstance(schema, dict):
        return {}
    return _Cleaner(cast(Schema, schema), upper=False).clean(schema, 0)


class _Cleaner:
    def __init__(self, root: Schema, *, upper: bool) -> None:
        self._root = root
        self._upper = upper

    def clean(self, schema: Any, depth: int, refs: tuple[str, ...] = ()) -> Schema:
        if not isinstance(schema, dict):
            # `true` is JSON Schema's "anything".
            return {}
        node = cast(Schema, schema)
        ref = node.get("$ref")
        if isinstance(ref, str):
            if ref in refs or depth > _DEPTH:
                return {"type": self._type("object")}
            refs = (*refs, ref)
            node = {**self._resolve(ref), **{k: v for k, v in node.items() if k != "$ref"}}
            if "$ref" in node:
                return self.clean(node, depth + 1, refs)
        for part in cast("list[Any]", node.get("allOf") or ()):
            if isinstance(part, dict):
                node = _merge(node, self._deref(cast(Schema, part)))
        out: Schema = {k: node[k] for k in _KEYS if node.get(k) is not None}
        if not self._upper:
            out.pop("title", None)
        kind = self._put_type(node.get("type"), out)
        self._put_enum(node, kind, out)
        form = node.get("format")
        if isinstance(form, str) and form in _FORMATS.get(kind, ()):
            out["format"] = form
        if depth < _DEPTH:
            self._children(node, out, depth, refs)
        return out

    def _type(self, name: str) -> str:
        return name.upper() if self._upper else name

    def _put_type(self, said: Any, out: Schema) -> str:
        """Put the type into `out` and return it in lower case; a list's first type that is not null counts."""
        names = cast("list[Any]", said) if isinstance(said, list) else [said]
        words = [n.lower() for n in names if isinstance(n, str)]
        if "null" in words:
            out["nullable"] = True
        kind = next((w for w in words if w != "null"), "")
        if kind:
            out["type"] = self._type(kind) if kind in _TYPES else kind
        return kind

    def _put_enum(self, node: Schema, kind: str, out: Schema) -> None:
        values = node.get("enum")
        if values is None and "const" in node:
            values = [node["const"]]
        if not isinstance(values, list):
            return
        listed = cast("list[Any]", values)
        if None in listed:
            out["nullable"] = True
        texts = [v for v in listed if isinstance(v, str) and v]
        # Gemini's enums hold strings only, and no empty ones; numbers stay free.
        if texts and kind in ("string", ""):
            out["enum"] = texts
            out.setdefault("type", self._type("string"))

    def _children(self, node: Schema, out: Schema, depth: int, refs: tuple[str, ...]) -> None:
        properties = node.get("properties")
        if isinstance(properties, dict) and properties:
            out["properties"] = {k: self.clean(v, depth + 1, refs) for k, v in cast(Schema, properties).items()}
            required = node.get("required")
            if isinstance(required, list):
                known = [r for r in cast("list[Any]", required) if isinstance(r, str) and r in properties]
                if known:
                    out["required"] = known
        items = node.get("items")
        if items is None and isinstance(node.get("prefixItems"), list):
            items = node["prefixItems"]
        if isinstance(items, list):
            items = cast("list[Any]", items)[0] if items else None
        if isinstance(items, dict):
            out["items"] = self.clean(items, depth + 1, refs)
        elif out.get("type") == self._type("array"):
            # An array of anything: Gemini answers `items: missing field` where nothing is said.
            out["items"] = {}
        options = node.get("anyOf") or node.get("oneOf")
        if isinstance(options, list):
            self._any_of([self.clean(o, depth + 1, refs) for o in cast("list[Any]", options)], out)

    def _any_of(self, options: list[Schema], out: Schema) -> None:
        real = [o for o in options if o != {"nullable": True}]
        if len(real) < len(options):
            out["nullable"] = True
        if len(real) == 1 and out.get("type", real[0].get("type")) == real[0].get("type"):
            out.update({k: v for k, v in real[0].items() if k not in out})
        elif real:
            out["anyOf"] = real

    def _deref(self, node: Schema) -> Schema:
        for _ in range(_DEPTH):
            ref = node.get("$ref")
            if not isinstance(ref, str):
                break
            node = {**self._resolve(ref), **{k: v for k, v in node.items() if k != "$ref"}}
        return node

    def _resolve(self, ref: str) -> Schema:
        at: Any = self._root
        if not ref.startswith("#"):
            return {}
        for step in ref[1:].split("/"):
            if step:
                at = cast(Schema, at).get(step.replace("~1", "/").replace("~0", "~")) if isinstance(at, dict) else None
        return cast(Schema, at) if isinstance(at, dict) else {}


def _merge(into: Schema, part: Schema) -> Schema:
    out = {**part, **into}
    if "properties" in into and "properties" in part:
        out["properties"] = {**part["properties"], **into["properties"]}
    if "required" in into and "required" in part:
        out["required"] = [*into["required"], *(r for r in part["required"] if r not in into["required"])]
    return out


def small_types(value: Any) -> Any:
    """Return a JSON Schema with its types in small letters. Google takes capitals too, and Gemini CLI says them."""
    if isinstance(value, list):
        return [small_types(v) for v in value]  # pyright: ignore[reportUnknownVariableType]  # JSON
    if isinstance(value, dict):
        return {
            k: v.lower() if k == "type" and isinstance(v, str) else small_types(v)
            for k, v in value.items()  # pyright: ignore[reportUnknownVariableType]  # JSON
        }
    return value


def to_json_schema(schema: Any, depth: int = 0) -> Any:
    """Return a Gemini schema as JSON Schema: types in lower case, `nullable` as a type, counts as numbers."""
    if not isinstance(schema, dict) or depth > _DEPTH:
        return {}
    node = cast(Schema, schema)
    out: Schema = {}
    for key, value in node.items():
        match _camel(key):
            case "type" if isinstance(value, str):
                kind = value.lower()
                if kind != "type_unspecified":
                    out["type"] = kind
            case "nullable" | "propertyOrdering" | "example":
                pass
            case "properties" if isinstance(value, dict):
                out["properties"] = {k: to_json_schema(v, depth + 1) for k, v in cast(Schema, value).items()}
            case "items":
                out["items"] = to_json_schema(value, depth + 1)
            case "anyOf" if isinstance(value, list):
                out["anyOf"] = [to_json_schema(v, depth + 1) for v in cast("list[Any]", value)]
            case name if name in _COUNTS and isinstance(value, str) and value.isdigit():
                out[name] = int(value)
            case name:
                out[name] = value
    if node.get("nullable") is True and "type" in out:
        out["type"] = [out["type"], "null"]
    return out


def _camel(name: str) -> str:
    head, *rest = name.split("_") if not name.startswith(("$", "_")) else (name,)
    return head + "".join(r.capitalize() for r in rest)
