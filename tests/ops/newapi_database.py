"""A small database of New API, made by its own statements."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import bcrypt

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


def make(path: Path) -> Path:
    """Make the database at `path`."""
    database = sqlite3.connect(path)
    database.executescript(SCHEMA.read_text())
    for table, rows in ROWS.items():
        for row in rows:
            columns = ", ".join(f"`{name}`" for name in row)
            places = ", ".join("?" * len(row))
            database.execute(f"INSERT INTO {table} ({columns}) VALUES ({places})", list(row.values()))
    database.commit()
    database.close()
    return path
