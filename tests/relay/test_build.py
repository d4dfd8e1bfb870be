from __future__ import annotations

from newapi.base.secret import Secret
from newapi.config.schema import BillingSpec, ChannelSpec, GroupSpec, HealthSpec, RoutingSpec, TasksSpec
from newapi.relay.build import build
from newapi.store.snapshot import Stored, StoredChannel


def test_a_proxy_with_a_password_is_a_reference() -> None:
    spec = ChannelSpec(type="openai", key="env:KEY", models=("m",), proxy="env:PROXY")
    stored = Stored(
        epoch=1,
        generation=1,
        routing=RoutingSpec(),
        health=HealthSpec(),
        billing=BillingSpec(),
        tasks=TasksSpec(),
        groups={"default": GroupSpec()},
        models={},
        channels=(StoredChannel(1, "c", spec, "enabled", ""),),
        tokens=(),
        users=(),
    )
    secrets = {"env:KEY": Secret("k"), "env:PROXY": Secret("socks5://me:pw@proxy:1080")}
    warned: list[str] = []
    snapshot = build(stored, secrets.__getitem__, warned.append)
    assert warned == []
    assert [c.spec.proxy for c in snapshot.channels] == ["socks5://me:pw@proxy:1080"]
