"""Databases of New API and One API on every kind of server, their logs, and what cannot be taken over."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from newapi.base.errors import CallerError, StoreError
from newapi.base.progress import watched
from newapi.base.secret import Secret
from newapi.config.load import load
from newapi.ops import catalog, channels, legacy, one_api
from newapi.ops.apply import plan as planned
from newapi.ops.export import export
from newapi.ops.importing import Imported, import_database
from newapi.ops.local import Local
from newapi.ops.tokens import list_tokens
from newapi.relay.admit import admit
from newapi.relay.build import build
from newapi.store import redemption, users
from newapi.store import snapshot as stored
from newapi.store.database import open_database
from newapi.store.keys import hash_key
from newapi.store.ledger import RecordFilter, StoredRecord, query_records
from newapi.store.models import Channel
from tests.databases import KINDS, PASSWORD, DatabaseServers
from tests.ops.newapi_database import KEY, ROWS, fill, make
from tests.ops.sealing import sealing

NOW = 1_783_425_600
CANARY = "canary-of-a-proxy"
MORE: dict[str, list[dict[str, Any]]] = {
    **ROWS,
    "channels": [
        *ROWS["channels"],
        {
            "id": 4,
            "type": 43,
            "name": "Main",
            "key": "sk-deep",
            "models": "deepseek-chat",
            "priority": -5,
            "weight": 0,
            "setting": f'{{"proxy":"socks5://me:{CANARY}@127.0.0.1:1080"}}',
            "param_override": '{"temperature":0.5,"stop":["a\\\\b"]}',
        },
    ],
    "logs": [
        {
            "id": 1,
            "user_id": 4,
            "created_at": NOW - 50 * 86400,
            "type": 2,
            "username": "ann",
            "model_name": "old",
            "quota": 1,
        },
        {
            "id": 2,
            "user_id": 4,
            "created_at": NOW - 100,
            "type": 2,
            "username": "ann",
            "token_name": "ci",
            "token_id": 1,
            "model_name": "my-model",
            "quota": 120,
            "prompt_tokens": 100,
            "completion_tokens": 20,
            "use_time": 3,
            "is_stream": 1,
            "channel_id": 2,
            "group": "vip",
            "ip": "10.0.0.1",
            "request_id": "20260101abc",
            "other": '{"model_ratio":2.5,"group_ratio":0.5,"cache_tokens":40,"frt":250,"admin_info":{"use_channel":["2"]}}',
        },
        {
            "id": 3,
            "user_id": 4,
            "created_at": NOW - 99,
            "type": 5,
            "username": "ann",
            "model_name": "my-model",
            "content": "no channel",
            "request_id": "20260101abc",
        },
        {"id": 4, "user_id": 4, "created_at": NOW - 98, "type": 6, "username": "ann", "quota": 20},
        {
            "id": 5,
            "user_id": 77,
            "created_at": NOW - 97,
            "type": 1,
            "username": "zoe",
            "content": "topped up",
            "quota": 9,
        },
        {"id": 6, "user_id": 4, "created_at": NOW - 96, "type": 7, "username": "ann", "content": "signed in"},
    ],
    "checkins": [
        {"id": 1, "user_id": 4, "checkin_date": "2026-07-01", "quota_awarded": 30, "created_at": 5},
        {"id": 2, "user_id": 99, "checkin_date": "2026-07-01", "quota_awarded": 30, "created_at": 5},
    ],
    "vendors": [{"id": 8, "name": "Acme", "icon": "A"}],
    "models": [{"id": 3, "model_name": "my-model", "vendor_id": 8, "description": "ours", "tags": "a,b"}],
    "prefill_groups": [{"id": 1, "name": "usual", "type": "model", "items": b'["my-model","gpt-4o"]'}],
    "top_ups": [{"id": i, "user_id": 4, "amount": 1, "trade_no": f"t{i}"} for i in range(1, 24)],
    "two_fas": [{"id": 1, "user_id": 4, "secret": "JBSWY3DPEHPK3PXP", "is_enabled": 1}],
}


@pytest.fixture(params=KINDS)
def source(request: pytest.FixtureRequest, tmp_path: Path, database_servers: DatabaseServers) -> Iterator[str]:
    """A database of New API with rows in most tables: its file, or its URL."""
    if request.param == "sqlite":
        yield str(make(tmp_path / "theirs.db", MORE))
        return
    with database_servers.url(request.param, tmp_path) as url:
        fill(database_servers, url, MORE)
        yield url


@pytest.fixture
def here(local: Local) -> Local:
    return sealing(local)


def take(here: Local, source: str, **options: Any) -> Imported:
    return import_database(here, source, who="test", now=NOW, **options)


def records(here: Local) -> list[StoredRecord]:
    return query_records(here.db, RecordFilter(after_id=0, limit=0))


def test_everything_of_new_api(here: Local, source: str) -> None:
    done = take(here, source, logs_since=NOW - 30 * 86400)
    assert done.program == "New API"
    assert {c.kind: (c.new, c.there, c.deleted) for c in done.counts} == {
        "options": (4, 0, 0),
        "users": (3, 0, 1),
        "channels": (3, 0, 0),
        "tokens": (4, 0, 1),
        "redemptions": (2, 0, 0),
        "checkins": (1, 0, 0),
        "vendors": (1, 0, 0),
        "models": (1, 0, 0),
        "prefill_groups": (1, 0, 0),
        "logs": (5, 0, 0),
    }
    left = {f"{row.kind} {row.id}": row.reason for row in done.left}
    assert left["top_ups 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20 …"].startswith("23 rows")
    assert left["two_fas 1"].startswith("the second factor has to be set up anew")
    assert left["checkins 2"] == "its user, 99, does not exist"
    assert left["channels 3"] == "Channels of type 999 are not served here"

    # A token of it is known by its key, a name by its case, an order by its sign.
    assert {t.name for t in list_tokens(here.db)} == {"ci", "auto", "expired", "locked"}
    assert hash_key(KEY) in {t.key_hash for t in _tokens(here)}
    found = {view.name: view for view in channels.list_channels(here.db)}
    assert set(found) == {"main", "main-2", "Main"}
    assert (found["Main"].spec.priority, found["Main"].spec.weight) == (-5, 100)
    assert found["Main"].spec.params == {"temperature": 0.5, "stop": ["a\\b"]}
    assert [key.reveal() for key in channels.keys_of(here, found["main-2"])] == ["k1", "k2", "k3"]
    with here.db.reading() as c:
        ann = users.find(c, name="ann")
        assert ann is not None
        assert [(d.day, d.quota) for d in redemption.checkins(c, ann.id)] == [("2026-07-01", 30)]
    (model,) = catalog.entries(here.db, "model")
    (vendor,) = catalog.entries(here.db, "vendor")
    assert (model.value["vendor_id"], model.value["description"]) == (vendor.id, "ours")
    assert catalog.entries(here.db, "prefill")[0].value["items"] == ["my-model", "gpt-4o"]


def _tokens(here: Local) -> Any:
    from newapi.store import tokens

    with here.db.reading() as c:
        return tokens.select(c)


def test_the_log_is_taken_over_once_and_charges_nobody(here: Local, source: str) -> None:
    take(here, source)
    assert records(here) == []
    with here.db.reading() as c:
        before = users.find(c, name="ann")
    told: list[tuple[str, int, int]] = []
    with watched(lambda *said: told.append(said)):
        assert {c.kind: c.new for c in take(here, source, logs_since=NOW - 30 * 86400).counts}["logs"] == 5
    lines = [(done, total) for what, done, total in told if what == "Importing lines of the log"]
    assert ("Importing users", 0) in {(what, done) for what, done, _ in told}
    assert lines[-1][0] == lines[-1][1] >= 5
    with here.db.reading() as c:
        assert users.find(c, name="ann") == before
    used, failed, refund, topup, signed_in = records(here)
    assert (used.user_name, used.token_name, used.channel_name, used.model) == ("ann", "ci", "main-2", "my-model")
    assert (used.quota, used.prompt_tokens, used.completion_tokens) == (120, 100, 20)
    assert (used.duration_ms, used.first_token_ms, used.stream, used.status) == (3000, 250, True, 200)
    assert used.usage == '{"input":60,"cache_read":40,"output":20}'
    assert used.bill == '{"model_ratio":2.5,"group_ratio":0.5,"cache_tokens":40,"frt":250}'
    assert used.token_id == next(t.id for t in list_tokens(here.db) if t.name == "ci")
    assert (failed.kind, failed.error, failed.status) == ("error", "no channel", 500)
    assert failed.request_id != used.request_id
    assert (refund.kind, refund.quota) == ("refund", -20)
    assert (topup.kind, topup.user_name, topup.user_id, topup.error) == ("topup", "zoe", 0, "topped up")
    assert signed_in.kind == "system"
    again = take(here, source, logs_since=NOW - 60 * 86400)
    assert {c.kind: (c.new, c.there) for c in again.counts}["logs"] == (1, 5)
    assert len(records(here)) == 6


def test_a_log_in_a_database_of_its_own(here: Local, tmp_path: Path) -> None:
    """New API keeps it there with `LOG_SQL_DSN`."""
    rows = {table: made for table, made in MORE.items() if table != "logs"}
    theirs, log = make(tmp_path / "theirs.db", rows), tmp_path / "log.db"
    with sqlite3.connect(log) as database:
        database.execute(f"ATTACH '{make(tmp_path / 'whole.db', MORE)}' AS whole")
        database.execute("CREATE TABLE logs AS SELECT * FROM whole.logs")
    database.close()
    done = take(here, str(theirs), logs_since=0, logs_from=str(log))
    assert {c.kind: c.new for c in done.counts}["logs"] == 6
    assert {r.channel_name for r in records(here) if r.token_name} == {"main-2"}
    with sqlite3.connect(log) as database:
        database.execute("ALTER TABLE logs RENAME TO other")
    database.close()
    with pytest.raises(StoreError, match="has no log"):
        take(here, str(theirs), logs_since=0, logs_from=str(log))


def test_a_second_time_doubles_nothing(here: Local, source: str) -> None:
    take(here, source, logs_since=0)
    before = export(here.db), len(records(here))
    again = take(here, source, logs_since=0)
    assert [count.kind for count in again.counts if count.new] == []
    assert (export(here.db), len(records(here))) == before


def test_what_comes_of_it_is_no_change(here: Local, source: str, tmp_path: Path) -> None:
    text = take(here, source).toml
    assert text == export(here.db)
    file = tmp_path / "written.toml"
    file.write_text(text)
    assert planned(here, load(file).config).changes == ()


def test_only_looking_changes_nothing(here: Local, source: str) -> None:
    before = export(here.db)
    done = take(here, source, logs_since=0, dry_run=True)
    assert {c.kind: c.new for c in done.counts}["channels"] == 3
    assert export(here.db) == before
    assert records(here) == []


def test_a_proxy_with_a_password_is_sealed(here: Local, source: str) -> None:
    done = take(here, source)
    (view,) = [view for view in channels.list_channels(here.db) if view.name == "Main"]
    assert view.spec.proxy.startswith("secret:channel/")
    assert here.resolve(view.spec.proxy).reveal() == f"socks5://me:{CANARY}@127.0.0.1:1080"
    with here.db.reading() as c:
        stored = "".join(str(row) for row in Channel.select().dicts().execute(c))
    assert CANARY not in stored + done.toml + export(here.db) + repr(done)
    channels.delete(here.db, [view.id], who="test")
    with pytest.raises(Exception, match="is not there"):
        here.resolve(view.spec.proxy)


@pytest.mark.parametrize("kind", ["postgresql", "mariadb"])
def test_the_source_is_not_written(database_servers: DatabaseServers, tmp_path: Path, kind: str) -> None:
    from newapi.store import foreign

    with database_servers.url(kind, tmp_path) as url:
        fill(database_servers, url, {})
        with pytest.raises(StoreError, match=r"(?i)read.only"), foreign.opened(url) as theirs:
            theirs._c.execute_sql("DELETE FROM users")
        with pytest.raises(StoreError) as caught, foreign.opened(url.replace("canary", "other")):
            pass
        assert not {"other", PASSWORD} & set(caught.value.message.split())


def test_numbers_stay_for_scripts_name_them(here: Local, tmp_path: Path) -> None:
    """`New-Api-User: 1` is the root there, whatever its name; `sk-…-7` is channel 7."""
    rows: dict[str, list[dict[str, Any]]] = {
        "users": [
            {"id": 1, "username": "boss", "password": "x", "role": 100, "status": 1, "access_token": "A" * 32},
            {"id": 40, "username": "ann", "password": "", "role": 1, "status": 1},
        ],
        "channels": [{"id": 7, "type": 1, "name": "c", "key": "k", "models": "gpt-4o"}],
        "tokens": [{"id": 9, "user_id": 40, "key": "sk-" + KEY, "name": "t"}],
        "redemptions": [{"id": 8, "user_id": 1, "key": "c" * 32, "name": "n"}],
    }
    source = make(tmp_path / "theirs.db", rows)
    assert take(here, str(source)).left == ()
    with here.db.reading() as c:
        found = {user.name: (user.id, user.role) for user in users.search(c, users.UserFilter())}
        assert redemption.find(c, id=8) is not None
    assert found == {"boss": (1, "root"), "root": (41, "root"), "ann": (40, "user")}
    assert [view.id for view in channels.list_channels(here.db)] == [7]
    assert [(token.id, token.key_hash) for token in _tokens(here)] == [(9, hash_key(KEY))]
    assert {count.kind: count.new for count in take(here, str(source)).counts if count.new} == {}


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_made_afterwards_is_numbered_behind(
    database_servers: DatabaseServers, tmp_path: Path, local: Local, kind: str
) -> None:
    rows: dict[str, list[dict[str, Any]]] = {
        "users": [
            {"id": 1, "username": "boss", "password": "", "role": 100, "status": 1},
            {"id": 5, "username": "ann", "password": "", "role": 1, "status": 1},
        ],
        "channels": [{"id": 70, "type": 1, "name": "c", "key": "k", "models": "gpt-4o"}],
    }
    source = str(make(tmp_path / "theirs.db", rows))
    with database_servers.url(kind, tmp_path) as url:
        here = sealing(replace(local, db=open_database(url)))
        take(here, source, dry_run=True)
        take(here, source)
        with here.db.writing() as c:
            made = users.insert(c, {"name": "new", "created_at": 1.0})
        draft = channels.Draft("new", legacy.new({"models": "gpt-4o"}), [Secret("k")])
        (channel,) = channels.create(here, [draft], who="test")
        here.db.close()
    assert (made, channel.id) == (7, 71)


def test_where_a_number_is_taken_another_one_is_told(here: Local, tmp_path: Path) -> None:
    with here.db.writing() as c:
        users.insert(c, {"name": "here", "created_at": 1.0})
    row = {"id": 2, "username": "ann", "password": "", "role": 1, "status": 1, "access_token": "A" * 32}
    done = take(here, str(make(tmp_path / "theirs.db", {"users": [row]})))
    assert [(told.id, told.reason) for told in done.left] == [
        ("2", "its number is 3 here: who sends New-Api-User has to say so")
    ]


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({"model_limits_enabled": 1, "model_limits": ""}, ["its list of models has none: it is disabled"]),
        ({"model_limits_enabled": 1, "model_limits": " , "}, ["its list of models has none: it is disabled"]),
        ({"group": "ghost"}, ["there is no group 'ghost' there: it is disabled"]),
        (
            {"allow_ips": "home"},
            ["'home' is no address or network", "none of its addresses is one: it is disabled"],
        ),
        ({"status": 2}, []),
    ],
)
def test_a_token_that_is_refused_there_is_disabled(
    here: Local, tmp_path: Path, row: dict[str, Any], told: list[str]
) -> None:
    user = {"id": 4, "username": "ann", "password": "", "role": 1, "status": 1}
    rows = {"users": [user], "tokens": [{"id": 1, "user_id": 4, "key": KEY, "name": "t", **row}]}
    done = take(here, str(make(tmp_path / "theirs.db", rows)))
    assert [token.state for token in _tokens(here)] == ["disabled"]
    assert [left.reason for left in done.left if left.kind == "tokens"] == told


@pytest.mark.parametrize(
    "row",
    [
        {"model_limits_enabled": 0, "model_limits": "gpt-4o"},
        {"remain_quota": -5, "unlimited_quota": 1},
        {"expired_time": 1_783_425_600_000},
        {"expired_time": None},
        {"name": None, "group": None, "allow_ips": None, "model_limits": None, "unlimited_quota": 1},
        {"group": "vip"},
        {"group": "auto"},
    ],
)
def test_a_token_that_works_there_works_here(here: Local, tmp_path: Path, row: dict[str, Any]) -> None:
    user = {"id": 4, "username": "ann", "password": "", "role": 1, "status": 1, "group": "own"}
    rows = {
        "options": [{"key": "UserUsableGroups", "value": '{"default":"d","auto":"a"}'}],
        "users": [user],
        "tokens": [{"id": 1, "user_id": 4, "key": KEY, "name": "t", "remain_quota": 9, **row}],
    }
    take(here, str(make(tmp_path / "theirs.db", rows)))
    gateway = build(stored.load(here.db), here.resolve, lambda _: None)
    caller = admit(gateway, {"authorization": f"Bearer sk-{KEY}"}, "", "10.0.0.1", NOW)
    assert caller.token.enabled
    assert caller.group == {"auto": "default"}.get(str(row.get("group")), row.get("group") or "own")
    file = tmp_path / "written.toml"
    file.write_text(export(here.db))
    assert planned(here, load(file).config).changes == ()


def test_groups_that_are_in_use_and_nowhere_said(here: Local, tmp_path: Path) -> None:
    rows = {
        "options": [
            {"key": "GroupRatio", "value": '{"default":1}'},
            {"key": "GroupGroupRatio", "value": '{"vip":{"edit_this":0.9,"default":0.5}}'},
        ],
        "users": [{"id": 4, "username": "ann", "password": "", "role": 1, "status": 1, "group": "own"}],
        "channels": [{"id": 1, "type": 1, "name": "c", "key": "k", "models": "gpt-4o", "group": "own,vip"}],
    }
    done = take(here, str(make(tmp_path / "theirs.db", rows)))
    assert [(left.kind, left.id) for left in done.left] == [
        ("groups", "own"),
        ("groups", "vip"),
        ("options", "GroupGroupRatio"),
    ]
    there = stored.load(here.db)
    assert {name: spec.ratio_for for name, spec in there.groups.items() if name != "default"} == {
        "own": {},
        "vip": {"default": Decimal("0.5")},
    }


def test_models_without_a_price_are_kept_and_refused(here: Local, tmp_path: Path) -> None:
    rows = {
        "options": [{"key": "ModelRatio", "value": '{"gpt-4o":1.25}'}],
        "channels": [{"id": 1, "type": 1, "name": "c", "key": "k", "models": "gpt-4o,nobody-knows,gpt-4o-mini"}],
    }
    done = take(here, str(make(tmp_path / "theirs.db", rows)))
    assert [left.reason for left in done.left] == [
        "models without a price, refused as there: nobody-knows",
        "models without a price there, with the built-in one here: gpt-4o-mini",
    ]
    assert "[models.nobody-knows]\n" in done.toml
    file = tmp_path / "written.toml"
    file.write_text(done.toml)
    assert planned(here, load(file).config).changes == ()


def test_a_line_of_the_log_is_of_who_had_the_number_then(here: Local, tmp_path: Path) -> None:
    """SQLite gives the numbers of deleted users and channels again."""
    rows: dict[str, list[dict[str, Any]]] = {
        "users": [{"id": 4, "username": "ann", "password": "", "role": 1, "status": 1, "created_at": 500}],
        "channels": [{"id": 6, "type": 1, "name": "c", "key": "k", "models": "gpt-4o", "created_time": 500}],
        "logs": [
            {"id": id, "user_id": 4, "username": name, "created_at": at, "type": 2, "channel_id": 6, "request_id": "r"}
            for id, name, at in ((1, "zoe", 400), (2, "ann", 600), (3, "ann", 601))
        ],
    }
    take(here, str(make(tmp_path / "theirs.db", rows)), logs_since=0)
    assert [(r.user_id, r.user_name, r.channel_name, r.request_id) for r in records(here)] == [
        (0, "zoe", "#6", "r-1-400"),
        (4, "ann", "c", "r-2-600"),
        (4, "ann", "c", "r-3-601"),
    ]


ONE_API = """
CREATE TABLE channels (id integer PRIMARY KEY, type integer DEFAULT 0, key text, status integer DEFAULT 1, name text,
    weight integer DEFAULT 0, created_time integer, test_time integer, response_time integer, base_url text DEFAULT '',
    other text, balance real, balance_updated_time integer, models text, `group` varchar(32) DEFAULT 'default',
    used_quota integer DEFAULT 0, model_mapping varchar(1024) DEFAULT '', priority integer DEFAULT 0, config text,
    system_prompt text);
CREATE TABLE tokens (id integer PRIMARY KEY, user_id integer, key char(48) UNIQUE, status integer DEFAULT 1, name text,
    created_time integer, accessed_time integer, expired_time integer DEFAULT -1, remain_quota integer DEFAULT 0,
    unlimited_quota numeric DEFAULT 0, used_quota integer DEFAULT 0, models text, subnet text DEFAULT '');
CREATE TABLE users (id integer PRIMARY KEY, username text UNIQUE, password text NOT NULL, display_name text,
    role integer DEFAULT 1, status integer DEFAULT 1, email text, github_id text, wechat_id text, lark_id text,
    oidc_id text, access_token char(32) UNIQUE, quota integer DEFAULT 0, used_quota integer DEFAULT 0,
    request_count integer DEFAULT 0, `group` varchar(32) DEFAULT 'default', aff_code varchar(32), inviter_id integer);
CREATE TABLE options (key text PRIMARY KEY, value text);
CREATE TABLE redemptions (id integer PRIMARY KEY, user_id integer, key char(32), status integer DEFAULT 1, name text,
    quota integer DEFAULT 100, created_time integer, redeemed_time integer);
CREATE TABLE abilities (`group` varchar(32), model text, channel_id integer, enabled numeric, priority integer);
CREATE TABLE logs (id integer PRIMARY KEY, user_id integer, created_at integer, type integer, content text,
    username text, token_name text, model_name text, quota integer DEFAULT 0, prompt_tokens integer DEFAULT 0,
    completion_tokens integer DEFAULT 0, channel_id integer, request_id text, elapsed_time integer DEFAULT 0,
    is_stream numeric, system_prompt_reset numeric);
INSERT INTO users (id, username, password, role, status, quota, lark_id) VALUES
    (1, 'root', '$2a$10$root', 100, 1, 5, ''), (2, 'ann', '$2a$10$ann', 1, 1, 7, 'ou_1'), (3, 'gone', '', 1, 3, 0, '');
INSERT INTO channels (id, type, key, name, models, weight, base_url, config, system_prompt) VALUES
    (1, 28, 'sk-m', 'mistral', 'mistral-small', 3, '', '', ''),
    (2, 36, 'sk-d', 'deepseek', 'deepseek-chat', 0, '', '{}', 'Be brief.'),
    (3, 29, 'sk-g', 'groq', 'llama', 0, '', '', ''),
    (4, 33, '', 'aws', 'claude-3', 0, '', '{"region":"us-east-1","ak":"AK","sk":"SK"}', ''),
    (5, 3, 'sk-a', 'azure', 'gpt-4', 0, 'https://a.openai.azure.com', '{"api_version":"2024-02-01"}', ''),
    (6, 38, 'sk-l', 'deepl', 'deepl-zh', 0, '', '', ''),
    (7, 1, 'sk-o', 'openai', 'gpt-4o', 0, 'https://api.openai.com', '', ''),
    (8, 51, 'sk-x', 'gemini', 'gemini-2', 0, 'https://generativelanguage.googleapis.com/v1beta/openai/', '', '');
INSERT INTO tokens (id, user_id, key, name, remain_quota, models, subnet) VALUES
    (1, 2, '%s', 'mine', 9, 'gpt-4o,deepseek-chat', '10.0.0.0/8,192.168.1.1');
INSERT INTO options VALUES ('ModelRatio', '{"gpt-4o":1.5}'), ('Theme', 'berry');
INSERT INTO logs (id, user_id, created_at, type, username, model_name, quota, elapsed_time, channel_id) VALUES
    (1, 2, 1783425500, 2, 'ann', 'gpt-4o', 11, 1500, 7), (2, 1, 1783425501, 5, 'root', 'gpt-4o', 0, 20, 7);
"""


@pytest.fixture
def older(tmp_path: Path) -> str:
    path = tmp_path / "one-api.db"
    with sqlite3.connect(path) as database:
        database.executescript(ONE_API % KEY)
    database.close()
    return str(path)


def test_everything_of_one_api(here: Local, older: str) -> None:
    done = take(here, older, logs_since=0)
    assert done.program == "One API"
    assert {c.kind: (c.new, c.there, c.deleted) for c in done.counts} == {
        "options": (1, 0, 0),
        "users": (2, 0, 1),
        "channels": (7, 0, 0),
        "tokens": (1, 0, 0),
        "logs": (2, 0, 0),
    }
    found = {view.name: view.spec for view in channels.list_channels(here.db)}
    assert {name: spec.type for name, spec in found.items()} == {
        "mistral": "mistral",
        "deepseek": "deepseek",
        "groq": "openai",
        "aws": "aws",
        "azure": "azure",
        "openai": "openai",
        "gemini": "gemini",
    }
    assert found["groq"].base_url == "https://api.groq.com/openai"
    assert found["gemini"].base_url == ""
    assert found["azure"].options["api_version"] == "2024-02-01"
    assert (found["deepseek"].system_prompt, found["deepseek"].system_prompt_mode) == ("Be brief.", "prepend")
    assert {spec.weight for spec in found.values()} == {100}, "One API goes by no weights"
    (aws,) = [view for view in channels.list_channels(here.db) if view.name == "aws"]
    assert [key.reveal() for key in channels.keys_of(here, aws)] == ["AK|SK|us-east-1"]
    (token,) = _tokens(here)
    assert (token.name, token.key_hash, token.remaining) == ("mine", hash_key(KEY), 9)
    assert '"models":["gpt-4o","deepseek-chat"]' in token.spec
    assert '"allow_ips":["10.0.0.0/8","192.168.1.1"]' in token.spec
    used, tested = records(here)
    assert (used.kind, used.quota, used.duration_ms, used.channel_name) == ("consume", 11, 1500, "openai")
    assert tested.kind == "system"
    left = {f"{row.kind} {row.id}": row.reason for row in done.left}
    assert left["channels 6"] == "Channels of type 38 (DeepL) are not served here"
    assert left["users 2"] == "lark_id: signing in with it is not taken over"
    assert left["options Theme"]


@pytest.mark.parametrize(
    ("number", "type", "base_url"),
    [
        (1, 1, ""),
        (14, 14, ""),
        (26, 1, "https://api.baichuan-ai.com"),
        (27, 35, ""),
        (28, 42, ""),
        (30, 4, ""),
        (35, 34, ""),
        (36, 43, ""),
        (37, 39, ""),
        (39, 1, "https://api.together.xyz"),
        (40, 45, ""),
        (44, 40, ""),
        (45, 48, ""),
        (49, 17, ""),
        (50, 1, ""),
    ],
)
def test_numbers_of_channel_types(number: int, type: int, base_url: str) -> None:
    made = one_api.channel({"type": number, "base_url": ""})
    assert (made["type"], made["base_url"]) == (type, base_url)


def test_types_that_nothing_serves() -> None:
    with pytest.raises(CallerError, match="DeepL"):
        one_api.channel({"type": 38})
