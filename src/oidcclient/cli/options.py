"""Options that several commands have."""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import click

from oidcclient import OidcError

from .run import Run

__all__ = ["common", "identity", "profile"]

Function = Callable[..., Any]


def common(function: Function) -> Function:
    """Give a command `--json`, `--verbose` and `--trace-unsafe`, and hand it a `Run` in their place."""

    @click.option("--json", "as_json", is_flag=True, help="Write the result as JSON.")
    @click.option("-v", "--verbose", count=True, help="Say what happens; twice: with HTTP, secrets left out.")
    @click.option("--trace-unsafe", is_flag=True, help="With -vv at a terminal: show secrets too, after a question.")
    @functools.wraps(function)
    def wrapped(*, as_json: bool, verbose: int, trace_unsafe: bool, **more: Any) -> Any:
        if trace_unsafe:
            from .trace import ask_for_unsafe  # noqa: PLC0415 - rarely asked for

            ask_for_unsafe()
        return function(Run(as_json=as_json, verbosity=2 if trace_unsafe else verbose, unsafe=trace_unsafe), **more)

    return wrapped


def profile(function: Function) -> Function:
    """Give a command the argument `PROFILE`."""
    return click.argument("profile", required=False, shell_complete=profiles_beginning)(function)


def profiles_beginning(_ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    """Return the profiles whose names begin so; at the Tab key nothing is ever an error."""
    from .config import is_name, read_config  # noqa: PLC0415 - at the Tab key alone

    with suppress(OidcError):  # a shell gets names alone that it does not read as anything else
        return [name for name in read_config().profiles if name.startswith(incomplete) and is_name(name)]
    return []


def store_from_here(store: str) -> str:
    """Return a store whose folder is seen from here: in a profile it would be seen from the configuration file."""
    kind, colon, folder = store.partition(":")
    return f"{kind}:{Path(folder).expanduser().absolute()}" if folder else f"{kind}{colon}"


def identity(function: Function) -> Function:
    """Give a command `--issuer`, `--client-id` and `--store`, for sessions without a profile."""
    for option in (
        click.option(
            "--allow-http-loopback", is_flag=True, default=None, help="Accept an http issuer on loopback: for tests."
        ),
        click.option(
            "--store",
            metavar="STORE",
            callback=lambda _context, _parameter, store: store and store_from_here(store),
            help="Where sessions are kept: keyring or file, or file:FOLDER.",
        ),
        click.option("--client-id", metavar="ID", help="The client's identifier, where no profile has it."),
        click.option("--issuer", metavar="URL", help="The issuer, where no profile has it."),
    ):
        function = option(function)
    return function
