"""A request, taken apart, as text: attempts as a waterfall, then the bill."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from newapi.ops.trace import Trace

_WIDTH = 30
_BAR = "█"


def text(trace: Trace) -> str:
    """Return what people read of a request, without a newline at its end."""
    return "\n".join([*_head(trace), *_attempts(trace), *_bill(trace)])


def _head(trace: Trace) -> Iterator[str]:
    from newapi.cli.commands._options import when

    yield f"{trace.request_id}  {when(trace.created_at)}  {trace.status or trace.kind} {trace.end_reason}".rstrip()
    who = f"{trace.user} with token {trace.token}, group {trace.group}"
    yield _fact("who", f"{who}, from {trace.ip}" if trace.ip else who)
    asked = f"{trace.endpoint} {trace.model}".strip()
    sent = trace.upstream_model if trace.upstream_model not in ("", trace.model) else ""
    yield _fact("asked", f"{asked}{f', sent as {sent}' if sent else ''}{', streamed' if trace.stream else ''}")
    if trace.upstream_format:
        same = trace.upstream_format == trace.entry_format
        yield _fact("format", trace.entry_format if same else f"{trace.entry_format} -> {trace.upstream_format}")
    for loss in trace.losses:
        yield _fact("lost", loss)
    if trace.error:
        yield _fact("error", " ".join(trace.error.split()))


def _attempts(trace: Trace) -> Iterator[str]:
    if trace.attempts:
        yield "attempts"
    total = max([trace.duration_ms, 1, *(a.start_ms + a.ms for a in trace.attempts)])
    name_width = max((len(a.channel) for a in trace.attempts), default=0)
    for number, one in enumerate(trace.attempts, 1):
        # What takes no time to speak of is a mark all the same, within the width.
        start = min(_WIDTH - 1, one.start_ms * _WIDTH // total)
        length = max(1, min(_WIDTH - start, round(one.ms * _WIDTH / total)))
        bar = f"{' ' * start}{_BAR * length}".ljust(_WIDTH)
        why = f"{one.kind}: {' '.join(one.message.split())}" if one.message else one.kind
        told = [f"as {one.model}" if one.model else "", f"in {one.group}" if one.group else "", why]
        what = " ".join(word for word in (str(one.status or ""), *told) if word)
        yield f"  {number}  {one.channel:<{name_width}}  key {one.key}  {bar}  {one.ms:>6} ms  {what}".rstrip()
    if trace.first_token_ms:
        yield _fact("first", f"token after {trace.first_token_ms} ms")
    if trace.duration_ms:
        yield _fact("all", f"{trace.duration_ms} ms")


def _bill(trace: Trace) -> Iterator[str]:
    import msgspec

    from newapi.base.units import usd

    yield "bill"
    for line in trace.lines:
        factor = f" x {line.factor}" if line.factor != "1" else ""
        yield f"  {line.what}: {line.count} x ${line.usd_each}{factor} = ${line.usd}"
    for name, value in trace.factors.items():
        shown = value if isinstance(value, str) else msgspec.json.encode(value).decode()
        yield f"  {name} = {shown}"
    yield f"  charged {trace.quota} quota = {usd(trace.quota)}"
    if trace.refunded:
        yield f"  given back {trace.refunded} quota = {usd(trace.refunded)}"


def _fact(name: str, value: str) -> str:
    return f"  {name:<7} {value}"
