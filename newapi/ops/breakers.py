"""What health finds out, kept; and the probes that bring back what it disabled."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from newapi.base.errors import NewapiError
from newapi.base.mask import mask
from newapi.ops import channel_probe, channels
from newapi.ops.channel_probe import Perform, Tested
from newapi.ops.channels import ChannelView
from newapi.ops.local import Local
from newapi.relay.health import Place
from newapi.relay.snapshot import Channel
from newapi.store import channels as store
from newapi.store import rests
from newapi.store.rests import RestRow

WHO = "health"
"""Who does it, for the audit log."""

log = logging.getLogger("newapi")


class Keeper:
    """Writes down what health finds out, in the background, one after the other. What cannot be written is logged."""

    def __init__(self, local: Local) -> None:
        self._local = local
        self._thread = ThreadPoolExecutor(1, "health")

    def died(self, channel: Channel, key: int, reason: str) -> None:
        """Disable a key; with its last one its channel."""
        log.warning("a key of channel %r is disabled: %s", channel.name, mask(reason))
        position = channel.positions[key]
        same = [p for p, other in zip(channel.positions, channel.keys, strict=True) if other == channel.keys[key]]
        references = channels.references(channel.spec)
        reference = references[position] if references else ""
        self._soon(lambda: trip(self._local, channel.id, same, mask(reason), reference))

    def rested(self, row: RestRow) -> None:
        """Write a rest down."""
        self._soon(lambda: rests.put(self._local.db, row))

    def woke(self, places: Sequence[Place]) -> None:
        """Forget rests that are over."""
        self._soon(lambda: rests.end(self._local.db, places))

    def close(self) -> None:
        """Return when everything is written."""
        self._thread.shutdown()

    def _soon(self, write: Callable[[], object]) -> None:
        def run() -> None:
            try:
                write()
            except NewapiError as error:
                log.warning("what health found out cannot be written down: %s", error)
            finally:
                self._local.db.close()  # this thread's connection

        self._thread.submit(run)


def trip(local: Local, id: int, positions: Sequence[int], reason: str, reference: str) -> None:
    """Disable keys of a channel until someone, or a probe, enables them; a channel without any left is disabled too.

    Args:
        local: The database.
        id: The channel; nothing is done where it is gone.
        positions: Of the keys.
        reason: For people, without secrets.
        reference: To the first of the keys when it was found out: nothing is done where another has come in its place.
    """
    try:
        view = channels.find(local.db, id)
    except NewapiError:
        return
    references = view.references
    if reference != (references[positions[0]] if positions[0] < len(references) else ""):
        return
    if len(references) > 1:
        reason = reason[:400]
        view = channels.switch_keys(local.db, id, positions, enabled=False, who=WHO, state="tripped", reason=reason)
        if len(view.key_states) < len(references):
            return
        reason = f"all its keys are disabled: {reason}"
    store.set_state(local.db, id, "tripped", reason[:500], expect="enabled")


def probe_disabled(local: Local, *, send: Perform = channel_probe.perform_call) -> list[Tested]:
    """Ask everything that health disabled, each key by itself, and enable what answers; return how each did."""
    found: list[Tested] = []
    for view in channels.list_channels(local.db):
        tripped = [position for position, state in view.key_states.items() if state.state == "tripped"]
        if view.state == "disabled" or not view.spec.enabled or not (tripped or view.state == "tripped"):
            continue
        single = view.state == "tripped" and not tripped
        for key in [None] if single else tripped:
            tested = channel_probe.probe(local, view, key=key, send=send)
            found.append(tested)
            if not tested.error:
                recovered(local, view, key, tested.model)
    return found


def check_all(
    local: Local,
    views: Sequence[ChannelView],
    *,
    model: str = "",
    stream: bool = False,
    who: str = WHO,
    send: Perform = channel_probe.perform_call,
) -> list[Tested]:
    """Ask several channels, a few at a time, and return how each did; those that answer have `recovered`."""
    found = channel_probe.probe_all(local, views, model=model, stream=stream, send=send)
    for view, tested in zip(views, found, strict=True):
        if not tested.error:
            recovered(local, view, None, tested.model, who=who)
    return found


def recovered(local: Local, view: ChannelView, key: int | None, model: str, *, who: str = WHO) -> bool:
    """Note that a channel has answered a test: what health holds against it, its key and that model is forgotten.

    What health disabled is enabled; what a person disabled stays so.

    Args:
        local: The database and what resolves references.
        view: The channel as it was tested.
        key: The position of the key that was tested; None is `channel_probe.first_key`.
        model: What it was asked for.
        who: Who tested, for the audit log.

    Returns:
        Whether it, or its key, was disabled and is enabled now.
    """
    back = False
    position = key if key is not None else channel_probe.first_key(view)
    state = view.key_states.get(-1 if position is None else position)
    if position is not None and state is not None and state.state == "tripped":
        channels.switch_keys(local.db, view.id, [position], enabled=True, who=who)
        log.info("key %d of channel %r answers again and is enabled", position, view.name)
        back = True
    if view.state == "tripped" and store.set_state(local.db, view.id, "enabled", expect="tripped"):
        log.info("channel %r answers again and is enabled", view.name)
        back = True
    channel = channel_probe.ready_channel(local, view, position)
    (key_print,) = channel.prints
    held = {(row.key_print, row.model) for row in _held(local, view.id) if row.kind != "reset"}
    places = {("", ""), (key_print, ""), (key_print, channel.map_model(model))} & held
    if places:
        with local.db.writing() as c:
            rests.reset(c, view.id, time.time(), sorted(places))
    return back


def _held(local: Local, id: int) -> list[RestRow]:
    with local.db.reading() as c:
        return [row for row in rests.load(c) if row.channel_id == id]
