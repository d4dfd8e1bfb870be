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
    """Print the script with which a shell completes commands, options, and the names of channels, models and tokens.

    Examples:
        newapi completion bash > ~/.local/share/bash-completion/completions/newapi
        newapi completion zsh > "${fpath[1]}/_newapi"
        newapi completion fish > ~/.config/fish/completions/newapi.fish
    """
    from newapi.cli.output import write
    from newapi.cli.quick import COMPLETE

    write(_SCRIPTS[shell].replace("VARIABLE", COMPLETE))


# Each gives the words up to the cursor, and gets a line for each that may stand there; none means a file.
_SCRIPTS = {
    Shell.BASH: """\
_newapi_completion() {
    local word
    COMPREPLY=()
    while IFS= read -r word; do
        COMPREPLY+=("$(printf '%q' "$word")")
    done < <(VARIABLE=bash "$1" "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -o default -F _newapi_completion newapi
""",
    Shell.ZSH: """\
#compdef newapi
_newapi() {
    local -a found
    found=("${(@f)$(VARIABLE=zsh newapi "${(@)words[2,CURRENT]}" 2>/dev/null)}")
    if [[ -z $found[1] ]]; then
        _files
    else
        _describe newapi found
    fi
}
if [[ $funcstack[1] == _newapi ]]; then
    _newapi "$@"
else
    compdef _newapi newapi
fi
""",
    Shell.FISH: """\
function _newapi_completion
    set -l words (commandline -opc) (commandline -ct)
    set -l found (VARIABLE=fish newapi $words[2..] 2>/dev/null)
    if test -n "$found"
        printf '%s\\n' $found
    else
        __fish_complete_path (commandline -ct)
    end
end
complete --command newapi --no-files --arguments '(_newapi_completion)'
""",
    Shell.POWERSHELL: """\
Register-ArgumentCompleter -Native -CommandName newapi -ScriptBlock {
    param($cut, $tree, $cursor)
    $words = @($tree.CommandElements | Where-Object { $_.Extent.EndOffset -lt $cursor } |
        Select-Object -Skip 1 | ForEach-Object { "$_" })
    $env:VARIABLE = "powershell"
    $env:VARIABLE_WORD = $cut
    newapi @words 2>$null | ForEach-Object {
        [System.Management.Automation.CompletionResult]::new($_, $_, "ParameterValue", $_)
    }
    $env:VARIABLE_WORD = ""
    $env:VARIABLE = ""
}
""",
}
