"""Parameter overrides: what an operator changes in a request that is ready to be sent.

`params` are set at the top level of the body. `param_operations` are a small language, New API's: each has a `mode`,
a `path` or `from` and `to`, a `value`, and `conditions`. They are taken apart once, when a channel is loaded.

Two departures from New API: `copy` and `move` skip a source that is not there (there, one caller's body without the
field disabled the channel), and operations that make no sense are an error rather than a part of the body.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from typing import Any, cast

from msgspec import Struct

from newapi.base.errors import NewapiError, UpstreamError
from newapi.relay import _override_modes as modes
from newapi.relay._override_condition import ConditionError, Conditions, parse
from newapi.relay._override_path import PathError


class OverrideResult(Struct, frozen=True):
    """What came of it.

    Attributes:
        body: The body to send; the one that was given, changed in place.
        headers: Names in lower case to values; None means that the channel's own override of it does not hold.
    """

    body: dict[str, Any]
    headers: Mapping[str, str | None] = {}


class Operation(Struct, frozen=True):
    """One operation, taken apart: what to do, and when. `broken` says why it cannot be done."""

    mode: str
    run: Callable[[modes.State], None] | None
    conditions: Conditions = Conditions()
    broken: str = ""


class Compiled(Struct, frozen=True):
    """Operations ready for use."""

    operations: tuple[Operation, ...] = ()

    @property
    def problems(self) -> tuple[str, ...]:
        """What is wrong with them, one line each."""
        return tuple(f"operation {i} ({o.mode}): {o.broken}" for i, o in enumerate(self.operations) if o.broken)


def compile_operations(operations: Sequence[Mapping[str, Any]]) -> Compiled:
    """Return `operations` taken apart. What makes no sense fails the requests that meet it."""
    return Compiled(tuple(_compile(o) for o in operations))


def _compile(operation: Mapping[str, Any]) -> Operation:
    mode: object = operation.get("mode")
    if not isinstance(mode, str):
        return Operation("?", None, broken="it has no mode")
    try:
        every = str(operation.get("logic") or "OR").upper() == "AND"
        conditions = parse(operation.get("conditions"), every)
        make = modes.MODES.get(mode)
        if make is None:
            # Only a request that meets the conditions fails.
            return Operation(mode, None, conditions, f"unknown operation: {mode}")
        return Operation(mode, make(operation), conditions)
    except (ConditionError, PathError, modes.OperationError) as e:
        return Operation(mode, None, broken=str(e))


def apply_params(
    body: dict[str, Any], params: Mapping[str, Any], operations: Compiled | None, context: Mapping[str, Any]
) -> OverrideResult:
    """Set `params` in `body`, then run `operations` in their order, each on what the last one left.

    Args:
        body: The decoded upstream body; changed in place.
        params: Top-level keys to values; a dot in a key is a part of it, null is set as null.
        operations: The channel's, compiled.
        context: Where conditions look what the body does not have: `original_model`, `request_path`,
            `request_headers` (names in lower case), `header_override`, `retry_index`, `last_error`, ….

    Raises:
        CallerError: An operation `return_error` says that the request is refused.
        UpstreamError: An operation cannot be done (`channel:param_override_invalid`); another channel may do.
    """
    for key, value in params.items():
        body[key] = deepcopy(value)
    if operations is None or not operations.operations:
        return OverrideResult(body)
    state = modes.State(body, context)
    for operation in operations.operations:
        try:
            if not operation.conditions.hold(body, context):
                continue
            if operation.run is None:
                raise modes.OperationError(operation.broken)
            operation.run(state)
        except NewapiError:
            raise
        except (ConditionError, PathError, modes.OperationError) as e:
            raise UpstreamError(
                f"operation {operation.mode} failed: {e}",
                kind="refused",
                status=500,
                code="channel:param_override_invalid",
            ) from None
    return OverrideResult(body, cast("Mapping[str, str | None]", state.changes))
