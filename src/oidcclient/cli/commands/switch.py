"""`oidcclient switch`."""

from __future__ import annotations

from typing import Any

import click

import oidcclient
from oidcclient import UsageError
from oidcclient.cli import options, people
from oidcclient.cli.run import Run
from oidcclient.cli.saving import save_default

__all__ = ["command"]


@click.command(
    "switch",
    short_help="Choose the profile or the account that is used.",
    help="Make a profile the default one. With --account: make an account of the profile the current one.",
)
@options.profile
@click.option("--account", metavar="NAME", help="The account: its email address, name or sub.")
@options.common
def command(run: Run, profile: str | None, account: str | None) -> None:
    """Switch."""
    if profile is None and account is None:
        raise click.UsageError("Name a profile, or an --account.")
    settings = run.settings(profile)
    shape: dict[str, Any] = {"profile": settings.name, "sub": None, "name": None}
    said = []
    if profile is not None:
        save_default(settings.config.path, profile)
        said.append(f"The default profile is {profile}.")
    if account is not None:
        user = find(run.client(settings), account)
        shape.update(sub=user.sub, name=people.name_of(user.claims))
        said.append(f"The current account of {settings.profile} is {shape['name']}.")
    run.done(shape, "\n".join(said))


def find(client: oidcclient.Client, account: str) -> oidcclient.User:
    """
    Make an account the current one.

    Raises:
        UsageError: It is not signed in, or the name fits several.
    """
    users = client.accounts()
    fitting = [user for user in users if account in names_of(user)]
    if len(fitting) != 1:
        known = ", ".join(people.name_of(user.claims) for user in users)
        raise UsageError(
            f"{account} is {'the name of several accounts' if fitting else 'not signed in'}",
            rule="account",
            hint=f"Signed in: {known}." if known else "Nobody is signed in.",
        )
    return client.session(fitting[0].sub).user


def names_of(user: oidcclient.User) -> list[str]:
    """Return all names that an account goes by."""
    return [user.sub, *(str(user.claims[name]) for name in people.NAME_CLAIMS if name in user.claims)]
