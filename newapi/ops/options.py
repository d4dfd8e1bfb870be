"""Settings by New API's names for them.

Those that this gateway has itself are read from, and written to, where it has them: groups, prices, routing, health,
billing. The others are kept as they are given and given back. A secret is sealed, and not given back at all.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, TypeVar

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from newapi.base.errors import CallerError
from newapi.base.secret import Secret
from newapi.base.units import QUOTA_PER_USD
from newapi.billing.book import Tables, builtin
from newapi.config.schema import BillingSpec, GroupSpec, HealthSpec, ModelSpec, RoutingSpec
from newapi.ops.local import Local
from newapi.store import audit, clock, declared, options, sealed, specs
from newapi.store.database import Connection, Database
from newapi.store.declared import Row

DEFAULTS: Mapping[str, str] = {
    "About": "",
    "DataExportDefaultTime": "hour",
    "DataExportEnabled": "true",
    "DisplayInCurrencyEnabled": "true",
    "EmailVerificationEnabled": "false",
    "ExposeRatioEnabled": "false",
    "Footer": "",
    "HomePageContent": "",
    "LogConsumeEnabled": "true",
    "Logo": "",
    "MinTopUp": "1",
    "Notice": "",
    "PasswordLoginEnabled": "true",
    "PasswordRegisterEnabled": "true",
    "Price": "7.3",
    "QuotaForInvitee": "0",
    "QuotaPerUnit": str(QUOTA_PER_USD),
    "RegisterEnabled": "false",
    "ServerAddress": "",
    "SystemName": "newapi",
    "TopUpLink": "",
    "USDExchangeRate": "7.3",
    "checkin_setting.enabled": "false",
    "checkin_setting.max_quota": "10000",
    "checkin_setting.min_quota": "1000",
    "console_setting.announcements": "",
    "console_setting.announcements_enabled": "true",
    "console_setting.api_info": "",
    "console_setting.api_info_enabled": "true",
    "console_setting.faq": "",
    "console_setting.faq_enabled": "true",
    "general_setting.docs_link": "",
    "general_setting.quota_display_type": "USD",
    "legal.privacy_policy": "",
    "legal.user_agreement": "",
    "payment_setting.amount_discount": "{}",
    "payment_setting.amount_options": "[10,20,50,100,200,500]",
    "theme.frontend": "classic",
    "token_setting.max_user_tokens": "1000",
}
"""Options that this gateway reads, and what they are when nobody set them."""
HIDDEN = ("Token", "Secret", "Key", "secret", "api_key")
"""Ends of names whose value is a secret."""
_SEALED = "secret:option/"
_LIMIT = 1_000_000
"""Characters that an option may have."""
_ALIASES = {
    "group_ratio_setting.group_ratio": "GroupRatio",
    "group_ratio_setting.group_group_ratio": "GroupGroupRatio",
}
_STATUS = re.compile(r"([1-5]\d\d)(?:\s*-\s*([1-5]\d\d))?")

Numbers = dict[str, Decimal]
T = TypeVar("T")


class _Priced(Struct, frozen=True):
    """Where an option of prices is: the field of a model, the built-in table, and the field in dollars."""

    field: str
    table: str
    dollars: str = ""


_PRICES: Mapping[str, _Priced] = {
    "ModelPrice": _Priced("price", "model_price"),
    "ModelRatio": _Priced("ratio", "model_ratio", "input"),
    "CompletionRatio": _Priced("completion_ratio", "completion_ratio", "output"),
    "CacheRatio": _Priced("cache_ratio", "cache_ratio", "cached_input"),
    "CreateCacheRatio": _Priced("cache_write_ratio", "create_cache_ratio", "cache_write"),
    "ImageRatio": _Priced("image_ratio", "image_ratio"),
    "AudioRatio": _Priced("audio_ratio", "audio_ratio"),
    "AudioCompletionRatio": _Priced("audio_completion_ratio", "audio_completion_ratio"),
}


AUTO = "auto"
"""New API's name for the list of groups that are tried in turn."""


def is_hidden(name: str) -> bool:
    """Say whether the value of an option is a secret, by its name."""
    return name.endswith(HIDDEN)


def everything(db: Database) -> dict[str, str]:
    """Return all options that may be shown, by name."""
    found = {**DEFAULTS, **options.read(db)}
    with db.reading() as c:
        found |= {name: own.read(c) for name, own in _OWN.items()}
    found |= {alias: found[name] for alias, name in _ALIASES.items()}
    return {name: found[name] for name in sorted(found) if not is_hidden(name)}


def put(local: Local, name: str, value: str, *, who: str, now: float | None = None) -> None:
    """Set an option.

    Raises:
        CallerError: The value makes no sense, or cannot be other than it is.
    """
    now = time.time() if now is None else now
    name = _ALIASES.get(name, name)
    if not name or len(name) > 191 or len(value) > _LIMIT:
        raise CallerError("The option has no name, or is too long", param="key")
    if name.startswith("payment_setting.compliance_"):
        raise CallerError(f"{name} cannot be set here", param="key")
    if name == "QuotaPerUnit" and value.strip() != str(QUOTA_PER_USD):
        raise CallerError(f"{QUOTA_PER_USD} quota are one US dollar: that cannot be changed", param="value")
    with local.db.writing() as c:
        if name in _OWN:
            _OWN[name].write(c, value)
            clock.bump(c)
        elif is_hidden(name) and value:
            reference = _SEALED + name
            sealed.put(local.db, reference.removeprefix("secret:"), local.vault.seal(Secret(value)))
            options.put(c, name, reference)
        else:
            _check(name, value)
            options.put(c, name, value)
        # The value may be long, or a secret.
        audit.note(c, audit.Entry(now, who, "option.update", name))


def secret(local: Local, name: str) -> Secret | None:
    """Return an option whose value is a secret, None where it is not set.

    Raises:
        NewapiError: The master key does not open it.
    """
    said = options.read(local.db, [name]).get(name, "")
    return local.resolve(said) if said.startswith(_SEALED) else Secret(said) if said else None


def _check(name: str, value: str) -> None:
    if name.endswith("Enabled"):
        _flag(name, value)
    default = DEFAULTS.get(name, "")
    if default[:1] in ("{", "["):
        _json(name, value, dict if default[0] == "{" else list)
    elif default and default.replace(".", "").isdecimal():
        _number(name, value)


# -- groups ----------------------------------------------------------------------------------


def _read_ratios(c: Connection) -> str:
    found = {name: float(spec.ratio) for name, (spec, _) in _groups(c).items() if not spec.members}
    return _text({"default": 1.0} | found)


def _write_ratios(c: Connection, value: str) -> None:
    """Groups that are not named are deleted, but for those that the configuration declares, and lists of groups."""
    ratios = _ratios("GroupRatio", value)
    there = _groups(c)
    for name, ratio in ratios.items():
        _put(c, "groups", name, there.get(name), lambda spec, to=ratio: replace(spec, ratio=to), GroupSpec())
    gone = [n for n, (spec, row) in there.items() if n not in ratios and not row.managed and not spec.members]
    declared.delete(c, "groups", gone)


def _read_special(c: Connection) -> str:
    found = {n: {g: float(r) for g, r in spec.ratio_for.items()} for n, (spec, _) in _groups(c).items()}
    return _text({name: special for name, special in found.items() if special})


def _write_special(c: Connection, value: str) -> None:
    said = {n: _ratios("GroupGroupRatio", inner) for n, inner in _json("GroupGroupRatio", value, dict).items()}
    there = _groups(c)
    for name in {*there, *said}:
        special = said.get(name, {})
        if special or there[name][0].ratio_for:
            _put(c, "groups", name, there.get(name), lambda s, to=special: replace(s, ratio_for=to), GroupSpec())


def _read_usable(c: Connection) -> str:
    return _text({name: spec.remark or name for name, (spec, _) in _groups(c).items() if spec.selectable})


def _write_usable(c: Connection, value: str) -> None:
    """A group that there is not yet is made, but for `auto`, which is left out until `AutoGroups` has made it."""
    there = _groups(c)
    said = {n: t for n, t in _json("UserUsableGroups", value, dict).items() if n != AUTO or n in there}
    if not all(isinstance(text, str) for text in said.values()):
        raise CallerError("UserUsableGroups: descriptions are text", param="value")
    for name in {*there, *said}:
        spec = there[name][0] if name in there else GroupSpec()
        remark = spec.remark if name not in said or said[name] == (spec.remark or name) else said[name]
        if remark == name:
            remark = ""
        wanted = replace(spec, selectable=name in said, remark=remark)
        _put(c, "groups", name, there.get(name), lambda _, to=wanted: to, GroupSpec())


def _read_auto(c: Connection) -> str:
    found = _groups(c).get(AUTO)
    return msgspec.json.encode(found[0].members if found else ("default",)).decode()


def _write_auto(c: Connection, value: str) -> None:
    """Make the list `auto`; a group in it that there is not yet is made."""
    said = _json("AutoGroups", value, list)
    if not all(isinstance(name, str) and name and name != AUTO for name in said):
        raise CallerError("AutoGroups: a list of the names of groups", param="value")
    members = tuple(dict.fromkeys(said))
    there = _groups(c)
    if lists := [name for name in members if name in there and there[name][0].members]:
        raise CallerError(f"AutoGroups: {lists[0]} is a list of groups itself", param="value")
    ensure_groups(c, members)
    if members:
        _put(c, "groups", AUTO, there.get(AUTO), lambda spec: replace(spec, members=members), GroupSpec())
    elif AUTO in there and not there[AUTO][1].managed:
        declared.delete(c, "groups", [AUTO])


def groups(c: Connection) -> dict[str, GroupSpec]:
    """Return the groups there are; `default` may be used without being one of them."""
    return {name: spec for name, (spec, _) in _groups(c).items()}


def ensure_groups(c: Connection, names: Iterable[str]) -> list[str]:
    """Make groups where there are none yet, but for `default`, and return them; within a transaction."""
    there = _groups(c)
    new = [name for name in dict.fromkeys(names) if name not in there and name != "default"]
    for name in new:
        _put(c, "groups", name, None, lambda spec: spec, GroupSpec())
    if new:
        clock.bump(c)
    return new


def ensure_auto(c: Connection) -> None:
    """Make the list `auto`, of the group `default` as New API does, where there is none yet; within a transaction."""
    if AUTO not in _groups(c):
        _write_auto(c, '["default"]')
        clock.bump(c)


def _groups(c: Connection) -> dict[str, tuple[GroupSpec, Row]]:
    found = declared.read(c).groups
    return {n: (specs.decode(row.spec, GroupSpec, f"group {n!r}"), row) for n, row in found.items()}


# -- prices ----------------------------------------------------------------------------------


def _tables(c: Connection) -> Tables:
    return builtin() if _section(c, "billing", BillingSpec).prices == "builtin" else Tables({})


def _models(c: Connection) -> dict[str, tuple[ModelSpec, Row]]:
    found = declared.read(c).models
    return {n: (specs.decode(row.spec, ModelSpec, f"model {n!r}"), row) for n, row in found.items()}


def _said(spec: ModelSpec, priced: _Priced) -> Decimal | None:
    """Return what a model's own price says of a factor; one in dollars is turned into New API's units."""
    value: Decimal | None = getattr(spec, priced.field)
    dollars: Decimal | None = getattr(spec, priced.dollars) if priced.dollars else None
    if dollars is None:
        return value
    if priced.field == "ratio":
        return dollars / 2
    base = spec.input if spec.input is not None else spec.ratio * 2 if spec.ratio is not None else None
    return dollars / base if base else value


def _read_prices(priced: _Priced) -> Callable[[Connection], str]:
    def read(c: Connection) -> str:
        table: Numbers = dict(getattr(_tables(c), priced.table))
        for name, (spec, _) in _models(c).items():
            value = _said(spec, priced)
            if value is not None:
                table[name] = value
        return _text({name: float(value) for name, value in table.items()})

    return read


def _write_prices(option: str, priced: _Priced) -> Callable[[Connection, str], None]:
    def write(c: Connection, value: str) -> None:
        """What is not named, or is as in the built-in table, is not said of a model any more."""
        wanted = _ratios(option, value)
        table: Numbers = getattr(_tables(c), priced.table)
        there = _models(c)
        for name in {*there, *wanted}:
            spec = there[name][0] if name in there else ModelSpec()
            said, to = _said(spec, priced), wanted.get(name)
            if said == to or (said is None and to == table.get(name)) or _near(said, to):
                continue
            changes: dict[str, Any] = {priced.field: None if to == table.get(name) else to}
            if priced.dollars:
                changes[priced.dollars] = None
            changed = replace(spec, **changes)
            if changed == ModelSpec() and name in there and not there[name][1].managed:
                declared.delete(c, "models", [name])
            else:
                _put(c, "models", name, there.get(name), lambda _, to=changed: to, ModelSpec())

    return write


def _near(said: Decimal | None, to: Decimal | None) -> bool:
    """Say whether a price in dollars, read as a ratio and written back, is meant: numbers are shown as floats."""
    return said is not None and to is not None and float(said) == float(to)


# -- sections --------------------------------------------------------------------------------


def _section(c: Connection, name: str, type_: type[T]) -> T:
    text = declared.read(c).sections.get(name)
    return specs.decode(text, type_, f"[{name}]") if text is not None else type_()


def _in_section(section: str, type_: type[Any], read: Callable[[Any], str], write: Callable[[Any, str], Any]) -> _Own:
    def put_in(c: Connection, value: str) -> None:
        before = _section(c, section, type_)
        after = write(before, value)
        if after != before:
            declared.put_section(c, section, specs.encode(after))

    return _Own(lambda c: read(_section(c, section, type_)), put_in)


def _quota(name: str, value: str) -> Decimal:
    return Decimal(_number(name, value)) / QUOTA_PER_USD


def _quota_text(amount: Decimal) -> str:
    return str(int((amount * QUOTA_PER_USD).to_integral_value(ROUND_HALF_UP)))


def statuses(text: str) -> tuple[str, ...]:
    """Return New API's list of statuses (`401,500-599`) as the configuration says it (`401`, `5xx`).

    Raises:
        CallerError: It is none.
    """
    codes: set[int] = set()
    for item in filter(None, (part.strip() for part in re.split(r"[,，]", text))):
        match = _STATUS.fullmatch(item)
        if match is None:
            raise CallerError(f"{item!r} is no status: write 401 or 500-599", param="value")
        codes.update(range(int(match[1]), int(match[2] or match[1]) + 1))
    whole = [n for n in range(1, 6) if codes.issuperset(range(n * 100, n * 100 + 100))]
    single = sorted(code for code in codes if code // 100 not in whole)
    return (*(str(code) for code in single), *(f"{n}xx" for n in whole))


def ranges(patterns: Iterable[str]) -> str:
    """Return statuses as the configuration says them (`401`, `5xx`) as New API's list (`401,500-599`)."""
    codes: set[int] = set()
    for pattern in patterns:
        first = int(pattern[0]) * 100 if pattern.endswith("xx") else int(pattern)
        codes.update(range(first, first + (100 if pattern.endswith("xx") else 1)))
    parts: list[list[int]] = []
    for code in sorted(codes):
        if parts and parts[-1][1] == code - 1:
            parts[-1][1] = code
        else:
            parts.append([code, code])
    return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in parts)


def _lines(text: str) -> tuple[str, ...]:
    return tuple(line.strip() for line in text.splitlines() if line.strip())


# -- values ----------------------------------------------------------------------------------


def _put(
    c: Connection, kind: str, name: str, there: tuple[Any, Row] | None, change: Callable[[Any], Any], new: Any
) -> None:
    before = there[0] if there else new
    after = change(before)
    if there is None:
        declared.insert(c, kind, [{"name": name, "spec": specs.encode(after), "managed": ""}])
    elif after != before:
        declared.update(c, kind, name, {"spec": specs.encode(after)})


def _ratios(option: str, value: Any) -> Numbers:
    found: Numbers = {}
    for name, number in (value if isinstance(value, dict) else _json(option, value, dict)).items():
        if isinstance(number, bool) or not isinstance(number, int | float) or number < 0:
            raise CallerError(f"{option}: {name} is no number of 0 or more", param="value")
        if not name or len(name) > 191:
            raise CallerError(f"{option}: a name is empty or too long", param="value")
        found[name] = Decimal(str(number))
    return found


def _json(option: str, value: str, type_: type[Any]) -> Any:
    try:
        return msgspec.json.decode(value, type=type_)
    except msgspec.DecodeError as error:
        raise CallerError(f"{option} is no JSON of its kind: {error}", param="value") from None


def _number(name: str, value: str) -> float:
    try:
        found = float(value)
    except ValueError:
        raise CallerError(f"{name} is a number", param="value") from None
    if not 0 <= found < 1e15:
        raise CallerError(f"{name} is 0 or more", param="value")
    return found


def _whole(name: str, value: str) -> int:
    found = _number(name, value)
    if found != int(found):
        raise CallerError(f"{name} is a whole number", param="value")
    return int(found)


def _flag(name: str, value: str) -> bool:
    if value not in ("true", "false"):
        raise CallerError(f"{name} is true or false", param="value")
    return value == "true"


def _text(value: Mapping[str, Any]) -> str:
    def plain(number: Any) -> Any:
        if isinstance(number, dict):
            return {k: plain(v) for k, v in number.items()}
        return int(number) if isinstance(number, float) and number.is_integer() else number

    return msgspec.json.encode({name: plain(value[name]) for name in sorted(value)}).decode()


class _Own(Struct, frozen=True):
    """An option that this gateway has itself."""

    read: Callable[[Connection], str]
    write: Callable[[Connection, str], None]


_OWN: Mapping[str, _Own] = {
    "GroupRatio": _Own(_read_ratios, _write_ratios),
    "GroupGroupRatio": _Own(_read_special, _write_special),
    "AutoGroups": _Own(_read_auto, _write_auto),
    "UserUsableGroups": _Own(_read_usable, _write_usable),
    **{name: _Own(_read_prices(priced), _write_prices(name, priced)) for name, priced in _PRICES.items()},
    "RetryTimes": _in_section(
        "routing",
        RoutingSpec,
        lambda s: str(s.retries),
        lambda s, v: replace(s, retries=_whole("RetryTimes", v)),
    ),
    "AutomaticRetryStatusCodes": _in_section(
        "routing", RoutingSpec, lambda s: ranges(s.retry_on), lambda s, v: replace(s, retry_on=statuses(v))
    ),
    "AutomaticDisableStatusCodes": _in_section(
        "health", HealthSpec, lambda s: ranges(s.disable_on), lambda s, v: replace(s, disable_on=statuses(v))
    ),
    "AutomaticDisableKeywords": _in_section(
        "health",
        HealthSpec,
        lambda s: "\n".join(s.disable_keywords),
        lambda s, v: replace(s, disable_keywords=_lines(v)),
    ),
    "QuotaForNewUser": _in_section(
        "billing",
        BillingSpec,
        lambda s: _quota_text(s.new_user_quota),
        lambda s, v: replace(s, new_user_quota=_quota("QuotaForNewUser", v)),
    ),
    "QuotaForInviter": _in_section(
        "billing",
        BillingSpec,
        lambda s: _quota_text(s.invite_quota),
        lambda s, v: replace(s, invite_quota=_quota("QuotaForInviter", v)),
    ),
    "SelfUseModeEnabled": _in_section(
        "billing",
        BillingSpec,
        lambda s: "true" if s.unpriced == "default" else "false",
        lambda s, v: replace(s, unpriced="default" if _flag("SelfUseModeEnabled", v) else "reject"),
    ),
}
"""Options that this gateway has itself: how each is read and written."""
