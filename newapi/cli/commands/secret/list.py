from __future__ import annotations

from newapi.cli.commands._gateway import HERE, Where
from newapi.cli.commands._options import Form
from newapi.cli.output import Output


def list(
    at: Where = HERE,
    output: Form = Output.TABLE,
) -> None:
    """List the secrets of the database, and those of the keyring that the configuration refers to: never themselves.

    A keyring does not say what it holds: of it, only what the configuration refers to is told. Elsewhere only the
    secrets of the database are.

    Examples:
        newapi secret list
        newapi secret list -o json
    """
    from newapi.cli.commands._options import shown
    from newapi.cli.commands.secret._options import readable
    from newapi.cli.output import note, show
    from newapi.ops.local import open_local
    from newapi.ops.operations.kept import ListSecrets
    from newapi.ops.stored_secrets import names

    if at.elsewhere():
        there = at.gateway()
        show(shown(there.do(ListSecrets()), output, _row), output)
        return
    local = open_local(at.config, server_only=True)
    declared = readable(at.config)
    if declared is None:
        note("The configuration is not valid: what refers to the secrets is not told. newapi validate says why.")
    show(shown(names(local, declared), output, _row), output)


def _row(kept: object) -> dict[str, object]:
    import msgspec

    fields = msgspec.to_builtins(kept)
    return {
        "name": fields["name"],
        "in": fields["where"],
        "state": "there" if fields["present"] else "missing",
        "reference": fields["reference"],
        "used_by": ", ".join(fields["used_by"]),
    }
