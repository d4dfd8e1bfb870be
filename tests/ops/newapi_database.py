"""A small database of New API, made by its own statements."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bcrypt

if TYPE_CHECKING:
    from tests.databases import DatabaseServers

SCHEMA = Path(__file__).parent / "data" / "newapi-schema.sql"
KEY = "k" * 48
ACCESS_TOKEN = "a" * 32
CODE = "c" * 32
PASSWORD = "password of ann"
ROWS: dict[str, list[dict[str, Any]]] = {
    "options": [
        {"key": "GroupRatio", "value": '{"default":1,"vip":0.5}'},
        {"key": "ModelRatio", "value": '{"my-model":2.5,"claude-sonnet-4-5":1.5}'},
        {"key": "RetryTimes", "value": "7"},
        {"key": "SystemName", "value": "Acme"},
        {"key": "QuotaPerUnit", "value": "1000"},
        {"key": "NoSuchThing", "value": "1"},
    ],
    "users": [
        {"id": 1, "username": "root", "password": "$2a$10$root", "role": 100, "status": 1, "quota": 900},
        {
            "id": 4,
            "username": "ann",
            "password": bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4, b"2a")).decode(),
            "role": 1,
            "status": 1,
            "quota": 1000,
            "used_quota": 50,
            "group": "vip",
            "email": "Ann@Example.com",
            "access_token": ACCESS_TOKEN,
            "inviter_id": 1,
            "github_id": "ann-hub",
            "created_at": 1_700_000_000,
        },
        {"id": 5, "username": "bob", "password": "", "role": 10, "status": 2, "deleted_at": None},
        {"id": 6, "username": "gone", "password": "", "role": 1, "deleted_at": "2026-01-01 00:00:00+00:00"},
    ],
    "channels": [
        {"id": 1, "type": 1, "name": "main", "key": "sk-up", "models": "my-model,gpt-4o", "group": "default,vip"},
        {
            "id": 2,
            "type": 14,
            "name": "main",
            "key": "k1\nk2\nk3",
            "status": 3,
            "models": "claude-sonnet-4-5",
            "used_quota": 77,
            "created_time": 1_700_000_001,
            "other_info": '{"status_reason":"no money"}',
            "channel_info": b'{"is_multi_key":true,"multi_key_mode":"random","multi_key_status_list":{"1":3,"9":2},'
            b'"multi_key_disabled_reason":{"1":"401"},"multi_key_disabled_time":{"1":5}}',
        },
        {"id": 3, "type": 999, "name": "odd", "key": "x"},
    ],
    "tokens": [
        {
            "id": 1,
            "user_id": 4,
            "key": KEY,
            "name": "ci",
            "remain_quota": 500,
            "used_quota": 20,
            "model_limits_enabled": 1,
            "model_limits": "my-model,gpt-4o",
            "allow_ips": "10.0.0.0/8\n::1",
            "group": "",
        },
        {"id": 2, "user_id": 4, "key": "u" * 48, "name": "auto", "unlimited_quota": 1, "group": "auto"},
        {"id": 3, "user_id": 99, "key": "o" * 48, "name": "orphan"},
        {"id": 4, "user_id": 4, "key": "e" * 48, "name": "expired", "status": 3, "expired_time": 1_600_000_000},
        {"id": 5, "user_id": 4, "key": "l" * 48, "name": "locked", "allow_ips": "home"},
        {"id": 6, "user_id": 4, "key": "d" * 48, "name": "gone", "deleted_at": "2026-01-01 00:00:00+00:00"},
    ],
    "redemptions": [
        {"id": 1, "user_id": 1, "key": CODE, "name": "gift", "quota": 5000, "status": 1, "expired_time": 0},
        {"id": 2, "user_id": 1, "key": "f" * 32, "name": "used", "status": 3, "used_user_id": 4, "redeemed_time": 9},
    ],
}


def make(path: Path, rows: dict[str, list[dict[str, Any]]] = ROWS) -> Path:
    """Make the database at `path`."""
    database = sqlite3.connect(path)
    database.executescript(SCHEMA.read_text())
    for table, made in rows.items():
        for row in made:
            columns = ", ".join(f"`{name}`" for name in row)
            places = ", ".join("?" * len(row))
            database.execute(f"INSERT INTO {table} ({columns}) VALUES ({places})", list(row.values()))
    database.commit()
    database.close()
    return path


_TYPES = {
    "postgresql": {
        "integer": "bigint",
        "numeric": "boolean",
        "datetime": "timestamptz",
        "real": "double precision",
        "json": "json",
    },
    "mariadb": {"integer": "bigint", "numeric": "boolean", "datetime": "datetime(3)", "json": "json"},
}


def fill(servers: DatabaseServers, url: str, rows: dict[str, list[dict[str, Any]]]) -> None:
    """Make the tables, as GORM makes them on that kind of server, in the database of `url`, and fill them."""
    kind = "postgresql" if url.startswith("postgresql") else "mariadb"
    name = url.rpartition("/")[2]
    for sql in statements(kind):
        servers.execute(kind, sql, name)
    for table, made in rows.items():
        for row in made:
            columns = ", ".join(_quoted(kind, column) for column in row)
            values = ", ".join(_literal(kind, table, column, value) for column, value in row.items())
            servers.execute(kind, f"INSERT INTO {_quoted(kind, table)} ({columns}) VALUES ({values})", name)


def statements(kind: str) -> list[str]:
    """Return the statements that make the tables on a kind of server; indexes are left out."""
    text = re.sub(r"^--.*$", "", SCHEMA.read_text(), flags=re.MULTILINE)
    made = [part.strip() for part in text.split(";") if part.strip().startswith("CREATE TABLE")]
    return [_translated(kind, sql) for sql in made]


def _translated(kind: str, sql: str) -> str:
    sql = sql.replace('""', "''")
    sql = re.sub(r'DEFAULT "([^"]+)"', r"DEFAULT '\1'", sql)
    for name, other in _TYPES[kind].items():
        sql = re.sub(rf"(`\w+`) {name}\b", rf"\1 {other}", sql)
    sql = re.sub(r"boolean( NOT NULL)? DEFAULT 1", r"boolean\1 DEFAULT true", sql)
    if kind == "mariadb":
        sql = re.sub(r"(`(?:key|username|name|type)`) text", r"\1 varchar(191)", sql)
        return re.sub(r"(`\w+`) text", r"\1 longtext", sql) + " CHARACTER SET utf8mb4"
    return sql.replace("`", '"')


def _quoted(kind: str, name: str) -> str:
    return f'"{name}"' if kind == "postgresql" else f"`{name}`"


_BOOLEANS = ("unlimited_quota", "model_limits_enabled", "cross_group_retry", "is_stream", "is_enabled", "is_used")


def _literal(kind: str, table: str, column: str, value: Any) -> str:
    if value is None:
        return "NULL"
    if column in _BOOLEANS:
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    text = value.decode() if isinstance(value, bytes) else value
    if column == "deleted_at" and kind == "mariadb":
        text = text[:19]
    text = text.replace("'", "''")
    return f"'{text}'" if kind == "postgresql" else "'" + text.replace("\\", "\\\\") + "'"
