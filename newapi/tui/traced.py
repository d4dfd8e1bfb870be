"""One request as it is read in a pane: what was asked, the attempts as a waterfall, the bill factor by factor."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import msgspec

from newapi.base.units import QUOTA_PER_USD
from newapi.ops.live import LogRow
from newapi.ops.trace import Attempt, BillLine, Trace
from newapi.tui.glyphs import Glyphs
from newapi.tui.widgets import words
from newapi.tui.widgets.tones import Line, Piece

FACT = 7
"""Cells of the labels."""
_SAYS_NOTHING = (0, -1, "", None)
"""Values of factors that do not apply."""


def status_tone(status: int, end_reason: str = "done") -> str:
    """Return the tone of how a request ended."""
    if status >= 500 or not status:
        return "bad"
    if status >= 400:
        return "warn"
    return "good" if end_reason == "done" else "warn"


def row_lines(row: LogRow, glyphs: Glyphs) -> Iterator[Line]:
    """Yield what the stream itself told of a request: shown at once, until the whole of it is there."""
    yield (
        (f"{row.status or row.kind} ", f"{status_tone(row.status, row.end_reason)} bold"),
        (row.end_reason, ""),
        (f"  {words.clock(row.at)}  ", "dim"),
        (row.request_id, "dim"),
    )
    yield ()
    yield _fact("who", (row.user, "bold"), (f"  token {row.token}  group {row.group}", ""))
    yield _fact(
        "asked", (f"{row.endpoint} ", ""), *_models(row.model, row.upstream_model, glyphs), *_streamed(row.stream)
    )
    if row.entry_format:
        yield _fact("format", *_formats(row.entry_format, row.upstream_format, glyphs))
    if row.channel:
        yield _fact("served", (row.channel, "bold"), (f"  {row.tries} tries" if row.tries > 1 else "", "warn"))
    if row.error:
        yield _fact("error", (" ".join(row.error.split()), "bad"))
    yield ()
    yield _times(row.first_ms, row.duration_ms)
    yield _tokens(row.tokens_in, row.tokens_cached, row.tokens_out)
    yield _fact("cost", (words.cost(row.quota), "bold"))


def trace_lines(trace: Trace, width: int, glyphs: Glyphs) -> Iterator[Line]:
    """Yield the whole of a request for a pane of `width` cells."""
    yield (
        (f"{trace.status or trace.kind} ", f"{status_tone(trace.status, trace.end_reason)} bold"),
        (trace.end_reason, ""),
        (f"  {words.clock(trace.created_at)}  ", "dim"),
        (trace.request_id, "dim"),
    )
    yield ()
    who = f"  token {trace.token}  group {trace.group}" + (f"  from {trace.ip}" if trace.ip else "")
    yield _fact("who", (trace.user, "bold"), (who, ""))
    models = _models(trace.model, trace.upstream_model, glyphs)
    yield _fact("asked", (f"{trace.endpoint} ", ""), *models, *_streamed(trace.stream))
    if trace.entry_format:
        yield _fact("format", *_formats(trace.entry_format, trace.upstream_format, glyphs))
    for loss in trace.losses:
        yield _fact("dropped", (loss, "warn"))
    if trace.error:
        yield _fact("error", (" ".join(trace.error.split()), "bad"))
    yield ()
    if trace.attempts:
        yield (("ATTEMPTS", "header"),)
        yield from _waterfall(trace, width, glyphs)
        yield ()
    yield _times(trace.first_token_ms, trace.duration_ms)
    if told := _usage(trace):
        yield _fact("tokens", (told, ""))
    yield ()
    yield (("BILL", "header"),)
    yield from _bill(trace, width)


def _fact(name: str, *pieces: Piece) -> Line:
    return ((f"{name:<{FACT}} ", "dim"), *pieces)


def _models(model: str, upstream: str, glyphs: Glyphs) -> tuple[Piece, ...]:
    sent = ((f" {glyphs.arrow} {upstream}", "dim"),) if upstream not in ("", model) else ()
    return ((model, "bold"), *sent)


def _streamed(stream: bool) -> tuple[Piece, ...]:
    return (("  streamed", "dim"),) if stream else ()


def _formats(entry: str, upstream: str, glyphs: Glyphs) -> tuple[Piece, ...]:
    if upstream in ("", entry):
        return ((entry, ""), ("  verbatim" if upstream else "", "dim"))
    return ((entry, ""), (f" {glyphs.arrow} ", "dim"), (upstream, ""), ("  converted", "dim"))


def _times(first: int, whole: int) -> Line:
    return _fact("times", (f"first token {words.millis(first or None)}", ""), (f"  all {words.millis(whole)}", ""))


def _tokens(given: int, cached: int, answered: int) -> Line:
    kept = f" ({cached:,} cached)" if cached else ""
    return _fact("tokens", (f"in {given:,}{kept}  out {answered:,}", ""))


def _usage(trace: Trace) -> str:
    """Return the buckets that have something in them, and who counted where the upstream did not."""
    source = trace.usage.get("source", "upstream")
    counts = [f"{name} {count:,}" for name, count in trace.usage.items() if isinstance(count, int) and count]
    return "  ".join([*counts, *([f"({source})"] if counts and source != "upstream" else [])])


def _waterfall(trace: Trace, width: int, glyphs: Glyphs) -> Iterator[Line]:
    total = max([trace.duration_ms, 1, *(a.start_ms + a.ms for a in trace.attempts)])
    name = min(20, max(len(a.channel) for a in trace.attempts))
    room = max(8, width - name - 20)
    for one in trace.attempts:
        # What takes no time to speak of is a mark all the same, within the width.
        start = min(room - 1, one.start_ms * room // total)
        length = max(1, min(room - start, round(one.ms * room / total)))
        bar = (" " * start, ""), (glyphs.bar * length, "good" if _served(one) else "bad")
        yield (
            (f"{one.channel[:name]:<{name}} ", "bold"),
            *bar,
            (" " * (room - start - length), ""),
            (f" {words.millis(one.ms):>8} ", ""),
            (str(one.status or "-"), status_tone(one.status)),
        )
        if not _served(one):
            why = f"{one.kind}: {' '.join(one.message.split())}" if one.message else one.kind
            yield ((f"{f'  key {one.key}':<{FACT}} ", "dim"), (why, "bad"))
    if trace.first_token_ms:
        at = min(room - 1, trace.first_token_ms * room // total)
        yield ((" " * (name + 1 + at), ""), (glyphs.up, "accent"), (" first token", "dim"))


def _served(attempt: Attempt) -> bool:
    return not attempt.kind


def _bill(trace: Trace, width: int) -> Iterator[Line]:
    if trace.lines:
        yield _bill_row("", "count", "$ each M", "factor", "USD", width, "dim")
    for line in trace.lines:
        yield _bill_row(line.what, f"{line.count:,}", _per_million(line), line.factor, _short(line.usd), width, "")
    for name, value in trace.factors.items():
        if value not in _SAYS_NOTHING:
            shown = value if isinstance(value, str) else msgspec.json.encode(value).decode()
            yield ((f"{name} ", "dim"), (shown, ""))
    yield (
        ("charged ", "dim"),
        (f"${Decimal(trace.quota) / QUOTA_PER_USD:f}", "bold"),
        (f"  {trace.quota:,} quota", "dim"),
    )
    if trace.refunded:
        yield (("given back ", "dim"), (words.cost(trace.refunded), "good"), (f"  {trace.refunded:,} quota", "dim"))


def _bill_row(what: str, count: str, each: str, factor: str, usd: str, width: int, tone: str) -> Line:
    label = max(8, min(24, width - 37))
    return (
        (f"{what[:label]:<{label}}", tone),
        (f"{count:>8} {each:>8} {factor:>6} ", tone or "dim"),
        (f"{usd:>11}", tone),
    )


def _per_million(line: BillLine) -> str:
    try:
        return f"{(Decimal(line.usd_each) * 1_000_000).normalize():f}"
    except ArithmeticError:
        return line.usd_each


def _short(usd: str) -> str:
    """Return an amount with as many digits as stand in a column."""
    try:
        return f"{Decimal(usd):.8f}".rstrip("0").rstrip(".")
    except ArithmeticError:
        return usd
