from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from pathlib import Path


def man(
    words: Annotated[
        list[str] | None, typer.Argument(metavar="COMMAND", help="A command, `5 config` or `7 formats`.")
    ] = None,
    path: Annotated[bool, typer.Option("--path", help="Print where the page is.")] = False,
) -> None:
    """Show a page of the manual.

    Examples:
        newapi man
        newapi man token create
        newapi man 5 config
        newapi man 7 formats
    """
    import shutil
    import subprocess

    from newapi.base.errors import NewapiError
    from newapi.cli.output import say

    page = _page(words or [])
    if path:
        say(str(page))
        return
    for viewer in (("man", str(page)), ("mandoc", "-a", str(page))):
        if shutil.which(viewer[0]):
            raise typer.Exit(subprocess.run(viewer, check=False).returncode)  # noqa: S603
    raise NewapiError(f"There is neither man nor mandoc here to show {page}: newapi COMMAND --help says the same")


def _page(words: list[str]) -> Path:
    from pathlib import Path

    from newapi.base.errors import NotFound
    from newapi.base.nearest import nearest

    package = Path(__file__).parents[2]
    folder = next((d for d in (package / "man", package.parent / "man") if (d / "newapi.1").is_file()), None)
    if folder is None:
        raise NotFound("The manual is not installed: newapi COMMAND --help says the same")
    section = words[0] if words and words[0].isdecimal() else ""
    name = "-".join(("newapi", *(words[1:] if section else words)))
    for number in (section,) if section else ("1", "5", "7"):
        if (page := folder / f"{name}.{number}").is_file():
            return page
    near = nearest(name, {p.stem for p in folder.glob("newapi*.[157]")})
    hint = f" Did you mean {near.removeprefix('newapi-').replace('-', ' ')!r}?" if near else ""
    raise NotFound(f"The manual has no page {name}.{hint}")
