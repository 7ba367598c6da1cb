"""`framelight completion`: completion scripts for shells, generated from the parser."""

from __future__ import annotations

import argparse

from harness.cli.parser import build_parser
from harness.runner import recipe_names

BASH = """\
_framelight() {{
  local word=${{COMP_WORDS[COMP_CWORD]}} command=${{COMP_WORDS[1]}} words
  if [ "$COMP_CWORD" -eq 1 ]; then
    words="{commands}"
  else
    case "$command" in
{cases}
    esac
  fi
  COMPREPLY=($(compgen -W "$words" -- "$word"))
  [[ $word == -* || ${{#COMPREPLY[@]}} -gt 0 ]] || COMPREPLY=($(compgen -f -- "$word"))
}}
complete -F _framelight framelight"""
ZSH = "autoload -Uz compinit bashcompinit && compinit && bashcompinit\n"


def main(arguments: argparse.Namespace) -> None:
    """Print the script."""
    print((ZSH if arguments.shell == "zsh" else "") + bash_script())


def bash_script() -> str:
    """Return the completion script for bash: commands, their options and choices, names of recipes."""
    action = next(action for action in build_parser()._actions if isinstance(action, argparse._SubParsersAction))
    cases = []
    for name, parser in action.choices.items():
        words = {word for option in parser._actions for word in (*option.option_strings, *(option.choices or ()))}
        if name in ("run", "train-backbone"):
            words |= set(recipe_names())
        cases.append(f'      {name}) words="{" ".join(sorted(words))}" ;;')
    return BASH.format(commands=" ".join(action.choices), cases="\n".join(cases))
