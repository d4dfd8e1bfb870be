from __future__ import annotations

import io
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from newapi import providers
from newapi.base.errors import ConfigError
from newapi.config.check import NOT_YET
from newapi.config.load import find, load, load_server
from newapi.config.schema import (
    BillingSpec,
    ChannelSpec,
    Config,
    GroupSpec,
    LimitsSpec,
    ModelSpec,
    Moved,
    ServerSpec,
    TasksSpec,
    Tier,
    TokenSpec,
)

FULL = """
version = 1
moved = [{ from = "channels.a", to = "channels.b" }]
[server]
workers = "auto"
database = "env:SQL_DSN"
allow_cmd_secrets = true
[limits]
request_body = "1GiB"
connect_timeout = "500ms"
keepalive = ""
[health]
probe_every = ""
[billing]
unpriced = "default"
new_user_quota = "$0.10"
[tasks]
timeout = "1h30m"
[groups.vip]
ratio = 0.1
ratio_for = { default = 1 }
selectable = true
[models."gpt-4.1"]
input = "$2.50"
fallback = ["gpt-4o"]
[models.free]
price = "$0"
[models.old]
ratio = 1.25
completion_ratio = 4
[[models.tiered.tiers]]
up_to = 128_000
input = "$0.40"
output = "$1.20"
[[models.tiered.tiers]]
input = "$1"
output = "$3"
[channels.b]
type = "openai"
key = "cmd:pass show x"
models = ["gpt-4.1", "*"]
groups = ["default", "vip"]
params = { temperature = 0.2, stop = ["a", 1, true, { b = 2.0 }] }
headers = { "X-Team" = "red" }
status_mapping = { "400" = 500 }
model_mapping = { a = "b", b = "c", d = "d" }
api_version = "2024-10-21"
region = { a = "us-east-1" }
[[channels.b.param_operations]]
mode = "set"
path = "x"
value = 0.5
[tokens.t]
quota = "$0.1"
expires = "90d"
budget = { day = "$2" }
allow_ips = ["10.0.0.0/8", "::1"]
[tokens.dated]
unlimited = true
expires = 2030-01-31
[tokens.timed]
expires = 2030-01-31T12:00:00
[tokens.zoned]
expires = 2030-01-31T12:00:00+02:00
"""


def problems(text: str, path: Path | None = None) -> list[tuple[str, int, int, str]]:
    """Return what is wrong with a configuration: message, line, column, key."""
    with pytest.raises(ConfigError) as caught:
        load(path or Path("x.toml"), text)
    return [(p.message, p.line, p.column, p.key) for p in caught.value.problems]


def test_every_value() -> None:
    config = load(Path("x.toml"), FULL).config
    assert config == Config(
        moved=(Moved(source="channels.a", target="channels.b"),),
        server=ServerSpec(workers="auto", database="env:SQL_DSN", allow_cmd_secrets=True),
        limits=LimitsSpec(request_body=1 << 30, connect_timeout=0.5, keepalive=0.0),
        health=config.health,
        billing=BillingSpec(unpriced="default", new_user_quota=Decimal("0.10")),
        tasks=TasksSpec(timeout=5400.0),
        groups={"vip": GroupSpec(ratio=Decimal("0.1"), ratio_for={"default": Decimal(1)}, selectable=True)},
        models={
            "gpt-4.1": ModelSpec(input=Decimal("2.50"), fallback=("gpt-4o",)),
            "free": ModelSpec(price=Decimal(0)),
            "old": ModelSpec(ratio=Decimal("1.25"), completion_ratio=Decimal(4)),
            "tiered": ModelSpec(
                tiers=(
                    Tier(up_to=128_000, input=Decimal("0.40"), output=Decimal("1.20")),
                    Tier(input=Decimal(1), output=Decimal(3)),
                )
            ),
        },
        channels={
            "b": ChannelSpec(
                type="openai",
                key="cmd:pass show x",
                models=("gpt-4.1", "*"),
                groups=("default", "vip"),
                params={"temperature": 0.2, "stop": ["a", 1, True, {"b": 2.0}]},
                headers={"X-Team": "red"},
                status_mapping={"400": 500},
                model_mapping={"a": "b", "b": "c", "d": "d"},
                param_operations=({"mode": "set", "path": "x", "value": 0.5},),
                options={"api_version": "2024-10-21", "region": {"a": "us-east-1"}},
            )
        },
        tokens={
            "t": TokenSpec(
                quota=Decimal("0.1"),
                expires=90 * 86_400.0,
                budget={"day": Decimal(2)},
                allow_ips=("10.0.0.0/8", "::1"),
            ),
            "dated": TokenSpec(unlimited=True, expires=datetime(2030, 1, 31, tzinfo=UTC)),
            "timed": TokenSpec(expires=datetime(2030, 1, 31, 12, tzinfo=UTC)),
            "zoned": TokenSpec(expires=datetime(2030, 1, 31, 10, tzinfo=UTC)),
        },
    )
    assert config.health.probe_every == 0
    assert config.groups["vip"].ratio * 3 == Decimal("0.3")


def test_nothing_said_is_the_defaults() -> None:
    assert load(Path("x.toml"), "").config == Config()


def test_a_model_is_priced_by_the_tables_or_the_file_or_who_asks(tmp_path: Path) -> None:
    text = '[channels.a]\ntype = "openai"\nmodels = ["mine"]\n'
    assert problems(text) == [("model `mine` has no price", 3, 11, "channels.a.models[0]")]
    assert load(Path("x.toml"), text, has_price=lambda model: model == "mine").config.channels
    assert load(Path("x.toml"), text + '[billing]\nunpriced = "default"\n').config.channels
    assert load(Path("x.toml"), text + "[models.mine]\nratio = 0\n").config.channels
    (tmp_path / "prices.json").write_text('{"model_ratio": {"mine": 1}}')
    text += '[billing]\nprices = "prices.json"\n'
    assert load(tmp_path / "x.toml", text).config.channels
    (tmp_path / "prices.json").write_text('{"model_ratio": []}')
    assert [p[3] for p in problems(text, tmp_path / "x.toml")] == ["billing.prices"]


def test_a_price_that_cannot_be_read_is_told_once() -> None:
    text = '[models.mine]\nratio = "1"\n[channels.a]\ntype = "openai"\nmodels = ["mine"]\n'
    assert [p[3] for p in problems(text)] == ["models.mine.ratio"]


def test_a_group_that_cannot_be_read_is_there() -> None:
    text = '[groups.vip]\nratio = "1"\n[tokens.a]\ngroup = "vip"\n'
    assert [p[3] for p in problems(text)] == ["groups.vip.ratio"]


@pytest.mark.parametrize(
    "text",
    [
        '[server]\nlisten = "unix:/run/newapi.sock"\nmetrics = ""\n',
        '[server]\nlisten = "[::1]:3000"\n',
        '[channels.a]\ntype = "midjourney"\nmodels = ["*"]\n',
        '[server]\nlisten = ":3000"\n',
        '[server]\ndatabase = "postgresql://newapi@db/newapi"\ncache = "valkey://localhost:6379/1"\n',
        '[server]\ndatabase = "file:/run/secrets/dsn"\n',
        '[server]\ncache = "env:VALKEY_URL"\n',
        '[server]\ncache = "rediss://cache.example.com"\n',
        '[channels.a]\ntype = "openai"\nmodels = ["*"]\nweight = 0\nenabled = false\n',
        '[channels.a]\ntype = "openai"\nmodels = ["*"]\nproxy = "socks5h://me@localhost:1080"\n',
        '[channels.a]\ntype = "openai"\nmodels = ["*"]\nproxy = "env:PROXY"\n',
        '[channels.a]\ntype = "openai"\nmodels = ["*"]\nbase_url = "https://example.com/v1"\n',
        '[channels.a]\ntype = "openai"\nmodels = ["*"]\ngroups = ["a"]\npriority = -1\n[groups.a]\n',
    ],
)
def test_what_is_right(text: str) -> None:
    assert load(Path("x.toml"), text).config


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('key = "sk-live-0123456789', 'key = "******************'),
        ("keys = ['env:A', 'sk-0123456789' 1]", "keys = ['env:A', '*************' *]"),
        ("keys = ['sk-0123456789' 1]", "keys = ['*************' *]"),
        ('key = "env:A" 1', 'key = "env:A" *'),
        ("a = { key = sk-0123456789 }", "a = { key = ************* }"),
        ("  'sk-0123456789' 'a'", "  '*************' 'a'"),
        ("x = a://b:hunter2@c", "x = a://b:*******@c"),
    ],
)
def test_a_line_that_is_not_toml_shows_no_key(text: str, shown: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(Path("x.toml"), text)
    assert caught.value.problems[0].source == shown


def test_types_that_are_not_built_yet_are_not_built() -> None:
    assert not NOT_YET & set(providers.names())


# files


def test_an_included_file(tmp_path: Path) -> None:
    (tmp_path / "conf.d").mkdir()
    main = tmp_path / "config.toml"
    main.write_text('include = ["conf.d/*.toml", "none.d/*.toml"]\n[server]\nworkers = 2\n[groups.a]\n')
    (tmp_path / "conf.d" / "1.toml").write_text('[server]\nlisten = ":1"\n[groups.b]\n[log]\nlevel = "debug"\n')
    (tmp_path / "conf.d" / "2.toml").write_text("version = 1\n[groups.c]\nratio = 2\n")
    loaded = load(main)
    assert set(loaded.config.groups) == {"a", "b", "c"}
    assert loaded.config.server == ServerSpec(workers=2, listen=":1")
    assert loaded.config.log.level == "debug"
    assert loaded.files == (main, tmp_path / "conf.d" / "1.toml", tmp_path / "conf.d" / "2.toml")
    problem = loaded.places.problem(("groups", "c", "ratio"), "no")
    assert (problem.file, problem.line, problem.column) == (str(tmp_path / "conf.d" / "2.toml"), 3, 9)


def test_what_is_said_twice_shows_both_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("config.toml").write_text(
        'include = ["b.toml"]\nmoved = []\n[server]\nworkers = 2\n\n[channels.a]\ntype = "openai"\nmodels = ["*"]\n'
    )
    Path("b.toml").write_text(
        'include = []\nmoved = []\n[server]\nworkers = 3\n[channels.a]\ntype = "opneai"\nweight = -1\n'
    )
    with pytest.raises(ConfigError) as caught:
        load()
    assert [(p.file, p.line, p.column, p.message, p.hint) for p in caught.value.problems] == [
        ("b.toml", 1, 1, "an included file includes others", "let the first file include them all"),
        ("b.toml", 2, 1, "`moved` is said twice", "first at config.toml:2:1"),
        ("b.toml", 4, 1, "`server.workers` is declared twice", "first at config.toml:4:1"),
        ("b.toml", 5, 11, "`channels.a` is declared twice", "first at config.toml:6:11"),
    ]


def test_what_is_wrong_in_an_included_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("config.toml").write_text('include = ["b.toml"]\n[groups.a]\nratio = -1\n')
    Path("b.toml").write_text("\n[groups.b]\nratio = -2\n")
    with pytest.raises(ConfigError) as caught:
        load()
    assert [(p.file, p.line) for p in caught.value.problems] == [("config.toml", 3), ("b.toml", 3)]
    assert caught.value.problems[1].source == "ratio = -2"
    Path("b.toml").write_text("[groups.b\n")
    with pytest.raises(ConfigError, match="not TOML") as caught:
        load()
    assert caught.value.problems[0].file == "b.toml"


def test_an_absolute_include(tmp_path: Path) -> None:
    (tmp_path / "b.toml").write_text("[groups.b]\n")
    assert "b" in load(Path("x.toml"), f'include = ["{tmp_path}/*.toml"]').config.groups


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("[groups.a]\nratio = -1\n"))
    with pytest.raises(ConfigError) as caught:
        load(Path("-"))
    assert caught.value.problems[0].file == "<stdin>"
    assert caught.value.problems[0].source == "ratio = -1"


@pytest.mark.parametrize(
    ("make", "message", "line"),
    [
        (lambda path: None, "no such file or directory", 0),
        (lambda path: path.mkdir(), "is a directory", 0),
        (lambda path: path.write_bytes(b"a = 1\nb = '\xff'\n"), "the file is not UTF-8", 2),
    ],
)
def test_a_file_that_cannot_be_read(tmp_path: Path, make: Callable[[Path], object], message: str, line: int) -> None:
    path = tmp_path / "config.toml"
    make(path)
    with pytest.raises(ConfigError, match=message) as caught:
        load(path)
    assert (caught.value.problems[0].file, caught.value.problems[0].line) == (str(path), line)


def test_where_the_file_is_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match="there is no configuration") as caught:
        find()
    assert "/etc/newapi/config.toml" in caught.value.problems[0].hint
    home = tmp_path / "home"
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home))
    (home / "newapi").mkdir(parents=True)
    (home / "newapi" / "config.toml").touch()
    assert find() == home / "newapi" / "config.toml"
    Path("config.toml").touch()
    assert find() == Path("config.toml")
    monkeypatch.setenv("NEWAPI_CONFIG", "other.toml")
    assert find() == Path("other.toml")
    assert find(Path("said.toml")) == Path("said.toml")


def test_the_server_alone(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text('[server]\nworkers = 2\n[channels.a]\ntype = "opneai"\n')
    assert load_server(path).config == Config(server=ServerSpec(workers=2))
    path.write_text("[server]\nworkers = 0\n")
    with pytest.raises(ConfigError, match="workers"):
        load_server(path)


# the example


EXAMPLE = Path(__file__).parents[2] / "config.example.toml"


def uncommented() -> str:
    """Return the example with everything that is commented out."""
    lines = EXAMPLE.read_text().splitlines()
    return "\n".join(
        line[1:] if line[:1] == "#" and line[1:2] and line[1:2] in "[abcdefghijklmnopqrstuvwxyz" else line
        for line in lines
    )


def test_the_example_is_valid() -> None:
    config = load(EXAMPLE).config
    assert {c.base_url for c in config.channels.values()} == {"http://127.0.0.1:8765"}
    assert {c.key for c in config.channels.values()} == {"env:MOCK_KEY"}
    assert config.tokens["demo"].quota == 5


def test_what_the_example_shows_is_valid() -> None:
    config = load(EXAMPLE.with_name("uncommented.toml"), uncommented()).config
    assert {"openai", "anthropic-pool", "azure"} <= config.channels.keys()
    assert len(config.models["qwen-plus"].tiers) == 2


def test_the_example_says_the_defaults() -> None:
    config = load(EXAMPLE).config
    assert config.server == ServerSpec()
    assert config.limits == LimitsSpec()
    assert (config.routing, config.health, config.billing, config.tasks) == (
        Config().routing,
        Config().health,
        Config().billing,
        Config().tasks,
    )
