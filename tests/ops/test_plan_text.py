from __future__ import annotations

from decimal import Decimal

import msgspec

from newapi.config.schema import ChannelSpec, Config, GroupSpec, HealthSpec, Moved, TokenSpec
from newapi.ops.apply import apply, plan
from newapi.ops.local import Local
from newapi.ops.plan import Change
from newapi.ops.plan_text import exact, lines, total

BEFORE = Config(
    groups={"old": GroupSpec()},
    channels={"a": ChannelSpec(type="openai", key="env:A", headers={"X-Team": "red"})},
    tokens={"ci": TokenSpec(quota=Decimal(10), budget={"day": Decimal(2)})},
)
AFTER = Config(
    moved=(Moved(source="channels.a", target="channels.b"),),
    health=HealthSpec(window=120.0, probe_every=0.0),
    groups={"vip": GroupSpec(ratio=Decimal("0.80"))},
    channels={"b": ChannelSpec(type="openai", key="env:B", models=("gpt-4o*",), enabled=False)},
    tokens={"ci": TokenSpec(quota=Decimal("20.50"), expires=86_400.0), "new one": TokenSpec(quota=Decimal(1))},
)
PLAN = """\
~ health
    window      "1m" -> "2m"
    probe_every "10m" -> ""
+ groups.vip
    ratio = 0.8
- groups.old
~ channels.b  (was channels.a)
    key            (reference) -> (another reference)
    models         [] -> ["gpt-4o*"]
    headers.X-Team "red" -> (none)
    enabled        true -> false
~ tokens.ci
    quota      $10 -> $20.5
    expires    (none) -> "1d"
    budget.day $2 -> (none)
+ tokens."new one"
    quota = $1
"""


def test_a_plan_as_people_read_it(local: Local) -> None:
    apply(local, BEFORE, who="me")
    made = plan(local, AFTER)
    shown = list(lines(made.changes))
    assert sorted(text.strip() for _, text in shown) == sorted(line.strip() for line in PLAN.splitlines())
    assert "\n".join(text for _, text in shown if not text.startswith(" ")) == "\n".join(
        line for line in PLAN.splitlines() if not line.startswith(" ")
    )
    assert {sign for sign, _ in shown} == {"+", "~", "-"}
    assert total(made) == "2 to add, 3 to change, 1 to delete"


def test_a_summary_names_the_objects_alone(local: Local) -> None:
    assert [text for _, text in lines(plan(local, BEFORE).changes, summary=True)] == [
        "+ groups.old",
        "+ channels.a",
        "+ tokens.ci",
    ]


def test_a_plan_that_was_sent_is_read_as_it_was_made(local: Local) -> None:
    apply(local, BEFORE, who="me")
    made = plan(local, AFTER).changes
    sent = msgspec.json.decode(msgspec.json.encode(made), type=tuple[Change, ...])
    assert sent != made
    assert exact(sent) == made
