from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from newapi.cli.commands._gateway import mind
from newapi.cli.commands._options import ConfigFile, Form
from newapi.cli.output import Output


def doctor(
    bundle: Annotated[
        Path | None,
        typer.Option(
            "--bundle", metavar="FILE", help="Also write a .tar.gz for whoever is asked for help: no secrets."
        ),
    ] = None,
    offline: Annotated[bool, typer.Option("--offline", help="Ask no upstream for its certificate.")] = False,
    config: ConfigFile = None,
    output: Form = Output.TABLE,
) -> None:
    """Look for what is wrong, or soon will be; leave with 8 when there is anything.

    Looked at: the configuration, the database and its migrations, the workers of the server that runs, who may read
    the master key, the clock, the keyring, whether each reference resolves, proxies, the certificates of
    upstreams, the disk. Commands in references are run where the configuration allows them.

    Examples:
        newapi doctor
        newapi doctor -o json
        newapi doctor --bundle newapi.tar.gz
    """
    from newapi.cli.output import ExitCode, note, show
    from newapi.ops.certificates import shown
    from newapi.ops.doctor import bundle as make
    from newapi.ops.doctor import examine

    mind(config)
    told = examine(config, show=None if offline else shown)
    if output is Output.TABLE:
        show([{"": "ok" if f.ok else "FAIL", "check": f.check, "found": f.message, "to do": f.hint} for f in told])
    else:
        show(told, output)
    if bundle is not None:
        _write(bundle, make(config, told))
        note(f"Wrote {bundle}.")
    failed = sum(not finding.ok for finding in told)
    if failed:
        note(f"{failed} of {len(told)} checks found something.")
        raise typer.Exit(ExitCode.CHECK_FAILED)


def _write(path: Path, data: bytes) -> None:
    import os

    from newapi.base.errors import NewapiError

    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(data)
    except OSError as error:
        raise NewapiError(f"{path} cannot be written: {(error.strerror or 'failed').lower()}") from error
