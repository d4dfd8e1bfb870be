from __future__ import annotations


def schema() -> None:
    """Print the JSON Schema of the configuration file, for editors.

    A file whose first line is `#:schema ./config.schema.json` is completed and checked as it is written.

    Examples:
        newapi schema > config.schema.json
    """
    import msgspec

    from newapi.cli.output import say
    from newapi.config.jsonschema import json_schema

    say(msgspec.json.format(msgspec.json.encode(json_schema()), indent=2).decode())
