"""`oidcclient token`."""

from __future__ import annotations

import os
import time
from typing import Any

import click

import oidcclient
from oidcclient.cli import options, output
from oidcclient.cli.plain_token import TOKEN_VARIABLE, warn_of_bound_token
from oidcclient.cli.run import Run

__all__ = ["command"]


@click.command(
    "token",
    short_help="Print an access token.",
    help="Print an access token, refreshed if need be, and nothing else on stdout. Opens no browser.",
)
@options.profile
@click.option("--id-token", is_flag=True, help="Print the ID Token instead; it is renewed if it has expired.")
@click.option("--resource", metavar="URL", help="The API that the token is for, if one was asked for at the sign-in.")
@click.option("--include-refresh-token", is_flag=True, help="With --json: the refresh token too.")
@options.identity
@options.common
def command(
    run: Run, profile: str | None, *, id_token: bool, resource: str | None, include_refresh_token: bool, **flags: Any
) -> None:
    """Print a token."""
    if include_refresh_token and not run.as_json:
        raise click.UsageError("--include-refresh-token goes with --json.")
    given = os.environ.get(TOKEN_VARIABLE)
    if given and not id_token:
        run.result({"access_token": given, "token_type": "Bearer"}, given)
        return
    settings = run.settings(profile, **flags)
    store = run.store(settings)
    session = run.client(settings, store=store).session()
    if id_token:
        value = fresh_id_token(session)
        run.result({"id_token": value, "expires_at": session.user.claims.get("exp")}, value)
        return
    token = session.access_token(resource)
    shape = shape_of(token)
    if include_refresh_token:
        record = store.load(session.key)
        shape["refresh_token"] = None if record is None else record.refresh_token
    run.result(shape, token.value)
    if token.type.lower() != "bearer":
        warn_of_bound_token(token.type)


def shape_of(token: oidcclient.AccessToken) -> dict[str, Any]:
    """Return a token for a script."""
    return {
        "access_token": token.value,
        "token_type": token.type,
        "expires_at": token.expires_at,
        "scope": list(token.scope),
    }


def fresh_id_token(session: oidcclient.Session) -> str:
    """Return the ID Token, renewed if it has expired and the provider gives new ones."""
    if has_expired(session):
        session.refresh()
    if has_expired(session):
        output.say("The ID Token has expired, and the provider gives no new one at a refresh: sign in again for one.")
    return session.id_token


def has_expired(session: oidcclient.Session) -> bool:
    """Tell whether a session's ID Token has expired."""
    exp = session.user.claims.get("exp")
    return isinstance(exp, int | float) and exp <= time.time()
