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
    """`redis://…`, `valkey://…` (TLS: `rediss://…`, `valkeys://…`), or a reference; needed for more than one node."""
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
    """The largest body of a request."""
    header_timeout: Duration = 30.0
    """For the head of a request, from the connection or its first byte on."""
    body_timeout: Duration = 60.0
    """For silence in the body of a request; all of it may take a second more for every KiB that came."""
    connect_timeout: Duration = 10.0
    """For connecting to an upstream."""
    first_byte_timeout: Duration = 300.0
    """For the first byte of an upstream's answer."""
    stream_idle_timeout: Duration = 300.0
    """For silence in an upstream's stream."""
    keepalive: Interval = 15.0
    """A comment or ping to the client while the upstream is silent; 0 sends none."""
    drain_timeout: Duration = 30.0
    """For requests under way when the server is stopped; a reload lets them go on as long as they need."""


LogLevel = Literal["debug", "info", "warning", "error"]


class LogSpec(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[log]`: what the operator reads."""

    level: LogLevel = "info"
    """What is told: this and what is worse."""
    format: Literal["console", "json"] = "console"
    """For people, or a JSON object a line."""
    directory: str = ""
    """Also to files there, rotated."""
    keep_days: Count = 30
    """Of request logs in the database; 0 keeps all."""


class MailSpec(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"sender": "from"}):
    """`[mail]`: the server that letters go out through."""

    host: str = ""
    """Its name; "" sends none."""
    port: Count = 587
    """465 for `tls`, mostly."""
    tls: Literal["starttls", "tls", "none"] = "starttls"
    """How the connection is encrypted; `none` only where the server is on this machine."""
    user: str = ""
    """Who signs in; "" without."""
    password: Reference = ""
    """A reference."""
    sender: str = ""
    """Whom letters are from: the `from` of the file. Default: `user`."""


NoticeAbout = Literal[
    "channel_resting", "channel_tripped", "channel_test", "budget", "balance", "no_price", "drift", "ledger", "models"
]
"""What a notice may be about: an alert, or the news that a scheduled look at upstreams brought."""


class NoticesSpec(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[notices.NAME]`: somebody who is told when something needs a look, and when it is over."""

    via: Literal["webhook", "email", "bark", "gotify"]
    """How. A `webhook` gets New API's JSON, with `text` for chat services; `email` goes through [mail]."""
    url: str = ""
    """Of the webhook, of Gotify, or Bark's with `{{title}}` and `{{content}}`; a reference where it holds a key."""
    secret: Reference = ""
    """Signs a webhook's body (`X-Webhook-Signature`, HMAC-SHA256 in hex); Gotify's token."""
    to: tuple[str, ...] = ()
    """Addresses, for `email`."""
    about: tuple[NoticeAbout, ...] = ()
    """Only these; none is all."""
    level: Literal["warning", "error"] = "warning"
    """`error`: only what requests fail of."""
    most: Count = 2
    """So many about the same thing within `window`; 0 is no limit."""
    window: Duration = 600.0
    """See `most`."""
    priority: Count = 5
    """Gotify's, up to 10."""


class RoutingSpec(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[routing]`: which channel, and what after a failure."""

    retries: Count = 3
    """Tries after the first, each on a channel (or key) not tried yet."""
    retry_on: tuple[str, ...] = ("401", "403", "408", "429", "5xx")
    """Statuses of an upstream after which another channel is tried; `5xx` is a hundred of them."""
    strategy: Literal["weighted", "least-busy", "lowest-latency", "lowest-cost"] = "weighted"
    """How one of several channels of the same priority is chosen. `weighted` is smooth: equal weights alternate.
    `least-busy`: the fewest requests under way, relative to weight. `lowest-latency`: the shortest time to the first
    token, of this model and channel, a decaying mean; those near the best share. `lowest-cost`: the lowest `cost` of
    the channels. Where several are as good, they share by weight, as with `weighted`.
    """
    time_budget: Interval = 600.0
    """How long a request may take, all tries together, until its answer begins; "" is as long as they take."""
    queue: Interval = 2.0
    """How long a request waits where all that could serve it are at a limit of their own; "" is not at all."""
    affinity: Interval = 3600.0
    """How long a conversation goes on with the channel and key that served it last, for the sake of the upstream's
    cache: a preference among channels of the same priority, which never keeps a request from another one. "" is never.
    """


class HealthSpec(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[health]`: when a channel rests, and when it is asked again. Durations in seconds."""

    failures: Count = 3
    """So many within `window`, and the channel (or that key) rests."""
    window: Duration = 60.0
    """See `failures`."""
    cooldown: Duration = 300.0
    """How long it rests; then one request tries it."""
    disable_on: tuple[str, ...] = ("401",)
    """Statuses that disable a channel until someone enables it, or a probe succeeds."""
    disable_keywords: tuple[str, ...] = ("insufficient_quota", "billing", "organization has been disabled")
    """Words in an upstream's error that disable a channel likewise."""
    probe_every: Interval = 600.0
    """How often rested and disabled channels are tried; 0 is never."""
    balance_every: Interval = 0.0
    """How often providers are asked for the balance; 0 is never. A channel with nothing left is disabled."""
    balance_low: Usd = Decimal(0)
    """USD; a notice is given when a balance is below it."""
    models_every: Interval = 0.0
    """How often upstreams are asked for their models; notices say what is new, and what a channel serves in vain."""
    test_every: Interval = 0.0
    """How often every enabled channel is tested; 0 is never. Each test costs a few tokens."""


class BillingSpec(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[billing]`: money."""

    prices: str = "builtin"
    """`builtin` is New API's default tables; `none`; or a file of the same form."""
    unpriced: Literal["reject", "default"] = "reject"
    """`default`: a model with no price is billed at New API's default ratio, 37.5."""
    broken_stream: Literal["received", "prompt", "nothing"] = "received"
    """What is billed of an answer that broke off."""
    new_user_quota: Usd = Decimal(0)
    """USD a new user begins with."""
    invite_quota: Usd = Decimal(0)
    """USD for inviting a user."""


class TasksSpec(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[tasks]`: Midjourney, Suno, video. Durations in seconds."""

    poll_every: Duration = 15.0
    """How often upstreams are asked how tasks are doing."""
    timeout: Duration = 86_400.0
    """Then failed, and refunded once."""


class GroupSpec(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[groups.NAME]`: a price multiplier, which channels, and limits."""

    ratio: Ratio = ONE
    """What its users pay of the price: 0.8 is 80 %."""
    ratio_for: dict[str, Ratio] = {}
    """What a user of this group pays on a token of another group, in place of that group's ratio."""
    selectable: bool = False
    """Whether users may choose it for their tokens."""
    requests_per_minute: Count = 0
    """0 is no limit; so it is of the two below."""
    tokens_per_minute: Count = 0
    """Of prompts and answers together."""
    concurrency: Count = 0
    """Requests at the same time."""
    members: tuple[str, ...] = ()
    """Makes it a list of groups, tried in this order until one of them answers; that one's price is paid. A user gets
    to those that are `selectable`, and to his own; an administrator to all. By custom it is called `auto`. Limits of
    requests are then those of the list.
    """
    budget: dict[Literal["day", "week", "month"], Usd] = {}
    """USD that each of its users may spend in it in a `day`, `week` or `month`; in a list, in any of its members."""
    remark: str = ""
    """For whoever reads the file."""


class Tier(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[[models.NAME.tiers]]`: the price up to a size of the prompt. USD a million tokens."""

    up_to: int | None = None
    """Prompt tokens; none for the last tier."""
    input: Usd
    """USD a million tokens of the prompt."""
    output: Usd
    """USD a million tokens of the answer."""
    cached_input: Usd | None = None
    """USD a million tokens read from a cache."""
    cache_write: Usd | None = None
    """USD a million tokens written to a cache."""


class ModelSpec(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[models."NAME"]`: the price, in one of three ways. What is not said comes from the built-in prices. A table that
    says nothing, of a model that is not in them, is of one without a price: requests for it are refused.
    """

    input: Usd | None = None
    """USD a million tokens of the prompt."""
    output: Usd | None = None
    """USD a million tokens of the answer."""
    cached_input: Usd | None = None
    """USD a million tokens read from a cache."""
    cache_write: Usd | None = None
    """USD a million tokens written to a cache."""
    ratio: Ratio | None = None
    """New API's own units: 1 is $2 a million prompt tokens."""
    completion_ratio: Ratio | None = None
    """Price of the answer over the price of the prompt."""
    cache_ratio: Ratio | None = None
    """Price of what is read from a cache over the price of the prompt."""
    cache_write_ratio: Ratio | None = None
    """Price of what is written to a cache over the price of the prompt."""
    image_ratio: Ratio | None = None
    """Price of pictures over the price of text."""
    audio_ratio: Ratio | None = None
    """Price of sound over the price of text."""
    audio_completion_ratio: Ratio | None = None
    """Price of sound in the answer over sound in the prompt."""
    price: Usd | None = None
    """USD a call."""
    tiers: tuple[Tier, ...] = ()
    """Prices by the size of the prompt."""
    fallback: tuple[str, ...] = ()
    """Models to try, in this order, when no channel of this one answers, or the request is too long for it. What serves
    is billed at its own price, and named by the answer's header `x-newapi-model`; a token that may call this model may
    fall back from it.
    """


class ChannelSpec(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[channels.NAME]`: one upstream account."""

    type: str
    """Who is asked, and how: the provider."""
    base_url: str = ""
    """The type's own when it is not said."""
    key: Reference = ""
    """A reference: `env:NAME`, `file:/path`, `keyring:NAME`, `secret:NAME`, `cred:NAME`, `cmd:…`."""
    keys: tuple[Reference, ...] = ()
    """Several, used in turn."""
    key_choice: Literal["round-robin", "random"] = "round-robin"
    """How one of several keys is chosen."""
    models: tuple[str, ...] = ()
    """Exact names and globs: `"gpt-4o*"`, `"*"`."""
    groups: tuple[str, ...] = ("default",)
    """Whose requests it serves."""
    priority: int = 0
    """Higher first; ties by weight."""
    weight: Count = 100
    """Share of the requests among channels of the same priority; with 0 it has none as long as another one answers."""
    requests_per_minute: Count = 0
    """0 is no limit; so it is of the five below. A channel at a limit is passed over."""
    tokens_per_minute: Count = 0
    """Of prompts and answers together."""
    concurrency: Count = 0
    """Requests at the same time."""
    key_requests_per_minute: Count = 0
    """The same for each of its keys."""
    key_tokens_per_minute: Count = 0
    """The same for each of its keys."""
    key_concurrency: Count = 0
    """The same for each of its keys."""
    cost: Ratio = ONE
    """What this account pays of a model's price: 0.8 is 80 %. `strategy = "lowest-cost"` goes by it."""
    formats: tuple[str, ...] = ()
    """What this upstream speaks, where it is not the type's own."""
    model_mapping: dict[str, str] = {}
    """Name that callers use -> name the upstream knows."""
    status_mapping: dict[str, int] = {}
    """Status of the upstream -> status the caller gets."""
    proxy: str = ""
    """`http://…`, `https://…`, `socks5://…` or `socks5h://…`; a reference to one where it has a password."""
    params: dict[str, Any] = {}
    """Merged into every upstream body."""
    param_operations: tuple[dict[str, Any], ...] = ()
    """Edits of the upstream body, New API's: each has a `mode`, a `path`, and `conditions`."""
    headers: dict[str, str] = {}
    """Sent to the upstream; `{api_key}` and `{client_header:NAME}` are filled in."""
    system_prompt: str = ""
    """Put before the conversation."""
    system_prompt_mode: Literal["default", "prepend"] = "default"
    """`default`: only where the request has none; `prepend`: before the request's own."""
    thinking_to_content: bool = False
    """Whether reasoning is told as text between `<think>` tags."""
    force_format: bool = False
    """Whether answers are rewritten into the plain form of OpenAI's."""
    pass_through_body: bool = False
    """Whether the caller's body is sent as it is."""
    allow_fields: tuple[str, ...] = ()
    """Fields that are sent upstream only where they are allowed: `service_tier`, `safety_identifier`, `inference_geo`,
    `speed`, `include_obfuscation`.
    """
    drop_fields: tuple[str, ...] = ()
    """Fields that are never sent upstream."""
    organization: str = ""
    """OpenAI's organization."""
    auto_disable: bool = True
    """Whether health may rest or disable it."""
    enabled: bool = True
    """Whether it is used."""
    test_model: str = ""
    """The model that a test asks for."""
    tag: str = ""
    """For finding channels that belong together."""
    remark: str = ""
    """For whoever reads the file."""
    options: dict[str, Any] = {}
    """What the type needs more: `api_version`, `region`, `account_id`, …; written beside the others in the file."""


class TokenSpec(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[tokens.NAME]`: the credential a caller shows."""

    group: str = "default"
    """Which channels it reaches, and the price."""
    user: str = "root"
    """Who owns it."""
    quota: Usd | None = None
    """USD it may spend."""
    unlimited: bool = False
    """Whether it may spend without end."""
    expires: Expiry = None
    """A moment (a bare date is its midnight, UTC), or seconds from the moment it is first applied."""
    models: tuple[str, ...] = ()
    """Default: all of the group's."""
    allow_ips: tuple[str, ...] = ()
    """Addresses and networks it may be used from; none is any."""
    budget: dict[Literal["day", "week", "month"], Usd] = {}
    """USD it may spend in a `day`, `week` or `month`, on top of the quota."""
    requests_per_minute: Count = 0
    """0 is no limit; so it is of the two below."""
    tokens_per_minute: Count = 0
    """Of prompts and answers together."""
    concurrency: Count = 0
    """Requests at the same time."""
    key: Reference = ""
    """A reference; made at the first apply and shown once when it is not said."""
    enabled: bool = True
    """Whether it may be used."""


class Moved(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"source": "from", "target": "to"}):
    """One of `moved = [{ from = "channels.a", to = "channels.b" }]`."""

    source: str
    """`channels.OLD`: the `from` of the file."""
    target: str
    """`channels.NEW`: the `to` of the file."""


class Config(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A whole configuration."""

    version: int = 1
    """Of this form of file."""
    include: tuple[str, ...] = ()
    """Files merged into this one, as globs relative to it."""
    moved: tuple[Moved, ...] = ()
    """Renames, so that what is renamed keeps its history."""
    server: ServerSpec = ServerSpec()
    limits: LimitsSpec = LimitsSpec()
    log: LogSpec = LogSpec()
    mail: MailSpec = MailSpec()
    notices: dict[str, NoticesSpec] = {}
    routing: RoutingSpec = RoutingSpec()
    health: HealthSpec = HealthSpec()
    billing: BillingSpec = BillingSpec()
    tasks: TasksSpec = TasksSpec()
    groups: dict[str, GroupSpec] = {}
    models: dict[str, ModelSpec] = {}
    channels: dict[str, ChannelSpec] = {}
    tokens: dict[str, TokenSpec] = {}
