from __future__ import annotations

from pathlib import Path

import pytest

from newapi.cli.output import ExitCode
from newapi.ops.local import Local
from newapi.store import declared
from tests.cli.commands.conftest import Run

MORE = """
[models."tiered"]
tiers = [{ up_to = 1000, input = "$1", output = "$2" }, { input = "$3", output = "$6" }]

[models."picture"]
price = "$0.04"

[channels.more]
type = "openai"
key = "env:MISSING"
models = ["tiered", "picture"]

[tokens.narrow]
unlimited = true
group = "vip"
models = ["my-*"]
"""


@pytest.fixture
def ready(config: Path, run: Run) -> Run:
    config.write_text(config.read_text() + MORE)
    done = run("apply", "--yes")
    assert done.code == 0, done.err
    return run


def test_the_models_and_their_prices(ready: Run) -> None:
    assert ready("model", "list").out == (
        "my-model\t$2.5\t$10\t$2.5\t\t\tconfig\tmain\n"
        "picture\t\t\t\t$0.04\t\tconfig\tmore\n"
        "tiered\t$1\t$2\t$1\t\t2\tconfig\tmore\n"
    )


@pytest.mark.parametrize(
    ("flags", "names"),
    [
        (("--unpriced",), ""),
        (("--token", "narrow"), "my-model\n"),
        (("--token", "ci"), "my-model\n"),
        (("--token", "ci", "--unpriced"), ""),
    ],
)
def test_some_of_them(ready: Run, flags: tuple[str, ...], names: str) -> None:
    assert ready("model", "list", *flags, "-o", "name").out == names


def test_what_nobody_priced(config: Path, run: Run, local: Local) -> None:
    text = config.read_text().replace('["my-model"]', '["my-model", "unheard-of"]')
    config.write_text(text + '[billing]\nunpriced = "default"\n')
    assert run("apply", "--yes").code == 0
    assert run("model", "list", "--unpriced").out == "unheard-of\t$75\t$75\t$75\t\t\tdefault\tmain\n"
    with local.db.writing() as c:
        declared.put_section(c, "billing", "{}")
    assert run("model", "list", "--unpriced").out == "unheard-of\t\t\t\t\t\tnone\tmain\n"
    assert run("model", "list", "--token", "ci", "-o", "name").out == "my-model\n"
    assert run("model", "get", "unheard-of", "-o", "json").json()["source"] == "none"


def test_what_a_token_pays(ready: Run) -> None:
    assert ready("model", "list", "--token", "narrow", "-o", "json").json() == {
        "items": [
            {
                "name": "my-model",
                "source": "config",
                "ratio": "0.8",
                "per_call": None,
                "rates": [
                    {"up_to": None, "input": "2", "output": "8", "cached_input": "2", "cache_write": "2.5"},
                ],
                "channels": ["main"],
                "groups": ["default", "vip"],
                "fallback": [],
            }
        ],
        "next": None,
    }


def test_one_of_them(ready: Run) -> None:
    done = ready("model", "get", "tiered")
    assert done.out.splitlines()[:4] == [
        "name\ttiered",
        "price_from\tconfig",
        "ratio\t1",
        "input_up_to_1000\t$1 a million tokens",
    ]
    assert "input\t$3 a million tokens" in done.out.splitlines()
    assert ready("model", "get", "picture", "--group", "vip").out.splitlines()[3] == "per_call\t$0.032 a call"


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (("get", "my-modl"), "did you mean 'my-model'?"),
        (("get", "my-model", "--group", "vap"), "did you mean 'vip'?"),
        (("price", "unheard-of"), "no price"),
        (("price", "my-model", "--group", "reds"), "There is no group 'reds'"),
        (("list", "--token", "nobody"), "nobody"),
    ],
)
def test_what_is_not_there(ready: Run, argv: tuple[str, ...], words: str) -> None:
    done = ready("model", *argv)
    assert (done.code, done.out) == (ExitCode.NOT_FOUND, "")
    assert words in done.err


def test_a_quotation(ready: Run) -> None:
    done = ready("model", "price", "my-model", "--prompt", "120k", "--cached", "20k", "--completion", "2k")
    assert done.out == (
        "input\t100000\ttoken\t$0.0000025\t1\t$0.25\n"
        "cache_read\t20000\ttoken\t$0.0000025\t1\t$0.05\n"
        "output\t2000\ttoken\t$0.00001\t1\t$0.02\n"
        "total\t160000\tquota\t\t\t$0.32\n"
    )
    assert done.err == "my-model in group default (ratio 1), price from config\n"


def test_a_quotation_for_programs(ready: Run) -> None:
    flags = ("--prompt", "2k", "--completion", "1_000", "--group", "vip")
    assert ready("model", "price", "tiered", *flags, "-o", "json").json() == {
        "model": "tiered",
        "group": "vip",
        "group_ratio": "0.8",
        "source": "config",
        "tier": None,
        "lines": [
            {"what": "input", "unit": "token", "count": 2000, "usd_each": "0.000003", "factor": "0.8", "usd": "0.0048"},
            {
                "what": "output",
                "unit": "token",
                "count": 1000,
                "usd_each": "0.000006",
                "factor": "0.8",
                "usd": "0.0048",
            },
        ],
        "exact": "4800",
        "quota": 4800,
        "usd": "0.0096",
    }
    assert ready("model", "price", "tiered", "--prompt", "1k", "-o", "json").json()["tier"] == 1000
    assert ready("model", "price", "picture", "--pictures", "3", "-o", "json").json()["usd"] == "0.12"


@pytest.mark.parametrize(
    "flags",
    [
        ("--prompt", "many"),
        ("--prompt", "1.5"),
        ("--prompt", "-3"),
        ("--prompt", "nan"),
        ("--prompt", "infm"),
        ("--prompt", "1k", "--cached", "2k"),
        ("--completion", "1k", "--audio-out", "2k"),
    ],
)
def test_a_quotation_that_makes_no_sense(ready: Run, flags: tuple[str, ...]) -> None:
    assert ready("model", "price", "my-model", *flags).code == ExitCode.USAGE
