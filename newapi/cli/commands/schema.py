from __future__ import annotations

from typing import Annotated

import typer


def schema(
    openapi: Annotated[
        bool, typer.Option("--openapi", help="Print the OpenAPI document of the management API instead.")
    ] = False,
) -> None:
    """Print the JSON Schema of the configuration file, for editors.

    A file whose first line is `#:schema ./config.schema.json` is completed and checked as it is written.

    Examples:
        newapi schema > config.schema.json
        newapi schema --openapi > openapi.json
    """
    import msgspec

    from newapi.cli.output import say

    if openapi:
        from newapi.server.openapi import document

        found = document()
    else:
        from newapi.config.jsonschema import json_schema

        found = json_schema()
    say(msgspec.json.format(msgspec.json.encode(found), indent=2).decode())
