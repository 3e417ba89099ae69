"""The commands there are. Each is loaded when it runs: help and completion go by this table alone."""

from __future__ import annotations

import difflib
import importlib
import shutil
from collections.abc import Iterable, Sequence
from typing import Any

import click

import oidcclient

from .exits import USAGE

__all__ = ["COMMANDS", "group", "run"]

# Name: (module in `commands`, what it does). The module's command has the same short help; a test says so.
COMMANDS: dict[str, tuple[str, str]] = {
    "login": ("login", "Sign in."),
    "token": ("token", "Print an access token."),
    "status": ("status", "Show who is signed in, and for how long."),
    "userinfo": ("userinfo", "Show what the provider says about the user."),
    "request": ("request", "Send a request to an API, with the token."),
    "switch": ("switch", "Choose the profile or the account that is used."),
    "logout": ("logout", "Sign out."),
    "decode": ("decode", "Show what is in a token."),
    "explain": ("explain", "Walk through a sign-in, step by step."),
    "kubectl-credential": ("kubectl_credential", "Give kubectl a token; kubectl runs it."),
    "git-credential": ("git_credential", "Give git a token; git runs it."),
    "keys": ("keys", "List the keys that sessions are bound to."),
    "completion": ("completion", "Print a script that completes commands with the Tab key."),
    "demo": ("demo", "Show it all on a provider of its own."),
    "doctor": ("doctor", "Look for what could go wrong, and tell what to do."),
}

NARROWEST, WIDEST = 38, 100  # columns of the help; click itself stops at 50

HELP = """Sign in at an OpenID provider and use the session in scripts.

stdout has the result and nothing else; everything said to a person is on stderr.
"""


class Formatter(click.HelpFormatter):
    """Lay out help so that it fits a narrow terminal too: there, a long option gets a line of its own."""

    def write_dl(self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2) -> None:
        """Write a list of options or commands."""
        super().write_dl(rows, min(col_max, self.width // 2), col_spacing)


class Context(click.Context):
    """One call, with our layout."""

    formatter_class = Formatter


class Commands(click.Group):
    """A group that knows its commands' names and loads none of them before it runs."""

    context_class = Context

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names, in the order of the table."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load one command."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"{__package__}.commands.{COMMANDS[cmd_name][0]}")
        command: click.Command = module.command
        command.context_class = Context
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[Any]:
        """Return the names that begin so, without loading any command."""
        from click.shell_completion import CompletionItem  # noqa: PLC0415 - at the Tab key alone

        named = [CompletionItem(name, help=text) for name, (_, text) in COMMANDS.items() if name.startswith(incomplete)]
        return [*named, *click.Command.shell_complete(self, ctx, incomplete)]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; a name that is none gets those that look like it."""
        name = args[0]
        if name not in COMMANDS and not name.startswith("-"):
            close = difflib.get_close_matches(name, COMMANDS, 1)
            more = f" Did you mean {close[0]}?" if close else ""
            raise click.UsageError(f"There is no command {name!r}.{more}", ctx)
        return super().resolve_command(ctx, args)


group = Commands(
    "oidcclient",
    help=HELP,
    context_settings={"help_option_names": ["-h", "--help"]},
    params=[
        click.Option(
            ["--version"],
            is_flag=True,
            is_eager=True,
            expose_value=False,
            help="Show the version.",
            callback=lambda ctx, _, value: _show_version(ctx) if value else None,
        )
    ],
)


def _show_version(ctx: click.Context) -> None:
    click.echo(f"oidcclient {oidcclient.__version__}")
    ctx.exit()


def _for_a_script(error: click.ClickException) -> oidcclient.UsageError:
    context = getattr(error, "ctx", None)
    hint = f"See: {'oidcclient' if context is None else context.command_path} --help"
    return oidcclient.UsageError(error.format_message(), rule="usage", hint=hint)


def run(words: Sequence[str]) -> int:
    """Run what the words ask for and return the exit code."""
    width = max(NARROWEST, min(shutil.get_terminal_size().columns, WIDEST) - 2)
    try:
        found = group.main(list(words), prog_name="oidcclient", standalone_mode=False, terminal_width=width)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return USAGE
    except click.Abort:
        raise KeyboardInterrupt from None
    except click.ClickException as error:
        if "--json" in words:
            raise _for_a_script(error) from None
        error.show()
        return USAGE
    return found if isinstance(found, int) else 0
