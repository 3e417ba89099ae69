"""`oidcclient userinfo`."""

from __future__ import annotations

import json
from typing import Any

import click

from oidcclient.cli import options, output
from oidcclient.cli.run import Run

__all__ = ["command"]


@click.command(
    "userinfo",
    short_help="Show what the provider says about the user.",
    help="Fetch the claims about the user from the provider's userinfo endpoint.",
)
@options.profile
@options.identity
@options.common
def command(run: Run, profile: str | None, **flags: Any) -> None:
    """Show claims."""
    claims = dict(run.client(run.settings(profile, **flags)).session().userinfo())
    run.result(claims, "\n".join(f"{output.plain(name)}: {words(value)}" for name, value in claims.items()))


def words(value: object) -> str:
    """Return a claim for a person."""
    return output.plain(value if isinstance(value, str) else json.dumps(value))
