"""The sense of a configuration: what its shape allows and nobody can mean."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

from newapi import providers
from newapi.base.nearest import nearest
from newapi.config.findings import Findings, advise, dotted
from newapi.config.positions import Path
from newapi.config.schema import ChannelSpec, Config, GroupSpec, ModelSpec, NoticesSpec, TokenSpec
from newapi.config.values import SCHEMES, split_label

CHAT_FORMATS = ("openai_chat", "openai_responses", "anthropic_messages", "gemini")
"""What a channel's `formats` may name."""

CONTROLLED_FIELDS = ("service_tier", "safety_identifier", "inference_geo", "speed", "include_obfuscation", "store")
"""What a channel's `allow_fields` may name."""

NOT_YET = frozenset(
    {
        *("advanced-custom", "aiproxy-library", "aws", "baidu", "codex", "cohere", "coze", "dify", "doubao-video"),
        *("jimeng", "jina", "kling", "midjourney", "midjourney-plus", "mokaai", "ollama", "palm", "replicate"),
        *("sora", "suno", "tencent", "vertex", "vidu", "xunfei", "zhipu"),
    }
)
"""Channel types of New API that have no provider here yet. A file may declare them: such a channel is kept, and left
out with a warning when the gateway serves."""

NAMED = ("groups", "models", "channels", "tokens")
"""The sections that hold things with names, which an apply makes and `moved` renames."""

_TYPES_BY_OTHER_NAMES = {
    "azure-openai": "azure",
    "chatgpt": "openai",
    "gpt": "openai",
    "claude": "anthropic",
    "google": "gemini",
    "grok": "xai",
    "kimi": "moonshot",
    "qwen": "ali",
    "dashscope": "ali",
    "doubao": "volcengine",
}

_SAME = {
    "input": "ratio",
    "output": "completion_ratio",
    "cached_input": "cache_ratio",
    "cache_write": "cache_write_ratio",
}
"""A price in dollars, and the ratio that says the same."""
_PER_TOKEN = (*_SAME, *_SAME.values(), "image_ratio", "audio_ratio", "audio_completion_ratio")

_GLOB = re.compile(r"[*?\[]")
_STATUS = re.compile(r"[1-5](?:\d\d|xx)")
_ADDRESS = re.compile(r"[^@\s<>,]+@[^@\s<>,]+")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_RULE = re.compile(r"(?i:re|regex):\s*(\S.*)")
_DATABASES = ("sqlite", "postgresql", "postgres", "mysql", "mariadb")
_CACHES = ("redis", "rediss", "valkey", "valkeys")
_PROXIES = ("http", "https", "socks5", "socks5h")


def check(
    config: Config, data: Mapping[str, Any], findings: Findings, *, has_price: Callable[[str], bool] | None = None
) -> None:
    """Note every problem with the sense of `config`.

    Args:
        config: What could be read.
        data: What it was read from: names that are there although what they name could not be read.
        findings: Told of them.
        has_price: Whether a model has a price; None leaves prices alone.
    """
    _Check(config, data, findings, has_price).everything()


class _Check:
    def __init__(
        self, config: Config, data: Mapping[str, Any], findings: Findings, has_price: Callable[[str], bool] | None
    ) -> None:
        self._config = config
        self._data = data
        self._add = findings.add
        self._spoiled = findings.spoiled
        self._has_price = has_price
        self._groups = {"default", *_names(data, "groups")}

    def everything(self) -> None:
        config = self._config
        if config.version != 1:
            self._add(("version",), f"version {config.version} is not known", "this version of newapi reads 1")
        self._moves()
        self._server()
        for name, notices in config.notices.items():
            self._notices(("notices", name), notices)
        self._statuses(("routing", "retry_on"), config.routing.retry_on)
        self._statuses(("health", "disable_on"), config.health.disable_on)
        for name, group in config.groups.items():
            self._budget(("groups", name, "budget"), group.budget)
            self._known_groups(("groups", name, "ratio_for"), group.ratio_for, at_key=True)
            self._members(("groups", name), group)
        for name, model in config.models.items():
            self._model(("models", name), name, model)
        for name, channel in config.channels.items():
            self._channel(("channels", name), name, channel)
        self._weights()
        for name, token in config.tokens.items():
            self._token(("tokens", name), token)

    def _moves(self) -> None:
        """Look at the renames: a wrong name would delete what was to be kept."""
        sources = {move.source for move in self._config.moved}
        for i, move in enumerate(self._config.moved):
            (kind, old), (to_kind, new) = split_label(move.source), split_label(move.target)
            there = _names(self._data, to_kind)
            wrong = [key for key, k, n in (("from", kind, old), ("to", to_kind, new)) if k not in NAMED or not n]
            for key in wrong:
                said = move.source if key == "from" else move.target
                hint = f"as in `channels.main`; what has names are {', '.join(NAMED)}"
                self._add(("moved", i, key), f"`{said}` is not the name of anything", hint)
            if wrong:
                continue
            if kind != to_kind:
                message = f"`{move.source}` cannot become `{move.target}`"
                self._add(("moved", i, "to"), message, "both are of one kind, as in channels.a and channels.b")
            elif new not in there and move.target not in sources:
                near = nearest(new, there)
                hint = f"did you mean `{dotted((to_kind, near))}`?" if near else "leave the move out"
                self._add(("moved", i, "to"), f"there is no {_header(to_kind, new)}", hint)

    # server

    def _server(self) -> None:
        server, mail = self._config.server, self._config.mail
        self._cmd(("mail", "password"), mail.password)
        if mail.port > 65535 or not mail.port:
            self._add(("mail", "port"), f"{mail.port} is no port", "587 is the usual one, 465 for `tls`")
        self._address(("server", "listen"), server.listen)
        if server.metrics:
            self._address(("server", "metrics"), server.metrics)
        self._database(server.database)
        if server.cache:
            self._cache(server.cache)
        if server.public_url:
            self._url(("server", "public_url"), server.public_url, ("http", "https"))
        self._networks(("server", "trusted_proxies"), server.trusted_proxies)

    def _address(self, path: Path, text: str) -> None:
        host, colon, port = text.rpartition(":")
        if text.startswith("unix:") and len(text) > len("unix:"):
            return
        if not colon or not port.isdecimal() or int(port) > 65535 or (":" in host and host[0] != "["):
            hint = 'as in "127.0.0.1:3000", "[::1]:3000" or "unix:/run/newapi.sock"'
            self._add(path, f'`{path[-1]}` must be an address and a port, not "{text}"', hint)

    def _database(self, text: str) -> None:
        path: Path = ("server", "database")
        scheme, separator, rest = text.partition(":")
        if scheme in SCHEMES and rest and not rest.startswith("//"):
            self._cmd(path, text)
            return
        if not separator or scheme not in _DATABASES or not rest.startswith("//"):
            hint = 'as in "sqlite:///newapi.db", "postgresql://…", "mysql://…" or "env:SQL_DSN"'
            self._add(path, "`database` must be the URL of a database, or a reference to one", hint)
        elif _has_password(text):
            self._add(path, "`database` holds a password", 'refer to the whole URL, as in "env:SQL_DSN"')

    def _cache(self, text: str) -> None:
        path: Path = ("server", "cache")
        scheme, _, rest = text.partition(":")
        if scheme in SCHEMES and rest and not rest.startswith("//"):
            self._cmd(path, text)
        elif _has_password(text):
            self._add(path, "`cache` holds a password", 'refer to the whole URL, as in "env:VALKEY_URL"')
        else:
            self._url(path, text, _CACHES)

    def _notices(self, path: Path, notices: NoticesSpec) -> None:
        mail, bark = notices.via == "email", notices.via == "bark"
        needed = {"to": mail, "url": not mail, "secret": notices.via == "gotify"}
        for key, is_needed in needed.items():
            if is_needed and not getattr(notices, key):
                self._add((*path, key), f"`{key}` is missing", f'`via = "{notices.via}"` needs it', at_key=True)
        for i, address in enumerate(notices.to):
            if not _ADDRESS.fullmatch(address):
                self._add((*path, "to", i), f'"{address}" is no address', 'as in "ops@example.com"')
        if mail and not self._config.mail.host:
            self._add((*path, "via"), "[mail] says no `host`", "letters go out through it")
        for key in ("url", "secret"):
            self._cmd((*path, key), getattr(notices, key))
        if notices.url and notices.url.partition(":")[0] not in SCHEMES:
            self._url((*path, "url"), notices.url, ("https", "http"))
            if bark and "{{content}}" not in notices.url:
                hint = 'as in "https://api.day.app/KEY/{{title}}/{{content}}", kept as a secret'
                self._add((*path, "url"), "`url` has no place for the text", hint)
        if notices.priority > 10:
            self._add(
                (*path, "priority"), f"`priority` must be 10 at most, not {notices.priority}", "10 is Gotify's highest"
            )

    def _cmd(self, path: Path, reference: str) -> None:
        if reference.startswith("cmd:") and not self._config.server.allow_cmd_secrets:
            hint = "`allow_cmd_secrets = true` in [server] allows it"
            self._add(path, "commands are not run for secrets here", hint)

    # shared

    def _url(self, path: Path, text: str, schemes: Collection[str]) -> None:
        parts = None
        try:
            parts = urlsplit(text)
            good = parts.scheme in schemes and bool(parts.hostname) and (parts.port is None or parts.port > 0)
        except ValueError:
            good = False
        if not good or any(c.isspace() for c in text):
            told = ", ".join(f"{s}://" for s in schemes)
            self._add(path, f"`{path[-1]}` must be the URL of a host", f"it begins with one of {told}")
        elif parts is not None and parts.password is not None and path[0] in ("channels", "notices"):
            hint = "keep the whole URL elsewhere: `newapi secret set NAME`, and say the reference it prints"
            hint = hint if path[-1] != "base_url" else "use `headers`, or `key`"
            self._add(path, f"`{path[-1]}` holds a password", hint)

    def _networks(self, path: Path, texts: Iterable[str]) -> None:
        for i, text in enumerate(texts):
            try:
                ipaddress.ip_network(text, strict=False)
            except ValueError:
                hint = 'as in "10.0.0.0/8", "192.168.1.7" or "fd00::/8"'
                self._add((*path, i), f'"{text}" is not an address or a range of addresses', hint)

    def _statuses(self, path: Path, texts: Iterable[str]) -> None:
        for i, text in enumerate(texts):
            if not _STATUS.fullmatch(text):
                self._add((*path, i), f'"{text}" is not a status', 'as in "429", or "5xx" for a hundred of them')

    def _known_groups(self, path: Path, names: Iterable[str], *, at_key: bool = False) -> None:
        for i, name in enumerate(names):
            if name not in self._groups:
                place: Path = (*path, name) if at_key else (*path, i)
                self._add(place, f"there is no group `{name}`", self._group_hint(name), at_key=at_key)

    def _members(self, path: Path, group: GroupSpec) -> None:
        self._known_groups((*path, "members"), group.members)
        self._twice((*path, "members"), group.members)
        for i, name in enumerate(group.members):
            if name in self._config.groups and self._config.groups[name].members:
                self._add(
                    (*path, "members", i), f"`{name}` is a list of groups itself", "name groups that have channels"
                )
        if group.members and group.ratio != 1:
            self._add((*path, "ratio"), "a list of groups has no price of its own", "leave `ratio` out", at_key=True)

    def _group_hint(self, name: str) -> str:
        near = nearest(name, self._groups)
        return f"did you mean `{near}`?" if near else f"declare it: {_header('groups', name)}"

    def _twice(self, path: Path, values: Iterable[str]) -> None:
        seen: set[str] = set()
        for i, value in enumerate(values):
            if value in seen:
                self._add((*path, i), f'"{value}" is there twice', "leave one out")
            seen.add(value)

    def _budget(self, path: Path, budget: Mapping[Any, Decimal]) -> None:
        for period, amount in budget.items():
            if not amount:
                self._add((*path, period), f"`{period}` must be more than nothing", "leave it out for no limit")

    # models

    def _model(self, path: Path, name: str, model: ModelSpec) -> None:
        if model.price is not None and (also := _said(model, *_PER_TOKEN)):
            message = f"`price` is for a call and `{also[0]}` for tokens; a model has one of them"
            self._add((*path, also[0]), message, "leave one out", at_key=True)
        for dollars, ratio in _SAME.items():
            if len(_said(model, dollars, ratio)) == 2:
                message = f"`{dollars}` and `{ratio}` say the same price twice"
                self._add((*path, ratio), message, "leave one out", at_key=True)
        if model.tiers:
            if also := _said(model, "price", *_SAME, *_SAME.values()):
                message = f"`{also[0]}` and `tiers` say the price twice"
                self._add((*path, also[0]), message, "leave one out", at_key=True)
            self._tiers((*path, "tiers"), model)
        for i, other in enumerate(model.fallback):
            if other == name:
                self._add((*path, "fallback", i), f'"{other}" falls back to itself', "name other models")
            elif self._has_price and self._config.billing.unpriced == "reject" and not self._has_price(other):
                hint = f"add {_header('models', other)} with `input` and `output`"
                self._add((*path, "fallback", i), f"model `{other}` has no price", hint)

    def _tiers(self, path: Path, model: ModelSpec) -> None:
        before = 0
        for i, tier in enumerate(model.tiers):
            if tier.up_to is None:
                if i + 1 < len(model.tiers):
                    self._add((*path, i), "only the last tier may leave out `up_to`", "the others end somewhere")
                return
            if tier.up_to <= before:
                message = f"`up_to` must be more than {before}"
                self._add((*path, i, "up_to"), message, "tiers are in order, the smallest prompt first")
            before = tier.up_to

    # channels

    def _channel(self, path: Path, name: str, channel: ChannelSpec) -> None:
        if channel.type not in (known := NOT_YET.union(providers.names())):
            near = _TYPES_BY_OTHER_NAMES.get(channel.type.lower().replace("_", "-")) or nearest(channel.type, known)
            hint = f"did you mean `{near}`?" if near else "`newapi channel types` lists them"
            self._add((*path, "type"), f"there is no channel type `{channel.type}`", hint)
        if channel.base_url:
            self._url((*path, "base_url"), channel.base_url, ("http", "https"))
        if channel.proxy.partition(":")[0] in SCHEMES:
            self._cmd((*path, "proxy"), channel.proxy)
        elif channel.proxy:
            self._url((*path, "proxy"), channel.proxy, _PROXIES)
        self._keys(path, channel)
        if channel.enabled and not channel.models:
            hint = 'exact names or globs, as in `models = ["gpt-4o*"]`; "*" is every model'
            self._add((*path, "models"), f"channel `{name}` has no models", hint)
        if channel.enabled and not channel.groups:
            self._add((*path, "groups"), f"channel `{name}` is in no group", '`groups = ["default"]` is the default')
        self._known_groups((*path, "groups"), channel.groups)
        for i, group in enumerate(channel.groups):
            if group in self._config.groups and self._config.groups[group].members:
                self._add((*path, "groups", i), f"`{group}` is a list of groups", "name the groups that are in it")
        for key in ("models", "groups", "keys"):
            self._twice((*path, key), getattr(channel, key))
        self._one_of((*path, "formats"), channel.formats, CHAT_FORMATS, "format of chat")
        self._one_of((*path, "allow_fields"), channel.allow_fields, CONTROLLED_FIELDS, "field that can be allowed")
        self._mappings(path, channel)
        self._headers((*path, "headers"), channel.headers)
        for i, operation in enumerate(channel.param_operations):
            if not isinstance(operation.get("mode"), str):
                hint = 'as in `mode = "set"`'
                self._add((*path, "param_operations", i, "mode"), "an operation has no `mode`", hint)
        self._priced(path, channel)

    def _keys(self, path: Path, channel: ChannelSpec) -> None:
        if channel.key and channel.keys:
            self._add((*path, "keys"), "`key` and `keys` are both there", "put all of them into `keys`", at_key=True)
        self._cmd((*path, "key"), channel.key)
        for i, key in enumerate(channel.keys):
            if not key:
                self._add((*path, "keys", i), "a key is empty", 'a reference belongs here, as in "env:NAME"')
            self._cmd((*path, "keys", i), key)

    def _one_of(self, path: Path, names: Iterable[str], known: Collection[str], what: str) -> None:
        for i, name in enumerate(names):
            if name not in known:
                self._add((*path, i), f"`{name}` is no {what}", advise(name, known))

    def _mappings(self, path: Path, channel: ChannelSpec) -> None:
        for cycle in _cycles(channel.model_mapping):
            told = " → ".join((*cycle, cycle[0]))
            place = (*path, "model_mapping", cycle[0])
            self._add(place, f"`model_mapping` goes round in a circle: {told}", "let one of them be the last")
        for status, to in channel.status_mapping.items():
            place = (*path, "status_mapping", status)
            if not (status.isdecimal() and 100 <= int(status) <= 599):
                self._add(place, f'"{status}" is not a status', 'as in `{ "400" = 500 }`', at_key=True)
            elif not 100 <= to <= 599:
                self._add(place, f"{to} is not a status", 'as in `{ "400" = 500 }`')

    def _headers(self, path: Path, headers: Mapping[str, str]) -> None:
        for name, value in headers.items():
            if rule := _HEADER_RULE.fullmatch(name):
                self._rule((*path, name), rule[1])
            elif not _HEADER_NAME.fullmatch(name):
                hint = 'letters, digits and dashes, as in "X-Team"'
                self._add((*path, name), f'"{name}" is not the name of a header', hint, at_key=True)
            elif "\n" in value or "\r" in value or "\0" in value:
                self._add((*path, name), f"the header `{name}` has more than one line", "a header is one line of text")

    def _rule(self, path: Path, pattern: str) -> None:
        try:
            re.compile(pattern)
        except re.error as error:
            hint = 'as in "re:^X-Team-"; a backslash before a sign takes its meaning away'
            self._add(path, f"`{pattern}` is not a regular expression: {error}", hint, at_key=True)

    def _priced(self, path: Path, channel: ChannelSpec) -> None:
        if self._has_price is None or self._config.billing.unpriced != "reject":
            return
        for i, model in enumerate(channel.models):
            if _GLOB.search(model) or self._spoiled(("models", model)) or self._has_price(model):
                continue
            if self._config.models.get(model) == ModelSpec():
                continue  # it says of itself that it has none
            hint = (
                f"add {_header('models', model)} with `input` and `output`; "
                f'or `unpriced = "default"` in [billing] bills it at New API\'s default ratio'
            )
            self._add((*path, "models", i), f"model `{model}` has no price", hint)

    def _weights(self) -> None:
        """Weigh each group's channels of one priority: somebody must have a weight."""
        tiers: dict[tuple[str, int], list[str]] = {}
        for name, channel in self._config.channels.items():
            if channel.enabled:
                for group in channel.groups:
                    tiers.setdefault((group, channel.priority), []).append(name)
        for (group, priority), names in tiers.items():
            if all(self._config.channels[name].weight == 0 for name in names):
                message = f"every channel of group `{group}` at priority {priority} has a weight of 0"
                self._add(("channels", names[0], "weight"), message, "none of them would ever be chosen")

    # tokens

    def _token(self, path: Path, token: TokenSpec) -> None:
        if token.group not in self._groups:
            hint = self._group_hint(token.group)
            self._add((*path, "group"), f"there is no group `{token.group}`", hint)
        if token.unlimited and token.quota is not None:
            message = "`quota` and `unlimited` are both there"
            self._add((*path, "unlimited"), message, "leave one out", at_key=True)
        self._networks((*path, "allow_ips"), token.allow_ips)
        self._budget((*path, "budget"), token.budget)
        self._twice((*path, "models"), token.models)
        self._cmd((*path, "key"), token.key)


def _names(data: Mapping[str, Any], kind: str) -> Collection[str]:
    found = data.get(kind)
    return found.keys() if isinstance(found, dict) else ()


def _header(kind: str, name: str) -> str:
    return f"[{dotted((kind, name))}]"


def _said(model: ModelSpec, *names: str) -> list[str]:
    return [name for name in names if getattr(model, name) is not None]


def _has_password(url: str) -> bool:
    try:
        return bool(urlsplit(url).password)
    except ValueError:
        return False


def _cycles(mapping: Mapping[str, str]) -> Iterator[list[str]]:
    """Yield each circle of names once. A name that maps to itself ends there, and is none."""
    done: set[str] = set()
    for start in mapping:
        way: list[str] = []
        name = start
        while name in mapping and name not in done and mapping[name] != name:
            done.add(name)
            way.append(name)
            name = mapping[name]
        if name in way:
            yield way[way.index(name) :]
