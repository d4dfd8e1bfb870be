from __future__ import annotations

from pathlib import Path

from newapi.config.load import load
from newapi.ops.export import document
from newapi.ops.plan import KINDS, SECTIONS

TEXT = """\
moved = [{ from = "channels.a", to = "channels.\\"b c\\"" }]
[server]
listen = "127.0.0.1:1"
[routing]
retries = 7
[billing]
new_user_quota = "$2.50"
[groups."v.i.p"]
ratio = 0.8
[models."gpt-4.1"]
ratio = 1.25
completion_ratio = 4
[channels."b c"]
type = "azure"
base_url = "https://x.test"
key = "env:A"
models = ["gpt-4.1"]
headers = { X-Team = "red" }
[tokens."ci/1"]
quota = "$10"
expires = 2031-01-02T03:04:05Z
budget = { day = "$2" }
"""


def test_a_configuration_that_is_sent_says_the_same(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    wanted = load(path, TEXT).config
    sent = load(path, document(wanted)).config
    assert "[server]" not in document(wanted)
    assert wanted.routing.retries == 7
    for part in ("moved", *SECTIONS, *KINDS):
        assert getattr(sent, part) == getattr(wanted, part), part


def test_the_example_that_is_sent_says_the_same() -> None:
    path = Path("config.example.toml")
    wanted = load(path).config
    sent = load(path, document(wanted)).config
    for part in ("moved", *SECTIONS, *KINDS):
        assert getattr(sent, part) == getattr(wanted, part), part
