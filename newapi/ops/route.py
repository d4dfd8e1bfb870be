"""Why a request goes where it goes: which channels serve a model, in which order, and why each other one does not.

Where a server answers, it is from what it knows at this moment: which channels and keys rest, what is under way, how
fast they were; else from the database, which knows what rests.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from random import Random
from typing import Literal

from msgspec import Struct

from newapi import providers
from newapi.base.errors import NewapiError
from newapi.base.nearest import did_you_mean
from newapi.base.secret import Secret
from newapi.ops import channels, tokens, users
from newapi.ops.channels import ChannelView
from newapi.ops.local import Local
from newapi.relay.affinity import Affinity
from newapi.relay.build import build, price_book
from newapi.relay.figures import Figures
from newapi.relay.health import Health
from newapi.relay.route import Preferred, Router
from newapi.relay.snapshot import Channel, Models, mapped
from newapi.store import snapshot as stored
from newapi.store.snapshot import Stored

State = Literal["up", "half_open", "resting", "waiting"]
"""`half_open`: its rest is over, and the next request tries it; `waiting`: its upstream has said how long to wait."""


class KeyRest(Struct, frozen=True):
    """Why a key is not asked for the model now; `until` is unix seconds."""

    key: int
    state: State
    until: float
    reason: str


class Step(Struct, frozen=True, kw_only=True):
    """One channel.

    Attributes:
        turn: 1 for the channels that are tried first, 2 for those after them, …; 0 for one that is not tried.
        model, group: For which it is tried: the model may be a fallback, the group one of a list.
        share: Of the requests of its turn, 0 to 1, that begin with it.
        upstream_model: What it is asked for.
        keys: How many of its keys are used.
        state: Of the best of its keys.
        rests: The keys that are not asked now.
        under_way: Requests that it is busy with, in the process that answers; None where no server does.
        stream_ms, answer_ms: Until the first token of a stream, and until a whole answer: decaying means in
            milliseconds, None where nothing is known.
        conversation: Whether it comes first since it has the conversation that was asked about.
        conversations: How many it has.
        reason: Why it is not tried, or comes last; or "".
    """

    turn: int
    channel: str
    type: str
    model: str
    group: str
    priority: int
    weight: int
    share: float
    keys: int
    upstream_model: str
    state: State = "up"
    rests: tuple[KeyRest, ...] = ()
    under_way: int | None = None
    stream_ms: int | None = None
    answer_ms: int | None = None
    conversation: bool = False
    conversations: int = 0
    reason: str = ""


class Routed(Struct, frozen=True):
    """Where a model's requests go.

    Attributes:
        strategy: How one of several channels of a turn is chosen.
        live: Whether a server has answered, and not the database.
        problems: What refuses a request before any channel is looked for.
        steps: The channels in the order they are tried, then those that are not.
    """

    model: str
    group: str
    strategy: str
    live: bool
    problems: tuple[str, ...]
    steps: tuple[Step, ...]


class _Now:
    """What is known of the channels at this moment."""

    def __init__(self, local: Local, there: Stored) -> None:
        serving = local.serving
        self.live = serving is not None
        if serving is not None:
            self.now = serving.clock()
            self.health, self.figures, self.affinity = serving.health, serving.figures, serving.affinity
            self.router = serving.router
            picture = serving.snapshot
        else:
            self.now = time.time()
            self.health, self.figures, self.affinity = Health(), Figures(), Affinity()
            self.router = Router(Random(), self.health, self.figures)  # noqa: S311  (it chooses nothing here)
            picture = build(there, lambda reference: _resolve(local, reference), lambda _: None)
            self.health.take_over(there.rests, picture.channels, self.now)
        self.channels = {channel.id: channel for channel in picture.channels}
        self.held = self.affinity.count(self.now)

    def rests(self, channel: Channel, model: str) -> Iterator[KeyRest]:
        """Yield the keys of a channel that are not asked for a model."""
        for key, position in enumerate(channel.positions):
            state, row = self.health.why(channel, key, model, self.now)
            if row is not None:
                waits = self.health.waits(channel, key, model, self.now)
                told: State = "waiting" if waits else state
                until = 0.0 if row.kind == "dead" else waits or row.until
                yield KeyRest(position, told, until, row.reason)


def _resolve(local: Local, reference: str) -> Secret:
    if reference.startswith("cmd:"):
        return Secret(reference)  # not run for an explanation
    return local.resolve(reference)


def route(local: Local, model: str, *, group: str = "", token: str = "", conversation: str = "") -> Routed:
    """Return where requests for `model` go.

    Args:
        local: The database, what resolves references, and what serves.
        model: As a caller names it.
        group: For callers of this group; the token's, or `default`, when "".
        token: For this token, by name or id.
        conversation: For requests of this conversation of the token's user, as the client calls it.

    Raises:
        NotFound: There is no such token.
    """
    db = local.db
    there = stored.load(db)
    problems: list[str] = []
    user_id = 0
    if token:
        view = tokens.get(db, token)
        user_id = users.get(db, view.user).id
        if view.state != "enabled":
            problems.append(f"token {view.name!r} is {view.state}")
        if view.models and model not in Models(view.models):
            problems.append(f"token {view.name!r} may not call it")
        group = group or view.group or users.get(db, view.user).group
    group = group or "default"
    if group != "default" and group not in there.groups:
        problems.append(f"there is no group {group!r}{did_you_mean(group, there.groups)}")
    book = price_book(there, lambda _: None, local.path.resolve().parent)
    if book.find(model) is None:
        problems.append("it has no price")
    now = _Now(local, there)
    listed = channels.list_channels(db)
    members = (there.groups[group].members if group in there.groups else ()) or (group,)
    spec = there.models.get(model)
    steps: list[Step] = []
    resting: list[tuple[ChannelView, str, str]] = []
    turn = 0
    for asked in (model, *(spec.fallback if spec else ())):
        if asked != model and book.find(asked) is None:
            continue
        preferred = now.affinity.find((user_id, asked, conversation), now.now) if conversation else None
        for member in members:
            used = [c for c in listed if not _reason(local, c, asked, (member,))]
            rest = [c for c in used if _state(now, c, asked)[0] not in ("up", "half_open")]
            resting += ((c, asked, member) for c in rest)
            awake = [c for c in used if c not in rest]
            found = list(_turns(now, awake, asked, member, there.routing.strategy, preferred, turn))
            turn = max([turn, *(step.turn for step in found)])
            steps += found
    for channel, asked, member in resting:
        if _state(now, channel, asked)[0] == "waiting":
            reason = "its upstream has said how long to leave it alone"
            steps.append(_step(now, channel, asked, member, reason=reason))
        else:
            turn += 1
            reason = "it rests: asked when nobody else answers"
            steps.append(_step(now, channel, asked, member, turn=turn, share=1, reason=reason))
    if not steps:
        problems.append(f"no channel of group {group!r} serves it{_elsewhere(listed, model)}")
    tried = {step.channel for step in steps}
    steps += (_step(now, c, model, "", reason=_reason(local, c, model, members)) for c in listed if c.name not in tried)
    return Routed(model, group, there.routing.strategy, now.live, tuple(problems), tuple(steps))


def _turns(
    now: _Now,
    awake: Sequence[ChannelView],
    model: str,
    group: str,
    strategy: str,
    preferred: Preferred | None,
    turn: int,
) -> Iterator[Step]:
    """Yield the channels of a group in the order they are tried, from the turn after `turn`."""
    for priority in sorted({c.spec.priority for c in awake}, reverse=True):
        tier = [c for c in awake if c.spec.priority == priority]
        turn += 1
        ready = [now.channels[c.id] for c in tier if c.id in now.channels]
        best = {c.id for c in now.router.best(ready, strategy, model, False)} if ready else {c.id for c in tier}
        first = preferred.channel if preferred and any(c.id == preferred.channel for c in tier) else None
        total = sum(c.spec.weight for c in tier if c.id in best)
        for channel in sorted(tier, key=lambda c: (c.id != first, c.id not in best, -c.spec.weight, c.id)):
            weight = channel.spec.weight / total if total else 1 / len(best)
            share = weight if channel.id in best else 0.0
            if first is not None:
                share = float(channel.id == first)
            yield _step(now, channel, model, group, turn=turn, share=share, held=channel.id == first)


def _state(now: _Now, channel: ChannelView, model: str) -> tuple[State, tuple[KeyRest, ...]]:
    """Return the state of the best of a channel's keys, and the keys that are not asked."""
    ready = now.channels.get(channel.id)
    if ready is None:
        return "up", ()
    rests = tuple(now.rests(ready, model))
    if len(rests) < len(ready.keys):
        return "up", rests
    states = {rest.state for rest in rests}
    order: tuple[State, ...] = ("half_open", "resting", "waiting")
    return next(state for state in order if state in states), rests


def _step(
    now: _Now,
    channel: ChannelView,
    model: str,
    group: str,
    *,
    turn: int = 0,
    share: float = 0,
    held: bool = False,
    reason: str = "",
) -> Step:
    spec = channel.spec
    state, rests = _state(now, channel, model)
    latencies = now.figures.latencies(channel.id, model)
    return Step(
        turn=turn,
        channel=channel.name,
        type=spec.type,
        model=model,
        group=group,
        priority=spec.priority,
        weight=spec.weight,
        share=share,
        keys=len(channel.references) - len(channel.key_states),
        upstream_model=mapped(spec.model_mapping, model),
        state=state,
        rests=rests,
        under_way=now.figures.under_way(channel.id) if now.live else None,
        stream_ms=round(latencies[True].mean * 1000) if True in latencies else None,
        answer_ms=round(latencies[False].mean * 1000) if False in latencies else None,
        conversation=held,
        conversations=now.held.get(channel.id, 0),
        reason=reason,
    )


def _reason(local: Local, channel: ChannelView, model: str, groups: Sequence[str]) -> str:
    """Return why a channel is not tried, "" when it is."""
    spec = channel.spec
    if model not in Models(spec.models):
        return "does not serve the model"
    if not set(groups) & set(spec.groups):
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
