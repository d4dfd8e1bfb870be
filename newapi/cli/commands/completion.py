from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer


class Shell(StrEnum):
    """What can be told how to complete."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"
    POWERSHELL = "powershell"


def completion(shell: Annotated[Shell, typer.Argument(help="bash, zsh, fish or powershell.")]) -> None:
    """Print the script with which a shell completes commands and options.

    Examples:
        newapi completion bash > ~/.local/share/bash-completion/completions/newapi
        newapi completion zsh > "${fpath[1]}/_newapi"
        newapi completion fish > ~/.config/fish/completions/newapi.fish
    """
    # typer has no public name for it.
    from typer.completion import get_completion_script  # pyright: ignore[reportPrivateImportUsage]

    from newapi.cli.app import COMPLETE
    from newapi.cli.output import say

    say(get_completion_script(prog_name="newapi", complete_var=COMPLETE, shell=shell.value))
