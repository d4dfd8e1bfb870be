from __future__ import annotations

from typing import Annotated

import typer

from newapi.cli.commands._gateway import HERE, Where
from newapi.cli.commands._options import Form
from newapi.cli.output import Output


def price(
    model: Annotated[str, typer.Argument(help="As callers say it.")],
    prompt: Annotated[str, typer.Option("--prompt", help="Tokens of the prompt, cached ones included: `120k`.")] = "0",
    completion: Annotated[str, typer.Option("--completion", help="Tokens of the answer: `2k`.")] = "0",
    cached: Annotated[str, typer.Option("--cached", help="Of the prompt, read from a cache.")] = "0",
    cache_write: Annotated[str, typer.Option("--cache-write", help="Of the prompt, written to a cache.")] = "0",
    cache_write_1h: Annotated[str, typer.Option("--cache-write-1h", help="The same, kept for an hour.")] = "0",
    image: Annotated[str, typer.Option("--image", help="Of the prompt, pictures.")] = "0",
    audio: Annotated[str, typer.Option("--audio", help="Of the prompt, sound.")] = "0",
    audio_out: Annotated[str, typer.Option("--audio-out", help="Of the answer, sound.")] = "0",
    searches: Annotated[int, typer.Option("--searches", help="Searches by the vendor's server.", min=0)] = 0,
    pictures: Annotated[int, typer.Option("--pictures", help="Pictures to make: a call for images.", min=0)] = 0,
    group: Annotated[str, typer.Option("--group", help="Whose price.")] = "default",
    at: Where = HERE,
    output: Form = Output.TABLE,
) -> None:
    """Say what a request would cost, with every factor.

    Examples:
        newapi model price gpt-4o --prompt 120k --completion 2k
        newapi model price claude-sonnet-4-5 --prompt 120k --cached 100k --completion 2k --group vip
        newapi model price dall-e-3 --pictures 2 -o json
    """
    from msgspec.structs import replace

    from newapi.billing.quote import Call
    from newapi.cli.commands._options import read
    from newapi.cli.commands.model._view import amount
    from newapi.cli.output import note, show
    from newapi.ir.usage import Usage
    from newapi.ops.operations.reading import QuotePrice

    def count(option: str, text: str) -> int:
        return read(option, text, amount) or 0

    whole, answer = count("--prompt", prompt), count("--completion", completion)
    sound_out = count("--audio-out", audio_out)
    parts = Usage(
        cache_read=count("--cached", cached),
        cache_write_5m=count("--cache-write", cache_write),
        cache_write_1h=count("--cache-write-1h", cache_write_1h),
        input_image=count("--image", image),
        input_audio=count("--audio", audio),
        output=answer - sound_out,
        output_audio=sound_out,
        web_searches=searches,
    )
    if parts.prompt > whole:
        raise typer.BadParameter("its parts are more than the prompt", param_hint="--prompt")
    if sound_out > answer:
        raise typer.BadParameter("its sound is more than the answer", param_hint="--completion")
    usage = replace(parts, input=whole - parts.prompt)
    call = Call(endpoint="images", n=pictures) if pictures else None
    there = at.gateway()
    found = there.do(QuotePrice(model, usage, group, call))
    if output in (Output.JSON, Output.TOML):
        show(found, output)
        return
    rows = [
        {
            "what": line.what,
            "count": line.count,
            "unit": line.unit,
            "usd_each": f"${line.usd_each}",
            "factor": line.factor,
            "usd": f"${line.usd}",
        }
        for line in found.lines
    ]
    if output is Output.TABLE:
        rows.append(
            {
                "what": "total",
                "count": found.quota,
                "unit": "quota",
                "usd_each": "",
                "factor": "",
                "usd": f"${found.usd}",
            }
        )
    show(rows, output)
    tier = f", the tier up to {found.tier} prompt tokens" if found.tier else ""
    note(f"{found.model} in group {found.group} (ratio {found.group_ratio}), price from {found.source}{tier}")
