"""`oidcclient status`."""

from __future__ import annotations

import os
import sys
from typing import Any

import click

import oidcclient
from oidcclient.cli import messages, options, people
from oidcclient.cli.clients import hooks_of
from oidcclient.cli.exits import OK, SIGN_IN
from oidcclient.cli.output import BOLD, colour, fitted, plain
from oidcclient.cli.plain_token import TOKEN_VARIABLE
from oidcclient.cli.run import Run
from oidcclient.cli.settings import Settings
from oidcclient.hooks import Describes

__all__ = ["command"]


@click.command(
    "status",
    short_help="Show who is signed in, and for how long.",
    help="Show who is signed in, for one profile or for all. Asks no provider. The exit code is 4 if nobody is.",
)
@options.profile
@options.identity
@options.common
def command(run: Run, profile: str | None, **flags: Any) -> int:
    """Show sessions."""
    named = profile is not None or flags["issuer"] is not None
    first = run.settings(profile, **flags) if named else None
    found = [report(run, settings) for settings in ([first] if first else every(run))]
    run.result({"profiles": found, "token_from_environment": bool(os.environ.get(TOKEN_VARIABLE))}, as_text(found))
    if any(account["usable"] for shown in found for account in shown["accounts"]):
        return OK
    return next((shown["problem"]["exit_code"] for shown in found if shown["problem"]), SIGN_IN)


def every(run: Run) -> list[Settings]:
    """Return the settings of all profiles."""
    from oidcclient.cli.config import read_config  # noqa: PLC0415 - only without a profile

    config = read_config()
    return [run.settings(name) for name in config.profiles]


def report(run: Run, settings: Settings) -> dict[str, Any]:
    """Gather what is known of one profile's sessions."""
    shown: dict[str, Any] = {
        "profile": settings.name,
        "is_default": settings.name == settings.config.choose(),
        "issuer": settings.issuer,
        "client_id": settings.client_id,
        "store": settings.text("store") or "keyring",
        "accounts": [],
        "problem": None,
    }
    try:
        records = run.store(settings).records(settings.profile, settings.issuer, settings.client_id)
        hooks = {hook.name: hook for hook in hooks_of(settings)}
    except oidcclient.OidcError as error:
        shown["problem"] = messages.as_json(error, settings.name)["error"]
        return shown
    shown["accounts"] = [account(record, hooks, is_current=position == 0) for position, record in enumerate(records)]
    return shown


def account(record: oidcclient.SessionRecord, hooks: dict[str, Any], *, is_current: bool) -> dict[str, Any]:
    """Return one account's session."""
    token = people.newest(record)
    return {
        "sub": record.account,
        "name": people.name_of(record.claims),
        "is_current": is_current,
        "usable": people.is_usable(record) and set(record.binding_hooks) <= set(hooks),
        "expires_at": None if token is None else token.expires_at,
        "refreshable": record.refresh_token is not None,
        "scope": list(token.scope) if token else [],
        "access": people.access_words(record),
        "bound_by": list(record.binding_hooks),
        "protection": {
            name: plain(hooks[name].describe(state))
            for name, state in record.hook_state.items()
            if isinstance(hooks.get(name), Describes)
        },
    }


def as_text(found: list[dict[str, Any]]) -> str:
    """Return it all in words, one fact a line."""
    lines = [line for shown in found for line in profile_lines(shown)]
    if os.environ.get(TOKEN_VARIABLE):
        lines.append(f"{TOKEN_VARIABLE} is set and goes before the sessions.")
    return (
        "\n".join(fitted(line, sys.stdout) for line in lines)
        or "There is no profile yet. Make one: oidcclient login --issuer … --client-id … --save-as NAME"
    )


def profile_lines(shown: dict[str, Any]) -> list[str]:
    """Return one profile's lines."""
    name = shown["profile"] or "without a profile"
    lines = [colour(name, BOLD) + (" (default)" if shown["is_default"] else ""), f"  Issuer: {shown['issuer']}"]
    if shown["problem"]:
        return [*lines, f"  Problem: {shown['problem']['message']}", f"  {shown['problem']['advice']}"]
    if not shown["accounts"]:
        return [*lines, "  Nobody is signed in."]
    lines.append(f"  Stored: {people.store_words(shown['store'])}")
    return lines + [line for held in shown["accounts"] for line in account_lines(held)]


def account_lines(held: dict[str, Any]) -> list[str]:
    """Return one account's lines."""
    lines = [f"  Account: {held['name']}" + (" (current)" if held["is_current"] else "")]
    lines.append(f"    Access token: {held['access']}")
    lines += [f"    Bound by {name}: {words}" for name, words in held["protection"].items()]
    missing = [name for name in held["bound_by"] if name not in held["protection"]]
    return lines + [f"    Bound by {name}, which the profile has not switched on" for name in missing]
