"""What only the world outside can say of a configuration: whether its references resolve, and its upstreams answer."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from newapi.base.errors import CallerError, NewapiError, Problem
from newapi.base.mask import mask
from newapi.base.progress import each
from newapi.base.secret import Secret
from newapi.config.schema import ChannelSpec
from newapi.ops import channel_probe
from newapi.ops.channels import ChannelView
from newapi.ops.channels import references as keys_of
from newapi.ops.local import Local
from newapi.ops.references import references
from newapi.relay.snapshot import Models, mapped

Ask = Callable[[ChannelSpec, Secret], list[str]]


class Checked(Struct, frozen=True):
    """What was found: problems, and what may be meant so, in a sentence each."""

    problems: tuple[Problem, ...]
    notes: tuple[str, ...]


def check_online(local: Local, *, ask: Ask = channel_probe.models_of) -> Checked:
    """Resolve every reference, and ask each enabled channel's upstream for its models, with the first of its keys.

    Args:
        local: The configuration, and what resolves its references.
        ask: Asks an upstream; raises CallerError where its type has no list.
    """
    problems: list[Problem] = []
    notes: list[str] = []
    there = references(local.config)
    for found in each("Resolving references", there, len(there)):
        if found.key == ("server", "master_key"):  # made at the first start
            continue
        try:
            local.resolve(found.reference)
        except NewapiError as error:
            message = f"a reference does not resolve: {error.message}"
            problems.append(local.places.problem(found.key, message, getattr(error, "hint", "")))
    channels = local.config.channels
    for name, spec in each("Asking channels", channels.items(), len(channels)):
        key = next((k for r in keys_of(spec) if (k := local.vault.peek(r)) is not None), None)
        if not spec.enabled or key is None:
            continue
        try:
            listed = set(ask(spec, key))
        except CallerError as error:
            notes.append(f"channel {name}: {error.message}")
        except NewapiError as error:
            message = f"channel `{name}` does not tell its models: {mask(error.message, [key.reveal()])}"
            problems.append(local.places.problem(("channels", name), message, getattr(error, "hint", ""), at_key=True))
        else:
            exact = Models(spec.models).exact
            for model in (mapped(spec.model_mapping, m) for m in spec.models if m in exact):
                if model not in listed:
                    notes.append(f"channel {name}: its upstream does not list {model}")
    return Checked(tuple(problems), tuple(notes))


def draft_view(name: str, spec: ChannelSpec) -> ChannelView:
    """Return a channel that is nowhere yet, to be tested."""
    return ChannelView(
        id=0,
        name=name,
        spec=spec,
        state="enabled",
        state_reason="",
        used=0,
        managed="",
        created_at=0,
        updated_at=0,
        tested_at=0,
        response_ms=0,
        balance=0,
        balance_at=0,
        key_states={},
        legacy={},
    )
