"""Every column of New API's database: where it goes in an import, and that it gets there.

`ROWS` are a database whose columns have values that tell them apart. `TAKEN` says where the management API, or the
table here, shows each of them afterwards. Of what is not taken over, `TOLD` says with which words a person learns of it,
and `NOTHING` why nobody misses it. A column that is in none of them fails the test.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import bcrypt
import msgspec

from newapi.config.schema import Config
from newapi.ops.importing import import_database
from newapi.server.runtime import Runtime
from newapi.store.database import open_database
from newapi.store.models import Checkin
from tests.ops.newapi_database import SCHEMA, make
from tests.server.conftest import PASSWORD, Server, sealing

HASH = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4, b"2a")).decode()
GONE = "2026-01-01 00:00:00+00:00"
AT = 1_783_000_000
SETTING = '{"gotify_priority":0,"language":"en","quota_warning_threshold":500}'
ROWS: dict[str, list[dict[str, Any]]] = {
    "options": [
        {"key": "Notice", "value": "Hello from there"},
        {"key": "GroupRatio", "value": '{"default":1,"vip":0.25}'},
        {"key": "UserUsableGroups", "value": '{"default":"d","auto":"Any"}'},
        {"key": "ModelRatio", "value": '{"claude-x":2.5}'},
        {"key": "checkin_setting.enabled", "value": "true"},
    ],
    "users": [
        {"id": 1, "username": "boss", "password": HASH, "role": 100, "status": 1, "aff_code": ""},
        {
            "id": 7,
            "username": "ann",
            "password": HASH,
            "display_name": "Ann A.",
            "role": 10,
            "status": 1,
            "email": "Ann@Example.com",
            "github_id": "gh",
            "discord_id": "di",
            "oidc_id": "oi",
            "wechat_id": "we",
            "telegram_id": "te",
            "linux_do_id": "li",
            "access_token": "A" * 30 + "  ",
            "quota": 1001,
            "used_quota": 1002,
            "request_count": 1003,
            "group": "vip",
            "aff_code": "aff1",
            "aff_count": 3,
            "aff_quota": 1004,
            "aff_history": 1005,
            "inviter_id": 1,
            "setting": SETTING,
            "remark": "a remark",
            "stripe_customer": "cus_1",
            "created_at": AT + 1,
            "last_login_at": AT + 2,
        },
        {"id": 8, "username": "gone", "password": "", "deleted_at": GONE},
    ],
    "tokens": [
        {
            "id": 9,
            "user_id": 7,
            "key": "k" * 48,
            "status": 2,
            "name": "first",
            "created_time": AT + 3,
            "accessed_time": AT + 4,
            "expired_time": 4_000_000_000,
            "remain_quota": 2001,
            "unlimited_quota": 0,
            "model_limits_enabled": 1,
            "model_limits": "claude-x,other",
            "allow_ips": "10.0.0.0/8\n::1",
            "used_quota": 2002,
            "group": "vip",
        },
        {"id": 10, "user_id": 7, "key": "u" * 48, "name": "any", "unlimited_quota": 1, "group": "auto"},
        {"id": 11, "user_id": 7, "key": "g" * 48, "name": "gone", "deleted_at": GONE},
    ],
    "channels": [
        {
            "id": 5,
            "type": 14,
            "key": "sk-one",
            "open_ai_organization": "org",
            "test_model": "claude-t",
            "status": 3,
            "name": "one",
            "weight": 7,
            "created_time": AT + 5,
            "test_time": AT + 6,
            "response_time": 321,
            "base_url": "https://one.test",
            "other": "o",
            "balance": 1.5,
            "balance_updated_time": AT + 7,
            "models": "claude-x,claude-y",
            "group": "vip,default",
            "used_quota": 3001,
            "model_mapping": '{"claude-y":"claude-x"}',
            "status_code_mapping": '{"404":"500"}',
            "priority": -4,
            "auto_ban": 0,
            "other_info": f'{{"status_reason":"no money","status_time":{AT + 8}}}',
            "tag": "t",
            "setting": '{"force_format":true,"proxy":"http://p.test:1","later":"kept"}',
            "param_override": '{"top_p":0.5}',
            "header_override": '{"X-A":"b"}',
            "remark": "c remark",
            "settings": '{"allow_speed":true,"vertex_key_type":"json"}',
        },
        {
            "id": 6,
            "type": 1,
            "name": "several",
            "key": "a\nb\nc",
            "models": "claude-x",
            "channel_info": b'{"is_multi_key":true,"multi_key_size":3,"multi_key_status_list":{"1":3,"2":2},'
            b'"multi_key_disabled_reason":{"1":"401"},"multi_key_disabled_time":{"1":1783000009},'
            b'"multi_key_polling_index":2,"multi_key_mode":"random"}',
        },
    ],
    "redemptions": [
        {
            "id": 13,
            "user_id": 1,
            "key": "c" * 32,
            "status": 3,
            "name": "gift",
            "quota": 4001,
            "created_time": AT + 10,
            "redeemed_time": AT + 11,
            "used_user_id": 7,
            "expired_time": 4_000_000_001,
        },
        {"id": 14, "key": "d" * 32, "name": "gone", "deleted_at": GONE},
    ],
    "checkins": [{"id": 2, "user_id": 7, "checkin_date": "2026-07-02", "quota_awarded": 77, "created_at": AT + 12}],
    "vendors": [
        {
            "id": 21,
            "name": "Acme",
            "description": "maker",
            "icon": "A",
            "status": 0,
            "created_time": AT + 13,
            "updated_time": AT + 14,
        },
        {"id": 22, "name": "gone", "deleted_at": GONE},
    ],
    "models": [
        {
            "id": 31,
            "model_name": "claude-x",
            "description": "a model",
            "icon": "M",
            "tags": "a,b",
            "vendor_id": 21,
            "endpoints": '{"openai":{"path":"/v1/x","method":"POST"}}',
            "status": 0,
            "sync_official": 0,
            "created_time": AT + 15,
            "updated_time": AT + 16,
            "name_rule": 2,
        },
        {"id": 32, "model_name": "gone", "deleted_at": GONE},
    ],
    "prefill_groups": [
        {
            "id": 41,
            "name": "usual",
            "type": "tag",
            "items": b'["a","b"]',
            "description": "d",
            "created_time": AT + 17,
            "updated_time": AT + 18,
        },
        {"id": 42, "name": "gone", "type": "tag", "deleted_at": GONE},
    ],
    "logs": [
        {
            "id": 51,
            "user_id": 7,
            "created_at": AT + 20,
            "type": 2,
            "content": "Web Search 调用 1 次",
            "username": "ann",
            "token_name": "first",
            "model_name": "claude-x",
            "quota": 5001,
            "prompt_tokens": 502,
            "completion_tokens": 503,
            "use_time": 4,
            "is_stream": 1,
            "channel_id": 5,
            "token_id": 9,
            "group": "vip",
            "ip": "10.1.1.1",
            "request_id": "20260702abc",
            "upstream_request_id": "up-1",
            "other": '{"model_ratio":2.5,"group_ratio":0.25,"admin_info":{"use_channel":["6","5"]}}',
        },
        {
            "id": 52,
            "user_id": 7,
            "created_at": AT + 21,
            "type": 5,
            "channel_id": 99,
            "channel_name": "old",
            "username": "a",
        },
    ],
    "two_fas": [{"id": 61, "user_id": 7, "secret": "S", "is_enabled": 1}],
    "passkey_credentials": [{"id": 62, "user_id": 7, "credential_id": "c", "public_key": "p"}],
    "custom_oauth_providers": [{"id": 63, "name": "idp", "slug": "idp"}],
    "user_oauth_bindings": [{"id": 64, "user_id": 7, "provider_id": 63, "provider_user_id": "x"}],
    "casbin_rule": [
        {"id": 65, "ptype": "p", "v0": "user:7", "v1": "channel", "v2": "read", "v3": "deny"},
        {"id": 66, "ptype": "p", "v0": "role:admin", "v1": "channel", "v2": "read", "v3": "allow"},
    ],
    "authz_roles": [
        {"id": 67, "key": "mine", "name": "Mine", "built_in": 0},
        {"id": 68, "key": "root", "name": "Root", "built_in": 1},
    ],
    "subscription_plans": [{"id": 71, "title": "Gold", "price_amount": 5}],
    "user_subscriptions": [{"id": 72, "user_id": 7, "plan_id": 71, "status": "active"}],
    "subscription_orders": [{"id": 73, "user_id": 7, "trade_no": "s"}],
    "top_ups": [{"id": 74, "user_id": 7, "amount": 1, "trade_no": "t"}],
    "two_fa_backup_codes": [{"id": 75, "user_id": 7, "code_hash": "h"}],
    "midjourneys": [{"id": 76, "user_id": 7, "action": "IMAGINE"}],
    "tasks": [{"id": 77, "user_id": 7, "task_id": "task_x", "data": b"{}"}],
    "quota_data": [{"id": 78, "user_id": 7, "quota": 1}],
}

See = tuple[str, Any]
"""A path into what is seen afterwards, and what is there; what the row says where it is `SAME`."""
SAME = object()
TAKEN: dict[str, See] = {
    **{
        f"users.{name}": (f"user.{path}", SAME)
        for name, path in {
            **{n: n for n in ("id", "username", "display_name", "role", "status", "quota", "used_quota", "group")},
            **{
                n: n for n in ("request_count", "aff_code", "aff_count", "aff_quota", "inviter_id", "setting", "remark")
            },
            **{n: n for n in ("created_at", "last_login_at")},
            "aff_history": "aff_history_quota",
        }.items()
    },
    "users.email": ("user.email", "ann@example.com"),
    "users.password": ("signed_in", 7),
    "users.access_token": ("by_access_token.username", "ann"),
    "users.deleted_at": ("users", ["ann", "boss", "root"]),
    **{
        f"tokens.{name}": (f"token.{name}", SAME)
        for name in (
            *("id", "user_id", "status", "name", "created_time", "accessed_time", "expired_time", "remain_quota"),
            *("model_limits", "allow_ips", "used_quota", "group"),
        )
    },
    "tokens.key": ("token_key", SAME),
    "tokens.model_limits_enabled": ("token.model_limits_enabled", True),
    "tokens.unlimited_quota": ("any_token.unlimited_quota", True),
    "tokens.deleted_at": ("tokens", ["any", "first"]),
    **{
        f"channels.{name}": (f"channel.{name}", SAME)
        for name in (
            *("id", "type", "test_model", "status", "name", "weight", "created_time", "test_time", "response_time"),
            *("base_url", "other", "balance", "balance_updated_time", "models", "group", "used_quota", "model_mapping"),
            *("status_code_mapping", "priority", "auto_ban", "other_info", "tag", "setting", "param_override"),
            *("header_override", "remark", "settings"),
        )
    },
    "channels.key": ("channel_key", SAME),
    "channels.open_ai_organization": ("channel.openai_organization", SAME),
    "channels.channel_info": (
        "several.channel_info",
        {
            "is_multi_key": True,
            "multi_key_size": 3,
            "multi_key_status_list": {"1": 3, "2": 2},
            "multi_key_polling_index": 0,  # where a process is in the turns of its keys
            "multi_key_mode": "random",
        },
    ),
    "options.key": ("options.Notice", "Hello from there"),
    "options.value": ("options.Notice", "Hello from there"),
    **{
        f"redemptions.{name}": (f"code.{name}", SAME)
        for name in (
            *("id", "user_id", "key", "status", "name", "quota", "created_time", "redeemed_time", "used_user_id"),
            "expired_time",
        )
    },
    "redemptions.deleted_at": ("codes", ["gift"]),
    "checkins.user_id": ("checkin_row.user_id", SAME),
    "checkins.checkin_date": ("checkins.records.0.checkin_date", SAME),
    "checkins.quota_awarded": ("checkins.records.0.quota_awarded", SAME),
    "checkins.created_at": ("checkin_row.created_at", SAME),
    **{
        f"vendors.{name}": (f"vendor.{name}", SAME)
        for name in ("name", "description", "icon", "status", "created_time", "updated_time")
    },
    "vendors.deleted_at": ("vendors", ["Acme"]),
    **{
        f"models.{name}": (f"model.{name}", SAME)
        for name in (
            *("model_name", "description", "icon", "tags", "endpoints", "status", "sync_official", "created_time"),
            *("updated_time", "name_rule"),
        )
    },
    "models.vendor_id": ("vendor_of_model.name", "Acme"),
    "models.deleted_at": ("models", ["claude-x"]),
    **{
        f"prefill_groups.{name}": (f"prefill.{name}", SAME)
        for name in ("name", "type", "description", "created_time", "updated_time")
    },
    "prefill_groups.items": ("prefill.items", ["a", "b"]),
    "prefill_groups.deleted_at": ("prefills", ["usual"]),
    **{
        f"logs.{name}": (f"line.{name}", SAME)
        for name in (
            *("user_id", "created_at", "type", "content", "username", "token_name", "model_name", "quota"),
            *("prompt_tokens", "completion_tokens", "use_time", "token_id", "group", "ip", "request_id"),
            "upstream_request_id",
        )
    },
    "logs.is_stream": ("line.is_stream", True),
    "logs.channel_id": ("line.channel", SAME),
    "logs.channel_name": ("failed.channel_name", "old"),
    "logs.other": ("other", {"model_ratio": 2.5, "group_ratio": 0.25, "tries": ["several", "one"]}),
}
TOLD: dict[str, tuple[str, str]] = {
    **{
        f"users.{name}": ("users 7", f"{name}: signing in with it is not taken over")
        for name in ("github_id", "discord_id", "oidc_id", "wechat_id", "telegram_id", "linux_do_id")
    },
    "users.stripe_customer": ("users 7", "stripe_customer: payments"),
}
"""Columns whose value is told: with which row, and in which words."""
NOTHING = {
    "tokens.cross_group_retry": "a list of groups always goes on to the next",
    "checkins.id": "nobody names it",
    "vendors.id": "vendors, models and lists are numbered together here",
    "models.id": "vendors, models and lists are numbered together here",
    "prefill_groups.id": "vendors, models and lists are numbered together here",
    "logs.id": "the place of a line in the log",
}
"""Columns whose value has no meaning here, and why."""
WHOLE_TOLD = {
    "two_fas": ("two_fas 61", "ann", "set up anew"),
    "passkey_credentials": ("passkey_credentials 62", "ann", "made anew"),
    "custom_oauth_providers": ("custom_oauth_providers 63", "idp", "not taken over"),
    "user_oauth_bindings": ("user_oauth_bindings 64", "ann", "not taken over"),
    "casbin_rule": ("casbin_rule 65", "user:7", "permissions of single administrators"),
    "authz_roles": ("authz_roles 67", "Mine", "not taken over"),
    "subscription_plans": ("subscription_plans 71", "Gold", "not taken over"),
    "user_subscriptions": ("user_subscriptions 72", "ann", "in no balance"),
    "subscription_orders": ("subscription_orders 73", "", "1 rows: subscriptions"),
    "top_ups": ("top_ups 74", "", "1 rows: payments"),
    "two_fa_backup_codes": ("two_fa_backup_codes 75", "", "1 rows: second factors"),
    "midjourneys": ("midjourneys 76", "", "1 rows: jobs"),
    "tasks": ("tasks 77", "", "1 rows: jobs"),
    "quota_data": ("quota_data 78", "", "1 rows: sums"),
}
"""Tables that are not taken over: how their row is told."""
WHOLE_NOTHING = {
    "abilities": "made of the channels, anew",
    "setups": "that there is a root says as much",
    "perf_metrics": "measurements of processes that are gone",
    "system_instances": "processes that are gone",
    "system_tasks": "chores of processes that are gone",
    "system_task_locks": "chores of processes that are gone",
    "subscription_pre_consume_records": "keeps a charge from being made twice, for a moment",
}
"""Tables that mean nothing outside the program that has them, and why."""


def schema() -> dict[str, list[str]]:
    """Return the columns of each table of New API's."""
    found: dict[str, list[str]] = {}
    for table, body in re.findall(r"CREATE TABLE `(\w+)` \((.*?)\);$", SCHEMA.read_text(), re.DOTALL | re.MULTILINE):
        found[table] = re.findall(r"(?:^|,)\s*`(\w+)` ", body)
    return found


def test_every_column_has_its_place() -> None:
    tables = schema()
    assert len(tables) == 31, "the schema was read"
    each = {f"{t}.{c}" for t, columns in tables.items() if t not in {*WHOLE_TOLD, *WHOLE_NOTHING} for c in columns}
    said = [*TAKEN, *TOLD, *NOTHING]
    assert sorted(said) == sorted(each)
    assert tables.keys() == {*WHOLE_TOLD, *WHOLE_NOTHING, *(name.partition(".")[0] for name in said)}


async def test_every_value_arrives(tmp_path: Path, empty_database: str) -> None:
    source = make(tmp_path / "theirs.db", ROWS)
    db = open_database(empty_database)
    local = sealing(tmp_path, db, Config())
    done = import_database(local, str(source), logs_since=0, who="test")
    server = Server(Runtime(local, tmp_path / "journal"))
    try:
        seen = await look(server)
    finally:
        await server.close()
        db.close()
    wrong = {name: (got, due) for name, see in TAKEN.items() if (got := at(seen, see[0])) != (due := wanted(name, see))}
    assert wrong == {}
    left = {f"{row.kind} {row.id}": row for row in done.left}
    reasons = [f"{row.kind} {row.id}: {row.reason}" for row in done.left]
    assert [told for told in TOLD.values() if not any(r.startswith(f"{told[0]}: {told[1]}") for r in reasons)] == []
    told = {table: left[label] for table, (label, _, _) in WHOLE_TOLD.items() if label in left}
    assert told.keys() == WHOLE_TOLD.keys()
    for table, (_, name, words) in WHOLE_TOLD.items():
        assert (told[table].name, words in told[table].reason) == (name, True), told[table]
    assert not {"casbin_rule 66", "authz_roles 68"} & left.keys()


async def look(server: Server) -> dict[str, Any]:
    """Return everything that the management API shows of what was taken over."""
    boss = await server.signed_in("boss")

    async def get(path: str, who: Any = boss) -> Any:
        return await who.do("GET", path)

    seen: dict[str, Any] = {"user": await get("/api/user/7")}
    seen["users"] = sorted(u["username"] for u in (await get("/api/user/"))["items"])
    access = {"authorization": "Bearer " + "A" * 30, "new-api-user": "7"}
    seen["by_access_token"] = await server.browser().do("GET", "/api/user/self", headers=access)
    ann = server.browser()
    seen["signed_in"] = await ann.sign_in("ann")
    seen["token"], seen["any_token"] = await get("/api/token/9", ann), await get("/api/token/10", ann)
    seen["token_key"] = (await ann.do("POST", "/api/token/9/key"))["key"]
    seen["tokens"] = sorted(t["name"] for t in (await get("/api/token/", ann))["items"])
    seen["channel"], seen["several"] = await get("/api/channel/5"), await get("/api/channel/6")
    seen["channel_key"] = (await boss.do("POST", "/api/channel/5/key"))["key"]
    seen["options"] = {o["key"]: o["value"] for o in await get("/api/option/")}
    seen["code"] = await get("/api/redemption/13")
    seen["codes"] = [code["name"] for code in (await get("/api/redemption/"))["items"]]
    seen["checkins"] = (await get("/api/user/checkin?month=2026-07", ann))["stats"]
    with server.db.reading() as c:
        (seen["checkin_row"],) = Checkin.select().dicts().execute(c)
    for kind, path in {"model": "/api/models/", "vendor": "/api/vendors/", "prefill": "/api/prefill_group/"}.items():
        found = await get(path)
        items = found if isinstance(found, list) else found["items"]
        seen[kind], seen[f"{kind}s"] = items[0], [item.get("name") or item["model_name"] for item in items]
    seen["vendor_of_model"] = await get(f"/api/vendors/{seen['model']['vendor_id']}")
    seen["failed"], seen["line"] = [line for line in (await get("/api/log/"))["items"] if line["user_id"] == 7][-2:]
    other = msgspec.json.decode(seen["line"]["other"])
    tries = [one["channel"] for one in other["tries"]]
    seen["other"] = {"model_ratio": other["model_ratio"], "group_ratio": other["group_ratio"], "tries": tries}
    return seen


def at(seen: Any, path: str) -> Any:
    """Return what is at a path."""
    for part in path.split("."):
        seen = seen[int(part)] if isinstance(seen, list) else seen[part]
    return as_json(seen)


def wanted(name: str, see: See) -> Any:
    """Return what is to be at the path of a column."""
    table, _, column = name.partition(".")
    row = next(row for row in ROWS[table] if column in row and row.get("id", 7) != 1)
    return as_json(row[column]) if see[1] is SAME else see[1]


def as_json(value: Any) -> Any:
    """Return a value, or where it is the text of an object that object: blanks in it do not count."""
    return msgspec.json.decode(value) if isinstance(value, str) and value[:1] == "{" else value
