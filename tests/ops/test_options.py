from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from newapi.base.errors import CallerError
from newapi.billing.book import PriceBook, builtin
from newapi.config.schema import BillingSpec, Config, GroupSpec, HealthSpec, ModelSpec, RoutingSpec
from newapi.ops import apply, options
from newapi.ops.local import Local
from newapi.store import audit, clock, sealed, snapshot
from newapi.store import options as store


def put(local: Local, name: str, value: Any) -> None:
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    options.put(local, name, text, who="ann")


def get(local: Local, name: str) -> Any:
    return msgspec.json.decode(options.everything(local.db)[name])


def stored(local: Local) -> snapshot.Stored:
    return snapshot.load(local.db)


# -- kept as they are ------------------------------------------------------------------------


def test_what_nobody_set_is_as_it_was_born(local: Local) -> None:
    found = options.everything(local.db)
    assert found["QuotaPerUnit"] == "500000"
    assert found["RegisterEnabled"] == "false"
    assert list(found) == sorted(found)


def test_an_unknown_option_is_kept_and_given_back(local: Local) -> None:
    before = clock.generation(local.db)
    put(local, "SidebarModulesAdmin", '{"a":1}')
    assert options.everything(local.db)["SidebarModulesAdmin"] == '{"a":1}'
    assert clock.generation(local.db) > before
    assert audit.entries(local.db)[0].target == "SidebarModulesAdmin"


@pytest.mark.parametrize("name", ["SMTPToken", "GitHubClientSecret", "EpayKey", "oidc.client_secret", "x.api_key"])
def test_a_secret_is_sealed_and_not_shown(local: Local, secrets: dict[str, str], name: str) -> None:
    put(local, name, "very-secret")
    assert name not in options.everything(local.db)
    assert "very-secret" not in str(store.read(local.db))
    assert sealed.names(local.db) == [f"option/{name}"]
    secrets[f"secret:option/{name}"] = "opened"
    found = options.secret(local, name)
    assert found is not None
    assert found.reveal() == "opened"
    assert options.secret(local, "OtherKey") is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("", "x"),
        ("n" * 192, "x"),
        ("QuotaPerUnit", "1000"),
        ("RegisterEnabled", "yes"),
        ("MinTopUp", "many"),
        ("payment_setting.amount_options", "{}"),
        ("payment_setting.compliance_confirmed", "true"),
        ("GroupRatio", '{"default": oops'),
        ("GroupRatio", '{"default":-1}'),
        ("GroupRatio", '{"default":"1"}'),
        ("GroupRatio", '{"":1}'),
        ("GroupRatio", "[]"),
        ("ModelPrice", '{"m":true}'),
        ("UserUsableGroups", '{"vip":1}'),
        ("GroupGroupRatio", '{"vip":{"default":-1}}'),
        ("SelfUseModeEnabled", "yes"),
        ("RetryTimes", "-1"),
        ("RetryTimes", "1.5"),
        ("AutomaticDisableStatusCodes", "4xx"),
        ("AutomaticRetryStatusCodes", "500-700"),
        ("QuotaForNewUser", "nan"),
    ],
)
def test_what_makes_no_sense_is_refused_and_changes_nothing(local: Local, name: str, value: str) -> None:
    before = options.everything(local.db)
    with pytest.raises(CallerError):
        put(local, name, value)
    assert options.everything(local.db) == before


# -- groups ----------------------------------------------------------------------------------


@pytest.fixture
def declared(local: Local) -> Local:
    """A gateway whose file declares two groups and two prices."""
    config = Config(
        groups={"default": GroupSpec(selectable=True), "vip": GroupSpec(ratio=Decimal("0.8"), selectable=True)},
        models={
            "gpt-4o": ModelSpec(ratio=Decimal("1.25"), completion_ratio=Decimal(4)),
            "dollars": ModelSpec(input=Decimal("0.30"), output=Decimal("1.20"), cached_input=Decimal("0.03")),
        },
    )
    apply.apply(local, config, who="ann")
    return local


def test_group_ratios_are_the_groups(declared: Local) -> None:
    assert get(declared, "GroupRatio") == {"default": 1, "vip": 0.8}
    put(declared, "GroupRatio", {"default": 1, "vip": 0.5, "reds": 0.25})
    groups = stored(declared).groups
    assert groups["reds"] == GroupSpec(ratio=Decimal("0.25"))
    assert groups["vip"] == GroupSpec(ratio=Decimal("0.5"), selectable=True)


def test_a_group_that_is_not_named_goes_but_for_a_declared_one(declared: Local) -> None:
    put(declared, "GroupRatio", {"default": 1, "vip": 1, "reds": 1})
    put(declared, "GroupRatio", {"default": 1})
    assert set(stored(declared).groups) == {"default", "vip"}


def test_selectable_groups_and_what_is_said_of_them(declared: Local) -> None:
    assert get(declared, "UserUsableGroups") == {"default": "default", "vip": "vip"}
    before = stored(declared).groups
    put(declared, "UserUsableGroups", {"default": "Default", "reds": "The red team", "auto": "auto"})
    groups = stored(declared).groups
    assert (groups["default"].remark, groups["vip"].selectable) == ("Default", False)
    assert groups["reds"] == GroupSpec(selectable=True, remark="The red team")
    put(declared, "UserUsableGroups", {"default": "default", "vip": "vip"})
    put(declared, "GroupRatio", {"default": 1, "vip": 0.8})
    assert stored(declared).groups == before


def test_the_list_of_groups_that_are_tried_in_turn(declared: Local) -> None:
    assert get(declared, "AutoGroups") == ["default"]
    put(declared, "AutoGroups", ["vip", "reds", "default", "vip"])
    groups = stored(declared).groups
    assert groups["auto"] == GroupSpec(members=("vip", "reds", "default"))
    assert "reds" in groups
    assert get(declared, "AutoGroups") == ["vip", "reds", "default"]
    assert "auto" not in get(declared, "GroupRatio")
    put(declared, "GroupRatio", {"default": 1})
    put(declared, "UserUsableGroups", {"default": "default", "auto": "the cheapest"})
    assert stored(declared).groups["auto"].selectable
    put(declared, "AutoGroups", [])
    assert "auto" not in stored(declared).groups


@pytest.mark.parametrize("value", ['{"a": 1}', '["auto"]', "[7]", '[""]', "x"])
def test_a_list_that_makes_no_sense(declared: Local, value: str) -> None:
    with pytest.raises(CallerError):
        put(declared, "AutoGroups", value)
    assert "auto" not in stored(declared).groups


def test_special_ratios(declared: Local) -> None:
    assert get(declared, "GroupGroupRatio") == {}
    put(declared, "GroupGroupRatio", {"vip": {"default": 0.9}})
    assert stored(declared).groups["vip"].ratio_for == {"default": Decimal("0.9")}
    assert get(declared, "group_ratio_setting.group_group_ratio") == {"vip": {"default": 0.9}}
    put(declared, "group_ratio_setting.group_group_ratio", "{}")
    assert stored(declared).groups["vip"].ratio_for == {}


# -- prices ----------------------------------------------------------------------------------


def test_prices_are_those_of_the_file_over_the_built_in_ones(declared: Local) -> None:
    ratios, completions = get(declared, "ModelRatio"), get(declared, "CompletionRatio")
    assert (ratios["gpt-4o"], completions["gpt-4o"]) == (1.25, 4)
    assert (ratios["dollars"], completions["dollars"]) == (0.15, 4)
    assert get(declared, "CacheRatio")["dollars"] == 0.1
    assert ratios["gpt-4"] == float(builtin().model_ratio["gpt-4"])
    assert get(declared, "ModelPrice")["dall-e-3"] == float(builtin().model_price["dall-e-3"])


@pytest.mark.parametrize("name", ["ModelRatio", "CompletionRatio", "CacheRatio", "CreateCacheRatio", "ModelPrice"])
def test_what_is_read_and_written_back_changes_nothing(declared: Local, name: str) -> None:
    before = stored(declared).models
    put(declared, name, get(declared, name))
    assert stored(declared).models == before


def test_a_price_a_call_for_one_model_leaves_the_others(declared: Local) -> None:
    before = get(declared, "ModelPrice")
    put(declared, "ModelPrice", {"new": 0.02})
    models = stored(declared).models
    assert models["new"] == ModelSpec(price=Decimal("0.02"))
    assert PriceBook(models).find("dall-e-3") is not None
    put(declared, "ModelPrice", before)
    assert "new" not in stored(declared).models


def test_a_ratio_takes_the_place_of_a_price_in_dollars(declared: Local) -> None:
    put(declared, "ModelRatio", get(declared, "ModelRatio") | {"dollars": 2})
    spec = stored(declared).models["dollars"]
    assert (spec.ratio, spec.input, spec.output) == (Decimal(2), None, Decimal("1.20"))
    price = PriceBook(stored(declared).models).find("dollars")
    assert price is not None
    assert (price.rates.input, price.rates.output) == (Decimal(2), Decimal("0.6"))


def test_a_built_in_price_can_be_changed_and_comes_back(local: Local) -> None:
    before = get(local, "ModelRatio")
    put(local, "ModelRatio", before | {"gpt-4": 99})
    assert stored(local).models == {"gpt-4": ModelSpec(ratio=Decimal(99))}
    put(local, "ModelRatio", before)
    assert stored(local).models == {}


# -- sections --------------------------------------------------------------------------------


def test_sections(local: Local) -> None:
    put(local, "RetryTimes", "5")
    put(local, "AutomaticRetryStatusCodes", "429, 500-599")
    put(local, "AutomaticDisableStatusCodes", "401，403")
    put(local, "AutomaticDisableKeywords", "quota\n\n billing \n")
    put(local, "QuotaForNewUser", "250000")
    put(local, "QuotaForInviter", "500000")
    put(local, "SelfUseModeEnabled", "true")
    found = stored(local)
    assert found.routing == RoutingSpec(retries=5, retry_on=("429", "5xx"))
    assert found.health == HealthSpec(disable_on=("401", "403"), disable_keywords=("quota", "billing"))
    expected = BillingSpec(new_user_quota=Decimal("0.5"), invite_quota=Decimal(1), unpriced="default")
    assert found.billing == expected
    shown = options.everything(local.db)
    assert shown["RetryTimes"] == "5"
    assert shown["AutomaticRetryStatusCodes"] == "429,500-599"
    assert shown["QuotaForNewUser"] == "250000"
    assert shown["SelfUseModeEnabled"] == "true"


@given(st.sets(st.integers(100, 599)))
def test_statuses_survive(codes: set[int]) -> None:
    text = options.ranges(map(str, codes))
    assert options.ranges(options.statuses(text)) == text
    matched = {c for c in range(100, 600) if any(p in (str(c), f"{c // 100}xx") for p in options.statuses(text))}
    assert matched == codes
