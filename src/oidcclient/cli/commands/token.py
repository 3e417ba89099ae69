"""`oidcclient token`."""

from __future__ import annotations

import os
import time
from typing import Any

import click

import oidcclient
from oidcclient.cli import options, output
from oidcclient.cli.origins import base_for
from oidcclient.cli.plain_token import TOKEN_VARIABLE, warn_of_bound_token
from oidcclient.cli.run import Run
from oidcclient.cli.settings import Settings

__all__ = ["command"]


@click.command(
    "token",
    short_help="Print an access token.",
    help="Print an access token, refreshed if need be, and nothing else on stdout. Opens no browser.",
)
@options.profile
@click.option("--id-token", is_flag=True, help="Print the ID Token instead; it is renewed if it has expired.")
@click.option("--resource", metavar="URL", help="The API that the token is for, if one was asked for at the sign-in.")
@click.option("--header", metavar="URL", help="Print the headers for exactly one request to this address.")
@click.option("-X", "--method", metavar="METHOD", help="With --header: the method of that request, GET by default.")
@click.option(
    "--allow-origin", multiple=True, metavar="URL", help="With --header: let the token go under this address."
)
@click.option("--include-refresh-token", is_flag=True, help="With --json: the refresh token too.")
@options.identity
@options.common
def command(
    run: Run,
    profile: str | None,
    *,
    id_token: bool,
    resource: str | None,
    header: str | None,
    method: str | None,
    allow_origin: tuple[str, ...],
    include_refresh_token: bool,
    **flags: Any,
) -> None:
    """Print a token."""
    if include_refresh_token and not run.as_json:
        raise click.UsageError("--include-refresh-token goes with --json.")
    if header is None and (method or allow_origin):
        raise click.UsageError("--method and --allow-origin go with --header.")
    if header is not None and id_token:
        raise click.UsageError("--header is for an access token: --id-token does not go with it.")
    given = os.environ.get(TOKEN_VARIABLE)
    if given and not (id_token or header):
        run.result({"access_token": given, "token_type": "Bearer", "expires_at": None, "scope": []}, given)
        return
    settings = run.settings(profile, **flags)
    if header is not None:
        base = base_for(header, settings, allow_origin)
        print_headers(run, given_headers(given) if given else signed_headers(run, settings, base, method, header))
        return
    store = run.store(settings)
    session = run.client(settings, store=store).session()
    if id_token:
        value = fresh_id_token(session)
        run.result({"id_token": value, "expires_at": session.user.claims.get("exp")}, value)
        return
    print_access_token(run, session, resource, store if include_refresh_token else None)


def print_access_token(
    run: Run, session: oidcclient.Session, resource: str | None, store: oidcclient.Store | None
) -> None:
    """Print the access token; with a store the refresh token too."""
    token = session.access_token(resource)
    shape = shape_of(token)
    if store is not None:
        record = store.load(session.key)
        shape["refresh_token"] = None if record is None else record.refresh_token
    run.result(shape, token.value)
    if token.type.lower() != "bearer":
        warn_of_bound_token(token.type)


def given_headers(token: str) -> dict[str, str]:
    """Return the headers for a token from the environment."""
    return {"Authorization": f"Bearer {token}"}


def signed_headers(run: Run, settings: Settings, base: str, method: str | None, url: str) -> dict[str, str]:
    """Return the headers for one request."""
    from oidcclient.cli.headers import headers_for  # noqa: PLC0415 - httpx, only where it is asked for

    return headers_for(
        run.client(settings).session(), base, method or "GET", url
    )  # its case counts (RFC 9110 section 9.1)


def print_headers(run: Run, headers: dict[str, str]) -> None:
    """Print headers, one a line, as they go into a request."""
    run.result({"headers": headers}, "\n".join(f"{name}: {value}" for name, value in headers.items()))


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
