"""A channel as New API tells it, and as it is here: its row on one side, `ChannelSpec` on the other.

New API keeps JSON as text within JSON (`setting`, `settings`, `model_mapping`, …) and lists as text with commas. What
means nothing here is kept beside the spec and given back as it came, so that a script that writes back what it read
loses nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, cast

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from newapi import providers
from newapi.base.errors import CallerError
from newapi.config.schema import ChannelSpec

STATUS = {1: "enabled", 2: "disabled", 3: "tripped"}
"""New API's `status` of a channel, and of a key, to the state here."""
NUMBER_OF_STATUS = {state: number for number, state in STATUS.items()}
NAME_LIMIT = 191
MODEL_LIMIT = 255

_COMPATIBLE = {
    6: "https://api.openaimax.com",
    7: "https://api.ohmygpt.com",
    9: "https://api.caipacity.com",
    10: "https://api.aiproxy.io",
    12: "https://api.api2gpt.com",
    13: "https://api.aigc2d.com",
    22: "https://fastgpt.run/api/openapi",
}
"""Types that are OpenAI's API at another address, and their addresses."""
UNSERVED = {
    2: "midjourney",
    4: "ollama",
    5: "midjourney-plus",
    11: "palm",
    15: "baidu",
    16: "zhipu",
    18: "xunfei",
    21: "aiproxy-library",
    23: "tencent",
    33: "aws",
    34: "cohere",
    36: "suno",
    37: "dify",
    38: "jina",
    41: "vertex",
    44: "mokaai",
    49: "coze",
    50: "kling",
    51: "jimeng",
    52: "vidu",
    54: "doubao-video",
    55: "sora",
    56: "replicate",
    57: "codex",
    58: "advanced-custom",
}
"""Types that a file may declare without a provider: the channel is kept, and not used."""
_OTHER = {
    "azure": "api_version",
    "cloudflare": "account_id",
    "ali": "plugin",
    "coze": "bot_id",
    "vertex": "region",
    "vertexai": "region",
    "xunfei": "api_version",
}
"""What the column `other` is for, by provider: the option it becomes."""
_SETTING = {
    "force_format": "force_format",
    "thinking_to_content": "thinking_to_content",
    "proxy": "proxy",
    "pass_through_body_enabled": "pass_through_body",
    "system_prompt": "system_prompt",
}
"""Keys of `setting` -> fields of the spec; `system_prompt_override` is its `system_prompt_mode`."""
_ALLOWED = {
    "allow_service_tier": "service_tier",
    "allow_inference_geo": "inference_geo",
    "allow_speed": "speed",
    "allow_safety_identifier": "safety_identifier",
    "allow_include_obfuscation": "include_obfuscation",
}
"""Keys of `settings` -> entries of `allow_fields`."""
_RENAMED = {"azure_responses_version": "responses_version"}
"""Keys of `settings` -> options that have another name here."""
_NULLABLE = {"openai_organization": "organization", "test_model": "test_model", "tag": "tag", "remark": "remark"}


class Told(Struct, frozen=True):
    """A channel as a row tells it: the spec without its keys, and what has no place in it."""

    spec: ChannelSpec
    kept: Mapping[str, Any] = {}


def type_number(spec: ChannelSpec, kept: Mapping[str, Any] = {}) -> int:
    """Return New API's number of a channel's type, 0 where its provider is not installed."""
    if "type" in kept:
        return int(kept["type"])
    return next((number for number, name in (*numbers().items(), *UNSERVED.items()) if name == spec.type), 0)


@cache
def numbers() -> Mapping[int, str]:
    """Return New API's type numbers that are served here -> names of providers."""
    found: dict[int, str] = {}
    for name in providers.names():
        found.setdefault(providers.get(name).channel_type, name)
    return found


def split(text: str) -> tuple[str, ...]:
    """Return the parts of a list with commas, without blanks and none twice."""
    return tuple(dict.fromkeys(part for raw in text.split(",") if (part := raw.strip())))


def key_lines(text: str) -> list[str]:
    """Return the keys of a `key` with several: one a line, or the elements of a JSON array, each as JSON text.

    Raises:
        CallerError: It begins as an array and is none.
    """
    if text.lstrip().startswith("["):
        elements = _json("key", text, list)
        return [e if isinstance(e, str) else msgspec.json.encode(e).decode() for e in elements]
    return [line.strip() for line in text.splitlines() if line.strip()]


def new(row: Mapping[str, Any], *, unserved: bool = False) -> Told:
    """Return the channel that a row for `POST /api/channel/` describes.

    Args:
        row: Its fields.
        unserved: Whether it may be of a type in `UNSERVED`.

    Raises:
        CallerError: Its type is not served here, or one of its fields makes no sense.
    """
    blank = Told(ChannelSpec(type="openai", weight=0))
    return change(blank, {"type": 1, "group": "default", **row}, unserved=unserved)


def change(before: Told, row: Mapping[str, Any], *, unserved: bool = False) -> Told:
    """Return `before` with what `row` says; fields it leaves out (or that are null) stay as they are.

    Args:
        before: The channel as it is.
        row: The fields that are said.
        unserved: Whether it may become one of a type in `UNSERVED`.

    Raises:
        CallerError: One of them makes no sense.
    """
    spec, kept = before.spec, dict(before.kept)
    said = {name: value for name, value in row.items() if value is not None}
    if said.get("type"):
        spec = _typed(spec, kept, _whole("type", said["type"]), unserved)
    changes: dict[str, Any] = {}
    for name, field in _NULLABLE.items():
        if name in said:
            changes[field] = _text(name, said[name])
    for name, read in _FIELDS.items():
        if name in said:
            changes |= read(said[name])
    spec = replace(spec, **changes)
    if "setting" in said:
        spec = _set(spec, kept, _object("setting", said["setting"]))
    if "settings" in said:
        spec = _set_more(spec, kept, _object("settings", said["settings"]))
    if "other" in said:
        spec = _set_other(spec, kept, _text("other", said["other"]))
    return Told(spec, {name: value for name, value in kept.items() if value not in ("", {})})


def row_fields(spec: ChannelSpec, kept: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a row that say what the channel is: all but its id, its key, its state and its counters."""
    params: dict[str, Any] = dict(spec.params)
    if spec.param_operations:
        params["operations"] = list(spec.param_operations)
    return {
        "type": type_number(spec, kept),
        "openai_organization": spec.organization,
        "test_model": spec.test_model,
        "weight": spec.weight,
        "base_url": spec.base_url,
        "other": _other(spec, kept),
        "models": ",".join(spec.models),
        "group": ",".join(spec.groups),
        "model_mapping": _object_text(spec.model_mapping),
        "status_code_mapping": _object_text({k: str(v) for k, v in spec.status_mapping.items()}),
        "priority": spec.priority,
        "auto_ban": int(spec.auto_disable),
        "tag": spec.tag,
        "setting": _object_text(_setting(spec, kept)),
        "param_override": _object_text(params),
        "header_override": _object_text(spec.headers),
        "remark": spec.remark,
        "settings": _object_text(_settings(spec, kept)),
    }


# -- from a row ------------------------------------------------------------------------------


def _typed(spec: ChannelSpec, kept: dict[str, Any], number: int, unserved: bool) -> ChannelSpec:
    name = numbers().get(number) or UNSERVED.get(number)
    if name == spec.type and "type" not in kept:
        return spec
    kept.pop("type", None)
    if name is not None and (unserved or number in numbers()):
        return replace(spec, type=name)
    if number not in _COMPATIBLE:
        raise CallerError(f"Channels of type {number} are not served here", param="type")
    kept["type"] = number
    return replace(spec, type="openai", base_url=spec.base_url or _COMPATIBLE[number])


def _set(spec: ChannelSpec, kept: dict[str, Any], said: Mapping[str, Any]) -> ChannelSpec:
    values: dict[str, Any] = {}
    defaults = ChannelSpec(type=spec.type)
    for name, field in _SETTING.items():
        default = getattr(defaults, field)
        value = said.get(name)
        if value is not None and type(value) is not type(default):
            raise CallerError(f"setting: {name} must be a {type(default).__name__}", param="setting")
        values[field] = default if value is None else value
    values["system_prompt_mode"] = "prepend" if said.get("system_prompt_override") else "default"
    kept["setting"] = {k: v for k, v in said.items() if k not in _SETTING and k != "system_prompt_override"}
    return replace(spec, **values)


def _set_more(spec: ChannelSpec, kept: dict[str, Any], said: Mapping[str, Any]) -> ChannelSpec:
    own = _options(spec)
    # Fields that New API has no switch for, and options that are not in its `settings`, stay.
    allowed = [f for f in spec.allow_fields if f not in _ALLOWED.values()]
    allowed += [field for name, field in _ALLOWED.items() if said.get(name) is True]
    dropped = [f for f in spec.drop_fields if f != "store"] + (["store"] if said.get("disable_store") is True else [])
    options = dict(spec.options)
    rest: dict[str, Any] = {}
    for name, value in said.items():
        option = _RENAMED.get(name, name)
        if name in _ALLOWED or name == "disable_store":
            continue
        if option in own:
            options[option] = value
        else:
            rest[name] = value
    for name in own:
        if name != _OTHER.get(spec.type) and not any(_RENAMED.get(n, n) == name for n in said):
            options.pop(name, None)
    kept["settings"] = rest
    return replace(spec, allow_fields=tuple(allowed), drop_fields=tuple(dropped), options=options)


def _set_other(spec: ChannelSpec, kept: dict[str, Any], text: str) -> ChannelSpec:
    kept.pop("other", None)
    option = _OTHER.get(spec.type)
    if option is None or option not in _options(spec):
        kept["other"] = text
        return spec
    options = {k: v for k, v in spec.options.items() if k != option}
    if text:
        options[option] = _object("other", text) if text.lstrip().startswith("{") else text
    return replace(spec, options=options)


def _options(spec: ChannelSpec) -> tuple[str, ...]:
    """Return the options that a channel's type reads, none of a type without a provider."""
    return providers.get(spec.type).options if spec.type in providers.names() else ()


def _models(value: Any) -> dict[str, Any]:
    models = split(_text("models", value))
    if long := next((m for m in models if len(m) > MODEL_LIMIT), None):
        raise CallerError(f"The name of a model is too long: {long[:40]}…", param="models")
    return {"models": models}


def _status_codes(value: Any) -> dict[str, Any]:
    mapping: dict[str, int] = {}
    for code, to in _object("status_code_mapping", value).items():
        mapping[str(_whole("status_code_mapping", code))] = _whole("status_code_mapping", to)
    return {"status_mapping": mapping}


def _model_mapping(value: Any) -> dict[str, Any]:
    mapping = _object("model_mapping", value)
    if not all(isinstance(v, str) for v in mapping.values()):
        raise CallerError("model_mapping: names are text", param="model_mapping")
    return {"model_mapping": mapping}


def _params(value: Any) -> dict[str, Any]:
    params = _object("param_override", value)
    operations = params.pop("operations", [])
    if not isinstance(operations, list) or not all(isinstance(o, dict) for o in cast(list[Any], operations)):
        raise CallerError("param_override: operations is a list of objects", param="param_override")
    return {"params": params, "param_operations": tuple(cast(list[dict[str, Any]], operations))}


def _headers(value: Any) -> dict[str, Any]:
    said = {name: v for name, v in _object("header_override", value).items() if v is not None}
    return {"headers": {n: v if isinstance(v, str) else msgspec.json.encode(v).decode() for n, v in said.items()}}


def _weight(value: Any) -> dict[str, Any]:
    weight = _whole("weight", value)
    if weight < 0:
        raise CallerError("weight is 0 or more", param="weight")
    return {"weight": weight}


_FIELDS: Mapping[str, Callable[[Any], dict[str, Any]]] = {
    "base_url": lambda v: {"base_url": _text("base_url", v).strip().rstrip("/")},
    "models": _models,
    "group": lambda v: {"groups": split(_text("group", v))},
    "weight": _weight,
    "priority": lambda v: {"priority": _whole("priority", v)},
    "auto_ban": lambda v: {"auto_disable": _whole("auto_ban", v) == 1},
    "model_mapping": _model_mapping,
    "status_code_mapping": _status_codes,
    "param_override": _params,
    "header_override": _headers,
}


# -- to a row --------------------------------------------------------------------------------


def _setting(spec: ChannelSpec, kept: Mapping[str, Any]) -> dict[str, Any]:
    said: dict[str, Any] = dict(kept.get("setting", {}))
    defaults = ChannelSpec(type=spec.type)
    said |= {n: value for n, field in _SETTING.items() if (value := getattr(spec, field)) != getattr(defaults, field)}
    return said | ({"system_prompt_override": True} if spec.system_prompt_mode == "prepend" else {})


def _settings(spec: ChannelSpec, kept: Mapping[str, Any]) -> dict[str, Any]:
    said: dict[str, Any] = dict(kept.get("settings", {}))
    said |= {name: True for name, field in _ALLOWED.items() if field in spec.allow_fields}
    if "store" in spec.drop_fields:
        said["disable_store"] = True
    back = {option: name for name, option in _RENAMED.items()}
    said |= {back.get(k, k): v for k, v in spec.options.items() if k != _OTHER.get(spec.type)}
    return said


def _other(spec: ChannelSpec, kept: Mapping[str, Any]) -> str:
    value = spec.options.get(_OTHER.get(spec.type, ""))
    if value is None:
        return str(kept.get("other", ""))
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _object_text(value: Mapping[str, Any]) -> str:
    return msgspec.json.encode(value).decode() if value else ""


# -- values ----------------------------------------------------------------------------------


def _text(name: str, value: Any) -> str:
    if isinstance(value, str):
        return value
    raise CallerError(f"{name} is text", param=name)


def _whole(name: str, value: Any) -> int:
    try:
        if not isinstance(value, bool | float) or value == int(value):
            return int(value)
    except (TypeError, ValueError):
        pass
    raise CallerError(f"{name} is a whole number", param=name)


def _object(name: str, value: Any) -> dict[str, Any]:
    """Return a JSON object that is given as one, or as its text; "" is an empty one."""
    if isinstance(value, dict):
        return dict(cast(dict[str, Any], value))
    text = _text(name, value)
    return dict(_json(name, text, dict)) if text.strip() else {}


def _json(name: str, text: str, type_: type) -> Any:
    try:
        return msgspec.json.decode(text, type=type_)
    except msgspec.DecodeError as error:
        what = "an array" if type_ is list else "an object"
        raise CallerError(f"{name} is no JSON of {what}: {error}", param=name) from None
