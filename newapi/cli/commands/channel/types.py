from __future__ import annotations

from newapi.cli.commands._options import Form
from newapi.cli.output import Output


def types(output: Form = Output.TABLE) -> None:
    """List the types a channel may have: what they speak, where, and what they need more.

    Examples:
        newapi channel types
        newapi channel types -o name
    """
    from newapi import providers
    from newapi.cli.output import show

    show(
        [
            {
                "name": provider.name,
                "title": provider.title,
                "number": provider.channel_type,
                "base_url": provider.base_url,
                "speaks": sorted({format for paths in provider.speaks.values() for format in paths}),
                "options": list(provider.options),
                "docs": provider.docs,
            }
            for provider in map(providers.get, providers.names())
        ],
        output,
    )
