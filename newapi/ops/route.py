"""Why a request goes where it goes: which channels serve a model, in which order, and why each other one does not."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from newapi import providers
from newapi.base.errors import NewapiError
from newapi.ops import channels, tokens, users
from newapi.ops.channels import ChannelView
from newapi.ops.local import Local
from newapi.relay.build import price_book
from newapi.relay.snapshot import Models
from newapi.store import snapshot as stored


class Step(Struct, frozen=True, kw_only=True):
    """One channel.

    Attributes:
        turn: 1 for the channels that are tried first, 2 for those after them, …; 0 for one that is not tried.
        share: Of the requests of its turn, 0 to 1, that begin with it.
        upstream_model: What it is asked for.
        keys: How many of its keys are used.
        reason: Why it is not tried, or "".
    """

    turn: int
    channel: str
    type: str
    priority: int
    weight: int
    share: float
    keys: int
    upstream_model: str
    reason: str = ""


class Routed(Struct, frozen=True):
    """Where a model's requests go.

    Attributes:
        problems: What refuses a request before any channel is looked for.
        steps: The channels in the order they are tried, then those that are not.
    """

    model: str
    group: str
    problems: tuple[str, ...]
    steps: tuple[Step, ...]


def route(local: Local, model: str, *, group: str = "", token: str = "") -> Routed:
    """Return where requests for `model` go.

    Args:
        local: The database and what resolves references.
        model: As a caller names it.
        group: For callers of this group; the token's, or `default`, when "".
        token: For this token, by name or id.

    Raises:
        NotFound: There is no such token.
    """
    db = local.db
    there = stored.load(db)
    problems: list[str] = []
    if token:
        view = tokens.get(db, token)
        if view.state != "enabled":
            problems.append(f"token {view.name!r} is {view.state}")
        if view.models and model not in Models(view.models):
            problems.append(f"token {view.name!r} may not call it")
        group = group or view.group or users.get(db, view.user).group
    group = group or "default"
    if group != "default" and group not in there.groups:
        problems.append(f"there is no group {group!r}")
    book = price_book(there, lambda _: None, local.path.resolve().parent)
    if book.find(model) is None:
        problems.append("it has no price")
    listed = channels.list_channels(db)
    reasons = [_reason(local, channel, model, group) for channel in listed]
    used = [channel for channel, reason in zip(listed, reasons, strict=True) if not reason]
    rest = [_step(c, model, reason=r) for c, r in zip(listed, reasons, strict=True) if r]
    steps = [*_tiers(used, model), *rest]
    if not used:
        problems.append(f"no channel of group {group!r} serves it{_elsewhere(listed, model)}")
    return Routed(model, group, tuple(problems), tuple(steps))


def _tiers(used: Sequence[ChannelView], model: str) -> list[Step]:
    steps: list[Step] = []
    for turn, priority in enumerate(sorted({c.spec.priority for c in used}, reverse=True), 1):
        tier = [c for c in used if c.spec.priority == priority]
        total = sum(c.spec.weight for c in tier)
        for channel in sorted(tier, key=lambda c: (-c.spec.weight, c.id)):
            share = channel.spec.weight / total if total else 1 / len(tier)
            steps.append(replace(_step(channel, model), turn=turn, share=share))
    return steps


def _step(channel: ChannelView, model: str, *, reason: str = "") -> Step:
    spec = channel.spec
    asked, seen = model, {model}
    while (mapped := spec.model_mapping.get(asked)) and mapped not in seen:
        seen.add(mapped)
        asked = mapped
    return Step(
        turn=0,
        channel=channel.name,
        type=spec.type,
        priority=spec.priority,
        weight=spec.weight,
        share=0,
        keys=len(channel.references) - len(channel.key_states),
        upstream_model=asked,
        reason=reason,
    )


def _reason(local: Local, channel: ChannelView, model: str, group: str) -> str:
    """Return why a channel is not tried, "" when it is."""
    spec = channel.spec
    if model not in Models(spec.models):
        return "does not serve the model"
    if group not in spec.groups:
        return f"serves the groups {', '.join(spec.groups)}" if spec.groups else "serves no group"
    if channel.state != "enabled":
        return f"{channel.state}: {channel.state_reason}".rstrip(": ")
    if not spec.enabled:
        return "disabled: by the configuration"
    if spec.type not in providers.names():
        return f"its type {spec.type!r} is not installed"
    used = [r for i, r in enumerate(channel.references) if i not in channel.key_states]
    if channel.references and not used:
        return "all its keys are disabled"
    for reference in used:
        if reference.startswith("cmd:"):
            continue  # not run for an explanation
        try:
            local.resolve(reference)
        except NewapiError as error:
            return error.message
    return ""


def _elsewhere(listed: Sequence[ChannelView], model: str) -> str:
    groups = sorted({g for c in listed if model in Models(c.spec.models) for g in c.spec.groups})
    return f"; it is served to {', '.join(groups)}" if groups else ""
