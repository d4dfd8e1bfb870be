"""The tables, as peewee sees them; `migrations/` makes them. No model is bound to a database: `query.execute(c)`."""

from __future__ import annotations

import peewee
from peewee import (
    BigAutoField,
    BigIntegerField,
    BlobField,
    BooleanField,
    CharField,
    DoubleField,
    IntegerField,
    TextField,
)

_NAMES = {"Clock": "clock", "Audit": "audit", "Catalog": "catalog", "Series": "series"}


def _table(model: type[peewee.Model]) -> str:
    return _NAMES.get(model.__name__, f"{model.__name__.lower()}s")


class _Base(peewee.Model):
    class Meta:
        table_function = _table


class Clock(_Base):
    """One row; on a database server every writer locks it first. `summed` is the last line that `Rollup` has."""

    id = IntegerField(primary_key=True)
    epoch = BigIntegerField()
    generation = BigIntegerField()
    summed = BigIntegerField(default=0)


class User(_Base):
    """Who owns tokens. `role` is user, admin or root; `state` enabled or disabled; money in quota.

    `settled_quota` is what requests have taken from `quota`: unlike `used_quota` nothing else changes it.

    `password_hash` is "" for one who cannot sign in; `session_epoch` grows when the sessions of before must end;
    `setting` is JSON or NULL; `deleted_at` is unix seconds or 0: the name of a deleted user stays taken.
    """

    id = BigAutoField()
    name = CharField(191, unique=True)
    role = CharField(16, default="user")
    group = CharField(191, default="default")
    quota = BigIntegerField(default=0)
    used_quota = BigIntegerField(default=0)
    requests = BigIntegerField(default=0)
    unlimited = BooleanField(default=False)
    state = CharField(16, default="enabled")
    created_at = DoubleField()
    password_hash = CharField(255, default="")
    display_name = CharField(191, default="")
    email = CharField(191, default="", index=True)
    access_token_hash = CharField(64, null=True, unique=True)
    session_epoch = BigIntegerField(default=0)
    aff_code = CharField(32, null=True, unique=True)
    aff_count = BigIntegerField(default=0)
    aff_quota = BigIntegerField(default=0)
    aff_history = BigIntegerField(default=0)
    invited_by = BigIntegerField(default=0)
    remark = CharField(1000, default="")
    setting = TextField(null=True)
    last_login_at = DoubleField(default=0)
    deleted_at = DoubleField(default=0)
    settled_quota = BigIntegerField(default=0)


class Token(_Base):
    """The credential a caller shows, found by the SHA-256 of its key without the `sk-`.

    `spec` is the JSON of a `TokenSpec` without its key, `expires_at` unix seconds or 0, `managed` "file" for one that
    an apply made and "" for one that a command made.
    """

    id = BigAutoField()
    name = CharField(191, index=True)
    user_id = BigIntegerField(index=True)
    key_hash = CharField(64, unique=True)
    key_cipher = BlobField(null=True)
    key_hint = CharField(8, default="")
    group = CharField(191, default="")
    spec = TextField()
    remaining_quota = BigIntegerField(default=0)
    used_quota = BigIntegerField(default=0)
    unlimited = BooleanField(default=False)
    expires_at = DoubleField(default=0)
    state = CharField(16, default="enabled")
    managed = CharField(16, default="")
    created_at = DoubleField()
    accessed_at = DoubleField(default=0)
    settled_quota = BigIntegerField(default=0)


class Channel(_Base):
    """One upstream account. `spec` is the JSON of a `ChannelSpec`; `state` enabled, disabled or tripped.

    `tested_at` and `balance_at` are unix seconds or 0, `balance` USD. `key_states` is JSON or NULL: the position of
    each key that is not used, and why. `legacy` is JSON or NULL: fields of New API that mean nothing here, given back.
    """

    id = BigAutoField()
    name = CharField(191, unique=True)
    spec = TextField()
    state = CharField(16, default="enabled")
    state_reason = CharField(1000, default="")
    used_quota = BigIntegerField(default=0)
    managed = CharField(16, default="")
    created_at = DoubleField()
    updated_at = DoubleField()
    tested_at = DoubleField(default=0)
    response_ms = BigIntegerField(default=0)
    balance = DoubleField(default=0)
    balance_at = DoubleField(default=0)
    key_states = TextField(null=True)
    legacy = TextField(null=True)
    disabled_until = DoubleField(default=0)


class Group(_Base):
    """A price multiplier and limits; `spec` is the JSON of a `GroupSpec`."""

    name = CharField(191, primary_key=True)
    spec = TextField()
    managed = CharField(16, default="")


class Model(_Base):
    """What a model costs; `spec` is the JSON of a `ModelSpec`."""

    name = CharField(191, primary_key=True)
    spec = TextField()
    managed = CharField(16, default="")


class Setting(_Base):
    """A section that applies to everything: routing, health, billing, tasks."""

    section = CharField(64, primary_key=True)
    value = TextField()


class Secret(_Base):
    """What `secret:NAME` refers to, sealed with the master key."""

    name = CharField(191, primary_key=True)
    cipher = BlobField()


class Generation(_Base):
    """One apply: who, when, the whole configuration (references only) and what it changed, both JSON."""

    id = BigIntegerField(primary_key=True)
    created_at = DoubleField()
    who = CharField(191)
    source = CharField(1000, default="")
    document = TextField()
    diff = TextField()


class Record(_Base):
    """One request (or top-up, or refund) in the log; `newapi.store.ledger.UsageRecord` says what is in it."""

    id = BigAutoField()
    request_id = CharField(191, default="", index=True)
    created_at = DoubleField(index=True)
    kind = CharField(16)
    user_id = BigIntegerField(default=0)
    user_name = CharField(191, default="")
    token_id = BigIntegerField(default=0)
    token_name = CharField(191, default="")
    channel_id = BigIntegerField(default=0)
    channel_name = CharField(191, default="")
    group = CharField(191, default="")
    model = CharField(255, default="")
    upstream_model = CharField(255, default="")
    entry_format = CharField(64, default="")
    upstream_format = CharField(64, default="")
    endpoint = CharField(64, default="")
    stream = BooleanField(default=False)
    status = IntegerField(default=0)
    quota = BigIntegerField(default=0)
    prompt_tokens = BigIntegerField(default=0)
    completion_tokens = BigIntegerField(default=0)
    usage = TextField()
    bill = TextField()
    tries = TextField()
    first_token_ms = BigIntegerField(default=0)
    duration_ms = BigIntegerField(default=0)
    end_reason = CharField(64, default="")
    ip = CharField(64, default="")
    error = TextField()
    losses = TextField()


class Rollup(_Base):
    """The `number` of lines of one hour or day that say the same of who and what, and what they sum up to.

    `step` is 3600 or 86,400 seconds, and `at` when the hour or day began, unix seconds, UTC. `newapi.store.rollups`
    keeps it.
    """

    id = BigAutoField()
    step = IntegerField()
    at = BigIntegerField()
    kind = CharField(16)
    user_id = BigIntegerField()
    user_name = CharField(191)
    token_id = BigIntegerField()
    token_name = CharField(191)
    channel_id = BigIntegerField()
    channel_name = CharField(191)
    group = CharField(191)
    model = CharField(255)
    number = BigIntegerField()
    prompt_tokens = BigIntegerField()
    completion_tokens = BigIntegerField()
    quota = BigIntegerField()


class Audit(_Base):
    """Who changed what, and when; `detail` is JSON."""

    id = BigAutoField()
    created_at = DoubleField(index=True)
    who = CharField(191)
    action = CharField(64)
    target = CharField(255, default="")
    source = CharField(1000, default="")
    detail = TextField()


class Lease(_Base):
    """What only one process may do, and which one does: `held_until` is unix seconds, by the database's clock."""

    name = CharField(64, primary_key=True)
    holder = CharField(64)
    held_until = DoubleField()


class Redemption(_Base):
    """A code that adds `quota` once to the balance of whoever redeems it, found by the SHA-256 of the code.

    `state` is enabled, disabled or used; `expires_at` and `used_at` unix seconds or 0; `used_by` a user's id or 0.
    """

    id = BigAutoField()
    name = CharField(191)
    key_hash = CharField(64, unique=True)
    key_cipher = BlobField(null=True)
    key_hint = CharField(8, default="")
    quota = BigIntegerField()
    state = CharField(16, default="enabled")
    created_by = BigIntegerField(default=0)
    created_at = DoubleField()
    expires_at = DoubleField(default=0)
    used_by = BigIntegerField(default=0)
    used_at = DoubleField(default=0)


class Checkin(_Base):
    """What a user was given for calling by on a day (`2026-07-07`, UTC): once a day."""

    id = BigAutoField()
    user_id = BigIntegerField()
    day = CharField(10)
    quota = BigIntegerField()
    created_at = DoubleField()


class Catalog(_Base):
    """What describes models for people: `kind` is vendor, model or prefill; `value` JSON."""

    id = BigAutoField()
    kind = CharField(16)
    name = CharField(191)
    value = TextField()
    created_at = DoubleField()
    updated_at = DoubleField()


class Option(_Base):
    """A setting by New API's name for it; the value is text, often JSON."""

    name = CharField(191, primary_key=True)
    value = TextField()


class Rest(_Base):
    """A key of a channel that rests, or that someone woke; `newapi.store.rests.RestRow` says what is in it."""

    id = BigAutoField()
    channel_id = BigIntegerField()
    key_print = CharField(16)
    model = CharField(191)
    kind = CharField(16)
    since = DoubleField()
    until = DoubleField()
    reason = CharField(500)


class Series(_Base):
    """A number, or several, of one second, minute or hour: what the live stream remembers. `value` is JSON."""

    kind = CharField(16)
    at = BigIntegerField()
    value = TextField()

    class Meta:  # noqa: D106  # pyright: ignore[reportIncompatibleVariableOverride]  (peewee merges them)
        primary_key = peewee.CompositeKey("kind", "at")


TABLES = (
    Clock,
    User,
    Token,
    Channel,
    Group,
    Model,
    Setting,
    Secret,
    Generation,
    Record,
    Rollup,
    Audit,
    Redemption,
    Checkin,
    Option,
    Catalog,
    Rest,
    Series,
    Lease,
)
"""Every table but the one that holds the number of the schema."""
