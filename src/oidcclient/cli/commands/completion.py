"""`oidcclient completion`."""

from __future__ import annotations

import os
from pathlib import PurePath

import click
from click.shell_completion import BashComplete, FishComplete, ZshComplete

from oidcclient.cli import options
from oidcclient.cli.run import Run

__all__ = ["command"]

SHELLS = {"bash": BashComplete, "zsh": ZshComplete, "fish": FishComplete}
PROGRAM, VARIABLE = "oidcclient", "_OIDCCLIENT_COMPLETE"  # the variable is click's: the script sets it


@click.command(
    "completion",
    short_help="Print a script that completes commands with the Tab key.",
    help='Print a script for the shell. In ~/.bashrc or ~/.zshrc: eval "$(oidcclient completion bash)", or zsh. In '
    "~/.config/fish/config.fish: oidcclient completion fish | source",
)
@click.argument("shell", type=click.Choice(tuple(SHELLS)), required=False)
@options.common
def command(run: Run, shell: str | None) -> None:
    """Print a script."""
    from oidcclient.cli.app import group  # noqa: PLC0415 - it loads this module

    shell = shell or own_shell()
    made = SHELLS[shell](group, {}, PROGRAM, VARIABLE)
    script = made.source_template % made.source_vars()
    run.result({"shell": shell, "script": script}, script.strip("\n"))


def own_shell() -> str:
    """Return the shell that the person uses."""
    name = PurePath(os.environ.get("SHELL", "")).name
    if name in SHELLS:
        return name
    raise click.UsageError(f"Name your shell: {', '.join(SHELLS)}.")
