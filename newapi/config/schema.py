"""The configuration file as structs: what each section may say, in the file's own words.

Values here are read already: durations are seconds, sizes bytes, money `Decimal` USD, secrets references (never the
secret itself). The docstrings are the manual. What a number means in the file is said by its type's `kind`.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

ONE = Decimal(1)

Duration = Annotated[float, Meta(extra={"kind": "duration"})]
"""Seconds; `"30s"`, `"5m"`, `"2h"`, `"30d"` in the file."""
Interval = Annotated[float, Meta(extra={"kind": "interval"})]
"""Seconds, 0 for never; a duration or `""` in the file."""
Size = Annotated[int, Meta(extra={"kind": "size"})]
"""Bytes; `"128MiB"` in the file."""
Usd = Annotated[Decimal, Meta(extra={"kind": "money"})]
"""US dollars; `"$10"` in the file."""
Ratio = Annotated[Decimal, Meta(extra={"kind": "ratio"})]
"""A factor, exact; a number in the file."""
Count = Annotated[int, Meta(extra={"kind": "count"})]
"""0 or more."""
Reference = Annotated[str, Meta(extra={"kind": "reference"})]
"""Where a secret is, never the secret."""
Expiry = Annotated[datetime | float | None, Meta(extra={"kind": "expiry"})]
"""A moment, or seconds from the moment it is first applied; a TOML date, or a duration, in the file."""


class ServerSpec(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[server]`: the process."""

    listen: str = "127.0.0.1:3000"
    """Address and port, or `unix:/path`."""
    database: str = "sqlite:///newapi.db"
    """`sqlite:///file` (relative to the configuration file), `postgresql://…`, `mysql://…`, or a reference."""
    cache: str = ""
    """`redis://…` or `valkey://…`, needed for more than one node."""
    workers: int | Literal["auto"] = 1
    """Processes; `auto` is one a core."""
    public_url: str = ""
    """What clients and payment providers call."""
    trusted_proxies: tuple[str, ...] = ("127.0.0.1/32", "::1/128")
    """Networks whose `X-Forwarded-For` is believed."""
    admin_socket: str = "newapi.sock"
    """Local administration without a token, mode 0600."""
    master_key: Reference = "file:newapi.key"
    """Encrypts what the database must be able to give back; made at the first start, mode 0600."""
    keep_token_keys: bool = True
    """Whether a token's key is kept, encrypted; false keeps its hash alone."""
    allow_cmd_secrets: bool = False
    """Whether `cmd:` references may run commands."""
    metrics: str = "127.0.0.1:9464"
    """Prometheus; "" turns it off."""


class LimitsSpec(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[limits]`: bytes and seconds."""

    request_body: Size = 128 * 1024 * 1024
    connect_timeout: Duration = 10.0
    first_byte_timeout: Duration = 300.0
    stream_idle_timeout: Duration = 300.0
    keepalive: Interval = 15.0
    """A comment or ping to the client while the upstream is silent; 0 sends none."""


class LogSpec(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[log]`: what the operator reads."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["console", "json"] = "console"
    directory: str = ""
    """Also to files there, rotated."""
    keep_days: Count = 30
    """Of request logs in the database; 0 keeps all."""


class RoutingSpec(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[routing]`: which channel, and what after a failure."""

    retries: Count = 3
    """Tries after the first, each on a channel (or key) not tried yet."""
    retry_on: tuple[str, ...] = ("401", "403", "408", "429", "5xx")
    strategy: Literal["weighted", "least-busy", "lowest-latency", "lowest-cost"] = "weighted"


class HealthSpec(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[health]`: when a channel rests, and when it is asked again. Durations in seconds."""

    failures: Count = 3
    window: Duration = 60.0
    cooldown: Duration = 300.0
    disable_on: tuple[str, ...] = ("401",)
    disable_keywords: tuple[str, ...] = ("insufficient_quota", "billing", "organization has been disabled")
    probe_every: Interval = 600.0
    """0 is never."""
    balance_every: Interval = 0.0


class BillingSpec(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[billing]`: money."""

    prices: str = "builtin"
    """`builtin` is New API's default tables; `none`; or a file of the same form."""
    unpriced: Literal["reject", "default"] = "reject"
    """`default`: a model with no price is billed at New API's default ratio, 37.5."""
    broken_stream: Literal["received", "prompt", "nothing"] = "received"
    """What is billed of an answer that broke off."""
    new_user_quota: Usd = Decimal(0)
    invite_quota: Usd = Decimal(0)


class TasksSpec(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[tasks]`: Midjourney, Suno, video. Durations in seconds."""

    poll_every: Duration = 15.0
    timeout: Duration = 86_400.0
    """Then failed, and refunded once."""


class GroupSpec(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[groups.NAME]`: a price multiplier, which channels, and limits."""

    ratio: Ratio = ONE
    ratio_for: dict[str, Ratio] = {}
    """What a user of this group pays on a token of another group, in place of that group's ratio."""
    selectable: bool = False
    """Whether users may choose it for their tokens."""
    requests_per_minute: Count = 0
    tokens_per_minute: Count = 0
    concurrency: Count = 0
    remark: str = ""


class Tier(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[[models.NAME.tiers]]`: the price up to a size of the prompt. USD a million tokens."""

    up_to: int | None = None
    """Prompt tokens; none for the last tier."""
    input: Usd
    output: Usd
    cached_input: Usd | None = None
    cache_write: Usd | None = None


class ModelSpec(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[models."NAME"]`: the price, in one of three ways. What is not said comes from the built-in prices."""

    input: Usd | None = None
    """USD a million tokens."""
    output: Usd | None = None
    cached_input: Usd | None = None
    cache_write: Usd | None = None
    ratio: Ratio | None = None
    """New API's own units: 1 is $2 a million prompt tokens."""
    completion_ratio: Ratio | None = None
    cache_ratio: Ratio | None = None
    cache_write_ratio: Ratio | None = None
    image_ratio: Ratio | None = None
    audio_ratio: Ratio | None = None
    audio_completion_ratio: Ratio | None = None
    price: Usd | None = None
    """USD a call."""
    tiers: tuple[Tier, ...] = ()
    fallback: tuple[str, ...] = ()
    """Models to try when no channel of this one answers."""


class ChannelSpec(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[channels.NAME]`: one upstream account."""

    type: str
    base_url: str = ""
    """The type's own when it is not said."""
    key: Reference = ""
    """A reference: `env:NAME`, `file:/path`, `keyring:NAME`, `secret:NAME`, `cred:NAME`, `cmd:…`."""
    keys: tuple[Reference, ...] = ()
    """Several, used in turn."""
    key_choice: Literal["round-robin", "random"] = "round-robin"
    models: tuple[str, ...] = ()
    groups: tuple[str, ...] = ("default",)
    priority: int = 0
    """Higher first; ties by weight."""
    weight: Count = 100
    formats: tuple[str, ...] = ()
    """What this upstream speaks, where it is not the type's own."""
    model_mapping: dict[str, str] = {}
    status_mapping: dict[str, int] = {}
    proxy: str = ""
    params: dict[str, Any] = {}
    """Merged into every upstream body."""
    param_operations: tuple[dict[str, Any], ...] = ()
    headers: dict[str, str] = {}
    system_prompt: str = ""
    system_prompt_mode: Literal["default", "prepend"] = "default"
    thinking_to_content: bool = False
    force_format: bool = False
    pass_through_body: bool = False
    allow_fields: tuple[str, ...] = ()
    drop_fields: tuple[str, ...] = ()
    organization: str = ""
    auto_disable: bool = True
    enabled: bool = True
    test_model: str = ""
    tag: str = ""
    remark: str = ""
    options: dict[str, Any] = {}
    """What the type needs more: `api_version`, `region`, `account_id`, …; written beside the others in the file."""


class TokenSpec(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[tokens.NAME]`: the credential a caller shows."""

    group: str = "default"
    user: str = "root"
    quota: Usd | None = None
    """USD."""
    unlimited: bool = False
    expires: Expiry = None
    """A moment (a bare date is its midnight, UTC), or seconds from the moment it is first applied."""
    models: tuple[str, ...] = ()
    """Default: all of the group's."""
    allow_ips: tuple[str, ...] = ()
    budget: dict[Literal["day", "week", "month"], Usd] = {}
    requests_per_minute: Count = 0
    tokens_per_minute: Count = 0
    concurrency: Count = 0
    key: Reference = ""
    """A reference; made at the first apply and shown once when it is not said."""
    enabled: bool = True


class Moved(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"source": "from", "target": "to"}):
    """One of `moved = [{ from = "channels.a", to = "channels.b" }]`."""

    source: str
    target: str


class Config(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A whole configuration."""

    version: int = 1
    include: tuple[str, ...] = ()
    moved: tuple[Moved, ...] = ()
    server: ServerSpec = ServerSpec()
    limits: LimitsSpec = LimitsSpec()
    log: LogSpec = LogSpec()
    routing: RoutingSpec = RoutingSpec()
    health: HealthSpec = HealthSpec()
    billing: BillingSpec = BillingSpec()
    tasks: TasksSpec = TasksSpec()
    groups: dict[str, GroupSpec] = {}
    models: dict[str, ModelSpec] = {}
    channels: dict[str, ChannelSpec] = {}
    tokens: dict[str, TokenSpec] = {}
