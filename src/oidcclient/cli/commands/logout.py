"""`oidcclient logout`."""

from __future__ import annotations

from typing import Any

import click

import oidcclient
from oidcclient.cli import options, people
from oidcclient.cli.config import read_config
from oidcclient.cli.run import Run
from oidcclient.cli.settings import Settings

__all__ = ["command"]


@click.command(
    "logout",
    short_help="Sign out.",
    help="Wipe the session from this machine, then revoke its tokens at the provider. The profile stays.",
)
@options.profile
@click.option(
    "--all", "everybody", is_flag=True, help="All accounts of the profile; without a profile, of all profiles."
)
@click.option("--browser", is_flag=True, help="Also end the provider's own session, in the browser.")
@options.identity
@options.common
def command(run: Run, profile: str | None, *, everybody: bool, browser: bool, **flags: Any) -> None:
    """Sign out."""
    of_all = everybody and profile is None and flags["issuer"] is None
    chosen = [run.settings(name) for name in read_config().profiles] if of_all else [run.settings(profile, **flags)]
    gone = [shape for settings in chosen for shape in sign_out(run, settings, everybody=everybody, browser=browser)]
    said = [f"Signed out: {shape['name']}" for shape in gone]
    run.done({"signed_out": gone}, "\n".join(said) or "Nobody was signed in.")


def sign_out(run: Run, settings: Settings, *, everybody: bool, browser: bool) -> list[dict[str, Any]]:
    """Sign out the current account, or all accounts of a profile."""
    client = run.client(settings)
    users = client.accounts()[: None if everybody else 1]
    shapes = []
    for user in users:
        session: oidcclient.Session = client.session(user.sub)
        session.logout(browser=browser)
        shapes.append({"profile": settings.name, "sub": user.sub, "name": people.name_of(user.claims)})
    return shapes
